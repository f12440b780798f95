import type { Violation } from '../../protocol/index.ts';

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
