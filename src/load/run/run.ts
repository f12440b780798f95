import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import type { Scenario } from '../scenario/index.ts';

/**
 * Carries out `plan` on this machine, with the engine that can do what is asked; none of them is
 * loaded before it is needed.
 *
 * Throws `EnvironmentError` when not one connection could be opened.
 */
export async function runLocally(
  plan: LoadPlan,
  scenario: Scenario | null,
  control: LoadControl,
): Promise<LoadResult> {
  if (scenario !== null) {
    const { runScenario } = await import('../scenario/index.ts');
    return runScenario(scenario, plan, control);
  }
  if (plan.engine === 'client') {
    const { runClientLoad } = await import('./run-client.ts');
    return runClientLoad(plan, control);
  }
  const { runLoad } = await import('./index.ts');
  return runLoad(plan, control);
}
