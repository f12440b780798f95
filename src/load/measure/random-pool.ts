import { randomFillSync } from 'node:crypto';

/** Drawn from the system at one time: a call for each key would cost more than the key's frame. */
const pool = Buffer.alloc(8192);
let used = pool.length;

/** `count` random bytes, good until the next call. */
export function takeRandom(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}
