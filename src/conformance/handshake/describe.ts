import { explainCloseCode } from '../../protocol/index.ts';
import { describeEvents } from '../describe-event.ts';
import { printable } from '../../report/printable.ts';
import { clip } from '../result.ts';
import type { CaseEvent } from '../result.ts';
import type { ReceivedFrame, Observation, OpeningResult } from '../observation.ts';
import type { ExpectedOutcome, Received, ReceivedEvent, Outcome } from '../script.ts';

/** What a conforming peer does, in a sentence made from the outcomes that its case expects. */
export function describeExpectation(expected: readonly ExpectedOutcome[]): string {
  const of = (verdict: ExpectedOutcome['verdict']): string =>
    expected
      .filter((row) => row.verdict === verdict)
      .map(({ outcome }) => describeOutcome(outcome))
      .filter((text, index, all) => all.indexOf(text) === index)
      .join(', or ');
  const [ok, tolerated, informational] = [of('OK'), of('NON-STRICT'), of('INFORMATIONAL')];
  return [
    ...(ok === '' ? [] : [`Expected: ${ok}.`]),
    ...(tolerated === '' ? [] : [`Not strict: ${tolerated}.`]),
    ...(informational === '' ? [] : [`For information: ${informational}.`]),
  ].join(' ');
}

/** An outcome as a noun: `HTTP 426 with Sec-WebSocket-Version: 13`. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.is) {
    case 'refused': {
      const { status, field } = outcome;
      const what = status === undefined ? 'an HTTP error' : `HTTP ${status.join(' or ')}`;
      return field === undefined ? what : `${what} with ${field.name}: ${field.element}`;
    }
    case 'accepted':
      if (outcome.declined === true) return '101 without permessage-deflate';
      return outcome.anyhow === true ? '101' : '101 with a response in order';
    case 'hung-up':
      return 'a drop of TCP in place of an answer';
    case 'unanswered':
      return 'no answer';
    case 'not-http':
      return 'something that is not HTTP';
    case 'open':
      return `a connection that goes on${afterwards(outcome.received)}`;
    case 'failed':
      return `close ${outcome.codes.join(' or ')} or a drop of TCP${afterwards(outcome.received)}`;
    case 'closed':
      return `a close frame with ${outcome.codes.join(' or ')} or no code${afterwards(outcome.received)}`;
    case 'dropped':
      return `a drop of TCP${afterwards(outcome.received)}`;
    case 'quiet':
      return `silence${afterwards(outcome.received)}`;
  }
}

/** What the peer did, as a clause. */
export function describeSeen({
  opening,
  received,
  end,
  answeredClose,
  served,
}: Observation): string {
  if (end === undefined && served === true) {
    return `${describeOpening(opening)} and goes on serving others`;
  }
  if (opening.is !== 'accepted' || opening.breach !== undefined || end === undefined) {
    return describeOpening(opening);
  }
  const before = received.length === 0 ? '' : ` after ${describeEvents(received.map(toEvent))}`;
  switch (end.is) {
    case 'open':
      return answeredClose === false
        ? `the peer went on${before}, but did not answer a close frame`
        : `the peer went on${before}`;
    case 'closed': {
      const code = end.code === null ? 'no code' : `${end.code} (${explainCloseCode(end.code)})`;
      const reason = end.reason.length === 0 ? '' : ` "${printable(end.reason.toString())}"`;
      return `the peer closed with ${code}${reason}${before}`;
    }
    case 'dropped':
      return `the peer dropped TCP${before}`;
    case 'quiet':
      return `the peer neither answered nor closed${before}`;
  }
}

function describeOpening(opening: OpeningResult): string {
  switch (opening.is) {
    case 'accepted':
      return opening.breach === undefined
        ? `the peer answered 101${opening.deflate ? ' with permessage-deflate' : ''}`
        : `the peer answered 101, but ${printable(opening.breach.message)}`;
    case 'refused':
      return `the peer answered HTTP ${opening.head.status} ${printable(opening.head.reason)}`.trimEnd();
    case 'hung-up':
      return 'the peer dropped TCP without an answer';
    case 'unanswered':
      return 'the peer did not answer the handshake in time';
    case 'not-http':
      return `the peer answered something that is not HTTP: ${printable(opening.what)}`;
  }
}

function afterwards(received: Received | undefined): string {
  if (received === undefined || received === 'any') return '';
  if ('last' in received) return ` after ${describeEvents([toEvent(received.last)])} at last`;
  if ('messages' in received) return ` after ${describeEvents(received.messages.map(toEvent))}`;
  return received.length === 0 ? '' : ` after ${describeEvents(received.map(toEvent))}`;
}

/** As the reports know it; a ping of the peer is no event there. */
export function toEvent({ type, payload, ...rest }: ReceivedFrame | ReceivedEvent): CaseEvent {
  const clipped = clip(payload, 'length' in rest ? rest.length : payload.length);
  return type === 'text' || type === 'binary'
    ? { type: 'message', binary: type === 'binary', payload: clipped }
    : { type: 'pong', payload: clipped };
}
