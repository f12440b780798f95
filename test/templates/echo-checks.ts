import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { encodeFrame, Opcode } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import {
  handshakeBytes,
  openClient,
  openRaw,
  readToEnd,
  sendWhileTaken,
  within,
} from '../support/test-client.ts';
import { expectAlive } from './check.ts';
import type { Check } from './check.ts';

/** What an echo server does besides what every server does. */
export const ECHO_CHECKS = {
  'echoes text as text and binary as binary, whole, fragmented or compressed': async ({ boot }) => {
    await using server = await boot({ COMPRESSION: 'permessage-deflate' });
    for (const perMessageDeflate of [false, true]) {
      const { socket } = await openClient(server.port, { perMessageDeflate });
      for (const data of [
        '',
        'Grüße',
        'x'.repeat(100_000),
        Buffer.from([0, 255]),
        Buffer.alloc(0),
      ]) {
        socket.send(data);
        const [echo, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
        expect(echo.equals(Buffer.from(data))).toBe(true);
        expect(isBinary).toBe(Buffer.isBuffer(data));
      }
      socket.send('one ', { fin: false });
      socket.ping();
      socket.send('message', { fin: true });
      const [echo] = (await once(socket, 'message')) as [Buffer];
      expect(echo.toString()).toBe('one message');
      socket.terminate();
    }
  },

  'stops reading from a client that does not read': async ({ boot }) => {
    await using server = await boot({ MAX_BUFFERED: '65536', COMPRESSION: 'none' });
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    await once(raw, 'data');
    raw.pause();
    const payload = Buffer.alloc(65_536, 'x');
    const frame = encodeFrame({ opcode: Opcode.binary, payload, maskingKey: MASKING_KEY });
    const total = 64 * 1024 * 1024;
    const sent = await sendWhileTaken(raw, frame, { total, patienceMs: 1000 });
    expect(raw.bytesWritten - raw.writableLength).toBeLessThan(total / 2);
    // It was only waiting: every frame comes back, without the four bytes of its masking key.
    const expected = sent - (sent / frame.length) * 4;
    await within(received(raw, expected), 10_000, 'the rest');
    raw.destroy();
  },

  'closes with 1007 as soon as text cannot become UTF-8': async ({ boot, soon }) => {
    await using server = await boot();
    // The code point after U+10FFFF; it is wrong from its second octet on (RFC 3629 section 3).
    const wrong = Buffer.from('κόσμε\xf4\x90', 'latin1');
    const start = Buffer.from('κόσμε');
    const parts = [start, Buffer.of(0xf4), Buffer.of(0x90)];
    const fragments = parts.map((payload, index) =>
      encodeFrame({
        opcode: index === 0 ? Opcode.text : Opcode.continuation,
        fin: false,
        payload,
        maskingKey: MASKING_KEY,
      }),
    );
    const whole = Buffer.concat([start, wrong.subarray(-2), Buffer.alloc(50)]);
    const frame = encodeFrame({ opcode: Opcode.text, payload: whole, maskingKey: MASKING_KEY });
    const octets = [...frame.subarray(0, 6 + start.length + 2)].map((octet) => Buffer.of(octet));
    const before = encodeFrame({
      opcode: Opcode.text,
      payload: Buffer.from('before'),
      maskingKey: MASKING_KEY,
    });
    for (const sent of [[Buffer.concat([before, ...fragments])], [before, ...octets]]) {
      const raw = await openRaw(server.port);
      raw.write(handshakeBytes(server.port));
      await once(raw, 'data');
      const answer = soon(exactly(raw, 12), 'the close frame');
      // Awaited below; a server that waits for the rest rejects it before.
      answer.catch(() => undefined);
      for (const bytes of sent) {
        raw.write(bytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const bytes = await answer;
      expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x81\x06before');
      expect(bytes[8]).toBe(0x88);
      expect(bytes.readUInt16BE(10)).toBe(1007);
      raw.destroy();
    }
  },

  'echoes text whose characters come in pieces': async ({ boot, soon }) => {
    await using server = await boot();
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    await once(raw, 'data');
    raw.setNoDelay(true);
    // First and last of each length and of each range that the second octet may have.
    const text =
      '\u0000\u007f\u0080\u07ff\u0800\u0fff\u1000\ud7ff\ue000\uffff\u{10000}\u{3ffff}\u{10ffff}';
    const octets = [...Buffer.from(text)];
    const frames = octets.map((octet, index) =>
      encodeFrame({
        opcode: index === 0 ? Opcode.text : Opcode.continuation,
        fin: index === octets.length - 1,
        payload: Buffer.of(octet),
        maskingKey: MASKING_KEY,
      }),
    );
    const frame = encodeFrame({
      opcode: Opcode.text,
      payload: Buffer.from(octets),
      maskingKey: MASKING_KEY,
    });
    const expected = Buffer.from([0x81, octets.length, ...octets]);
    for (const sent of [frames, [...frame].map((octet) => Buffer.of(octet))]) {
      const answer = soon(exactly(raw, expected.length), 'the echo');
      answer.catch(() => undefined);
      for (const bytes of sent) {
        raw.write(bytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await answer).toEqual(expected);
    }
    raw.destroy();
  },

  'reads a flood slowly after its close frame': async ({ boot }) => {
    await using server = await boot();
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    await once(raw, 'data');
    const text = { opcode: Opcode.text, fin: false, payload: Buffer.of(0xff) };
    raw.write(encodeFrame({ ...text, maskingKey: MASKING_KEY }));
    await once(raw, 'data');
    // At 20,000 frames a second it does not come to the close frame before it drops TCP.
    const ping = encodeFrame({ opcode: Opcode.ping, maskingKey: MASKING_KEY });
    const closing = encodeFrame({ opcode: Opcode.close, maskingKey: MASKING_KEY });
    raw.write(Buffer.concat([...Array<Buffer>(100_000).fill(ping), closing]));
    await expect(once(raw, 'end')).rejects.toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) as string,
    });
  },

  'gives a flood turns, between which others have theirs': async ({ boot, soon }) => {
    // Counts what is written between two rounds of the event loop.
    const probe = `
      import { Socket } from 'node:net';
      let bytes = 0;
      let most = 0;
      const { write } = Socket.prototype;
      Socket.prototype.write = function (chunk, ...rest) {
        if (this.remoteAddress) most = Math.max(most, (bytes += chunk.length));
        return write.call(this, chunk, ...rest);
      };
      const round = () => {
        bytes = 0;
        setImmediate(round).unref();
      };
      round();
      setInterval(() => console.log(JSON.stringify({ event: 'most', most })), 50).unref();
    `;
    await using server = await boot({
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(probe)}`,
    });
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    await once(raw, 'data');
    const count = 20_000;
    const message = encodeFrame({
      opcode: Opcode.text,
      payload: Buffer.from('a'),
      maskingKey: MASKING_KEY,
    });
    raw.write(Buffer.concat(Array<Buffer>(count).fill(message)));
    await soon(received(raw, 3 * count), 'its echoes');
    const last = server.log.length;
    await expect.poll(() => server.log.length).toBeGreaterThan(last);
    const most = server.log.findLast(({ event }) => event === 'most')?.['most'];
    // The answer to the handshake is larger than a turn.
    expect(most).toBeLessThan(2000);
  },

  'reads no further from who sends more messages than it may': async ({ boot, soon, kind }) => {
    await using server = await boot({ MAX_MESSAGES_PER_SECOND: '10', COMPRESSION: 'none' });
    for (const payload of [Buffer.of(97), Buffer.alloc(65_536, 'x')]) {
      const raw = await openRaw(server.port);
      raw.write(handshakeBytes(server.port));
      await once(raw, 'data');
      raw.resume();
      const one = encodeFrame({ opcode: Opcode.binary, payload, maskingKey: MASKING_KEY });
      const burst = Buffer.concat(Array<Buffer>(Math.ceil(70_000 / one.length)).fill(one));
      const total = 64 * 1024 * 1024;
      const sent = await sendWhileTaken(raw, burst, { total, patienceMs: 500 });
      expect(raw.destroyed).toBe(false);
      expect(sent).toBeLessThan(total / 2);
      await expectAlive(server, { kind, soon });
      raw.destroy();
    }
    const throttled = server.log.filter(({ event }) => event === 'throttled');
    expect(throttled).toHaveLength(2);
    for (const line of throttled) expect(line['limit']).toBe('MAX_MESSAGES_PER_SECOND');
  },

  'keeps memory for newcomers, however many addresses hold some': async ({ boot, soon }) => {
    await using server = await boot({
      MEMORY_BUDGET: '131072',
      MAX_PAYLOAD: '65536',
      MAX_BUFFERED: '65536',
      COMPRESSION: 'none',
    });
    const from = async (localAddress: string): Promise<Socket> => {
      const socket = connect({ port: server.port, host: '127.0.0.1', localAddress });
      socket.write(handshakeBytes(server.port));
      await once(socket, 'data');
      return socket;
    };
    const unfinished = encodeFrame({
      opcode: Opcode.binary,
      fin: false,
      payload: Buffer.alloc(60_000),
      maskingKey: MASKING_KEY,
    });
    const ping = encodeFrame({ opcode: Opcode.ping, maskingKey: MASKING_KEY });
    const first = await from('127.0.0.1');
    first.write(Buffer.concat([unfinished, ping]));
    const [pong] = (await once(first, 'data')) as [Buffer];
    expect(pong[0]).toBe(0x8a);
    const second = await from('127.0.0.2');
    second.write(unfinished);
    const end = await soon(readToEnd(second), 'its close frame');
    expect(end.readUInt16BE(end.lastIndexOf(0x88) + 2)).toBe(1013);
    const third = await from('127.0.0.3');
    const payload = Buffer.alloc(20_000, 'x');
    third.write(encodeFrame({ opcode: Opcode.binary, payload, maskingKey: MASKING_KEY }));
    await soon(received(third, payload.length + 4), 'an echo');
    for (const socket of [first, third]) socket.destroy();
  },

  'counts the memory that small fragments take': async ({ boot, soon }) => {
    const budget = { MEMORY_BUDGET: '131072', MAX_PAYLOAD: '65536', MAX_BUFFERED: '65536' };
    await using small = await boot(budget);
    const raw = await openRaw(small.port);
    raw.write(handshakeBytes(small.port));
    await once(raw, 'data');
    raw.write(inFragments(1000));
    const answer = await soon(readToEnd(raw), 'its close frame');
    expect(answer.readUInt16BE(answer.lastIndexOf(0x88) + 2)).toBe(1013);
  },

  'takes many small fragments': async ({ boot, soon }) => {
    await using large = await boot({ RATE_LIMIT: '1000000' });
    const steady = await openRaw(large.port);
    steady.write(handshakeBytes(large.port));
    await once(steady, 'data');
    steady.write(inFragments(140_000));
    await soon(received(steady, 140_000), 'the echo');
    steady.destroy();
  },
} as const satisfies Readonly<Record<string, Check>>;

/** A message in `count` fragments of an octet, and two more. */
function inFragments(count: number): Buffer {
  const fragment = encodeFrame({
    opcode: Opcode.continuation,
    fin: false,
    payload: Buffer.of(97),
    maskingKey: MASKING_KEY,
  });
  const begin = Buffer.from(fragment);
  begin[0] = Opcode.binary;
  const end = Buffer.from(fragment);
  end[0] = 0x80;
  return Buffer.concat([begin, ...Array<Buffer>(count).fill(fragment), end]);
}

/** Reads until at least `bytes` have come. */
async function received(socket: Socket, bytes: number): Promise<void> {
  let count = 0;
  for await (const chunk of socket) {
    count += (chunk as Buffer).length;
    if (count >= bytes) return;
  }
  throw new Error(`the connection ended after ${count} of ${bytes} bytes`);
}

/** The next `length` bytes, which come before any others. */
async function exactly(socket: Socket, length: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes;
}
