import type { LoadPlan } from '../plan.ts';
import type { Metrics } from '../metrics.ts';
import type { LoadResult } from '../result.ts';

const NS_PER_MS = 1e6;
const TOLERANCE = 0.1;

/**
 * Little's law: messages in flight = rate x time in flight. A closed loop fixes the first, so the law
 * checks the measured times. Null where it does not apply: open loop, scenarios, modes other than
 * echo, no replies.
 */
export function littlesLaw(result: LoadResult, plan: LoadPlan): Metrics['littlesLaw'] {
  const { service } = result.latency;
  const { inWindow } = result.messages;
  if (plan.load.model === 'open' || plan.mode !== 'echo') return null;
  if (result.engine === 'scenario') return null;
  if (service === null || service.count === 0 || inWindow === 0) return null;
  const inFlight = result.connections.opened * plan.load.depth;
  const expectedMs = (inFlight * result.phases.measureMs) / inWindow;
  const measuredMs = service.mean / NS_PER_MS;
  return { expectedMs, measuredMs, holds: Math.abs(measuredMs / expectedMs - 1) <= TOLERANCE };
}
