import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { TestServer } from '../../../support/peers/servers.ts';
import {
  SERVER_HANDSHAKES,
  serverProbes,
} from '../../../../src/conformance/handshake/catalogue.ts';
import type { Fault } from '../../../support/peers/faults.ts';
import { startFaultyServer } from '../../../support/peers/faulty-server.ts';
import { failedIds, runValidateHandshake } from '../../../support/endpoint.ts';

/** Servers that break no MUST, the rows that warn of each and what the first of them says. */
const WARNED: readonly (readonly [fault: Fault, warned: readonly string[], seen: RegExp])[] = [
  ['accept-http-1.0', ['http-1.0'], /answered 101/],
  ['accept-no-host', ['no-host'], /answered 101.*: HTTP\/1\.1 asks for a Host/],
  ['accept-two-hosts', ['two-hosts'], /answered 101/],
  [
    'accept-short-key',
    ['empty-key', 'short-key', 'key-of-17-bytes', 'key-not-base64'],
    /answered 101: 4\.2\.2 says that a server need not decode the key/,
  ],
  ['accept-two-keys', ['two-keys'], /answered 101/],
  ['accept-no-connection', ['no-connection', 'connection-without-upgrade'], /answered 101/],
  ['accept-post', ['post'], /answered 101/],
  ['drop-without-key', ['no-key', 'key-in-folded-line'], /dropped TCP without an answer/],
];

/** Wrong servers, the rows that each fails and what the first of them says. */
const CASES: readonly (readonly [fault: Fault, failed: readonly string[], seen: RegExp])[] = [
  ['accept-no-upgrade', ['no-upgrade'], /answered 101/],
  ['accept-other-upgrade', ['other-upgrade'], /answered 101/],
  ['accept-no-key', ['no-key'], /answered 101/],
  ['invents-protocol', ['subprotocol', 'subprotocols-in-two-fields'], /"invented"/],
  ['accept-no-version', ['no-version'], /answered 101/],
  ['accept-any-version', ['version-12', 'version-not-a-number'], /101 for version "12"/],
  [
    'no-version-header',
    ['version-12', 'version-of-draft'],
    /HTTP 426 .*without Sec-WebSocket-Version: 13/,
  ],
  ['case-sensitive-upgrade', ['upgrade-case'], /HTTP 400/],
  ['case-sensitive-connection', ['connection-case'], /HTTP 400/],
  ['no-connection-list', ['connection-list'], /HTTP 400/],
  ['case-sensitive-names', ['names-in-lower-case', 'field-case'], /HTTP 400/],
  ['ordered-headers', ['field-order'], /HTTP 400/],
  ['refuses-unknown-extension', ['unknown-extension'], /HTTP 400/],
  ['takes-unknown-extension', ['unknown-extension', 'extensions-in-two-fields'], /x-wsk-unknown/],
  [
    'takes-unknown-parameter',
    ['deflate-unknown-parameter', 'deflate-second-offer-behind-illegal-one'],
    /101 with permessage-deflate/,
  ],
  [
    'takes-bad-value',
    [
      'deflate-bad-value',
      'deflate-window-of-7-bits',
      'deflate-window-with-leading-zero',
      'deflate-window-without-value',
      'deflate-value-where-there-is-none',
    ],
    /101 with permessage-deflate/,
  ],
  ['takes-repeated-parameter', ['deflate-repeated'], /101 with permessage-deflate/],
  [
    'forgets-no-takeover',
    ['deflate-second-offer-behind-illegal-one', 'deflate-no-takeover'],
    /expected server_no_context_takeover/,
  ],
  [
    'forgets-server-window',
    ['deflate-server-window', 'deflate-quoted-value'],
    /expected server_max_window_bits/,
  ],
  [
    'unasked-client-window',
    [
      'deflate-second-offer-behind-illegal-one',
      'deflate-no-takeover',
      'deflate-server-window',
      'deflate-client-window',
      'deflate-client-max-window-bits-of-10',
      'deflate-quoted-value',
    ],
    /client_max_window_bits=12/,
  ],
];

/** What the server warns of without a fault, too. */
const ALWAYS = ['list-in-upgrade', 'head-without-end', 'deflate-header-that-breaks-its-grammar'];

const probe = (name: string): string => `probe-${name}`;

