import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { EnvironmentError, UsageError } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import { resolveAnswers } from '../../generate/answers.ts';
import type { Answers, Form } from '../../generate/answers.ts';
import { generate } from '../../generate/generate.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import { planFiles } from '../../generate/plan.ts';
import type { Plan, PlannedFile } from '../../generate/plan.ts';
import { writeFiles } from '../../generate/write-files.ts';
import { nextCommands, notesOn } from './notes.ts';
import type { FileAction, GenerateServerInput, GenerateServerReport } from './schema.ts';

/**
 * Generates a server into `input.output`: all files or, if one cannot be written, none.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for answers that contradict each other and
 * WSK_ERR_FILE_EXISTS for files that differ, `EnvironmentError` WSK_ERR_OUTPUT_NOT_WRITABLE.
 */
// eslint-disable-next-line @typescript-eslint/require-await -- errors have to come as a rejection
export async function generateServer(
  input: GenerateServerInput,
  context: OperationContext,
): Promise<GenerateServerReport> {
  const given = input.output ?? `${input.type}-server/`;
  const output = resolve(context.cwd, given);
  const form = formOf(input, given, output);
  const answers = resolveAnswers(input, { form, baseName: basename(output) });
  const { files } = generate(answers);
  const plan = onDisk(given, () => planFiles(form === 'file' ? dirname(output) : output, files));
  const isInterrupted = context.signal.aborted;
  if (!input.dryRun && !isInterrupted) writePlan(plan, given, input.force);
  return report(plan, { input, answers, given, output, isInterrupted });
}

/** The name of a script, or of an existing file, means one file; any other means a folder. */
function formOf(input: GenerateServerInput, given: string, output: string): Form {
  const isFolderName = /[\\/]$/.test(given);
  const isScriptName = !isFolderName && LANGUAGES[input.language].singleFile.extension.test(given);
  const present = onDisk(given, () => statSync(output, { throwIfNoEntry: false }));
  if (input.type === 'chat') {
    if (!isScriptName) return 'project';
    throw new UsageError(
      'WSK_ERR_INVALID_INPUT',
      `a chat server cannot be written to one file, ${given}`,
      {
        hint: 'name a folder as --output, or use --type echo',
      },
    );
  }
  return isScriptName || (present?.isFile() === true && !isFolderName) ? 'file' : 'project';
}

function writePlan(plan: Plan, given: string, force: boolean): void {
  const differing = plan.files.filter((file) => file.change === 'overwrite');
  if (differing.length > 0 && !force) {
    const list = differing.map((file) => file.path).join(', ');
    throw new UsageError('WSK_ERR_FILE_EXISTS', `${given} has files with other content: ${list}`, {
      hint: 'use --force to overwrite, or another --output',
    });
  }
  if (plan.files.some((file) => file.change !== 'keep')) onDisk(given, () => writeFiles(plan));
}

/** Runs `step`; turns errors of the file system into an error about the output path. */
function onDisk<Result>(given: string, step: () => Result): Result {
  try {
    return step();
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
    throw new EnvironmentError(
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      `${given} cannot be written, nothing was changed: ${cause.message}`,
      { cause, hint: hintFor((cause as NodeJS.ErrnoException).code) },
    );
  }
}

function hintFor(code: string | undefined): string {
  switch (code) {
    case 'ENOTDIR':
      return 'there is a file where a folder is needed; choose another --output';
    case 'EISDIR':
      return 'there is a folder where a file is needed; choose another --output';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free some space, or choose another --output';
    default:
      return 'choose another --output';
  }
}

interface Outcome {
  readonly input: GenerateServerInput;
  readonly answers: Answers;
  readonly given: string;
  readonly output: string;
  readonly isInterrupted: boolean;
}

function report(plan: Plan, outcome: Outcome): GenerateServerReport {
  const { input, answers, given, output, isInterrupted } = outcome;
  const hasWritten = !input.dryRun && !isInterrupted;
  return {
    operation: 'generate-server',
    status: isInterrupted ? 'interrupted' : 'passed',
    success: !isInterrupted,
    language: input.language,
    type: input.type,
    output,
    files: plan.files.map((file) => ({
      path: file.path,
      bytes: file.bytes,
      action: actionOf(file, { hasWritten, force: input.force }),
    })),
    commands: nextCommands(answers, given),
    notes: notesOn(answers, plan, { hasWritten, isInterrupted, force: input.force }),
  };
}

function actionOf(file: PlannedFile, run: { hasWritten: boolean; force: boolean }): FileAction {
  switch (file.change) {
    case 'keep':
      return 'unchanged';
    case 'create':
      return run.hasWritten ? 'created' : 'would-create';
    case 'overwrite':
      if (!run.force) return 'differs';
      return run.hasWritten ? 'overwritten' : 'would-overwrite';
    case 'remove':
      return run.hasWritten ? 'removed' : 'would-remove';
  }
}
