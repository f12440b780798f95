import type { View } from '../../core/operation.ts';
import type { BenchmarkWorkerReport } from './schema.ts';

/** Lays out the report of `benchmark-worker`. */
export function viewBenchmarkWorker(report: BenchmarkWorkerReport): View {
  const { name, redis, shares, refused, durationMs } = report;
  return {
    title: `benchmark-worker ${name}`,
    facts: [
      ['Redis', redis],
      ['runs', String(shares.length)],
      ...(refused === 0 ? [] : [['refused', String(refused)] as const]),
      ['duration', `${(durationMs / 1000).toFixed(1)} s`],
    ],
    ...(shares.length === 0
      ? {}
      : {
          table: {
            columns: ['target', 'verdict', 'connections', 'sent', 'received', 'note'],
            rows: shares.map((segment) => [
              segment.target,
              segment.verdict,
              String(segment.connections),
              String(segment.sent),
              String(segment.received),
              segment.note,
            ]),
          },
        }),
  };
}
