import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { ServerOptions } from 'ws';
import type { ConnectionEvent } from '../../../src/protocol/index.ts';
import { listen } from '../../../src/transport/index.ts';
import type { Channel, Listener, ListenOptions } from '../../../src/transport/index.ts';
import type { Certificate } from '../certificates.ts';

/** A server of a test; `await using` ends it. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
}

/** An echo server made with the `ws` package. */
export async function startWs(options: ServerOptions = {}): Promise<TestServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An echo server made with the `ws` package, behind TLS. */
export async function startWss(
  { key, cert }: Certificate,
  options: ServerOptions = {},
): Promise<TestServer> {
  const https = createTlsServer({ key, cert });
  const server = new WebSocketServer({ ...options, server: https });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  return {
    url: `wss://127.0.0.1:${(https.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      https.closeAllConnections();
      await new Promise((resolve) => https.close(resolve));
    },
  };
}

/** An echo server made with our own `listen`. */
export async function startListener(
  options: Omit<ListenOptions, 'onChannel'> = {},
): Promise<Listener> {
  return listen({ ...options, onChannel: echoUntilClosed });
}

async function echoUntilClosed(channel: Channel): Promise<void> {
  let event: ConnectionEvent | undefined;
  while (!channel.finished) {
    event = await channel.next(60_000);
    if (event?.type !== 'message') continue;
    if (event.opcode === 1) await channel.sendText(event.data);
    else await channel.sendBinary(event.data);
  }
}

/** An HTTP server that knows nothing of WebSocket. */
export async function startHttp(handler: RequestListener): Promise<TestServer> {
  const server = createServer(handler);
  // With a listener for upgrades of its own, Node would leave the request to that.
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
