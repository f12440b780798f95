import { describe, expect, it } from 'vitest';
import { PROBES } from '../../../src/operations/validate-handshake/probes.ts';
import type { Fault } from '../../fixtures/peers/faults.ts';
import { startWrongServer } from '../../fixtures/peers/wrong-server.ts';
import { failedIds, runValidateHandshake } from '../../support/endpoint.ts';

/** Wrong servers, each of which fails exactly one rule. */
const CASES: readonly (readonly [rule: string, fault: Fault, seen: RegExp])[] = [
  ['probe-http-1.0', 'accept-http-1.0', /HTTP 101/],
  ['probe-post', 'accept-post', /HTTP 101/],
  ['probe-no-host', 'accept-no-host', /HTTP 101/],
  ['probe-no-upgrade', 'accept-no-upgrade', /HTTP 101/],
  ['probe-other-upgrade', 'accept-other-upgrade', /HTTP 101/],
  ['probe-no-connection', 'accept-no-connection', /HTTP 101/],
  ['probe-no-key', 'accept-no-key', /HTTP 101/],
  ['probe-short-key', 'accept-short-key', /HTTP 101/],
  ['probe-two-keys', 'accept-two-keys', /HTTP 101/],
  ['probe-subprotocol', 'invents-protocol', /Sec-WebSocket-Protocol: invented/],
  ['probe-no-version', 'accept-no-version', /HTTP 101/],
  ['probe-version-12', 'accept-any-version', /HTTP 101/],
  ['probe-version-12', 'no-version-header', /HTTP 426 .*no Sec-WebSocket-Version/],
  ['probe-upgrade-case', 'case-sensitive-upgrade', /HTTP 400/],
  ['probe-connection-case', 'case-sensitive-connection', /HTTP 400/],
  ['probe-connection-list', 'no-connection-list', /HTTP 400/],
  ['probe-field-case', 'case-sensitive-names', /HTTP 400/],
  ['probe-field-order', 'ordered-headers', /HTTP 400/],
  ['probe-packets', 'one-packet', /HTTP 400/],
  ['probe-pipelined', 'drops-pipelined', /but no pong/],
  ['probe-unknown-extension', 'refuses-unknown-extension', /HTTP 400/],
  ['probe-unknown-extension', 'takes-unknown-extension', /x-wsk-unknown/],
  ['probe-deflate-unknown-parameter', 'takes-unknown-parameter', /permessage-deflate/],
  ['probe-deflate-bad-value', 'takes-bad-value', /permessage-deflate/],
  ['probe-deflate-repeated', 'takes-repeated-parameter', /permessage-deflate/],
  ['probe-deflate-no-takeover', 'forgets-no-takeover', /permessage-deflate/],
  ['probe-deflate-server-window', 'forgets-server-window', /permessage-deflate/],
  ['probe-deflate-client-window', 'unasked-client-window', /client_max_window_bits=12/],
];

describe('probes of validate-handshake', () => {
  it('all pass for a server without fault', async () => {
    await using server = await startWrongServer();
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([]);
    const probes = report.rules.filter((row) => row.id.startsWith('probe-'));
    expect(probes.map((row) => row.verdict)).toEqual(PROBES.map(() => 'pass'));
  });

  it.concurrent.each(CASES)('%s alone fails for a server that %s', async (rule, fault, seen) => {
    await using server = await startWrongServer({ faults: [fault] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([rule]);
    expect(report.rules.find((row) => row.id === rule)?.seen).toMatch(seen);
    expect(report).toMatchObject({ status: 'failed', success: false, summary: { failed: 1 } });
  });

  it('each have a wrong server here', () => {
    const covered = new Set(CASES.map(([rule]) => rule));
    expect(PROBES.map((probe) => probe.id).filter((id) => !covered.has(id))).toEqual([]);
  });

  it('report a server that drops the connection in place of an answer', async () => {
    await using server = await startWrongServer({ faults: ['drop-without-key'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(report.rules.find((row) => row.id === 'probe-no-key')).toMatchObject({
      verdict: 'fail',
      seen: 'the connection was closed without an answer',
      expected: 'an HTTP error, not 101',
    });
  });

  it('skip what a server that declines permessage-deflate cannot be asked', async () => {
    await using server = await startWrongServer({ faults: ['deflate-declined'] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([]);
    expect(report.rules.find((row) => row.id === 'probe-deflate-no-takeover')).toMatchObject({
      verdict: 'skip',
      seen: expect.stringMatching(/^the offer was declined: HTTP 101/) as unknown,
    });
  });
});

describe('validate-handshake of a response', () => {
  it.each([
    ['bad-accept', 'response-accept'],
    ['no-upgrade-header', 'response-upgrade'],
  ] as const)('fails for a server that %s, with %s', async (fault, rule) => {
    await using server = await startWrongServer({ faults: [fault] });
    const report = await runValidateHandshake({ url: server.url, timeoutMs: 2000 });
    expect(failedIds(report.rules)).toEqual([rule]);
  });
});
