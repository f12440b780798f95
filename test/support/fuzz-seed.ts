import { randomInt } from 'node:crypto';

/** Runs `body` with a seed that is printed; WSK_FUZZ_SEED replays a run. */
export function withSeed(name: string, body: (seed: number) => void): void {
  const given = process.env['WSK_FUZZ_SEED'];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  console.log(`${name}: WSK_FUZZ_SEED=${seed}`);
  body(seed);
}

/** Adds the seed to whatever `body` throws. */
export function nameSeed(seed: number, session: number, body: () => void): void {
  try {
    body();
  } catch (error) {
    throw new Error(`session ${session} of WSK_FUZZ_SEED=${seed}: ${String(error)}`, {
      cause: error,
    });
  }
}
