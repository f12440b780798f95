import { expect, it } from 'vitest';
import { IdleTimeout } from '../../../../src/conformance/runner/idle-timeout.ts';
import { caseResult } from '../../../support/conformance-run.ts';

const message = { type: 'message', binary: false, payload: { length: 1, hex: '2a' } } as const;
const echoed = caseResult({
  id: '1.1.1',
  opened: true,
  expected: { OK: [message] },
  received: [message],
});
const mute = caseResult({ id: '1.1.1', opened: true, expected: { OK: [message] }, received: [] });
const idle = caseResult({
  id: '1.1.1',
  opened: true,
  reportTime: true,
  behavior: 'FAILED',
  guard: 'nothing came',
});

function secondsAfter(...results: (typeof echoed)[]): number {
  const idleTimeout = new IdleTimeout();
  for (const result of results) idleTimeout.note(result);
  return idleTimeout.timeoutS;
}

it('waits long for a peer that echoes, and for one of which nothing is known', () => {
  expect(secondsAfter()).toBe(30);
  expect(secondsAfter(echoed, mute, mute, mute)).toBe(30);
  expect(secondsAfter(mute, mute)).toBe(30);
});

it('waits shortly for a peer that never echoed anything', () => {
  expect(secondsAfter(mute, mute, mute)).toBe(3);
});

it('waits shortly for a peer that was silent three times', () => {
  expect(secondsAfter(echoed, idle, idle)).toBe(30);
  expect(secondsAfter(echoed, idle, idle, idle)).toBe(3);
});
