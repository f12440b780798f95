import * as z from 'zod';
import { UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { Behavior, BehaviorClose, ConformanceRun } from '../result.ts';
import { compareCaseIds } from '../sections.ts';

/** The two verdicts of a case in an `index.json`. */
const Behaviors = z.object({
  behavior: z.enum(['OK', 'NON-STRICT', 'FAILED', 'INFORMATIONAL', 'UNIMPLEMENTED']),
  behaviorClose: z.enum([
    'OK',
    'FAILED',
    'UNCLEAN',
    'WRONG CODE',
    'FAILED BY CLIENT',
    'INFORMATIONAL',
  ]),
});
export type Behaviors = z.infer<typeof Behaviors>;

/** The verdicts of an `index.json`, by agent and case; a Map, as its keys may come from a peer. */
export interface OtherIndex {
  /** As it was given. */
  readonly file: string;
  readonly agents: ReadonlyMap<string, ReadonlyMap<string, Behaviors>>;
}

/** A case whose verdicts differ from those before. */
export interface Change {
  readonly agent: string;
  readonly id: string;
  readonly before: Behaviors;
  readonly after: Behaviors;
  /** `changed`: another fault that weighs the same. */
  readonly direction: 'better' | 'worse' | 'changed';
}

/** What differs between a run and another one. */
export interface Comparison {
  readonly file: string;
  /** Which agents were compared; their names differ only if each run has a single agent. */
  readonly pairs: readonly { readonly agent: string; readonly other: string }[];
  readonly changes: readonly Change[];
  /** Cases with the same verdicts in both. */
  readonly same: number;
  /** Cases of the pairs that only one side has. */
  readonly added: number;
  readonly removed: number;
  /** Agents that only one side has. */
  readonly unpaired: readonly string[];
}

/**
 * Reads an `index.json` of this tool or of Autobahn|Testsuite.
 *
 * Call it before the run: the run may replace the file, and a wrong path should fail at once.
 * Throws UsageError WSK_ERR_FILE_NOT_READABLE or WSK_ERR_INVALID_INPUT.
 */
export async function readOtherIndex(file: string, cwd: string): Promise<OtherIndex> {
  const text = (await readInputFile(file, { cwd, flag: '--compare' })).toString();
  return { file, agents: parseIndex(text, file) };
}

function parseIndex(text: string, file: string): OtherIndex['agents'] {
  try {
    const agents = object(JSON.parse(text));
    return new Map(
      agents.map(([agent, cases]) => [
        agent,
        new Map(object(cases).map(([id, judged]) => [id, Behaviors.parse(judged)])),
      ]),
    );
  } catch (cause) {
    throw new UsageError('WSK_ERR_INVALID_INPUT', `${file} is not an index.json of Autobahn`, {
      hint: 'give the file index.json in the folder of an earlier report',
      cause,
    });
  }
}

function object(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('expected an object');
  }
  return Object.entries(value);
}

/** Compares every case of `run` with the same case of the same agent in `other`. */
export function compareRuns(run: ConformanceRun, other: OtherIndex): Comparison {
  const mine = new Map(
    run.agents.map(({ agent, cases }) => [
      agent,
      new Map<string, Behaviors>(
        cases.map(({ id, behavior, behaviorClose }) => [id, { behavior, behaviorClose }]),
      ),
    ]),
  );
  const pairs = pairAgents([...mine.keys()], [...other.agents.keys()]);
  const compared = pairs.map((pair) =>
    compareAgent(pair.agent, mine.get(pair.agent), other.agents.get(pair.other)),
  );
  const paired = new Set(pairs.flatMap(({ agent, other: name }) => [agent, name]));
  return {
    file: other.file,
    pairs,
    changes: compared.flatMap(({ changes }) => changes),
    same: sum(compared.map(({ same }) => same)),
    added: sum(compared.map(({ added }) => added)),
    removed: sum(compared.map(({ removed }) => removed)),
    unpaired: [...mine.keys(), ...other.agents.keys()].filter((name) => !paired.has(name)),
  };
}

