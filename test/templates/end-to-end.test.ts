import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClientProcess } from '../../src/contract/client/client-process.ts';
import type { Feature } from '../../src/generate/answers.ts';
import type { ClientLanguageName, LanguageName } from '../../src/generate/languages/index.ts';
import { readClient } from '../../src/target/project/index.ts';
import { builtClient } from '../support/client-driver.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { goRequirement } from '../support/go.ts';
import {
  AUTH_PACKAGES,
  installPackages,
  INSTALL_TIMEOUT_MS,
  pythonPath,
  pythonRequirement,
} from '../support/python.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { openClient } from '../support/test-client.ts';
import { generateForTest, root } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const ENV = { AUTH_SECRET: SECRET, PUBLISH_TOKEN: 'thirty-two-characters-at-the-least' };
const PRESENT: readonly Feature[] = ['history', 'resume', 'auth', 'rate-limit', 'metrics'];
const LIMIT_MS = 30_000;

interface Published {
  readonly offset: number;
  readonly text: string;
}

/** One of the types, in its own words. */
interface Kind {
  readonly type: 'chat' | 'pubsub';
  readonly features: readonly Feature[];
  readonly servers: readonly LanguageName[];
  /** What clients join, and where they publish. */
  readonly name: string;
  readonly publishTo: string;
  /** Gives what is kept, for who was never there. */
  readonly ask: object;
  readonly textOf: (kept: Readonly<Record<string, unknown>>) => unknown;
  /** A program with the client in one file, which prints what `driver.js` prints. */
  readonly className: string;
  readonly program: string;
}

const PRINT = `
const print = (event) => console.log(JSON.stringify(event));
client.on('state', ({ name }) => print({ event: 'state', state: name }));
stream.on('recovered', (recovered) => print({ event: 'recovered', ...recovered }));
await client.connect();
`;

const KINDS: readonly Kind[] = [
  {
    type: 'chat',
    features: ['rooms', 'presence', ...PRESENT],
    servers: ['nodejs', 'python', 'go'],
    ...{ name: 'lobby', publishTo: 'lobby', ask: { type: 'join', room: 'lobby' } },
    textOf: ({ text }) => text,
    className: 'ChatClient',
    program: `
const client = new ChatClient(options);
const stream = client.join('lobby');
stream.on('message', ({ offset, text }) => print({ event: 'message', offset, data: text }));`,
  },
  {
    type: 'pubsub',
    features: PRESENT,
    servers: ['nodejs'],
    ...{ name: 'news.#', publishTo: 'news.all', ask: { type: 'subscribe', topic: 'news.#' } },
    textOf: ({ data }) => data,
    className: 'PubsubClient',
    program: `
const client = new PubsubClient(options);
const stream = client.subscribe('news.#');
stream.on('event', ({ offset, data }) => print({ event: 'message', offset, data }));`,
  },
];

const OPTIONS = { backoff: { baseMs: 20, maxMs: 100 } };

function tokenOf(user: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
}

