import type { Violation } from '../protocol/index.ts';

/**
 * What one case and one run came to. Everything here is plain data (no buffers, no classes), so
 * that every report is made from the same value and `JSON.stringify` keeps all of it.
 */

/** Autobahn's judgement of what the peer sent. */
export type Behavior = 'OK' | 'NON-STRICT' | 'FAILED' | 'INFORMATIONAL' | 'UNIMPLEMENTED';

/** Autobahn's judgement of how the connection ended. */
export type BehaviorClose =
  'OK' | 'FAILED' | 'UNCLEAN' | 'WRONG CODE' | 'FAILED BY CLIENT' | 'INFORMATIONAL';

/** The labels under which a case lists what it expects. */
export type ExpectedLabel = 'OK' | 'NON-STRICT';

/** Octets as they are kept in a result: how many there were, and the first of them. */
export interface Clip {
  /** All of them, in bytes. */
  readonly length: number;
  /** The first `CLIP_BYTES` in hex. */
  readonly hex: string;
}

/** How many octets of a payload or a piece of the stream a result keeps. */
export const CLIP_BYTES = 256;

/** Keeps the head of `bytes`; `length` if only a head of something longer is at hand. */
export function clip(bytes: Buffer, length = bytes.length): Clip {
  return { length, hex: bytes.toString('hex', 0, Math.min(bytes.length, CLIP_BYTES)) };
}

/** One thing a case expected or saw, in order. */
export type CaseEvent =
  | { readonly type: 'message'; readonly binary: boolean; readonly payload: Clip }
  | { readonly type: 'pong'; readonly payload: Clip }
  /** A wait of the case ran to its end while the connection was open. */
  | { readonly type: 'timeout'; readonly tag: string };

/** How a case wants the connection to end. */
export interface ExpectedClose {
  readonly closedByMe: boolean;
  readonly closeCode: readonly number[];
  readonly requireClean: boolean;
  /** Whether a close by the wrong side makes the behavior FAILED, too. */
  readonly closedByWrongEndpointIsFatal?: boolean;
}

/** A bit of the frame log; `atMs` counts from the start of the case. */
export type LogRow =
  | {
      readonly kind: 'octets';
      readonly atMs: number;
      readonly direction: 'sent' | 'received';
      readonly octets: Clip;
      /** Position of the first octet in its direction's stream, behind the handshake. */
      readonly offset: number;
      /** Of what was sent: whether it waited in the queue and was written on its own. */
      readonly sync: boolean;
    }
  | {
      readonly kind: 'frame';
      readonly atMs: number;
      readonly direction: 'sent' | 'received';
      readonly opcode: number;
      readonly fin: boolean;
      /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
      readonly rsv: number;
      readonly masked: boolean;
      /** In hex; null for an unmasked frame. */
      readonly maskingKey: string | null;
      /** Unmasked. Of a sent frame with `repeatTo` the unit that is repeated. */
      readonly payload: Clip;
      /** Position of the frame's first octet in its direction's stream, behind the handshake. */
      readonly offset: number;
      /** Octets before the payload. */
      readonly headerBytes: number;
      /** Of a sent frame: the length to which its payload was repeated. */
      readonly repeatTo: number | null;
      /** Of a sent frame: the size of the pieces it was written in. */
      readonly chopBytes: number | null;
      readonly sync: boolean;
    }
  /** From here on frames and octets are (not) logged. */
  | { readonly kind: 'logging'; readonly atMs: number; readonly enabled: boolean }
  /** A wait of the case: begun, or at its end. */
  | {
      readonly kind: 'wait';
      readonly atMs: number;
      readonly delayS: number;
      readonly tag: string;
      readonly expired: boolean;
    }
  /** The timer that fails the connection (`kill`) or closes it (`close`): armed, or expired. */
  | {
      readonly kind: 'timer';
      readonly atMs: number;
      readonly timer: 'kill' | 'close';
      readonly delayS: number;
      readonly expired: boolean;
    };

/** A breach of the protocol that the tester saw in what the peer sent. */
export interface Finding {
  readonly violation: Violation;
  /** Position of the offending octet in the received stream, behind the handshake. */
  readonly offset: number;
  /** Octets around it in hex; `from` is the position of the first of them. */
  readonly octets: { readonly from: number; readonly hex: string };
}

/** Counters of one direction of a connection, counted while it was open. */
export interface TrafficCounters {
  readonly octetsWireLevel: number;
  /** Payload on the wire: what frames carried. */
  readonly octetsWebSocketLevel: number;
  /** Payload of messages, before compression. */
  readonly octetsAppLevel: number;
  readonly webSocketFrames: number;
  readonly webSocketMessages: number;
  /** Octets of the handshake. */
  readonly preopenOctetsWireLevel: number;
}

export interface Traffic {
  readonly outgoing: TrafficCounters;
  readonly incoming: TrafficCounters;
}

/** How often something was counted, by its number: frames by opcode, octets by size of the piece. */
export type Counts = Readonly<Record<string, number>>;

