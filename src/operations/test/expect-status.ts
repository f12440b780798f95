import { EnvironmentError } from '../../core/errors.ts';
import { HttpFailure } from '../../transport/index.ts';
import { fail, pass } from './check.ts';
import type { Outcome } from './check.ts';
import type { CheckRow } from './schema.ts';
import type { Dialer } from './session.ts';

/** The negative test: passes if the server refuses the handshake with exactly this status. */
export async function checkStatus(dialer: Dialer, expected: number): Promise<CheckRow> {
  const startedAt = performance.now();
  const outcome = await refusal(dialer, expected);
  return {
    id: 'expect-status',
    rfc: '6455#4.2.2',
    title: `handshake refused with ${expected}`,
    ...outcome,
    durationMs: Math.round(performance.now() - startedAt),
  };
}

async function refusal(dialer: Dialer, expected: number): Promise<Outcome> {
  try {
    await using channel = await dialer.dial();
    return fail(`answered ${channel.handshake.responseHead.status}, expected ${expected}`);
  } catch (error) {
    const failure = error instanceof EnvironmentError ? error.cause : undefined;
    if (!(failure instanceof HttpFailure)) throw error;
    const { status } = failure.head;
    return status === expected
      ? pass(`answered ${failure.message}`)
      : fail(`answered ${failure.message}, expected ${expected}`);
  }
}
