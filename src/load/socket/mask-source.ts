import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;

/**
 * Masking keys, drawn from the system's random numbers many at a time. No octet of them is zero:
 * some servers skip the work for a key of 0, which would flatter them.
 */
export function createMaskSource(): () => Uint8Array {
  const pool = Buffer.allocUnsafe(POOL_BYTES);
  const key = Buffer.alloc(4);
  let at = POOL_BYTES;
  return () => {
    if (at === POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    for (let i = 0; i < 4; i++) key[i] = (pool[at + i] as number) || 0x5a;
    at += 4;
    return key;
  };
}
