import * as z from 'zod';
import { EnvironmentError, UsageError } from '../core/errors.ts';
import type { ReportedError } from './schema.ts';

/** An error as the SDK stores it: of ours, `data` holds what it would lose otherwise. */
const StoredError = z.looseObject({
  name: z.string().catch('Error'),
  message: z.string().catch('unknown error'),
  data: z
    .looseObject({ code: z.string().nullish(), hint: z.string().nullish() })
    .optional()
    .catch(undefined),
});

/** An error that was raised here, as a report holds it. */
export function reportError(error: unknown): ReportedError {
  if (error instanceof UsageError || error instanceof EnvironmentError) {
    const { name, message, code, hint } = error;
    return { name, message, code, hint: hint ?? null };
  }
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message, code: null, hint: null };
}

/** An error that came back from the run folder, as a report holds it. */
export function reportStoredError(stored: unknown): ReportedError {
  const { name, message, data } = StoredError.parse(stored ?? {});
  return { name, message, code: data?.code ?? null, hint: data?.hint ?? null };
}
