import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { EnvironmentError } from '../../core/errors.ts';
import { shellQuote } from '../../core/shell-quote.ts';
import { readProject } from './manifest.ts';
import type { Manifest, Project } from './manifest.ts';
import { listeningPort, pollUntilReady } from './ready.ts';
import { OutputTail, Supervised } from './supervisor.ts';

export interface StartProjectOptions {
  /** When aborted, whatever runs is stopped, and the promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Called before each step: `install`, `build`, `start`. */
  readonly emit?: (progress: { stage: string }) => void;
  /** Added to the environment of this process; PORT and HOST are always set. */
  readonly env?: Readonly<Record<string, string>>;
  readonly installTimeoutMs?: number;
  readonly buildTimeoutMs?: number;
  /** Time limit of the project's own tests. Default 300 000. */
  readonly testsTimeoutMs?: number;
  /** Time limit to listen, and then to be ready. Default 20 000. */
  readonly startTimeoutMs?: number;
}

/** A generated server that runs during an operation; the caller has to stop it. */
export interface RunningProject extends AsyncDisposable {
  readonly manifest: Manifest;
  /** `ws://127.0.0.1:<port><path>`. */
  readonly url: string;
  /** SIGTERM, then SIGKILL to the whole group after `graceMs` (5000). The server's exit code. */
  readonly stop: (graceMs?: number) => Promise<number>;
  /** Runs the project's own tests, on servers that they start; null: it has none. */
  readonly runTests: () => Promise<OwnTests | null>;
  /** The last lines the server wrote to stderr. */
  readonly errorLines: () => readonly string[];
}

/** How the tests of a project ended. */
export interface OwnTests {
  /** As in a shell: `npm test`. */
  readonly command: string;
  /** Undefined: they were stopped, as they did not end in time. */
  readonly exitCode: number | undefined;
  /** The end of their output. */
  readonly lines: readonly string[];
}

/** Bytes kept of what tests print. */
const TESTS_OUTPUT_BYTES = 256 * 1024;

/**
 * Installs, builds and starts the generated project at `path` (a folder or a single file) on a
 * free port of the loopback, and waits until it is ready.
 *
 * Throws `UsageError` WSK_ERR_NOT_A_PROJECT, and what `prepare` throws.
 */
export async function startProject(
  path: string,
  options: StartProjectOptions,
): Promise<RunningProject> {
  const project = await readProject(path);
  await prepare(project, project.manifest.commands.start, options);
  return startServer(project, options);
}

/** A generated server or client, as far as it is installed, built and tested. */
export interface Buildable {
  readonly root: string;
  readonly file?: string;
  readonly manifest: Pick<Manifest, 'installed' | 'files'> & {
    readonly toolchain?: Manifest['toolchain'];
    readonly commands: Pick<Manifest['commands'], 'install' | 'build' | 'test'>;
  };
}

/**
 * Installs and builds a project where that has not been done. `start` is the command that runs it, whose
 * last word is the file that is built last.
 *
 * Throws `EnvironmentError` WSK_ERR_TOOLCHAIN_MISSING, WSK_ERR_PROJECT_FAILED.
 */
export async function prepare(
  project: Buildable,
  start: readonly string[],
  options: StartProjectOptions,
): Promise<void> {
  const { toolchain, commands } = project.manifest;
  const { install, build } = commands;
  if (toolchain !== undefined) checkToolchain(toolchain);
  if (install !== null && !isInstalled(project)) {
    await runStep('install', install, {
      project,
      options,
      timeoutMs: options.installTimeoutMs ?? 300_000,
    });
  }
  if (build !== null && isStale(project, start)) {
    await runStep('build', build, {
      project,
      options,
      timeoutMs: options.buildTimeoutMs ?? 120_000,
    });
  }
}

