import type { CaseResult } from '../result.ts';
import { describeEvents } from './describe-event.ts';
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
  if (wanted === undefined) return result.result;
  if (behavior === 'NON-STRICT' || EVENTS_DIFFER.test(result.result)) {
    return `expected ${describeEvents(wanted)}, received ${describeEvents(received)}`;
  }
  return result.result;
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
