import type { Metrics } from '../../src/load/metrics.ts';
import { summarize } from '../../src/load/stats/index.ts';
import { histogramOf, loadPlan, loadResult } from './load-results.ts';

/** A run that got `rate` replies per second, all of them after `p99` milliseconds. */
export function measuredRun(rate: number, p99: number, changes: Partial<Metrics> = {}): Metrics {
  const empty = loadResult();
  const result = loadResult({
    phases: { connectMs: 1000, warmupMs: 0, measureMs: 1000, drainMs: 0 },
    connections: { requested: 10, opened: 10, failed: 0, dropped: 0 },
    messages: { ...empty.messages, intended: rate, sent: rate, received: rate, inWindow: rate },
    latency: { ...empty.latency, response: histogramOf(p99 * 1e6) },
  });
  return { ...summarize(result, loadPlan(), null), ...changes };
}
