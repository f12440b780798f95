import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  EnvironmentError,
  ERRORS,
  invalidInput,
  UsageError,
  type ErrorCode,
} from '../core/errors.ts';
import { didYouMean } from '../core/did-you-mean.ts';

/** A process that was found and exports a function under that name. */
export interface ProcessFile {
  readonly processId: string;
  /** Absolute path of the module. */
  readonly file: string;
  readonly exportName: string;
  /** The export `checkInputs` of the module: throws for inputs that are wrong. */
  readonly checkInputs?: (inputs: unknown) => unknown;
}

/** The names of the processes in this package. */
export const BUILT_IN = [
  'websocket-server',
  'websocket-client',
  'realtime-messaging-system',
  'real-time-features',
  'chat-application',
  'live-updates',
  'mcp-websocket-server',
] as const;

/** Where they stand in the babysitter library, with which their ids begin. */
const LIBRARY = 'specializations/network-programming';

/**
 * Finds a process by its built-in name or by the path of its file, `file.mjs#export`.
 *
 * Loads the module, so that a file that cannot run is refused before a run folder exists.
 *
 * @throws UsageError for an unknown name, a missing file, or a module without that function
 */
export async function findProcess(name: string, cwd: string): Promise<ProcessFile> {
  const isBuiltIn = BUILT_IN.some((one) => one === name);
  const found = isBuiltIn
    ? { processId: `${LIBRARY}/${name}`, file: builtInFile(name), exportName: 'process' }
    : fromPath(name, cwd);
  const { checkInputs } = await loadChecked(found);
  return typeof checkInputs === 'function'
    ? { ...found, checkInputs: checkInputs as (inputs: unknown) => unknown }
    : found;
}

/**
 * Has a process check its inputs before a run of it exists.
 *
 * @throws UsageError with the code and hint of what the process throws
 */
export async function checkProcessInputs(process: ProcessFile, inputs: unknown): Promise<void> {
  try {
    await withConsoleOnStderr(async () => await process.checkInputs?.(inputs));
  } catch (cause) {
    // The process may have another copy of the error's class.
    const { code, hint } = cause as { code?: unknown; hint?: unknown };
    const isOurs = typeof code === 'string' && Object.hasOwn(ERRORS, code);
    throw new UsageError(
      isOurs ? (code as ErrorCode) : 'WSK_ERR_INVALID_INPUT',
      `inputs of ${process.processId}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, ...(typeof hint === 'string' && { hint }) },
    );
  }
}

function fromPath(name: string, cwd: string): ProcessFile {
  const [, pathPart = name, exportName = 'process'] = /^(.*?)(?:#([^#/\\]+))?$/.exec(name) ?? [];
  if (!/[\\/]|\.[cm]?[jt]s$/.test(pathPart)) {
    throw invalidInput(
      `unknown process ${JSON.stringify(name)}`,
      `${didYouMean(name, BUILT_IN)} (a file is given as ./${pathPart}.js)`,
    );
  }
  const file = path.resolve(cwd, pathPart);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new UsageError('WSK_ERR_FILE_NOT_READABLE', `process file ${file} does not exist`);
  }
  if (!/\.[cm]?js$/.test(file)) {
    throw invalidInput(
      `process file ${file} is not JavaScript`,
      'compile it to a .js or .mjs file: the babysitter SDK loads processes with import()',
    );
  }
  return { processId: path.basename(file, path.extname(file)), file, exportName };
}

async function loadChecked({ file, exportName }: ProcessFile): Promise<Record<string, unknown>> {
  let module: Record<string, unknown>;
  try {
    module = await withConsoleOnStderr(() => load(file));
  } catch (cause) {
    if (cause instanceof EnvironmentError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError('WSK_ERR_INVALID_INPUT', `process file ${file} does not load: ${why}`, {
      cause,
    });
  }
  if (typeof module[exportName] === 'function') return module;
  const functions = Object.keys(module).filter((key) => typeof module[key] === 'function');
  throw invalidInput(
    `process file ${file} exports no function ${JSON.stringify(exportName)}`,
    functions.length === 0 ? 'it exports no functions' : didYouMean(exportName, functions),
  );
}

/**
 * Runs `work` with `console.log`, `info` and `debug` writing to stderr: whatever the code of a
 * process prints, stdout holds the report alone.
 */
export async function withConsoleOnStderr<Result>(work: () => Promise<Result>): Promise<Result> {
  const { log, info, debug } = console;
  Object.assign(console, { log: console.error, info: console.error, debug: console.error });
  try {
    return await work();
  } finally {
    Object.assign(console, { log, info, debug });
  }
}

async function load(file: string): Promise<Record<string, unknown>> {
  return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
}

/**
 * The file of a built-in process: beside the bundled script of the skill, else among the built files
 * of this package.
 */
function builtInFile(name: string): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = [
    path.join(here, `${name}.mjs`),
    path.join(here, '../../processes', `${name}.js`),
    path.join(here, '../../dist/processes', `${name}.js`),
  ];
  for (const file of candidates) {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return file;
  }
  throw new EnvironmentError(
    'WSK_ERR_FILE_NOT_READABLE',
    `the file of the built-in process ${name} was not found`,
    {
      cause: new Error(`no file ${candidates[0] ?? ''}`),
      hint:
        `copy the whole folder of the skill: ${name}.mjs belongs beside websocket.mjs; ` +
        'in a clone: npm ci && npm run build',
    },
  );
}
