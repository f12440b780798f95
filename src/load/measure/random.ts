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
  // Seeds that differ in few bits differ in all numbers after some rounds.
  for (let i = 0; i < 15; i++) next();
  return next;
}
