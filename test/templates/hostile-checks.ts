import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import { encodeFrame, Opcode } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import type { ServerProcess } from '../support/server-process.ts';
import {
  handshakeBytes,
  openClient,
  openRaw,
  readToEnd,
  refusal,
  sendWhileTaken,
} from '../support/test-client.ts';
import { expectAlive, expectAnswer } from './check.ts';
import type { Check } from './check.ts';

/** What a server has to stand from peers that mean harm, without cutting off those that do not. */
export const HOSTILE_CHECKS = {
  'bounds what the unfinished messages of an address hold': async ({ boot, kind, soon }) => {
    await using server = await boot({ ...SMALL_BUDGET, COMPRESSION: 'permessage-deflate' });
    const first = await unfinishedBomb(server, 50_000);
    expect(first.answer[0]).toBe(0x8a);
    // There would be space for it if what inflates the first did not count.
    const second = await unfinishedBomb(server, 10_000);
    expect(closeCode(second.answer)).toBe(1013);
    await soon(readToEnd(second.raw), 'the end of the second');
    expect(first.raw.destroyed).toBe(false);
    first.raw.destroy();
    await once(first.raw, 'close');
    // What it held is given back.
    const third = await openClient(server.port);
    await soon(expectAnswer(third, kind), 'an answer');
    third.socket.terminate();
    await soon(logged(server, 1013), 'its line in the log');
  },

  'closes with 1008 over a message that rests, but not over one that grows slowly': async ({
    boot,
    kind,
    soon,
  }) => {
    await using server = await boot({ MESSAGE_TIMEOUT: '1000', PING_INTERVAL: '60000' });
    const text = kind === 'chat' ? '{"type":"ping","id":"slowly"}' : 'slowly, octet by octet....';
    const frame = encodeFrame({ opcode: 1, payload: Buffer.from(text), maskingKey: MASKING_KEY });
    const steady = await open(server);
    const answered = soon(readUntil(steady, 'slowly'), 'an answer');
    // Awaited below; a server that cuts the connection off rejects it before.
    answered.catch(() => undefined);
    const resting = await open(server);
    resting.write(
      encodeFrame({ opcode: 1, fin: false, payload: Buffer.of(65), maskingKey: MASKING_KEY }),
    );
    const dripping = setInterval(() => {
      // Neither pings nor empty fragments are progress.
      resting.write(encodeFrame({ opcode: Opcode.ping, maskingKey: MASKING_KEY }));
      resting.write(encodeFrame({ opcode: 0, fin: false, maskingKey: MASKING_KEY }));
    }, 50);
    try {
      const end = soon(readToEnd(resting), 'the end of a message that rests');
      end.catch(() => undefined);
      for (const octet of frame) {
        steady.write(Buffer.of(octet));
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      await answered;
      expect(closeCode(await end)).toBe(1008);
    } finally {
      clearInterval(dripping);
    }
    await soon(logged(server, 1008), 'its line in the log');
    steady.destroy();
  },

  'reads no further from who is above the rate, and answers the others': async ({
    boot,
    kind,
    soon,
  }) => {
    await using server = await boot({ RATE_LIMIT: '10', RATE_BURST: '20' });
    const masked = { maskingKey: MASKING_KEY } as const;
    const frames = [
      encodeFrame({ opcode: Opcode.pong, ...masked }),
      encodeFrame({ opcode: Opcode.ping, ...masked }),
      encodeFrame({ opcode: Opcode.continuation, fin: false, ...masked }),
    ];
    for (const frame of frames) {
      const raw = await open(server);
      raw.resume();
      raw.write(encodeFrame({ opcode: Opcode.text, fin: false, ...masked }));
      const burst = Buffer.concat(Array<Buffer>(10_000).fill(frame));
      const total = 64 * 1024 * 1024;
      const sent = await sendWhileTaken(raw, burst, { total, patienceMs: 500 });
      expect(raw.destroyed).toBe(false);
      expect(sent).toBeLessThan(total / 2);
      await expectAlive(server, { kind, soon });
      raw.destroy();
    }
    expect(server.log.filter((line) => line.event === 'throttled')).toHaveLength(frames.length);
  },

  'counts TCP connections of an address and names the setting that is in the way': async ({
    boot,
    soon,
  }) => {
    await using server = await boot({ MAX_CONNECTIONS_PER_IP: '2' });
    const silent: Socket[] = [];
    for (let count = 0; count < 40; count += 1) silent.push(await openRaw(server.port));
    const answer = await soon(readToEnd(silent[39] as Socket), 'the end of the last');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 429 .*MAX_CONNECTIONS_PER_IP/s);
    const other = connect({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.9' });
    other.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(String(await soon(readToEnd(other), 'an answer'))).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of silent) socket.destroy();
  },

  'counts TCP connections no longer that have ended': async ({ boot, kind, soon }) => {
    await using server = await boot({ MAX_CONNECTIONS_PER_IP: '2' });
    for (let count = 0; count < 40; count += 1) {
      const client = await soon(openClient(server.port), 'a place');
      client.socket.close();
      await soon(client.closed, 'the end');
    }
    await expectAlive(server, { kind, soon });
  },

  'counts an address once, however it is written, and IPv6 by network': async ({ boot, soon }) => {
    await using server = await boot({
      MAX_CONNECTIONS_PER_IP: '1',
      MAX_CONNECTIONS: '9',
      TRUST_PROXY: '1',
    });
    const from = (address: string): { headers: Record<string, string> } => ({
      headers: { 'X-Forwarded-For': `203.0.113.1, ${address}` },
    });
    const groups = [
      [
        '192.0.2.1',
        '::ffff:192.0.2.1',
        '::FFFF:c000:201',
        '192.0.2.1:4711',
        '[::ffff:192.0.2.1]:1',
      ],
      ['2001:db8::1', '2001:DB8:0:0:ffff::2', '[2001:db8::3]:80', '2001:db8::4%eth0'],
      ['2001:db8:0:1::1'],
      // What is no address is one.
      ['garbage', 'unknown', '192.0.2.256', '192.000.002.001', '2001:db8::1/64', '[2001:db8::1'],
    ];
    for (const [first = '', ...others] of groups) {
      const { socket } = await soon(openClient(server.port, from(first)), first);
      for (const other of others) {
        const { status, body } = await soon(refusal(server.port, from(other)), other);
        expect(status, other).toBe(429);
        expect(body).toContain('MAX_CONNECTIONS_PER_IP');
      }
      socket.terminate();
    }
  },

  'answers one HTTP request per connection': async ({ boot, soon }) => {
    await using server = await boot();
    const raw = await openRaw(server.port);
    raw.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000));
    const answers = String(await soon(readToEnd(raw), 'the end'));
    expect(answers.match(/HTTP\/1\.1 200 /g)).toHaveLength(1);
  },

  'does not start with limits that contradict each other, and names both': async ({ boot }) => {
    const cases = [
      { MAX_CONNECTIONS: '3', MAX_CONNECTIONS_PER_IP: '4' },
      { MAX_PAYLOAD: '65536', MEMORY_BUDGET: '131071' },
      { MAX_BUFFERED: '2000000', MEMORY_BUDGET: '3000000' },
    ];
    for (const env of cases) {
      const failure = await boot({ MAX_PAYLOAD: '1024', ...env }).then(
        () => 'it started',
        (error: unknown) => String(error),
      );
      for (const name of Object.keys(env)) expect(failure).toContain(name);
      expect(failure).toContain('ended with 2 ');
    }
    await using fits = await boot({ MAX_CONNECTIONS: '3', MAX_PAYLOAD: '1024' });
    expect(fits.isRunning()).toBe(true);
  },

  'drops a connection soon after it has closed it, and logs what the peer saw': async ({
    boot,
    soon,
  }) => {
    await using server = await boot({ MAX_PAYLOAD: '1024' });
    const raw = await open(server);
    raw.write(encodeFrame({ opcode: 1, payload: Buffer.alloc(2000), maskingKey: MASKING_KEY }));
    // It never answers the close frame, and goes on sending.
    const sending = setInterval(
      () => raw.write(encodeFrame({ opcode: 1, payload: Buffer.of(65), maskingKey: MASKING_KEY })),
      20,
    );
    try {
      expect(closeCode(await soon(readToEnd(raw), 'the end'))).toBe(1009);
    } finally {
      clearInterval(sending);
    }
    await soon(logged(server, 1009), 'its line in the log');
  },

  'logs nothing that a terminal obeys': async ({ boot, soon }) => {
    await using server = await boot();
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port, { Origin: 'http://\x9b31m\x85' }), 'latin1');
    await soon(readToEnd(raw), 'the refusal');
    await expect.poll(() => server.lines.at(-1)).toContain('"origin":"http://\\u009b31m\\u0085"');
  },

  'logs some lines of each address and counts the others': async ({ boot, soon }) => {
    await using server = await boot();
    const origin = `http://${'x'.repeat(3000)}.example`;
    for (let count = 0; count < 120; count += 1) await refusal(server.port, { origin });
    const lines = server.log.filter((line) => line.event === 'handshake-refused');
    expect(lines.length).toBeLessThan(100);
    expect(Math.max(...lines.map((line) => JSON.stringify(line).length))).toBeLessThan(500);
    const leftOut = (): number =>
      server.log.reduce((sum, line) => sum + Number(line['leftOut'] ?? 0), 0);
    const written = (): number =>
      server.log.filter((line) => line.event === 'handshake-refused').length;
    await soon(
      (async () => {
        while (written() + leftOut() < 120) await new Promise((done) => setTimeout(done, 50));
      })(),
      'the count of what was left out',
    );
  },
} as const satisfies Readonly<Record<string, Check>>;

