import type { LoopStep, Step } from '../scenario.ts';

/**
 * The kind of each of `total` virtual users: by weight, each kind at least once if there are enough
 * users, and mixed, so that any part of the users has about the same proportions.
 */
export function assignKinds<Kind extends { readonly kind: { readonly weight: number } }>(
  kinds: readonly Kind[],
  total: number,
): Kind[] {
  const counts = countsOf(
    kinds.map(({ kind }) => kind.weight),
    total,
  );
  const credit = counts.map(() => 0);
  return Array.from({ length: total }, () => {
    let best = 0;
    for (const [i, count] of counts.entries()) {
      credit[i] = (credit[i] as number) + count;
      if (credit[i] > (credit[best] as number)) best = i;
    }
    credit[best] = (credit[best] as number) - total;
    return kinds[best] as Kind;
  });
}

/** Whole numbers that add up to `total`, by the largest remainders. */
function countsOf(weights: readonly number[], total: number): number[] {
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => (weight / all) * total);
  const counts = shares.map((share) => Math.max(1, Math.floor(share)));
  const rest = (): number => total - counts.reduce((sum, count) => sum + count, 0);
  const byRemainder = shares
    .map((share, i) => ({ i, remainder: share - (counts[i] as number) }))
    .sort((a, b) => b.remainder - a.remainder);
  for (let turn = 0; rest() > 0; turn++) {
    const { i } = byRemainder[turn % byRemainder.length] as { i: number };
    counts[i] = (counts[i] as number) + 1;
  }
  while (rest() < 0) {
    // More kinds than users: the kinds of the least weight get none.
    const most = Math.max(...counts);
    const candidates = shares.map((share, i) => (counts[i] === most ? share : Infinity));
    const least = candidates.indexOf(Math.min(...candidates));
    counts[least] = most - 1;
  }
  return counts;
}

/** The loop that has a schedule (`every`), at any depth. */
export function scheduledLoop(steps: readonly Step[]): LoopStep | undefined {
  for (const step of steps) {
    if (step.kind !== 'loop') continue;
    const found = step.everyMs === null ? scheduledLoop(step.steps) : step;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** All steps, including those inside loops. */
export function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => (step.kind === 'loop' ? [step, ...allSteps(step.steps)] : [step]));
}
