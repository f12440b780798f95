import type { RealtimeType } from '../terms.ts';

/** What the server does wrong, at the moment at which it would do `on`. */
export interface Fault {
  /** A message of the server by its type, `event` for what was published, or a step of the connection. */
  readonly on:
    'connect' | 'handshake' | 'welcome' | 'joined' | 'event' | 'ack' | 'pong' | 'authenticated';
  /** The connection, counted from 0. Default 0; `all` is every one. */
  readonly connection?: number | 'all';
  /** Which of them on this connection, counted from 0. Default 0. */
  readonly nth?: number;
  readonly does: Action;
}

export type Action =
  /** Breaks the TCP connection off: before, in the middle of its bytes, after. */
  | 'cut-before'
  | 'cut-inside'
  | 'cut-after'
  | 'twice'
  | 'drop'
  /** After the next message. */
  | 'swap'
  /** The messages of an answer come before it, too. */
  | 'early'
  /** Sends nothing any more, not even pongs, and keeps the connection. */
  | 'silence'
  /** Forgets everything: another epoch, the connections are cut. */
  | 'restart'
  | { readonly refuse: number; readonly retryAfter?: number }
  | { readonly close: number; readonly drainingMs?: number }
  | { readonly delayMs: number }
  /** Sends these before it; a text as it is. */
  | { readonly insert: readonly (string | Readonly<Record<string, unknown>>)[] }
  /** Changes fields. */
  | { readonly change: Readonly<Record<string, unknown>> };

/** One behaviour of a server, and what a client has to make of it. */
export interface ClientCase {
  readonly id: string;
  readonly title: string;
  /** Default: all. */
  readonly types?: readonly RealtimeType[];
  readonly faults: readonly Fault[];
  /** Messages that the server keeps. Default 1000. */
  readonly kept?: number;
  /** Messages that are published while the client is away. Default 2. */
  readonly away?: number;
  /** Messages before the client's position that an answer repeats. Default 0. */
  readonly repeated?: number;
  /** Features that the server does without. */
  readonly without?: readonly string[];
  readonly pingIntervalMs?: number;
  /** Over the options that every case gives. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The tokens that the client gets, in order, and those that the server takes. */
  readonly tokens?: { readonly given: readonly string[]; readonly valid: readonly string[] };
  readonly expect: {
    /** Whether the client has to say that something is lost. Default `no`. */
    readonly gap?: 'no' | 'yes' | 'may';
    /** How the client's first message ends. Default `acked`; the others are acknowledged. */
    readonly publish?: 'acked' | 'unknown' | 'any';
    /** It gives up, after one of so many attempts; one more with a new token. */
    readonly closedAfter?: readonly number[];
    /** Exactly so many connections. */
    readonly connections?: number;
    /** So many tokens were taken, at least. */
    readonly tokensTaken?: number;
    /** At least so long between the first and the second attempt. */
    readonly waitsMs?: number;
    /** So long are all waits together, at least: longer than waits that do not grow can be. */
    readonly growsToMs?: number;
  };
}
