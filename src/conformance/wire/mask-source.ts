import { randomFillSync } from 'node:crypto';

/** Keys that are made at a time: asking for four random octets again and again is slow. */
const POOL_BYTES = 4096;

/** Random masking keys (RFC 6455 section 5.3). */
export function createMaskSource(): () => Buffer {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return () => {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += 4;
    // A copy: some keys outlive the pool's next round.
    return Buffer.from(pool.subarray(used - 4, used));
  };
}
