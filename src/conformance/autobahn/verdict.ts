import type { CaseDefinition } from '../case.ts';
import type { HandlerVerdict } from './case-handler.ts';
import type { CaseVerdict, CloseFacts, ExpectedClose } from '../result.ts';

export interface VerdictInput {
  readonly definition: CaseDefinition;
  readonly role: 'client' | 'server';
  readonly close: CloseFacts;
  /** Null if the opening handshake was never completed. */
  readonly handler: {
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
export function caseVerdict({ definition, role, close, handler }: VerdictInput): CaseVerdict {
  const verdict =
    handler === null
      ? NEVER_OPEN
      : {
          ...handlerVerdict(handler, close),
          ...closeVerdict(handler.expectedClose, close, role),
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

function handlerVerdict(
  { verdict, expectedClose }: NonNullable<VerdictInput['handler']>,
  close: CloseFacts,
): HandlerVerdict {
  const wrongEndpoint = expectedClose.closedByMe !== close.closedByMe;
  if (expectedClose.closedByWrongEndpointIsFatal === true && wrongEndpoint) {
    return { ...verdict, behavior: 'FAILED' };
  }
  return verdict;
}

function closeVerdict(
  expected: ExpectedClose,
  close: CloseFacts,
  role: 'client' | 'server',
): Pick<CaseVerdict, 'behaviorClose' | 'resultClose'> {
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
