import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EnvironmentError, UsageError } from '../../src/core/errors.ts';
import type { OperationContext, OperationEntry } from '../../src/core/operation.ts';
import { resumeRun } from '../../src/operations/resume/resume.ts';
import { runProcess } from '../../src/operations/run/run.ts';
import { errors, noteOperations as entries } from '../fixtures/babysitter/note-operation.mjs';
import { temporaryFolder } from './temporary-folder.ts';

Object.assign(errors, { EnvironmentError, UsageError });

/** The one operation of these runs; what it did is in a log that the runner knows nothing of. */
export const noteOperations = entries as unknown as { note: OperationEntry };

/** Processes made of notes: `#process`, `#parallel`, `#mixed`, `#forgiving`, `#broken`. */
export const notesFile = fileURLToPath(
  new URL('../fixtures/babysitter/notes.mjs', import.meta.url),
);

/** A context as the command line makes one, without a printer. */
export function context(changes: Partial<OperationContext> = {}): OperationContext {
  return {
    signal: new AbortController().signal,
    emit: () => undefined,
    cwd: process.cwd(),
    now: () => performance.now(),
    ...changes,
  };
}

/** A temporary folder for one run of notes, and what a test wants to know about it. */
export class NoteRun {
  readonly root = temporaryFolder();
  readonly runsDir = path.join(this.root, 'runs');
  readonly runDir = path.join(this.runsDir, 'r1');
  readonly inputsFile = path.join(this.root, 'inputs.json');
  readonly #logFile = path.join(this.root, 'log');

  constructor(inputs: Record<string, unknown> = {}) {
    writeFileSync(this.inputsFile, JSON.stringify({ ...inputs, log: this.#logFile }));
  }

  async run(process = notesFile, changes: Partial<OperationContext> = {}) {
    const { inputsFile: inputs, runsDir } = this;
    const input = { process, inputs, runsDir, runId: 'r1' };
    return await runProcess(input, context(changes), noteOperations);
  }

  async resume(changes: Partial<OperationContext> = {}) {
    return await resumeRun({ runDir: this.runDir }, context(changes), noteOperations);
  }

  /** The names of the notes in the order in which they were executed. */
  executions(): string[] {
    if (!existsSync(this.#logFile)) return [];
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n');
  }

  /** Type and data of the journal's events, in the order of their numbers. */
  journal(): { type: string; data: Record<string, unknown> }[] {
    const dir = path.join(this.runDir, 'journal');
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => JSON.parse(readFileSync(path.join(dir, name), 'utf8')) as never);
  }

  /** The ids of the effects in the order in which they were requested. */
  effectIds(): string[] {
    return this.journal()
      .filter(({ type }) => type === 'EFFECT_REQUESTED')
      .map(({ data }) => String(data['effectId']));
  }

  taskFile(effectId: string, name: string): string {
    return path.join(this.runDir, 'tasks', effectId, name);
  }
}

/** Leaves a run whose first effect is requested and not executed. */
export async function requestFirst(notes: NoteRun, process = notesFile): Promise<void> {
  const controller = new AbortController();
  await notes.run(process, {
    signal: controller.signal,
    emit: ({ stage }) => {
      if (stage === 'note') controller.abort();
    },
  });
}

/** Every file below `folder` with its content, to show that nothing was changed. */
export function snapshot(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, 'utf8')]));
}
