import type { CaseDefinition, CaseTask, CompressionScript, CorpusName } from '../case.ts';

/** Cases that may run side by side, and how many of them at a time. */
export interface Pool {
  readonly tasks: readonly CaseTask[];
  readonly concurrency: number;
}

/** Large messages side by side would only measure each other, and cost memory. */
const LIMIT_CONCURRENCY = 2;

/** What it takes to keep a peer busy that compresses in several threads. */
const COMPRESSION_CONCURRENCY = 12;

/**
 * Which cases run at the same time: stages one after the other, the pools of a stage together.
 *
 * Most cases of the first stage wait for nothing; those that wait a second or two go first, and
 * the large messages of section 9 fill that time.
 */
export function planStages(tasks: readonly CaseTask[], concurrency: number): Pool[][] {
  const of = (wanted: (definition: CaseDefinition) => boolean): CaseTask[] =>
    tasks.filter(({ definition }) => wanted(definition));
  const limits = of(({ script }) => script.kind === 'length' || script.kind === 'rounds');
  const compressed = of(({ script }) => script.kind === 'compression');
  const others = tasks.filter((task) => !limits.includes(task) && !compressed.includes(task));
  if (concurrency === 1) return [[{ tasks, concurrency: 1 }]];
  const stages: Pool[][] = [
    [
      { tasks: [...others].sort((a, b) => waitsOf(b) - waitsOf(a)), concurrency },
      { tasks: limits, concurrency: Math.min(LIMIT_CONCURRENCY, concurrency) },
    ],
    [
      {
        tasks: [...compressed].sort(byMessages),
        concurrency: Math.min(COMPRESSION_CONCURRENCY, concurrency),
      },
    ],
  ];
  return stages
    .map((pools) => pools.filter((pool) => pool.tasks.length > 0))
    .filter((pools) => pools.length > 0);
}

/** Seconds a case waits whatever the peer does. */
function waitsOf({ definition: { script } }: CaseTask): number {
  if (script.kind !== 'events') return 0;
  return script.send.reduce((sum, step) => sum + (step.do === 'wait' ? step.delayS : 0), 0);
}

/** Corpora from those that take their time to those that do not. */
const SLOWEST_FIRST: readonly CorpusName[] = ['image', 'document', 'prose', 'html', 'json'];

/**
 * Cases with the same messages together, so that they are compressed once; the slowest first, so
 * that none of them is left alone at the end.
 */
function byMessages({ definition: a }: CaseTask, { definition: b }: CaseTask): number {
  if (a.script.kind !== 'compression' || b.script.kind !== 'compression') return 0;
  const rank = ({ corpus }: CompressionScript): number => SLOWEST_FIRST.indexOf(corpus);
  return (
    b.script.size - a.script.size ||
    rank(a.script) - rank(b.script) ||
    framesOf(b.script) - framesOf(a.script)
  );
}

function framesOf({ size, fragmentBytes }: CompressionScript): number {
  return fragmentBytes === 0 ? 1 : size / fragmentBytes;
}
