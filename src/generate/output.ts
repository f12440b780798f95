import * as z from 'zod';
import { EnvironmentError, UsageError } from '../core/errors.ts';
import type { View } from '../core/operation.ts';
import { localPath, shellQuote } from '../core/shell-quote.ts';
import { NO_PACKAGE_NAMES } from './answers.ts';
import { isWritten } from './plan.ts';
import type { Plan, PlannedFile } from './plan.ts';
import { writeFiles } from './write-files.ts';

/** Fields of both generators' input. */
export const OUTPUT_FIELDS = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,213}$/, 'expected lower-case letters, digits, ".", "_" or "-"')
    .refine((name) => !NO_PACKAGE_NAMES.includes(name), 'expected a name that npm takes')
    .optional()
    .describe('name of the project, as in package.json (default: the name of the output)'),
  force: z
    .boolean()
    .default(false)
    .describe(
      'overwrite existing files that have other content; with --update: go on although edits are not committed',
    ),
  dryRun: z.boolean().default(false).describe('list the files and write nothing'),
  update: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'folder' })
    .describe(
      'bring the project in this folder up to date, edits included: merges what is generated now ' +
        'with what you have made of it; it keeps its answers, except for the flags that are given; ' +
        'exit code 1 when conflicts remain',
    ),
  diff: z
    .boolean()
    .default(false)
    .describe(
      'with --update: show what would change, as a unified diff, and write nothing; ' +
        'exit code 1 when there would be conflicts, else 0',
    ),
};

/** What happened to a file; in a dry run, what would happen. The last four are those of an update. */
const FileAction = z.enum([
  'created',
  'overwritten',
  'unchanged',
  'kept',
  'removed',
  'would-create',
  'would-overwrite',
  'would-remove',
  'differs',
  'added',
  'updated',
  'merged',
  'conflict',
]);
export type FileAction = z.output<typeof FileAction>;

/** A row of a report. */
const GeneratedFile = z.object({
  /** Relative to the output folder, with `/`. */
  path: z.string(),
  bytes: z.int(),
  action: FileAction,
});

/** The fields of both generators' reports about files. */
export const OUTPUT_REPORT_FIELDS = {
  /** Failed: conflicts of an update remain. */
  status: z.enum(['passed', 'failed', 'interrupted']),
  success: z.boolean(),
  /** Absolute path of the folder or file. */
  output: z.string(),
  files: z.array(GeneratedFile),
  /** What to run next, in this order, in a POSIX shell. */
  commands: z.array(z.string()),
  notes: z.array(z.string()),
  /** With `diff`: what an update would change, as a unified diff. */
  diff: z.string().optional(),
};
type OutputReport = z.output<z.ZodObject<typeof OUTPUT_REPORT_FIELDS>>;

/** The files of a report, of those that are as they were only the number, and what goes with them. */
export function viewOfFiles({ files, notes, diff }: OutputReport): Omit<View, 'title'> {
  const listed = files.filter(({ action }) => action !== 'unchanged');
  const others = files.length - listed.length;
  const rows = listed.map((file) => [file.path, String(file.bytes), file.action]);
  if (others > 0) rows.push([`${others} files`, '', 'unchanged']);
  return {
    table: { columns: ['file', 'bytes', 'action'], rows },
    ...(diff !== undefined && { text: diff }),
    notes,
  };
}

/** Writes `plan` to the output that the user calls `given`: all or, if a file cannot be written, nothing. */
export function writePlan(plan: Plan, given: string, force: boolean): void {
  const differing = plan.files.filter((file) => file.change === 'overwrite');
  if (differing.length > 0 && !force) {
    const list = differing.map((file) => file.path).join(', ');
    throw new UsageError('WSK_ERR_FILE_EXISTS', `${given} has files with other content: ${list}`, {
      hint: 'use --force to overwrite, --update to merge, or another --output',
    });
  }
  if (plan.files.some(isWritten)) onDisk(given, () => writeFiles(plan));
}

/** Runs `step`; turns errors of the file system into an error about the output path. */
export function onDisk<Result>(given: string, step: () => Result): Result {
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
      return 'there is a file where a folder is needed; choose another place';
    case 'EISDIR':
      return 'there is a folder where a file is needed; choose another place';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free some space, or choose another place';
    default:
      return 'choose another place';
  }
}

/** The commands that go into the folder `given` and carry out `next` there, in a POSIX shell. */
export function commandsIn(given: string, next: readonly string[]): string[] {
  return [shellQuote(['cd', localPath(given)]), ...next];
}

/** What was done, or would be, to each file. */
export function fileRows(
  plan: Plan,
  run: { readonly hasWritten: boolean; readonly force: boolean },
): z.output<typeof GeneratedFile>[] {
  return plan.files.map((file) => ({
    path: file.path,
    bytes: file.bytes,
    action: actionOf(file, run),
  }));
}

function actionOf(file: PlannedFile, run: { hasWritten: boolean; force: boolean }): FileAction {
  switch (file.change) {
    case 'leave':
      return 'kept';
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

/** How far writing went. */
export interface Writing {
  readonly hasWritten: boolean;
  readonly isInterrupted: boolean;
  readonly force: boolean;
}

/** What the user should know of it. */
export function notesOnWriting({ files, orphans }: Plan, run: Writing): string[] {
  const notes: string[] = [];
  const differing = files.filter((file) => file.change === 'overwrite').length;
  if (run.isInterrupted) notes.push('interrupted: nothing was written');
  else if (!run.hasWritten) notes.push('dry run: nothing was written');
  else if (!files.some(isWritten)) {
    notes.push('every file is already there with the same content: nothing was written');
  }
  if (!run.hasWritten && differing > 0 && !run.force) {
    notes.push(`existing files with other content: ${differing}; only --force overwrites them`);
  }
  const kept = files.filter(({ change }) => change === 'leave').map(({ path }) => path);
  if (kept.length > 0) notes.push(`kept, as they are yours: ${kept.join(', ')}`);
  for (const path of orphans) {
    notes.push(`${path} is no longer part of the project, but it was edited and is not removed`);
  }
  return notes;
}
