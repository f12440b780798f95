import { UsageError } from '../../core/errors.ts';
import { runWorkers } from './coordinator.ts';
import type { RunLoad } from '../result.ts';

/**
 * Runs `plan` with the full client: slower than the fast engine, with permessage-deflate. Round
 * trips alone; throws `UsageError` for another mode.
 */
export const runClientLoad: RunLoad = (plan, control) => {
  if (plan.mode !== 'echo') {
    const what = `engine client knows the mode echo alone, not ${plan.mode}`;
    throw new UsageError('WSK_ERR_INVALID_INPUT', what, { hint: 'use --engine fast' });
  }
  return runWorkers(plan, control, { engine: 'client' });
};
