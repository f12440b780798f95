import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient } from 'json-rpc-2.0';
import type { Browser } from 'playwright-core';
import { Client as RpcClient } from 'rpc-websockets';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { browserRequirement, launchChromium } from '../support/chromium.ts';
import { goRequirement } from '../support/go.ts';
import { INSTALL_TIMEOUT_MS, installPackages, pythonRequirement } from '../support/python.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { within } from '../support/test-client.ts';
import { generateForTest, root } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

/*
 * Clients that others wrote, before one server of each language that speaks all protocols. More of them are in
 * graphql.test.ts and wamp.test.ts.
 */

const LIMIT_MS = 10_000;
/** Compiling takes its time on a machine that has never done it. */
const COMPILE_MS = 600_000;

const NODE = { language: 'nodejs', program: process.execPath, args: ['dist/src/main.js'] } as const;
const GO = { language: 'go', program: 'bin/server', args: [] } as const;
const PYTHON = {
  language: 'python',
  program: '.venv/bin/python',
  args: ['-m', 'ws_server'],
} as const;
const hasGo = goRequirement('clients in Go') === describe;
const hasPython = pythonRequirement('clients in Python') === describe;
const hasBrowser = browserRequirement('clients in a page') === describe;
const SERVERS = [NODE, ...(hasGo ? [GO] : []), ...(hasPython ? [PYTHON] : [])];

/** What gql for Python sees, over the subprotocol of today and the older one. */
const GQL = `
import asyncio, json, sys
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

SEND = gql('mutation { send(channel: "gql", text: "hello") { text } }')

async def talk(name):
    transport = WebsocketsTransport(url=sys.argv[1], subprotocols=[name])
    seen = []
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        messages = session.subscribe(gql('subscription { messages(channel: "gql") { text } }'))
        first = asyncio.ensure_future(anext(messages))
        # One whose answer comes after that of the subscription, which has none.
        seen.append(await session.execute(gql("{ __typename }")))
        while not first.done():
            await session.execute(SEND)
        seen.append(first.result())
        await messages.aclose()
        counted = session.subscribe(gql("subscription { countdown(from: 2, everyMs: 1) }"))
        seen.append([one["countdown"] async for one in counted])
        try:
            await session.execute(gql('mutation { send(channel: "no name", text: "") { text } }'))
        except TransportQueryError as error:
            seen.append(error.errors[0]["extensions"]["code"])
    return seen

async def all():
    print(json.dumps([await talk("graphql-transport-ws"), await talk("graphql-ws")]))

asyncio.run(asyncio.wait_for(all(), 30))
`;
const SEEN_BY_GQL = [
  { __typename: 'Query' },
  { messages: { text: 'hello' } },
  [2, 1, 0],
  'BAD_USER_INPUT',
];
const GQL_PACKAGES = [
  ...['gql', 'graphql-core', 'websockets', 'anyio', 'idna', 'typing-extensions', 'yarl'],
  ...['multidict', 'propcache', 'tenacity'],
];

/** What a page does, as a script that the browser loads. */
const PAGE = `
import { createClient } from 'graphql-ws';
import { Wampy } from 'wampy';

globalThis.talk = async (url) => {
  const client = createClient({ url });
  const messages = client.iterate({ query: 'subscription { messages(channel: "page") { text } }' });
  const first = messages.next();
  await client.iterate({ query: '{ __typename }' }).next();
  await client.iterate({ query: 'mutation { send(channel: "page", text: "hi") { text } }' }).next();
  const seen = [(await first).value.data];
  await messages.return();
  await client.dispose();

  const options = { realm: 'realm1', autoReconnect: false };
  const [one, two] = [new Wampy(url, options), new Wampy(url, options)];
  await Promise.all([one.connect(), two.connect()]);
  const heard = new Promise((resolve) => {
    const subscribed = one.subscribe('com.page', ({ argsList }) => resolve(argsList));
    void subscribed.then(() => two.publish('com.page', { argsList: ['hi'] }));
  });
  seen.push(await heard, (await one.call('com.example.add', [1, 2])).argsList);
  await Promise.all([one.disconnect(), two.disconnect()]);
  return seen;
};
`;

let packages: string;
let goClients: string;
let site: Server;
let browser: Browser | undefined;

