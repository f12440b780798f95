import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClientProcess } from '../../src/contract/client/client-process.ts';
import { runClientContract } from '../../src/contract/client/index.ts';
import type { ClientResult } from '../../src/contract/client/index.ts';
import { CLIENT_TYPES } from '../../src/generate/client.ts';
import type { ClientProtocol, ClientType } from '../../src/generate/client.ts';
import { TestInput } from '../../src/operations/test/schema.ts';
import { testEndpoint } from '../../src/operations/test/test.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { hasGo } from '../support/go.ts';
import { operationContext } from '../support/operation-context.ts';
import {
  AUTH_PACKAGES,
  downloadWheels,
  INSTALL_TIMEOUT_MS,
  installPackages,
  pythonRequirement,
} from '../support/python.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { generateForTest } from './generated.ts';
import { illFormatted } from './npm-test.ts';

const run = promisify(execFile);

const FEATURES: Readonly<Record<ClientType, ('presence' | 'auth')[]>> = {
  chat: ['presence', 'auth'],
  pubsub: ['auth'],
  'live-updates': ['auth'],
};

/** A promise of the client that is taken away, and the case that has to notice. */
interface Mutant {
  readonly what: string;
  readonly type?: ClientType;
  /** Below `src/ws_client/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly id: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'does not see gaps',
    file: 'stream.py',
    find: 'elif offset > self._offset:\n            self._handle_later(event)',
    replace: 'elif offset > self._offset:\n            self._give_new(event)',
    id: 'gap.live',
  },
  {
    what: 'believes that nothing was lost',
    file: 'stream.py',
    find: 'and self._is_complete(events, asked, position)',
    replace: 'and True',
    id: 'gap.lies',
  },
  {
    what: 'compares offsets of different epochs',
    file: 'stream.py',
    find: 'asked.epoch == position.epoch',
    replace: 'True',
    id: 'epoch.lies-later',
  },
  {
    what: 'does not resume',
    file: 'client.py',
    find: 'own.since if self.always_resumes',
    replace: 'None if self.always_resumes',
    id: 'cut.event.after',
  },
  {
    what: 'waits for an answer without end',
    file: 'client.py',
    find: 'timeout = self.options.join_timeout',
    replace: 'timeout = 1e6',
    id: 'late.never',
  },
  {
    what: 'gives what an answer repeats',
    file: 'stream.py',
    find: 'if before is not None and offset <= before:',
    replace: 'if False:',
    id: 'twice.resume',
  },
  {
    what: 'sends again to a server that lost its memory',
    file: 'publishing.py',
    find: 'self._outbox.forget(self._outbox_of(stream.name))',
    replace: 'pass',
    id: 'epoch.restart-before-ack',
  },
  {
    what: 'sends again to a server that resumes no more',
    file: 'publishing.py',
    find: 'if "resume" not in self.features:',
    replace: 'if False:',
    id: 'gap.resume-ends',
  },
  {
    what: 'chooses another id for what it sends again',
    file: 'outbox.py',
    find: 'self._send(entry.stream, entry.text)',
    replace:
      'self._send(entry.stream, entry.text.replace(entry.id, "x" if entry.first_sent_at else entry.id))',
    id: 'cut.ack.before',
  },
  {
    what: 'comes back after codes that forbid it',
    file: 'close_codes.py',
    find: 'if 4500 <= code <= 4999',
    replace: 'if 4999 <= code <= 4999',
    id: 'close.4998',
  },
  {
    what: 'comes back after 403',
    file: 'close_codes.py',
    find: 'status >= 500',
    replace: 'status >= 400',
    id: 'http.403',
  },
  {
    what: 'ignores Retry-After',
    file: 'connection.py',
    find: 'self._drain if loss.retry_after is None else loss.retry_after',
    replace: 'self._drain',
    id: 'http.503',
  },
  {
    what: 'ignores what a server that shuts down asks for',
    file: 'connection.py',
    find: 'self._drain if loss.retry_after is None else loss.retry_after',
    replace: 'loss.retry_after',
    id: 'draining',
  },
  {
    what: 'tries again without longer and longer waits',
    file: 'connection.py',
    find: ' * 2 ** min(self.attempts, 30)',
    replace: '',
    id: 'backoff.refused',
  },
  {
    what: 'takes every connection for a good one',
    file: 'connection.py',
    find: 'if uptime >= self.options.stable_after and',
    replace: 'if',
    id: 'backoff.brief',
  },
  {
    what: 'does not notice silence',
    file: 'connection.py',
    find: 'self.restart("the server is silent")',
    replace: 'pass',
    id: 'silence',
  },
  {
    what: 'keeps a connection after garbage',
    file: 'connection.py',
    find: 'self.restart(f"malformed message: {error}")',
    replace: 'del error',
    id: 'garbage.last',
  },
  {
    what: 'does not replace a token that expires',
    file: 'tokens.py',
    find: 'case "token-expiring":\n                self._refresh()',
    replace: 'case "token-expiring":\n                pass',
    id: 'token.expiring',
  },
  {
    what: 'comes with the same token',
    file: 'tokens.py',
    find: 'self._token = None\n        return not is_futile',
    replace: 'return not is_futile',
    id: 'token.refused-once',
  },
  {
    what: 'keeps a document to which a patch did not apply',
    type: 'live-updates',
    file: 'stream.py',
    find: 'elif offset > self._offset:\n            self._handle_later(event)',
    replace: 'elif offset > self._offset:\n            self._give_new(event)',
    id: 'gap.live',
  },
];

/** Two clients of WAMP, what one answers and hears. */
const WAMP_TALK = `
import asyncio, sys
from ws_client import WampClient, WampError

async def main():
    async with WampClient(sys.argv[1]) as one, WampClient(sys.argv[1]) as two:
        heard = asyncio.Queue()
        await one.register("com.double", lambda number: 2 * number)
        await one.subscribe("com.", heard.put_nowait, match="prefix")
        code = None
        try:
            await two.call("com.example.divide", 1, 0)
        except WampError as error:
            code = error.uri
        print(await two.call("com.example.add", 1, 2), await two.call("com.double", 21), code)
        await two.publish("com.news", "hello")
        event = await heard.get()
        print(event.topic, *event.args)

asyncio.run(main())
`;

const SECRET = 'a secret of the tests, long enough for HS256';
const SERVERS = ['nodejs', 'python', ...(hasGo() ? (['go'] as const) : [])] as const;

const PROTOCOL_CLIENTS: readonly { subprotocol: ClientProtocol; features: 'auth'[] }[] = [
  { subprotocol: 'graphql-ws', features: [] },
  { subprotocol: 'json-rpc', features: [] },
  { subprotocol: 'json-rpc', features: ['auth'] },
  { subprotocol: 'wamp.2.json', features: [] },
];

/** Calls in both directions, over a reconnect. */
const RPC_TALK = `
import asyncio, sys
from ws_client import ClientError, JsonRpcClient, RpcError

async def code_of(call):
    try:
        await call
    except (ClientError, RpcError) as error:
        return error.code

async def main(url, token):
    async with JsonRpcClient(url, get_token=lambda: token) as client:
        client.handle("name", lambda: "Ada")
        server = client.server
        print(await server.add(1, 2), await server.add(a=3, b=4), await server.greet(greeting="Hi"))
        client.reconnect()
        print(await server.greet())
        codes = [await code_of(server.add(1, "x")), await code_of(server.nothing())]
    print(*codes, await code_of(JsonRpcClient(url, get_token=lambda: "no").connect()))

asyncio.run(main(*sys.argv[1:]))
`;

/** A subscription that goes on over a reconnect, and operations. */
const GRAPHQL_TALK = `
import asyncio, sys
from ws_client import ClientError, GraphqlClient, GraphqlError

SENDING = 'mutation ($text: String!) { send(channel: "news", text: $text) { text } }'
RECEIVING = 'subscription ($channel: String!) { messages(channel: $channel) { from text } }'

async def main(url, token):
    async with GraphqlClient(url, get_token=lambda: token) as client:
        messages = client.subscribe(RECEIVING, {"channel": "news"})
        for text in ("one", "two"):
            event = None
            while event is None or event["text"] != text:
                following = asyncio.ensure_future(anext(messages))
                # The server may begin to listen later than it answers.
                while not following.done():
                    await client.execute(SENDING, {"text": text})
                event = (await following)["messages"]
            print(event["from"], event["text"])
            client.reconnect()
        countdown = client.subscribe("subscription { countdown(from: 2, everyMs: 0) }")
        print(*[event["countdown"] async for event in countdown])
        try:
            await client.execute("{ nothing }")
        except GraphqlError as error:
            print(str(error)[:18])
    try:
        await GraphqlClient(url, get_token=lambda: "no").connect()
    except ClientError as error:
        print(error.code)

asyncio.run(main(*sys.argv[1:]))
`;

const never = new AbortController().signal;
const describePython = pythonRequirement('clients in Python');

describePython('clients in Python', () => {
  const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  const env = { ...process.env };
  const projects = new Map<ClientType, string>();
  /** The environment of one project serves all. */
  const python = path.join(base, 'chat/.venv/bin/python');
  const command = `PYTHONPATH=src ${python} -m ws_client.driver {url}`;

  const projectOf = (type: ClientType): string => projects.get(type) ?? '';
  const hold = (type: ClientType, cwd: string, ids?: readonly string[]): Promise<ClientResult[]> =>
    runClientContract({
      ...{ type, command, cwd, signal: never },
      ...(ids === undefined ? { timeoutMs: 20_000 } : { timeoutMs: 4000, ids }),
    });

  const expectClean = async (
    output: string,
    files: readonly { readonly path: string }[],
  ): Promise<void> => {
    const inProject = (...args: string[]): Promise<{ stdout: string }> =>
      run(python, ['-m', ...args], {
        cwd: output,
        env: { ...process.env, MYPY_CACHE_DIR: path.join(base, 'mypy') },
      });
    await inProject('ruff', 'format', '--check', 'src', 'tests');
    await inProject('ruff', 'check', 'src', 'tests');
    expect((await inProject('mypy')).stdout).toContain('no issues');
    expect((await inProject('pytest', '-q')).stdout).toMatch(/\d+ passed/);
    const paths = files.map((file) => file.path);
    expect(await illFormatted(output, paths)).toEqual([]);
  };

  /** Generates one file, which has to be clean and to have what the package `folder` has. */
  const expectOneFile = async (
    input: Parameters<typeof generateClientIn>[1],
    folder: string,
  ): Promise<string> => {
    const cwd = temporaryFolder();
    const { output } = await generateClientIn(cwd, input);
    const inFolder = (...args: string[]): Promise<{ stdout: string }> =>
      run(python, args, { cwd, env: { ...process.env, MYPY_CACHE_DIR: path.join(base, 'mypy') } });
    expect(readFileSync(output, 'utf8')).not.toMatch(/#if|#endif|#else|TYPE_CHECKING/);
    await inFolder('-m', 'ruff', 'check', '--isolated', '--select=E4,E7,E9,F', output);
    const mypy = ['-m', 'mypy', '--config-file=', '--strict', output];
    expect((await inFolder(...mypy)).stdout).toContain('no issues');
    const names = 'import sys; sys.path[:0] = [sys.argv[1]]; import MODULE; print(MODULE.__all__)';
    const [own, expected] = await Promise.all([
      inFolder('-c', names.replaceAll('MODULE', 'client'), cwd),
      inFolder('-c', names.replaceAll('MODULE', 'ws_client'), path.join(folder, 'src')),
    ]);
    expect(own).toEqual(expected);
    return output;
  };

  /** What a program says that uses the client of a protocol, at a server on `port`. */
  const talk = async (
    script: string,
    subprotocol: ClientProtocol,
    port: number,
    token = '',
  ): Promise<string> => {
    const features: 'auth'[] = subprotocol === 'json-rpc' ? ['auth'] : [];
    const input = { language: 'python', subprotocol, features, name: 'x' } as const;
    const { output } = await generateClientIn(temporaryFolder(), input);
    const args = ['-c', script, `ws://127.0.0.1:${port}/`, token];
    const options = { env: { ...process.env, PYTHONPATH: 'src' }, cwd: output };
    return (await run(python, args, options)).stdout;
  };

  beforeAll(async () => {
    await downloadWheels(path.join(base, 'wheels'));
    for (const type of CLIENT_TYPES) {
      const input = { type, features: FEATURES[type], output: type };
      const { output } = await generateClientIn(base, { ...input, language: 'python' });
      projects.set(type, output);
    }
    const { commands } = JSON.parse(
      readFileSync(path.join(projectOf('chat'), '.wsgen.json'), 'utf8'),
    ) as { commands: { install: [string, ...string[]] } };
    const [program, ...args] = commands.install;
    await run(program, args, { cwd: projectOf('chat') });
    await run(python, ['-m', 'pip', 'install', '--quiet', 'mypy', 'ruff']);
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => {
    process.env = env;
    rmSync(base, { recursive: true, force: true });
  });

  it.each(
    CLIENT_TYPES.flatMap((type) => [
      { type, features: [] },
      { type, features: FEATURES[type] },
    ]),
  )('of a $type server with $features are clean and pass their own tests', async (chosen) => {
    const input = { ...chosen, url: 'wss://example.org/x', name: 'x' };
    const { output, files } = await generateClientIn(temporaryFolder(), {
      ...input,
      language: 'python',
    });
    await expectClean(output, files);
  });

  it.each(PROTOCOL_CLIENTS)(
    'of $subprotocol with $features are clean, pass their own tests, and can be one file',
    async ({ subprotocol, features }) => {
      const input = { language: 'python', subprotocol, features } as const;
      const { output, files } = await generateClientIn(temporaryFolder(), { ...input, name: 'x' });
      await expectClean(output, files);
      await expectOneFile({ ...input, output: 'client.py' }, output);
    },
  );

  it('of WAMP talk to a generated server', async () => {
    const server = await generateForTest({
      ...{ language: 'python', type: 'rpc', subprotocols: ['wamp.2.json'] },
    });
    try {
      const packages = path.join(base, 'packages');
      await installPackages(packages, ['ruamel-yaml']);
      const PYTHONPATH = `${server.folder}/src:${packages}`;
      const { port } = await server.boot({ PYTHONPATH });
      const said = await talk(WAMP_TALK, 'wamp.2.json', port);
      expect(said).toBe('3 42 com.example.error.division_by_zero\ncom.news hello\n');
    } finally {
      server.dispose();
    }
  });

  it.each(SERVERS)(
    'of JSON-RPC and GraphQL talk to a generated server in %s',
    { timeout: 240_000 },
    async (language) => {
      const subprotocols = ['graphql-ws', 'json-rpc'];
      const server = await generateForTest({
        ...{ language, type: 'rpc', features: ['auth'], subprotocols },
      });
      try {
        const packages = path.join(base, 'of-servers');
        const isPython = language === 'python';
        if (isPython) await installPackages(packages, ['graphql-core', ...AUTH_PACKAGES]);
        const PYTHONPATH = `${server.folder}/src:${packages}`;
        const { port } = await server.boot({
          AUTH_SECRET: SECRET,
          ...(isPython && { PYTHONPATH }),
        });
        const token = await new SignJWT({ sub: 'ada' })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuedAt()
          .setExpirationTime('10m')
          .sign(new TextEncoder().encode(SECRET));
        expect(await talk(RPC_TALK, 'json-rpc', port, token)).toBe(
          '3 7 Hi, Ada!\nHello, Ada!\n-32602 -32601 closed\n',
        );
        expect(await talk(GRAPHQL_TALK, 'graphql-ws', port, token)).toBe(
          'ada one\nada two\n2 1 0\nCannot query field\nclosed\n',
        );
      } finally {
        server.dispose();
      }
    },
  );

  it.each(['pubsub', 'live-updates'] as const)(
    'of a %s server keep their promises',
    { timeout: 180_000 },
    async (type) => {
      const results = await hold(type, projectOf(type));
      expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
      expect(results.length).toBeGreaterThan(70);
    },
  );

  it('of a chat server keep theirs, tested as a project', { timeout: 180_000 }, async () => {
    const input = { role: 'client', project: projectOf('chat'), ownTests: true } as const;
    const report = await testEndpoint(TestInput.parse(input), operationContext({ cwd: base }));
    expect(report.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(85);
    expect(report.checks.at(-1)).toMatchObject({ id: 'own-tests', verdict: 'pass' });
  });

  it.each(MUTANTS)('that $what are caught', async ({ type = 'chat', file, find, replace, id }) => {
    const folder = temporaryFolder();
    cpSync(`${projectOf(type)}/src`, `${folder}/src`, { recursive: true });
    const mutated = `${folder}/src/ws_client/${file}`;
    const text = readFileSync(mutated, 'utf8');
    expect(text.split(find)).toHaveLength(2);
    writeFileSync(
      mutated,
      text.replace(find, () => replace),
    );
    const results = await hold(type, folder, [id]);
    expect(results.map(({ verdict }) => verdict)).toEqual(['fail']);
  });

  it('lose nothing without saying so when a server is killed', { timeout: 90_000 }, async () => {
    const features = ['rooms', 'history', 'resume'] as const;
    const server = await generateForTest({ type: 'chat', features: [...features] });
    try {
      const first = await server.boot();
      const url = `ws://127.0.0.1:${first.port}/`;
      const clientOptions = { backoff: { baseMs: 20, maxMs: 100 } };
      await using client = new ClientProcess(command, url, {
        cwd: projectOf('chat'),
        clientOptions,
      });
      const texts = Array.from({ length: 20 }, (_, at) => `m${at}`);
      const publish = (text: string): void =>
        client.send({ command: 'publish', name: 'lobby', data: text, key: text });
      const has = async (event: string, count: number): Promise<void> => {
        const isThere = (): boolean => client.all(event).length >= count;
        expect(await client.until(isThere, 30_000, never), client.noise).toBe(true);
      };
      client.send({ command: 'join', name: 'lobby' });
      for (const text of texts.slice(0, 10)) publish(text);
      await has('message', 10);
      await has('ack', 10);
      first.kill('SIGKILL');
      await first.exited;
      // What it sent to the dead one would have no known outcome.
      const isAway = (): boolean => client.all('state').at(-1)?.['state'] !== 'open';
      expect(await client.until(isAway, 30_000, never), client.noise).toBe(true);
      for (const text of texts.slice(10)) publish(text);
      await server.boot({ PORT: String(first.port) });
      await has('ack', 20);
      await has('message', 20);
      expect(client.all('message').map(({ data }) => data)).toEqual(texts);
      expect(client.all('recovered')).toMatchObject([{ recovered: false }]);
    } finally {
      server.dispose();
    }
  });

  it.each(CLIENT_TYPES)('of a %s server can be one file', async (type) => {
    const input = { type, features: FEATURES[type], output: 'client.py' };
    const output = await expectOneFile(input, projectOf(type));
    const cwd = path.dirname(output);
    // The driver of the package, with the file in place of the package.
    const folder = path.join(cwd, 'src/ws_client');
    cpSync(path.join(projectOf(type), 'src/ws_client/driver.py'), path.join(folder, 'driver.py'));
    const modules = ['chat', 'live_updates', 'messages', 'options', 'pubsub'];
    // Without this file, the package that is installed would come before the folder.
    writeFileSync(path.join(folder, '__init__.py'), '');
    for (const name of modules) {
      writeFileSync(path.join(folder, `${name}.py`), 'from client import *\n');
    }
    cpSync(output, path.join(cwd, 'src/client.py'));
    const results = await hold(type, cwd, ['cut.event.after', 'gap.live', 'token.expired']);
    expect(results.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass']);
  });
});
