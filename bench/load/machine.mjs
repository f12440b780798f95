// What the benchmarks need of the machine: pinned processes, what they use, and how many there may be.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { which } from '../programs.mjs';

export const here = fileURLToPath(new URL('.', import.meta.url));
export const root = path.resolve(here, '../..');

/** Of this benchmark alone, removed at its end. */
export const scratch = mkdtempSync(path.join(tmpdir(), 'load-bench-'));

/** The server has one core and the generator another, so that neither takes the other's time. */
export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;

const started = new Set();
process.on('exit', () => {
  for (const child of started) killTree(child.pid, 'SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

export const canPin = which('taskset') !== undefined;

/** Starts a program on a core, or anywhere where there is no `taskset` or `core` is null. */
export function start(core, [program, ...args], options = {}) {
  const pin = canPin && core !== null ? ['taskset', '-c', String(core)] : [];
  const [file, ...rest] = [...pin, program, ...args];
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], cwd: scratch, ...options });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name]?.on('data', (bytes) => (output[name] += bytes));
  }
  started.add(child);
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      started.delete(child);
      resolve({ code, ...output });
    });
  });
  ended.catch(() => {});
  return { child, pid: child.pid, output, ended };
}

/** The process and all that it started. */
export function tree(pid) {
  const found = [pid];
  for (const thread of list(`/proc/${pid}/task`)) {
    const children = read(`/proc/${pid}/task/${thread}/children`);
    for (const child of children.split(' ').filter(Boolean)) found.push(...tree(Number(child)));
  }
  return found;
}

export function killTree(pid, signal = 'SIGTERM') {
  for (const each of tree(pid).reverse()) {
    try {
      process.kill(each, signal);
    } catch {
      // It had gone.
    }
  }
}

/** Nanoseconds of CPU that all threads of these processes have used; of what has gone, nothing. */
export function cpuNs(pids) {
  let total = 0;
  for (const pid of pids) {
    for (const thread of list(`/proc/${pid}/task`)) {
      total += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] || 0);
    }
  }
  return total;
}

/** Proportional set size: what is shared with others counts by its share. */
export function pssBytes(pids) {
  return pids.reduce((sum, pid) => {
    const line = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`));
    return sum + (line ? Number(line[1]) * 1024 : 0);
  }, 0);
}

export function loadAverage() {
  return Number(read('/proc/loadavg').split(' ')[0]);
}

/** Descriptors that a process started here may have. */
export function descriptorLimit() {
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(read('/proc/self/limits'));
  return line ? Number(line[2]) : 1024;
}

/** `cc -O2` of a file of ours; the path of the program. */
export function compile(name) {
  const program = path.join(scratch, name);
  if (!statSync(program, { throwIfNoEntry: false })) {
    const source = path.join(here, 'baseline', `${name}.c`);
    execFileSync(which('cc') ? 'cc' : 'gcc', ['-O2', '-o', program, source]);
  }
  return program;
}

const SERVERS = {
  c: (processes) => [compile('echo-server'), '0', String(processes)],
  ws: () => [process.execPath, path.join(here, 'servers/ws-echo.mjs')],
};

/**
 * Starts a server (`c` or `ws`), runs `use` with it, and stops it. The server counts what it
 * echoes: the same witness for every generator.
 */
export async function withServer(kind, use, { processes = 1, core = SERVER_CORE } = {}) {
  const { child, pid, ended } = start(core, SERVERS[kind](processes));
  const lines = createInterface({ input: child.stdout });
  const waiting = [];
  lines.on('line', (line) => waiting.shift()?.(JSON.parse(line)));
  const next = () => new Promise((resolve) => waiting.push(resolve));
  try {
    const { port, pids } = await Promise.race([
      next(),
      ended.then(({ stderr }) => {
        throw new Error(`the ${kind} server did not start: ${stderr}`);
      }),
    ]);
    const count = async () => {
      let total = { messages: 0, opened: 0, at: performance.now() };
      for (const each of pids) {
        const answer = next();
        process.kill(each, 'SIGUSR2');
        const { messages, opened } = await answer;
        total = { ...total, messages: total.messages + messages, opened: total.opened + opened };
      }
      return total;
    };
    return await use({ kind, port, pids, url: `ws://127.0.0.1:${port}/`, count });
  } finally {
    killTree(pid);
    await ended;
  }
}

/** Runs a command to its end and returns what it printed, or throws with its words. */
export async function output(command, core = null, options = {}) {
  const { ended } = start(core, command, options);
  const { code, stdout, stderr } = await ended;
  if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}: ${stderr.slice(-500)}`);
  return stdout;
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function folder(name) {
  const made = path.join(scratch, name);
  mkdirSync(made, { recursive: true });
  return made;
}

function list(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
