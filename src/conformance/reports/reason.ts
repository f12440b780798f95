import type { CaseEvent, CaseResult } from '../result.ts';
import { describeEvent, describeEvents } from './describe-event.ts';
import { printable } from './printable.ts';

/** What the judge says when no list of expected events was met; it names no event. */
const EVENTS_DIFFER = /^actual events differ/i;

/** Why a case is not a pass, on one line, with what was expected and what was seen. */
export function reasonOf(result: CaseResult): string {
  if (result.notRun !== null) return printable(`not run: ${result.notRun}`);
  if (!result.opened) return 'the opening handshake was never completed';
  const reasons = [
    ...result.findings.slice(0, 1).map(({ violation }) => violation.message),
    ...(result.behavior === 'OK' ? [] : [behaviorReason(result)]),
    ...(result.behaviorClose === 'OK' ? [] : [closeReason(result)]),
    ...(result.guard === null ? [] : [result.guard]),
  ];
  return printable([...new Set(reasons)].join('; '));
}

function behaviorReason(result: CaseResult): string {
  const { behavior, expected, received } = result;
  const wanted = expected.OK;
  if (behavior === 'UNIMPLEMENTED') return 'the peer does not speak permessage-deflate';
  if (wanted === undefined) return result.result.replace(/\.$/, '');
  if (behavior === 'NON-STRICT' || EVENTS_DIFFER.test(result.result)) {
    return (
      tooLate(wanted, received) ??
      spoiledEcho(wanted, received) ??
      `expected ${describeEvents(wanted)}, received ${describeEvents(received)}`
    );
  }
  return result.result.replace(/\.$/, '');
}

/** A wait more than expected: the peer took its time to fail the connection. */
function tooLate(wanted: readonly CaseEvent[], received: readonly CaseEvent[]) {
  const last = received[wanted.length];
  return last?.type === 'timeout' && wanted.every((event, at) => isSame(event, received[at]))
    ? `${describeEvent(last)}, expected to be failed before`
    : undefined;
}

/** Of an echo that has the right type and length, only where it differs is worth a word. */
function spoiledEcho(wanted: readonly CaseEvent[], received: readonly CaseEvent[]) {
  const index = received.findIndex((event, at) => !isSame(event, wanted[at]));
  const [event, expected] = [received[index], wanted[index]];
  if (event === undefined || expected === undefined) return undefined;
  if (event.type === 'timeout' || expected.type === 'timeout') return undefined;
  const { length, hex } = event.payload;
  const sameShape = isSame(
    { ...event, payload: { ...event.payload, hex: expected.payload.hex } },
    expected,
  );
  const at = Math.floor(
    [...hex].findIndex((digit, place) => digit !== expected.payload.hex[place]) / 2,
  );
  return sameShape && at >= 0
    ? `the echo of ${length} bytes differs from what was sent at byte ${at}`
    : undefined;
}

function isSame(a: CaseEvent, b: CaseEvent | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function closeReason({ behaviorClose, resultClose, close, expectedClose }: CaseResult): string {
  if (behaviorClose === 'WRONG CODE') {
    const wanted = expectedClose?.closeCode.join(' or ') ?? '';
    return `close code ${close.remoteCloseCode ?? 'none'}, expected ${wanted} or none`;
  }
  if (behaviorClose === 'FAILED' && expectedClose !== null) {
    return expectedClose.closedByMe
      ? 'the peer closed the connection, the tester should have'
      : 'the peer did not fail the connection';
  }
  return close.wasNotCleanReason === null || behaviorClose !== 'UNCLEAN'
    ? resultClose
    : close.wasNotCleanReason;
}
