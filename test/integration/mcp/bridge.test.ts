import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { resolveInput } from '../../../src/core/derive/input.ts';
import { Settings } from '../../../src/core/settings.ts';
import { AuditLog } from '../../../src/mcp/bridge/audit-log.ts';
import { missingProgram } from '../../../src/core/find-program.ts';
import { startBridge } from '../../../src/mcp/bridge/serve.ts';
import type { Bridge, BridgeOptions } from '../../../src/mcp/bridge/serve.ts';
import { Session } from '../../../src/mcp/bridge/session.ts';
import { bridgeToStdio } from '../../../src/mcp/bridge/to-stdio.ts';
import { WebSocketClientTransport } from '../../../src/mcp/index.ts';
import type { JsonRpcMessage, WebSocketClientTransportOptions } from '../../../src/mcp/index.ts';
import type { SocketLink } from '../../../src/mcp/socket-link.ts';
import { operation } from '../../../src/operations/mcp-bridge/operation.ts';
import {
  LEGACY,
  PRIMITIVES,
  connectV1,
  connectV2,
  deferred,
  everythingCommand,
  until,
  useLegacy,
  usePrimitives,
} from '../../support/mcp.ts';
import { runNode, websocketSkill } from '../../support/programs.ts';
import {
  INSTALL_TIMEOUT_MS,
  installRequirements,
  pythonRequirement,
} from '../../support/python.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { usageErrorOf } from '../../support/usage-error.ts';

const require = createRequire(import.meta.url);

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

interface TestBridge extends Bridge {
  readonly url: string;
  readonly log: Line[];
  readonly lines: () => string;
}

async function start(options: Partial<BridgeOptions> = {}): Promise<TestBridge> {
  const log: Line[] = [];
  let lines = '';
  const bridge = await startBridge({
    command: everythingCommand(1),
    shared: false,
    host: '127.0.0.1',
    port: 0,
    path: '/message',
    healthPaths: ['/healthz'],
    origins: ['https://good.example'],
    tokens: [],
    maxClients: 20,
    maxMessage: 1024 * 1024,
    graceMs: 60_000,
    restart: 3,
    drainMs: 100,
    log: new AuditLog((text) => {
      lines += text;
      for (const line of text.trim().split('\n')) log.push(JSON.parse(line) as Line);
    }, 'info'),
    ...options,
  });
  const url = `ws://127.0.0.1:${bridge.port}/message`;
  return { ...bridge, url, log, lines: () => lines };
}

/** Bridges that several tests use: a child per client on either line, one child for all. */
let own: TestBridge;
let modern: TestBridge;
let shared: TestBridge;
const bridges: TestBridge[] = [];

beforeAll(async () => {
  [own, modern, shared] = await Promise.all([
    start(),
    start({ command: everythingCommand(2) }),
    start({ shared: true }),
  ]);
});
afterAll(async () => {
  await Promise.all([own, modern, shared].map((bridge) => bridge.stop()));
});
afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.stop()));
});

async function startOne(options: Partial<BridgeOptions>): Promise<TestBridge> {
  const bridge = await start(options);
  bridges.push(bridge);
  return bridge;
}

function transportTo(
  { url }: TestBridge,
  options: WebSocketClientTransportOptions = {},
): WebSocketClientTransport {
  return new WebSocketClientTransport(url, { reconnect: { delayMs: 1 }, ...options });
}

/** A client of no SDK. */
async function open(
  { url }: TestBridge,
  headers: Record<string, string> = {},
): Promise<{
  socket: WebSocket;
  got: JsonRpcMessage[];
  send: (message: object) => void;
  headers: Readonly<Record<string, unknown>>;
}> {
  const socket = new WebSocket(url, 'mcp', { headers });
  const got: JsonRpcMessage[] = [];
  socket.on('message', (data: Buffer) => got.push(JSON.parse(data.toString()) as JsonRpcMessage));
  const [[response]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [
    [{ headers: Readonly<Record<string, unknown>> }],
    unknown,
  ];
  return {
    socket,
    got,
    headers: response.headers,
    send: (message) => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message })),
  };
}

async function statusOf(
  { url }: TestBridge,
  headers: Record<string, string> = {},
  protocols: string[] = ['mcp'],
): Promise<number | undefined> {
  const socket = new WebSocket(url, protocols, { headers });
  return await new Promise((resolve) => {
    socket.on('error', () => resolve(undefined));
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (request, { statusCode }) => {
      request.destroy();
      resolve(statusCode);
    });
  });
}

const INITIALIZE = {
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
};
const call = (id: string | number, name: string, args: object = {}, meta?: object) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta !== undefined && { _meta: meta }) },
});
const textOf = (message: JsonRpcMessage | undefined) =>
  (message?.result as { content: { text: string }[] } | undefined)?.content[0]?.text;

describe('a child for each client', () => {
  it('serves every primitive to version 1 of the SDK', async () => {
    await using client = await connectV1(transportTo(own));
    expect(await usePrimitives(client)).toEqual(PRIMITIVES);
    expect(await useLegacy(client)).toEqual(LEGACY);
  });

  it.each(['legacy' as const, 'auto' as const])(
    'serves every primitive to version 2, %s',
    async (era) => {
      await using client = await connectV2(transportTo(modern), era);
      expect(await usePrimitives(client)).toEqual(PRIMITIVES);
    },
  );

  it('keeps apart what clients do, and takes ids of any kind', async () => {
    await using one = await connectV1(transportTo(own));
    const two = await open(own);
    two.send({ id: 'a string', ...INITIALIZE });
    two.send(call('1', 'pid'));
    two.send(call(1, 'pid'));
    await until(() => two.got.length === 3);
    expect(two.got.map(({ id }) => id)).toEqual(['a string', '1', 1]);
    expect(await one.call('pid')).not.toBe(textOf(two.got[1]));
    two.socket.close(1000);
  });

  it('takes JSON with line breaks, and answers what is none', async () => {
    const client = await open(own);
    client.socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, ...INITIALIZE }, null, 2));
    client.socket.send('{');
    client.socket.send('[]');
    await until(() => client.got.length === 3);
    const codes = client.got.map(({ error }) => (error as { code: number } | undefined)?.code);
    expect(codes.sort()).toEqual([-32600, -32700, undefined].sort());
    client.socket.close(1000);
  });

  it('starts a child that died again, initialized and subscribed; others notice nothing', async () => {
    await using one = await connectV1(transportTo(own));
    await using two = await connectV1(transportTo(own));
    await one.client.setLoggingLevel('error');
    const before = await one.call('pid');
    const other = await two.call('pid');
    const pending = one.call('never').catch(String);
    await expect(one.call('exit')).rejects.toMatchObject({ code: -32000 });
    expect(await pending).toMatch(/the MCP server ended \(exit code 3/);
    const after = await one.call('pid');
    expect(after).not.toBe(before);
    expect(await one.call('level')).toBe('error');
    expect(await two.call('pid')).toBe(other);
  });

  it('passes over what a child writes that is no message', async () => {
    await using client = await connectV1(transportTo(own));
    expect(await client.call('garbage')).toBe('said');
    expect(own.log.filter(({ event }) => event === 'child_garbage')).toMatchObject([
      { bytes: 18 },
      { bytes: 18 },
    ]);
  });
});

