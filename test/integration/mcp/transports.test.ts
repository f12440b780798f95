import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Transport as TransportV2 } from '@modelcontextprotocol/server';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import { WebSocketClientTransport as OfficialClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  WebSocketClientTransport,
  WebSocketServerTransport,
  tokenOf,
} from '../../../src/mcp/index.ts';
import type { JsonRpcMessage, WebSocketServerTransportOptions } from '../../../src/mcp/index.ts';
import {
  LEGACY,
  deferred,
  PRIMITIVES,
  connectV1,
  connectV2,
  until,
  useLegacy,
  usePrimitives,
} from '../../support/mcp.ts';

const fixtureUrl = new URL('../../fixtures/mcp-everything.mjs', import.meta.url).href;
const fixture = (await import(fixtureUrl)) as {
  everythingV1: () => Promise<{ connect: (transport: TransportV1) => Promise<void> }>;
  everythingV2: () => Promise<Parameters<typeof serveStdio>[0]>;
};
const factory = await fixture.everythingV2();

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  handleProtocols: (offered) => (offered.has('mcp') ? 'mcp' : false),
});
let url = '';
/** What the next connections are given to. */
let accept: (socket: WebSocket, headers: IncomingHttpHeaders) => void = () => undefined;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  server.on('connection', (socket, { headers }) => {
    sockets.push(socket);
    accept(socket, headers);
  });
  if (server.address() === null) await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

function serveV1(options?: WebSocketServerTransportOptions): void {
  accept = (socket) => {
    const transport = new WebSocketServerTransport(socket, options);
    void fixture.everythingV1().then((everything) => everything.connect(transport));
  };
}

function serveV2(): void {
  accept = (socket) => {
    const transport: TransportV2 = new WebSocketServerTransport(socket);
    serveStdio(factory, { transport });
  };
}

/** Comes back at once. */
const SOON = { delayMs: 1 };

/** A socket of no SDK, and the texts it receives. */
async function openSocket(): Promise<{ socket: WebSocket; texts: string[] }> {
  const socket = new WebSocket(url, 'mcp');
  const texts: string[] = [];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  await once(socket, 'open');
  return { socket, texts };
}

describe('the transports with both lines of the SDK', () => {
  it('carry every primitive from version 1 to version 1', async () => {
    serveV1();
    await using client = await connectV1(new WebSocketClientTransport(url));
    expect(await usePrimitives(client)).toEqual(PRIMITIVES);
    expect(await useLegacy(client)).toEqual(LEGACY);
  });

  it('carry every primitive of the legacy era from version 2 to version 2', async () => {
    serveV2();
    await using client = await connectV2(new WebSocketClientTransport(url), 'legacy');
    expect(await usePrimitives(client)).toEqual(PRIMITIVES);
    expect(await useLegacy(client)).toEqual(LEGACY);
  });

  it.each(['auto' as const, { pin: '2026-07-28' }])(
    'carry every primitive of the modern era (%j)',
    async (mode) => {
      serveV2();
      await using modern = await connectV2(new WebSocketClientTransport(url), mode);
      expect(await usePrimitives(modern)).toEqual(PRIMITIVES);
      if (!('listen' in modern.client)) throw new Error('not a client of version 2');
      const subscription = await modern.client.listen({ resourceSubscriptions: ['test://a'] });
      await modern.call('touch', { uri: 'test://a' });
      await until(() => modern.updated.length > 0);
      expect(modern.updated).toEqual(['test://a']);
      await subscription.close();
    },
  );

  it('work with the WebSocket client of version 1 as it is', async () => {
    serveV1();
    vi.stubGlobal('WebSocket', WebSocket);
    await using client = await connectV1(new OfficialClientTransport(new URL(url)));
    expect(await client.call('echo', { message: 'official' })).toBe('official');
    vi.unstubAllGlobals();
  });
});

