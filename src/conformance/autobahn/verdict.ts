import type { CaseDefinition } from '../case.ts';
import type { HandlerVerdict } from './case-handler.ts';
import type { Behavior, BehaviorClose, CloseFacts, ExpectedClose } from '../result.ts';

/** The two verdicts of a case and the sentences that go with them. */
export interface Judgement {
  readonly behavior: Behavior;
  readonly behaviorClose: BehaviorClose;
  readonly result: string;
  readonly resultClose: string;
}

export interface JudgeInput {
  readonly definition: CaseDefinition;
  readonly role: 'client' | 'server';
  readonly close: CloseFacts;
  /** Null if the opening handshake was never completed. */
  readonly played: {
    readonly verdict: HandlerVerdict;
    readonly expectedClose: ExpectedClose;
  } | null;
}

/** What Autobahn says of a case whose connection was never open. */
const NEVER_OPEN = {
  behavior: 'FAILED',
  result: 'Actual events differ from any expected.',
  behaviorClose: 'FAILED',
  resultClose: 'The WebSocket opening handshake was never completed!',
} as const;

/** Autobahn's algorithm: what came, then how it ended, then what some cases make of both. */
export function judge({ definition, role, close, played }: JudgeInput): Judgement {
  const verdict =
    played === null
      ? NEVER_OPEN
      : {
          ...judgePlayed(played, close),
          ...judgeClose(played.expectedClose, close, role),
        };
  const { script } = definition;
  const ruling = script.kind === 'events' ? script.ruling : undefined;
  if (ruling === 'informational') {
    return { ...verdict, behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL' };
  }
  if (ruling === 'wrong-code-fails' && verdict.behaviorClose === 'WRONG CODE') {
    return { ...verdict, behavior: 'FAILED', result: verdict.resultClose };
  }
  return verdict;
}

function judgePlayed(
  { verdict, expectedClose }: NonNullable<JudgeInput['played']>,
  close: CloseFacts,
): HandlerVerdict {
  const wrongEndpoint = expectedClose.closedByMe !== close.closedByMe;
  if (expectedClose.closedByWrongEndpointIsFatal === true && wrongEndpoint) {
    return { ...verdict, behavior: 'FAILED' };
  }
  return verdict;
}

function judgeClose(
  expected: ExpectedClose,
  close: CloseFacts,
  role: 'client' | 'server',
): Pick<Judgement, 'behaviorClose' | 'resultClose'> {
  if (expected.closedByMe !== close.closedByMe) {
    const resultClose = 'The connection was failed by the wrong endpoint';
    return { behaviorClose: 'FAILED', resultClose };
  }
  if (expected.requireClean && !close.wasClean) {
    const resultClose = 'The spec requires the connection to be failed cleanly here';
    return { behaviorClose: 'UNCLEAN', resultClose };
  }
  const { remoteCloseCode } = close;
  if (remoteCloseCode !== null && !expected.closeCode.includes(remoteCloseCode)) {
    const resultClose = `The close code should have been ${expected.closeCode.join(',')} or empty`;
    return { behaviorClose: 'WRONG CODE', resultClose };
  }
  if (role === 'client' && close.droppedByMe) {
    const resultClose = 'It is preferred that the server close the TCP connection';
    return { behaviorClose: 'FAILED BY CLIENT', resultClose };
  }
  return { behaviorClose: 'OK', resultClose: 'Connection was properly closed' };
}
