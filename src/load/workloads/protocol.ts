import type { LoadPlan } from '../plan.ts';
import type { ErrorRow } from '../measure/errors.ts';
import type { ScenarioCounts } from '../scenario/vu/results.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { PublishedBuffers } from '../measure/published.ts';
import type { WorkerBuffers } from '../measure/counters.ts';

/** What carries the messages: each has a thread of its own that speaks as is said below. */
export type Workload =
  | { readonly engine: 'fast' | 'client' }
  | { readonly engine: 'scenario'; readonly scenario: Scenario };

/** What a worker thread is started with. */
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
  /** Until when replies are waited for. */
  readonly drainMs: number;
}

export type ToWorker =
  | { readonly type: 'start'; readonly times: TrafficTimes }
  /** Stop now; `interrupted` leaves what is outstanding in flight, else it is lost. */
  | { readonly type: 'finish'; readonly interrupted: boolean }
  /** Close all connections and end. */
  | { readonly type: 'close' };

export type FromWorker =
  /** Every connection of its share was opened or failed; from when to when, on the common clock. */
  | { readonly type: 'connected'; readonly startMs: number; readonly endMs: number }
  /** It has no open connection left. */
  | { readonly type: 'gone' }
  | ({ readonly type: 'result' } & WorkerResult);

export interface WorkerResult {
  readonly errors: readonly ErrorRow[];
  /** Replies of each connection that was opened, in the measured phase. */
  readonly replies: readonly number[];
  /** Thread and pacer, over the measured phase; null where the system does not tell. */
  readonly cpuMs: number | null;
  readonly eventLoopUtilization: number;
  readonly gcMs: number;
  readonly measureMs: number;
  readonly scenario?: ScenarioCounts;
  /** What a reader of the figures has to know. */
  readonly notes?: readonly string[];
}
