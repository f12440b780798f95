import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { invalidInput } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import {
  CLIENT_LANGUAGE,
  generateClientFiles,
  resolveClientAnswers,
} from '../../generate/client.ts';
import type { Form } from '../../generate/answers.ts';
import { CLIENT_LANGUAGES } from '../../generate/languages/index.ts';
import type { ClientLanguageName } from '../../generate/languages/index.ts';
import type { ClientLanguage } from '../../generate/languages/language.ts';
import { commandsIn, fileRows, notesOnWriting, onDisk, writePlan } from '../../generate/output.ts';
import { planFiles } from '../../generate/plan.ts';
import { answersFor, folderToUpdate, update } from '../../generate/update.ts';
import { readClient, readProject } from '../../target/project/manifest.ts';
import type { Project } from '../../target/project/manifest.ts';
import { ClientChoices } from './schema.ts';
import type { GenerateClientInput, GenerateClientReport } from './schema.ts';

/**
 * Generates a client into `input.output`, or into the edited project `input.update`: all files or, if one
 * cannot be written, none.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for answers that contradict each other or the server,
 * WSK_ERR_NOT_A_PROJECT for a server that was not generated and WSK_ERR_FILE_EXISTS for files that
 * differ, `EnvironmentError` WSK_ERR_OUTPUT_NOT_WRITABLE; of an update also WSK_ERR_UNCOMMITTED and
 * WSK_ERR_GIT_MISSING.
 */
export async function generateClient(
  input: GenerateClientInput,
  context: OperationContext,
): Promise<GenerateClientReport> {
  const server =
    input.server === undefined ? undefined : await readProject(resolve(context.cwd, input.server));
  const folder = folderToUpdate(input);
  if (folder !== undefined) return updateClient(folder, input, server, context);
  const spoken = input.subprotocol === undefined ? input.type : 'rpc';
  const type = spoken ?? server?.manifest.type ?? 'chat';
  const given = input.output ?? `${type}-client/`;
  const output = resolve(context.cwd, given);
  const language = languageOf(input, given);
  const form = formOf(language, given, output);
  const answers = resolveClientAnswers(
    { ...input, language },
    { form, baseName: basename(output) },
    server,
  );
  const root = form === 'file' ? dirname(output) : output;
  const plan = onDisk(given, () => planFiles(root, generateClientFiles(answers)));
  const isInterrupted = context.signal.aborted;
  const hasWritten = !input.dryRun && !isInterrupted;
  if (hasWritten) writePlan(plan, given, input.force);
  const run = { hasWritten, isInterrupted, force: input.force };
  return {
    operation: 'generate-client',
    status: isInterrupted ? 'interrupted' : 'passed',
    success: !isInterrupted,
    language: answers.language,
    type: answers.type,
    features: [...answers.features],
    output,
    files: fileRows(plan, run),
    commands: form === 'file' ? [] : commandsIn(given, CLIENT_LANGUAGES[answers.language].next),
    notes: notesOnWriting(plan, run),
  };
}

/** Brings the client in `folder` up to date, with `input` and what `server` speaks in the place of its answers. */
function updateClient(
  folder: string,
  input: GenerateClientInput,
  server: Project | undefined,
  { cwd, signal }: OperationContext,
): GenerateClientReport {
  const { root, manifest } = readClient(resolve(cwd, folder));
  const output = { form: 'project', baseName: basename(root) } as const;
  const kept = answersFor(folder, manifest, ClientChoices, ClientChoices.parse(input));
  // What a server has comes from it.
  const choices =
    server === undefined ? kept : { ...kept, features: input.features, url: input.url };
  const answers = resolveClientAnswers(choices, output, server);
  const again = (): ReadonlyMap<string, string> => {
    const choices = ClientChoices.parse(manifest.answers);
    return generateClientFiles(resolveClientAnswers(choices, output, undefined));
  };
  return {
    ...update(
      { root, manifest, again },
      { files: generateClientFiles(answers), userFiles: [] },
      { folder, input, isInterrupted: signal.aborted },
    ),
    operation: 'generate-client',
    language: answers.language,
    type: answers.type,
    features: [...answers.features],
    output: root,
    commands: commandsIn(folder, CLIENT_LANGUAGES[answers.language].next),
  };
}

/** The language that was chosen, else that of a file with such a name. */
function languageOf({ language }: GenerateClientInput, given: string): ClientLanguageName {
  const names = Object.keys(CLIENT_LANGUAGES) as ClientLanguageName[];
  const ofName = names.find((name) => CLIENT_LANGUAGES[name].file.test(given));
  if (language !== undefined && ofName !== undefined && ofName !== language) {
    throw invalidInput(
      `${given} is the name of a file in ${ofName}, but --language is ${language}`,
      `leave --language out, or name a folder: ${given}/`,
    );
  }
  return language ?? ofName ?? CLIENT_LANGUAGE;
}

/** The name of a source file, or of an existing file, means one file; any other means a folder. */
function formOf(name: ClientLanguageName, given: string, output: string): Form {
  if (/[\\/]$/.test(given)) return 'project';
  const language: ClientLanguage = CLIENT_LANGUAGES[name];
  if (/\.c[jt]s$/.test(given)) {
    throw invalidInput(
      `${given} would be a CommonJS file, and a client is an ES module`,
      'use .js',
    );
  }
  const present = onDisk(given, () => statSync(output, { throwIfNoEntry: false }));
  return language.file.test(given) || present?.isFile() === true ? 'file' : 'project';
}
