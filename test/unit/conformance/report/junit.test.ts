import { expect, it } from 'vitest';
import { renderJunit } from '../../../../src/conformance/report/junit.ts';
import { caseResult, runOf } from '../../../support/conformance-run.ts';
import { reservedBitAccepted, lateUtf8Check } from '../../../support/conformance-samples.ts';
import { runWithInjection } from '../../../support/malformed-input.ts';

it('has a suite for each section, with reasons for what failed', () => {
  const run = runOf([
    caseResult({ id: '1.1.1', durationMs: 1500 }),
    reservedBitAccepted(),
    lateUtf8Check(),
  ]);
  expect(renderJunit(run)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="autobahn-test" tests="3" failures="1" errors="0" skipped="0" time="2.750">
  <testsuite name="peer: 1 Framing" tests="1" failures="0" errors="0" skipped="0" time="1.500" timestamp="2026-11-21T08:00:00">
    <testcase name="1.1.1 what 1.1.1 is about" classname="autobahn.peer.1" time="1.500"/>
  </testsuite>
  <testsuite name="peer: 3 Reserved bits" tests="1" failures="1" errors="0" skipped="0" time="1.004" timestamp="2026-11-21T08:00:00">
    <testcase name="3.1 text with RSV 1" classname="autobahn.peer.3" time="1.004">
      <failure message="the peer did not fail the connection; expected nothing, received text &quot;Hello, world!&quot; (13 bytes)" type="fail">behavior FAILED: Actual events differ from any expected.
close FAILED: The connection was failed by the wrong endpoint
expected: The peer fails the connection: close 1002, or TCP is dropped.
RFC 6455 section 5.2 Base Framing Protocol: https://www.rfc-editor.org/rfc/rfc6455#section-5.2</failure>
    </testcase>
  </testsuite>
  <testsuite name="peer: 6 UTF-8" tests="1" failures="0" errors="0" skipped="0" time="2.002" timestamp="2026-11-21T08:00:00">
    <testcase name="6.4.3 a code point beyond Unicode, one frame in three pieces" classname="autobahn.peer.6" time="2.002"/>
  </testsuite>
</testsuites>
`);
});

it('fails what the strictness of the run fails', () => {
  const run = runOf([lateUtf8Check()]);
  const strict = { ...run, options: { ...run.options, failOn: 'non-strict' as const } };
  expect(renderJunit(strict)).toContain('type="non-strict"');
});

it('skips expected failures and what the peer does not implement, and fails stale rows', () => {
  const run = runOf(
    [
      reservedBitAccepted(),
      caseResult({ id: '1.1.1' }),
      caseResult({ id: '12.1.1', behavior: 'UNIMPLEMENTED' }),
    ],
    {
      expectedFailures: [
        { case: '3.1', reason: 'the parser is old', outcome: 'failed as expected' },
        { case: '1.1.1', reason: 'once broken', outcome: 'stale' },
      ],
    },
  );
  const xml = renderJunit(run);
  expect(xml).toContain('tests="4" failures="1" errors="0" skipped="2"');
  expect(xml).toContain('<skipped message="expected to fail: the parser is old"/>');
  expect(xml).toContain('<skipped message="the peer does not speak permessage-deflate"/>');
  expect(xml).toContain('reason given: once broken');
});

it('has no character that XML does not, and no markup of a peer', () => {
  const xml = renderJunit(runWithInjection());
  expect(xml).not.toMatch(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/);
  expect(xml).not.toContain('<img');
});