describe('one child for all clients', () => {
  it('serves every primitive', async () => {
    await using client = await connectV1(transportTo(shared));
    expect(await usePrimitives(client)).toEqual(PRIMITIVES);
    expect(await useLegacy(client)).toEqual(LEGACY);
  });

  it('asks the client whose call it is, whatever else is going on', async () => {
    await using one = await connectV1(transportTo(shared), 'one');
    await using two = await connectV1(transportTo(shared), 'two');
    expect(await one.call('pid')).toBe(await two.call('pid'));
    // While the other has a call in flight that ends in time.
    const [sample, progress] = await Promise.all([
      one.call('sample', { message: 'hi' }),
      two.call('progress', { steps: 50 }),
    ]);
    expect([sample, progress]).toEqual(['one {"type":"text","text":"hi"}', 'no token']);
    expect(await two.call('elicit', { message: 'who?' })).toBe('two who?');
  });

  it('sends progress, logs and updates to whom they belong, and cancels the right call', async () => {
    await using one = await connectV1(transportTo(shared), 'one');
    await using two = await connectV1(transportTo(shared), 'two');
    const progress: string[] = [];
    await Promise.all(
      [one, two].map((client, at) =>
        client.call('progress', { steps: 20 }, { onprogress: () => progress.push(`${at}`) }),
      ),
    );
    expect(progress.sort().join('')).toBe('0'.repeat(20) + '1'.repeat(20));
    await one.client.subscribeResource({ uri: 'test://a' });
    await two.client.subscribeResource({ uri: 'test://b' });
    await two.call('touch', { uri: 'test://a' });
    await one.call('touch', { uri: 'test://b' });
    await one.call('log', { message: 'of one' });
    await until(() => one.updated.length + two.updated.length === 2);
    expect([one.updated, two.updated]).toEqual([['test://a'], ['test://b']]);
    expect([one.logged, two.logged]).toEqual([['of one'], []]);
    // Both clients use the same ids: one cancels its own call only.
    const before = Number(await one.call('cancelled'));
    const stop = new AbortController();
    const left = new AbortController();
    const waiting = [
      one.call('wait', {}, { signal: stop.signal }).catch(() => 'stopped'),
      two.call('wait', {}, { signal: left.signal }).catch(() => 'left'),
    ];
    await one.call('echo');
    stop.abort();
    expect(await waiting[0]).toBe('stopped');
    await until(async () => Number(await one.call('cancelled')) > before);
    expect(Number(await one.call('cancelled'))).toBe(before + 1);
    // A call that is cancelled is not answered; it is no reason not to know who asks.
    expect(await two.call('elicit', { message: 'who?' })).toBe('two who?');
    left.abort();
    expect(await waiting[1]).toBe('left');
  });

  it('cancels the calls of a client that leaves', async () => {
    await using one = await connectV1(transportTo(shared));
    const before = Number(await one.call('cancelled'));
    const leaver = await open(shared);
    leaver.send({ id: 1, ...INITIALIZE });
    leaver.send(call(2, 'wait'));
    leaver.send(call(3, 'echo'));
    await until(() => leaver.got.some(({ id }) => id === 3));
    leaver.socket.close(1000);
    await until(async () => Number(await one.call('cancelled')) === before + 1);
  });

  it('asks nobody else for a client that has left', async () => {
    const [stayer, leaver] = await Promise.all([open(shared), open(shared)]);
    stayer.send({ id: 1, ...INITIALIZE });
    stayer.send(call(2, 'wait'));
    leaver.send({ id: 1, ...INITIALIZE });
    leaver.send(call(2, 'sample', { message: 'a secret' }));
    leaver.socket.close(1000);
    await once(leaver.socket, 'close');
    stayer.send(call(3, 'echo'));
    await until(() => stayer.got.some(({ id }) => id === 3));
    expect(JSON.stringify(stayer.got)).not.toContain('a secret');
    stayer.socket.close(1000);
  });

  it('keeps what the child asks a client that was lost until it is back', async () => {
    const first = await open(shared);
    first.send({ id: 1, ...INITIALIZE });
    await until(() => first.got.length === 1);
    first.send(call(2, 'sample', { message: 'hi' }));
    first.socket.close(4000);
    await once(first.socket, 'close');
    const id = String(first.headers['mcp-session-id']);
    const second = await open(shared, { 'mcp-session-id': id, 'mcp-received': '1' });
    await until(() => second.got.length === 1);
    const [asked] = second.got;
    expect(asked).toMatchObject({ method: 'sampling/createMessage' });
    const result = { model: 'm', role: 'assistant', content: { type: 'text', text: 'back' } };
    second.send({ id: asked?.id, result });
    await until(() => second.got.length === 2);
    expect(textOf(second.got[1])).toBe('back');
    second.socket.close(1000);
  });

  it('asks nobody what the child does not want to know any more', async () => {
    await using one = await connectV1(transportTo(shared));
    const other = await open(shared);
    other.send({ id: 1, ...INITIALIZE });
    other.send(call(2, 'wait'));
    other.send(call(3, 'echo'));
    await until(() => other.got.some(({ id }) => id === 3));
    // It is not known who asks as long as both wait.
    const late = one.call('sample', { message: 'a secret', timeout: 50 });
    await expect(late).rejects.toThrow(/timed out/);
    other.send(call(4, 'echo'));
    await until(() => other.got.some(({ id }) => id === 4));
    expect(JSON.stringify(other.got)).not.toContain('a secret');
    other.socket.close(1000);
  });

  it('is initialized for all, though the first client does not wait for it', async () => {
    const bridge = await startOne({ shared: true });
    const leaver = await open(bridge);
    leaver.send({ id: 1, ...INITIALIZE });
    leaver.socket.close(1000);
    await until(() => bridge.log.some(({ event }) => event === 'session_end'));
    await using client = await connectV1(transportTo(bridge));
    expect(await client.call('echo', { message: 'here' })).toBe('here');
  });

  it('fails the calls of all when the child dies, and goes on', async () => {
    await using one = await connectV1(transportTo(shared));
    await using two = await connectV1(transportTo(shared));
    const pending = two.call('never').catch((error: unknown) => error);
    await two.call('echo');
    await expect(one.call('exit')).rejects.toMatchObject({ code: -32000 });
    expect(await pending).toMatchObject({ code: -32000 });
    expect(await one.call('echo', { message: 'again' })).toBe('again');
    expect(await two.call('echo', { message: 'again' })).toBe('again');
  });
});