describe('the transport of a server', () => {
  const request = (id: number | string) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' } satisfies JsonRpcMessage);

  it('answers what is not JSON and what is no RPC, and stays', async () => {
    serveV1();
    const { socket, texts } = await openSocket();
    // What the SDK would leave without an answer.
    const odd = ['1.5,"params":{}', '1,"params":[1]'].map(
      (rest) => `{"jsonrpc":"2.0","method":"ping","id":${rest}}`,
    );
    for (const text of ['{', 'null', '5', '{}', '[]', `[${request(1)}]`, ...odd, request('last')]) {
      socket.send(text);
    }
    await until(() => texts.length === 9);
    const answers = texts.map(
      (text) => JSON.parse(text) as { id: unknown; error?: { code: number } },
    );
    expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      ...Array<unknown>(6).fill([null, -32600]),
      [1, -32600],
      ['last', undefined],
    ]);
    socket.terminate();
  });

  it('closes with 1003 at a binary message', async () => {
    serveV1();
    const { socket } = await openSocket();
    socket.send(Buffer.from(request(1)));
    expect((await once(socket, 'close'))[0]).toBe(1003);
  });

  it('keeps what comes before start, in order, and tells of the end once', async () => {
    const made = deferred<WebSocketServerTransport>();
    accept = (socket) => made.resolve(new WebSocketServerTransport(socket, { extra: { a: 1 } }));
    const { socket } = await openSocket();
    for (const id of [1, 2, 3]) socket.send(request(id));
    const transport = await made.promise;
    const received: unknown[] = [];
    const closed = vi.fn();
    transport.onmessage = ({ id }, extra) => {
      received.push([id, extra]);
      if (id === 1) throw new Error('of the callback');
    };
    const errors: string[] = [];
    transport.onerror = ({ message }) => errors.push(message);
    transport.onclose = closed;
    await transport.start();
    await until(() => received.length === 3);
    expect(received).toEqual([1, 2, 3].map((id) => [id, { a: 1 }]));
    expect(errors).toEqual(['of the callback']);
    await expect(transport.start()).rejects.toThrow('started before');
    await Promise.all([transport.close(), transport.close()]);
    await transport.close();
    expect(closed).toHaveBeenCalledTimes(1);
    await expect(transport.send({ jsonrpc: '2.0', method: 'x' })).rejects.toThrow('not open');
  });

  it('tells of a socket that was closed before start', async () => {
    const made = deferred<WebSocketServerTransport>();
    accept = (socket) => made.resolve(new WebSocketServerTransport(socket));
    const { socket } = await openSocket();
    const transport = await made.promise;
    socket.terminate();
    await until(() => sockets.at(-1)?.readyState === WebSocket.CLOSED);
    const closed = vi.fn();
    transport.onclose = closed;
    await transport.start();
    await until(() => closed.mock.calls.length > 0);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it('drops a client that answers no ping', async () => {
    serveV1({ heartbeatMs: 20 });
    const socket = new WebSocket(url, 'mcp', { autoPong: false });
    expect((await once(socket, 'close'))[0]).toBe(1006);
  });

  it('lets in who sends the right token first, and nobody else', async () => {
    serveV1({
      authenticate: (token) => Promise.resolve(token === 'secret'),
      authTimeoutMs: 60_000,
    });
    await using client = await connectV1(
      new WebSocketClientTransport(url, { auth: { token: () => 'secret', by: 'message' } }),
    );
    expect(await client.call('echo', { message: 'in' })).toBe('in');
    const wrong = new WebSocketClientTransport(url, { auth: { token: 'wrong', by: 'message' } });
    await expect(connectV1(wrong)).rejects.toThrow();
    const { socket, texts } = await openSocket();
    socket.send(request(1));
    expect((await once(socket, 'close'))[0]).toBe(1008);
    expect(texts).toEqual([]);
  });

  it('drops a client that sends no token', async () => {
    serveV1({ authenticate: () => true, authTimeoutMs: 10 });
    const { socket } = await openSocket();
    expect((await once(socket, 'close'))[0]).toBe(1008);
  });
});

