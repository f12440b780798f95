import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { readConfig } from '../src/config.ts';
import { Gate } from '../src/gate.ts';
import type { GatedSocket } from '../src/gate.ts';
import { Shares } from '../src/shares.ts';
import { connect, startServer } from './support.ts';
import type { TestClient, TestServer } from './support.ts';

describe('gate', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({
      COMPRESSION: 'permessage-deflate',
      MAX_PAYLOAD: '65536',
      MESSAGE_TIMEOUT: '1000',
      RATE_LIMIT: '100000',
      RATE_BURST: '100000',
      MEMORY_BUDGET: '262144',
    });
  });
  after(() => host.stop());

  it('waits for a message while a byte comes in time, however many it has inflated', async () => {
    const client = await connect(host.port);
    tcpOf(client).write(frame(0x41, deflate(`${' '.repeat(60_000)}{"type":"ping",`)));
    const rest = frame(0x80, deflate('"id":"slow, byte by byte"}').subarray(0, -4));
    // Its first six bytes, the head, take longer than the time-out.
    for (const [index, byte] of rest.entries()) {
      await delay(index < 6 ? 250 : 60);
      tcpOf(client).write(Buffer.of(byte));
    }
    assert.deepEqual(await client.nextOf('pong'), { type: 'pong', id: 'slow, byte by byte' });
    client.socket.terminate();
  });

  it('ends a message that gets a byte less often, or other frames', async () => {
    const rare = await connect(host.port);
    const pinging = await connect(host.port);
    for (const client of [rare, pinging]) tcpOf(client).write(frame(0x01, Buffer.of(32)));
    const timers = [
      setInterval(() => tcpOf(rare).write(frame(0x00, Buffer.of(32))), 1800),
      setInterval(() => tcpOf(pinging).write(Buffer.concat([frame(0x89), frame(0x00)])), 50),
    ];
    try {
      assert.deepEqual([await rare.closed, await pinging.closed], [1008, 1008]);
    } finally {
      for (const timer of timers) clearInterval(timer);
    }
  });

  it('counts what a fragment takes besides its bytes, until the end of its message', async () => {
    const begin = frame(0x01, Buffer.from('{"type":"ping"'));
    const space = frame(0x00, Buffer.of(32));
    const client = await connect(host.port);
    tcpOf(client).write(Buffer.concat([begin, ...Array<Buffer>(300).fill(space)]));
    assert.equal(await client.closed, 1013);
    const other = await connect(host.port);
    const allowed = Array<Buffer>(100).fill(space);
    const empty = Array<Buffer>(300).fill(frame(0x00));
    for (let count = 0; count < 4; count += 1) {
      const end = frame(0x80, Buffer.from('}'));
      tcpOf(other).write(Buffer.concat([begin, ...allowed, ...empty, end]));
      assert.deepEqual(await other.nextOf('pong'), { type: 'pong' });
    }
    other.socket.terminate();
  });

  it('counts what inflates an unfinished message', async () => {
    const clients: TestClient[] = [];
    for (let count = 0; count < 4; count += 1) clients.push(await connect(host.port));
    // An address has space for what three of them have; a message of 4 KiB has that always.
    for (const client of clients) tcpOf(client).write(frame(0x41, deflate(' '.repeat(10_000))));
    assert.equal(await Promise.any(clients.map(({ closed }) => closed)), 1013);
    for (const { socket } of clients) socket.terminate();
  });

  it('passes a fragment on without the buffer that it came in', async () => {
    const { gate, peer, end } = await openGate();
    const passed = once(gate.stream, 'data') as Promise<[Buffer]>;
    peer.write(Buffer.concat([frame(0x01, Buffer.of(65)), ...pongs(1000)]));
    const [fragment] = await passed;
    end();
    assert.deepEqual([fragment.length, fragment.buffer.byteLength], [7, 7]);
  });

  it('takes whole text messages itself, and leaves the rest to ws', async () => {
    const texts: string[] = [];
    const { gate, peer, end } = await openGate((text) => texts.push(text));
    const text = (letter: string): Buffer => frame(0x81, Buffer.from(letter));
    const masked = Buffer.concat([Buffer.of(0x81, 0x81, 1, 2, 3, 4), Buffer.of(98 ^ 1)]);
    const rest = [
      frame(0x01, Buffer.from('in')),
      frame(0x80, Buffer.from(' two')),
      // Not UTF-8: `ws` has to get it masked as it came.
      Buffer.of(0x81, 0x82, 1, 2, 3, 4, 0xff ^ 1, 0x61 ^ 2),
      frame(0x82, Buffer.from('binary')),
      frame(0xc1, Buffer.from('compressed')),
      frame(0x81, Buffer.alloc(1001, 'x')),
      Buffer.concat([Buffer.of(0x81, 8), Buffer.from('unmasked')]),
      frame(0x89, Buffer.from('ping')),
    ];
    const passed: Buffer[] = [];
    const length = Buffer.concat(rest).length;
    gate.stream.on('data', (bytes: Buffer) => passed.push(bytes));
    peer.write(
      Buffer.concat([text('a'), masked, ...rest.slice(0, 6), text('c'), ...rest.slice(6)]),
    );
    while (Buffer.concat(passed).length < length) await once(gate.stream, 'data');
    end();
    assert.deepEqual(texts, ['a', 'b', 'c']);
    assert.deepEqual(Buffer.concat(passed), Buffer.concat(rest));
  });

  it('reads slower after its close frame, up to that of the peer', async () => {
    const { gate, peer, end } = await openGate();
    const ended = once(gate.stream.resume(), 'end');
    gate.stop();
    peer.write(Buffer.concat(pongs(500)));
    await once(gate.tcp, 'data');
    const { isAsleep } = gate;
    peer.write(frame(0x88));
    await ended;
    end();
    assert.equal(isAsleep, true);
  });
});

/** A gate with an open connection, and its peer. */
async function openGate(
  onText: (text: string) => void = () => undefined,
): Promise<{ gate: Gate; peer: Socket; end: () => void }> {
  const config = readConfig({});
  const shares = new Shares(config);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  const [tcp] = (await once(server, 'connection')) as [Socket];
  const gate = new Gate(tcp, shares.of('192.0.2.1'), { shares, config, gates: new Set() });
  const client = { _extensions: {} } as unknown as GatedSocket;
  gate.open(client, gate.share, 1000, { takeText: onText });
  const end = (): void => {
    gate.stream.destroy();
    peer.destroy();
    server.close();
  };
  return { gate, peer, end };
}

function pongs(count: number): Buffer[] {
  return Array<Buffer>(count).fill(frame(0x8a));
}

/** A masked frame whose key is 0; `first` holds its flags and opcode. */
function frame(first: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const isShort = payload.length < 126;
  const head = Buffer.alloc(isShort ? 6 : 8);
  head.writeUInt8(first, 0);
  head.writeUInt8(128 | (isShort ? payload.length : 126), 1);
  if (!isShort) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

function deflate(text: string): Buffer {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** The TCP connection of a client, for frames that `ws` does not send. */
function tcpOf({ socket }: TestClient): Socket {
  return (socket as unknown as { _socket: Socket })._socket;
}
