import type { CloseStatus } from '../../protocol/index.ts';

/** The largest message that is sent to find out a limit that nobody stated: 16 MiB. */
export const SEARCH_BYTES = 16 * 1024 * 1024;

/** The first message of a search, and how much larger each further one is. */
const FIRST_BYTES = 1024;
const GROWTH = 4;

/** Bytes that one search sends, from which on it no longer looks for the very byte. */
const BUDGET_BYTES = 128 * 1024 * 1024;

/** How a server took a message: it did, it closed or dropped the connection, or it did not answer. */
export type Answer = 'taken' | 'silent' | 'dropped' | CloseStatus;

/** The largest message that was taken, and the smallest that was not, in bytes. */
export interface FoundLimit {
  readonly taken: number;
  readonly refused?: { readonly bytes: number; readonly answer: Exclude<Answer, 'taken'> };
}

export interface SearchOptions {
  /** Sends a message of so many bytes. */
  readonly ask: (bytes: number) => Promise<Answer>;
  /** The largest message that is known to be taken. */
  readonly from: number;
  /** The largest message to send. */
  readonly to: number;
  /** Whether there is time for another message. */
  readonly goesOn: () => boolean;
}

/**
 * Finds the largest message that is taken: larger and larger ones until one is not, then between the
 * two. Limits are mostly round numbers, so those are tried first.
 */
export async function searchLimit({ ask, from, to, goesOn }: SearchOptions): Promise<FoundLimit> {
  let taken = from;
  let refused: FoundLimit['refused'];
  let sent = 0;
  const triedNext = new Set<number>();
  const next = (): number | undefined => {
    if (!goesOn()) return undefined;
    if (refused === undefined) {
      return taken >= to ? undefined : Math.min(to, Math.max(FIRST_BYTES, taken * GROWTH));
    }
    if (refused.bytes - taken <= 1 || refused.answer === 'silent' || sent > BUDGET_BYTES) {
      return undefined;
    }
    const round = roundBetween(taken, refused.bytes);
    if (round !== undefined) return round;
    // Only the byte after a round number tells whether that is the limit.
    if (ROUND.includes(taken) && !triedNext.has(taken)) {
      triedNext.add(taken);
      return taken + 1;
    }
    return Math.floor((taken + refused.bytes) / 2);
  };
  for (let bytes = next(); bytes !== undefined; bytes = next()) {
    sent += bytes;
    const answer = await ask(bytes);
    if (answer === 'taken') taken = bytes;
    else refused = { bytes, answer };
  }
  return refused === undefined ? { taken } : { taken, refused };
}

/** Powers of two and multiples of powers of ten, as people choose limits, and those less a byte. */
const ROUND: readonly number[] = Array.from({ length: 31 }, (_, exponent) => [
  2 ** exponent,
  ...[1, 2, 5].map((digit) => digit * 10 ** Math.min(exponent, 9)),
])
  .flat()
  .flatMap((number) => [number - 1, number])
  .filter((number, at, all) => all.indexOf(number) === at)
  .sort((a, b) => a - b);

/** The middle one of the round numbers between two others. */
function roundBetween(low: number, high: number): number | undefined {
  const between = ROUND.filter((number) => number > low && number < high);
  return between[Math.floor(between.length / 2)];
}
