import type { LoadPlan } from '../plan.ts';
import type { LoadResult } from '../result.ts';

/**
 * Messages per second that the plan asks for, in what the result counts: in the mode fanout
 * deliveries, of which each message that is published makes as many as there are receivers. Null
 * where no rate is asked for.
 */
export function requestedRate({ messages, phases }: LoadResult, plan: LoadPlan): number | null {
  const { load, mode } = plan;
  if (load.model === 'closed' || load.rate === 0) return null;
  return mode === 'fanout' ? perSecond(messages.intended, phases.measureMs) : load.rate;
}

/** 0 over no time at all. */
export function perSecond(count: number, ms: number): number {
  return ms > 0 ? count / (ms / 1000) : 0;
}
