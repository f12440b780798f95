import { expect, it } from 'vitest';
import { runClientLoad } from '../../../src/load/run/index.ts';
import type { LoadPlan } from '../../../src/load/plan.ts';
import { loadControl, loadPlan } from '../../support/load-results.ts';
import { startWsServer } from '../../support/peers/ws-server.ts';

/** Binary messages of 1000 bytes, which the server sends back as they are. */
function planFor(url: string, changes: Partial<LoadPlan['target']> = {}): LoadPlan {
  const plan = loadPlan({
    engine: 'client',
    workers: 2,
    message: { opcode: 2, size: { kind: 'fixed', bytes: 1000 } },
    phases: { rampMs: 0, warmupMs: 0, durationMs: 1000, drainMs: 5000, connectTimeoutMs: 20_000 },
  });
  return { ...plan, target: { ...plan.target, url, ...changes } };
}

it('compresses what it sends where the server agrees to permessage-deflate', async () => {
  await using server = await startWsServer({ deflate: true });
  const result = await runClientLoad(planFor(server.url, { compression: true }), loadControl());
  const counts = await server.counts();
  expect(counts).toMatchObject({ deflated: 10, received: 100, payloadBytes: 100_000 });
  // Words and numbers: half of it goes, frame headers and the closing handshake included.
  expect(counts.wireBytes).toBeLessThan(70_000);
  expect(result.messages).toMatchObject({ sent: 100, received: 100, lost: 0, wrong: 0 });
  expect(result.bytes.sent).toBeLessThan(70_000);
  expect(result.bytes.received).toBeLessThan(70_000);
  expect(result.notes).toContain('permessage-deflate was in force');
});

it('sends as it is and says so where the server declines', async () => {
  await using server = await startWsServer({ deflate: false });
  const result = await runClientLoad(planFor(server.url, { compression: true }), loadControl());
  const counts = await server.counts();
  expect(counts).toMatchObject({ deflated: 0, received: 100, payloadBytes: 100_000 });
  expect(counts.wireBytes).toBeGreaterThan(100_000);
  expect(result.messages).toMatchObject({ sent: 100, received: 100, wrong: 0 });
  expect(result.notes).toContain('the server declined permessage-deflate');
});

it('offers nothing unless it is asked to', async () => {
  await using server = await startWsServer({ deflate: true });
  const result = await runClientLoad(planFor(server.url), loadControl());
  expect((await server.counts()).deflated).toBe(0);
  expect(result.notes).toEqual([]);
});

it('supports the mode echo only', () => {
  const plan: LoadPlan = { ...planFor('ws://127.0.0.1:1/'), mode: 'fanout' };
  expect(() => runClientLoad(plan, loadControl())).toThrow('--compression works in mode echo only');
});
