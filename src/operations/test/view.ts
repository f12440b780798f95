import { countGrades, describeCounts, groupRows } from '../../core/grade.ts';
import type { View } from '../../core/operation.ts';
import type { TestReport } from './schema.ts';

/** Lays out the report of `test`. */
export function viewTest(report: TestReport): View {
  const checks = report.checks.filter(({ section }) => section === undefined);
  return {
    title: `test of ${report.target}`,
    facts: [
      ['checks', describeCounts(report.summary)],
      // A client is held to its contract alone.
      ...(checks.length === 0 ? [] : connectionFacts(report)),
    ],
    ...(checks.length > 0 && { table: tableOf(checks) }),
    ...viewContract(report.checks.filter(({ section }) => section !== undefined)),
  };
}

function connectionFacts({ handshake, metrics }: TestReport): Fact[] {
  const { messagesSent, messagesReceived, lost } = metrics;
  return [
    ['subprotocol', handshake.protocol ?? 'none'],
    ['extensions', handshake.extensions === '' ? 'none' : handshake.extensions],
    ['messages', `${messagesSent} sent, ${messagesReceived} back, ${lost} lost`],
    ...(metrics.p50Ms === null ? [] : [latencyFact(metrics)]),
    ...(metrics.compressionRatio === null ? [] : [compressionFact(metrics)]),
  ];
}

function tableOf(checks: TestReport['checks']): View.Table {
  return {
    columns: ['check', 'verdict', 'RFC', 'detail'],
    rows: groupRows(checks, ({ detail }) => detail).map(({ verdict, reason, rows }) => [
      rows.map(({ id }) => id).join(', '),
      verdict,
      rows.every(({ rfc }) => rfc === rows[0].rfc) ? rows[0].rfc : '',
      reason,
    ]),
  };
}

/** How many rows of each section hold, and each one that does not; the JSON has them all. */
function viewContract(rows: TestReport['checks']): Pick<View, 'moreTables' | 'notes'> {
  if (rows.length === 0) return {};
  const sections = [...new Set(rows.map(({ section = '' }) => section))];
  const table = {
    columns: ['contract', 'passed', 'failed', 'warnings', 'skipped'],
    rows: sections.map((name) => {
      const of = countGrades(rows.filter((row) => row.section === name));
      return [name, ...[of.passed, of.failed, of.warnings, of.skipped].map(String)];
    }),
  };
  const failed = rows.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn');
  const skipped = groupRows(
    rows.filter(({ verdict }) => verdict === 'skip'),
    ({ detail }) => detail,
  ).sort((one, other) => other.rows.length - one.rows.length);
  const broken = tableOf(failed.map((row) => ({ ...row, detail: `${row.title}: ${row.detail}` })));
  return {
    moreTables: failed.length === 0 ? [table] : [table, broken],
    // `12 rows of the contract are skipped: the server lacks the feature auth`, the most first.
    notes: skipped.map(({ rows: { length }, reason }) => {
      const rows = length === 1 ? '1 row of the contract is' : `${length} rows of the contract are`;
      return `${rows} skipped: ${reason}`;
    }),
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
