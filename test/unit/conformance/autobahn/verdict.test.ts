import { describe, expect, it } from 'vitest';
import { newCloseState } from '../../../../src/conformance/autobahn/close-state.ts';
import { caseVerdict } from '../../../../src/conformance/autobahn/verdict.ts';
import type { CloseFacts } from '../../../../src/conformance/result.ts';
import { caseOf } from '../../../support/case-play.ts';

function verdictOf(
  id: string,
  facts: Partial<CloseFacts>,
  options: { role?: 'client' | 'server'; behavior?: 'OK' | 'FAILED' } = {},
): string {
  const definition = caseOf(id);
  const { script } = definition;
  if (script.kind !== 'events') throw new Error(`${id} has no events`);
  const { behavior, behaviorClose } = caseVerdict({
    definition,
    role: options.role ?? 'client',
    close: { ...newCloseState(), ...facts },
    handler: {
      verdict: { behavior: options.behavior ?? 'OK', result: '' },
      expectedClose: script.close,
    },
  });
  return `${behavior} / ${behaviorClose}`;
}

const ME = { closedByMe: true, wasClean: true };

describe('the order of the questions about the end of a connection', () => {
  it.each([
    ['1.1.1', { closedByMe: false, remoteCloseCode: 1011 }, 'OK / FAILED'],
    ['1.1.1', { closedByMe: true, remoteCloseCode: 1011, droppedByMe: true }, 'OK / UNCLEAN'],
    ['1.1.1', { ...ME, remoteCloseCode: 1011, droppedByMe: true }, 'OK / WRONG CODE'],
    ['1.1.1', { ...ME, droppedByMe: true }, 'OK / FAILED BY CLIENT'],
    ['1.1.1', ME, 'OK / OK'],
    ['3.1', { remoteCloseCode: 1002 }, 'OK / OK'],
    ['3.1', { remoteCloseCode: 1000 }, 'OK / WRONG CODE'],
    ['7.7.5', { ...ME, remoteCloseCode: 1007 }, 'OK / OK'],
    ['7.7.5', { ...ME, remoteCloseCode: 1000 }, 'OK / OK'],
  ] as const)('%s with %o is %s', (id, facts, expected) => {
    expect(verdictOf(id, facts)).toBe(expected);
  });
});

it('never blames a client for TCP that the tester dropped as a server', () => {
  expect(verdictOf('1.1.1', { ...ME, droppedByMe: true }, { role: 'server' })).toBe('OK / OK');
});

it('lets a wrong close code fail the behavior in section 7 alone', () => {
  const facts = { ...ME, remoteCloseCode: 1001 };
  expect(verdictOf('7.3.3', facts)).toBe('FAILED / WRONG CODE');
  expect(verdictOf('2.1', facts)).toBe('OK / WRONG CODE');
});

it('fails the behavior when the tester had to close for invalid UTF-8', () => {
  expect(verdictOf('6.3.1', { closedByMe: true })).toBe('FAILED / FAILED');
  expect(verdictOf('5.1', { closedByMe: true })).toBe('OK / FAILED');
});

it('has no opinion about 7.1.6 and 7.13, whatever happens', () => {
  expect(verdictOf('7.1.6', {}, { behavior: 'FAILED' })).toBe('INFORMATIONAL / INFORMATIONAL');
  const neverOpen = { role: 'client', close: newCloseState(), handler: null } as const;
  expect(caseVerdict({ definition: caseOf('7.13.1'), ...neverOpen })).toMatchObject({
    behavior: 'INFORMATIONAL',
    behaviorClose: 'INFORMATIONAL',
    resultClose: 'The WebSocket opening handshake was never completed!',
  });
  expect(caseVerdict({ definition: caseOf('1.1.1'), ...neverOpen })).toMatchObject({
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
  });
});
