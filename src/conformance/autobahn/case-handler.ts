import type { Violation } from '../../protocol/index.ts';
import type { FrameStep, MessageStep } from '../case.ts';
import type { Behavior, CaseEvent, ExpectedClose } from '../result.ts';
import type { CaseLog } from '../wire/frame-log.ts';
import type { IncomingMessage } from '../wire/receiver.ts';

/** A message that was compressed before: `length` counts what it is inflated. */
export interface DeflatedMessage {
  readonly deflated: Buffer;
  readonly binary: boolean;
  readonly fragmentBytes: number;
  readonly length: number;
}

/** What a handler may do with the connection. */
export interface CaseProtocol {
  readonly open: boolean;
  readonly log: CaseLog;
  frame(step: FrameStep): void;
  message(step: MessageStep): void;
  header(opcode: number, fin: boolean, length: number): void;
  payload(payload: Buffer): void;
  deflated(message: DeflatedMessage): void;
  /** Begins the closing handshake; ignored unless the connection is open. */
  close(code?: number, reason?: Buffer): void;
  killAfter(delayS: number): void;
  closeAfter(delayS: number): void;
  continueAfter(delayS: number, tag: string, run: () => void): void;
}

/** How a handler judges what came, before the closing of the connection is looked at. */
export interface HandlerVerdict {
  readonly behavior: Behavior;
  readonly result: string;
}

/** Runs one case on an open connection. */
export interface CaseHandler {
  readonly expectedClose: ExpectedClose;
  readonly received: readonly CaseEvent[];
  start(): void;
  onMessage(message: IncomingMessage): void;
  onPong(payload: Buffer): void;
  /** Asked once TCP is gone. */
  verdict(): HandlerVerdict;
}

/** What Autobahn says of a case that none of its lists fits. */
export const NOT_AS_EXPECTED = 'Actual events differ from any expected.';

/** One message of a compression case: as it is, and as it goes on the wire. */
export interface SourceMessage {
  readonly plain: Buffer;
  readonly deflated: Buffer;
}

/** Messages cut from a corpus, one after the other, compressed as was agreed with the peer. */
export interface MessageSource {
  readonly binary: boolean;
  /** Message `index`; to be asked for in order. */
  message(index: number): SourceMessage;
  /** A message of the peer, inflated from the payloads of its frames, or why it cannot be. */
  inflate(pieces: readonly Buffer[]): Buffer | Violation;
  /** The case is over. */
  release(): void;
}

/** How every case ends whose closing is not what it is about. */
export const BY_TESTER: ExpectedClose = {
  closedByMe: true,
  closeCode: [1000],
  requireClean: true,
};
