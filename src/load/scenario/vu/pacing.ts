import { createRandom } from '../../random.ts';
import type { LoadPlan } from '../../plan.ts';
import type { CompiledKind } from './compiled.ts';
import type { VuTracker } from './tracker.ts';

/** When the passes of one virtual user are due, over all its connections. */
export class Pace {
  /** Milliseconds on the common clock. */
  next: number;
  readonly #periodMs: number;
  readonly #period: () => number;

  /** The first pass is due at `firstMs`; `period` gives the time to the next, `periodMs` on average. */
  constructor(firstMs: number, periodMs: number, period: () => number = () => periodMs) {
    this.next = firstMs;
    this.#periodMs = periodMs;
    this.#period = period;
  }

  /** Whether the next pass is the last that is due before `endMs`. */
  isLast(endMs: number): boolean {
    return this.next < endMs && this.next + this.#periodMs >= endMs;
  }

  advance(): void {
    this.next += this.#period();
  }
}

/** What pacing knows of a virtual user. */
interface PacedUser {
  readonly index: number;
  readonly compiled: CompiledKind;
}

/**
 * The paces of virtual users. In the open model the rate is divided among the users that have a loop
 * with a schedule or, without such a loop, among the iterations of all; in the closed model such a
 * loop follows its own `every`.
 */
export class Pacing {
  readonly pacesIterations: boolean;
  /** Whether any virtual user has a schedule. */
  readonly scheduled: boolean;
  readonly #plan: LoadPlan;
  /** Position among the virtual users with a schedule, by their index. */
  readonly #ranks = new Map<number, number>();
  readonly #paces = new Map<PacedUser, Pace>();
  #startMs = 0;

  /** `kinds` has the kind of each virtual user of the plan, by index. */
  constructor(plan: LoadPlan, kinds: readonly CompiledKind[]) {
    this.#plan = plan;
    const anyLoop = kinds.some(({ scheduled }) => scheduled !== undefined);
    const isOpen = plan.load.model === 'open';
    this.pacesIterations = isOpen && !anyLoop;
    this.scheduled = isOpen || anyLoop;
    for (const [index, { scheduled }] of kinds.entries()) {
      if (this.pacesIterations || scheduled !== undefined) this.#ranks.set(index, this.#ranks.size);
    }
  }

  begin(startMs: number): void {
    this.#startMs = startMs;
  }

  /** The pace of `vu`, the same at each call; undefined for none. */
  of(client: PacedUser): Pace | undefined {
    const rank = this.#ranks.get(client.index);
    if (rank === undefined) return undefined;
    const known = this.#paces.get(client);
    if (known !== undefined) return known;
    const periodMs = this.#periodMs(client.compiled);
    const { load } = this.#plan;
    let pace: Pace;
    if (load.model === 'open' && load.arrivals === 'poisson') {
      const random = createRandom(load.seed + 0x10001 * (client.index + 1));
      const period = (): number => -Math.log(1 - random()) * periodMs;
      pace = new Pace(this.#startMs + period(), periodMs, period);
    } else {
      // Staggered: users that begin together would always send together.
      const firstMs = this.#startMs + (periodMs * rank) / this.#ranks.size;
      pace = new Pace(firstMs, periodMs);
    }
    this.#paces.set(client, pace);
    return pace;
  }

  /** Counts what was due until `endMs` and was not begun. */
  end(endMs: number, tracker: VuTracker): void {
    for (const [client, pace] of this.#paces) {
      while (pace.next < endMs) {
        tracker.unsent(pace.next, client.compiled.messages);
        pace.advance();
      }
    }
  }

  notes(): string[] {
    if (this.#plan.load.model === 'closed' || this.#ranks.size === 0) return [];
    return this.pacesIterations ? ['the rate paces whole iterations, as no loop has an every'] : [];
  }

  #periodMs(kind: CompiledKind): number {
    const { load } = this.#plan;
    if (load.model === 'closed') return kind.scheduled?.everyMs ?? 1000;
    return (1000 * this.#ranks.size * kind.messages) / load.rate;
  }
}