/** Half of the budget, 64 KiB, is the share of an address. */
const SMALL_BUDGET = {
  MEMORY_BUDGET: '131072',
  MAX_PAYLOAD: '65536',
  MAX_BUFFERED: '65536',
  HISTORY_BYTES: '8192',
  MAX_ROOM_MEMBERS: '10',
  RATE_BURST: '8',
} as const;

/** A connection that has shaken hands. */
async function open(server: ServerProcess, headers: Record<string, string> = {}): Promise<Socket> {
  const raw = await openRaw(server.port);
  raw.write(handshakeBytes(server.port, headers));
  await once(raw, 'data');
  return raw;
}

/** Sends the first fragment of a compressed message; it inflates to `size` bytes. */
async function unfinishedBomb(
  server: ServerProcess,
  size: number,
): Promise<{ raw: Socket; answer: Buffer }> {
  const raw = await open(server, { 'Sec-WebSocket-Extensions': 'permessage-deflate' });
  const payload = deflateRawSync(Buffer.alloc(size), { finishFlush: constants.Z_SYNC_FLUSH });
  raw.write(encodeFrame({ opcode: 2, fin: false, rsv1: true, payload, maskingKey: MASKING_KEY }));
  // Its answer to this comes once the fragment has been inflated.
  raw.write(
    encodeFrame({ opcode: Opcode.ping, payload: Buffer.from('so?'), maskingKey: MASKING_KEY }),
  );
  for (;;) {
    const [answer] = (await once(raw, 'data')) as [Buffer];
    // A chat server says welcome before.
    if (answer[0] !== 0x81) return { raw, answer };
  }
}

/** The code in the last close frame of `bytes`. */
function closeCode(bytes: Buffer): number {
  return bytes.readUInt16BE(bytes.lastIndexOf(0x88) + 2);
}

async function logged(server: ServerProcess, code: number): Promise<void> {
  const isThere = (): boolean =>
    server.log.some((line) => line.event === 'disconnected' && line['code'] === code);
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Resolves once `text` came. */
async function readUntil(socket: Socket, text: string): Promise<void> {
  let received = '';
  for await (const chunk of socket) {
    received += String(chunk);
    if (received.includes(text)) return;
  }
  throw new Error(`the connection ended without ${text}`);
}
