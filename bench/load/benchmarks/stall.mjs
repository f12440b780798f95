// Whether what went wrong shows: a server that stands still, and a generator that does.
import { killTree, sleep } from '../machine.mjs';
import { interleave, measure, spread } from '../measure.mjs';
import { ours } from '../ours.mjs';
import { row } from '../table.mjs';

const STALL_MS = 1000;
const GENERATOR_STALL_MS = 50;

/**
 * The server is stopped for a second. A message that was due t after the stop waits for what is left
 * of it; so of all the measured time T, the share of those that wait more than x is (D - x) / T, and
 * the true 95th percentile is D - 0.05 T.
 */
export async function stall({ rounds: count, say }) {
  let stalledMs;
  let measuredMs;
  const load = { connections: 100, rate: 1000, bytes: 32 };
  // Ten seconds are measured in all.
  const run = async () => {
    const result = await measure(ours(), load, {
      windowMs: 4200,
      during: async (_run, { pids }) => {
        await sleep(3000);
        const from = performance.now();
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        await sleep(STALL_MS);
        for (const pid of pids) process.kill(pid, 'SIGCONT');
        stalledMs = performance.now() - from;
      },
      extraMs: STALL_MS + 3000,
    });
    measuredMs = result.report.measured.phases.measureMs;
    const truth = stalledMs - 0.05 * measuredMs;
    return { ...result, truth, errorPercent: 100 * Math.abs(result.p95 / truth - 1) };
  };
  const { rounds, failed } = await interleave([{ name: 'ours', run }], count, say);
  const of = (figure) => spread(rounds, (round) => figure(round.get('ours') ?? {}));
  const why = failed.get('ours');
  return [
    row(
      'stall',
      'p95 by the report, ms',
      of((r) => r.p95),
      { why },
    ),
    row(
      'stall',
      'true p95, ms',
      of((r) => r.truth),
      { why },
    ),
    row(
      'stall',
      'p95: distance from the truth, %',
      of((r) => r.errorPercent),
      { atMost: 2, why },
    ),
  ];
}

/** The generator is stopped for 50 ms; its report has to say so, each time. */
export async function stalls({ rounds: count, say }) {
  const load = { connections: 64, rate: 5000, bytes: 32 };
  const arm = (times) => ({
    name: `${times} x 50 ms`,
    run: async () => {
      const { saturated, latenessP99, p99, serviceP99 } = await measure(ours(), load, {
        windowMs: 3000 - 700 * times,
        during: ({ pid }) => stopAndGo(pid, times),
        extraMs: 700 * times,
      });
      return { flagged: saturated ? 100 : 0, latenessP99, p99, serviceP99 };
    },
  });
  const arms = [arm(0), arm(1), arm(3)];
  const { rounds, failed } = await interleave(arms, Math.max(count, 4), say);
  return arms.map(({ name }) =>
    row(
      'stalls',
      `generator stopped ${name}: flagged, %`,
      spread(rounds, (round) => round.get(name)?.flagged),
      {
        ...(name.startsWith('0')
          ? { note: 'control: nothing was injected' }
          : { atLeast: 100, always: true }),
        why: failed.get(name),
      },
    ),
  );
}

async function stopAndGo(pid, times) {
  for (let i = 0; i < times; i++) {
    await sleep(600);
    killTree(pid, 'SIGSTOP');
    await sleep(GENERATOR_STALL_MS);
    killTree(pid, 'SIGCONT');
  }
}
