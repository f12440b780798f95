import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EnvironmentError, invalidInput, UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/did-you-mean.ts';

/** A process that was found and exports a function under that name. */
export interface ProcessFile {
  readonly processId: string;
  /** Absolute path of the module. */
  readonly file: string;
  readonly exportName: string;
}

const PACKAGE = 'websocket-skill';

/** The processes in this package; their ids are those of the babysitter library. */
const BUILT_IN: Readonly<Record<string, string>> = {
  'websocket-server': 'specializations/network-programming/websocket-server',
};

/**
 * Finds a process by its built-in name or by the path of its file, `file.mjs#export`.
 *
 * Loads the module, so that a file that cannot run is refused before a run folder exists.
 *
 * @throws UsageError for an unknown name, a missing file, or a module without that function
 */
export async function findProcess(name: string, cwd: string): Promise<ProcessFile> {
  const builtIn = BUILT_IN[name];
  const found =
    builtIn === undefined
      ? fromPath(name, cwd)
      : { processId: builtIn, file: builtInFile(name, cwd), exportName: 'process' };
  await checkExport(found);
  return found;
}

function fromPath(name: string, cwd: string): ProcessFile {
  const [, pathPart = name, exportName = 'process'] = /^(.*?)(?:#([^#/\\]+))?$/.exec(name) ?? [];
  if (!/[\\/]|\.[cm]?[jt]s$/.test(pathPart)) {
    throw invalidInput(
      `unknown process ${JSON.stringify(name)}`,
      `${didYouMean(name, Object.keys(BUILT_IN))} (a file is given as ./${pathPart}.js)`,
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

async function checkExport({ file, exportName }: ProcessFile): Promise<void> {
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
  if (typeof module[exportName] === 'function') return;
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

/** The built file of this package, else of the one that is installed in `cwd`. */
function builtInFile(name: string, cwd: string): string {
  const root = ownRoot(path.dirname(fileURLToPath(import.meta.url))) ?? installedRoot(cwd);
  const file = root === undefined ? undefined : path.join(root, 'dist', 'processes', `${name}.js`);
  if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile() === true) {
    return file;
  }
  throw new EnvironmentError(
    'WSK_ERR_FILE_NOT_READABLE',
    `the files of the built-in process ${name} were not found`,
    {
      cause: new Error(`no dist/processes/${name}.js`),
      hint: `in a clone: npm ci && npm run build; in another project: npm install ${PACKAGE}`,
    },
  );
}

function ownRoot(from: string): string | undefined {
  for (let dir = from; ; dir = path.dirname(dir)) {
    if (packageName(dir) === PACKAGE) return dir;
    if (dir === path.dirname(dir)) return undefined;
  }
}

function installedRoot(cwd: string): string | undefined {
  try {
    const require = createRequire(path.join(cwd, 'package.json'));
    return path.dirname(require.resolve(`${PACKAGE}/package.json`));
  } catch {
    return undefined;
  }
}

function packageName(dir: string): unknown {
  try {
    const text = readFileSync(path.join(dir, 'package.json'), 'utf8');
    return (JSON.parse(text) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}
