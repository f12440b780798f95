import type { OperationContext, Progress } from '../../src/core/operation.ts';

/** A context for calling an operation's function as a library; `progress` is what it emitted. */
export function operationContext(
  changes: Partial<OperationContext> = {},
): OperationContext & { readonly progress: readonly Progress[] } {
  const progress: Progress[] = [];
  return {
    signal: new AbortController().signal,
    emit: (step) => void progress.push(step),
    cwd: process.cwd(),
    now: () => performance.now(),
    progress,
    ...changes,
  };
}
