import type { LoadPlan } from '../../load/plan.ts';
import type { SecondSample } from '../../load/result.ts';
import { count, duration } from '../../report/format.ts';

/** One second in one line, for logs: `measure 12/60 s, 9,998/s, p50 0.240 ms, p99 1.10 ms`. */
export function describeSecond(sample: SecondSample, { mode, phases }: LoadPlan): string {
  const { phase, second, opened, received, errors, connections, response } = sample;
  const total = Math.ceil((phases.rampMs + phases.warmupMs + phases.durationMs) / 1000);
  const parts = [
    `${phase} ${Math.min(second, total)}/${total} s`,
    ...(phase === 'connect' || mode === 'connect' ? [`${count(opened)} opened`] : []),
    ...(mode === 'echo' || mode === 'fanout' ? [`${count(received)}/s`] : []),
    ...(response === null
      ? []
      : [`p50 ${duration(response.p50 / 1e6)}`, `p99 ${duration(response.p99 / 1e6)}`]),
    `${count(connections)} connections`,
    ...(errors === 0 ? [] : [`${count(errors)} errors`]),
  ];
  return parts.join(', ');
}
