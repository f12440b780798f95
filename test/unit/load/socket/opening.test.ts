import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { LoadTarget } from '../../../../src/load/plan.ts';
import { ClientConnection } from '../../../../src/load/socket/client-connection.ts';
import type { Connection, ConnectionEvents } from '../../../../src/load/socket/connection.ts';
import { Dialer } from '../../../../src/load/socket/dialer.ts';
import { FastConnection } from '../../../../src/load/socket/fast-connection.ts';
import { OpeningRequest } from '../../../../src/load/socket/opening-request.ts';
import { acceptKey, encodeFrame, verifyRequest } from '../../../../src/protocol/index.ts';
import { loadPlan } from '../../../support/load-results.ts';

type Kind = 'fast' | 'client';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A 101 with more lines; `accept` in place of the right value. */
function accepted(key: string, lines: readonly string[] = [], accept = acceptKey(key)): string {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...lines,
    '\r\n',
  ].join('\r\n');
}

/** What the server sends for the key of a request, each in a packet of its own. */
type Answer = (key: string) => string | Buffer | readonly (string | Buffer)[];

/**
 * Opens a connection for each answer, one after the other, all by one dialer; what each reported and
 * what it asked for.
 */
async function open(
  kind: Kind,
  answers: readonly Answer[],
  changes: Partial<LoadTarget> = {},
): Promise<{ told: string[]; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined).setNoDelay(true);
    socket.once('data', (bytes) => {
      const request = bytes.toString('latin1');
      const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)?.[1] ?? '';
      const answer = (answers[requests.length] as Answer)(key);
      requests.push(request);
      void send(socket, typeof answer === 'string' || Buffer.isBuffer(answer) ? [answer] : answer);
    });
  }).listen(0, '127.0.0.1');
  closers.push(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const target = { ...loadPlan().target, url: `ws://127.0.0.1:${port}/x?y=1`, ...changes };
  const dialer = new Dialer({
    ...{ target, kind, addresses: ['127.0.0.1'], index: 0, workers: 1, timeoutMs: 20_000 },
  });
  const told: string[] = [];
  for (const index of answers.keys()) told.push(await openOne(kind, dialer, index));
  return { told, requests };
}

