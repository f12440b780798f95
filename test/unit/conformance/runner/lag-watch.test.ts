import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LagWatch } from '../../../../src/conformance/runner/lag-watch.ts';

/** Keeps the event loop from turning for `ms`. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

it('is behind once a turn came much too late', async () => {
  using lag = new LagWatch();
  expect(lag.isBehind).toBe(false);
  await sleep(60);
  block(400);
  await sleep(60);
  expect(lag.isBehind).toBe(true);
});

it('complains when that happened again and again, and says how late', async () => {
  using lag = new LagWatch();
  expect(lag.complaint()).toBeNull();
  for (let turn = 0; turn < 4; turn++) {
    block(400);
    await sleep(60);
  }
  expect(lag.complaint()).toMatch(/late [4-9] times, at worst by \d+ ms/);
});
