import { invalidInput } from '../../core/errors.ts';
import type { LoadPlan } from '../plan.ts';

/** Makes seeds of neighbouring segments differ in many bits (2^32 divided by the golden ratio). */
const SEED_STEP = 0x9e3779b1;

/**
 * Parts of `plan` for `count` machines: connections evenly, the rate in proportion to them, so that
 * each connection carries the same load on every machine.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT for a plan that cannot be split
 */
export function splitPlan(plan: LoadPlan, count: number): LoadPlan[] {
  if (plan.mode === 'fanout') {
    throw invalidInput(
      '--mode fanout cannot be distributed: a receiver on another machine does not know when a message was published',
    );
  }
  if (count > plan.connections) {
    throw invalidInput(
      `${plan.connections} connections cannot be split over ${count} remote workers`,
    );
  }
  const least = Math.floor(plan.connections / count);
  const more = plan.connections % count;
  return Array.from({ length: count }, (_, index) => {
    const connections = least + (index < more ? 1 : 0);
    const before = least * index + Math.min(index, more);
    return segmentOf(plan, { index, of: count }, { connections, before });
  });
}

function segmentOf(
  plan: LoadPlan,
  segment: NonNullable<LoadPlan['segment']>,
  { connections, before }: { readonly connections: number; readonly before: number },
): LoadPlan {
  const { tokens } = plan.target;
  const seed = (plan.load.seed + segment.index * SEED_STEP) >>> 0;
  return {
    ...plan,
    segment,
    connections,
    workers: Math.min(plan.workers, connections),
    load:
      plan.load.model === 'open'
        ? { ...plan.load, seed, rate: (plan.load.rate * connections) / plan.connections }
        : { ...plan.load, seed },
    target: { ...plan.target, tokens: rotate(tokens, before) },
  };
}

/** Connection n of the whole plan gets the same token as on one machine. */
function rotate(tokens: readonly string[], by: number): readonly string[] {
  const first = tokens.length === 0 ? 0 : by % tokens.length;
  return [...tokens.slice(first), ...tokens.slice(0, first)];
}
