import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface SupervisedOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The program of the supervisor, run by `node -e` so that it also works from a single-file bundle.
 *
 * Its standard input is a pipe from this process. However this process ends, even by kill -9, the
 * pipe ends, and the supervisor kills its whole process group.
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

/** Wait for the end of the output after the command has ended. */
const OUTPUT_GRACE_MS = 1000;

/** A command that runs under a supervisor, in its own process group. */
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
      // In its own group, so that Ctrl-C in the terminal reaches this process only.
      detached: true,
    });
    // The pipe breaks if the supervisor ends first; `exited` reports that.
    this.process.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      const settle = (code: number): void => {
        this.#exitCode ??= code;
        resolve(this.#exitCode);
      };
      this.process.once('error', () => settle(127));
      this.process.once('exit', (code) => {
        this.#exitCode = code ?? 137;
        // Processes that the command may have left in its group.
        this.#killGroup();
        // `close` follows the end of the output, unless a process outside the group holds it open.
        setTimeout(settle, OUTPUT_GRACE_MS, this.#exitCode).unref();
      });
      this.process.once('close', () => settle(this.#exitCode ?? 137));
    });
  }

  /** The exit code; undefined while the command runs. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Sends SIGTERM, and kills the whole group if it still runs after `graceMs`. */
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
      // ESRCH: all processes of the group have ended already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Keeps the last `limitBytes` of a command's output for the error message. */
export class OutputTail {
  readonly #limitBytes: number;
  #text = '';

  constructor(limitBytes = 4096) {
    this.#limitBytes = limitBytes;
  }

  follow(stream: Readable | null): void {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      this.#text = (this.#text + text).slice(-this.#limitBytes);
    });
  }

  /** The last `count` lines that are not empty. */
  lines(count: number): readonly string[] {
    return this.#text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-count);
  }
}
