import * as z from 'zod';
import { UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { Behavior, BehaviorClose, ConformanceRun } from '../result.ts';
import { compareCaseIds } from '../case-order.ts';

const Judgement = z.object({
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
export type Judgement = z.infer<typeof Judgement>;

/** The verdicts of an `index.json`, by agent and case; a Map, as its keys may come from a peer. */
export interface OtherIndex {
  /** As it was given. */
  readonly file: string;
  readonly agents: ReadonlyMap<string, ReadonlyMap<string, Judgement>>;
}

/** A case whose judgement is another one than before. */
export interface Change {
  readonly agent: string;
  readonly id: string;
  readonly before: Judgement;
  readonly after: Judgement;
  readonly direction: 'better' | 'worse' | 'other';
}

/** One run beside another. */
export interface Comparison {
  readonly file: string;
  /** Which agent was held against which; the names differ only where each side has just one. */
  readonly pairs: readonly { readonly agent: string; readonly other: string }[];
  readonly changes: readonly Change[];
  /** Cases with the same judgement in both. */
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
 * Call it before the run: the file may be the very one that the run replaces, and a wrong path is
 * better known at once. Throws UsageError WSK_ERR_FILE_NOT_READABLE or WSK_ERR_INVALID_INPUT.
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
        new Map(object(cases).map(([id, judged]) => [id, Judgement.parse(judged)])),
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

/** Holds every case of `run` against the same case of the same agent in `other`. */
export function compareRuns(run: ConformanceRun, other: OtherIndex): Comparison {
  const mine = new Map(
    run.agents.map(({ agent, cases }) => [
      agent,
      new Map<string, Judgement>(
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

/** By name; where each side has a single agent these two, as an agent's name may hold its version. */
function pairAgents(mine: readonly string[], others: readonly string[]): Comparison['pairs'] {
  const [agent, other] = [mine[0], others[0]];
  if (mine.length === 1 && others.length === 1 && agent !== undefined && other !== undefined) {
    return [{ agent, other }];
  }
  return mine.filter((name) => others.includes(name)).map((name) => ({ agent: name, other: name }));
}

type Judgements = ReadonlyMap<string, Judgement>;

function compareAgent(agent: string, mine: Judgements = new Map(), others: Judgements = new Map()) {
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

function isSame(a: Judgement, b: Judgement): boolean {
  return a.behavior === b.behavior && a.behaviorClose === b.behaviorClose;
}

/** How bad a judgement is; what weighs the same is another fault, and neither better nor worse. */
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

function direction(before: Judgement, after: Judgement): Change['direction'] {
  const difference = weight(after) - weight(before);
  return difference === 0 ? 'other' : difference < 0 ? 'better' : 'worse';
}

function weight({ behavior, behaviorClose }: Judgement): number {
  return BEHAVIOR_WEIGHT[behavior] + CLOSE_WEIGHT[behaviorClose];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** `FAILED / WRONG CODE`, or one word where both judgements are the same. */
export function describeJudgement({ behavior, behaviorClose }: Judgement): string {
  return behavior === behaviorClose ? behavior : `${behavior} / ${behaviorClose}`;
}

/** `2 better, 1 worse, 514 as before`, with what else there is to say. */
export function summarizeComparison(comparison: Comparison): string {
  const count = (wanted: Change['direction']): number =>
    comparison.changes.filter(({ direction: found }) => found === wanted).length;
  return [
    `${count('better')} better`,
    `${count('worse')} worse`,
    ...(count('other') === 0 ? [] : [`${count('other')} failing otherwise`]),
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
  const listed = [...comparison.changes].sort((a, b) => order(a) - order(b));
  const several = new Set(listed.map(({ agent }) => agent)).size > 1;
  const lines = listed
    .slice(0, limit)
    .map(
      ({ agent, id, before, after, direction: found }) =>
        `${found === 'other' ? 'changed' : found}: ${several ? `${agent} ` : ''}${id} ${describeJudgement(before)} -> ${describeJudgement(after)}`,
    );
  const rest = listed.length - lines.length;
  return [
    `compared with ${comparison.file}: ${summarizeComparison(comparison)}`,
    ...lines,
    ...(rest > 0 ? [`and ${rest} more changes`] : []),
  ];
}

function order({ direction: found }: Change): number {
  return ['worse', 'other', 'better'].indexOf(found);
}
