/**
 * What one run is to do, resolved to the last value: made from the input of `benchmark` before any
 * connection is opened, cloned to worker threads and sent as JSON to other machines.
 */
export interface LoadPlan {
  readonly target: LoadTarget;
  readonly mode: Mode;
  readonly connections: number;
  readonly load: OpenLoad | ClosedLoad;
  readonly message: MessagePlan;
  readonly phases: Phases;
  /** Threads that carry the connections, at least 1. */
  readonly workers: number;
  /** Spin between two sends in place of the pacer thread; costs a whole core for each worker. */
  readonly precise: boolean;
  /** Which engine carries the messages; `client` is the full client, slower, with compression. */
  readonly engine: 'fast' | 'client';
  /** How publishers and receivers find each other; for the mode `fanout` alone. */
  readonly fanout: FanoutPlan | null;
  /** Which part of a run that was split this plan is; absent: all of it. */
  readonly share?: PlanShare;
}

/** Part `index` of `of`, the first being 0: numbers that are to differ are made from it. */
export interface PlanShare {
  readonly index: number;
  readonly of: number;
}

/** What is measured: round trips, deliveries to a room, handshakes, or quiet connections. */
export type Mode = 'echo' | 'fanout' | 'connect' | 'idle';

export interface LoadTarget {
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly subprotocols: readonly string[];
  /** Whether permessage-deflate is offered; the `client` engine alone can. */
  readonly compression: boolean;
  /** One for each connection, in turn, sent as `Authorization: Bearer`; empty: none. */
  readonly tokens: readonly string[];
  /** Accept any certificate. */
  readonly insecure: boolean;
  /** PEM texts. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** Local addresses to connect from, in turn; empty: the system's choice. */
  readonly sourceAddresses: readonly string[];
}

/** Open model: messages are due by a schedule, whatever the server does. */
export interface OpenLoad {
  readonly model: 'open';
  /** Messages per second over all connections. */
  readonly rate: number;
  readonly arrivals: 'constant' | 'poisson';
  /** Of the random arrivals and payloads; the same seed gives the same schedule. */
  readonly seed: number;
}

/** Closed model: each connection keeps `depth` messages in flight. */
export interface ClosedLoad {
  readonly model: 'closed';
  readonly depth: number;
  readonly seed: number;
}

export interface MessagePlan {
  /** RFC 6455 section 5.6. */
  readonly opcode: 1 | 2;
  readonly size: FixedSize | UniformSize | SamplePayload;
}

/** Payload of so many bytes. */
export interface FixedSize {
  readonly kind: 'fixed';
  readonly bytes: number;
}

/** Payload of `min` to `max` bytes, both included. */
export interface UniformSize {
  readonly kind: 'uniform';
  readonly min: number;
  readonly max: number;
}

/** This payload, base64, as it is. */
export interface SamplePayload {
  readonly kind: 'sample';
  readonly base64: string;
}

/** Milliseconds. */
export interface Phases {
  /** Over which connections are opened; 0: as fast as they can be. */
  readonly rampMs: number;
  /** Measured, then discarded. */
  readonly warmupMs: number;
  readonly durationMs: number;
  /** How long replies are waited for after the last message was due. */
  readonly drainMs: number;
  /** After which an opening handshake has failed. */
  readonly connectTimeoutMs: number;
}

export interface FanoutPlan {
  /** Connections that publish; the others only receive. */
  readonly publishers: number;
  /** Texts each connection sends once it is open, as to join a room. */
  readonly join: readonly string[];
  /** Template of what is published; `{{id}}` stands for 16 digits that identify the message. */
  readonly publish: string;
  /** Whether a publisher receives its own message. */
  readonly toSelf: boolean;
}
