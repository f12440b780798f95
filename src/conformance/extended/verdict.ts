import type { Behavior, CaseVerdict } from '../result.ts';
import { describeOutcome, describeSeen } from '../handshake/describe.ts';
import { withoutOwn } from './own-frames.ts';
import type { ReceivedFrame, Observation } from '../observation.ts';
import type { ExchangeScript, Received, ReceivedEvent, Outcome } from '../script.ts';

const CLOSE_OK = { behaviorClose: 'OK', resultClose: 'Connection was properly closed' } as const;

/** What was seen, held against the outcomes that a script expects. */
export interface ExchangeVerdict {
  readonly behavior: Behavior;
  /** What the peer did, as a clause. */
  readonly what: string;
  /** Why that is not OK. */
  readonly why?: string;
  /** The expected outcome that was seen, or the one that was not. */
  readonly outcome?: Outcome;
}

/** The verdict of an exchange with any peer. */
export function exchangeVerdict(script: ExchangeScript, seen: Observation): ExchangeVerdict {
  const what = describeSeen(seen);
  if (seen.guard !== null) return { behavior: 'FAILED', what: seen.guard };
  if (seen.violation !== undefined) {
    const broken = `the peer broke a rule that holds in every case: ${seen.violation}`;
    return { behavior: 'FAILED', what: broken };
  }
  if (seen.served === false) {
    return { behavior: 'FAILED', what: `afterwards the peer served no other connection; ${what}` };
  }
  if (seen.lacking !== undefined) {
    return { behavior: 'UNIMPLEMENTED', what: `the peer ${seen.lacking}` };
  }
  const answers = { ...seen, received: withoutOwn(seen.received, script) };
  const match = script.expect.find(({ outcome }) => fits(outcome, answers));
  if (match !== undefined) {
    const { verdict, outcome, why } = match;
    return { behavior: verdict, what, outcome, ...(why === undefined ? {} : { why }) };
  }
  const wanted = script.expect.find(({ verdict }) => verdict !== 'NON-STRICT');
  if (wanted === undefined) return { behavior: 'FAILED', what };
  const { outcome } = wanted;
  const field =
    outcome.is === 'refused' && seen.opening.is === 'refused' ? outcome.field : undefined;
  const lacking = field === undefined ? '' : ` without ${field.name}: ${field.element}`;
  return { behavior: 'FAILED', what: `${what}${lacking}`, outcome };
}

/** The verdict of an extended case, in Autobahn's terms. */
export function caseVerdict(script: ExchangeScript, seen: Observation): CaseVerdict {
  const { behavior, what, why, outcome } = exchangeVerdict(script, seen);
  if (behavior === 'FAILED') {
    const expected = outcome === undefined ? '' : `expected ${describeOutcome(outcome)}, but `;
    return { behavior, result: sentence(`${expected}${what}`), ...CLOSE_OK };
  }
  const result = sentence(why === undefined ? what : `${what}: ${why}`);
  const close = outcome === undefined ? CLOSE_OK : closeVerdict(outcome, seen);
  return { behavior, result, ...close };
}

function sentence(clause: string): string {
  return `${clause.slice(0, 1).toUpperCase()}${clause.slice(1)}.`;
}

function fits(outcome: Outcome, { opening, end, received }: Observation): boolean {
  switch (outcome.is) {
    case 'refused': {
      if (opening.is !== 'refused') return false;
      const { status, field } = outcome;
      const named =
        field === undefined ||
        opening.head.fields.some(
          ({ name, value }) =>
            name.toLowerCase() === field.name.toLowerCase() &&
            value.split(',').some((element) => element.trim() === field.element),
        );
      return named && (status === undefined || status.includes(opening.head.status));
    }
    case 'accepted':
      if (opening.is !== 'accepted' || (opening.breach !== undefined && outcome.anyhow !== true))
        return false;
      return outcome.declined !== true || !opening.deflate;
    case 'hung-up':
    case 'unanswered':
    case 'not-http':
      return opening.is === outcome.is;
    case 'failed':
      return (
        (end?.is === 'closed' || end?.is === 'dropped') && isReceived(received, outcome.received)
      );
    case 'closed':
      return (
        end?.is === 'closed' &&
        (end.code === null || outcome.codes.includes(end.code)) &&
        isReceived(received, outcome.received)
      );
    case 'open':
    case 'dropped':
    case 'quiet':
      return end?.is === outcome.is && isReceived(received, outcome.received);
  }
}

function isReceived(received: readonly ReceivedFrame[], wanted: Received = []): boolean {
  if (wanted === 'any') return true;
  if ('last' in wanted) {
    const last = received.at(-1);
    return last !== undefined && isSame(last, wanted.last);
  }
  if ('messages' in wanted) {
    const messages = received.filter(({ type }) => type !== 'pong');
    return isReceived(messages, wanted.messages);
  }
  return (
    received.length === wanted.length &&
    wanted.every((event, index) => isSame(received[index] as ReceivedFrame, event))
  );
}

function isSame(received: ReceivedFrame, { type, payload }: ReceivedEvent): boolean {
  return (
    received.type === type &&
    received.length === payload.length &&
    received.payload.equals(payload.subarray(0, received.payload.length))
  );
}

/** How the connection ended, in Autobahn's words. */
function closeVerdict(
  outcome: Outcome,
  { end, droppedInTime, answeredClose }: Observation,
): Pick<CaseVerdict, 'behaviorClose' | 'resultClose'> {
  if (answeredClose === false) {
    const resultClose = "The peer did not answer the tester's close frame";
    return { behaviorClose: 'UNCLEAN', resultClose };
  }
  if (outcome.is === 'failed' && end?.is === 'closed' && end.code !== null) {
    if (!outcome.codes.includes(end.code)) {
      const resultClose = `The close code should have been ${outcome.codes.join(',')} or empty`;
      return { behaviorClose: 'WRONG CODE', resultClose };
    }
  }
  if (droppedInTime === false) {
    const resultClose = 'It is preferred that the server close the TCP connection';
    return { behaviorClose: 'FAILED BY CLIENT', resultClose };
  }
  return CLOSE_OK;
}
