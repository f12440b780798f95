import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Wampy } from 'wampy';
import { sign as signCra } from 'wampy/wampcra.js';
import { WebSocket } from 'ws';
import { runContractRows } from '../support/contract-rows.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { goRequirement } from '../support/go.ts';
import {
  AUTH_PACKAGES,
  INSTALL_TIMEOUT_MS,
  installPackages,
  pythonRequirement,
} from '../support/python.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { generateForTest, root } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { illFormatted, npmTest } from './npm-test.ts';

/** As much of autobahn-js as the tests use; it has no types of its own. */
interface Session {
  readonly id: number;
  call(uri: string, args?: unknown[], kwargs?: object, options?: object): Progress;
  register(
    uri: string,
    run: (args: unknown[], kwargs: object, details: Details) => unknown,
    options?: object,
  ): PromiseLike<{ unregister(): PromiseLike<void> }>;
  subscribe(
    uri: string,
    hear: (args: unknown[], kwargs: object, details: object) => void,
    options?: object,
  ): PromiseLike<unknown>;
  publish(uri: string, args?: unknown[], kwargs?: object, options?: object): PromiseLike<unknown>;
}
interface Progress extends PromiseLike<unknown> {
  /** Gets the parts of a result. */
  then: PromiseLike<unknown>['then'] &
    ((
      done: (value: unknown) => void,
      failed: (error: unknown) => void,
      part: (part: unknown) => void,
    ) => void);
}
interface Details {
  readonly progress?: (args: unknown[]) => void;
  readonly caller?: number;
  readonly caller_authid?: string;
}
/** What is signed, and how its key is derived. */
interface Extra {
  readonly challenge: string;
  readonly salt?: string;
  readonly iterations: number;
  readonly keylen: number;
}
interface Connection {
  onopen: (session: Session) => void;
  onclose: (reason: string, details: { reason?: string }) => boolean;
  open(): void;
  close(): void;
}
interface Autobahn {
  readonly Connection: new (options: object) => Connection;
  readonly Error: new (uri: string, args: unknown[]) => object;
  readonly auth_cra: {
    derive_key(secret: string, salt: string, iterations: number, keylen: number): string;
    sign(key: string, challenge: string): string;
  };
}
/** As much of the generated client as the tests use. */
interface GeneratedClient {
  connect(): Promise<void>;
  close(): void;
  call(name: string, ...args: unknown[]): Promise<unknown>;
  publish(name: string, ...args: unknown[]): Promise<void>;
  register(name: string, run: (number: number) => unknown): Promise<unknown>;
  subscribe(name: string, hear: (...args: unknown[]) => void): Promise<unknown>;
}
const require = createRequire(import.meta.url);
const autobahn = require('autobahn') as Autobahn;

const SECRET = 'a secret of at least thirty-two bytes';
const PROTOCOL = 'wamp.2.json';
const KEY = pbkdf2Sync('secret of eve', 'salty', 100, 32, 'sha256').toString('base64');
const REALMS = `
realm1:
  anonymous: guest
  tokens: member
  roles:
    guest: &all
      - { uri: com., match: prefix, allow: [call, register, publish, subscribe, disclose] }
    member: *all
    admin:
      - { uri: wamp.session., match: prefix, allow: [call, subscribe] }
  users:
    ada: { role: admin, ticket: TICKET }
    bob: { role: guest, secret: BOB }
    eve: { role: guest, secret: EVE, salt: salty, iterations: 100, keylen: 32 }
`;
const ENV = {
  AUTH_SECRET: SECRET,
  TICKET: 'ticket of ada',
  BOB: 'secret of bob',
  EVE: KEY,
  RATE_LIMIT: '1000000',
  RATE_BURST: '1000000',
  USER_RATE_LIMIT: '1000000',
  USER_RATE_BURST: '1000000',
};
const HELLO = [1, 'realm1', { roles: { caller: {}, callee: {}, publisher: {}, subscriber: {} } }];

/** Compiling the standard library of Go takes its time, on a machine that has never done it. */
const COMPILE_MS = 600_000;