describe('a session', () => {
  it('goes on after a lost connection, with all that was said meanwhile', async () => {
    const back = deferred<string>();
    const sockets: { terminate: () => void }[] = [];
    const transport = transportTo(own, {
      onreconnect: back.resolve,
      socket: {
        finishRequest: (request: { end: () => void; on: (e: string, f: unknown) => void }) => {
          request.on('upgrade', (_: unknown, socket: { destroy: () => void }) =>
            sockets.push({ terminate: () => socket.destroy() }),
          );
          request.end();
        },
      },
    });
    await using client = await connectV1(transport);
    const pid = await client.call('pid');
    const session = transport.session;
    const calls = Array.from({ length: 20 }, (_, at) => client.call('echo', { message: `${at}` }));
    const steps: number[] = [];
    const slow = client.call(
      'progress',
      { steps: 200 },
      { onprogress: ({ progress }) => steps.push(progress) },
    );
    sockets[0]?.terminate();
    expect(await Promise.all(calls)).toEqual(calls.map((_, at) => `${at}`));
    expect(await slow).toBe('done');
    expect(steps).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
    expect(await back.promise).toBe('resumed');
    expect([transport.session, await client.call('pid')]).toEqual([session, pid]);
  });

  it('is taken over by a second connection, which gets what the first did not', async () => {
    const first = await open(own);
    first.send({ id: 1, ...INITIALIZE });
    first.send(call(2, 'pid'));
    await until(() => first.got.length === 2);
    const closed = once(first.socket, 'close');
    const id = String(first.headers['mcp-session-id']);
    const second = await open(own, { 'mcp-session-id': id, 'mcp-received': '1' });
    expect(second.headers).toMatchObject({ 'mcp-session-id': id, 'mcp-received': '2' });
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([
      1000,
      'MCP session reconnected on another connection',
    ]);
    await until(() => second.got.length === 1);
    expect(second.got).toEqual(first.got.slice(1));
    second.socket.close(1000);
  });

  it('is dropped when its client goes while its child does not read', async () => {
    const bridge = await startOne({ command: 'exec sleep 1000', heartbeatMs: 100 });
    const { socket, send } = await open(bridge);
    socket.on('error', () => undefined);
    for (let at = 0; at < 40; at += 1) {
      send({ method: 'notifications/x', params: { x: 'x'.repeat(100_000) } });
    }
    await until(() => bridge.log.some(({ event }) => event === 'child_start'));
    socket.terminate();
    await until(() => bridge.log.some(({ event }) => event === 'session_drop'));
  });

  it('holds up each of its connections while its child does not read', () => {
    const nothing = (): void => undefined;
    const session = new Session({
      ...{ id: 's', user: undefined, graceMs: 0, stallMs: 1000, firstMessageMs: 1000 },
      log: new AuditLog(nothing, 'none'),
      upstream: {
        ...{ isFull: true, send: nothing, resume: nothing },
        ...{ pause: () => true, leave: () => Promise.resolve() },
      },
      ended: nothing,
    });
    const paused: number[] = [];
    for (const at of [1, 2]) {
      const close = (): Promise<void> => Promise.resolve();
      const link = { pause: () => paused.push(at), close } as unknown as SocketLink;
      session.attach(link, 0);
      session.receive(link, { jsonrpc: '2.0', method: 'notifications/x' }, '');
    }
    session.end(1000, '');
    expect(paused).toEqual([1, 2]);
  });

  it.each([
    ['is unknown', 'no-such-session', '0'],
    ['lacks what the client claims to have', undefined, '99'],
  ])('that %s becomes a new one', async (_, name, received) => {
    const first = await open(own);
    const id = name ?? String(first.headers['mcp-session-id']);
    const second = await open(own, { 'mcp-session-id': id, 'mcp-received': received });
    expect(second.headers['mcp-session-id']).not.toBe(id);
    expect(second.headers['mcp-received']).toBe('0');
    for (const { socket } of [first, second]) socket.close(1000);
  });

  it('ends after the grace time, with its child', async () => {
    const bridge = await startOne({ graceMs: 1 });
    const client = await open(bridge);
    client.send({ id: 1, ...INITIALIZE });
    await until(() => client.got.length === 1);
    client.socket.terminate();
    await until(() => bridge.log.some(({ event }) => event === 'child_exit'));
    expect(bridge.log.map(({ event }) => event)).toEqual([
      'session_start',
      'child_start',
      'call',
      'session_drop',
      'session_end',
      'child_exit',
    ]);
  });

  it('gives up its place to a client that is there', async () => {
    const bridge = await startOne({ maxClients: 1 });
    const first = await open(bridge);
    first.send({ id: 1, ...INITIALIZE });
    await until(() => first.got.length === 1);
    expect(await statusOf(bridge)).toBe(503);
    first.socket.terminate();
    await until(() => bridge.log.some(({ event }) => event === 'session_drop'));
    expect(await statusOf(bridge)).toBe(101);
  });
});

