import { invalidInput } from '../../core/errors.ts';
import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Workload } from '../workloads/protocol.ts';

/**
 * Runs `plan` on this machine, with the engine it names or through `scenario`.
 *
 * Throws `EnvironmentError` when no connection could be opened.
 */
export function runLocally(
  plan: LoadPlan,
  scenario: Scenario | null,
  control: LoadControl,
): Promise<LoadResult> {
  if (scenario !== null) return runScenario(scenario, plan, control);
  return plan.engine === 'client' ? runClientLoad(plan, control) : runLoad(plan, control);
}

/** Runs `plan` with the fast engine: worker threads on raw sockets. */
export function runLoad(plan: LoadPlan, control: LoadControl): Promise<LoadResult> {
  return run(plan, control, { engine: 'fast' });
}

/**
 * Runs `plan` with the full client: slower than the fast engine, with permessage-deflate. Throws
 * `UsageError` for a mode other than echo.
 */
export function runClientLoad(plan: LoadPlan, control: LoadControl): Promise<LoadResult> {
  if (plan.mode !== 'echo') {
    const what = `--compression works in mode echo only, not in mode ${plan.mode}`;
    throw invalidInput(what, 'leave --compression out');
  }
  return run(plan, control, { engine: 'client' });
}

/**
 * Runs `plan.connections` virtual users through `scenario`; the plan's mode and messages are ignored.
 * The rate of the open model is messages with a reply per second, over all virtual users. Failures in
 * a scenario are counted.
 */
export function runScenario(
  scenario: Scenario,
  plan: LoadPlan,
  control: LoadControl,
): Promise<LoadResult> {
  return run(plan, control, { engine: 'scenario', scenario });
}

/** Loads the engine when it is first needed: most commands start without it. */
async function run(plan: LoadPlan, control: LoadControl, workload: Workload): Promise<LoadResult> {
  const { runWorkers } = await import('./coordinator.ts');
  return await runWorkers(plan, control, workload);
}
