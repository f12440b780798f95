import { once } from 'node:events';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import { encodeFrame, Opcode } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { handshakeBytes, openClient, openRaw, readToEnd, refusal } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';

/** Starts the server under test with some settings. */
export type Boot = (env?: Readonly<Record<string, string>>) => Promise<ServerProcess>;

/** What a server does with a message; everything else is the same for all. */
export type Kind = 'echo' | 'chat';

export interface CheckContext {
  readonly boot: Boot;
  readonly kind: Kind;
  /** Bounds the wait for something that happens at once, unless the guard for it is missing. */
  readonly soon: <T>(promise: Promise<T>, what: string) => Promise<T>;
}

/** One behaviour that a guard of the generated server is there for. */
export type Check = (context: CheckContext) => Promise<void>;

/** The server answers a message: it lives, and so does this connection. */
async function expectAnswer(client: TestClient, kind: Kind): Promise<void> {
  if (kind === 'chat') await client.request({ type: 'ping' });
  else {
    client.send('are you there?');
    expect(await client.next()).toBe('are you there?');
  }
}

async function expectAlive(
  server: ServerProcess,
  { kind, soon }: Pick<CheckContext, 'kind' | 'soon'>,
): Promise<void> {
  const client = await openClient(server.port);
  await soon(expectAnswer(client, kind), 'an answer');
  client.socket.terminate();
  expect(server.isRunning()).toBe(true);
}

