import type { LoadPlan } from '../plan.ts';
import type { LoadResult } from '../result.ts';
import { count, short } from '../../report/format.ts';

/**
 * Messages per second that the plan asks for; a rate per connection counts for those that opened. In
 * the mode fanout these are deliveries, of which each message that is published makes as many as
 * there are receivers. Null where no rate is asked for.
 */
export function requestedRate(result: LoadResult, plan: LoadPlan): number | null {
  const { messages, phases, connections } = result;
  const { load, mode } = plan;
  if (load.model === 'closed' || load.rate === 0) return null;
  if (mode === 'fanout') return perSecond(messages.intended, phases.measureMs);
  if (load.perConnection !== true || connections.requested === 0) return load.rate;
  return (load.rate * connections.opened) / connections.requested;
}

/** That some connections did not open, and what that leaves of a rate per connection. */
export function rateNotes(result: LoadResult, plan: LoadPlan): string[] {
  const { opened, requested } = result.connections;
  const { load, mode } = plan;
  if (load.model === 'closed' || load.perConnection !== true || mode === 'fanout') return [];
  if (opened >= requested || opened === 0) return [];
  const each = short(load.rate / requested);
  const left = short((load.rate * opened) / requested);
  return [
    `${count(requested - opened)} of ${count(requested)} connections did not open: the rate stays ` +
      `${each} messages per second on each open one, ${left}/s in all in place of ${short(load.rate)}/s`,
  ];
}

/** 0 over no time at all. */
export function perSecond(count: number, ms: number): number {
  return ms > 0 ? count / (ms / 1000) : 0;
}
