import { expect, it } from 'vitest';
import type { TestReport } from '../../../../src/operations/test/schema.ts';
import { viewTest } from '../../../../src/operations/test/view.ts';
import { viewValidateHandshake } from '../../../../src/operations/validate-handshake/view.ts';

const REPORT: TestReport = {
  operation: 'test',
  target: 'ws://h/',
  status: 'failed',
  success: false,
  handshake: { protocol: null, extensions: '' },
  metrics: {
    messagesSent: 3,
    messagesReceived: 2,
    lost: 1,
    roundTrip: 'ping',
    avgLatencyMs: 1.5,
    p50Ms: 1,
    p95Ms: 2,
    p99Ms: 2,
    compressionRatio: 0.2,
    compressionRatioSent: 0.2,
    compressionRatioReceived: null,
    bytesSent: 1,
    bytesReceived: 2,
    durationMs: 3,
  },
  checks: [
    { id: 'text', rfc: '6455#5.6', title: 'text', verdict: 'fail', detail: 'why', durationMs: 1 },
  ],
  reasons: [{ verdict: 'fail', reason: 'why', checks: ['text'] }],
  summary: { passed: 0, failed: 1, warnings: 2, infos: 0, skipped: 0 },
};

it('lays out the report of test', () => {
  expect(viewTest(REPORT)).toEqual({
    title: 'test of ws://h/',
    facts: [
      ['checks', '1 failed, 2 warnings'],
      ['subprotocol', 'none'],
      ['extensions', 'none'],
      ['messages', '3 sent, 2 back, 1 lost'],
      ['latency', 'p50 1 ms, p95 2 ms, p99 2 ms, mean 1.5 ms (ping and pong)'],
      ['compression', 'sent 20.0 %, received nothing of the payload'],
    ],
    table: {
      columns: ['check', 'verdict', 'RFC', 'detail'],
      rows: [['text', 'fail', '6455#5.6', 'why']],
    },
  });
});

it('puts checks and rules together that ended alike for the same reason', () => {
  const check = { title: '', detail: 'why', durationMs: 1 };
  const view = viewTest({
    ...REPORT,
    checks: [
      { ...check, id: 'text', rfc: 'a', verdict: 'fail' },
      { ...check, id: 'near', rfc: 'a', verdict: 'pass' },
      { ...check, id: 'over', rfc: 'a', verdict: 'pass' },
      { ...check, id: 'binary', rfc: 'b', verdict: 'fail' },
      { ...check, id: 'late', rfc: 'b', verdict: 'warn' },
    ],
  });
  expect(view.table?.rows).toEqual([
    ['text, binary', 'fail', '', 'why'],
    ['near', 'pass', 'a', 'why'],
    ['over', 'pass', 'a', 'why'],
    ['late', 'warn', 'b', 'why'],
  ]);
  const rule = { rfc: 'a', rule: '', verdict: 'skip', seen: 'gone' } as const;
  const handshake = viewValidateHandshake({
    operation: 'validate-handshake',
    target: 'ws://h/',
    status: 'failed',
    success: false,
    rules: ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ ...rule, id, expected: id })),
    summary: REPORT.summary,
  });
  expect(handshake.table?.rows).toEqual([['a, b, c, d and 2 more', 'skip', '', 'gone', '']]);
});

it('leaves out figures that were not measured', () => {
  const metrics = { ...REPORT.metrics, p50Ms: null, compressionRatio: null };
  expect(viewTest({ ...REPORT, metrics }).facts?.map(([label]) => label)).toEqual([
    'checks',
    'subprotocol',
    'extensions',
    'messages',
  ]);
});

it('says of a client, which is held to its contract alone, nothing else', () => {
  const row = { title: 'a cut', rfc: '', detail: '', durationMs: 1, section: 'Lost connections' };
  const skipped = { ...row, verdict: 'skip', detail: 'no tokens', section: 'Tokens' } as const;
  const checks: TestReport['checks'] = [
    { ...row, id: 'cut.1', verdict: 'pass' },
    { ...skipped, id: 'tokens.1' },
  ];
  const view = viewTest({ ...REPORT, checks });
  expect(view.facts?.map(([label]) => label)).toEqual(['checks']);
  expect(view.table).toBeUndefined();
  expect(view.moreTables?.[0]?.rows).toEqual([
    ['Lost connections', '1', '0', '0', '0'],
    ['Tokens', '0', '0', '0', '1'],
  ]);
  expect(view.notes).toEqual(['1 row of the contract is skipped: no tokens']);
  const twice = viewTest({ ...REPORT, checks: [...checks, { ...skipped, id: 'tokens.2' }] });
  expect(twice.notes).toEqual(['2 rows of the contract are skipped: no tokens']);
});

it('lays out the report of validate-handshake', () => {
  const row = { id: 'a', rfc: 'b', rule: 'c', verdict: 'pass', seen: 'd', expected: 'e' } as const;
  const summary = { passed: 1, failed: 0, warnings: 1, infos: 1, skipped: 0 };
  const view = viewValidateHandshake({
    operation: 'validate-handshake',
    target: 'ws://h/',
    status: 'passed',
    success: true,
    rules: [row],
    summary,
  });
  expect(view.facts).toEqual([['rules', '1 passed, 1 warning, 1 for information']]);
  expect(view.table?.rows).toEqual([['a', 'pass', 'b', 'd', 'e']]);
});
