import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError } from '../../core/errors.ts';
import type { CaseResult, Retry } from '../result.ts';
import { isDoubtful, isSameVerdict, signatureOf } from './retry.ts';
import { toResult } from './case-result.ts';
import type { CaseTask } from '../case.ts';
import { planStages } from './plan.ts';
import type { Pool } from './plan.ts';

export interface RunCasesOptions {
  readonly tasks: readonly CaseTask[];
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Runs one case; throws `EnvironmentError` when there is no connection to the peer. */
  readonly run: (task: CaseTask) => Promise<CaseResult>;
  /** Whether the machine has no time to spare: what came late then proves nothing. */
  readonly isBehind: () => boolean;
  /** Told after each case, before it is known whether it will be run again. */
  readonly onDone: (result: CaseResult) => void;
}

export interface RanCases {
  /** In the order of the tasks; of an aborted run only those that ended. */
  readonly results: readonly CaseResult[];
  readonly notes: readonly string[];
}

/** Milliseconds between attempts to reach a peer that refuses: it may be restarting. */
const RETRY_DELAYS_MS = [100, 400, 1500];

/** Handshakes that time out one after the other before the peer counts as dead. */
const DEAF_LIMIT = 4;

/** Failures of one kind that have to be confirmed alone before the others are taken for true. */
const CONFIRMATIONS = 3;

/** Runs cases side by side, sees to it that this changes no verdict, and comes to an end. */
export async function runCases(options: RunCasesOptions): Promise<RanCases> {
  const scheduler = new Scheduler(options);
  await scheduler.run();
  return { results: scheduler.results(), notes: scheduler.notes };
}

class Scheduler {
  readonly notes: string[] = [];
  readonly #options: RunCasesOptions;
  readonly #results = new Map<CaseTask, CaseResult>();
  /** Cases that ended without a handshake beside others: to be run again before all else. */
  readonly #unopened: CaseTask[] = [];
  /** Cases whose first run was beside others. */
  readonly #beside = new Set<CaseTask>();
  #serial: boolean;
  #everOpened = false;
  #deaf = 0;
  /** The cases begun last, the newest at the end: one of them may be what killed the peer. */
  readonly #begun: string[] = [];
  /** Why nothing more can be run. */
  #dead: string | undefined;

  constructor(options: RunCasesOptions) {
    this.#options = options;
    this.#serial = options.concurrency === 1;
  }

  results(): CaseResult[] {
    return this.#options.tasks.flatMap((task) => this.#results.get(task) ?? []);
  }

  async run(): Promise<void> {
    const { tasks, concurrency, signal } = this.#options;
    try {
      const [first] = tasks;
      // Alone, so that it is known what the peer can do when nothing else is going on.
      if (first !== undefined) await this.#runTask(first, true);
      for (const pools of planStages(tasks, concurrency)) await this.#runStage(pools);
      await this.#confirmFailures();
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#dropUnconfirmed();
    }
  }

  /** What failed beside others proves nothing, and there is no time left to run it again. */
  #dropUnconfirmed(): void {
    const dropped: string[] = [];
    for (const [task, result] of this.#results) {
      if (!this.#beside.has(task) || !isSuspect(result) || result.retry !== 'not needed') continue;
      this.#results.delete(task);
      dropped.push(task.definition.id);
    }
    if (dropped.length === 0) return;
    this.notes.push(
      `Left out, as they failed beside others and were not run again alone: ${dropped.join(', ')}.`,
    );
  }

  async #runStage(pools: readonly Pool[]): Promise<void> {
    const queues = pools.map(({ tasks, concurrency }) => ({
      concurrency,
      waiting: tasks.filter((task) => !this.#results.has(task)),
    }));
    while (queues.some(({ waiting }) => waiting.length > 0) || this.#unopened.length > 0) {
      await this.#runUnopened();
      if (this.#serial) {
        for (const { waiting } of queues) await this.#work(waiting, true);
      } else {
        await Promise.all(
          queues.flatMap(({ waiting, concurrency }) =>
            Array.from({ length: concurrency }, () => this.#work(waiting, false)),
          ),
        );
      }
    }
  }

  /** Takes tasks until none is left, or one ended without a handshake: that is looked into alone. */
  async #work(waiting: CaseTask[], alone: boolean): Promise<void> {
    while (this.#unopened.length === 0) {
      this.#options.signal.throwIfAborted();
      const task = waiting.shift();
      if (task === undefined) return;
      await this.#runTask(task, alone);
    }
  }

