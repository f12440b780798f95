import { UsageError } from '../../src/core/errors.ts';

/** The UsageError that `work` throws; anything else, or nothing, fails the test. */
export function usageErrorOf(work: () => unknown): UsageError {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}