/** Pairs agents by name, or two single agents: an agent's name may contain its version. */
function pairAgents(mine: readonly string[], others: readonly string[]): Comparison['pairs'] {
  const [agent, other] = [mine[0], others[0]];
  if (mine.length === 1 && others.length === 1 && agent !== undefined && other !== undefined) {
    return [{ agent, other }];
  }
  return mine.filter((name) => others.includes(name)).map((name) => ({ agent: name, other: name }));
}

type BehaviorsById = ReadonlyMap<string, Behaviors>;

function compareAgent(
  agent: string,
  mine: BehaviorsById = new Map(),
  others: BehaviorsById = new Map(),
) {
  const changes: Change[] = [];
  let same = 0;
  for (const id of [...mine.keys()].sort(compareCaseIds)) {
    const [before, after] = [others.get(id), mine.get(id)];
    if (before === undefined || after === undefined) continue;
    if (isSame(before, after)) same++;
    else changes.push({ agent, id, before, after, direction: direction(before, after) });
  }
  const shared = same + changes.length;
  return { changes, same, added: mine.size - shared, removed: others.size - shared };
}

function isSame(a: Behaviors, b: Behaviors): boolean {
  return a.behavior === b.behavior && a.behaviorClose === b.behaviorClose;
}

/** How bad each verdict is. */
const BEHAVIOR_WEIGHT: Readonly<Record<Behavior, number>> = {
  OK: 0,
  INFORMATIONAL: 0,
  'NON-STRICT': 10,
  UNIMPLEMENTED: 20,
  FAILED: 30,
};
const CLOSE_WEIGHT: Readonly<Record<BehaviorClose, number>> = {
  OK: 0,
  INFORMATIONAL: 0,
  'FAILED BY CLIENT': 1,
  'WRONG CODE': 2,
  UNCLEAN: 3,
  FAILED: 3,
};

function direction(before: Behaviors, after: Behaviors): Change['direction'] {
  const difference = weight(after) - weight(before);
  return difference === 0 ? 'changed' : difference < 0 ? 'better' : 'worse';
}

function weight({ behavior, behaviorClose }: Behaviors): number {
  return BEHAVIOR_WEIGHT[behavior] + CLOSE_WEIGHT[behaviorClose];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** `FAILED / WRONG CODE`, or one word if both verdicts are the same. */
export function describeBehaviors({ behavior, behaviorClose }: Behaviors): string {
  return behavior === behaviorClose ? behavior : `${behavior} / ${behaviorClose}`;
}

/** `2 better, 1 worse, 514 as before`, with what else there is to say. */
export function summarizeComparison(comparison: Comparison): string {
  const count = (wanted: Change['direction']): number =>
    comparison.changes.filter(({ direction: found }) => found === wanted).length;
  return [
    `${count('better')} better`,
    `${count('worse')} worse`,
    ...(count('changed') === 0 ? [] : [`${count('changed')} failing otherwise`]),
    `${comparison.same} as before`,
    ...(comparison.added === 0 ? [] : [`${comparison.added} only in this run`]),
    ...(comparison.removed === 0 ? [] : [`${comparison.removed} only in the other`]),
    ...(comparison.unpaired.length === 0
      ? []
      : [`${comparison.unpaired.length} agents in one of them only`]),
  ].join(', ');
}

/** The comparison in plain lines for a terminal: the summary, then what is worse, then better. */
export function comparisonLines(comparison: Comparison, limit = 10): string[] {
  const listed = worstFirst(comparison.changes);
  const several = new Set(listed.map(({ agent }) => agent)).size > 1;
  const lines = listed
    .slice(0, limit)
    .map(
      ({ agent, id, before, after, direction: found }) =>
        `${found}: ${several ? `${agent} ` : ''}${id} ${describeBehaviors(before)} -> ${describeBehaviors(after)}`,
    );
  const rest = listed.length - lines.length;
  return [
    `compared with ${comparison.file}: ${summarizeComparison(comparison)}`,
    ...lines,
    ...(rest > 0 ? [`and ${rest} more changes`] : []),
  ];
}

/** In the order of reports: worse, changed, better. */
export function worstFirst(changes: readonly Change[]): Change[] {
  const order = ['worse', 'changed', 'better'];
  return [...changes].sort((a, b) => order.indexOf(a.direction) - order.indexOf(b.direction));
}