const NODE = { language: 'nodejs', program: process.execPath, args: ['dist/src/main.js'] } as const;
const GO = { language: 'go', program: 'bin/server', args: [] } as const;
const PYTHON = {
  language: 'python',
  program: '.venv/bin/python',
  args: ['-m', 'ws_server'],
} as const;
const ROUTERS = [
  NODE,
  ...(goRequirement('WAMP in Go') === describe ? [GO] : []),
  ...(pythonRequirement('WAMP in Python') === describe ? [PYTHON] : []),
];

/** What autobahn's component for asyncio sees of a router. */
const TALK = `
import asyncio, json, sys
from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

transport = {"type": "websocket", "url": sys.argv[1], "serializers": ["json"]}
component = Component(transports=[transport], realm="realm1")

@component.on_join
async def joined(session, _):
    try:
        events = asyncio.Queue()
        hear = lambda *args, details: events.put_nowait([details.topic, *args])
        await session.subscribe(hear, "com.x", SubscribeOptions(match="prefix", details=True))
        own = PublishOptions(exclude_me=False, acknowledge=True)
        await session.publish("com.x.y", 1, options=own)
        seen = [await asyncio.wait_for(events.get(), 10)]
        shared = RegisterOptions(invoke="roundrobin")
        registration = await session.register(lambda number: 2 * number, "com.double", shared)
        seen += [await session.call("com.double", 21), await session.call("com.example.add", 1, 2)]
        await registration.unregister()
        parts = []
        options = CallOptions(on_progress=parts.append)
        seen += [await session.call("com.example.countdown", 3, options=options), parts]
        for uri, *args in ["com.double", 1], ["com.example.divide", 1, 0], ["com.example.add", "x"]:
            try:
                await session.call(uri, *args)
            except ApplicationError as error:
                seen.append(error.error)
        print(json.dumps(seen))
    finally:
        session.leave()

run([component], log_level="error")
`;
const SEEN = [
  ['com.x.y', 1],
  ...[42, 3, 'done', [3, 2, 1]],
  'wamp.error.no_such_procedure',
  'com.example.error.division_by_zero',
  'wamp.error.invalid_argument',
];

/** A client in Go with the real router. */
const GO_CLIENT_TEST = `package wsclient

import (
	"context"
	"errors"
	"os"
	"testing"
)

func TestRealRouter(t *testing.T) {
	open := func(options Options) *WAMP {
		options.URL = os.Getenv("URL")
		client, err := NewWAMP(options)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = client.Run(t.Context()) }()
		return client
	}
	one, two := open(Options{AuthID: "eve", Secret: "secret of eve"}), open(Options{AuthID: "ada", Ticket: func(context.Context) (string, error) {
		return "ticket of ada", nil
	}})
	three := open(Options{})
	if sum, err := Call[float64](t.Context(), three, "com.example.add", 1, 2); err != nil || sum != 3 {
		t.Fatalf("got %v and %v", sum, err)
	}
	if _, err := one.Register(t.Context(), "com.go.double", func(_ context.Context, call *Invocation) (any, error) {
		var number float64
		err := call.Args(&number)
		return 2 * number, err
	}); err != nil {
		t.Fatal(err)
	}
	if double, err := Call[int](t.Context(), three, "com.go.double", 21); err != nil || double != 42 {
		t.Fatalf("got %v and %v", double, err)
	}
	var failed *Error
	if _, err := Call[any](t.Context(), three, "com.go.nobody"); !errors.As(err, &failed) || failed.Code != "wamp.error.no_such_procedure" {
		t.Fatalf("got %v", err)
	}
	heard := make(chan string, 1)
	news, err := one.SubscribePattern(t.Context(), "com.go", "prefix", func(event Publication) {
		var title string
		_ = event.Args(&title)
		heard <- event.Topic + " " + title
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := three.Publish(t.Context(), "com.go.news", "hello"); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "com.go.news hello" {
		t.Fatalf("got %s", got)
	}
	if err := news.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sessions, err := Call[[]uint64](t.Context(), two, "wamp.session.list"); err != nil || len(sessions) < 3 {
		t.Fatalf("got %v and %v", sessions, err)
	}
}
`;

let generated: GeneratedServer;
let server: ServerProcess;
let url: string;
/** Packages of Python. */
let packages: string;

