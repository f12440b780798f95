import type { Behavior, BehaviorClose } from '../result.ts';
import { describeOutcome, describeSeen } from '../handshake/describe.ts';
import type { HeardFrame, Observation } from '../observation.ts';
import type { ExchangeScript, Grade, Heard, HeardEvent, Outcome } from '../script.ts';

export interface GradedCase {
  readonly behavior: Behavior;
  readonly behaviorClose: BehaviorClose;
  readonly result: string;
  readonly resultClose: string;
}

const CLOSE_OK = { behaviorClose: 'OK', resultClose: 'Connection was properly closed' } as const;

/** Holds what a case saw against what its grades allow. */
export function grade(script: ExchangeScript, seen: Observation): GradedCase {
  const failed = (result: string): GradedCase => ({ behavior: 'FAILED', result, ...CLOSE_OK });
  if (seen.guard !== null) return failed(seen.guard);
  if (seen.offence !== undefined)
    return failed(`Whatever the case, the peer broke the protocol: ${seen.offence}.`);
  if (seen.served === false) {
    return failed(`Afterwards the peer served no other connection; ${describeSeen(seen)}.`);
  }
  if (seen.lacking !== undefined) {
    return { behavior: 'UNIMPLEMENTED', result: `The peer ${seen.lacking}.`, ...CLOSE_OK };
  }
  const match = script.expect.find(({ outcome }) => fits(outcome, seen));
  if (match === undefined) {
    const wanted = script.expect.find(({ verdict }) => verdict !== 'NON-STRICT');
    const expected =
      wanted === undefined ? '' : `Expected ${describeOutcome(wanted.outcome)}, but `;
    return failed(`${expected}${describeSeen(seen)}.`);
  }
  return {
    behavior: match.verdict,
    result: explain(match, seen),
    ...gradeClose(match.outcome, seen),
  };
}

function explain({ why }: Grade, seen: Observation): string {
  const what = describeSeen(seen);
  return `${what.slice(0, 1).toUpperCase()}${what.slice(1)}${why === undefined ? '' : `: ${why}`}.`;
}

function fits(outcome: Outcome, { opening, end, heard }: Observation): boolean {
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
      return opening.is === outcome.is;
    case 'failed':
      return (end?.is === 'closed' || end?.is === 'dropped') && isHeard(heard, outcome.heard);
    case 'closed':
      return (
        end?.is === 'closed' &&
        (end.code === null || outcome.codes.includes(end.code)) &&
        isHeard(heard, outcome.heard)
      );
    case 'open':
    case 'dropped':
    case 'quiet':
      return end?.is === outcome.is && isHeard(heard, outcome.heard);
  }
}

function isHeard(heard: readonly HeardFrame[], wanted: Heard = []): boolean {
  if (wanted === 'any') return true;
  if ('last' in wanted) {
    const last = heard.at(-1);
    return last !== undefined && isSame(last, wanted.last);
  }
  if ('messages' in wanted) {
    const messages = heard.filter(({ type }) => type !== 'pong');
    return isHeard(messages, wanted.messages);
  }
  return (
    heard.length === wanted.length &&
    wanted.every((event, index) => isSame(heard[index] as HeardFrame, event))
  );
}

function isSame(heard: HeardFrame, { type, payload }: HeardEvent): boolean {
  return (
    heard.type === type &&
    heard.length === payload.length &&
    heard.payload.equals(payload.subarray(0, heard.payload.length))
  );
}

/** How the connection ended, in Autobahn's words. */
function gradeClose(
  outcome: Outcome,
  { end, droppedInTime, answeredClose }: Observation,
): Pick<GradedCase, 'behaviorClose' | 'resultClose'> {
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
