import { once } from 'node:events';
import { expect } from 'vitest';
import {
  handshakeBytes,
  openClient,
  openRaw,
  readToEnd,
  refusal,
  within,
} from '../support/test-client.ts';
import { expectAlive } from './check.ts';
import type { ServerProcess } from '../support/server-process.ts';
import type { Check } from './check.ts';

/** What the log says of the first handshake that was refused. */
function hintOf({ log }: ServerProcess): string {
  const line = log.find(({ event }) => event === 'handshake-refused');
  return `${String(line?.['host'])}: ${String(line?.['hint'])}`;
}

/** The status of a plain request that names `host`. */
async function statusOf(port: number, path: string, host: string): Promise<number> {
  const raw = await openRaw(port);
  raw.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const answer = await readToEnd(raw);
  return Number(answer.toString('latin1', 9, 12));
}

/** The head of the answer to a handshake with an offer of extensions. */
async function answerTo(port: number, offer: string): Promise<string> {
  const raw = await openRaw(port);
  raw.write(handshakeBytes(port, { 'Sec-WebSocket-Extensions': offer }));
  const [head] = (await once(raw, 'data')) as [Buffer];
  raw.destroy();
  return head.toString('latin1');
}

/** What happens before a connection exists. */
export const HANDSHAKE_CHECKS = {
  'turns pages of other origins down with 403': async ({ boot }) => {
    await using server = await boot();
    const own = `http://127.0.0.1:${server.port}`;
    (await openClient(server.port, { origin: own })).socket.terminate();
    for (const origin of ['http://evil.example', `${own}.evil.example`, 'null']) {
      expect((await refusal(server.port, { origin })).status, origin).toBe(403);
    }
    await using strict = await boot({ ALLOWED_ORIGINS: 'https://a.example' });
    (await openClient(strict.port, { origin: 'https://a.example' })).socket.terminate();
    for (const origin of ['http://a.example', 'https://b.example', own]) {
      expect((await refusal(strict.port, { origin })).status, origin).toBe(403);
    }
  },

  'takes a name for its own only if it was told so': async ({ boot }) => {
    await using server = await boot();
    const as = (host: string): { origin: string; headers: { Host: string } } => ({
      origin: `http://${host}`,
      headers: { Host: host },
    });
    for (const host of ['evil.example', `evil.example:${server.port}`, '127.0.0.1.evil.example']) {
      expect((await refusal(server.port, as(host))).status, host).toBe(403);
      const plain = await statusOf(server.port, '/', host);
      expect([plain, await statusOf(server.port, '/healthz', host)], host).toEqual([421, 200]);
    }
    await expect.poll(() => hintOf(server)).toMatch(/^evil\.example: .*ALLOWED_HOSTS/);
    for (const host of ['localhost', '[::1]:1', 'LocalHost:80']) {
      (await openClient(server.port, as(host))).socket.terminate();
    }
    await using named = await boot({ ALLOWED_HOSTS: 'ws.example, [2001:db8::1]' });
    for (const host of ['ws.example', 'WS.example:444', '[2001:db8::1]:80', 'localhost']) {
      (await openClient(named.port, as(host))).socket.terminate();
    }
    expect((await refusal(named.port, as('evil.example'))).status).toBe(403);
    // No page, and so no matter by which name it came.
    (await openClient(server.port, { headers: { Host: 'other.example' } })).socket.terminate();
  },

  'lets pages of localhost in, but not in production': async ({ boot }) => {
    await using server = await boot();
    for (const origin of ['http://localhost:5173', 'https://127.0.0.1', 'http://[::1]:3000']) {
      (await openClient(server.port, { origin })).socket.terminate();
    }
    for (const origin of ['http://localhost.evil.example', 'null']) {
      expect((await refusal(server.port, { origin })).status, origin).toBe(403);
    }
    await using production = await boot({ NODE_ENV: 'production' });
    const origin = 'http://localhost:5173';
    expect((await refusal(production.port, { origin })).status).toBe(403);
    const own = `http://localhost:${production.port}`;
    const headers = { Host: `localhost:${production.port}` };
    (await openClient(production.port, { origin: own, headers })).socket.terminate();
    await expect.poll(() => hintOf(production)).toMatch(/^127.*: .*NODE_ENV.*ALLOWED_ORIGINS/);
  },

  'refuses handshakes with a body or with fields that nobody looks at': async ({ boot, soon }) => {
    await using server = await boot();
    const own = `http://127.0.0.1:${server.port}`;
    const answerTo = async (bytes: string): Promise<string> => {
      const raw = await openRaw(server.port);
      raw.write(bytes);
      const [head] = (await soon(once(raw, 'data'), 'an answer')) as [Buffer];
      raw.destroy();
      return head.toString('latin1').slice(0, 12);
    };
    const many = (count: number): string => {
      const fields = Array.from({ length: count }, () => 'a:\r\n').join('');
      const bytes = handshakeBytes(server.port, { Origin: own });
      return bytes.replace(/\r\n\r\n$/, `\r\n${fields}Origin: http://evil.example\r\n\r\n`);
    };
    const cases: readonly (readonly [number, string])[] = [
      [400, handshakeBytes(server.port, { 'Content-Length': '5' })],
      [400, handshakeBytes(server.port, { Host: 'evil@localhost:8080' })],
      [400, handshakeBytes(server.port, { Host: 'localhost/x' })],
      [400, handshakeBytes(server.port, { Host: 'localhost?x' })],
      [101, handshakeBytes(server.port, { Host: '[::1]:8080' })],
      [400, handshakeBytes(server.port, { 'Transfer-Encoding': 'chunked' })],
      [101, handshakeBytes(server.port, { 'Content-Length': '0' })],
      [400, handshakeBytes(server.port, { Origin: own, origin: 'http://evil.example' })],
      [400, many(0)],
      [431, many(1100)],
      [431, many(2500)],
    ];
    for (const [status, bytes] of cases) {
      expect(await answerTo(bytes), bytes.slice(0, 300)).toBe(`HTTP/1.1 ${status}`);
    }
  },

  'answers heads at once that are made to be slow to read, or to read as numbers': async ({
    boot,
    kind,
    soon,
  }) => {
    await using server = await boot({ TRUST_PROXY: '1' });
    const blank = ' '.repeat(10_000);
    const cases: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
      // Node ends the connection without an answer.
      [/^(?:400)?$/, { 'X-Padding': `${blank}\u0001` }],
      [/^101/, { 'X-Padding': `a${blank}b` }],
      [/^101/, { 'X-Forwarded-For': ':'.repeat(14_000) }],
      [/^4/, { Host: `a:${'9'.repeat(5000)}`, Origin: 'http://a' }],
      [/^403/, { Origin: `http://a:${'9'.repeat(5000)}` }],
      [/^403/, { Origin: 'http://[:::]' }],
    ];
    for (const [status, fields] of cases) {
      const raw = await openRaw(server.port);
      raw.write(handshakeBytes(server.port, fields), 'latin1');
      const answer = Promise.race([once(raw, 'data'), once(raw, 'end')]);
      const [head] = (await soon(answer, 'an answer')) as [Buffer?];
      raw.destroy();
      expect(head?.toString('latin1', 9, 12) ?? '').toMatch(status);
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

  'drops silent and dripping clients before they have shaken hands': async ({ boot, soon }) => {
    await using server = await boot({ HANDSHAKE_TIMEOUT: '300' });
    const silent = await openRaw(server.port);
    const dripping = await openRaw(server.port);
    const request = handshakeBytes(server.port, { 'X-Padding': 'x'.repeat(4000) });
    let sent = 0;
    // What the server has ended takes no more.
    const drip = setInterval(() => {
      if (dripping.writable) dripping.write(request.charAt((sent += 1)));
    }, 50);
    try {
      await soon(readToEnd(silent), 'the end of a silent client');
      await soon(readToEnd(dripping), 'the end of a dripping client');
    } finally {
      clearInterval(drip);
    }
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
    for (const address of ['192.0.2.1', '192.0.2.1'])
      clients.push(await openClient(server.port, from(address)));
    const perAddress = await refusal(server.port, from('192.0.2.1'));
    expect(perAddress.status).toBe(429);
    expect(Number(perAddress.headers['retry-after'])).toBeGreaterThan(0);
    clients.push(await openClient(server.port, from('192.0.2.2')));
    const total = await refusal(server.port, from('192.0.2.3'));
    expect(total.status).toBe(503);
    expect(Number(total.headers['retry-after'])).toBeGreaterThan(0);
    // Places are given back.
    for (const client of clients) {
      client.socket.close();
      await client.closed;
    }
    (await openClient(server.port, from('192.0.2.1'))).socket.terminate();
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
      { status: 400, bytes: handshakeBytes(server.port, { host: 'example.com' }) },
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

  'declines compression that it cannot do instead of failing': async ({ boot, soon }) => {
    await using server = await boot({ COMPRESSION: 'permessage-deflate' });
    const cases = [
      { offer: 'permessage-deflate', accepted: true },
      { offer: 'permessage-deflate; client_max_window_bits', accepted: true },
      { offer: 'permessage-deflate; server_max_window_bits=9, permessage-deflate', accepted: true },
      { offer: 'permessage-deflate; server_max_window_bits=8', accepted: false },
      { offer: 'permessage-deflate; unknown', accepted: false },
      {
        offer: 'permessage-deflate; client_max_window_bits; client_max_window_bits',
        accepted: false,
      },
      { offer: 'x-webkit-deflate-frame', accepted: false },
    ];
    for (const { offer, accepted } of cases) {
      const head = await soon(answerTo(server.port, offer), 'an answer');
      expect(head, offer).toMatch(/^HTTP\/1\.1 101 /);
      expect(/^Sec-WebSocket-Extensions: permessage-deflate/im.test(head), offer).toBe(accepted);
    }
  },

  'compresses with a smaller window where that is asked for': async ({ boot, soon }) => {
    await using server = await boot({ COMPRESSION: 'permessage-deflate' });
    const offer = 'permessage-deflate; server_max_window_bits=9';
    const head = await soon(answerTo(server.port, offer), 'an answer');
    expect(head).toMatch(/^Sec-WebSocket-Extensions: permessage-deflate.*max_window_bits=9/im);
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