async function send(socket: Socket, packets: readonly (string | Buffer)[]): Promise<void> {
  for (const packet of packets) {
    // A turn between two packets keeps them apart.
    await new Promise((resolve) => socket.write(packet, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Opens a connection and waits for the message `end`, or for its failure. */
function openOne(kind: Kind, dialer: Dialer, index: number): Promise<string> {
  return new Promise((resolve) => {
    const notes: string[] = [];
    const close = (connection: Connection): void => {
      connection.reset();
      resolve(notes.join(', '));
    };
    const host: ConnectionEvents = {
      opened: ({ deflate }) => notes.push(deflate === undefined ? 'opened' : 'opened deflated'),
      failed: (connection, { kind: failure, detail }) => {
        notes.push(`failed ${failure} ${detail}`);
        close(connection);
      },
      dropped: (connection, { text }) => {
        notes.push(`dropped ${text}`);
        close(connection);
      },
      message: (connection, bytes, from, to) => {
        const text = bytes.toString('latin1', from, to);
        if (text === 'end') close(connection);
        else notes.push(text);
      },
      received: () => undefined,
      consumed: () => undefined,
      pinged: () => undefined,
      ended: () => undefined,
      begin: () => undefined,
      part: () => undefined,
      end: () => undefined,
    };
    const at = { index, intendedMs: 0, startedMs: 0 };
    const Class = kind === 'fast' ? FastConnection : ClientConnection;
    dialer.dial(new Class(host, at));
  });
}

const text = (payload: string): Buffer => encodeFrame({ opcode: 1, payload: Buffer.from(payload) });
const END = text('end');

/** A right answer, after which the connection is closed. */
const right: Answer = (key) => [accepted(key), END];

describe.each<Kind>(['fast', 'client'])('an opening of the %s engine after a right one', (kind) => {
  const after = async (answer: Answer, changes?: Partial<LoadTarget>): Promise<string> => {
    const { told } = await open(kind, [right, answer], changes);
    expect(told[0]).toBe('opened');
    return told[1] as string;
  };

  it('is refused with a wrong accept value, of another key or of none', async () => {
    let first = '';
    const { told } = await open(kind, [
      (key) => [accepted((first = key)), END],
      () => accepted(first),
      (key) => accepted(key, [], acceptKey(key).toLowerCase()),
      (key) => accepted(key, [], acceptKey(key).slice(0, -1)),
      right,
    ]);
    const refused = 'failed handshake WSK_ACCEPT';
    expect(told).toEqual(['opened', refused, refused, refused, 'opened']);
  });

  it.each([
    ['an extension', 'Sec-WebSocket-Extensions: permessage-deflate', 'WSK_EXTENSIONS'],
    ['a subprotocol', 'Sec-WebSocket-Protocol: chat', 'WSK_SUBPROTOCOL'],
    ['a second accept value', `Sec-WebSocket-Accept: ${'A'.repeat(27)}=`, 'WSK_ACCEPT'],
  ])('is refused with %s that was not asked for', async (_what, line, code) => {
    const told = await after((key) => accepted(key, [line]));
    expect(told).toBe(`failed handshake ${code}`);
  });

  it('is refused with another status', async () => {
    const told = await after(
      () => 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull',
    );
    expect(told).toBe('failed status 503');
  });

  it('takes the frames that came in one piece with the head', async () => {
    const together: Answer = (key) =>
      Buffer.concat([Buffer.from(accepted(key)), text('one'), text('two'), END]);
    expect((await open(kind, [together, together])).told).toEqual([
      'opened, one, two',
      'opened, one, two',
    ]);
  });

  it('takes a head in pieces', async () => {
    const told = await after((key) => [...(accepted(key).match(/[^]{1,20}/g) ?? []), END]);
    expect(told).toBe('opened');
  });

  it('takes a head that is longer than the last one, or shorter, and then checks it again', async () => {
    const dated =
      (date: string): Answer =>
      (key) => [accepted(key, [`Date: ${date}`]), END];
    const { told } = await open(kind, [
      right,
      dated('Sun, 06 Nov 1994 08:49:37 GMT'),
      dated('Sun, 06 Nov 1994 08:49:38 GMT'),
      (key) => accepted(key, ['Date: Sun, 06 Nov 1994 08:49:38 GMT'], acceptKey('')),
      (key) => accepted(key, ['Date: Sun\x01']),
      right,
    ]);
    expect(told).toEqual([
      ...['opened', 'opened', 'opened'],
      ...['failed handshake WSK_ACCEPT', 'failed handshake WSK_HEAD_SYNTAX', 'opened'],
    ]);
  });
});

it('agrees on compression with each connection, as the first did', async () => {
  const answer: Answer = (key) => [
    accepted(key, ['Sec-WebSocket-Extensions: permessage-deflate']),
    END,
  ];
  const { told } = await open('client', [answer, answer, right], { compression: true });
  expect(told).toEqual(['opened deflated', 'opened deflated', 'opened']);
});

it('sends a key of its own with each request, and else the same', async () => {
  const { requests } = await open('fast', [right, right, right], {
    headers: [['X-Run', 'é']],
    subprotocols: ['chat'],
    tokens: ['one', 'two'],
  });
  const keys = requests.map((request) => /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)?.[1] ?? '');
  expect(new Set(keys).size).toBe(3);
  const rest = requests.map((request, i) => request.replace(keys[i] as string, 'key'));
  expect(rest[0]).toMatch(/^GET \/x\?y=1 HTTP\/1\.1\r\nHost: 127/);
  expect(rest[0]).toMatch(/\r\nX-Run: é\r\nAuthorization: Bearer one\r\n\r\n$/);
  expect(rest[1]).toBe(rest[0]?.replace('Bearer one', 'Bearer two'));
  expect(rest[2]).toBe(rest[0]);
});

describe('OpeningRequest', () => {
  const url = 'ws://127.0.0.1:9/';

  it('has a head that is what it sends', () => {
    const request = new OpeningRequest({ url, protocols: ['chat'] });
    const key = request.createKey();
    const head = request.head(key);
    expect(verifyRequest(head).ok).toBe(true);
    const lines = head.fields.map(({ name, value }) => `${name}: ${value}`);
    expect(request.text(key)).toBe(['GET / HTTP/1.1', ...lines, '\r\n'].join('\r\n'));
  });

  it('knows the head that was verified last, and nothing else', () => {
    const request = new OpeningRequest({ url });
    const [one, two] = [request.createKey(), request.createKey()];
    const bytes = Buffer.from(accepted(two));
    expect(request.recognize(bytes, bytes.length, two)).toBe(0);
    request.learn(Buffer.from(accepted(one)), one, undefined);
    expect(request.recognize(bytes, bytes.length, two)).toBe(bytes.length);
    expect(request.recognize(bytes, bytes.length, one)).toBe(0);
    // What a buffer that is used again holds behind is none of it.
    expect(request.recognize(bytes, bytes.length - 1, two)).toBe(0);
    request.learn(Buffer.from(accepted(one, ['X: y'])), one, undefined);
    expect(request.recognize(bytes, bytes.length, two)).toBe(0);
  });

  it('does not learn a head that repeats the accept value elsewhere', () => {
    const request = new OpeningRequest({ url });
    const [one, two] = [request.createKey(), request.createKey()];
    request.learn(Buffer.from(accepted(one, [`X: ${acceptKey(one)}`])), one, undefined);
    const bytes = Buffer.from(accepted(two, [`X: ${acceptKey(one)}`]));
    expect(request.recognize(bytes, bytes.length, two)).toBe(0);
  });

  it("sends the caller's own key as it is", () => {
    const own = 'dGhlIHNhbXBsZSBub25jZQ==';
    const request = new OpeningRequest({ url, headers: [['sec-websocket-key', own]] });
    expect(request.createKey()).toBe(own);
    expect(request.text(own)).toContain(`sec-websocket-key: ${own}\r\n`);
    expect(verifyRequest(request.head(own)).ok).toBe(true);
  });
});