beforeAll(async () => {
  packages = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  if (hasPython) await installPackages(packages, [...GQL_PACKAGES, 'ruamel-yaml']);
  goClients = path.join(packages, 'go-clients');
  if (hasGo) {
    const cwd = fileURLToPath(new URL('../fixtures/go-clients', import.meta.url));
    execFileSync('go', ['build', '-o', goClients, '.'], { cwd, stdio: 'pipe' });
  }
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: root },
    ...{ bundle: true, write: false, format: 'iife', platform: 'browser', logLevel: 'error' },
  });
  const script = outputFiles[0]?.text.replaceAll('</script', '<\\/script') ?? '';
  site = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><link rel="icon" href="data:,"><script>${script}</script>`);
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  if (hasBrowser) browser = await launchChromium();
}, COMPILE_MS + INSTALL_TIMEOUT_MS);
afterAll(async () => {
  await browser?.close();
  site.closeAllConnections();
  site.close();
  rmSync(packages, { recursive: true, force: true });
});

describe.each(SERVERS)('a generated server in $language', ({ language, program, args }) => {
  let generated: GeneratedServer;
  let server: ServerProcess;
  let url: string;
  let origin: string;

  beforeAll(async () => {
    generated = await generateForTest({
      ...{ language, type: 'rpc' },
      subprotocols: ['json-rpc', 'graphql-ws', 'graphql-ws-legacy', 'wamp.2.json'],
    });
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    const PYTHONPATH = `${path.join(generated.folder, 'src')}:${packages}`;
    const env = { PYTHONPATH, ALLOWED_ORIGINS: origin };
    server = await startServerProcess(args, { cwd: generated.folder, env, program });
    url = `ws://127.0.0.1:${server.port}/`;
  }, COMPILE_MS);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    generated.dispose();
  });

  if (hasPython)
    it('serves gql for Python', async () => {
      const env = { ...process.env, PYTHONPATH: packages };
      const { stdout } = await promisify(execFile)('python3', ['-c', GQL, url], { env });
      expect(JSON.parse(stdout)).toEqual([SEEN_BY_GQL, SEEN_BY_GQL]);
    }, 40_000);

  if (hasGo)
    it('serves genqlient and jsonrpc2 for Go', async () => {
      const { stdout } = await promisify(execFile)(goClients, [url]);
      expect(JSON.parse(stdout)).toEqual([[2, 1, 0], [1000], 3, -32601, -32602]);
    }, 40_000);

  it('serves rpc-websockets', async () => {
    const client = new RpcClient(url, { protocol: 'json-rpc', reconnect: false });
    onTestFinished(() => client.close());
    await within(once(client as never, 'open'), LIMIT_MS, 'the handshake');
    expect(await client.call('add', { a: 1, b: 2 })).toBe(3);
    expect(await client.call('add', [1, 2])).toBe(3);
    await expect(client.call('nothing')).rejects.toMatchObject({ code: -32601 });
    await expect(client.call('add', ['x', 1])).rejects.toMatchObject({ code: -32602 });
  });

  it('serves json-rpc-2.0, with batches', async () => {
    const socket = new WebSocket(url, 'json-rpc');
    onTestFinished(() => socket.close());
    await within(once(socket, 'open'), LIMIT_MS, 'the handshake');
    const client = new JSONRPCClient((request) => socket.send(JSON.stringify(request)));
    const both = new JSONRPCServerAndClient(new JSONRPCServer(), client);
    socket.on('message', (data: Buffer) => void both.receiveAndSend(JSON.parse(data.toString())));
    expect(await client.request('add', { a: 1, b: 2 })).toBe(3);
    await expect(client.request('nothing', {})).rejects.toMatchObject({ code: -32601 });
    const batch = [1, 2, 3].map((id) => ({
      ...{ jsonrpc: '2.0' as const, id, method: id === 2 ? 'nothing' : 'add', params: [id, id] },
    }));
    const answers = await client.requestAdvanced(batch);
    expect(answers.map(({ result, error }): unknown => result ?? error?.code)).toEqual([
      2, -32601, 6,
    ]);
  });

  if (hasBrowser)
    it('serves a page with graphql-ws and wampy', async () => {
      const page = await browser?.newPage();
      onTestFinished(() => page?.close());
      await page?.goto(origin);
      const seen = await page?.evaluate(`talk(${JSON.stringify(url)})`);
      expect(seen).toEqual([{ messages: { text: 'hi' } }, ['hi'], [3]]);
    }, 40_000);
});
