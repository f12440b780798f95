import type { ExchangeScript } from './script.ts';
import type { CaseResult, ExpectedClose, ExpectedLabel } from './result.ts';

/**
 * What a case is: data. The connection core runs it, the verdict compares the outcome with it.
 *
 * Times are in seconds here, as they are in everything that is written about Autobahn.
 */
export interface CaseDefinition {
  /** Autobahn's id, or one of ours that starts with `x.`. */
  readonly id: string;
  readonly title: string;
  /** Section the case rests on, as `6455#5.2`. */
  readonly rfc: string;
  /** What the tester does, in a sentence. */
  readonly description: string;
  /** What a conforming peer does, in a sentence. */
  readonly expectation: string;
  /** What the peer has to be for this case; absent: server or client. */
  readonly peers?: readonly ('server' | 'client')[];
  readonly script: Script;
}

/** One case as the runner hands it out. */
export interface CaseTask {
  readonly definition: CaseDefinition;
  /** The number reports show. */
  readonly number: number;
  readonly quick: boolean;
}

/** The fields of a result that come from the case itself. */
export function taskFields({
  definition,
  number,
  quick,
}: CaseTask): Pick<
  CaseResult,
  'id' | 'number' | 'title' | 'rfc' | 'description' | 'expectation' | 'quick'
> {
  const { id, title, rfc, description, expectation } = definition;
  return { id, number, title, rfc, description, expectation, quick };
}

/** The four shapes of Autobahn's cases, and that of the extended ones, which `extended/` runs. */
export type Script = EventScript | LengthScript | RoundsScript | CompressionScript | ExchangeScript;

/** Steps out, an exact list of events in: sections 1 to 7 and 10. */
export interface EventScript {
  readonly kind: 'events';
  readonly send: readonly Step[];
  /** With a single label, and `close.closedByMe`, the tester closes as soon as it is fulfilled. */
  readonly expect: Readonly<Partial<Record<ExpectedLabel, readonly ExpectedEvent[]>>>;
  readonly close: ExpectedClose;
  /** The steps close themselves. */
  readonly suppressClose?: boolean;
  /**
   * `wrong-code-fails`: a wrong close code makes the behavior FAILED, too.
   * `informational`: both verdicts are INFORMATIONAL whatever happens.
   * `fragments`: what the tester sent has to be one text frame and 50 continuations.
   */
  readonly ruling?: 'wrong-code-fails' | 'informational' | 'fragments';
}

/** One message out, one of the same type and length back; its content is not compared. */
export interface LengthScript {
  readonly kind: 'length';
  readonly send: FrameStep | MessageStep;
  readonly binary: boolean;
  readonly length: number;
  readonly waitS: number;
}

/** A message at a time, the next one after the echo of the one before. */
export interface RoundsScript {
  readonly kind: 'rounds';
  readonly binary: boolean;
  /** Repeated up to `length`. */
  readonly unit: Buffer;
  readonly length: number;
  readonly rounds: number;
  readonly waitS: number;
}

/** Compressed messages cut from a corpus, a message at a time, each compared with its echo. */
export interface CompressionScript {
  readonly kind: 'compression';
  readonly corpus: CorpusName;
  /** Octets, or code points of a text corpus. */
  readonly size: number;
  /** Octets of compressed payload in each frame; 0 for one frame. */
  readonly fragmentBytes: number;
  readonly rounds: number;
  readonly waitS: number;
  /** What a tester that dials offers, in order; a tester that listens wants the same of the client. */
  readonly offers: readonly DeflateWish[];
}

/** Five kinds of data, from very compressible to hardly. */
export type CorpusName = 'json' | 'image' | 'prose' | 'html' | 'document';

/** What the tester asks of the peer's side of permessage-deflate, besides offering its own. */
export interface DeflateWish {
  readonly noContextTakeover: boolean;
  /** 9 or 15; undefined: not mentioned. */
  readonly maxWindowBits: number | undefined;
}

/** What the tester does, one after the other. */
export type Step = FrameStep | MessageStep | CloseStep | OctetsStep | WaitStep | TimerStep;

/** One frame, legal or not. */
export interface FrameStep {
  readonly do: 'frame';
  readonly opcode: number;
  readonly payload: Buffer;
  /** True if absent. */
  readonly fin?: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv?: number;
  /** The payload is repeated up to this length. */
  readonly repeatTo?: number;
  /** The frame is written in pieces of this size, one in each turn of the event loop. */
  readonly chopBytes?: number;
  /** The frame goes through the queue of pieces. */
  readonly sync?: boolean;
}

/** One message, in fragments if it is longer than `fragmentBytes`. */
export interface MessageStep {
  readonly do: 'message';
  readonly binary: boolean;
  readonly payload: Buffer;
  readonly repeatTo?: number;
  readonly fragmentBytes?: number;
}

/** The closing handshake; ignored unless the connection is open. */
export interface CloseStep {
  readonly do: 'close';
  readonly code?: number;
  /** Octets, which need not be UTF-8. */
  readonly reason?: Buffer;
}

/**
 * Part of a frame: a header, which announces `length` octets, or payload of it.
 *
 * The masking key of the header is that of the pieces that follow it.
 */
export type OctetsStep =
  | {
      readonly do: 'header';
      readonly opcode: number;
      readonly fin: boolean;
      readonly length: number;
    }
  | { readonly do: 'payload'; readonly payload: Buffer };

/** Goes on after `delayS`, unless TCP is gone. */
export interface WaitStep {
  readonly do: 'wait';
  readonly delayS: number;
  readonly tag: string;
  /** Counts as an event, and the case goes no further unless the connection is still open. */
  readonly recorded: boolean;
}

/** Fails (`kill`) or closes the connection after `delayS`, unless TCP is gone. */
export interface TimerStep {
  readonly do: 'kill' | 'close-after';
  readonly delayS: number;
}

/** What the peer has to send; the payload of a message or pong in full. */
export type ExpectedEvent =
  | { readonly type: 'message'; readonly binary: boolean; readonly payload: Buffer }
  | { readonly type: 'pong'; readonly payload: Buffer }
  | { readonly type: 'timeout'; readonly tag: string };
