import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface SupervisedOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The program of the supervisor, run by `node -e` so that it also works from a single-file bundle.
 *
 * Its standard input is a pipe whose other end only we hold: when we go away in whatever manner,
 * kill -9 included, the pipe ends, and the supervisor kills its whole process group with itself.
 */
const SUPERVISOR = `
const { spawn } = require('node:child_process');
const [file, ...args] = JSON.parse(process.argv[1]);
const killAll = () => {
  if (process.platform === 'win32') child.kill('SIGKILL');
  else process.kill(-process.pid, 'SIGKILL');
  process.exit(137);
};
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGINT', () => {});
const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
child.on('error', (error) => {
  console.error(error.message);
  process.exit(127);
});
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGTERM' ? 143 : 137)));
process.stdin.on('end', killAll).on('error', killAll).resume();
`;

/** How long the end of the output is waited for once the command is over. */
const OUTPUT_GRACE_MS = 1000;

/** A command that runs below a supervisor, in a process group of its own. */
export class Supervised implements AsyncDisposable {
  readonly process: ChildProcess;
  /** The exit code of the command; 128 + n after signal n, 127 when it could not be started. */
  readonly exited: Promise<number>;
  #exitCode: number | undefined;

  constructor({ command, cwd, env }: SupervisedOptions) {
    this.process = spawn(process.execPath, ['-e', SUPERVISOR, '--', JSON.stringify(command)], {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in the terminal reaches us alone, and we stop it in order.
      detached: true,
    });
    // The pipe breaks when the supervisor is gone first; `exited` tells that already.
    this.process.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      const settle = (code: number): void => {
        this.#exitCode ??= code;
        resolve(this.#exitCode);
      };
      this.process.once('error', () => settle(127));
      this.process.once('exit', (code) => {
        this.#exitCode = code ?? 137;
        // What the command itself may have left behind in its group.
        this.#killGroup();
        // `close` comes once the output is read; unless somebody outside the group holds it open.
        setTimeout(settle, OUTPUT_GRACE_MS, this.#exitCode).unref();
      });
      this.process.once('close', () => settle(this.#exitCode ?? 137));
    });
  }

  /** The exit code once the command is over. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Asks with SIGTERM, and kills the whole group when it is still there after `graceMs`. */
  async stop(graceMs: number): Promise<number> {
    if (this.#exitCode !== undefined) return this.#exitCode;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.#killGroup(), graceMs);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(2000);
  }

  #killGroup(): void {
    const pid = this.process.pid;
    if (pid === undefined) return;
    try {
      if (process.platform === 'win32') this.process.kill('SIGKILL');
      else process.kill(-pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: everything in the group has ended by itself, which is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
