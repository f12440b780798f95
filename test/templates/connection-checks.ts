import { once } from 'node:events';
import type { Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import { encodeFrame, Opcode } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import { handshakeBytes, openClient, openRaw, readToEnd, refusal } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import { expectAlive, expectAnswer } from './check.ts';
import type { Check } from './check.ts';

/** What a connection and the process have to stand. */
export const CONNECTION_CHECKS = {
  'survives malformed frames and says what was wrong': async ({ boot, kind, soon }) => {
    await using server = await boot();
    const masked = { maskingKey: MASKING_KEY } as const;
    const cases = [
      { code: 1002, bytes: encodeFrame({ opcode: Opcode.text, rsv2: true, ...masked }) },
      { code: 1002, bytes: encodeFrame({ opcode: Opcode.text, payload: Buffer.from('x') }) },
      { code: 1002, bytes: encodeFrame({ opcode: 3, ...masked }) },
      { code: 1002, bytes: encodeFrame({ opcode: Opcode.continuation, ...masked }) },
      { code: 1007, bytes: encodeFrame({ opcode: 1, payload: Buffer.of(0xff), ...masked }) },
      { code: 1009, bytes: encodeFrame({ opcode: 2, declaredLength: 10_000_000_000, ...masked }) },
    ];
    for (const { code, bytes } of cases) {
      const raw = await openRaw(server.port);
      raw.write(Buffer.concat([Buffer.from(handshakeBytes(server.port)), bytes]));
      const answer = await soon(readToEnd(raw), 'the end of a malformed connection');
      // The last frame is a close frame whose payload begins with the code.
      const close = answer.subarray(answer.lastIndexOf(0x88) + 2);
      expect(close.readUInt16BE(), bytes.toString('hex')).toBe(code);
    }
    await expectAlive(server, { kind, soon });
  },

  'closes with 1009 over a message above the limit, inflated size included': async ({
    boot,
    kind,
    soon,
  }) => {
    await using server = await boot({ MAX_PAYLOAD: '20000', COMPRESSION: 'permessage-deflate' });
    const large = await openClient(server.port, { perMessageDeflate: false });
    large.send('x'.repeat(20_001));
    expect(await soon(large.closed, 'close 1009')).toBe(1009);
    const bomb = await openRaw(server.port);
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    const payload = deflateRawSync(Buffer.alloc(10_000_000));
    expect(payload.length).toBeLessThan(20_000);
    bomb.write(handshakeBytes(server.port, offer));
    bomb.write(encodeFrame({ opcode: 2, rsv1: true, payload, maskingKey: MASKING_KEY }));
    const answer = await soon(readToEnd(bomb), 'the end of a bomb');
    expect(answer.subarray(answer.lastIndexOf(0x88) + 2).readUInt16BE()).toBe(1009);
    await expectAlive(server, { kind, soon });
  },

  'cuts off a peer that answers no pings and keeps one that does': async ({ boot, kind, soon }) => {
    await using server = await boot({ PING_INTERVAL: '100' });
    const alive = await openClient(server.port);
    const dead = await openClient(server.port, { autoPong: false });
    expect(await soon(dead.closed, 'the end of a dead peer')).toBe(1006);
    // Far more pings than a peer would survive that does not count as alive for answering them.
    await soon(pings(alive, 8), 'the eighth ping');
    await soon(expectAnswer(alive, kind), 'an answer');
    alive.socket.terminate();
  },

  'keeps a peer that takes many pings to read what was sent before them': async ({
    boot,
    kind,
    soon,
  }) => {
    await using server = await boot({ PING_INTERVAL: '100', RATE_LIMIT: '10000' });
    const alive = await openClient(server.port);
    const slow = await openClient(server.port, { perMessageDeflate: false });
    // Little enough that the system takes all of it at once, and much at 1 KiB/s.
    const text = 'x'.repeat(kind === 'chat' ? 50 : 10_000);
    if (kind === 'echo') slow.send(text);
    else for (let count = 0; count < 200; count += 1) slow.send({ type: 'ping', id: text });
    slow.socket.pause();
    await soon(pings(alive, 8), 'the eighth ping');
    slow.socket.resume();
    if (kind === 'echo') expect(await soon(slow.next(), 'the echo')).toBe(text);
    await soon(expectAnswer(slow, kind), 'an answer');
    for (const { socket } of [alive, slow]) socket.terminate();
  },

  'keeps a peer that takes many pings to send one frame': async ({ boot, kind, soon }) => {
    await using server = await boot({ PING_INTERVAL: '100' });
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port));
    const text = kind === 'chat' ? '{"type":"ping","id":"slowly"}' : 'slowly, octet by octet....';
    const payload = Buffer.from(text);
    const answered = soon(readUntil(raw, 'slowly'), 'an answer');
    // Awaited below; a server that cuts the connection off rejects it before.
    answered.catch(() => undefined);
    for (const octet of encodeFrame({ opcode: 1, payload, maskingKey: MASKING_KEY })) {
      raw.write(Buffer.of(octet));
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await answered;
    raw.destroy();
  },

  'refuses to start with a wrong setting or a port that is taken, in one sentence': async ({
    boot,
  }) => {
    const wrong = await failureOf(boot({ PORT: '70000' }));
    expect(wrong).toMatch(/ended with 2 .*PORT is "70000".* expected an integer from 0 to 65535/);
    await using server = await boot();
    const taken = await failureOf(boot({ PORT: String(server.port) }));
    expect(taken).toMatch(/ended with 1 .*address already in use/);
    expect(wrong + taken).not.toMatch(/\n {4}at /);
  },

  'says that it is healthy and ready': async ({ boot }) => {
    await using server = await boot();
    const status = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(`http://127.0.0.1:${server.port}${path}`, init)).status;
    expect(await status('/healthz')).toBe(200);
    expect(await status('/readyz')).toBe(200);
    expect(await status('/')).toBe(426);
    expect(await status('/__proto__')).toBe(404);
    expect(await status('/elsewhere', { method: 'POST', body: 'x' })).toBe(404);
  },

  'answers plain requests that offer an upgrade to h2c': async ({ boot, soon }) => {
    await using server = await boot();
    const ask = async (requestLine: string): Promise<string> => {
      const raw = await openRaw(server.port);
      raw.write(
        `${requestLine}\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n` +
          'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
      );
      return (await soon(readToEnd(raw), 'an answer')).toString('latin1');
    };
    expect(await ask('GET /healthz HTTP/1.1')).toMatch(/^HTTP\/1\.1 200 .*"ok"/s);
    expect(await ask('GET / HTTP/1.1')).toMatch(/^HTTP\/1\.1 426 .*^Upgrade: websocket/ims);
  },

  'closes everybody with 1001 on SIGTERM and exits with 0': async ({ boot, soon }) => {
    await using server = await boot({ DRAIN_TIMEOUT: '700' });
    const polite = await openClient(server.port);
    const stuck = await openClient(server.port);
    stuck.socket.pause();
    server.kill('SIGTERM');
    expect(await soon(polite.closed, 'close 1001')).toBe(1001);
    const ready = await fetch(`http://127.0.0.1:${server.port}/readyz`);
    expect(ready.status).toBe(503);
    const late = await refusal(server.port);
    expect(late.status).toBe(503);
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
    // The stuck client is not waited for any longer than DRAIN_TIMEOUT.
    expect(await soon(server.exited, 'the exit')).toBe(0);
    stuck.socket.terminate();
  },

  'exits at once on a second signal': async ({ boot, soon }) => {
    await using server = await boot({ DRAIN_TIMEOUT: '600000' });
    const stuck = await openClient(server.port);
    stuck.socket.pause();
    server.kill('SIGTERM');
    await soon(
      until(() => server.log.some((line) => line.event === 'draining')),
      'drain',
    );
    server.kill('SIGTERM');
    expect(await soon(server.exited, 'the exit')).toBe(1);
    stuck.socket.terminate();
  },

  'goes on when nobody reads its log any more': async ({ boot, kind, soon }) => {
    await using server = await boot();
    server.closeOutput();
    await expectAlive(server, { kind, soon });
    await expectAlive(server, { kind, soon });
  },
} as const satisfies Readonly<Record<string, Check>>;

/** Resolves once `text` came. */
async function readUntil(socket: Socket, text: string): Promise<void> {
  let received = '';
  for await (const chunk of socket) {
    received += String(chunk);
    if (received.includes(text)) return;
  }
  throw new Error(`the connection ended without ${text}`);
}

/** Waits for `count` more pings. */
async function pings({ socket }: TestClient, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen += 1) await once(socket, 'ping');
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'it started',
    (error: unknown) => String(error),
  );
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}
