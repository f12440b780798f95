import type { LoadPlan } from '../plan.ts';
import type { SecondSample } from '../result.ts';
import type { ClockOffset } from './redis.ts';
import type { LiveSeconds } from './live-seconds.ts';
import { Outcome, WorkerMessage } from './protocol.ts';

/** What the worker returned, or that the worker is gone. */
export type SegmentEnd = Outcome | { readonly kind: 'lost'; readonly reason: string };

/** One part of a run and its state. */
export interface Segment {
  readonly index: number;
  readonly plan: LoadPlan;
  /** Of the BullMQ job; changes when the segment is offered again. */
  jobId: string;
  worker: { readonly name: string; readonly clock: ClockOffset } | undefined;
  /** What its worker sent so far. */
  readonly seconds: SecondSample[];
  end: SegmentEnd | undefined;
}

/** The segments of one run: updated by events of the queue; `until` waits for a change. */
export class Segments {
  readonly all: readonly Segment[];
  readonly #live: LiveSeconds;
  readonly #waiting = new Set<() => void>();

  constructor(plans: readonly LoadPlan[], live: LiveSeconds) {
    this.all = plans.map((plan, index) => ({
      index,
      plan,
      jobId: '',
      worker: undefined,
      seconds: [],
      end: undefined,
    }));
    this.#live = live;
  }

  get running(): readonly Segment[] {
    return this.all.filter(({ end }) => end === undefined);
  }

  find(jobId: string): Segment | undefined {
    return this.running.find((segment) => segment.jobId === jobId);
  }

  /** Takes a message of a worker; an invalid one is ignored. */
  receive(jobId: string, data: unknown): void {
    const segment = this.find(jobId);
    const { data: message } = WorkerMessage.safeParse(data);
    if (segment === undefined || message === undefined) return;
    if (message.type === 'join') {
      const { name, offsetMs, errorMs } = message;
      segment.worker = { name: this.#uniqueName(name), clock: { offsetMs, errorMs } };
    } else {
      segment.seconds.push(message.sample);
      this.#live.add(segment.index, message.sample);
    }
    this.#changed();
  }

  /** Takes what a worker returned. */
  complete(jobId: string, value: unknown): void {
    const { data: outcome } = Outcome.safeParse(value);
    this.end(jobId, outcome ?? { kind: 'lost', reason: 'returned something that is not a result' });
  }

  /** Ends a running segment; one that has ended keeps its end. */
  end(jobId: string, end: SegmentEnd): void {
    const segment = this.find(jobId);
    if (segment === undefined) return;
    segment.end = end;
    this.#live.end(segment.index);
    this.#changed();
  }

  endAll(end: SegmentEnd): void {
    for (const { jobId } of this.running) this.end(jobId, end);
  }

  /** Prepares a segment to be offered again. */
  renew(segment: Segment, jobId: string): void {
    segment.jobId = jobId;
    segment.worker = undefined;
  }

  /** Resolves with true when `condition` holds, with false after `timeoutMs` or when aborted. */
  async until(
    condition: () => boolean,
    timeoutMs: number,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<boolean> {
    if (condition()) return true;
    if (signal.aborted) return false;
    return await new Promise((resolve) => {
      const settle = (held: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        signal.removeEventListener('abort', giveUp);
        resolve(held);
      };
      const look = (): void => {
        if (condition()) settle(true);
      };
      const giveUp = (): void => settle(false);
      const timer = setTimeout(giveUp, timeoutMs);
      this.#waiting.add(look);
      signal.addEventListener('abort', giveUp);
    });
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Two workers may have the same name; rows of a report need distinct ones. */
  #uniqueName(name: string): string {
    const taken = new Set(this.all.map(({ worker }) => worker?.name));
    let unique = name;
    for (let number = 2; taken.has(unique); number++) unique = `${name} (${number})`;
    return unique;
  }
}
