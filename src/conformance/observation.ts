import type { RequestHead, ResponseHead, Violation } from '../protocol/index.ts';

/** A message or control frame of the peer, as it came. */
export interface ReceivedFrame {
  readonly type: 'text' | 'binary' | 'ping' | 'pong';
  /** Of a message larger than what is kept only the head. */
  readonly payload: Buffer;
  readonly length: number;
}

/** What came of the opening handshake. */
export type OpeningResult =
  /** 101, or a client whose request was answered with 101. */
  | {
      readonly is: 'accepted';
      /** Why the response was not in order. */
      readonly breach: Violation | undefined;
      /** Whether permessage-deflate is in force, or was meant to be. */
      readonly deflate: boolean;
    }
  | { readonly is: 'refused'; readonly head: ResponseHead }
  | { readonly is: 'hung-up' }
  | { readonly is: 'unanswered' }
  | { readonly is: 'not-http'; readonly what: string };

/** How the peer left the connection: closed and dropped as a side of TCP, or neither. */
export type EndingResult =
  | { readonly is: 'open' }
  | { readonly is: 'closed'; readonly code: number | null; readonly reason: Buffer }
  | { readonly is: 'dropped' }
  | { readonly is: 'quiet' };

/** All that one extended case saw. */
export interface Observation {
  readonly opening: OpeningResult;
  readonly received: readonly ReceivedFrame[];
  /** Undefined if the case ended with the opening handshake. */
  readonly end: EndingResult | undefined;
  /** What the peer did that no peer may, whatever the case is about. */
  readonly violation: string | undefined;
  /** Whether TCP was gone in time after the closing handshake; undefined if there was none. */
  readonly droppedInTime: boolean | undefined;
  /** Whether the tester's close frame at the end of a `greet` was answered. */
  readonly answeredClose: boolean | undefined;
  /** Whether another connection was served afterwards; undefined if that was not tried. */
  readonly served: boolean | undefined;
  /** What the case needs and the peer does not offer. */
  readonly lacking: string | undefined;
  /** Why the case was ended by its guard. */
  readonly guard: string | null;
}

/** The request of a client for a WebSocket. */
export interface PeerRequest {
  readonly head: RequestHead;
  /** The head as it was on the wire. */
  readonly text: string;
}