describe('who may connect', () => {
  const secured = { tokens: ['one-token', 'another-token'] };

  it('is told the health of the bridge, and where MCP is', async () => {
    const base = `http://127.0.0.1:${own.port}`;
    const answers = await Promise.all(
      ['/healthz', '/message', '/other'].map((path) =>
        fetch(`${base}${path}`, { headers: { origin: 'https://good.example' } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 426, 404]);
    expect(answers[0]?.headers.get('access-control-allow-origin')).toBe('https://good.example');
    const other = await fetch(`${base}/healthz`, { headers: { origin: 'https://evil.example' } });
    expect(other.headers.get('access-control-allow-origin')).toBe(null);
  });

  it('is nobody from a foreign origin, without the subprotocol, or at another path', async () => {
    expect(await statusOf(own, { origin: 'https://evil.example' })).toBe(403);
    expect(await statusOf(own, { origin: 'https://good.example' })).toBe(101);
    expect(await statusOf(own, {}, [])).toBe(400);
    expect(await statusOf(own, {}, ['other'])).toBe(400);
    expect(await statusOf({ ...own, url: `${own.url}s` })).toBe(404);
  });

  it('is not kept by who is refused and stays', async () => {
    const bridge = await start();
    const peer = connect({ port: bridge.port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void peer.destroy());
    peer.write(
      'GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    );
    await once(peer.resume(), 'end');
    await bridge.stop();
  });

  it('is who has a token, in a header or a subprotocol: 401 before the upgrade', async () => {
    const bridge = await startOne(secured);
    expect(await statusOf(bridge)).toBe(401);
    expect(await statusOf(bridge, { authorization: 'Bearer one-toke' })).toBe(401);
    expect(await statusOf(bridge, { authorization: 'Bearer one-token' })).toBe(101);
    expect(await statusOf(bridge, {}, ['mcp', 'mcp.auth.another-token'])).toBe(101);
    await expect(transportTo(bridge).start()).rejects.toThrow('HTTP status 401');
    // The session of somebody else is none.
    const mine = await open(bridge, { authorization: 'Bearer one-token' });
    const id = String(mine.headers['mcp-session-id']);
    const resume = { 'mcp-session-id': id, 'mcp-received': '0' };
    const theirs = await open(bridge, { ...resume, authorization: 'Bearer another-token' });
    expect(theirs.headers['mcp-session-id']).not.toBe(id);
    expect(bridge.lines()).not.toContain('token-');
    expect(bridge.lines()).not.toMatch(/one-token|another-token/);
  });
});

describe('bad input', () => {
  it.each([
    ['exits at once', 'echo broken >&2; exit 7', /exit code 7: broken/],
    ['does not exist', 'no-such-command-anywhere', /exit code 127/],
  ])('a command that %s fails its client, and is not started for ever', async (_, command, why) => {
    const bridge = await startOne({ command, restart: 1 });
    const client = await open(bridge);
    client.send({ id: 1, ...INITIALIZE });
    const closed = once(client.socket, 'close');
    await until(() => client.got.length === 1);
    expect(client.got).toMatchObject([
      { id: 1, error: { code: -32000, message: expect.stringMatching(why) as unknown } },
    ]);
    expect((await closed)[0]).toBe(1011);
    expect(bridge.log.filter(({ event }) => event === 'child_start')).toHaveLength(2);
    expect(await statusOf(bridge)).toBe(101);
  });

  it('a command that never answers holds up nobody, and ends with its client', async () => {
    const bridge = await startOne({ command: 'exec sleep 1000' });
    const client = await open(bridge);
    client.send({ id: 1, ...INITIALIZE });
    await until(() => bridge.log.some(({ event }) => event === 'child_start'));
    expect(await statusOf(bridge)).toBe(101);
    client.socket.close(1000);
    await until(() => bridge.log.some(({ event }) => event === 'child_exit'));
  });

  it('a client that never says anything is closed, and cost no child', async () => {
    const bridge = await startOne({ firstMessageMs: 10 });
    const { socket } = await open(bridge);
    expect((await once(socket, 'close'))[0]).toBe(1008);
    expect(bridge.log.map(({ event }) => event)).toEqual(['session_start', 'session_end']);
  });

  it.each([false, true])(
    'a message of 20 MB closes its client only (shared: %s)',
    async (isShared) => {
      const bridge = isShared ? shared : own;
      await using innocent = await connectV1(transportTo(bridge));
      const pid = await innocent.call('pid');
      const client = await open(bridge);
      client.send({ id: 1, ...INITIALIZE });
      client.send(call(2, 'echo', { message: 'x'.repeat(20_000_000) }));
      client.socket.on('error', () => undefined);
      expect((await once(client.socket, 'close'))[0]).toBe(1009);
      expect(await innocent.call('pid')).toBe(pid);
      await until(() =>
        bridge.log.some(({ event, code }) => event === 'session_end' && code !== 1000),
      );
    },
  );

  it.each([false, true])(
    '10,000 requests without reading cut their client only (shared: %s)',
    async (isShared) => {
      const bridge = await startOne({ shared: isShared, stallMs: 200 });
      await using innocent = await connectV1(transportTo(bridge));
      const client = await open(bridge);
      client.send({ id: 0, ...INITIALIZE });
      client.socket.pause();
      for (let id = 1; id <= 10_000; id += 1) {
        client.send(call(id, 'echo', { message: 'x'.repeat(4000) }));
      }
      await until(() => bridge.log.some(({ reason }) => /read/.test(String(reason))));
      expect(await innocent.call('echo', { message: 'fine' })).toBe('fine');
      client.socket.terminate();
    },
  );

  it('10,000 requests of a client that reads are all answered', async () => {
    const client = await open(own);
    client.send({ id: 'init', ...INITIALIZE });
    for (let id = 0; id < 10_000; id += 1) client.send(call(id, 'echo', { message: `${id}` }));
    await until(() => client.got.length === 10_001);
    expect(client.got.slice(1).every((message) => textOf(message) === String(message.id))).toBe(
      true,
    );
    client.socket.close(1000);
  });
});

describe('the end of the bridge', () => {
  it('waits for what is in flight, then closes with 1001 and ends the children', async () => {
    const bridge = await start({ drainMs: 30_000 });
    const client = await open(bridge);
    client.send({ id: 1, ...INITIALIZE });
    client.send(call(2, 'wait'));
    await until(() => client.got.length === 2);
    const closed = once(client.socket, 'close');
    const stopped = bridge.stop();
    client.send(call(3, 'echo', { message: 'still' }));
    await until(() => client.got.some(({ id }) => id === 3));
    expect(await statusOf(bridge)).not.toBe(101);
    // The SDK answers no call that is cancelled: the child's end does.
    client.send(call(4, 'exit'));
    expect((await closed)[0]).toBe(1001);
    await stopped;
    const failed = client.got.filter(({ error }) => error !== undefined);
    expect(failed.map(({ id }) => id)).toEqual([2, 4]);
  });

  it('does not wait for calls that were cancelled', async () => {
    const bridge = await start({ drainMs: 60_000 });
    const client = await open(bridge);
    client.send({ id: 1, ...INITIALIZE });
    client.send(call(2, 'wait'));
    await until(() => client.got.length === 2);
    client.send({ method: 'notifications/cancelled', params: { requestId: 2 } });
    client.send(call(3, 'echo'));
    await until(() => client.got.some(({ id }) => id === 3));
    await bridge.stop();
    expect(bridge.log).toContainEqual(expect.objectContaining({ event: 'call', cancelled: true }));
  });

  it('logs who called what, and nothing of what was said', async () => {
    const bridge = await start();
    const client = await connectV1(transportTo(bridge));
    await client.call('echo', { message: 'a secret' });
    await expect(client.call('x'.repeat(10_000))).rejects.toThrow('no tool');
    const ended = await client.call('exit', { message: 'a secret' }).catch(String);
    expect(ended).toContain('the MCP server ended (exit code 3)');
    await client.close();
    await bridge.stop();
    expect(bridge.log.find(({ name }) => name === 'echo')).toMatchObject({
      event: 'call',
      method: 'tools/call',
      session: expect.any(String) as unknown,
      ms: expect.any(Number) as unknown,
    });
    expect(bridge.lines()).not.toContain('a secret');
    expect(bridge.lines()).not.toContain('x'.repeat(200));
  });

  it('logs nothing of what was said to a child that repeats it and ends', async () => {
    const child =
      "process.stdin.on('data', (text) => { process.stderr.write(text); process.exit(1); })";
    const command = `"${process.execPath}" -e "${child}"`;
    const bridge = await startOne({ command, restart: 0, shared: true });
    const client = await open(bridge);
    client.send(call(1, 'echo', { message: 'a secret' }));
    await once(client.socket, 'close');
    expect(JSON.stringify(client.got)).toContain('the MCP server ended (exit code 1)');
    expect(bridge.lines()).not.toContain('a secret');
  });
});

describe('a host on stdio', () => {
  /** Bridges to a server of one connection, whose standard output is `stdout`. */
  async function bridgeTo(serve: (socket: WebSocket) => void, stdout: Writable) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => {
      server.close();
    });
    await once(server, 'listening');
    server.on('connection', serve);
    const stdin = new PassThrough();
    const log = new AuditLog(() => undefined, 'none');
    const { signal } = new AbortController();
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const patienceMs = 120_000;
    const ended = bridgeToStdio({ url, transport: {}, stdin, stdout, log, signal, patienceMs });
    return { stdin, ended };
  }

  it('that does not read holds up the server', async () => {
    const count = 200;
    const message = JSON.stringify({
      jsonrpc: '2.0',
      method: 'x',
      params: { x: 'x'.repeat(200_000) },
    });
    let written = 0;
    let release: (() => void) | undefined;
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => {
        written += 1;
        if (written > 1) done();
        else release = done;
      },
    });
    const sent: Promise<unknown>[] = [];
    const { stdin, ended } = await bridgeTo((socket) => {
      for (let at = 0; at < count; at += 1) {
        sent.push(new Promise((resolve) => socket.send(message, resolve)));
      }
    }, stdout);
    await until(() => release !== undefined);
    // All is read, or what is read stands still.
    let most = 0;
    for (let still = 0; still < 10; still += 1) {
      await sleep(50);
      if (stdout.writableLength > most) still = 0;
      most = stdout.writableLength;
    }
    release?.();
    await until(() => written === count);
    expect(most).toBeLessThan(10_000_000);
    stdin.end();
    await ended;
  });

  it('that sends what the server does not read has to wait', async () => {
    const stdout = new PassThrough();
    let server: WebSocket | undefined;
    const { stdin, ended } = await bridgeTo((socket) => {
      socket.pause();
      server = socket;
    }, stdout);
    const line = `${JSON.stringify({ jsonrpc: '2.0', method: 'x', params: { x: 'x'.repeat(200_000) } })}\n`;
    await until(() => server !== undefined);
    // More than all that buffers of the system hold.
    let taken = 0;
    for (; taken < 400 && stdin.readableLength + stdin.writableLength < 1_000_000; taken += 1) {
      stdin.write(line);
      await turn();
    }
    server?.resume();
    stdin.end();
    await ended;
    expect(taken).toBeLessThan(400);
  });

  it('that ends need not wait for what it has cancelled', async () => {
    const asked: string[] = [];
    const { stdin, ended } = await bridgeTo((socket) => {
      socket.on('message', (data: Buffer) => asked.push(data.toString()));
    }, new PassThrough());
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 1 } };
    for (const message of [{ id: 1, method: 'x' }, cancelled]) {
      stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    }
    stdin.end();
    await ended;
    expect(asked).toHaveLength(2);
  });
});