/** @throws EnvironmentError WSK_ERR_TOOLCHAIN_MISSING */
function checkToolchain({ command, least }: Exclude<Manifest['toolchain'], undefined>): void {
  const [program = '', ...args] = command;
  const { error, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
  const version = error === undefined ? /\d+(?:\.\d+)+/.exec(stdout)?.[0] : undefined;
  const parts = (text: string): number[] => text.split('.').map(Number);
  const given = parts(version ?? '0');
  const order = parts(least).map((part, at) => (given[at] ?? 0) - part);
  if (version !== undefined && (order.find((sign) => sign !== 0) ?? 0) >= 0) return;
  const found = version === undefined ? 'there is none' : `this is ${version}`;
  throw new EnvironmentError(
    'WSK_ERR_TOOLCHAIN_MISSING',
    `the project needs ${program} >= ${least}, and ${found}`,
    { cause: error ?? new Error(found), hint: `install ${program} ${least} or later, in PATH` },
  );
}

function isInstalled({ root, manifest }: Buildable): boolean {
  return manifest.installed.some((path) => existsSync(join(root, path)));
}

/** Whether a file of the project is newer than the file that the start command runs. */
function isStale({ root, file: single, manifest }: Buildable, start: readonly string[]): boolean {
  const entry = statSync(join(root, start.at(-1) ?? ''), { throwIfNoEntry: false });
  if (entry === undefined || !entry.isFile()) return true;
  const files = single === undefined ? Object.keys(manifest.files) : [single];
  return files.some((file) => {
    const source = statSync(join(root, file), { throwIfNoEntry: false });
    return source !== undefined && source.mtimeMs > entry.mtimeMs;
  });
}

interface StepOptions {
  readonly project: Buildable;
  readonly options: StartProjectOptions;
  readonly timeoutMs: number;
}

async function runStep(
  stage: string,
  command: readonly string[],
  { project, options, timeoutMs }: StepOptions,
): Promise<void> {
  options.signal.throwIfAborted();
  options.emit?.({ stage });
  const tail = new OutputTail();
  await using step = new Supervised({ command, cwd: project.root, env: process.env });
  tail.follow(step.process.stdout);
  tail.follow(step.process.stderr);
  const ended = await raced(step.exited, timeoutMs, options.signal);
  options.signal.throwIfAborted();
  if (ended === 0) return;
  const how =
    ended === undefined ? `did not end within ${timeoutMs} ms` : `ended with exit code ${ended}`;
  const what = `${stage} of the project: \`${command.join(' ')}\` ${how}`;
  throw failed({ what, command, project, tail });
}

async function startServer(
  project: Project,
  options: StartProjectOptions,
): Promise<RunningProject> {
  const { signal, startTimeoutMs = 20_000 } = options;
  const { commands, contract, listening } = project.manifest;
  signal.throwIfAborted();
  options.emit?.({ stage: 'start' });
  const tail = new OutputTail();
  const env = { ...process.env, ...options.env, PORT: '0', HOST: '127.0.0.1' };
  const server = new Supervised({ command: commands.start, cwd: project.root, env });
  tail.follow(server.process.stderr);
  try {
    const { stdout } = server.process;
    if (stdout === null) throw new Error('the supervisor has no standard output');
    const port = await raced(portOrExit(stdout, server, listening), startTimeoutMs, signal);
    signal.throwIfAborted();
    if (port === undefined) throw notStarted(server, { project, tail, startTimeoutMs });
    const status = await pollUntilReady({
      url: `http://127.0.0.1:${port}${contract.ready}`,
      timeoutMs: startTimeoutMs,
      signal,
    });
    signal.throwIfAborted();
    if (status !== 200) {
      const seen = status === undefined ? 'nothing' : `HTTP ${status}`;
      const what = `the server listens, but ${contract.ready} answers ${seen} instead of 200`;
      throw failed({ what, command: commands.start, project, tail });
    }
    return running(project, { server, port, tail, options });
  } catch (error) {
    await server.stop(2000);
    throw error;
  }
}

/** The port, or undefined once the server has ended without printing one. */
async function portOrExit(
  stdout: Readable,
  server: Supervised,
  listening: Manifest['listening'],
): Promise<number | undefined> {
  const port = await listeningPort(stdout, listening);
  if (port === undefined) await server.exited;
  return port;
}

interface Running {
  readonly server: Supervised;
  readonly port: number;
  readonly tail: OutputTail;
  readonly options: StartProjectOptions;
}

function running(project: Project, { server, port, tail, options }: Running): RunningProject {
  const { manifest } = project;
  return {
    manifest,
    url: `ws://127.0.0.1:${port}${manifest.contract.path}`,
    stop: (graceMs = 5000) => server.stop(graceMs),
    runTests: () => runTests(project, options),
    errorLines: () => tail.lines(5),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Runs the tests that a project which is installed and built brings along; null: it has none. */
export async function runTests(
  { root, manifest }: Buildable,
  { signal, testsTimeoutMs = 300_000 }: StartProjectOptions,
): Promise<OwnTests | null> {
  const command = manifest.commands.test;
  if (command === null) return null;
  const tail = new OutputTail(TESTS_OUTPUT_BYTES);
  // Inside a run of node:test, another one would skip its files and call that a success.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  await using tests = new Supervised({ command, cwd: root, env });
  tail.follow(tests.process.stdout);
  tail.follow(tests.process.stderr);
  const exitCode = await raced(tests.exited, testsTimeoutMs, signal);
  signal.throwIfAborted();
  return { command: command.join(' '), exitCode, lines: tail.lines(Infinity) };
}

function notStarted(
  server: Supervised,
  { project, tail, startTimeoutMs }: { project: Project; tail: OutputTail; startTimeoutMs: number },
): EnvironmentError {
  const command = project.manifest.commands.start;
  const how =
    server.exitCode === undefined
      ? `printed no "listening" line within ${startTimeoutMs} ms`
      : `ended with exit code ${server.exitCode} before it listened`;
  return failed({ what: `\`${command.join(' ')}\` ${how}`, command, project, tail });
}

interface Failure {
  readonly what: string;
  readonly command: readonly string[];
  readonly project: Pick<Project, 'root'>;
  readonly tail: OutputTail;
}

function failed({ what, command, project, tail }: Failure): EnvironmentError {
  const lines = tail.lines(5);
  const said = lines.length === 0 ? 'it printed nothing' : `it printed:\n${lines.join('\n')}`;
  return new EnvironmentError('WSK_ERR_PROJECT_FAILED', `${what}; ${said}`, {
    cause: new Error(said),
    hint: `for the full output: ${shellQuote(['cd', project.root])} && ${shellQuote(command)}`,
  });
}

/** `promise`, or undefined after `timeoutMs` or when `signal` is aborted. */
async function raced<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const controller = new AbortController();
  const stop = new Promise<undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    controller.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  });
  try {
    return await Promise.race([promise, stop]);
  } finally {
    controller.abort();
  }
}
