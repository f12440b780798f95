import type { Metrics } from '../metrics.ts';

export type Counted = Pick<Metrics, 'connections' | 'messages' | 'errors' | 'mode'>;

/** Kinds of errors that have no counter of their own. */
const UNCOUNTED = new Set(['scenario', 'worker']);

/**
 * Everything that went wrong: connections that failed or were dropped, messages that were lost,
 * never sent, answered wrongly, twice or out of order, expectations of a scenario that were not
 * met, workers that were lost. A message whose only reply was wrong counts twice: wrong and lost.
 */
export function failuresOf({ connections, messages, errors, mode }: Counted): number {
  const others = errors.filter(({ kind }) => UNCOUNTED.has(kind));
  return (
    connections.failed +
    connections.dropped +
    // In mode connect, a lost message is a failed connection, counted above.
    (mode === 'connect' ? 0 : messages.lost) +
    messages.unsent +
    messages.wrong +
    messages.duplicated +
    messages.outOfOrder +
    others.reduce((sum, { count }) => sum + count, 0)
  );
}

/** Failures per requested message or connection. */
export function failureRatio(measured: Counted): number {
  const { messages, connections, mode } = measured;
  const asked = connections.requested + (mode === 'connect' ? messages.unsent : messages.intended);
  return asked === 0 ? 0 : failuresOf(measured) / asked;
}