const httpOf = ({ url }: TestBridge): string => url.replace('ws:', 'http:');

describe('over HTTP', () => {
  const BOTH = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  type Headers = Readonly<Record<string, string>>;

  const post = async (bridge: TestBridge, message: unknown, headers: Headers = {}) => {
    const body =
      typeof message === 'string'
        ? message
        : JSON.stringify({ jsonrpc: '2.0', ...(message as object) });
    return await fetch(httpOf(bridge), { method: 'POST', headers: { ...BOTH, ...headers }, body });
  };

  /** Begins a session; gives the header that names it. */
  async function begin(bridge: TestBridge, headers: Headers = {}): Promise<Headers> {
    const response = await post(bridge, { id: 'init', ...INITIALIZE }, headers);
    expect([response.status, await response.json()]).toMatchObject([200, { id: 'init' }]);
    return { ...headers, 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
  }

  /** The events of a response as they come: ids and messages. */
  async function* events(response: Response): AsyncGenerator<{ id: string; data: JsonRpcMessage }> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(part) ?? [];
        if (data !== undefined) yield { id: String(id), data: JSON.parse(data) as JsonRpcMessage };
      }
    }
  }

  // The SDKs lose progress that comes together with its response.
  const steps: unknown = expect.any(Array);

  it.each(['own', 'shared'] as const)(
    'serves every primitive to version 1 of the SDK (%s)',
    async (which) => {
      const bridge = which === 'own' ? own : shared;
      const transport = new HttpV1(new URL(httpOf(bridge)));
      await using client = await connectV1(transport);
      expect(await usePrimitives(client)).toEqual({ ...PRIMITIVES, steps });
      const cancelled: unknown = expect.stringMatching(/^[1-9]/);
      expect(await useLegacy(client)).toEqual({ ...LEGACY, cancelled });
      await transport.terminateSession();
    },
  );

  it.each(['legacy' as const, 'auto' as const])(
    'serves every primitive to version 2, %s',
    async (era) => {
      await using client = await connectV2(new HttpV2(new URL(httpOf(modern))), era);
      expect(await usePrimitives(client)).toEqual({ ...PRIMITIVES, steps });
    },
  );

  it('sends again what a lost stream did not bring, until the session ends', async () => {
    const session = await begin(own);
    const stop = new AbortController();
    const params = { name: 'progress', arguments: { steps: 20 }, _meta: { progressToken: 7 } };
    const response = await fetch(httpOf(own), {
      method: 'POST',
      headers: { ...BOTH, ...session },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
      signal: stop.signal,
    });
    const first = await events(response).next();
    stop.abort();
    const { id } = first.value as { readonly id: string };
    const headers = { ...session, accept: 'text/event-stream', 'last-event-id': id };
    const rest: JsonRpcMessage[] = [];
    for await (const { data } of events(await fetch(httpOf(own), { headers }))) rest.push(data);
    expect(rest.map(({ method, id: of }) => method ?? of)).toEqual([
      ...Array.from({ length: 19 }, () => 'notifications/progress'),
      1,
    ]);
    const ended = await fetch(httpOf(own), { method: 'DELETE', headers: session });
    expect(ended.status).toBe(204);
    expect((await post(own, call(3, 'echo'), session)).status).toBe(404);
  });

  it('sends what is too long to be kept, and what follows', async () => {
    const bridge = await startOne({ maxMessage: 4_000_000 });
    const session = await begin(bridge);
    const message = 'x'.repeat(1_500_000);
    for (const id of [1, 2]) {
      const got: string[] = [];
      for await (const { data } of events(
        await post(bridge, call(id, 'log', { message }), session),
      ))
        got.push(data.method ?? JSON.stringify(data.id));
      expect(got).toEqual(['notifications/message', String(id)]);
    }
    await fetch(httpOf(bridge), { method: 'DELETE', headers: session });
  });

  it('goes on after what was given up as nobody listened', async () => {
    const child = [
      `const say = (m) => console.log(JSON.stringify({ jsonrpc: '2.0', ...m }));`,
      `const note = (data) => say({ method: 'notifications/message', params: { data } });`,
      `require('readline').createInterface({ input: process.stdin }).on('line', (line) => {`,
      `const { id, method } = JSON.parse(line);`,
      `if (id) say({ id, result: {} });`,
      `if (method === 'initialize') setTimeout(() => {`,
      `for (let i = 0; i < 3; i++) note('x'.repeat(600000)); console.log('garbage'); });`,
      `if (method === 'last') note('last');`,
      `});`,
    ].join(' ');
    const bridge = await startOne({ command: `"${process.execPath}" -e "${child}"` });
    const session = await begin(bridge);
    await until(() => bridge.log.some(({ event }) => event === 'child_garbage'));
    const headers = { ...session, accept: 'text/event-stream' };
    const listening = await fetch(httpOf(bridge), { headers });
    await post(bridge, { method: 'last' }, session);
    for await (const { data } of events(listening)) {
      if ((data.params as { data: string }).data === 'last') break;
    }
    await fetch(httpOf(bridge), { method: 'DELETE', headers: session });
  });

  it('says that a body of no stated length is too long', async () => {
    const peer = connect({ port: own.port, host: '127.0.0.1' });
    const head = Object.entries({ host: 'x', ...BOTH, 'transfer-encoding': 'chunked' })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const size = 1024 * 1024 + 1;
    peer.write(`POST /message HTTP/1.1\r\n${head}\r\n${size.toString(16)}\r\n${'x'.repeat(size)}`);
    let got = '';
    for await (const chunk of peer.setEncoding('utf8')) got += String(chunk);
    expect(got).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('serves who offers h2c, with the body and what follows on the connection', async () => {
    const peer = connect({ port: own.port, host: '127.0.0.1' });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...INITIALIZE });
    const head = Object.entries({ host: 'x', ...BOTH, 'content-length': String(body.length) })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const offer =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    peer.write(`POST /message HTTP/1.1\r\n${head}${offer}\r\n${body.slice(0, 10)}`);
    peer.write(body.slice(10));
    peer.write('GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let got = '';
    for await (const chunk of peer.setEncoding('utf8')) got += String(chunk);
    expect(got).toMatch(/^HTTP\/1\.1 200 [^]*"protocolVersion"[^]*HTTP\/1\.1 404 /);
  });

  it('refuses more when messages wait for a child that does not read', async () => {
    const child = [
      `process.stdin.once('data', () => { process.stdin.pause();`,
      `console.log(JSON.stringify({ jsonrpc: '2.0', id: 'init', result: {} })) });`,
      `setInterval(() => undefined, 1000);`,
    ].join(' ');
    const bridge = await startOne({ command: `"${process.execPath}" -e "${child}"` });
    const session = await begin(bridge);
    const note = { method: 'notifications/x', params: { x: 'x'.repeat(500_000) } };
    const statuses: number[] = [];
    const posts = Array.from({ length: 10 }, async () => {
      const { status, headers } = await post(bridge, note, session);
      statuses.push(status);
      if (status === 503) expect(headers.get('retry-after')).toBe('1');
    });
    await until(() => statuses.includes(503));
    const answered = await post(bridge, { method: 'notifications/y' }, await begin(bridge));
    expect(answered.status).toBe(202);
    await fetch(httpOf(bridge), { method: 'DELETE', headers: session });
    await Promise.all(posts);
    expect(new Set(statuses)).toEqual(new Set([202, 404, 503]));
  });

  it('tells who listens what belongs to no call, or to one of several', async () => {
    const session = await begin(own);
    const params = { uri: 'test://a' };
    await (await post(own, { id: 1, method: 'resources/subscribe', params }, session)).text();
    const headers = { ...session, accept: 'text/event-stream' };
    const listening = events(await fetch(httpOf(own), { headers }));
    // It runs when its first message has come.
    const waiting = await post(own, call(2, 'wait'), session);
    await post(own, call(3, 'touch', params), session);
    const { value } = (await listening.next()) as { value: unknown };
    expect(value).toMatchObject({ data: { method: 'notifications/resources/updated' } });
    await fetch(httpOf(own), { method: 'DELETE', headers: session });
    await waiting.text();
  });

  it('ends a stream whose request is cancelled', async () => {
    const session = await begin(own);
    const waiting = post(own, call(1, 'wait'), session);
    const [said] = [await events(await waiting).next()];
    expect(said.value).toMatchObject({ data: { method: 'notifications/message' } });
    const params = { requestId: 1 };
    const told = await post(own, { method: 'notifications/cancelled', params }, session);
    expect(told.status).toBe(202);
    const other = post(own, call(2, 'never'), session);
    await post(own, { method: 'notifications/cancelled', params: { requestId: 2 } }, session);
    const never = [];
    for await (const event of events(await other)) never.push(event);
    expect(never).toEqual([]);
    await fetch(httpOf(own), { method: 'DELETE', headers: session });
  });

  it.each([
    ['another content type', 415, call(1, 'echo'), { 'content-type': 'text/plain' }],
    ['JSON as the only answer', 406, call(1, 'echo'), { accept: 'application/json' }],
    ['what is not JSON', 400, '{', {}],
    ['a batch', 400, '[]', {}],
    ['a version that is none', 400, call(1, 'echo'), { 'mcp-protocol-version': 'x' }],
    ['a request before initialize', 400, call(1, 'echo'), {}],
    ['an unknown session', 404, call(1, 'echo'), { 'mcp-session-id': 'no-such-session' }],
    ['a foreign origin', 403, { id: 1, ...INITIALIZE }, { origin: 'https://evil.example' }],
    ['20 MB', 413, call(1, 'echo', { message: 'x'.repeat(20_000_000) }), {}],
  ])('refuses %s with %i', async (_, status, message, headers) => {
    // The end of the connection may come before all was sent.
    const got = await post(own, message, headers).catch(() => undefined);
    if (status !== 413 || got !== undefined) expect(got?.status).toBe(status);
    const session = await begin(own);
    await fetch(httpOf(own), { method: 'DELETE', headers: session });
  });

  it('refuses who has no token, and the session of somebody else', async () => {
    const bridge = await startOne({ tokens: ['one-token', 'another-token'], maxClients: 1 });
    const one = { authorization: 'Bearer one-token' };
    const another = { authorization: 'Bearer another-token' };
    for (const headers of [{}, { authorization: 'Bearer one-toke' }]) {
      const refused = await post(bridge, { id: 1, ...INITIALIZE }, headers);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    }
    const session = await begin(bridge, one);
    expect((await post(bridge, call(1, 'echo'), { ...session, ...another })).status).toBe(404);
    const listening = await fetch(httpOf(bridge), {
      headers: { ...session, accept: 'text/event-stream' },
    });
    expect((await post(bridge, { id: 1, ...INITIALIZE }, another)).status).toBe(503);
    // Who does not listen gives up its place.
    await listening.body?.cancel();
    await until(async () => (await post(bridge, { id: 1, ...INITIALIZE }, another)).status === 200);
    const preflight = await fetch(httpOf(bridge), {
      method: 'OPTIONS',
      headers: { origin: 'https://good.example' },
    });
    expect(preflight.status).toBe(204);
  });

  it('is not another way to a session on WebSocket, nor the other way round', async () => {
    const socket = await open(own);
    socket.send({ id: 1, ...INITIALIZE });
    const id = String(socket.headers['mcp-session-id']);
    expect((await post(own, call(2, 'echo'), { 'mcp-session-id': id })).status).toBe(404);
    const session = await begin(own);
    const other = await open(own, { ...session, 'mcp-received': '0' });
    expect(other.headers['mcp-session-id']).not.toBe(session['mcp-session-id']);
    for (const one of [socket, other]) one.socket.close(1000);
    await fetch(httpOf(own), { method: 'DELETE', headers: session });
  });

  it('ends a session that nobody uses, with its child', async () => {
    const bridge = await startOne({ idleMs: 1, graceMs: 1 });
    await begin(bridge);
    await until(() => bridge.log.some(({ event }) => event === 'child_exit'));
  });

  it('is not held up by 10,000 requests of who does not read', async () => {
    const bridge = await startOne({ stallMs: 200 });
    const [innocent, session] = [await begin(bridge), await begin(bridge)];
    const peer = connect({ port: bridge.port, host: '127.0.0.1' });
    onTestFinished(() => void peer.destroy());
    peer.on('error', () => undefined).pause();
    const body = (id: number) =>
      JSON.stringify({ jsonrpc: '2.0', ...call(id, 'echo', { message: 'x'.repeat(4000) }) });
    const head = Object.entries({ host: 'x', ...BOTH, ...session })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    for (let id = 1; id <= 10_000; id += 1) {
      const text = body(id);
      peer.write(`POST /message HTTP/1.1\r\n${head}content-length: ${text.length}\r\n\r\n${text}`);
    }
    const fine = await post(bridge, call(1, 'echo', { message: 'fine' }), innocent);
    expect(textOf((await fine.json()) as JsonRpcMessage)).toBe('fine');
  });
});

