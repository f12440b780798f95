import type { CaseResult } from '../result.ts';

/** Whether a result is one that should not rest on a case having run beside others. */
export function isDoubtful(result: CaseResult): boolean {
  if (result.behavior === 'INFORMATIONAL') return !result.opened;
  return result.behavior === 'FAILED' || result.behaviorClose !== 'OK';
}

/** How a case failed: cases with the same signature fail for the same reason, as a rule. */
export function signatureOf(result: CaseResult): string {
  const { close, log } = result;
  const timers = log.flatMap((row) => (row.kind === 'timer' && row.expired ? [row.timer] : []));
  return [
    result.behavior,
    result.behaviorClose,
    result.opened,
    close.wasOpenHandshakeTimeout,
    close.wasCloseHandshakeTimeout,
    close.wasServerConnectionDropTimeout,
    result.guard !== null,
    ...timers,
  ].join(' ');
}

/** Whether two runs of a case came to the same. */
export function isSameVerdict(a: CaseResult, b: CaseResult): boolean {
  return (
    a.behavior === b.behavior &&
    a.behaviorClose === b.behaviorClose &&
    a.close.remoteCloseCode === b.close.remoteCloseCode
  );
}
