import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../../../src/operations/test/checks/index.ts';
import type { TestInput } from '../../../../src/operations/test/schema.ts';
import type { Fault } from '../../../support/peers/faults.ts';
import { startFaultyServer } from '../../../support/peers/faulty-server.ts';
import { failedIds, runTest } from '../../../support/endpoint.ts';

const LIMIT_BYTES = 128 * 1024;

/** What is common to all runs here: every check that can run does. */
const INPUT = {
  maxPayload: LIMIT_BYTES,
  subprotocols: ['chat.v1'],
  compression: true,
  messages: 30,
  timeoutMs: 1500,
};

interface Case {
  readonly check: string;
  readonly fault: Fault;
  /** `fail` if absent; with `--strict` both are. */
  readonly grade?: 'warn';
  readonly detail: RegExp;
  readonly input?: Partial<TestInput>;
}

/** Wrong servers, each of which makes exactly one check fail or warn. */
const CASES: readonly Case[] = [
  {
    check: 'handshake',
    fault: 'bad-accept',
    detail: /response-accept/,
    input: { compression: false },
  },
  {
    check: 'handshake',
    fault: 'no-upgrade-header',
    detail: /response-upgrade/,
    input: { compression: false },
  },
  {
    check: 'handshake',
    fault: 'unasked-extension',
    detail: /x-unasked/,
    input: { compression: false },
  },
  { check: 'subprotocol', fault: 'no-protocol', grade: 'warn', detail: /selected none/ },
  {
    check: 'subprotocol-not-invented',
    fault: 'invents-protocol',
    detail: /selected invented/,
    input: { subprotocols: [] },
  },
  { check: 'ping-pong', fault: 'no-pong', detail: /nothing within .*, expected a pong/ },
  {
    check: 'ping-pong',
    fault: 'empty-pong',
    detail: /expected a pong with the 8 bytes of the ping; it sent a pong with 0/,
  },
  { check: 'text', fault: 'text-as-binary', detail: /^the server answered binary of 22 bytes/ },
  { check: 'binary', fault: 'binary-as-text', detail: /6455#8\.1: text/ },
  { check: 'echo', fault: 'lose-every-tenth', detail: /27 of 30 came back: 3 lost/ },
  { check: 'echo', fault: 'corrupt-every-tenth', detail: /that match no message/ },
  { check: 'fragmentation', fault: 'first-fragment-only', detail: /expected the same/ },
  { check: 'fragmentation', fault: 'utf8-per-frame', detail: /closed with 1007/ },
  {
    check: 'fragmentation',
    fault: 'no-inner-pong',
    detail: /expected a pong in answer to the ping between the fragments/,
  },
  { check: 'message-64k', fault: 'off-by-one-at-64k', detail: /65535 bytes/ },
  {
    check: 'message-near-limit',
    fault: 'half-limit',
    detail: /refuses more than 65536 bytes: --max-payload 65536/,
  },
  {
    check: 'over-limit',
    fault: 'drop-over-limit',
    grade: 'warn',
    detail: /dropped the connection/,
  },
  { check: 'over-limit-fragmented', fault: 'limit-per-frame', detail: /accepted fragments/ },
  { check: 'invalid-utf8', fault: 'no-utf8', detail: /6455#8\.1: text/ },
  { check: 'unmasked-frame', fault: 'accept-unmasked', detail: /the server accepted/ },
  { check: 'reserved-opcode', fault: 'ignore-reserved-opcode', detail: /the server accepted/ },
  { check: 'close-by-client', fault: 'no-close-reply', detail: /nothing within/ },
  {
    check: 'close-by-client',
    fault: 'drop-on-close',
    detail: /dropped the connection without a close frame/,
  },
  {
    check: 'close-by-client',
    fault: 'reply-close-1011',
    grade: 'warn',
    detail: /1011 .* in answer to 1000/,
  },
  { check: 'close-by-client', fault: 'text-after-close', detail: /a data frame after its close/ },
  { check: 'close-by-client', fault: 'second-close', detail: /a second close frame after/ },
  { check: 'close-by-client', fault: 'keep-tcp-after-reply', detail: /left TCP open/ },
  { check: 'close-by-server', fault: 'keep-tcp-after-fail', detail: /left TCP open/ },
  { check: 'compression', fault: 'deflate-declined', detail: /without it/ },
  { check: 'compression', fault: 'deflate-keeps-context', detail: /7692#7\.2\.2/ },
  {
    check: 'compression',
    fault: 'deflate-wide-window',
    detail: /does not inflate with that window/,
  },
  {
    check: 'liveness',
    fault: 'ten-pongs',
    detail: /nothing within .* expected the pong of ping 10/,
    input: { echo: false },
  },
];

describe('checks of test', () => {
  it('all pass against a server without fault', async () => {
    await using server = await startFaultyServer({
      limitBytes: LIMIT_BYTES,
      protocols: ['chat.v1'],
    });
    const report = await runTest({ ...INPUT, url: server.url });
    expect(report.checks.filter((row) => row.verdict !== 'pass').map((row) => row.id)).toEqual([
      'liveness',
      'graceful-shutdown',
      'own-tests',
    ]);
    expect(report).toMatchObject({ status: 'passed', success: true });
  });

  it('all pass against a server without fault that does not echo', async () => {
    await using server = await startFaultyServer({
      faults: ['no-echo', 'hello'],
      limitBytes: LIMIT_BYTES,
      protocols: ['chat.v1'],
    });
    const report = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.metrics).toMatchObject({ roundTrip: 'ping', messagesSent: 30, lost: 0 });
    expect(report.checks.find((row) => row.id === 'liveness')?.detail).toMatch(
      /30 pings answered \(no echo: the first message did not come back\)/,
    );
  });

  it('wants the pong inside a message of a server that does not echo, too', async () => {
    await using server = await startFaultyServer({ faults: ['no-echo', 'no-inner-pong'] });
    const { checks } = await runTest({ messages: 2, timeoutMs: 1000, url: server.url });
    expect(failedIds(checks)).toEqual(['fragmentation']);
  });

  it('pass for a server that looks at the limit only when a message is complete', async () => {
    await using server = await startFaultyServer({
      faults: ['late-limit'],
      limitBytes: LIMIT_BYTES,
    });
    const report = await runTest({ maxPayload: LIMIT_BYTES, messages: 5, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
  });

  it.concurrent.each(CASES)('$check alone is wrong for a server that $fault', async (row) => {
    await using server = await startFaultyServer({
      faults: [row.fault],
      limitBytes: LIMIT_BYTES,
      protocols: ['chat.v1'],
    });
    const report = await runTest({ ...INPUT, echo: true, ...row.input, url: server.url });
    const wrong = report.checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn');
    const grade = row.grade ?? 'fail';
    expect(wrong).toMatchObject([{ id: row.check, verdict: grade }]);
    expect(wrong[0]?.detail).toMatch(row.detail);
    expect(report.success).toBe(grade === 'warn');
    expect(report.summary).toMatchObject(grade === 'warn' ? { warnings: 1 } : { failed: 1 });
  });

  it.concurrent.each([
    ['text-as-binary', 'text'],
    ['lose-every-tenth', 'echo'],
    ['corrupt-every-tenth', 'echo'],
    ['first-fragment-only', 'fragmentation'],
    ['utf8-per-frame', 'fragmentation'],
    ['off-by-one-at-64k', 'message-64k'],
    ['drops-64k', 'message-64k'],
    ['echoes-twice', 'echo'],
  ] as const)('only warn of %s where no echo was stated', async (fault, check) => {
    await using server = await startFaultyServer({ faults: [fault], limitBytes: LIMIT_BYTES });
    const report = await runTest({ messages: 30, timeoutMs: 1000, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.success).toBe(true);
    const row = report.checks.find(({ id }) => id === check);
    expect(row).toMatchObject({ verdict: 'warn' });
    expect(row?.detail).toMatch(/with --echo a failure/);
  });

  it('fail for an application that hangs, echo or not', async () => {
    await using server = await startFaultyServer({ faults: ['hangs-on-64k'] });
    const report = await runTest({ messages: 3, timeoutMs: 500, url: server.url });
    const row = report.checks.find(({ id }) => id === 'message-64k');
    expect(row).toMatchObject({ verdict: 'fail' });
    expect(row?.detail).toMatch(/^no pong within/);
  });

  it('fail for a server without echo that refuses less than --max-payload says', async () => {
    await using server = await startFaultyServer({
      faults: ['no-echo', 'half-limit'],
      limitBytes: LIMIT_BYTES,
    });
    const input = { maxPayload: LIMIT_BYTES, messages: 3, timeoutMs: 1000, url: server.url };
    const { checks } = await runTest(input);
    expect(failedIds(checks)).toEqual(['message-near-limit']);
  });

  it('fail with --strict where they warn without', async () => {
    await using server = await startFaultyServer({
      faults: ['drop-over-limit'],
      limitBytes: LIMIT_BYTES,
    });
    const input = { maxPayload: LIMIT_BYTES, messages: 5, url: server.url, strict: true };
    const report = await runTest(input);
    expect(failedIds(report.checks)).toEqual(['over-limit']);
    expect(report).toMatchObject({ status: 'failed', summary: { failed: 1, warnings: 0 } });
  });

  it('each have a wrong server here, or a wrong project elsewhere', () => {
    const covered = new Set(CASES.map((row) => row.check))
      .add('graceful-shutdown')
      .add('own-tests');
    const rest = CHECKS.map((check) => check.id).filter((id) => !covered.has(id));
    // Their wrong projects are in test/templates/features.test.ts.
    expect(rest.filter((id) => !id.startsWith('chat-'))).toEqual([]);
  });
});