const bin = fileURLToPath(new URL('../../../dist/src/cli/bin.js', import.meta.url));

describe("the MCP inspector's command line", () => {
  const inspector = path.join(
    require.resolve('@modelcontextprotocol/inspector/package.json'),
    '../clients/launcher/build/index.js',
  );

  /** What the inspector prints for one method; `target` is an MCP server. */
  async function inspect(target: readonly string[], method: readonly string[]): Promise<unknown> {
    const HOME = temporaryFolder();
    const args = [inspector, '--cli', ...target, '--method', ...method];
    const { code, stdout, stderr } = await runNode(args, { env: { HOME } });
    if (code !== 0) throw new Error(`${method[0]}: exit ${code}: ${stdout}${stderr}`);
    return JSON.parse(stdout);
  }

  const METHODS: readonly (readonly [method: readonly string[], result: object])[] = [
    [
      ['tools/list'],
      {
        tools: expect.arrayContaining([
          { name: 'echo', inputSchema: { type: 'object' } },
        ]) as unknown,
      },
    ],
    [
      ['tools/call', '--tool-name', 'echo', '--tool-arg', 'message=hello'],
      { content: [{ type: 'text', text: 'hello' }] },
    ],
    [['resources/read', '--uri', 'test://a'], { contents: [{ text: 'text of test://a' }] }],
    [
      ['prompts/get', '--prompt-name', 'greet', '--prompt-args', 'who=Ann'],
      { messages: [{ content: { text: 'Hello Ann' } }] },
    ],
  ];

  it('uses a server on WebSocket through a bridge that it starts', async () => {
    const target = [process.execPath, bin, 'mcp-bridge', '--url', own.url];
    const results = await Promise.all(METHODS.map(([method]) => inspect(target, method)));
    expect(results).toMatchObject(METHODS.map(([, result]) => result));
  });

  it('uses a bridge over HTTP', async () => {
    const target = [httpOf(own), '--transport', 'http'];
    const results = await Promise.all(METHODS.map(([method]) => inspect(target, method)));
    expect(results).toMatchObject(METHODS.map(([, result]) => result));
  });
});

