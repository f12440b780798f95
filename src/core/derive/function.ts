import type * as z from 'zod';
import { invalidInput } from '../errors.ts';
import type { OperationContext, OperationDefinition, Report } from '../operation.ts';
import { Settings } from '../settings.ts';
import { resolveInput } from './input.ts';

/**
 * An operation as a function of the library: takes the input as a caller writes it, and what the
 * caller knows of its context.
 *
 * Rejects with `UsageError` for an input that is wrong; the settings of websocket.yaml and WS_* are
 * those of the command line and of tasks, not of a library.
 */
export type LibraryFunction<Input extends z.ZodObject, Output extends z.ZodType<Report>> = (
  input: z.input<Input>,
  context?: Partial<OperationContext>,
) => Promise<z.output<Output>>;

/** Makes the function of the operation that `load` imports, when it is first called. */
export function toFunction<Input extends z.ZodObject, Output extends z.ZodType<Report>>(
  load: () => Promise<{ readonly operation: OperationDefinition<Input, Output> }>,
): LibraryFunction<Input, Output> {
  return async (input: z.input<Input> | null | undefined, given) => {
    const context = given ?? {};
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw invalidInput(
        `the input is ${JSON.stringify(input)}, expected an object with its fields`,
      );
    }
    const { operation } = await load();
    const resolved = resolveInput(operation, input, Settings.parse({}));
    return operation.run(resolved, {
      signal: context.signal ?? new AbortController().signal,
      emit: context.emit ?? (() => undefined),
      cwd: context.cwd ?? process.cwd(),
      now: context.now ?? (() => performance.now()),
    });
  };
}
