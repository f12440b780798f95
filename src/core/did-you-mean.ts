import leven, { closestMatch } from 'leven';

/**
 * `"ehco": did you mean echo?` in one place: the one candidate that `word` begins, or else the
 * candidate nearest to it, if any is near.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const begun = candidates.filter((candidate) => word !== '' && candidate.startsWith(word));
  if (begun.length === 1) return begun[0];
  const near = candidates.filter((candidate) => isNear(word, candidate));
  return closestMatch(word, near);
}

/** Two letters swapped count as two edits. Of a short word most has to be the same. */
function isNear(word: string, candidate: string): boolean {
  const shorter = Math.min(word.length, candidate.length);
  return leven(word, candidate) <= (shorter < 4 ? 1 : Math.max(2, shorter / 3));
}

/** A hint for an unknown word: the nearest candidate, else all of them. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const match = nearest(word, candidates);
  return match === undefined ? `valid: ${candidates.join(', ')}` : `did you mean ${match}?`;
}
