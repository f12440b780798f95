import path from 'node:path';
import { Command, CommanderError, Help, Option } from 'commander';
import { flagsOf, type Flag } from '../core/derive/flags.ts';
import { usage } from '../core/derive/markdown.ts';
import { didYouMean, nearest } from '../core/did-you-mean.ts';
import { invalidInput, UsageError } from '../core/errors.ts';
import { readRegularFile, reasonOf } from '../core/input-file.ts';
import type { Operation } from '../core/operation.ts';
import { ownCommand } from '../core/own-command.ts';

/** A parsed command line: what to run, with which arguments, and how to print. */
export interface Invocation {
  readonly operation: Operation;
  /** By field name, as typed; the schema checks the values. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly json: boolean;
}

/** The text for `--help` or `--version`. */
export interface Answer {
  readonly text: string;
}

/**
 * Parses the words after the name of `operation`.
 *
 * @throws UsageError WSK_ERR_UNKNOWN_FLAG or WSK_ERR_INVALID_INPUT
 */
export function parseFlags(
  operation: Operation,
  words: readonly string[],
  cwd: string,
): Invocation | Answer {
  const flags = flagsOf(operation);
  const command = buildCommand(operation, flags);
  try {
    command.parse(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return answerOrThrow(error, command, flags);
    throw error;
  }
  const options = command.opts<{ json?: boolean; input?: string }>();
  return {
    operation,
    args: { ...readInput(options.input, cwd), ...collect(command, flags) },
    json: options.json === true,
  };
}

function buildCommand(operation: Operation, flags: readonly Flag[]): Command {
  const terms = new Map(flags.map((flag) => [`--${flag.name}`, usage(flag)]));
  const command = new Command(`${ownCommand()} ${operation.name}`)
    .usage(
      ['[flags]', ...flags.filter((flag) => flag.positional).map((f) => `<${f.name}>`)].join(' '),
    )
    .description(operation.summary)
    .helpOption('-h, --help', 'print this help')
    .configureHelp({
      optionTerm: ({ flags: term, long }) => terms.get(long ?? '') ?? term,
      longestOptionTermLength: (shown, helper) =>
        Math.min(MOST_TERM, LAYOUT.longestOptionTermLength.call(helper, shown, helper)),
      formatItem(term, width, description, helper) {
        const item = (text: string): string =>
          LAYOUT.formatItem.call(helper, text, width, description, helper);
        return term.length > width ? `  ${term}\n${item('')}` : item(term);
      },
    })
    .exitOverride()
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
    .allowExcessArguments(false);
  for (const flag of flags) addFlag(command, flag);
  command.option(
    '--input <file>',
    'JSON file with the arguments as a babysitter task takes them; flags override it',
  );
  command.option('--json', 'print the report as one JSON document');
  const hasDuration = flags.some(({ placeholder }) => placeholder === 'duration');
  command.addHelpText(
    'after',
    `${hasDuration ? DURATIONS : ''}\nExamples:\n` +
      operation.examples.map((line) => `  ${ownCommand()} ${line}\n`).join(''),
  );
  return command;
}

const LAYOUT = Help.prototype;
/** Characters of a flag with its values; the description of a longer one begins on the next line. */
const MOST_TERM = 28;

const DURATIONS =
  '\nA duration is a number with a unit: 500ms, 10s, 2m or 1h. In the file of --input a number is milliseconds.\n';

function addFlag(command: Command, flag: Flag): void {
  if (flag.positional) {
    command.argument(`[${flag.name}]`, flag.description);
    return;
  }
  const option = new Option(usage(flag).replace('[no-]', ''), describe(flag));
  const options = [option];
  // Commander files --messagePath and --message-path under one name.
  if (flag.alias !== undefined) options.push(new Option(`--${flag.alias} <value>`).hideHelp());
  for (const each of options) {
    if (flag.kind === 'list') {
      each.argParser((value: string, before: string[] | undefined) => [
        ...(before ?? []),
        ...(flag.separator === undefined
          ? [value]
          : value.split(flag.separator).map((s) => s.trim())),
      ]);
    }
    command.addOption(each);
  }
  if (flag.kind === 'boolean') {
    command.addOption(new Option(`--no-${flag.name}`).hideHelp());
  }
}

function describe({ description, default: value, defaultText }: Flag): string {
  const isQuiet = defaultText === undefined || value === false;
  return isQuiet ? description : `${description} (default: ${defaultText})`;
}

function collect(command: Command, flags: readonly Flag[]): Record<string, unknown> {
  const words = [...command.args];
  const args: Record<string, unknown> = {};
  for (const flag of flags) {
    const value: unknown = flag.positional
      ? words.shift()
      : command.getOptionValueSource(attribute(flag)) === 'cli'
        ? command.getOptionValue(attribute(flag))
        : undefined;
    // A duration keeps its text: without a unit it is refused.
    const isNumber = flag.kind === 'number' && flag.placeholder !== 'duration';
    if (value !== undefined) args[flag.field] = isNumber ? toNumber(value) : value;
  }
  return args;
}

/** The name commander files a flag's value under: `max-payload` -> `maxPayload`. */
function attribute(flag: Flag): string {
  return flag.name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A number where the text is one; other text stays as it is, for the schema to refuse by name. */
function toNumber(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}

function answerOrThrow(error: CommanderError, command: Command, flags: readonly Flag[]): Answer {
  if (error.code === 'commander.helpDisplayed') return { text: helpText(command) };
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const unknown = /^unknown option '(--?)([^'=]*)/.exec(message);
  if (unknown !== null) {
    const names = [...flags.filter((flag) => !flag.positional).map((f) => f.name), 'json', 'input'];
    const [, dashes, name = ''] = unknown;
    throw new UsageError('WSK_ERR_UNKNOWN_FLAG', message, {
      hint: dashes === '-' ? shortFlagHint(name, names) : longFlagHint(name, names),
    });
  }
  throw invalidInput(message, suggestion?.replace(/[()]/g, ''));
}

function longFlagHint(name: string, names: readonly string[]): string {
  return didYouMean(name, names).replace(/(?<=did you mean )/, '--');
}

/** There are no short flags but -h; `-p` is answered with the flags that begin with a p. */
function shortFlagHint(given: string, names: readonly string[]): string {
  if (given.toLowerCase() === 'v') return '--version alone prints the version';
  const near = given.length === 1 ? undefined : nearest(given, names);
  const meant = near === undefined ? names.filter((name) => name.startsWith(given)) : [near];
  if (meant.length === 0) return 'flags have long names only: --help lists them';
  const flags = meant.map((name) => `--${name}`).join(' or ');
  return `flags have long names only: did you mean ${flags}?`;
}

function helpText(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

function readInput(file: string | undefined, cwd: string): Record<string, unknown> {
  if (file === undefined) return {};
  const refuse = (what: string, cause: unknown): never => {
    throw new UsageError('WSK_ERR_INVALID_INPUT', `--input ${file} ${what}`, { cause });
  };
  try {
    const value: unknown = JSON.parse(readRegularFile(path.resolve(cwd, file)).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    return refuse('is not a JSON object', value);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const what =
      cause instanceof SyntaxError ? 'is not JSON' : `cannot be read (${reasonOf(cause)})`;
    return refuse(what, cause);
  }
}
