import { EnvironmentError, UsageError } from '../core/errors.ts';
import type { Report } from '../core/operation.ts';

/** Exit codes; skills/websocket/references/errors.md lists them. */
export const ExitCode = {
  passed: 0,
  failed: 1,
  usage: 2,
  environment: 3,
  invalid: 4,
  bug: 70,
  interrupted: 130,
} as const;

/** The exit code that a report stands for. */
export function exitCodeOf(report: Report): number {
  switch (report.status) {
    case 'passed':
    case 'waiting':
      return ExitCode.passed;
    case 'failed':
      return ExitCode.failed;
    case 'invalid':
      return ExitCode.invalid;
    case 'interrupted':
      return ExitCode.interrupted;
  }
}

/** The exit code that an error stands for; what is neither class is our bug. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  if (error instanceof EnvironmentError) return ExitCode.environment;
  return ExitCode.bug;
}
