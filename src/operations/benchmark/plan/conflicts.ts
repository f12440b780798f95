import { invalidInput } from '../../../core/errors.ts';
import { flagOf } from '../schema.ts';
import type { BenchmarkInput } from '../schema.ts';

/** Two flags that exclude or need each other, and a hint. */
type Pair = readonly [a: keyof BenchmarkInput, b: keyof BenchmarkInput, hint: string];

const CONFLICTS: readonly Pair[] = [
  ['rate', 'messagesPerSecond', '--rate is the total, --messages-per-second of each connection'],
  ['pipeline', 'rate', 'a closed loop goes as fast as replies come: leave --rate out'],
  ['pipeline', 'messagesPerSecond', 'a closed loop goes as fast as replies come'],
  ['text', 'binary', 'a message is one of the two'],
  ['scenario', 'mode', 'the scenario says what its clients do'],
  ['scenario', 'pipeline', 'the scenario says how its clients wait'],
  ['scenario', 'size', 'the scenario says what its clients send'],
  ['scenario', 'publish', 'the scenario says what its clients send'],
  ['scenario', 'join', 'the scenario says what its clients send'],
  ['findMax', 'pipeline', 'the search varies the rate'],
  ['findMax', 'repeat', 'the search decides how many runs it makes'],
  ['findMax', 'compare', 'search on each server separately'],
  ['findMax', 'scenario', 'the search varies the rate'],
  ['pid', 'project', 'the process id of a project is known'],
  ['distributed', 'sourceIps', 'each benchmark-worker connects from its own addresses'],
  ['distributed', 'pid', 'with --distributed the server process is not watched'],
  ['ca', 'insecure', 'any certificate is accepted by --insecure'],
];

/** The first needs the second. */
const NEEDS: readonly Pair[] = [
  ['slo', 'findMax', 'use --threshold for a single run'],
  ['findMax', 'slo', 'as in --slo "p99<50ms"'],
  ['remoteWorkers', 'distributed', 'as in --distributed redis://localhost'],
  ['cert', 'key', 'a certificate needs its private key'],
  ['key', 'cert', 'a private key needs its certificate'],
];

/** Throws `UsageError` WSK_ERR_INVALID_INPUT for flags that exclude or miss each other. */
export function checkConflicts(input: BenchmarkInput): void {
  if (input.tool !== undefined && input.scenario !== 'mcp') {
    throw invalidInput('--tool needs --scenario mcp', 'no other load calls tools');
  }
  for (const [a, b, hint] of CONFLICTS) {
    if (isGiven(input, a) && isGiven(input, b)) {
      throw invalidInput(`${flagOf(a)} excludes ${flagOf(b)}`, hint);
    }
  }
  if (input.compare !== undefined && input.repeat === 1) {
    throw invalidInput(
      '--repeat is 1, expected at least 2 blocks for --compare',
      'one block gives no interval',
    );
  }
  for (const [a, b, hint] of NEEDS) {
    if (isGiven(input, a) && !isGiven(input, b)) {
      throw invalidInput(`${flagOf(a)} needs ${flagOf(b)}`, hint);
    }
  }
}

/** Flags that have no meaning in a mode; they are refused, not ignored. */
const NOT_IN_MODE: Readonly<Record<string, readonly (keyof BenchmarkInput)[]>> = {
  echo: ['publishers', 'join', 'publish'],
  soak: ['publishers', 'join', 'publish', 'findMax', 'compare'],
  fanout: ['pipeline', 'binary'],
  connect: [
    ...(['publishers', 'join', 'publish', 'pipeline', 'messagesPerSecond'] as const),
    ...(['size', 'text', 'binary'] as const),
  ],
  idle: [
    ...(['publishers', 'join', 'publish', 'pipeline', 'messagesPerSecond', 'rate'] as const),
    ...(['size', 'text', 'binary', 'findMax'] as const),
  ],
};

/** Throws `UsageError` WSK_ERR_INVALID_INPUT for a flag that has no meaning in `mode`. */
export function checkMode(input: BenchmarkInput, mode: string): void {
  const wrong = NOT_IN_MODE[mode]?.find((field) => isGiven(input, field));
  if (wrong === undefined) return;
  const fit = Object.keys(NOT_IN_MODE).filter(
    (name) => NOT_IN_MODE[name]?.includes(wrong) === false,
  );
  throw invalidInput(
    `${flagOf(wrong)} does not apply to mode ${mode}`,
    `use --mode ${fit.join('|')}`,
  );
}

function isGiven(input: BenchmarkInput, field: keyof BenchmarkInput): boolean {
  const value = input[field];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}