beforeAll(async () => {
  packages = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  if (!ROUTERS.includes(PYTHON)) return;
  const ofAutobahn = ['autobahn', 'txaio', 'hyperlink', 'idna'];
  await installPackages(packages, [...ofAutobahn, 'ruamel-yaml', ...AUTH_PACKAGES]);
}, INSTALL_TIMEOUT_MS);
afterAll(() => rmSync(packages, { recursive: true, force: true }));

async function wampy(options: object = {}): Promise<Wampy> {
  const made = new Wampy(url, {
    realm: 'realm1',
    ws: WebSocket as never,
    autoReconnect: false,
    ...options,
  });
  await made.connect();
  onTestFinished(async () => {
    await made.disconnect().catch(() => undefined);
  });
  return made;
}

async function joined(options: object = {}): Promise<Session> {
  const connection = new autobahn.Connection({
    url,
    realm: 'realm1',
    protocols: [PROTOCOL],
    max_retries: 0,

    ...options,
  });
  onTestFinished(() => {
    try {
      connection.close();
    } catch {
      // It is closed.
    }
  });
  return await new Promise((resolve, reject) => {
    connection.onopen = resolve;
    connection.onclose = (reason, details) => {
      reject(new Error(details.reason ?? reason));
      return true;
    };
    connection.open();
  });
}

async function raw(...first: unknown[]): Promise<TestClient> {
  const client = await openClient(server.port, { protocols: [PROTOCOL] });
  if (first.length > 0) {
    client.send(first);
    expect(await answer(client)).toEqual([2, expect.any(Number), expect.any(Object)]);
  }
  return client;
}