/** The closing of the connection, with the names Autobahn gives its facts. */
export interface CloseFacts {
  /** The tester sent the first close frame. */
  readonly closedByMe: boolean;
  /** The tester failed the connection. */
  readonly failedByMe: boolean;
  /** The tester dropped TCP. */
  readonly droppedByMe: boolean;
  readonly wasClean: boolean;
  readonly wasNotCleanReason: string | null;
  readonly wasOpenHandshakeTimeout: boolean;
  readonly wasCloseHandshakeTimeout: boolean;
  readonly wasServerConnectionDropTimeout: boolean;
  readonly localCloseCode: number | null;
  /** Octets in hex: a case may send what is no UTF-8. */
  readonly localCloseReason: string | null;
  readonly remoteCloseCode: number | null;
  readonly remoteCloseReason: string | null;
}

/** What happened to a case that failed while others ran beside it. */
export type Retry =
  /** It passed, or it ran alone in the first place. */
  | 'not needed'
  /** It was run again alone, and this is the result of that. */
  | 'alone'
  /** Not run again: others that failed in the same way were, alone, and failed as before. */
  | 'sampled';

/** Everything about one case of one agent. */
export interface CaseResult {
  readonly id: string;
  /** 1-based: among all cases as a client, among the selected ones as a server. */
  readonly number: number;
  readonly title: string;
  /** Section the case rests on, as `6455#5.2`. */
  readonly rfc: string;
  readonly description: string;
  readonly expectation: string;
  readonly agent: string;

  readonly behavior: Behavior;
  readonly behaviorClose: BehaviorClose;
  /** Why, in a sentence. */
  readonly result: string;
  readonly resultClose: string;

  /** Whether the opening handshake was completed. */
  readonly opened: boolean;
  readonly expected: Readonly<Partial<Record<ExpectedLabel, readonly CaseEvent[]>>>;
  /** Null if the connection was never open. */
  readonly expectedClose: ExpectedClose | null;
  readonly received: readonly CaseEvent[];
  readonly close: CloseFacts;

  /** The heads of the opening handshake as they were on the wire; null if there was none. */
  readonly httpRequest: string | null;
  readonly httpResponse: string | null;

  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** From the open connection (or, if it never was, from the start) to the loss of TCP. */
  readonly durationMs: number;
  /** Whether the duration says something about the peer (sections 9, 12 and 13). */
  readonly reportTime: boolean;
  readonly reportCompressionRatio: boolean;
  /** Of a passed case of sections 12 and 13. */
  readonly traffic: Traffic | null;
  readonly rxOctetStats: Counts;
  readonly txOctetStats: Counts;
  readonly rxFrameStats: Counts;
  readonly txFrameStats: Counts;
  readonly log: readonly LogRow[];
  /** False when payload went unlogged at the end (sections 9, 12 and 13 switch the log off). */
  readonly logEnabled: boolean;

  /** What the peer did wrong on the wire, first breach first. */
  readonly findings: readonly Finding[];
  readonly retry: Retry;
  /** Why a guard timer ended the case, where Autobahn itself would wait for ever. */
  readonly guard: string | null;
  /** Why the case was not run at all; its verdict is what Autobahn gives to a missing handshake. */
  readonly notRun: string | null;
  /** Fewer messages than the case has in Autobahn (`--quick`). */
  readonly quick: boolean;
}

/** Whether a case counts as passed, at the strictness of `--fail-on`. */
export type FailOn = 'failed' | 'non-strict' | 'unimplemented';

/** The two verdicts of a case and the sentences that go with them. */
export type CaseVerdict = Pick<CaseResult, 'behavior' | 'behaviorClose' | 'result' | 'resultClose'>;

/** The input of a run as far as it matters to whoever reads the report. */
export interface RunOptions {
  /** What the peer is: `server`, when the tester dials. */
  readonly role: 'server' | 'client';
  /** URL of the server under test, or the one at which clients find the tester. */
  readonly target: string;
  readonly cases: readonly string[];
  readonly exclude: readonly string[];
  readonly quick: boolean;
  readonly extended: boolean;
  readonly concurrency: number;
  readonly failOn: FailOn;
}

export interface RunEnvironment {
  /** Version of this package. */
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly cpus: number;
}

/** All results of one agent, in the numeric order of the ids. */
export interface AgentResults {
  readonly agent: string;
  readonly cases: readonly CaseResult[];
}

/** A row of the file of expected failures, and what became of it. */
export interface ExpectedFailure {
  readonly case: string;
  /** Absent: every agent. */
  readonly agent?: string | undefined;
  readonly reason: string;
  /** `stale`: the case does not fail (any more), which is a failure of its own; `unused`: not run. */
  readonly outcome: 'failed as expected' | 'stale' | 'unused';
}

/** One run of the suite: the value every report is made from. */
export interface ConformanceRun {
  readonly options: RunOptions;
  readonly environment: RunEnvironment;
  readonly agents: readonly AgentResults[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** True for a run that was stopped: what is missing was not run. */
  readonly interrupted: boolean;
  /** How many cases were selected, for each agent. */
  readonly selected: number;
  /** Why timing may have changed verdicts; null on a machine with time to spare. */
  readonly machineTooBusy: string | null;
  /** What the reader should know of how the run went: a peer that serves one connection at a time. */
  readonly notes: readonly string[];
  readonly expectedFailures: readonly ExpectedFailure[];
}
