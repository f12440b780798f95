import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { PerMessageDeflateOptions } from 'ws';
import type { DeflateSupport } from '../../../src/protocol/index.ts';
import { dial, listen } from '../../../src/transport/index.ts';
import type { Channel } from '../../../src/transport/index.ts';
import { Random } from '../../support/random.ts';

/** How long a message may take before a test gives up. */
const PATIENCE_MS = 10_000;

const WINDOWS = [8, 9, 10, 11, 12, 13, 14, 15];
const COMBINATIONS = WINDOWS.flatMap((bits) =>
  [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ].map(([server, client]) => [bits, server === true, client === true] as const),
);

/** Repetitive and random messages, of sizes around and beyond every window. */
const MESSAGES = [0, 1, 100, 300, 5_000, 40_000, 300, 100_000].map((size, i) => {
  const text = Buffer.alloc(size, `message ${i} of many, `);
  return i % 3 === 2 ? Buffer.concat([text, new Random(i).bytes(200)]) : text;
});

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A ws server that echoes, with every message compressed. */
async function wsEchoServer(perMessageDeflate: PerMessageDeflateOptions): Promise<string> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: { threshold: 0, ...perMessageDeflate },
  });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) =>
      socket.send(data, { binary: isBinary, compress: true }),
    );
  });
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Sends every message and expects it back, compressed. */
async function expectEchoes(channel: Channel): Promise<void> {
  for (const message of MESSAGES) {
    await channel.sendBinary(message);
    const event = await channel.next(PATIENCE_MS);
    expect(event).toMatchObject({ type: 'message', opcode: 2, compressed: true });
    expect(event?.type === 'message' && event.data.equals(message)).toBe(true);
  }
}

describe('a client of ours and a server of ws', () => {
  it.each(COMBINATIONS)(
    'understand each other: windows of %i bits, no takeover of server %s, of client %s',
    async (bits, serverNoContextTakeover, clientNoContextTakeover) => {
      const url = await wsEchoServer({ serverMaxWindowBits: bits, clientMaxWindowBits: bits });
      await using channel = await dial(url, {
        compression: {
          serverNoContextTakeover,
          clientNoContextTakeover,
          serverMaxWindowBits: bits,
          clientMaxWindowBits: bits,
        },
      });
      expect(channel.handshake.extensions).toContain(`server_max_window_bits=${bits}`);
      expect(channel.handshake.extensions).toContain(`client_max_window_bits=${bits}`);
      await expectEchoes(channel);
    },
  );

  it.each([
    [{ serverNoContextTakeover: true }, 'permessage-deflate; server_no_context_takeover'],
    [{ clientNoContextTakeover: true }, 'permessage-deflate; client_no_context_takeover'],
    [{ serverMaxWindowBits: 9 }, 'permessage-deflate; server_max_window_bits=9'],
    [{ clientMaxWindowBits: 9 }, 'permessage-deflate; client_max_window_bits=9'],
  ])('agree on what the server asks for by itself: %j', async (options, extensions) => {
    const url = await wsEchoServer(options);
    await using channel = await dial(url, { compression: true });
    expect(channel.handshake.extensions).toBe(extensions);
    await expectEchoes(channel);
  });
});

describe('a client of ws and a server of ours', () => {
  it.each(COMBINATIONS)(
    'understand each other: windows of %i bits, no takeover of server %s, of client %s',
    async (bits, serverNoContextTakeover, clientNoContextTakeover) => {
      const deflate: DeflateSupport = {
        serverNoContextTakeover,
        clientNoContextTakeover,
        serverMaxWindowBits: bits,
        clientMaxWindowBits: bits,
      };
      const listener = await listen({ deflate, onChannel: echo });
      closers.push(listener.close);
      const socket = new WebSocket(listener.url, { perMessageDeflate: { threshold: 0 } });
      closers.push(() => socket.terminate());
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      expect(socket.extensions).toContain('permessage-deflate');
      for (const message of MESSAGES) {
        const echoed = new Promise<Buffer>((resolve, reject) => {
          socket.once('message', (data) => resolve(data as Buffer)).once('close', reject);
        });
        socket.send(message, { compress: true });
        expect((await echoed).equals(message)).toBe(true);
        socket.removeAllListeners();
      }
    },
  );
});

async function echo(channel: Channel): Promise<void> {
  for (;;) {
    const event = await channel.next(PATIENCE_MS);
    if (event?.type !== 'message') return;
    expect(event.compressed).toBe(true);
    await channel.sendBinary(event.data);
  }
}
