import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type * as z from 'zod';
import { generateServer } from '../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { readProject } from '../../src/target/project/manifest.ts';
import type { Manifest } from '../../src/target/project/manifest.ts';
import { operationContext } from '../support/operation-context.ts';
import { pythonPath } from '../support/python.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { within } from '../support/test-client.ts';
import type { Boot, CheckContext } from './check.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The compiler of TypeScript 7, which takes an eighth of the time of 5.9, with which users build: what both
 * write is compared in `combinations.test.ts`.
 */
export const TSGO = path.join(root, 'node_modules/@typescript/native-preview/bin/tsgo');
/** Its least work: several threads work out the same types each for itself. */
export const ONE_THREAD = '--singleThreaded';
/** The compiler of 5.9. */
export const TSC = path.join(root, 'node_modules/typescript/bin/tsc');

/** A generated server on disk; `dispose` removes it. */
export interface GeneratedServer {
  /** The folder it is in. */
  readonly folder: string;
  /** The folder, or the single file. */
  readonly project: string;
  /** Paths of its files, relative to the folder. */
  readonly files: readonly string[];
  readonly boot: Boot;
  readonly dispose: () => void;
}

/**
 * Generates a server into a new folder and builds it, unless told otherwise. What `npm install` would bring
 * is linked from this package, whose versions satisfy the generated ones.
 */
export async function generateForTest(
  input: z.input<typeof GenerateServerInput>,
  { isBuilt = true } = {},
): Promise<GeneratedServer> {
  const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const output = input.output ?? 'server/';
    const parsed = GenerateServerInput.parse({ ...input, output });
    const report = await generateServer(parsed, operationContext({ cwd: folder }));
    const { root: cwd, manifest } = await readProject(report.output);
    const { install } = manifest.commands;
    if (install !== null) linkInstalled(cwd, manifest.language);
    if (isBuilt) build(cwd, manifest);
    const project = install === null ? report.output : cwd;
    const files = report.files.map((file) => file.path);
    return { folder: cwd, project, files, boot: (env) => start(project, env), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Builds a generated server, if there is anything to build. */
export function build(folder: string, { language, commands }: Manifest): void {
  const [program, ...args] = commands.build ?? [];
  if (program === undefined) return;
  if (language === 'nodejs') compile(folder);
  else execFileSync(program, args, { cwd: folder, stdio: 'pipe' });
}

/**
 * Puts in place what the install command of a project would bring, as far as its program needs it; of Python,
 * the interpreter alone.
 */
export function linkInstalled(cwd: string, language: string): void {
  if (language === 'python') {
    mkdirSync(`${cwd}/.venv/bin`, { recursive: true });
    symlinkSync(pythonPath() ?? 'python3', `${cwd}/.venv/bin/python`);
  } else symlinkSync(path.join(root, 'node_modules'), `${cwd}/node_modules`);
}

/** Runs the compiler on a generated project; throws what it says. */
export function compile(folder: string, compiler: readonly string[] = [TSGO, ONE_THREAD]): void {
  try {
    const command = [...compiler, '-p', folder];
    execFileSync(process.execPath, command, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(String((error as { stdout?: unknown }).stdout ?? error), { cause: error });
  }
}

/** Starts the generated server at `project` as its manifest says, for the running test at most. */
export async function start(
  project: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const { root: cwd, manifest } = await readProject(project);
  const [program = '', ...args] = manifest.commands.start;
  const server = await startServerProcess(args, {
    cwd,
    env: { PYTHONPATH: path.join(cwd, 'src'), ...env },
    ...(program !== 'node' && { program }),
  });
  // A check that never ends does not get to dispose of its server.
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** `CheckContext.soon` with a bound. */
export function soonWithin(milliseconds: number): CheckContext['soon'] {
  return (promise, what) => within(promise, milliseconds, what);
}
