import type { Phases } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';

const DEFAULT_DURATION_MS = 10_000;
const SOAK_DURATION_MS = 3_600_000;
const MAX_WARMUP_MS = 5000;

/** How long each phase is to be; a warm-up is a tenth of the duration and at most 5 s. */
export function phasesOf(input: BenchmarkInput): Phases {
  const durationMs =
    input.durationMs ?? (input.mode === 'soak' ? SOAK_DURATION_MS : DEFAULT_DURATION_MS);
  return {
    rampMs: input.rampMs,
    warmupMs: input.warmupMs ?? Math.min(durationMs / 10, MAX_WARMUP_MS),
    durationMs,
    drainMs: input.drainMs,
    connectTimeoutMs: input.connectTimeoutMs,
  };
}
