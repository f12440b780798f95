/**
 * HdrHistogram's layout for values of 1 ns to 1 hour at 3 significant digits: 2,048 buckets of 1,
 * then 1,024 for each further power of two, so that no bucket is wider than 1/1024 of its values.
 */
export const BUCKETS = 33 * 1024;

/** 1 hour in nanoseconds: longer durations count as 1 hour. */
export const HIGHEST = 3_600_000_000_000;

/** Above this, bit operations do not work. */
const INT_LIMIT = 2 ** 31;

/** The bucket of `ns`; negative values and NaN go to the first. */
export function bucketOf(ns: number): number {
  if (ns < INT_LIMIT) {
    if (!(ns > 0)) return 0;
    const power = 21 - Math.clz32(ns | 2047);
    return power * 1024 + (ns >>> power);
  }
  if (!(ns < HIGHEST)) return ns >= HIGHEST ? bucketOfLarge(HIGHEST) : 0;
  return bucketOfLarge(ns);
}

function bucketOfLarge(ns: number): number {
  const high = (ns / 2048) | 0;
  const power = 32 - Math.clz32(high);
  return power * 1024 + (high >>> (power - 11));
}

/** How many values the bucket holds: a power of two. */
export function widthOf(bucket: number): number {
  return bucket < 2048 ? 1 : 2 ** ((bucket >> 10) - 1);
}

/** The lowest value of the bucket. */
export function lowestOf(bucket: number): number {
  return bucket < 2048 ? bucket : ((bucket & 1023) + 1024) * widthOf(bucket);
}
