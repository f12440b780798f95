import type * as z from 'zod';
import type { Settings } from '../settings.ts';
import { invalidInput, UsageError } from '../errors.ts';
import { redact } from '../redact.ts';
import { didYouMean } from '../did-you-mean.ts';
import type { OperationDefinition, Report } from '../operation.ts';
import { flagsOf, type Flag } from './flags.ts';

/** How errors name a field: `--max-payload` on a command line, `maxPayload` in a task. */
export type Naming = 'flag' | 'field';

/**
 * Resolves an operation's input: arguments > settings > the schema's own defaults.
 *
 * An argument that is `undefined` counts as not given.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT, or WSK_ERR_UNKNOWN_FLAG for a field that does not exist
 */
export function resolveInput<Input extends z.ZodObject, Output extends z.ZodType<Report>>(
  operation: OperationDefinition<Input, Output>,
  args: Readonly<Record<string, unknown>>,
  settings: Settings,
  naming: Naming = 'field',
): z.output<Input> {
  const given = withoutUndefined(args);
  return checkInput(
    operation.input,
    { ...operation.defaults?.(settings, given), ...given },
    naming,
  );
}

/**
 * Checks arguments against a schema; one that is `undefined` counts as not given. Errors name a
 * field of an argument `within` as `within.field`.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT, or WSK_ERR_UNKNOWN_FLAG for a field that does not exist
 */
export function checkInput<Input extends z.ZodObject>(
  input: Input,
  args: Readonly<Record<string, unknown>>,
  naming: Naming = 'field',
  within?: string,
): z.output<Input> {
  const given = withoutUndefined(args);
  const result = input.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const refused = { issue, given: givenFor(issue, given) };
  const prefix = within === undefined ? '' : `${within}.`;
  const nameOf = (flag: Flag): string => {
    if (naming === 'field') return `${prefix}${flag.field}`;
    return flag.positional ? `<${flag.name}>` : `--${flag.name}`;
  };
  throw inputError(refused, flagsOf({ input }), { nameOf, prefix });
}

function withoutUndefined(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
}

/**
 * The value as it was given: a rule about several fields reports the whole input, and a duration
 * is a number of milliseconds when its range is checked.
 */
function givenFor(issue: z.core.$ZodIssue, input: Readonly<Record<string, unknown>>): unknown {
  const [field, ...inside] = issue.path;
  return typeof field === 'string' && inside.length === 0 ? input[field] : issue.input;
}

function inputError(
  { issue, given }: { issue: z.core.$ZodIssue; given: unknown },
  flags: readonly Flag[],
  { nameOf, prefix }: { nameOf: (flag: Flag) => string; prefix: string },
): UsageError {
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const name = JSON.stringify(`${prefix}${key}`);
    return new UsageError('WSK_ERR_UNKNOWN_FLAG', `unknown argument ${name}`, {
      hint: didYouMean(
        key,
        flags.map((flag) => flag.field),
      ),
    });
  }
  const flag = flags.find((candidate) => candidate.field === issue.path[0]);
  if (flag === undefined) return invalidInput(issue.message);
  const name = nameOf(flag);
  if (given === undefined) {
    const wanted = issue.code === 'custom' ? issue.message : `expected ${flag.expected}`;
    return invalidInput(`${name} is missing, ${wanted}`);
  }
  const expected = isGeneric(issue) ? `expected ${flag.expected}` : issue.message;
  const text = `${name} ${flag.kind === 'list' ? 'holds' : 'is'} ${show(given)}, ${expected}`;
  if (flag.placeholder === 'duration' && typeof given === 'string' && Number(given) > 0) {
    return invalidInput(text, `give it a unit: ${name} ${given}s`);
  }
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined;
  if (typeof hint === 'string') return invalidInput(text, hint);
  const word = typeof given === 'string' ? given : show(given);
  return invalidInput(text, flag.choices && didYouMean(word, flag.choices));
}

/** Whether zod's message is generic; that of a refinement is specific and kept. */
function isGeneric(issue: z.core.$ZodIssue): boolean {
  return ['invalid_type', 'invalid_union', 'invalid_value', 'too_big', 'too_small'].includes(
    issue.code,
  );
}

/** What was given, without secrets. */
function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return redact(text);
}
