/**
 * One monotonic clock for all threads, in milliseconds: `performance.now()` starts anew in each
 * thread, so what it lacks to the system's own clock is added.
 */
const offset = measureOffset();

/** Milliseconds since a moment that is the same for every thread of this machine. */
export function now(): number {
  return performance.now() + offset;
}

/** The smallest of a few: whatever comes between the two calls makes it larger. */
function measureOffset(): number {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    least = Math.min(least, Number(process.hrtime.bigint()) / 1e6 - before);
  }
  return least;
}