describe('the transport of a client', () => {
  it.each(['header', 'subprotocol'] as const)('sends its token by %s', async (by) => {
    let found: unknown;
    accept = (_, headers) => (found = tokenOf({ headers }));
    const transport = new WebSocketClientTransport(url, { auth: { token: 'a.b-c', by } });
    await transport.start();
    await transport.close();
    expect(found).toBe('a.b-c');
  });

  it('sends no token as a subprotocol that cannot be one', async () => {
    const transport = new WebSocketClientTransport(url, {
      auth: { token: 'a b', by: 'subprotocol' },
    });
    await expect(transport.start()).rejects.toThrow('cannot be a subprotocol');
  });

  it('rejects what is sent before start and after the end', async () => {
    serveV1();
    const transport = new WebSocketClientTransport(url);
    const closed = vi.fn();
    transport.onclose = closed;
    await expect(transport.send({ jsonrpc: '2.0', method: 'x' })).rejects.toThrow('not started');
    await transport.start();
    await expect(transport.start()).rejects.toThrow('started before');
    await transport.close();
    await transport.close();
    expect(closed).toHaveBeenCalledTimes(1);
    await expect(transport.send({ jsonrpc: '2.0', method: 'x' })).rejects.toThrow('closed');
  });

  it('comes back with a new session: initialized, subscribed, in flight failed, waiting sent', async () => {
    serveV1();
    const back = deferred<string>();
    const transport = new WebSocketClientTransport(url, {
      reconnect: SOON,
      onreconnect: back.resolve,
    });
    await using client = await connectV1(transport);
    await client.client.setLoggingLevel('warning');
    await client.client.subscribeResource({ uri: 'test://a' });
    const pending = client.call('never');
    await client.call('echo');
    sockets.at(-1)?.terminate();
    await expect(pending).rejects.toMatchObject({ code: -32000 });
    expect(await client.call('echo', { message: 'waited' })).toBe('waited');
    expect(await back.promise).toBe('initialized');
    await until(async () => (await client.call('level')) === 'warning');
    // Ids of the new session's requests are those of the old one: each answer goes where it belongs.
    expect(await client.call('sample', { message: 'hi' })).toBe(LEGACY.sample);
  });

  it('passes no answer to a server that did not ask', async () => {
    const got: JsonRpcMessage[][] = [];
    accept = (socket) => {
      const mine: JsonRpcMessage[] = [];
      got.push(mine);
      socket.on('message', (data: Buffer) =>
        mine.push(JSON.parse(data.toString()) as JsonRpcMessage),
      );
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'roots/list' }));
    };
    const asked: JsonRpcMessage[] = [];
    const transport = new WebSocketClientTransport(url, { reconnect: SOON });
    transport.onmessage = (message) => asked.push(message);
    await transport.start();
    await until(() => asked.length === 1);
    sockets.at(-1)?.terminate();
    await until(() => asked.length === 2);
    for (const { id } of asked) await transport.send({ jsonrpc: '2.0', id, result: { of: id } });
    await until(() => got[1]?.length === 1);
    await transport.close();
    expect(asked.map(({ id }) => id)).toEqual([0, '1/0']);
    expect(got).toEqual([[], [{ jsonrpc: '2.0', id: 0, result: { of: '1/0' } }]]);
  });

  it.each([1000, 1008, 4401])('does not come back after %i', async (code) => {
    accept = (socket) => socket.close(code);
    const transport = new WebSocketClientTransport(url, { reconnect: SOON });
    const closed = deferred<undefined>();
    transport.onclose = () => closed.resolve(undefined);
    const before = sockets.length;
    await transport.start();
    await closed.promise;
    expect(sockets.length).toBe(before + 1);
  });

  it('comes back after 4401 with the next token, if there is one', async () => {
    const tokens: (string | undefined)[] = [];
    accept = (socket, headers) => {
      tokens.push(tokenOf({ headers }));
      socket.close(tokens.length === 1 ? 4401 : 1000);
    };
    const token = (): string => `token-${tokens.length}`;
    const transport = new WebSocketClientTransport(url, { auth: { token }, reconnect: SOON });
    const closed = deferred<undefined>();
    transport.onclose = () => closed.resolve(undefined);
    await transport.start();
    await closed.promise;
    expect(tokens).toEqual(['token-0', 'token-1']);
  });

  it('gives up after as many attempts as it may make', async () => {
    const lonely = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(lonely, 'listening');
    const { port } = lonely.address() as AddressInfo;
    const transport = new WebSocketClientTransport(`ws://127.0.0.1:${port}`, {
      reconnect: { delayMs: 1, maxDelayMs: 2, attempts: 3 },
    });
    const errors: string[] = [];
    const closed = deferred<undefined>();
    transport.onerror = ({ message }) => errors.push(message);
    transport.onclose = () => closed.resolve(undefined);
    await transport.start();
    lonely.close();
    for (const socket of lonely.clients) socket.terminate();
    await closed.promise;
    expect(errors.filter((text) => text.includes('ECONNREFUSED'))).toHaveLength(3);
    expect(errors.at(-1)).toBe('no connection after 3 attempts');
  });

  it('drops a server that answers no ping, and keeps only so many messages meanwhile', async () => {
    accept = (socket) => socket.pause();
    const transport = new WebSocketClientTransport(url, {
      heartbeatMs: 20,
      reconnect: { delayMs: 60_000, maxDelayMs: 60_000 },
      queue: 1,
    });
    const lost = deferred<string>();
    transport.onerror = ({ message }) => lost.resolve(message);
    await transport.start();
    expect(await lost.promise).toContain('silent');
    const waits = (): Promise<void> => transport.send({ jsonrpc: '2.0', method: 'x' });
    await expect(
      (async () => {
        for (;;) await waits();
      })(),
    ).rejects.toThrow('too many messages wait');
    await transport.close();
  });
});