pythonRequirement('the Python SDK')('websocket_client of the Python SDK', () => {
  it(
    'uses what a bridge serves, with a child of its own and with one for all',
    async () => {
      const packages = temporaryFolder();
      const file = fileURLToPath(new URL('python-requirements.txt', import.meta.url));
      await installRequirements(packages, file);
      const client = fileURLToPath(new URL('../../fixtures/mcp-client.py', import.meta.url));
      const env = { ...process.env, PYTHONPATH: packages };
      const said = await Promise.all(
        [own, shared].map(({ url }) => promisify(execFile)('python3', [client, url], { env })),
      );
      const got = [true, 'ä', 'text of test://a', 'Hello Ann'];
      expect(said.map(({ stdout }) => JSON.parse(stdout) as unknown)).toEqual([got, got]);
    },
    INSTALL_TIMEOUT_MS,
  );
});

describe('the command', () => {
  it('serves a command, is a server on stdio for a host, and ends at SIGTERM', async () => {
    const tokenFile = path.join(temporaryFolder(), 'tokens.txt');
    writeFileSync(tokenFile, '# of the host\nthe-token\n');
    const listening = deferred<string>();
    let serving: { kill: (signal: NodeJS.Signals) => void } | undefined;
    const ended = websocketSkill(
      [
        ...['mcp-bridge', '--stdio', everythingCommand(1), '--port', '0'],
        ...['--messagePath', '/mcp', '--token-file', tokenFile],
      ],
      {},
      (child) => {
        serving = child;
        onTestFinished(() => void child.kill('SIGTERM'));
        child.stderr.on('data', (text: Buffer) => {
          const url = /"url":"([^"]+)"/.exec(text.toString())?.[1];
          if (url !== undefined) listening.resolve(url);
        });
      },
    );
    const url = await listening.promise;
    expect(new URL(url).pathname).toBe('/mcp');
    const host = await connectV1(
      new StdioClientTransport({
        command: process.execPath,
        args: [bin, 'mcp-bridge', '--url', url, '--token-file', tokenFile, '--log-level', 'none'],
      }),
    );
    // The stdio transport of the SDK loses progress that comes together with its response.
    const steps: unknown = expect.any(Array);
    expect(await usePrimitives(host)).toEqual({ ...PRIMITIVES, steps });
    const [refused, inUse] = await Promise.all([
      websocketSkill(['mcp-bridge', '--url', url]),
      websocketSkill(['mcp-bridge', '--stdio', 'node', '--port', new URL(url).port]),
    ]);
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringContaining('WSK_ERR_HTTP_STATUS'),
    ]);
    expect(inUse.code).toBe(3);
    expect(inUse.stderr).toContain(`cannot listen on 127.0.0.1:${new URL(url).port} (EADDRINUSE)`);
    await host.close();
    serving?.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/sessions +1\n/)]);
    expect(stderr).not.toContain('the-token');
  });

  it.each([
    [{}, '--stdio is missing, expected --stdio or --url'],
    [{ stdio: 'x', url: 'ws://x' }, 'expected --stdio or --url, not both'],
    [{ url: 'ws://x', port: 1 }, '--port is 1, which is for --stdio only'],
    [{ stdio: 'x', headers: ['A: b'] }, 'which is for --url only'],
    [{ stdio: 'x', cors: true }, '--cors is true, which needs --token-file'],
    [{ stdio: 'x', allowOrigins: ['*'] }, 'which needs --token-file'],
    [{ stdio: 'x', allowOrigins: ['example.com'] }, 'expected an origin such as https://'],
    [{ stdio: 'x', messagePath: 'mcp' }, 'expected a path such as /mcp'],
  ])('refuses %j', (args, message) => {
    const resolve = (): unknown => resolveInput(operation, args, Settings.parse({}), 'flag');
    expect(usageErrorOf(resolve).message).toContain(message);
  });

  it.each([
    ['A=1 no-such-program --x', 'no-such-program'],
    ['"/no/such program" x', '/no/such program'],
    ['sh -c "exit 1"', undefined],
    ['cd / && no-such-program', undefined],
    ['$SHELL', undefined],
  ])('knows of %s whether its program is there', (command, missing) => {
    expect(missingProgram(command, '/')).toBe(missing);
  });
});
