import { CloseCode } from '../../protocol/index.ts';
import type { CaseEvent, CaseResult } from '../result.ts';
import { VERDICTS, type Verdict } from '../verdict.ts';
import { describeEvent, describeEvents } from '../describe-event.ts';
import { printable } from '../../report/printable.ts';

/** Autobahn's results for lists of events; they do not name the events. */
const EVENTS_DIFFER = /^actual events differ/i;
const EVENTS_MATCH = /^actual events match/i;

/** Why a case is not a pass, on one line, with what was expected and what was seen. */
export function reasonOf(result: CaseResult): string {
  if (result.notRun !== null) return printable(`not run: ${result.notRun}`);
  if (!result.opened) return 'the opening handshake was never completed';
  // Whatever else is missing, a peer that was cut off had no more chance to send.
  if (result.guard !== null && result.guard === result.close.wasNotCleanReason) {
    return printable(result.guard);
  }
  const behavior = result.behavior === 'OK' ? [] : behaviorReason(result);
  const close =
    result.behaviorClose === 'OK' || isEchoOfGoingAway(result) ? [] : [closeReason(result)];
  const breach = result.findings.slice(0, 1).map(({ violation }) => violation.message);
  const guard = result.guard === null ? [] : [result.guard];
  // If the peer had to fail the connection, how the connection ended comes first.
  const reasons =
    result.expectedClose?.closedByMe === false
      ? [...close, ...behavior, ...breach.map((text) => `the peer itself: ${text}`), ...guard]
      : [...breach, ...behavior, ...close, ...guard];
  return printable([...new Set(reasons)].join('; '));
}

/** The tester gave up with 1001, for a reason of its own, and the peer sent that back. */
function isEchoOfGoingAway({ behavior, behaviorClose, close }: CaseResult): boolean {
  return (
    behavior !== 'OK' &&
    behaviorClose === 'WRONG CODE' &&
    close.failedByMe &&
    close.localCloseCode === CloseCode.goingAway &&
    close.remoteCloseCode === close.localCloseCode
  );
}

/** Cases that fail for the same reason. */
export interface ReasonGroup {
  readonly verdict: Verdict;
  readonly reason: string;
  /** In the order of the cases; with several agents `agent id`. */
  readonly cases: readonly string[];
}

/**
 * Puts cases together that have the same verdict for the same reason, the largest group first. The
 * lengths and places of spoiled echoes, and what it was that did not come back, make no difference.
 */
export function groupByReason(
  rows: readonly { readonly name: string; readonly verdict: Verdict; readonly reason: string }[],
): ReasonGroup[] {
  const groups = new Map<string, { verdict: Verdict; reason: string; cases: string[] }>();
  for (const { name, verdict, reason } of rows) {
    const shared = ALIKE.reduce((text, [pattern, common]) => text.replace(pattern, common), reason);
    const group = groups.get(`${verdict} ${shared}`) ?? { verdict, reason, cases: [] };
    if (group.cases.length > 0 && group.reason !== reason) group.reason = shared;
    group.cases.push(name);
    groups.set(`${verdict} ${shared}`, group);
  }
  const worst = (verdict: Verdict): number => VERDICTS.indexOf(verdict);
  return [...groups.values()].sort(
    (a, b) => worst(a.verdict) - worst(b.verdict) || b.cases.length - a.cases.length,
  );
}

/** What differs between cases that fail alike, and the words for all of them. */
const ALIKE: readonly (readonly [pattern: RegExp, common: string])[] = [
  [/expected [^;]*, received nothing/, 'nothing came back'],
  [
    /the echo of \d+ bytes differs from what was sent at byte \d+/,
    'the echo differs from what was sent',
  ],
  [/expected (text|binary) [^;]*, received (?!nothing)[^;]*/, 'something else came back'],
];

/** `6.4.1, 6.4.2 and 12 more`. */
export function listCases(cases: readonly string[], most = 4): string {
  const shown = cases.length <= most + 1 ? cases : cases.slice(0, most);
  const rest = cases.length - shown.length;
  return `${shown.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
}

function behaviorReason(judged: CaseResult): string[] {
  const { behavior, expected, received, result } = judged;
  const wanted = expected.OK;
  if (behavior === 'UNIMPLEMENTED') return ['the peer does not speak permessage-deflate'];
  if (wanted !== undefined && (behavior === 'NON-STRICT' || EVENTS_DIFFER.test(result))) {
    return [
      tooLate(wanted, received) ??
        spoiledEcho(wanted, received) ??
        `expected ${describeEvents(wanted)}, received ${describeEvents(received)}`,
    ];
  }
  // Section 7 repeats the reason for a wrong code here.
  return EVENTS_MATCH.test(result) || result === judged.resultClose ? [] : [clause(result)];
}

/** The reason if the connection was still open after the expected events. */
function tooLate(wanted: readonly CaseEvent[], received: readonly CaseEvent[]) {
  const last = received[wanted.length];
  return last?.type === 'timeout' && wanted.every((event, at) => isSame(event, received[at]))
    ? `${describeEvent(last)}, expected to be closed before`
    : undefined;
}

/** The first difference of an echo that has the right type and length. */
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
  const digit = Array.from(hex).findIndex((one, place) => one !== expected.payload.hex[place]);
  return sameShape && digit >= 0
    ? `the echo of ${length} bytes differs from what was sent at byte ${Math.floor(digit / 2)}`
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
      ? 'the peer closed the connection; it had to wait for the tester to close it'
      : 'the peer did not fail the connection';
  }
  if (behaviorClose === 'UNCLEAN') {
    return `the connection was not closed cleanly${close.wasNotCleanReason === null ? '' : `: ${close.wasNotCleanReason}`}`;
  }
  return clause(resultClose);
}

/** A sentence of Autobahn as part of another one: lower case, no full stop. */
function clause(sentence: string): string {
  return `${sentence.slice(0, 1).toLowerCase()}${sentence.slice(1).replace(/\.$/, '')}`;
}