async function answer(client: TestClient): Promise<unknown[]> {
  return JSON.parse(await client.next()) as unknown[];
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

const errorOf = async (promise: PromiseLike<unknown>): Promise<unknown> =>
  await Promise.resolve(promise).then(
    () => 'no error',
    (error: unknown) => {
      const { errorUri, error: uri, message } = error as Record<string, unknown>;
      return errorUri ?? uri ?? message;
    },
  );

describe.each(ROUTERS)('a generated WAMP router in $language', ({ language, program, args }) => {
  beforeAll(async () => {
    generated = await generateForTest({
      ...{ language, type: 'rpc', subprotocols: [PROTOCOL] },
      features: ['auth', 'rate-limit', 'metrics'],
    });
    const file = path.join(generated.folder, 'realms-of-tests.yaml');
    writeFileSync(file, REALMS);
    const PYTHONPATH = `${path.join(generated.folder, 'src')}:${packages}`;
    const env = { ...ENV, PYTHONPATH, REALMS_FILE: file };
    server = await startServerProcess(args, { cwd: generated.folder, env, program });
    url = `ws://127.0.0.1:${server.port}/`;
    // autobahn-js says there that it does not connect again.
    vi.spyOn(console, 'error').mockReturnValue();
  }, COMPILE_MS);
  afterAll(async () => {
    vi.restoreAllMocks();
    await server[Symbol.asyncDispose]();
    generated.dispose();
  });

  if (language === 'go')
    it(
      'keeps its contract, and passes its own tests',
      async () => {
        const results = await runContractRows(generated.project);
        const broken = results.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn');
        expect(broken.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
        const own = ['test', './internal/wamp', './internal/realtime'];
        const said = execFileSync('go', own, { cwd: generated.folder, encoding: 'utf8' });
        expect(said).toMatch(/^ok .*wamp/m);
      },
      COMPILE_MS,
    );

  it('serves wampy', async () => {
    const [one, two] = [await wampy(), await wampy()];
    const heard: unknown[] = [];
    const all = deferred<unknown>();
    for (const [match, uri] of [
      ['exact', 'com.x.y'],
      ['prefix', 'com.x'],
      ['wildcard', 'com..y'],
    ] as const) {
      const hear = ({ argsList, details }: { argsList?: unknown[]; details: object }): void => {
        heard.push([match, argsList, details]);
        if (heard.length === 3) all.resolve(heard);
      };
      await one.subscribe(uri, hear, { match });
    }
    await two.publish('com.x.y', { argsList: [1, 'é'] });
    await all.promise;
    expect(heard).toEqual([
      ['exact', [1, 'é'], {}],
      ['prefix', [1, 'é'], { topic: 'com.x.y' }],
      ['wildcard', [1, 'é'], { topic: 'com.x.y' }],
    ]);
    await one.register('com.double', ({ argsList }) => ({
      argsList: [2 * (argsList?.[0] as number)],
    }));
    await one.register('com.parts', ({ result_handler: give }) => {
      give({ argsList: ['half'], options: { progress: true } });
      return { argsList: ['whole'] };
    });
    await one.register('com.fails', () => {
      throw Object.assign(new Error('no'), { error: 'com.error', argsList: ['why'] });
    });
    expect((await two.call('com.double', [21])).argsList).toEqual([42]);
    const parts: unknown[] = [];
    const whole = await two.call('com.parts', [], {
      progress_callback: ({ argsList }) => void parts.push(argsList),
    });
    expect([whole.argsList, parts[0]]).toEqual([['whole'], ['half']]);
    expect(await errorOf(two.call('com.fails'))).toBe('com.error');
    expect(await errorOf(two.call('com.nobody'))).toBe('wamp.error.no_such_procedure');
    expect((await two.call('com.example.add', [1, 2])).argsList).toEqual([3]);
    const late = two.call('com.example.countdown', [100]);
    two.cancel(two.getOpStatus().reqId);
    expect(await errorOf(late)).toBe('wamp.error.canceled');
  });

  if (ROUTERS.includes(PYTHON))
    it('serves autobahn for Python', async () => {
      const env = { ...process.env, PYTHONPATH: packages };
      const { stdout } = await promisify(execFile)('python3', ['-c', TALK, url], { env });
      expect(JSON.parse(stdout)).toEqual(SEEN);
    });

  it('serves autobahn-js', async () => {
    const [one, two] = [await joined(), await joined()];
    const heard = deferred<unknown>();
    await one.subscribe(
      'com.x',
      (args, kwargs, details) => heard.resolve([args, kwargs, details]),
      { match: 'prefix' },
    );
    await two.publish('com.x.y', [1], { k: 2 }, { acknowledge: true, disclose_me: true });
    expect(await heard.promise).toMatchObject([
      [1],
      { k: 2 },
      { topic: 'com.x.y', publisher: two.id },
    ]);
    const add = await one.register('com.add', ([a, b]) => (a as number) + (b as number));
    expect(await two.call('com.add', [1, 2])).toBe(3);
    await add.unregister();
    expect(await errorOf(two.call('com.add'))).toBe('wamp.error.no_such_procedure');
    await one.register('com.who', (_, __, { caller, progress }) => {
      progress?.(['half']);
      return caller;
    });
    const parts: unknown[] = [];
    const call = two.call('com.who', [], {}, { disclose_me: true, receive_progress: true });
    const result = await new Promise((resolve, reject) => {
      call.then(resolve, reject, (part) => void parts.push(part));
    });
    expect(result).toBe(two.id);
    await one.register('com.shared', () => 'one', { invoke: 'roundrobin' });
    await two.register('com.shared', () => 'two', { invoke: 'roundrobin' });
    const turns = [
      await two.call('com.shared'),
      await two.call('com.shared'),
      await two.call('com.shared'),
    ];
    expect(turns).toEqual(['one', 'two', 'one']);
    expect(await two.call('com.example.divide', [6, 3])).toBe(2);
    expect(await errorOf(two.call('com.example.divide', [6, 0]))).toBe(
      'com.example.error.division_by_zero',
    );
    expect(await errorOf(two.call('com.example.add', ['x']))).toBe('wamp.error.invalid_argument');
    // One speaks to the other.
    const other = await wampy();
    await other.register('com.mixed', ({ argsDict }) => ({ argsDict: { got: argsDict } }));
    expect(await two.call('com.mixed', [], { k: [1] })).toMatchObject({
      kwargs: { got: { k: [1] } },
    });
  });

  if (language === 'nodejs')
    it('serves the generated client, which passes its own tests', async () => {
      const report = await generateClientIn(temporaryFolder(), {
        subprotocol: PROTOCOL,
        server: generated.folder,
        output: 'client/',
      });
      symlinkSync(path.join(root, 'node_modules'), path.join(report.output, 'node_modules'));
      expect(await npmTest(report.output)).toBe('passed');
      const files = report.files.map((file) => file.path);
      expect(await illFormatted(report.output, files)).toEqual([]);
      const { WampClient } = (await import(path.join(report.output, 'dist/src/index.js'))) as {
        WampClient: new (options: object) => GeneratedClient;
      };
      const one = new WampClient({ url, WebSocket, authid: 'bob', secret: ENV.BOB });
      const two = new WampClient({ url, WebSocket });
      onTestFinished(() => {
        one.close();
        two.close();
      });
      await Promise.all([one.connect(), two.connect()]);
      expect(await one.call('com.example.add', 1, 2)).toBe(3);
      await one.register('com.double', (number) => 2 * number);
      expect(await two.call('com.double', 21)).toBe(42);
      const heard = deferred<unknown>();
      await two.subscribe('com.news', (...event) => heard.resolve(event));
      await one.publish('com.news', 'hello', 1);
      expect(await heard.promise).toEqual(['hello', 1]);
      await expect(two.call('com.nobody')).rejects.toThrow(
        expect.objectContaining({ code: 'wamp.error.no_such_procedure' }) as Error,
      );
    }, 60_000);

  if (language === 'go')
    it(
      'serves the generated client in Go, which passes its own tests',
      async () => {
        const { output, files } = await generateClientIn(temporaryFolder(), {
          ...{ language: 'go', subprotocol: PROTOCOL },
          server: generated.folder,
          output: 'client/',
        });
        writeFileSync(path.join(output, 'live_test.go'), GO_CLIENT_TEST);
        const run = (name: string, ...own: string[]): string =>
          execFileSync(name, own, {
            cwd: output,
            encoding: 'utf8',
            env: { ...process.env, URL: url },
          });
        expect(run('gofmt', '-l', '.')).toBe('');
        run('go', 'vet', './...');
        expect(run('go', 'test', '-timeout', '60s', './...')).toMatch(/^ok/m);
        expect(files.map((file) => file.path)).not.toContain('client.go');
      },
      COMPILE_MS,
    );

  it('knows users by ticket, by WAMP-CRA and by token', async () => {
    const ticket = { authmethods: ['ticket'], authid: 'ada', onchallenge: () => ENV.TICKET };
    const ada = await joined(ticket);
    const sign = (secret: string) => (_: unknown, method: string, extra: Extra) => {
      expect(method).toBe('wampcra');
      const { challenge, salt, iterations, keylen } = extra;
      const key =
        salt === undefined
          ? secret
          : autobahn.auth_cra.derive_key(secret, salt, iterations, keylen);
      return autobahn.auth_cra.sign(key, challenge);
    };
    const cra = { authmethods: ['wampcra'] };
    await joined({ ...cra, authid: 'bob', onchallenge: sign(ENV.BOB) });
    await joined({ ...cra, authid: 'eve', onchallenge: sign('secret of eve') });
    const salted = { ...cra, authid: 'eve', authPlugins: { wampcra: signCra('secret of eve') } };
    await wampy({ ...salted, authMode: 'auto' });
    const token = await new SignJWT({ sub: 'kim' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(SECRET));
    await wampy({ authmethods: ['ticket'], authid: 'kim', onChallenge: () => token });
    const list = (await ada.call('wamp.session.list')) as number[];
    const users: unknown[] = [];
    for (const id of list) {
      const about = ada.call('wamp.session.get', [id]) as PromiseLike<{ authid: string }>;
      const gone = (): string => 'gone';
      users.push(await Promise.resolve(about).then(({ authid }) => authid, gone));
    }
    // Sessions of tests before may still be there.
    const known = ['ada', 'bob', 'eve', 'kim'];
    const named = users.filter((user) => known.includes(user as string));
    expect(named.sort()).toEqual(['ada', 'bob', 'eve', 'eve', 'kim']);
    const denied = 'wamp.error.authentication_denied';
    expect(await errorOf(joined({ ...ticket, authid: 'bob' }))).toBe(denied);
    expect(await errorOf(joined({ ...cra, authid: 'bob', onchallenge: sign('x') }))).toBe(denied);
    const guest = await joined();
    expect(await errorOf(guest.call('wamp.session.count'))).toBe('wamp.error.not_authorized');
    expect(await errorOf(joined({ realm: 'nowhere' }))).toBe('wamp.error.no_such_realm');
  });

  it('answers bad input by the book, and goes on', async () => {
    for (const bad of [
      'not json',
      '{}',
      '[]',
      '[1]',
      '[32,1,{},"com.x"]',
      JSON.stringify([1, 'realm1', {}]),
    ]) {
      const client = await raw();
      client.send(bad);
      expect(await answer(client)).toEqual([
        3,
        expect.any(Object),
        'wamp.error.protocol_violation',
      ]);
      expect(await client.closed).toBe(1002);
    }
    for (const bad of [HELLO, [32, 0, {}, 'com.x'], [32, 2 ** 53 + 2, {}, 'com.x'], [48, 1, {}]]) {
      const client = await raw(...HELLO);
      client.send(bad);
      expect(await answer(client)).toEqual([
        3,
        expect.any(Object),
        'wamp.error.protocol_violation',
      ]);
      expect(await client.closed).toBe(1002);
    }
    const nowhere = await raw();
    nowhere.send([1, 'nowhere', HELLO[2]]);
    expect(await answer(nowhere)).toEqual([3, expect.any(Object), 'wamp.error.no_such_realm']);
    const binary = await raw(...HELLO);
    binary.socket.send(Buffer.from('[]'));
    expect(await binary.closed).toBe(1003);
    const client = await raw(...HELLO);
    client.send([64, 1, {}, 'wamp.mine']);
    expect(await answer(client)).toEqual([
      8,
      64,
      1,
      {},
      'wamp.error.invalid_uri',
      [expect.any(String)],
    ]);
    expect(server.isRunning()).toBe(true);
  });

  it('tells callers that a callee has died', async () => {
    const callee = await raw(...HELLO);
    const caller = await raw(...HELLO);
    callee.send([64, 1, {}, 'com.p']);
    await answer(callee);
    caller.send([48, 1, {}, 'com.p']);
    await answer(callee);
    callee.socket.terminate();
    expect(await answer(caller)).toEqual([
      8,
      48,
      1,
      {},
      'wamp.error.canceled',
      [expect.any(String)],
    ]);
  });

  it('refuses most of 10,000 subscriptions by name', async () => {
    const client = await raw(...HELLO);
    for (let at = 1; at <= 10_000; at += 1) client.send([32, at, {}, `com.topic${at}`]);
    const answers: Record<string, number> = {};
    for (let at = 1; at <= 10_000; at += 1) {
      const [code, , , , uri = code] = await answer(client);
      answers[String(uri)] = (answers[String(uri)] ?? 0) + 1;
    }
    expect(answers).toEqual({ 33: 1000, 'error.too_many_subscriptions': 9000 });
  });

  it.each([
    [
      'realm1: { roles: {}, anonymous: guest }',
      /realms\.yaml: realm1\.anonymous: there is no role guest/,
    ],
    ['one: { roles: {} }', /com\.example\.add: there is no realm realm1/],
    ['realm1: [', /realms\.yaml: /],
  ])('does not start with the realms %s', (text, fault) => {
    const file = path.join(temporaryFolder(), 'realms.yaml');
    writeFileSync(file, text);
    const PYTHONPATH = `${path.join(generated.folder, 'src')}:${packages}`;
    const env = { ...process.env, ...ENV, PYTHONPATH, PORT: '0', REALMS_FILE: file };
    const options = { cwd: generated.folder, env, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(program, args, options);
    expect(stderr).toMatch(fault);
    expect(status).toBe(2);
  });

  it('says goodbye when it stops', async () => {
    const client = await raw(...HELLO);
    server.kill('SIGTERM');
    expect(await answer(client)).toEqual([6, {}, 'wamp.close.system_shutdown']);
    expect([await client.closed, await server.exited]).toEqual([1001, 0]);
  });
});