/** Every guard by name; `mutants.test.ts` removes each and wants its check to fail. */
export const CHECKS = {
  'turns pages of other origins down with 403': async ({ boot }) => {
    await using server = await boot();
    const own = `http://127.0.0.1:${server.port}`;
    (await openClient(server.port, { origin: own })).socket.terminate();
    for (const origin of [
      'http://evil.example',
      `${own}.evil.example`,
      'http://127.0.0.1',
      'null',
    ]) {
      expect((await refusal(server.port, { origin })).status, origin).toBe(403);
    }
    await using strict = await boot({ ALLOWED_ORIGINS: 'https://a.example' });
    (await openClient(strict.port, { origin: 'https://a.example' })).socket.terminate();
    for (const origin of ['http://a.example', 'https://b.example', own]) {
      expect((await refusal(strict.port, { origin })).status, origin).toBe(403);
    }
  },

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

  'survives connections that are reset during the handshake': async ({ boot, kind, soon }) => {
    await using server = await boot();
    for (let round = 0; round < 30; round += 1) {
      const raw = await openRaw(server.port);
      const origin = round % 2 === 0 ? 'http://evil.example' : undefined;
      raw.write(handshakeBytes(server.port, { Origin: origin }));
      raw.resetAndDestroy();
      await once(raw, 'close');
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
    await soon(expectAnswer(alive, kind), 'an answer');
    alive.socket.terminate();
  },

  'drops silent and dripping clients before they have shaken hands': async ({ boot, soon }) => {
    await using server = await boot({ HANDSHAKE_TIMEOUT: '300' });
    const silent = await openRaw(server.port);
    const dripping = await openRaw(server.port);
    const request = handshakeBytes(server.port, { 'X-Padding': 'x'.repeat(4000) });
    let sent = 0;
    const drip = setInterval(() => dripping.write(request.charAt((sent += 1))), 50);
    try {
      await soon(readToEnd(silent), 'the end of a silent client');
      await soon(readToEnd(dripping), 'the end of a dripping client');
    } finally {
      clearInterval(drip);
    }
  },

  'refuses to start with a wrong setting or a port that is taken, in one sentence': async ({
    boot,
  }) => {
    const wrong = await failureOf(boot({ PORT: '70000' }));
    expect(wrong).toMatch(/ended with 2 .*PORT is "70000".* expected an integer from 0 to 65535/);
    await using server = await boot();
    const taken = await failureOf(boot({ PORT: String(server.port) }));
    expect(taken).toMatch(/ended with 1 .*EADDRINUSE/);
    expect(wrong + taken).not.toMatch(/\n {4}at /);
  },

  'limits connections in total and per address': async ({ boot }) => {
    await using server = await boot({
      MAX_CONNECTIONS: '3',
      MAX_CONNECTIONS_PER_IP: '2',
      TRUST_PROXY: '1',
    });
    const from = (address: string): { headers: Record<string, string> } => ({
      // Only the entry on the right was written by a proxy that is ours.
      headers: { 'X-Forwarded-For': `${Math.random()}, ${address}` },
    });
    const clients = [];
    for (const address of ['a', 'a']) clients.push(await openClient(server.port, from(address)));
    const perAddress = await refusal(server.port, from('a'));
    expect(perAddress.status).toBe(429);
    expect(Number(perAddress.headers['retry-after'])).toBeGreaterThan(0);
    clients.push(await openClient(server.port, from('b')));
    const total = await refusal(server.port, from('c'));
    expect(total.status).toBe(503);
    expect(Number(total.headers['retry-after'])).toBeGreaterThan(0);
    // Places are given back.
    for (const client of clients) {
      client.socket.close();
      await client.closed;
    }
    (await openClient(server.port, from('a'))).socket.terminate();
  },

  'turns unknown subprotocols down and picks its own favourite': async ({ boot }) => {
    await using server = await boot({ SUBPROTOCOLS: 'v2,v1' });
    const client = await openClient(server.port, { protocols: ['v0', 'v1', 'v2'] });
    expect(client.socket.protocol).toBe('v2');
    client.socket.terminate();
    const plain = await openClient(server.port);
    expect(plain.socket.protocol).toBe('');
    plain.socket.terminate();
    const { status, body } = await refusal(server.port, { protocols: ['v0'] });
    expect(status).toBe(400);
    expect(body).toContain('v2, v1');
  },

  'refuses handshakes that RFC 6455 section 4.2.1 does not allow': async ({ boot, soon }) => {
    await using server = await boot();
    const cases = [
      { status: 426, bytes: handshakeBytes(server.port, { 'Sec-WebSocket-Version': '8' }) },
      { status: 426, bytes: handshakeBytes(server.port, { 'Sec-WebSocket-Version': undefined }) },
      { status: 400, bytes: handshakeBytes(server.port, { 'Sec-WebSocket-Key': 'short' }) },
      { status: 400, bytes: handshakeBytes(server.port, { Host: undefined }) },
      { status: 405, bytes: handshakeBytes(server.port, {}, 'POST / HTTP/1.1') },
      { status: 505, bytes: handshakeBytes(server.port, {}, 'GET / HTTP/1.0') },
      { status: 404, bytes: handshakeBytes(server.port, {}, 'GET /elsewhere HTTP/1.1') },
    ];
    for (const { status, bytes } of cases) {
      const raw = await openRaw(server.port);
      raw.write(bytes);
      const answer = await soon(readToEnd(raw), 'the end of a refused handshake');
      expect(answer.toString('latin1')).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    const raw = await openRaw(server.port);
    raw.write(handshakeBytes(server.port, {}, `GET http://127.0.0.1:${server.port}/?a HTTP/1.1`));
    const [head] = (await soon(once(raw, 'data'), 'an answer')) as [Buffer];
    expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
    raw.destroy();
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

  'declines compression that it cannot do instead of failing': async ({ boot, soon }) => {
    await using server = await boot({ COMPRESSION: 'permessage-deflate' });
    const cases = [
      { offer: 'permessage-deflate', accepted: true },
      { offer: 'permessage-deflate; client_max_window_bits', accepted: true },
      { offer: 'permessage-deflate; server_max_window_bits=9, permessage-deflate', accepted: true },
      { offer: 'permessage-deflate; server_max_window_bits=9', accepted: false },
      { offer: 'permessage-deflate; unknown', accepted: false },
      {
        offer: 'permessage-deflate; client_max_window_bits; client_max_window_bits',
        accepted: false,
      },
      { offer: 'x-webkit-deflate-frame', accepted: false },
    ];
    for (const { offer, accepted } of cases) {
      const raw = await openRaw(server.port);
      raw.write(handshakeBytes(server.port, { 'Sec-WebSocket-Extensions': offer }));
      const [head] = (await soon(once(raw, 'data'), 'an answer')) as [Buffer];
      raw.destroy();
      expect(head.toString('latin1'), offer).toMatch(/^HTTP\/1\.1 101 /);
      expect(
        /^Sec-WebSocket-Extensions: permessage-deflate/im.test(head.toString('latin1')),
        offer,
      ).toBe(accepted);
    }
  },
} as const satisfies Readonly<Record<string, Check>>;

/** What takes as long as the defaults say. */
export const SLOW_CHECKS = {
  'drops a silent client within 10 s when nobody set anything': async ({ boot }) => {
    await using server = await boot();
    const silent = await openRaw(server.port);
    await within(readToEnd(silent), 10_000, 'the end of a silent client');
  },
} as const satisfies Readonly<Record<string, Check>>;

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'it started',
    (error: unknown) => String(error),
  );
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}
