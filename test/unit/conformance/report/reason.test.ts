import { expect, it } from 'vitest';
import { groupByReason, listCases, reasonOf } from '../../../../src/conformance/report/reason.ts';
import { caseResult } from '../../../support/conformance-run.ts';
import {
  lateUtf8Check,
  maskedServerFrame,
  refusedHandshake,
  reservedBitAccepted,
  spoiledEcho,
} from '../../../support/conformance-samples.ts';

it('says what was expected and what came instead', () => {
  expect(reasonOf(reservedBitAccepted())).toBe(
    'the peer did not fail the connection; expected nothing, received text "Hello, world!" (13 bytes)',
  );
  expect(reasonOf(spoiledEcho())).toBe(
    'the echo of 125 bytes differs from what was sent at byte 124',
  );
  expect(reasonOf(lateUtf8Check())).toBe('still open after pause B, expected to be closed before');
});

it('begins with the rule that the peer broke itself', () => {
  expect(reasonOf(maskedServerFrame())).toMatch(/^frame from the server \(opcode 1\) is masked; /);
});

it('says when nothing was open, or nothing was run', () => {
  expect(reasonOf(refusedHandshake())).toBe('the opening handshake was never completed');
  expect(reasonOf(caseResult({ id: '1.1.1', notRun: 'the server is gone' }))).toBe(
    'not run: the server is gone',
  );
});

it('names a wrong close code beside those that were right', () => {
  const sample = caseResult({ id: '2.5', behaviorClose: 'WRONG CODE' });
  const close = { ...sample.close, remoteCloseCode: 1000 };
  const expectedClose = { closedByMe: false, closeCode: [1002, 1007], requireClean: false };
  expect(reasonOf({ ...sample, close, expectedClose })).toBe(
    'close code 1000, expected 1002 or 1007 or none',
  );
});

it('gives the flood alone where a peer was cut off for it', () => {
  const guard = 'the peer floods with pings';
  const sample = caseResult({ id: '1.1.2', behavior: 'FAILED', behaviorClose: 'UNCLEAN', guard });
  const close = { ...sample.close, wasClean: false, wasNotCleanReason: guard };
  expect(reasonOf({ ...sample, close })).toBe(guard);
});

it('says it where a guard timer ended the case', () => {
  expect(
    reasonOf(caseResult({ id: '6.4.1', behaviorClose: 'FAILED BY CLIENT', guard: 'ended by us' })),
  ).toMatch(/; ended by us$/);
});

it('stays on one line, whatever a peer says', () => {
  const sample = caseResult({ id: '1.1.1', behavior: 'FAILED', result: 'a\r\nb\u001b[31m' });
  expect(reasonOf(sample)).toBe(String.raw`a\r\nb\u001b[31m`);
});

it('leaves out that the peer answered the 1001 with which the tester gave up', () => {
  const silent = caseResult({
    id: '1.1.2',
    behavior: 'FAILED',
    behaviorClose: 'WRONG CODE',
    result: 'Actual events differ from any expected.',
    expected: { OK: [{ type: 'pong', payload: { length: 0, hex: '' } }] },
  });
  const close = { ...silent.close, failedByMe: true, localCloseCode: 1001, remoteCloseCode: 1001 };
  const reason = 'expected pong (0 bytes), received nothing';
  expect(reasonOf({ ...silent, close })).toBe(reason);
  expect(reasonOf({ ...silent, close: { ...close, remoteCloseCode: 1002 } })).toBe(
    `${reason}; close code 1002, expected 1000 or none`,
  );
});

it('puts cases together that fail alike, the worst and the most first', () => {
  const row = (name: string, reason: string, verdict: 'fail' | 'non-strict' = 'fail') => ({
    name,
    verdict,
    reason,
  });
  expect(
    groupByReason([
      row('6.4.1', 'still open', 'non-strict'),
      row('1.1.1', 'expected text (0 bytes), received nothing'),
      row('7.1.1', 'close code 1000, expected 1002 or none'),
      row('1.1.2', 'expected text "a" (1 byte), received nothing; close code none'),
      row('1.1.3', 'expected text "b" (1 byte), received nothing'),
      row('7.1.2', 'close code 1001, expected 1002 or none'),
      row('1.2.1', 'the echo of 5 bytes differs from what was sent at byte 2'),
    ]).map(({ reason, cases }) => [reason, cases.join(' ')]),
  ).toEqual([
    ['nothing came back', '1.1.1 1.1.3'],
    ['close code 1000, expected 1002 or none', '7.1.1'],
    ['expected text "a" (1 byte), received nothing; close code none', '1.1.2'],
    ['close code 1001, expected 1002 or none', '7.1.2'],
    ['the echo of 5 bytes differs from what was sent at byte 2', '1.2.1'],
    ['still open', '6.4.1'],
  ]);
});

it('lists the first cases of many', () => {
  expect(listCases(['1', '2', '3', '4', '5'])).toBe('1, 2, 3, 4, 5');
  expect(listCases(['1', '2', '3', '4', '5', '6'])).toBe('1, 2, 3, 4 and 2 more');
});
