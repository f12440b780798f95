import {
  spawn,
  type ChildProcessWithoutNullStreams,
  type SpawnOptionsWithoutStdio,
} from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a program ended and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Sees a program as soon as it is started: to read along, to send it a signal. */
type Watch = (child: ChildProcessWithoutNullStreams) => void;

/** Runs a Node program to its end. */
export async function runNode(
  args: readonly string[],
  options: SpawnOptionsWithoutStdio = {},
  watch: Watch = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, args, { ...options, env: environment(options.env) });
  watch(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The real `babysitter` program of the SDK; `--json` output is parsed. */
export async function babysitter(
  args: readonly string[],
  options: SpawnOptionsWithoutStdio = {},
): Promise<Record<string, unknown>> {
  const ended = await runNode([`${root}/node_modules/.bin/babysitter`, ...args, '--json'], options);
  if (ended.code !== 0) {
    throw new Error(`babysitter ${args.join(' ')}: exit ${ended.code}: ${ended.stderr}`);
  }
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

/** The built command line of this package. */
export async function websocketSkill(
  args: readonly string[],
  options: SpawnOptionsWithoutStdio = {},
  watch?: Watch,
): Promise<Ended> {
  return await runNode([`${root}/dist/src/cli/bin.js`, ...args], options, watch);
}

/** The test's environment with `changes`; without colours, whatever the terminal is. */
function environment(changes: NodeJS.ProcessEnv | undefined): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: '1', ...changes };
}