/** Everything between that the network does: `cut` breaks all connections off. */
async function startProxy(port: number) {
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (proxy.address() as AddressInfo).port,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

/** What an application saw, in parts between which it was told that something is lost. */
function partsOf(client: ClientProcess, textOf: (data: unknown) => string = String): Published[][] {
  const parts: Published[][] = [[]];
  for (const { event, recovered, offset, data } of client.lines) {
    if (event === 'recovered' && recovered === false) parts.push([]);
    if (event === 'message') parts.at(-1)?.push({ offset: Number(offset), text: textOf(data) });
  }
  return parts;
}

function urlOf(port: number): string {
  return `ws://127.0.0.1:${port}/`;
}

async function opened(client: ClientProcess): Promise<ClientProcess> {
  const isOpen = (): boolean => client.all('state').at(-1)?.['state'] === 'open';
  if (await client.until(isOpen, LIMIT_MS, never)) return client;
  await client[Symbol.asyncDispose]();
  throw new Error(`the client is not open: ${client.noise}`);
}

const never = new AbortController().signal;

/** What starts the driver of a generated client, in its folder. */
function driverOf(folder: string): string {
  return readClient(folder).manifest.commands.driver?.join(' ') ?? '';
}

const describeGo = goRequirement('servers and clients in Go');
const describePython = pythonRequirement('servers and clients in Python');
const SERVERS = [
  { language: 'nodejs', describeIt: describe },
  { language: 'python', describeIt: describePython },
  { language: 'go', describeIt: describeGo },
] as const;
/** Languages of the clients that publish. */
const CLIENTS = [
  { language: 'typescript', describeIt: describe },
  { language: 'python', describeIt: describePython },
  { language: 'go', describeIt: describeGo },
] as const;

const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
const packages = path.join(base, 'packages');
beforeAll(async () => {
  const isThere = pythonPath() !== undefined;
  if (isThere) await installPackages(packages, ['websockets', ...AUTH_PACKAGES]);
}, INSTALL_TIMEOUT_MS);
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Where programs in Python find themselves, and what they depend on. */
function pythonPathOf(folder: string): string {
  return [path.join(folder, 'src'), packages].join(path.delimiter);
}

const drivers = new Map<string, Promise<string>>();

/** The folder of the client of a type in a language: one for all servers. */
function clientOf(type: Kind['type'], language: ClientLanguageName): Promise<string> {
  const folder = path.join(base, `${type}-${language}`);
  mkdirSync(folder, { recursive: true });
  const driver = drivers.get(folder) ?? builtClient(type, folder, language);
  drivers.set(folder, driver);
  return driver;
}

const PAIRS = KINDS.flatMap((kind) =>
  SERVERS.filter(({ language }) => kind.servers.includes(language)).map((server) => ({
    ...{ kind, ...server },
  })),
);

for (const { kind, language: ofServer, describeIt } of PAIRS) {
  const { type, features, name, publishTo, ask, textOf, className, program } = kind;

  describeIt(`a ${type} server in ${ofServer}`, () => {
    const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    let server: GeneratedServer | undefined;

    beforeAll(async () => {
      const input = { type, language: ofServer, features: [...features] };
      server = await generateForTest({ ...input, output: 'server/' });
      const output = path.join(folder, 'client.js');
      await generateClientIn(folder, { server: server.folder, output });
      symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
      writeFileSync(
        path.join(folder, 'application.mjs'),
        `import { ${className} } from './client.js';
const options = {
  url: process.argv[2],
  getToken: () => process.env.TOKEN,
  ...JSON.parse(process.env.CLIENT_OPTIONS),
};${program}${PRINT}`,
      );
    });
    afterAll(() => {
      server?.dispose();
      rmSync(folder, { recursive: true, force: true });
    });

    const boot = (env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> => {
      if (server === undefined) throw new Error('there is no server');
      return server.boot({ PYTHONPATH: pythonPathOf(server.folder), ...ENV, ...env });
    };

    /** Publishes, and uses the project. */
    async function startAda(language: ClientLanguageName, port: number): Promise<ClientProcess> {
      const cwd = await clientOf(type, language);
      const command = `PYTHONPATH=${pythonPathOf(cwd)} ${driverOf(cwd)}`;
      const client = new ClientProcess(command, urlOf(port), { cwd, clientOptions: OPTIONS });
      client.send({ command: 'token', token: await tokenOf('ada') });
      client.send({ command: 'join', name });
      return opened(client);
    }

    /** Only listens, and uses the one file. */
    async function startBob(port: number): Promise<ClientProcess> {
      const command = `TOKEN=${await tokenOf('bob')} node application.mjs`;
      return opened(
        new ClientProcess(command, urlOf(port), { cwd: folder, clientOptions: OPTIONS }),
      );
    }

    function publish(client: ClientProcess, text: string): void {
      client.send({ command: 'publish', name: publishTo, data: text, key: text });
    }

    async function history({ port }: ServerProcess): Promise<Published[]> {
      const headers = { Authorization: `Bearer ${await tokenOf('eve')}` };
      const client = await openClient(port, { headers });
      const { messages } = await client.request(ask);
      client.socket.terminate();
      return (messages as Record<string, unknown>[]).map((kept) => ({
        offset: Number(kept['offset']),
        text: String(textOf(kept)),
      }));
    }

    async function sees(client: ClientProcess, text: string): Promise<void> {
      const hasSeen = (): boolean => client.all('message').some(({ data }) => data === text);
      expect(await client.until(hasSeen, LIMIT_MS, never), `${text}: ${client.noise}`).toBe(true);
    }

    for (const { language, describeIt: describeClient } of CLIENTS) {
      describeClient(`and a client in ${language}`, () => {
        it(
          'lose nothing without saying so when the server is killed',
          { timeout: 90_000 },
          async () => {
            const first = await boot();
            await using ada = await startAda(language, first.port);
            await using bob = await startBob(first.port);
            const texts = Array.from({ length: 60 }, (_, at) => `m${at}`);
            for (const text of texts.slice(0, 30)) {
              publish(ada, text);
              await sleep(1);
              // Not before both have them: it may die between what it sends to the one and to the other.
              if ([ada, bob].every((client) => client.all('message').length >= 10)) {
                first.kill('SIGKILL');
              }
            }
            for (const client of [ada, bob]) await sees(client, 'm9');
            first.kill('SIGKILL');
            await first.exited;
            for (const text of texts.slice(30)) publish(ada, text);
            const second = await boot({ PORT: String(first.port) });
            publish(ada, 'last');
            texts.push('last');
            for (const client of [ada, bob]) await sees(client, 'last');
            const outcomes = () => [...ada.all('ack'), ...ada.all('rejected')];
            await ada.until(() => outcomes().length >= texts.length, LIMIT_MS, never);

            const truth = await history(second);
            const seen = [ada, bob].map((client) => partsOf(client));
            for (const parts of seen) {
              // Everything of the server that is there now; the application knows that it lost the one before.
              expect(parts).toHaveLength(2);
              expect(parts[1]).toEqual(truth);
              const before = parts[0] ?? [];
              expect(before.map(({ offset }) => offset)).toEqual(before.map((_, at) => at + 1));
            }
            // Of what was before, both saw the same, as far as they came.
            const [longer = [], shorter = []] = seen
              .map(([before = []]) => before)
              .sort((a, b) => b.length - a.length);
            expect(longer.slice(0, shorter.length)).toEqual(shorter);
            expect(shorter.length).toBeGreaterThanOrEqual(10);
            // Each message has one outcome; what is acknowledged was published, and nothing twice.
            expect(
              outcomes()
                .map(({ key }) => key)
                .sort(),
            ).toEqual([...texts].sort());
            // It counted what was published before its end, in that order. Of that it may have acknowledged what
            // it sent to nobody: that offset lies beyond what anyone saw, and both know of the loss.
            const killed = texts.slice(0, 30).map((text, at) => ({ offset: at + 1, text }));
            expect(longer).toEqual(killed.slice(0, longer.length));
            for (const { key, offset } of ada.all('ack')) {
              expect([...truth, ...killed]).toContainEqual({ offset, text: key });
            }
            const codes = new Set(ada.all('rejected').map(({ code }) => code));
            expect([...codes].filter((code) => code !== 'unknown_outcome')).toEqual([]);
            for (const part of [truth, longer]) {
              expect(new Set(part.map(({ text }) => text)).size).toBe(part.length);
            }
          },
        );

        if (ofServer !== 'nodejs' && ofServer !== language) return;
        it(
          'lose nothing and see nothing twice when connections break off',
          { timeout: 90_000 },
          async () => {
            const running = await boot();
            await using proxy = await startProxy(running.port);
            await using ada = await startAda(language, proxy.port);
            await using bob = await startBob(proxy.port);
            const texts = Array.from({ length: 60 }, (_, at) => `m${at}`);
            for (const [at, text] of texts.entries()) {
              publish(ada, text);
              // Who has seen nothing yet has nothing to resume.
              if (at === 0) for (const client of [ada, bob]) await sees(client, text);
              if (at % 20 === 10) proxy.cut();
              await sleep(1);
            }
            for (const client of [ada, bob]) await sees(client, 'm59');
            await ada.until(() => ada.all('ack').length >= texts.length, LIMIT_MS, never);

            const truth = await history(running);
            expect(truth.map(({ text }) => text)).toEqual(texts);
            for (const client of [ada, bob]) {
              expect(partsOf(client)).toEqual([truth]);
              expect(client.all('recovered').length).toBeGreaterThan(0);
            }
            expect(ada.all('rejected')).toEqual([]);
            expect(ada.all('ack').map(({ key }) => key)).toEqual(texts);
          },
        );
      });
    }
  });
}

/** Languages of the clients that watch documents. */
for (const { language, describeIt } of CLIENTS.filter((each) => each.language !== 'python')) {
  describeIt(`a generated live-updates server, and a client in ${language}`, () => {
    const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    let server: GeneratedServer | undefined;
    let driver: string;

    beforeAll(async () => {
      server = await generateForTest({
        type: 'live-updates',
        features: ['auth', 'metrics'],
        output: 'server/',
      });
      driver = await builtClient('live-updates', folder, language);
    });
    afterAll(() => {
      server?.dispose();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Replaces the document `status`, which every start of the server makes anew. */
    async function put(port: number, n: number): Promise<Published | undefined> {
      // Larger than a change of it: else the server sends the whole in place of patches.
      const text = JSON.stringify({ n, more: 'x'.repeat(500) });
      const answer = await fetch(`http://127.0.0.1:${port}/documents/status`, {
        method: 'PUT',
        headers: {
          Authorization: `Bearer ${ENV.PUBLISH_TOKEN}`,
          'Content-Type': 'application/json',
        },
        body: text,
      }).catch(() => undefined);
      if (answer?.ok !== true) return undefined;
      const { position } = (await answer.json()) as { position: { offset: number } };
      return { offset: position.offset, text };
    }

    async function watch(port: number): Promise<ClientProcess> {
      const options = { cwd: driver, clientOptions: OPTIONS };
      const client = new ClientProcess(driverOf(driver), urlOf(port), options);
      client.send({ command: 'token', token: await tokenOf('ada') });
      client.send({ command: 'join', name: 'status' });
      return opened(client);
    }

    function seenBy(client: ClientProcess): Published[][] {
      // In the order of `put`: not every language keeps that of keys.
      return partsOf(client, (data) => JSON.stringify(data, ['n', 'more']));
    }

    async function reaches(client: ClientProcess, last: Published | undefined): Promise<void> {
      const hasSeen = (): boolean => seenBy(client).at(-1)?.at(-1)?.text === last?.text;
      expect(await client.until(hasSeen, LIMIT_MS, never), client.noise).toBe(true);
    }

    it('show the present state when the server was killed', { timeout: 90_000 }, async () => {
      if (server === undefined) throw new Error('there is no server');
      const first = await server.boot(ENV);
      const zero = await put(first.port, 0);
      await using client = await watch(first.port);
      await reaches(client, zero);
      const before: Published[] = [];
      for (let n = 1; n <= 20; n++) {
        if (n === 15) first.kill('SIGKILL');
        const published = await put(first.port, n);
        if (published !== undefined) before.push(published);
      }
      await first.exited;
      const second = await server.boot({ ...ENV, PORT: String(first.port) });
      const after: Published[] = [];
      for (let n = 101; n <= 110; n++) {
        const published = await put(second.port, n);
        if (published !== undefined) after.push(published);
      }
      expect(after).toHaveLength(10);
      await reaches(client, after.at(-1));
      const [old = [], ...parts] = seenBy(client);
      expect(parts.length).toBeGreaterThan(0);
      // Each change once and in order, and of the server that is there now the last.
      const changes = old.slice(1);
      const both = Math.min(before.length, changes.length);
      expect(changes.slice(0, both)).toEqual(before.slice(0, both));
      const seen = parts.flat().filter(({ text }) => text.startsWith('{"n"'));
      expect(seen).toEqual(after.slice(-seen.length));
    });

    it('miss no change when connections break off', { timeout: 90_000 }, async () => {
      if (server === undefined) throw new Error('there is no server');
      const running = await server.boot(ENV);
      const zero = await put(running.port, 0);
      await using proxy = await startProxy(running.port);
      await using client = await watch(proxy.port);
      await reaches(client, zero);
      const truth: (Published | undefined)[] = [];
      for (let n = 1; n <= 30; n++) {
        truth.push(await put(running.port, n));
        if (n % 10 === 5) proxy.cut();
      }
      await reaches(client, truth.at(-1));
      const parts = seenBy(client);
      expect(parts).toHaveLength(1);
      expect(parts[0]?.slice(1)).toEqual(truth);
      expect(client.all('recovered').length).toBeGreaterThan(0);
    });
  });
}
