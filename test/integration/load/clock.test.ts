import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runLoad } from '../../../src/load/run/index.ts';
import type { LoadPlan } from '../../../src/load/plan.ts';
import type { Metrics } from '../../../src/load/metrics.ts';
import type { SecondSample } from '../../../src/load/result.ts';
import { judgeSaturation, percentilesOf } from '../../../src/load/stats/index.ts';
import { loadControl, loadPlan } from '../../support/load-results.ts';
import { startWsServer } from '../../support/peers/ws-server.ts';
import type { WsServer } from '../../support/peers/ws-server.ts';

const GENERATOR = fileURLToPath(
  new URL('../../fixtures/load/accounting/generate.mjs', import.meta.url),
);

function planFor(url: string, rate: number, durationMs: number): LoadPlan {
  const plan = loadPlan({ load: { model: 'open', rate, arrivals: 'constant', seed: 1 } });
  return {
    ...plan,
    target: { ...plan.target, url },
    phases: { ...plan.phases, durationMs, drainMs: 20_000, connectTimeoutMs: 20_000 },
  };
}

/**
 * What share `q` of the messages wait at most, of which an even stream comes over `durationMs` and
 * meets a server that does nothing for `stallMs`: one that is due at `t` of the stall waits for the
 * rest of it.
 */
function truth(q: number, stallMs: number, durationMs: number): number {
  return Math.max(0, stallMs - (1 - q) * durationMs);
}

/** Four seconds of traffic in which the server is stopped for one. */
async function runWithStall(server: WsServer, changes: Partial<LoadPlan> = {}) {
  const durationMs = 4000;
  const plan = { ...planFor(server.url, 500, durationMs), ...changes };
  let stall: Promise<number> | undefined;
  const onSecond = ({ phase }: SecondSample): void => {
    if (phase === 'measure') stall ??= stopForASecond(server);
  };
  const result = await runLoad(plan, loadControl({ onSecond }));
  return { plan, result, durationMs, stallMs: (await stall) ?? 0 };
}

/** How long it was, in milliseconds. */
async function stopForASecond({ kill }: WsServer): Promise<number> {
  const start = performance.now();
  kill('SIGSTOP');
  await sleep(1000);
  kill('SIGCONT');
  return performance.now() - start;
}

describe('a server that is stopped for a second', () => {
  it('shows in the percentiles of all who would have waited', async () => {
    await using server = await startWsServer();
    const { plan, result, stallMs, durationMs } = await runWithStall(server);
    const response = percentilesOf(result.latency.response);
    // Nobody was left out: all were sent as due, and all were answered in the end.
    expect(result.messages).toMatchObject({ intended: 2000, sent: 2000, received: 2000, lost: 0 });
    expect(response?.count).toBe(2000);
    for (const [q, measured] of [
      [0.9, response?.p90],
      [0.95, response?.p95],
      [0.99, response?.p99],
    ] as const) {
      const expected = truth(q, stallMs, durationMs);
      expect(measured).toBeGreaterThan(expected * 0.8);
      expect(measured).toBeLessThan(expected + stallMs);
    }
    // It sent on: the server it was that was late.
    expect(judgeSaturation(result, plan).reasons.join()).not.toContain('that were due');
  });

  it('hardly shows in a closed loop, which sends nothing while it waits', async () => {
    await using server = await startWsServer();
    const { result, stallMs, durationMs } = await runWithStall(server, {
      load: { model: 'closed', depth: 1, seed: 1 },
    });
    const { p95 = Infinity } = percentilesOf(result.latency.service) ?? {};
    expect(p95).toBeLessThan(truth(0.95, stallMs, durationMs) / 4);
  });
});

describe('a generator that is stopped', () => {
  it.each([
    ['for 60 ms, once', 1, 60],
    ['for 50 ms, time and again', 8, 50],
  ])('is flagged: %s', async (_, times, ms) => {
    await using server = await startWsServer();
    await using generator = startGenerator(planFor(server.url, 1000, 3000));
    await generator.measuring;
    for (let i = 0; i < times; i++) {
      generator.kill('SIGSTOP');
      await sleep(ms);
      generator.kill('SIGCONT');
      await sleep(100);
    }
    const { saturated, disturbed, reasons } = await generator.verdict;
    // It was stopped from outside, with CPU time to spare.
    expect({ saturated, disturbed }).toEqual({ saturated: false, disturbed: true });
    expect(reasons.join()).toMatch(/messages left late|it stalled in/);
  });
});

interface Generator extends AsyncDisposable {
  readonly measuring: Promise<void>;
  readonly verdict: Promise<Metrics['generator']>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** The generator in a process of its own; `await using` kills it. */
function startGenerator(plan: LoadPlan): Generator {
  const child = spawn(process.execPath, [GENERATOR, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const line = async (event: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      lines.on('line', (text) => {
        const entry = JSON.parse(text) as Record<string, unknown>;
        if (entry['event'] === event) resolve(entry);
      });
      void exited.then(() => {
        reject(new Error(`the generator ended before it was ${event}`));
      });
    });
  const verdict = line('done').then((entry) => entry['generator'] as Metrics['generator']);
  // Whoever waits for the first sees why there will be no second.
  verdict.catch(() => undefined);
  return {
    measuring: line('measuring').then(() => undefined),
    verdict,
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
