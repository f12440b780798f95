import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeFrame } from '../../../src/protocol/index.ts';
import type { ConnectionEvent } from '../../../src/protocol/index.ts';
import { dial, listen } from '../../../src/transport/index.ts';
import type { Channel, DialOptions, ListenOptions } from '../../../src/transport/index.ts';

/** A client channel and the server's, each driven by the test. */
async function connected(
  options: DialOptions = {},
  server: Omit<ListenOptions, 'onChannel'> = {},
): Promise<{ client: Channel; peer: Channel }> {
  let accept: (channel: Channel) => void = () => undefined;
  const accepted = new Promise<Channel>((resolve) => (accept = resolve));
  const listener = await listen({
    ...server,
    onChannel: async (channel) => {
      accept(channel);
      while (!channel.wire.ended) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  });
  const client = await dial(listener.url, options);
  onTestFinished(async () => {
    client.terminate();
    await listener.close();
  });
  return { client, peer: await accepted };
}

async function messageOf(channel: Channel): Promise<Extract<ConnectionEvent, { type: 'message' }>> {
  for (;;) {
    const event = await channel.next(2000);
    if (event === undefined) throw new Error('no message');
    if (event.type === 'message') return event;
  }
}

describe('Channel', () => {
  it('carries messages both ways, with what the handshake agreed on', async () => {
    const { client, peer } = await connected(
      { protocols: ['a', 'b'], compression: true },
      { protocols: ['b'], deflate: {} },
    );
    expect(client.handshake).toMatchObject({ protocol: 'b', extensions: 'permessage-deflate' });
    expect(client.deflate).toMatchObject({ serverMaxWindowBits: 15 });
    expect(client.handshake.rules.every((rule) => rule.verdict !== 'fail')).toBe(true);
    await client.sendText('x'.repeat(1000), { compress: true });
    expect(await messageOf(peer)).toMatchObject({ opcode: 1, compressed: true });
    await peer.sendBinary(Buffer.from([1, 2, 3]));
    expect((await messageOf(client)).data).toEqual(Buffer.from([1, 2, 3]));
  });

  it('answers pings while nobody takes events', async () => {
    const { client, peer } = await connected();
    await client.sendPing(Buffer.from('there?'));
    expect(await client.next(2000)).toEqual({ type: 'pong', data: Buffer.from('there?') });
    expect(await peer.next(0)).toEqual({ type: 'ping', data: Buffer.from('there?') });
  });

  it('lets no pong into the middle of a raw stream', async () => {
    const { client, peer } = await connected();
    async function* frame(): AsyncGenerator<Buffer> {
      yield encodeFrame({ opcode: 2, maskingKey: Buffer.alloc(4), declaredLength: 4 });
      await peer.sendPing();
      expect(await client.next(2000)).toMatchObject({ type: 'ping' });
      yield Buffer.from([1, 2]);
      yield Buffer.from([3, 4]);
    }
    expect(await client.writeRaw(frame())).toBe(true);
    expect((await messageOf(peer)).data).toEqual(Buffer.from([1, 2, 3, 4]));
    expect(await peer.next(2000)).toMatchObject({ type: 'pong' });
  });

  it('stops a raw stream when the peer closes', async () => {
    const { client, peer } = await connected();
    let chunks = 0;
    function* endless(): Generator<Buffer> {
      yield encodeFrame({ opcode: 2, maskingKey: Buffer.alloc(4), declaredLength: 2 ** 40 });
      for (;;) {
        chunks += 1;
        yield Buffer.alloc(65_536);
      }
    }
    // The peer's own limit ends it: the announced length is above 100 MiB.
    expect(await client.writeRaw(endless())).toBe(false);
    expect(chunks).toBeLessThan(100_000);
    expect(peer.connection.violation?.code).toBe('WSK_MESSAGE_TOO_BIG');
  });

  it('reads no more than its bound of events that nobody takes', async () => {
    const { client, peer } = await connected();
    const message = Buffer.alloc(1024 * 1024);
    let sent = 0;
    const sending = (async () => {
      while (sent < 100 && (await peer.sendBinary(message))) sent += 1;
    })();
    await expect.poll(() => sent).toBeGreaterThan(10);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBeLessThan(60);
    for (let taken = 0; taken < 100; taken++) expect(await messageOf(client)).toBeDefined();
    await sending;
    expect(sent).toBe(100);
  });

  it.each(['empty messages', 'pings'])(
    'ends a close that a flood of %s runs into',
    async (kind) => {
      const { client, peer } = await connected();
      const frame = encodeFrame({ opcode: kind === 'pings' ? 9 : 1 });
      const flood = Buffer.concat(Array.from({ length: 20_000 }, () => frame));
      const flooding = (async () => {
        while (await peer.wire.write([flood]));
      })();
      await expect.poll(() => client.wire.socket.bytesRead).toBeGreaterThan(40_000);
      await client.close(1000, 100);
      expect(client.wire.socket.destroyed).toBe(true);
      await flooding;
    },
  );

  it('closes in order and reports the peer’s code', async () => {
    const { client, peer } = await connected();
    const closed = client.close(4001);
    expect(await peer.next(2000)).toMatchObject({ type: 'close', code: 4001, wasClean: true });
    expect(await closed).toMatchObject({ type: 'close', code: 4001, wasClean: true });
    expect(client.wire.ended).toBe(true);
  });

  it('sends nothing once it is closed, and says so', async () => {
    const { client } = await connected();
    await client.close();
    expect(await client.sendText('late')).toBe(false);
    expect(await client.next(0)).toBeUndefined();
    expect(client.finished).toBe(true);
  });

  it('shows every piece of input to an observer first', async () => {
    const pieces: Buffer[] = [];
    const { client, peer } = await connected({
      observe: (bytes) => pieces.push(Buffer.from(bytes)),
    });
    await peer.sendText('hi');
    await messageOf(client);
    expect(Buffer.concat(pieces).toString('hex')).toBe('81026869');
  });
});

describe('listen', () => {
  it('refuses a request that breaks a rule with the status for it', async () => {
    await using listener = await listen({ onChannel: () => Promise.resolve() });
    const response = await fetch(listener.url.replace('ws:', 'http:'));
    expect(response.status).toBe(426);
    expect(response.headers.get('sec-websocket-version')).toBe('13');
  });

  it('drops a client that says nothing', async () => {
    await using listener = await listen({
      handshakeTimeoutMs: 50,
      onChannel: () => Promise.resolve(),
    });
    const { openSocket } = await import('../../../src/transport/index.ts');
    await using wire = await openSocket(new URL(listener.url));
    expect(await wire.read(2000)).toBe('eof');
  });
});
