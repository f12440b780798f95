import { randomFillSync } from 'node:crypto';

/** Numbers of 0 to 1, 1 not included: the same for the same seed (sfc32 by Chris Doty-Humphrey). */
export function createRandom(seed: number): () => number {
  let a = seed | 0;
  let b = (seed / 2 ** 32) | 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // After some rounds, seeds that differ in few bits give different numbers.
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** Filled in one call: a call for each key costs more than the frame of the key. */
const pool = Buffer.alloc(8192);
let used = pool.length;

/** Takes `count` bytes of the pool; returns where they begin. */
function draw(count: number): number {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return used - count;
}

/** `count` bytes of the system's random numbers, valid until the next call. */
export function takeRandom(count: number): Buffer {
  const from = draw(count);
  return pool.subarray(from, from + count);
}

const key = Buffer.alloc(4);

/**
 * A masking key, valid until the next call. No octet is zero: some servers skip the unmasking for a
 * key of 0, which makes them look faster than they are.
 */
export function maskingKey(): Buffer {
  const from = draw(4);
  for (let i = 0; i < 4; i++) key[i] = (pool[from + i] as number) || 0x5a;
  return key;
}
