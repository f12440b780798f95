import { closestMatch } from 'leven';

/**
 * `"ehco": did you mean echo?` in one place: the one candidate that `word` begins, or else the
 * candidate nearest to it, if any is near.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const begun = candidates.filter((candidate) => word !== '' && candidate.startsWith(word));
  if (begun.length === 1) return begun[0];
  // Two letters swapped count as two edits; the bound itself is not reached any more.
  return closestMatch(word, candidates, { maxDistance: Math.max(2, word.length / 2) + 1 });
}

/** A hint for an unknown word: the nearest candidate, else all of them. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const match = nearest(word, candidates);
  return match === undefined ? `valid: ${candidates.join(', ')}` : `did you mean ${match}?`;
}
