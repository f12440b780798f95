import { describe, expect, it } from 'vitest';
import { failedIds, runTest, runValidateHandshake } from '../../../support/endpoint.ts';
import { startListener, startWs } from '../../../support/peers/servers.ts';

const MIB = 1024 * 1024;

describe('test of a server in order', () => {
  it('finds no fault with ws and permessage-deflate', async () => {
    await using server = await startWs({ perMessageDeflate: true, maxPayload: MIB });
    const report = await runTest({ url: server.url, compression: true, maxPayload: MIB });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report).toMatchObject({
      operation: 'test',
      target: server.url,
      status: 'passed',
      success: true,
      handshake: { protocol: null, extensions: 'permessage-deflate' },
      metrics: { messagesSent: 100, messagesReceived: 100, lost: 0, roundTrip: 'echo' },
    });
  });

  it('finds no fault with our own listener, in all parameters of permessage-deflate', async () => {
    await using server = await startListener({
      protocols: ['chat.v1'],
      deflate: { serverNoContextTakeover: true, clientMaxWindowBits: 12 },
      limits: { messageBytes: MIB },
    });
    const input = {
      url: server.url,
      compression: true,
      subprotocols: ['chat.v1'],
      maxPayload: MIB,
    };
    const report = await runTest(input);
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.handshake).toEqual({
      protocol: 'chat.v1',
      extensions: 'permessage-deflate; server_no_context_takeover; client_max_window_bits=12',
    });
  });

  it('measures latency in ascending percentiles and a ratio per direction', async () => {
    await using server = await startWs({ perMessageDeflate: true, maxPayload: MIB });
    const { metrics } = await runTest({ url: server.url, compression: true, maxPayload: MIB });
    const { p50Ms, p95Ms, p99Ms, compressionRatioSent, compressionRatioReceived } = metrics;
    const figures = [p50Ms, p95Ms, p99Ms, compressionRatioSent, compressionRatioReceived];
    for (const figure of figures) expect(figure).toBeGreaterThan(0);
    expect(p50Ms).toBeLessThanOrEqual(p95Ms ?? 0);
    expect(p95Ms).toBeLessThanOrEqual(p99Ms ?? 0);
    expect(compressionRatioSent).toBeLessThan(0.3);
    expect(compressionRatioReceived).toBeLessThan(0.3);
  });

  it('takes a message of 100 MiB less a byte', async () => {
    await using server = await startWs();
    const report = await runTest({ url: server.url, messages: 1, maxPayload: 100 * MIB });
    expect(report.checks.find((row) => row.id === 'message-near-limit')).toMatchObject({
      verdict: 'pass',
      detail: '104857599 bytes came back (limit of --max-payload)',
    });
  });
});

describe('validate-handshake of a server in order', () => {
  it('finds no fault with our own listener', async () => {
    await using server = await startListener({ deflate: {} });
    const report = await runValidateHandshake({ url: server.url });
    expect(failedIds(report.rules)).toEqual([]);
    expect(report).toMatchObject({ status: 'passed', success: true, summary: { failed: 0 } });
  });

  it('finds that ws takes HTTP/1.0, no or two Hosts and a leading zero, and nothing else', async () => {
    await using server = await startWs({ perMessageDeflate: true });
    const report = await runValidateHandshake({ url: server.url });
    // 7692#7.1.2.1: "without leading zeroes"; 7.1: a server MUST decline what is not legal.
    expect(failedIds(report.rules)).toEqual(['probe-deflate-window-with-leading-zero']);
    expect(report.rules.filter(({ verdict }) => verdict === 'warn').map(({ id }) => id)).toEqual([
      'probe-http-1.0',
      'probe-no-host',
      'probe-two-hosts',
      'probe-list-in-upgrade',
      'probe-deflate-second-offer-behind-illegal-one',
    ]);
    expect(report).toMatchObject({ status: 'failed', success: false, summary: { failed: 1 } });
  });
});
