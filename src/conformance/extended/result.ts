import { PEER_DROPPED, newCloseState } from '../autobahn/close-state.ts';
import type { CaseLog } from '../wire/frame-log.ts';
import type { CaseResult, CloseFacts } from '../result.ts';
import { taskFields } from '../case.ts';
import type { CaseTask } from '../case.ts';
import { toEvent } from '../handshake/describe.ts';
import { caseVerdict } from './verdict.ts';
import type { Observation } from '../observation.ts';
import type { ExchangeScript } from '../script.ts';

export interface ExchangeOutcome {
  readonly task: CaseTask;
  readonly script: ExchangeScript;
  readonly agent: string;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly httpRequest: string | null;
  readonly httpResponse: string | null;
  readonly log: CaseLog;
  readonly sentClose: number | null | undefined;
  readonly seen: Observation;
}

/** Makes the result of an extended case. */
export function toExchangeResult(outcome: ExchangeOutcome): CaseResult {
  const { task, script, log, seen } = outcome;
  const verdict = caseVerdict(script, seen);
  // These cases refuse and are refused by design: only a peer that should have said something and
  // said nothing was not there.
  const silent = seen.opening.is === 'unanswered' && verdict.behavior === 'FAILED';
  return {
    ...taskFields(task),
    ...log.resultFields(),
    ...verdict,
    agent: outcome.agent,
    opened: !silent,
    expected: {},
    expectedClose: null,
    received: seen.received.map(toEvent),
    close: closeFacts(outcome, silent),
    httpRequest: outcome.httpRequest,
    httpResponse: outcome.httpResponse,
    startedAt: outcome.startedAt.toISOString(),
    durationMs: outcome.durationMs,
    reportTime: false,
    reportCompressionRatio: false,
    traffic: null,
    retry: 'not needed',
    guard: seen.guard,
    notRun: null,
  };
}

function closeFacts({ seen, sentClose }: ExchangeOutcome, silent: boolean): CloseFacts {
  const { end, answeredClose, droppedInTime } = seen;
  const closed = end?.is === 'closed';
  const clean = closed || answeredClose === true;
  return {
    ...newCloseState(),
    closedByMe: answeredClose !== undefined,
    droppedByMe: droppedInTime === false,
    wasClean: clean,
    wasNotCleanReason: end?.is === 'dropped' ? PEER_DROPPED : null,
    wasOpenHandshakeTimeout: silent,
    wasCloseHandshakeTimeout: answeredClose === false,
    wasServerConnectionDropTimeout: droppedInTime === false,
    localCloseCode: sentClose ?? null,
    remoteCloseCode: closed ? end.code : null,
    remoteCloseReason: closed ? end.reason.toString() : null,
  };
}
