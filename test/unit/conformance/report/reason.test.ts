import { expect, it } from 'vitest';
import { reasonOf } from '../../../../src/conformance/report/reason.ts';
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

it('says it where a guard timer ended the case', () => {
  expect(
    reasonOf(caseResult({ id: '6.4.1', behaviorClose: 'FAILED BY CLIENT', guard: 'ended by us' })),
  ).toMatch(/; ended by us$/);
});

it('stays on one line, whatever a peer says', () => {
  const sample = caseResult({ id: '1.1.1', behavior: 'FAILED', result: 'a\r\nb\u001b[31m' });
  expect(reasonOf(sample)).toBe(String.raw`a\r\nb\u001b[31m`);
});