  async #runUnopened(): Promise<void> {
    for (let task = this.#unopened.shift(); task !== undefined; task = this.#unopened.shift()) {
      const result = await this.#runTask(task, true, 'alone');
      if (!result.opened || this.#serial) continue;
      this.#serial = true;
      this.notes.push(
        'The peer did not take several connections at the same time; from then on it got one at a time.',
      );
    }
  }

  /** Runs a case, or says why it was not run. */
  async #runTask(task: CaseTask, alone: boolean, retry: Retry = 'not needed'): Promise<CaseResult> {
    const result =
      this.#dead === undefined ? await this.#attempt(task, alone) : notRun(task, this.#dead);
    if (result.opened) this.#noteOpened(task);
    if (!alone) this.#beside.add(task);
    this.#watchForDeafness(result, alone);
    if (!result.opened && isDoubtful(result) && !alone && this.#dead === undefined) {
      this.#unopened.push(task);
      return result;
    }
    this.#results.set(task, { ...result, retry });
    this.#options.onDone(result);
    return result;
  }

  #noteOpened({ definition }: CaseTask): void {
    this.#everOpened = true;
    this.#begun.push(definition.id);
    if (this.#begun.length > this.#options.concurrency) this.#begun.shift();
  }

  async #attempt(task: CaseTask, alone: boolean): Promise<CaseResult> {
    const { run, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await run(task);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof EnvironmentError)) throw error;
        // The very first connection tells whether there is anything to test.
        if (!this.#everOpened && this.#results.size === 0) throw error;
        const delayMs = alone ? RETRY_DELAYS_MS[attempt] : undefined;
        if (delayMs !== undefined) {
          await sleep(delayMs, undefined, { signal });
          continue;
        }
        if (alone) this.#giveUp(`the peer no longer accepts connections: ${error.message}`);
        return notRun(task, error.message);
      }
    }
  }

  #watchForDeafness(result: CaseResult, alone: boolean): void {
    if (!result.close.wasOpenHandshakeTimeout) {
      if (result.notRun === null) this.#deaf = 0;
      return;
    }
    if (!alone && this.#everOpened) return;
    this.#deaf++;
    if (this.#deaf < DEAF_LIMIT) return;
    this.#giveUp(
      `the peer accepts connections but answered ${this.#deaf} opening handshakes in a row with nothing`,
    );
  }

  /** Nothing more is run; what is left gets `reason`. */
  #giveUp(reason: string): void {
    if (this.#dead !== undefined) return;
    this.#dead = reason;
    const before = this.#everOpened
      ? ` The last cases it took a connection for: ${this.#begun.join(', ')}.`
      : '';
    this.notes.push(`The run ended early: ${reason}.${before}`);
  }

  /**
   * Runs what failed beside others again, alone.
   *
   * Of failures of one kind the shortest go first; when three of them have come out the same
   * again, the others of that kind are believed. A single one that comes out differently makes
   * all of its kind run again.
   */
  async #confirmFailures(): Promise<void> {
    if (this.#options.concurrency === 1) return;
    const behind = this.#options.isBehind();
    const kinds = groupBySignature(
      [...this.#results].filter(
        ([, result]) => isSuspect(result) || (behind && result.behavior === 'NON-STRICT'),
      ),
    );
    for (const suspects of kinds.values()) await this.#confirmKind(suspects);
  }

  async #confirmKind(suspects: [CaseTask, CaseResult][]): Promise<void> {
    suspects.sort(([, a], [, b]) => a.durationMs - b.durationMs);
    let confirmed = 0;
    let changed = false;
    for (const [task, before] of suspects) {
      if (confirmed >= CONFIRMATIONS && !changed) {
        this.#results.set(task, { ...before, retry: 'sampled' });
        continue;
      }
      const after = await this.#attempt(task, true);
      if (isSameVerdict(before, after)) confirmed++;
      else changed = true;
      this.#results.set(task, { ...after, retry: 'alone' });
      if (this.#dead !== undefined) return;
    }
  }
}

function isSuspect(result: CaseResult): boolean {
  return isDoubtful(result) && result.notRun === null && result.opened;
}

function groupBySignature(
  entries: [CaseTask, CaseResult][],
): Map<string, [CaseTask, CaseResult][]> {
  const groups = new Map<string, [CaseTask, CaseResult][]>();
  for (const entry of entries) {
    const key = signatureOf(entry[1]);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return groups;
}

/** The result of a case that could not be run: the verdict is that of a missing handshake. */
function notRun(task: CaseTask, reason: string): CaseResult {
  return toResult({
    task,
    agent: 'UnknownServer',
    role: 'client',
    startedAt: new Date(),
    durationMs: 0,
    httpRequest: null,
    httpResponse: null,
    connection: undefined,
    neverOpen: { wasNotCleanReason: reason },
    notRun: reason,
  });
}
