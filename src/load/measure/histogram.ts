import { BUCKETS, bucketOf, lowestOf, widthOf } from './buckets.ts';
import { decodeCounts, encodeCounts } from './hdr.ts';

/** The largest count; it stays there instead of starting again at 0. */
const COUNT_LIMIT = 0xffffffff;

/**
 * Counts of durations in nanoseconds, 0 to 1 hour (what is longer counts as 1 hour), each reported
 * within 0.1 %: HdrHistogram's buckets on one array of fixed size and nothing beside them, so that
 * others can read a shared one at any time while its one writer goes on.
 */
export class Histogram {
  /** Size of the buffer that holds one. */
  static readonly BYTES = BUCKETS * Uint32Array.BYTES_PER_ELEMENT;

  /** As it was given, to be passed to another thread. */
  readonly buffer: SharedArrayBuffer | ArrayBuffer;
  readonly #counts: Uint32Array;

  /** On `buffer`, with the counts that it holds; without one, an empty histogram of its own. */
  constructor(buffer: SharedArrayBuffer | ArrayBuffer = new ArrayBuffer(Histogram.BYTES)) {
    this.buffer = buffer;
    this.#counts = new Uint32Array(buffer, 0, BUCKETS);
  }

  /** Adds `ns`, `count` times. Never allocates, never throws. */
  record(ns: number, count = 1): void {
    const counts = this.#counts;
    const bucket = bucketOf(ns);
    const sum = (counts[bucket] ?? 0) + count;
    counts[bucket] = sum > COUNT_LIMIT ? COUNT_LIMIT : sum;
  }

  get count(): number {
    return total(this.#counts);
  }

  /** Nanoseconds; 0 when empty. */
  get min(): number {
    const first = this.#counts.findIndex((count) => count > 0);
    return first === -1 ? 0 : lowestOf(first);
  }

  /** Nanoseconds; 0 when empty. */
  get max(): number {
    const last = this.#counts.findLastIndex((count) => count > 0);
    return last === -1 ? 0 : highestOf(last);
  }

  /** Nanoseconds; 0 when empty. */
  get mean(): number {
    let sum = 0;
    let seen = 0;
    for (const [bucket, count] of this.#used()) {
      sum += count * (lowestOf(bucket) + (widthOf(bucket) - 1) / 2);
      seen += count;
    }
    return seen === 0 ? 0 : sum / seen;
  }

  /** The value that `p` percent of all values do not exceed; nanoseconds, 0 when empty. */
  percentile(p: number): number {
    const counts = this.#counts;
    const all = total(counts);
    if (all === 0) return 0;
    if (p <= 0) return this.min;
    // 99.9 % of 1,000 is 999.0000000000001 in floating point, and is the 999th.
    const rank = Math.min(all, Math.max(1, Math.ceil((p / 100) * all * (1 - 1e-14))));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += counts[bucket] as number;
      if (seen >= rank) return highestOf(bucket);
    }
    return this.max;
  }

  /** Adds the counts of `other` to these. */
  add(other: Histogram): void {
    const [counts, others] = [this.#counts, other.#counts];
    // A plain loop: this is done each second of a run, and a generator would leave garbage.
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = others[bucket] as number;
      if (count === 0) continue;
      counts[bucket] = Math.min((counts[bucket] as number) + count, COUNT_LIMIT);
    }
  }

  /** Subtracts the counts of `other`, an earlier state of this one; never below 0. */
  subtract(other: Histogram): void {
    const [counts, others] = [this.#counts, other.#counts];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = others[bucket] as number;
      if (count !== 0) counts[bucket] = Math.max((counts[bucket] as number) - count, 0);
    }
  }

  /** A copy that does not share its memory. */
  clone(): Histogram {
    const copy = new Histogram();
    copy.#counts.set(this.#counts);
    return copy;
  }

  reset(): void {
    this.#counts.fill(0);
  }

  /** Buckets that are not empty, ascending: nanoseconds, `from` included, `to` not. */
  buckets(): { from: number; to: number; count: number }[] {
    return [...this.#used()].map(([bucket, count]) => {
      const from = lowestOf(bucket);
      return { from, to: from + widthOf(bucket), count };
    });
  }

  /** HdrHistogram V2, compressed, as every port of HdrHistogram reads it. */
  toBase64(): string {
    return encodeCounts(this.#counts);
  }

  /** Reads what `toBase64` of any port of HdrHistogram wrote; throws `RangeError` for other text. */
  static fromBase64(text: string): Histogram {
    const histogram = new Histogram();
    decodeCounts(text, (value, count) => histogram.record(value, count));
    return histogram;
  }

  *#used(): Generator<readonly [bucket: number, count: number]> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket] ?? 0;
      if (count > 0) yield [bucket, count];
    }
  }
}

function total(counts: Uint32Array): number {
  let sum = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) sum += counts[bucket] as number;
  return sum;
}

/** As HdrHistogram does, a bucket stands for the highest value that it holds. */
function highestOf(bucket: number): number {
  return lowestOf(bucket) + widthOf(bucket) - 1;
}
