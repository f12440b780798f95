import { EnvironmentError } from '../../core/errors.ts';
import type { Metrics, Search } from '../metrics.ts';
import { judgeThresholds, type Threshold } from './threshold.ts';
import { generatorState } from './saturation.ts';

/** Levels that lie closer are the same. */
const CLOSE = 1.05;
const LEAST_REACHED = 0.99;
/** Enough to get from any start to the highest rate, or to one message in a quarter of an hour. */
const MOST_STEPS = 30;
const LOWEST_RATE = 0.001;
/** Of a level that fails while the generator is held up, as by another program. */
const MOST_RUNS = 3;

export interface FindMaxOptions {
  readonly slo: Threshold;
  /** Messages per second to begin with. */
  readonly start: number;
  readonly run: (rate: number) => Promise<Metrics>;
  readonly signal: AbortSignal;
}

interface Level {
  readonly rate: number;
  readonly held: boolean;
  readonly detail: string;
  /** Of the generator, where the level did not hold. */
  readonly saturated: boolean;
  readonly disturbed: boolean;
}

/**
 * The highest rate at which the threshold holds, 99 % of the messages are sent and none is lost:
 * doubled until it does not hold, then bisected to 5 %, then run once more, so that a rate that held
 * by chance does not count.
 *
 * A level that holds does so whatever the lateness of the generator, as response times include it.
 */
export async function findMax(options: FindMaxOptions): Promise<Search> {
  const search = new RateSearch(options);
  try {
    const best = await search.find();
    return { ...search.found, best, limit: search.limitOf(best) };
  } catch (error) {
    if (error instanceof Stopped) {
      return { ...search.found, best: search.highest(), limit: 'the search was stopped' };
    }
    // A server that fails under a rate is a result; one that cannot be reached at first is an error.
    if (!(error instanceof EnvironmentError) || search.found.levels.length === 0) throw error;
    const limit = `the server was no longer reachable after these levels: ${error.message}`;
    return { ...search.found, best: search.highest(), limit };
  }
}

/** The search was interrupted. */
class Stopped extends Error {}

class RateSearch {
  readonly #options: FindMaxOptions;
  readonly #levels: Level[] = [];

  constructor(options: FindMaxOptions) {
    this.#options = options;
  }

  get found(): Pick<Search, 'slo' | 'levels'> {
    const levels = this.#levels.map(({ rate, held, detail }) => ({ rate, held, detail }));
    return { slo: this.#options.slo.text, levels };
  }

  /** The highest rate that held when it was run last; null when none did. */
  highest(): number | null {
    const last = new Map(this.#levels.map(({ rate, held }) => [rate, held]));
    const held = [...last].filter(([, holds]) => holds).map(([rate]) => rate);
    return held.length === 0 ? null : Math.max(...held);
  }

  async find(): Promise<number | null> {
    await this.#bracket();
    let best = await this.#bisect();
    while (best !== null && !(await this.#tries(best))) best = this.highest();
    return best;
  }

  /** In one sentence, what keeps the rate at `best`. */
  limitOf(best: number | null): string {
    const above = this.#levels.filter(({ rate, held }) => !held && (best === null || rate > best));
    const [lowest] = above.toSorted((a, b) => a.rate - b.rate);
    if (lowest === undefined) return 'every rate that was tried holds';
    const at = `at ${lowest.rate} messages per second: ${lowest.detail}`;
    if (lowest.saturated) return `the generator is the limit, the server may hold more; ${at}`;
    return lowest.disturbed
      ? `the generator was disturbed, the server may hold more; ${at}`
      : `the server is the limit; ${at}`;
  }

  /** Doubles up to the first rate that does not hold, or halves down to the first that does. */
  async #bracket(): Promise<void> {
    let rate = this.#options.start;
    const rises = await this.#tries(rate);
    for (let step = 0; step < MOST_STEPS; step++) {
      rate = rises ? rate * 2 : rate / 2;
      if (rate < LOWEST_RATE || (await this.#tries(rate)) !== rises) return;
    }
  }

  async #bisect(): Promise<number | null> {
    for (;;) {
      const best = this.highest();
      if (best === null) return null;
      const above = this.#levels.filter(({ rate, held }) => !held && rate > best);
      const lowest = Math.min(...above.map(({ rate }) => rate));
      if (!(lowest / best > CLOSE) || lowest === Infinity) return best;
      const middle = Number(Math.sqrt(best * lowest).toPrecision(3));
      if (middle <= best || middle >= lowest) return best;
      await this.#tries(middle);
    }
  }

  /** A level that may have failed for a fault of the generator is run again. */
  async #tries(rate: number): Promise<boolean> {
    for (let run = 0; run < MOST_RUNS; run++) {
      if (await this.#holds(rate)) return true;
      const level = this.#levels.at(-1);
      if (level?.saturated !== true && level?.disturbed !== true) return false;
    }
    return false;
  }

  async #holds(rate: number): Promise<boolean> {
    this.#stopIfAborted();
    const measured = await this.#options.run(rate);
    // An interrupted run says nothing about the rate.
    this.#stopIfAborted();
    const level = levelOf(rate, measured, this.#options.slo);
    this.#levels.push(level);
    return level.held;
  }

  #stopIfAborted(): void {
    if (this.#options.signal.aborted) throw new Stopped();
  }
}

function levelOf(rate: number, measured: Metrics, slo: Threshold): Level {
  const { saturated, disturbed } = measured.generator;
  const reasons = [...shortfalls(measured), ...broken(slo, measured)];
  const held = reasons.length === 0;
  const detail = held ? figures(slo, measured) : reasonsText(measured, reasons);
  return { rate, held, detail, saturated, disturbed };
}

function reasonsText({ generator }: Metrics, reasons: readonly string[]): string {
  const state = generatorState(generator);
  if (state === undefined) return reasons.join('; ');
  return [...reasons, `${state}: ${generator.reasons.join('; ')}`].join('; ');
}

/** Losses that show that the server does not hold the rate. */
function shortfalls({ rate, messages, connections }: Metrics): string[] {
  const { reached } = rate;
  const counts = [
    [messages.lost, 'messages were lost'],
    [connections.failed, 'connections failed'],
    [connections.dropped, 'connections were dropped'],
  ] as const;
  return [
    ...(reached !== null && reached < LEAST_REACHED
      ? [`${(reached * 100).toFixed(1)} % of the messages were sent`]
      : []),
    ...counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
  ];
}

function broken(slo: Threshold, measured: Metrics): string[] {
  const [row] = judgeThresholds([slo], measured);
  if (row === undefined || row.verdict === 'pass') return [];
  return [row.value === null ? `${row.metric} was not measured` : figures(slo, measured)];
}

function figures(slo: Threshold, measured: Metrics): string {
  const [row] = judgeThresholds([slo], measured);
  const value = row?.value ?? null;
  return value === null ? '' : `${slo.metric} is ${Number(value.toPrecision(3))} ${slo.unit}`;
}
