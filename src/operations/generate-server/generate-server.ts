import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { invalidInput, UsageError } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import { DEFAULTS, resolveAnswers } from '../../generate/answers.ts';
import type { Answers, Form } from '../../generate/answers.ts';
import { generate } from '../../generate/generate.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import type { LanguageName } from '../../generate/languages/index.ts';
import { fileRows, onDisk, writePlan } from '../../generate/output.ts';
import { planFiles } from '../../generate/plan.ts';
import type { Plan } from '../../generate/plan.ts';
import { answersFor, folderToUpdate, update } from '../../generate/update.ts';
import { readProject } from '../../target/project/index.ts';
import { nextCommands, notesOn } from './notes.ts';
import { ServerChoices } from './schema.ts';
import type { GenerateServerInput, GenerateServerReport } from './schema.ts';

/**
 * Generates a server into `input.output`, or into the edited project `input.update`: all files or, if one
 * cannot be written, none.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for answers that contradict each other and
 * WSK_ERR_FILE_EXISTS for files that differ, `EnvironmentError` WSK_ERR_OUTPUT_NOT_WRITABLE; of an update
 * also WSK_ERR_NOT_A_PROJECT, WSK_ERR_UNCOMMITTED and WSK_ERR_GIT_MISSING.
 */
export async function generateServer(
  input: GenerateServerInput,
  context: OperationContext,
): Promise<GenerateServerReport> {
  const folder = folderToUpdate(input);
  if (folder !== undefined) return await updateServer(folder, input, context);
  const given = input.output ?? `${input.type ?? DEFAULTS.type}-server/`;
  const output = resolve(context.cwd, given);
  const chosen = { ...input, language: languageOf(input, given) };
  const form = formOf(chosen, given, output);
  const answers = resolveAnswers(chosen, { form, baseName: basename(output) });
  const { files, manifest } = generate(answers);
  const root = form === 'file' ? dirname(output) : output;
  const plan = onDisk(given, () => planFiles(root, files, manifest.userFiles));
  const isInterrupted = context.signal.aborted;
  if (!input.dryRun && !isInterrupted) writePlan(plan, given, input.force);
  return report(plan, { input, answers, given, output, isInterrupted });
}

/** Brings the project in `folder` up to date, with the flags of `input` in the place of its answers. */
async function updateServer(
  folder: string,
  input: GenerateServerInput,
  { cwd, signal }: OperationContext,
): Promise<GenerateServerReport> {
  const path = resolve(cwd, folder);
  const { root, manifest } = await readProject(path);
  if (root !== path) throw invalidInput(`${folder} is one file`, 'name a project in a folder');
  const given = ServerChoices.parse(input);
  const output = { form: 'project', baseName: basename(root) } as const;
  const choices = answersFor(folder, manifest, ServerChoices, given);
  const answers = resolveAnswers(choices, output);
  const next = generate(answers);
  const again = (): ReadonlyMap<string, string> =>
    generate(resolveAnswers(ServerChoices.parse(manifest.answers), output)).files;
  const result = update(
    { root, manifest, again },
    { files: next.files, userFiles: next.manifest.userFiles },
    { folder, input, isInterrupted: signal.aborted },
  );
  return {
    ...result,
    operation: 'generate-server',
    language: answers.language,
    type: answers.type,
    output: root,
    commands: nextCommands(answers, folder),
    notes: [...result.notes, ...answers.notes],
  };
}

/** The language whose single files have such a name. */
export function languageOfName(output: string): LanguageName | undefined {
  const names = Object.keys(LANGUAGES) as LanguageName[];
  return names.find((name) => LANGUAGES[name].singleFile.extension.test(output));
}

/** The language that was chosen, else that of the name. */
function languageOf({ language }: GenerateServerInput, given: string): LanguageName {
  const ofName = languageOfName(given);
  if (language !== undefined && ofName !== undefined && ofName !== language) {
    throw invalidInput(
      `${given} is the name of a file in ${ofName}, but --language is ${language}`,
      `leave --language out, or name a folder: ${given}/`,
    );
  }
  return language ?? ofName ?? DEFAULTS.language;
}

/** The name of a script, or of an existing file, means one file; any other means a folder. */
function formOf(input: GenerateServerInput, given: string, output: string): Form {
  const isFolderName = /[\\/]$/.test(given);
  const { language = DEFAULTS.language, type = DEFAULTS.type } = input;
  const isScriptName = !isFolderName && LANGUAGES[language].singleFile.extension.test(given);
  const present = onDisk(given, () => statSync(output, { throwIfNoEntry: false }));
  if (type !== 'echo') {
    if (!isScriptName) return 'project';
    throw new UsageError(
      'WSK_ERR_INVALID_INPUT',
      `a ${type} server cannot be written to one file, ${given}`,
      {
        hint: 'name a folder as --output, or use --type echo',
      },
    );
  }
  return isScriptName || (present?.isFile() === true && !isFolderName) ? 'file' : 'project';
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
    language: answers.language,
    type: answers.type,
    output,
    files: fileRows(plan, { hasWritten, force: input.force }),
    commands: nextCommands(answers, given),
    notes: notesOn(answers, plan, { hasWritten, isInterrupted, force: input.force }),
  };
}
