import { describe, expect, it } from 'vitest';
import { dial } from '../../../../src/transport/index.ts';
import type { Fault } from '../../../support/peers/faults.ts';
import { startFaultyServer } from '../../../support/peers/faulty-server.ts';
import { runTest, runValidateHandshake } from '../../../support/endpoint.ts';

const INPUT = { maxPayload: 64 * 1024, messages: 5, timeoutMs: 500, echo: true };

/** What the check of a text message says about each; the handshake was in order. */
const HOSTILE: readonly (readonly [fault: Fault, detail: RegExp])[] = [
  ['garbage-frames', /the server broke RFC 6455#5\.\d: /],
  ['huge-length', /has 10737418240 bytes or more, limit is \d+ \(WSK_MESSAGE_TOO_BIG\)/],
  ['endless-fragments', /nothing within|WSK_TOO_MANY_FRAGMENTS|WSK_MESSAGE_TOO_BIG/],
  ['drip-frame', /nothing within \d+ ms, expected its echo of 22 bytes/],
  ['masked-frames', /WSK_MASKED_FRAME/],
];

describe('test of a hostile server', () => {
  it.concurrent.each(HOSTILE)('ends with a verdict and a reason for %s', async (fault, detail) => {
    await using server = await startFaultyServer({ faults: [fault], limitBytes: 64 * 1024 });
    const report = await runTest({ ...INPUT, url: server.url });
    expect(report).toMatchObject({ status: 'failed', success: false });
    expect(report.checks.find((row) => row.id === 'text')?.detail).toMatch(detail);
  });

  it.each(['flood-messages', 'flood-pings'] as const)(
    'ends with a report under %s',
    async (fault) => {
      await using server = await startFaultyServer({ faults: [fault], limitBytes: 64 * 1024 });
      const report = await runTest({ ...INPUT, timeoutMs: 100, url: server.url });
      expect(report).toMatchObject({ status: 'failed', success: false });
      const handshake = await runValidateHandshake({ url: server.url, timeoutMs: 200 });
      expect(handshake.rules.length).toBeGreaterThan(60);
      await expect.poll(() => server.connections()).toBe(0);
    },
  );

  it('holds no more of it than the limits allow', async () => {
    await using server = await startFaultyServer({ faults: ['endless-fragments'] });
    await using channel = await dial(server.url, { limits: { messageBytes: 4096 } });
    await channel.sendText('go');
    const event = await channel.next(5000);
    expect(event).toMatchObject({
      type: 'violation',
      violation: { code: 'WSK_MESSAGE_TOO_BIG', data: { limit: 4096 } },
    });
    expect(channel.connection.bufferedBytes).toBeLessThan(1024 * 1024);
  });

  it('gives one reason for what every check meets, and names those', async () => {
    await using server = await startFaultyServer({ faults: ['bad-greeting'] });
    const report = await runTest({ ...INPUT, url: server.url });
    const failed = report.checks.filter(({ verdict }) => verdict === 'fail');
    expect(failed.length).toBeGreaterThan(6);
    expect(report.reasons.filter(({ verdict }) => verdict === 'fail')).toEqual([
      {
        verdict: 'fail',
        reason: expect.stringMatching(/^the server broke RFC 6455#8\.1: /) as string,
        checks: failed.map(({ id }) => id),
      },
    ]);
  });

  it('leaves no connection behind', async () => {
    await using server = await startFaultyServer({
      faults: ['no-close-reply'],
      limitBytes: 64 * 1024,
    });
    await runTest({ ...INPUT, url: server.url });
    await expect.poll(() => server.connections()).toBe(0);
  });

  it('is bounded as a whole: checks left over are skipped, and the run has failed', async () => {
    // Never a close, a pong or an echo: every check lasts until its time-out.
    await using server = await startFaultyServer({
      faults: ['no-echo', 'no-pong', 'no-limit', 'no-utf8', 'accept-unmasked', 'no-close-reply'],
    });
    const report = await runTest({ ...INPUT, timeoutMs: 100, url: server.url });
    const over = report.checks.filter((row) => row.detail.startsWith('skipped: '));
    expect(over.length).toBeGreaterThan(0);
    expect(over.every((row) => row.verdict === 'skip')).toBe(true);
    expect(report).toMatchObject({ status: 'failed', success: false });
  });
});
