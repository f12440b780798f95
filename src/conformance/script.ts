import type { DeflateParams, DeflateSupport, FrameInit } from '../protocol/index.ts';
import type { Behavior } from './result.ts';

/**
 * What an extended case is: data. Unlike Autobahn's, these cases also bend the opening handshake,
 * TCP and time, and each says itself which outcomes earn which verdict.
 */
export interface ExchangeScript {
  readonly kind: 'exchange';
  readonly opening: Opening;
  readonly send: readonly Action[];
  readonly ending: Ending;
  /** The first outcome that fits decides; if none does, the case is FAILED. */
  readonly expect: readonly ExpectedOutcome[];
  /** How long the peer may take to react, in milliseconds. */
  readonly waitMs: number;
  /** Whether the peer echoes; of one that does not, a ping is answered in place of the greeting. */
  readonly echoes: boolean;
  /** Leaves the peer's close frame to `send`; otherwise the tester answers it with 1000. */
  readonly ownReply: boolean;
  /** Base-2 logarithm of the window that the peer's compressed messages have to fit. */
  readonly windowBits: number | undefined;
  /** A server has to serve another connection afterwards, whatever became of this one. */
  readonly thenServes: boolean;
}

/** The tester's half of the opening handshake: a request to a server, a response to a client. */
export interface Opening {
  readonly edits: readonly HeadEdit[];
  /** Frames in the same packet, behind the head. */
  readonly early?: readonly WireFrame[];
  readonly pieces?: Pieces;
  /** Header lines in place of the end of the head, up to so many octets. */
  readonly endless?: { readonly line: string; readonly bytes: number };
  readonly deflate?: DeflateTerms;
}

/** permessage-deflate, which the case cannot do without. */
export interface DeflateTerms {
  /** To a server. */
  readonly offer: Partial<DeflateParams>;
  /** What is wanted of a client that offers it. */
  readonly answer: DeflateSupport;
  /** What the tester has to be allowed to do itself. */
  readonly needs?: { readonly takeover?: boolean; readonly windowBits?: number };
}

/**
 * A change to a head. Lines and values may hold `{path}`, `{host}`, `{key}` and what becomes of the
 * key: `{accept}`, `{accept in lower case}`.
 */
export type HeadEdit =
  | { readonly edit: 'start'; readonly line: string }
  | { readonly edit: 'drop'; readonly name: string }
  /** In place of the field of this name, or behind all others. */
  | { readonly edit: 'set'; readonly name: string; readonly value: string }
  | { readonly edit: 'add'; readonly name: string; readonly value: string }
  /** A line as it is, behind all fields. */
  | { readonly edit: 'line'; readonly line: string }
  /** The names of all fields. */
  | { readonly edit: 'letters'; readonly to: 'upper' | 'lower' }
  | { readonly edit: 'reverse' };

/** How octets are cut and spread over time. */
export interface Pieces {
  readonly bytes: number;
  readonly gapMs: number;
}

/** A frame, legal or not. It is masked as the tester's role demands, unless `masking` differs. */
export interface WireFrame extends Omit<FrameInit, 'maskingKey'> {
  readonly opcode: number;
  readonly payload: Buffer;
  /** `wrong`: what the role forbids; `zeros`: with a key of four zeros, where the role masks. */
  readonly masking?: 'wrong' | 'zeros';
}

/** What the tester does, one after the other, while it reads. */
export type Action =
  | { readonly do: 'frames'; readonly frames: readonly WireFrame[]; readonly pieces?: Pieces }
  | { readonly do: 'octets'; readonly octets: Buffer }
  | { readonly do: 'wait'; readonly ms: number }
  /** Goes on as soon as the peer has sent a close frame, or after `waitMs`. */
  | { readonly do: 'until-closed' }
  /** Goes on as soon as the peer has sent this pong, or after `waitMs`. */
  | { readonly do: 'until-pong'; readonly payload: Buffer }
  /** Ends the tester's half of TCP. */
  | { readonly do: 'end' }
  /** Resets TCP. */
  | { readonly do: 'reset' };

/**
 * How the tester finds out what became of the connection.
 *
 * `opening`: the answer to the request is all there is to see. `greet`: it sends a text, waits for
 * its echo and closes. `react`: it waits for the peer to close or drop the connection. `leave`: it
 * drops the connection itself; what counts is what the peer does for others.
 */
export type Ending = 'opening' | 'greet' | 'react' | 'leave';

/** An outcome and its verdict; one that is not OK says why. */
export interface ExpectedOutcome {
  readonly verdict: Exclude<Behavior, 'FAILED' | 'UNIMPLEMENTED'>;
  readonly outcome: Outcome;
  readonly why?: string;
}

/** What the peer did, in one of its forms. */
export type Outcome =
  /** An HTTP status other than 101, of these if they are given, with a field if one is named. */
  | {
      readonly is: 'refused';
      readonly status?: readonly number[];
      readonly field?: { readonly name: string; readonly element: string };
    }
  /** 101, in order unless `anyhow`; `declined`: without permessage-deflate. */
  | { readonly is: 'accepted'; readonly declined?: boolean; readonly anyhow?: boolean }
  /** TCP was dropped in place of an answer to the request. */
  | { readonly is: 'hung-up' }
  /** No answer to the request came in time. */
  | { readonly is: 'unanswered' }
  /** What came in place of an answer is not HTTP. */
  | { readonly is: 'not-http' }
  /** The greeting came back, and before it what `received` lists. */
  | { readonly is: 'open'; readonly received?: Received }
  /** The peer closed with one of `codes` or none, or dropped TCP; another code is a wrong one. */
  | { readonly is: 'failed'; readonly codes: readonly number[]; readonly received?: Received }
  /** The peer sent a close frame with one of `codes` or none. */
  | { readonly is: 'closed'; readonly codes: readonly number[]; readonly received?: Received }
  /** The peer dropped TCP without a close frame. */
  | { readonly is: 'dropped'; readonly received?: Received }
  /** The peer did none of this in time. */
  | { readonly is: 'quiet'; readonly received?: Received };

/**
 * Messages and pongs: exactly these in this order, or these messages with any pongs, or at last this
 * one, or whatever. Absent: none.
 */
export type Received =
  | readonly ReceivedEvent[]
  | { readonly messages: readonly ReceivedEvent[] }
  | { readonly last: ReceivedEvent }
  | 'any';

export interface ReceivedEvent {
  readonly type: 'text' | 'binary' | 'pong';
  readonly payload: Buffer;
}
