/**
 * One monotonic clock for all threads, in milliseconds: `performance.now()` starts at 0 in each
 * thread, so its offset from the system's clock is added.
 */
const offset = measureOffset();

/** Milliseconds since a moment that is the same for every thread of this machine. */
export function now(): number {
  return performance.now() + offset;
}

/** The smallest of a few: an interruption between the two calls makes it larger. */
function measureOffset(): number {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    least = Math.min(least, Number(process.hrtime.bigint()) / 1e6 - before);
  }
  return least;
}
