import { describeCounts } from '../../core/grade.ts';
import type { View } from '../../core/operation.ts';
import type { TestReport } from './schema.ts';

/** Lays out the report of `test`. */
export function viewTest(report: TestReport): View {
  const { handshake, metrics, checks } = report;
  return {
    title: `test of ${report.target}`,
    facts: [
      ['checks', describeCounts(report.summary)],
      ['subprotocol', handshake.protocol ?? 'none'],
      ['extensions', handshake.extensions === '' ? 'none' : handshake.extensions],
      [
        'messages',
        `${metrics.messagesSent} sent, ${metrics.messagesReceived} back, ${metrics.lost} lost`,
      ],
      ...(metrics.p50Ms === null ? [] : [latencyFact(metrics)]),
      ...(metrics.compressionRatio === null ? [] : [compressionFact(metrics)]),
    ],
    table: {
      columns: ['check', 'verdict', 'RFC', 'detail'],
      rows: checks.map(({ id, rfc, verdict, detail }) => [id, verdict, rfc, detail]),
    },
  };
}

type Fact = readonly [label: string, value: string];

function latencyFact(metrics: TestReport['metrics']): Fact {
  const { avgLatencyMs, p50Ms, p95Ms, p99Ms, roundTrip } = metrics;
  const by = roundTrip === 'ping' ? 'ping and pong' : 'echo';
  return [
    'latency',
    `p50 ${p50Ms} ms, p95 ${p95Ms} ms, p99 ${p99Ms} ms, mean ${avgLatencyMs} ms (${by})`,
  ];
}

function compressionFact({
  compressionRatioSent,
  compressionRatioReceived,
}: TestReport['metrics']): Fact {
  return [
    'compression',
    `sent ${percent(compressionRatioSent)}, received ${percent(compressionRatioReceived)} of the payload`,
  ];
}

function percent(ratio: number | null): string {
  return ratio === null ? 'nothing' : `${(ratio * 100).toFixed(1)} %`;
}
