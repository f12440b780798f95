import type { LoadPlan } from '../plan.ts';
import type { ErrorRow } from '../measure/errors.ts';
import type { ScenarioCounts } from '../scenario/vu/results.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { PublishedBuffers } from '../measure/published.ts';
import type { WorkerBuffers } from '../measure/counters.ts';

/** Which engine runs in the worker threads. */
export type Workload =
  | { readonly engine: 'fast' | 'client' }
  | { readonly engine: 'scenario'; readonly scenario: Scenario };

/** What a worker thread gets at its start. */
export interface WorkerStart {
  readonly plan: LoadPlan;
  readonly workload: Workload;
  /** Number of this worker, from 0; connection i belongs to worker i modulo `plan.workers`. */
  readonly index: number;
  readonly addresses: readonly string[];
  readonly buffers: WorkerBuffers;
  /** Shared by all workers in the mode fanout; null in the others. */
  readonly published: PublishedBuffers | null;
  /** The pacer's entry: a URL, or the source text itself in the bundle. */
  readonly pacer: string;
}

/** When the traffic is due, in milliseconds on the common clock. */
export interface TrafficTimes {
  readonly startMs: number;
  /** End of the warm-up. */
  readonly measureMs: number;
  readonly endMs: number;
  /** Until when to wait for replies. */
  readonly drainMs: number;
}

export type ToWorker =
  | { readonly type: 'start'; readonly times: TrafficTimes }
  /** Stop now; messages without a reply stay in flight if `interrupted`, else they are lost. */
  | { readonly type: 'finish'; readonly interrupted: boolean }
  /** Close all connections and end. */
  | { readonly type: 'close' };

export type FromWorker =
  /** Every connection of the worker was opened or failed; from when to when, on the common clock. */
  | { readonly type: 'connected'; readonly startMs: number; readonly endMs: number }
  /** It has no open connection left. */
  | { readonly type: 'gone' }
  | ({ readonly type: 'result' } & WorkerResult);

export interface WorkerResult {
  readonly errors: readonly ErrorRow[];
  /** Replies of each connection that was opened, in the measured phase. */
  readonly replies: readonly number[];
  /** Of thread and pacer in the measured phase; null where the system does not tell. */
  readonly cpuMs: number | null;
  /** Ready to run without a core; null as above. */
  readonly waitMs: number | null;
  readonly eventLoopUtilization: number;
  readonly gcMs: number;
  readonly measureMs: number;
  readonly scenario?: ScenarioCounts;
  /** Remarks for the report. */
  readonly notes?: readonly string[];
}
