import { didYouMean } from '../core/did-you-mean.ts';
import { UsageError } from '../core/errors.ts';
import type { OperationEntry } from '../core/operation.ts';
import { ownCommand } from '../core/own-command.ts';
import type { Answer, Invocation } from './parse-flags.ts';

interface Program {
  readonly version: string;
  readonly commands: readonly OperationEntry[];
}

/**
 * Parses the words after the program's name. Only an operation that is named is loaded.
 *
 * @throws UsageError WSK_ERR_UNKNOWN_OPERATION, WSK_ERR_UNKNOWN_FLAG or WSK_ERR_INVALID_INPUT
 */
export async function parseCommandLine(
  argv: readonly string[],
  { version, commands }: Program,
  cwd: string,
): Promise<Invocation | Answer> {
  const first = argv[0];
  if (first === '--version' || first === '-V' || first === '-v') return { text: `${version}\n` };
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    if (argv[1] === undefined) return { text: overview(commands) };
    return await parseOperation(find(argv[1], commands), ['--help'], cwd);
  }
  return await parseOperation(find(first, commands), argv.slice(1), cwd);
}

async function parseOperation(
  entry: OperationEntry,
  words: readonly string[],
  cwd: string,
): Promise<Invocation | Answer> {
  const [operation, { parseFlags }] = await Promise.all([entry.load(), import('./parse-flags.ts')]);
  return parseFlags(operation, words, cwd);
}

function find(name: string, commands: readonly OperationEntry[]): OperationEntry {
  const entry = commands.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const names = commands.map((candidate) => candidate.name);
  throw new UsageError('WSK_ERR_UNKNOWN_OPERATION', `unknown operation ${JSON.stringify(name)}`, {
    hint: didYouMean(name, names),
  });
}

function overview(commands: readonly OperationEntry[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    `Usage: ${ownCommand()} <operation> [flags]`,
    '',
    'Generate WebSocket servers; test, validate and load-test WebSocket servers and clients.',
    '',
    'Operations:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'With --help, an operation lists its flags. Exit codes: 0 passed, 1 failed check, 2 wrong usage,',
    '3 environment error (refused, timed out), 4 invalid measurement, 130 interrupted.',
    '',
  ].join('\n');
}