describe('probes of validate-handshake', () => {
  it('are all rows of the catalogue, and a server without fault fails none', async () => {
    await using server = await startFaultyServer();
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([]);
    const ids = report.rules.map((row) => row.id).filter((id) => id.startsWith('probe-'));
    expect(ids).toEqual(serverProbes().map(({ id }) => id));
    expect(ids).toHaveLength(SERVER_HANDSHAKES.length);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => id.startsWith('probe-x.'))).toEqual([]);
  });

  it.concurrent.each(CASES)('fail for a server that %s: %j', async (fault, failed, seen) => {
    await using server = await startFaultyServer({ faults: [fault] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual(failed.map(probe));
    expect(report.rules.find((row) => row.id === probe(failed[0] ?? ''))?.seen).toMatch(seen);
    expect(report).toMatchObject({
      status: 'failed',
      success: false,
      summary: { failed: failed.length },
    });
  });

  it('fail for a server that wants the request in one packet', async () => {
    await using server = await startFaultyServer({ faults: ['one-packet'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    const failed = failedIds(report.rules);
    expect(failed).toContain('probe-request-octet-by-octet');
    // A busy machine may deliver the three packets as one.
    expect(failed.filter((id) => id !== 'probe-packets')).toHaveLength(1);
  });

  it('say that a frame behind the request was lost, and let it pass', async () => {
    await using server = await startFaultyServer({ faults: ['drops-pipelined'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([]);
    expect(report.rules.find((row) => row.id === 'probe-pipelined')).toMatchObject({
      verdict: 'pass',
      seen: expect.stringMatching(/what came with the request was lost/) as unknown,
    });
  });

  it.concurrent.each(WARNED)('warn of a server that %s: %j', async (fault, warned, seen) => {
    await using server = await startFaultyServer({ faults: [fault] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    const rows = report.rules.filter(({ verdict }) => verdict === 'warn');
    expect(rows.map(({ id }) => id)).toEqual([...warned, ...ALWAYS].map(probe));
    expect(rows[0]?.seen).toMatch(seen);
    expect(report).toMatchObject({ success: true, summary: { failed: 0 } });
  });

  it('fail with --strict where they warn without', async () => {
    await using server = await startFaultyServer({ faults: ['accept-no-host'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000, strict: true });
    expect(failedIds(report.rules)).toEqual(['no-host', ...ALWAYS].map(probe));
    expect(report).toMatchObject({ success: false, summary: { failed: 4, warnings: 0 } });
  });

  it('only say of a server that declines permessage-deflate cannot be asked', async () => {
    await using server = await startFaultyServer({ faults: ['deflate-declined'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([]);
    expect(report.rules.find((row) => row.id === 'probe-deflate-no-takeover')).toMatchObject({
      verdict: 'info',
      seen: 'the peer answered 101: the server declined the offer, as it may',
    });
  });
});

describe('validate-handshake of a response', () => {
  it.each([
    ['bad-accept', 'response-accept'],
    ['no-upgrade-header', 'response-upgrade'],
  ] as const)('fails for a server that %s, with %s', async (fault, rule) => {
    await using server = await startFaultyServer({ faults: [fault] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([rule]);
  });
});

/** An echo server behind a limit: from it on, a connection gets `refusal`, nothing (''), or is dropped. */
async function startLimited(
  isOver: (count: number, open: number) => boolean,
  refusal?: string,
): Promise<TestServer> {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true });
  const sockets = new Set<Duplex>();
  let count = 0;
  const tcp = createTcpServer((socket) => {
    sockets.add(socket);
    const over = isOver(++count, sockets.size);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    if (!over) http.emit('connection', socket);
    else if (refusal === '') socket.resume();
    else if (refusal === undefined) socket.destroy();
    else socket.resume().end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`);
  });
  http.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (peer) => {
      peer.on('error', () => undefined);
      peer.on('message', (data, binary) => {
        peer.send(data, { binary });
      });
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(tcp.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

describe('a server that limits connections', () => {
  it.each([
    ['429 Too Many Requests', 'HTTP 429'],
    ['503 Service Unavailable', 'HTTP 503'],
  ])('is asked no more behind the limit, without failures: %s', async (refusal, why) => {
    await using server = await startLimited((count) => count > 25, refusal);
    const { rules } = await runValidateHandshake({ url: server.url, timeoutMs: 1000 });
    expect(failedIds(rules)).toEqual([]);
    const limited = rules.filter(({ seen }) => seen === `the server limits connections (${why})`);
    expect(limited.length).toBeGreaterThan(8);
    expect(new Set(limited.map(({ verdict }) => verdict))).toEqual(new Set(['skip']));
  });

  it.each([
    ['drops', undefined],
    ['leaves unanswered', ''],
  ])('is told from a broken one if it %s what comes behind the limit', async (_, refusal) => {
    await using server = await startLimited((count) => count > 25, refusal);
    const { rules, success } = await runValidateHandshake({ url: server.url, timeoutMs: 300 });
    expect(failedIds(rules)).toEqual([]);
    // Most rows were not judged.
    expect(success).toBe(false);
    const limited = rules.filter(({ seen }) =>
      /^the server answers nobody since probe-[\w-]+; it may ban or limit/.test(seen),
    );
    expect(limited.length).toBeGreaterThan(30);
    expect(new Set(limited.map(({ verdict }) => verdict))).toEqual(new Set(['skip']));
  });

  it('is asked again after a pause, and judged if it has relented', async () => {
    await using server = await startLimited((count) => count > 25 && count < 31);
    const { rules, success } = await runValidateHandshake({ url: server.url, timeoutMs: 1000 });
    expect(failedIds(rules)).toEqual([]);
    expect(success).toBe(true);
    expect(rules.filter(({ seen }) => seen.startsWith('the server answers nobody'))).toEqual([]);
  });

  it('is asked again alone if it takes one at a time', async () => {
    await using server = await startLimited((_, open) => open > 1, '503 Service Unavailable');
    const { rules } = await runValidateHandshake({ url: server.url, timeoutMs: 1000 });
    expect(failedIds(rules)).toEqual([]);
    expect(rules.filter(({ seen }) => seen.startsWith('the server limits'))).toEqual([]);
  });
});
