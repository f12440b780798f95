import { runWorkers } from './coordinator.ts';
import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import type { Scenario } from '../scenario/scenario.ts';

/**
 * Runs `plan.connections` virtual clients through `scenario`; the plan's mode and messages do not
 * matter. The rate of the open model is messages with a reply per second, over all clients.
 *
 * What fails in a scenario is counted; throws `EnvironmentError` when nobody could connect.
 */
export function runScenario(
  scenario: Scenario,
  plan: LoadPlan,
  control: LoadControl,
): Promise<LoadResult> {
  return runWorkers(plan, control, { engine: 'scenario', scenario });
}
