import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Probe } from '../requirement.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/conformance-extended/', import.meta.url));

const isWindows = process.platform === 'win32';

/** A library of another language, installed into a folder of its own. */
export interface RealPeer {
  readonly probe: Probe;
  readonly install: () => void;
  /** The command of its echo server, and that of its client. */
  readonly command: (as: 'server' | 'client') => [file: string, ...args: string[]];
  readonly remove: () => void;
}

/** Python's websockets, of the version in requirements.txt. */
export function pythonWebsockets(): RealPeer {
  const folder = mkdtempSync(path.join(tmpdir(), 'wsk-websockets-'));
  const python = path.join(folder, ...(isWindows ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  return {
    probe: () => {
      if (!existsSync(python)) return 'Python 3 with venv and pip is missing';
      return runs(python, ['-c', 'import websockets']) ? undefined : 'websockets is not installed';
    },
    install: () => {
      run('python3', ['-m', 'venv', folder]);
      const requirements = path.join(fixtures, 'requirements.txt');
      run(python, ['-m', 'pip', 'install', '--quiet', '--no-cache-dir', '-r', requirements]);
    },
    command: (as) => [python, path.join(fixtures, `websockets_${as}.py`)],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Go's coder/websocket, of the version in go.mod. */
export function coderWebsocket(): RealPeer {
  const folder = mkdtempSync(path.join(tmpdir(), 'wsk-coder-'));
  const program = path.join(folder, isWindows ? 'coder.exe' : 'coder');
  return {
    probe: () => (existsSync(program) ? undefined : 'Go is missing'),
    install: () => {
      run('go', ['build', '-mod=readonly', '-o', program, '.'], path.join(fixtures, 'coder'));
    },
    command: (as) => [program, as],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Starts an echo server that prints its port. */
export async function startRealServer(
  peer: RealPeer,
): Promise<AsyncDisposable & { readonly url: string }> {
  const [file, ...args] = peer.command('server');
  const child = spawn(file, args);
  // Libraries complain about what the cases do to them.
  child.stderr.resume();
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code ?? 'a signal'}`)));
  });
  return { url: `ws://127.0.0.1:${port}/`, [Symbol.asyncDispose]: () => end(child) };
}

/** Starts an echo client that is told where to connect. */
export function startRealClient(
  peer: RealPeer,
): AsyncDisposable & { readonly connect: (url: string) => void } {
  const [file, ...args] = peer.command('client');
  const child = spawn(file, args);
  child.stderr.resume();
  child.stdout.resume();
  return {
    connect: (url) => void child.stdin.write(`${url}\n`),
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function run(file: string, args: readonly string[], cwd?: string): void {
  execFileSync(file, args, { stdio: 'pipe', ...(cwd === undefined ? {} : { cwd }) });
}

function runs(file: string, args: readonly string[]): boolean {
  try {
    run(file, args);
    return true;
  } catch {
    return false;
  }
}
