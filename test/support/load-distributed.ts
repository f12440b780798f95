import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadPlan } from '../../src/load/plan.ts';
import { loadPlan } from './load-results.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A `benchmark-worker` of the built command line. */
export interface WorkerProcess extends AsyncDisposable {
  readonly name: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves when `text` was on the standard error; throws when the worker ends before. */
  readonly says: (text: string) => Promise<void>;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

/** Starts a worker and waits until it is ready. */
async function startWorker(
  redis: string,
  name: string,
  ...flags: readonly string[]
): Promise<WorkerProcess> {
  const bin = `${root}/dist/src/cli/bin.js`;
  const args = [bin, 'benchmark-worker', '--redis', redis, '--name', name, ...flags];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = once(child, 'close').then(() => child.exitCode ?? child.signalCode ?? 'SIGKILL');
  const worker: WorkerProcess = {
    name,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    says: async (text) => {
      while (!stderr.includes(text)) {
        const ended = await Promise.race([exited, once(child.stderr, 'data').then(() => null)]);
        if (ended !== null) throw new Error(`${name} ended with ${ended}: ${stderr}`);
      }
    },
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  await worker.says('waiting for runs');
  return worker;
}

/** Several workers; `await using` ends them all. */
export interface WorkerProcesses extends AsyncDisposable {
  readonly all: readonly WorkerProcess[];
  readonly named: (name: string) => WorkerProcess;
}

/** Starts a worker for each name, all with the same flags. */
export async function startWorkers(
  redis: string,
  names: readonly string[],
  ...flags: readonly string[]
): Promise<WorkerProcesses> {
  const all = await Promise.all(names.map((name) => startWorker(redis, name, ...flags)));
  return {
    all,
    named: (name) => {
      const worker = all.find((other) => other.name === name);
      if (worker === undefined) throw new Error(`no worker ${name}`);
      return worker;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((worker) => worker[Symbol.asyncDispose]()));
    },
  };
}

/** A plan against `url` whose connections have the tokens t0, t1, ... */
export function tokenPlan(
  url: string,
  { connections, rate, seconds }: { connections: number; rate: number; seconds: number },
): LoadPlan {
  const plan = loadPlan();
  const tokens = Array.from({ length: connections }, (_, index) => `t${index}`);
  return {
    ...plan,
    connections,
    target: { ...plan.target, url, tokens },
    load: { model: 'open', rate, arrivals: 'constant', seed: 1 },
    phases: { ...plan.phases, durationMs: seconds * 1000 },
  };
}
