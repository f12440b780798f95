import type { LoadPlan } from '../plan.ts';
import type { SecondSample } from '../result.ts';
import type { ClockOffset } from './redis.ts';
import type { LiveSeconds } from './live-seconds.ts';
import { Outcome, Tidings } from './protocol.ts';

/** How a share ended: what its worker returned, or that the worker is gone. */
export type ShareEnd = Outcome | { readonly kind: 'lost'; readonly reason: string };

/** One part of a run and what is known of it. */
export interface Share {
  readonly index: number;
  readonly plan: LoadPlan;
  /** Of the BullMQ job; another one when the share is offered again. */
  jobId: string;
  worker: { readonly name: string; readonly clock: ClockOffset } | undefined;
  /** What its worker told so far. */
  readonly seconds: SecondSample[];
  end: ShareEnd | undefined;
}

/** The shares of one run: takes in what comes from the queue and tells who waits for a change. */
export class Shares {
  readonly all: readonly Share[];
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

  get running(): readonly Share[] {
    return this.all.filter(({ end }) => end === undefined);
  }

  find(jobId: string): Share | undefined {
    return this.running.find((share) => share.jobId === jobId);
  }

  /** What a worker told while it runs; what it cannot mean is left out. */
  hear(jobId: string, data: unknown): void {
    const share = this.find(jobId);
    const { data: tidings } = Tidings.safeParse(data);
    if (share === undefined || tidings === undefined) return;
    if (tidings.type === 'ready') {
      const { name, offsetMs, errorMs } = tidings;
      share.worker = { name: this.#uniqueName(name), clock: { offsetMs, errorMs } };
    } else {
      share.seconds.push(tidings.sample);
      this.#live.add(share.index, tidings.sample);
    }
    this.#changed();
  }

  /** What a worker returned. */
  complete(jobId: string, value: unknown): void {
    const { data: outcome } = Outcome.safeParse(value);
    this.end(jobId, outcome ?? { kind: 'lost', reason: 'answered something else than a result' });
  }

  /** Puts an end to a share that has none; others keep theirs. */
  end(jobId: string, end: ShareEnd): void {
    const share = this.find(jobId);
    if (share === undefined) return;
    share.end = end;
    this.#live.end(share.index);
    this.#changed();
  }

  endAll(end: ShareEnd): void {
    for (const { jobId } of this.running) this.end(jobId, end);
  }

  /** Offers a share again, as nothing had come of it. */
  renew(share: Share, jobId: string): void {
    share.jobId = jobId;
    share.worker = undefined;
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

  /** Names may be given twice; rows of a report must not be mixed up. */
  #uniqueName(name: string): string {
    const taken = new Set(this.all.map(({ worker }) => worker?.name));
    let unique = name;
    for (let number = 2; taken.has(unique); number++) unique = `${name} (${number})`;
    return unique;
  }
}
