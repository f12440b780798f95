import type { LoadPlan } from '../plan.ts';
import type { Metrics } from '../metrics.ts';
import type { LoadResult } from '../result.ts';

const NS_PER_MS = 1e6;
const TOLERANCE = 0.1;

/**
 * Little's law: what is in flight is rate times the time in flight. In a closed loop the first is
 * known, so that a clock which measures something else shows. Null where it does not apply: in
 * open loop, in a scenario, in modes other than echo, without replies.
 */
export function littlesLaw(result: LoadResult, plan: LoadPlan): Metrics['littlesLaw'] {
  const { service } = result.latency;
  const { received } = result.messages;
  if (plan.load.model === 'open' || plan.mode !== 'echo') return null;
  if (result.engine === 'scenario') return null;
  if (service === null || service.count === 0 || received === 0) return null;
  const inFlight = result.connections.opened * plan.load.depth;
  const expectedMs = (inFlight * result.phases.measureMs) / received;
  const measuredMs = service.mean / NS_PER_MS;
  return { expectedMs, measuredMs, holds: Math.abs(measuredMs / expectedMs - 1) <= TOLERANCE };
}
