import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A line that the client under test has printed. */
export interface Line {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** The client under test: a program that takes and prints JSON lines. */
export class ClientProcess implements AsyncDisposable {
  readonly lines: Line[] = [];
  /** What it printed that is no JSON line, and its standard error: the last of it. */
  noise = '';
  hasEnded = false;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  readonly #waiting = new Set<() => void>();

  /** `{url}` in `command` stands for `url`; without one, it is added at the end. */
  constructor(command: string, url: string, options: { cwd: string; clientOptions: object }) {
    const line = command.includes('{url}') ? command.replaceAll('{url}', url) : `${command} ${url}`;
    this.#child = spawn(line, {
      cwd: options.cwd,
      shell: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, CLIENT_OPTIONS: JSON.stringify(options.clientOptions) },
      // A group of its own: what the shell starts ends with it.
      detached: process.platform !== 'win32',
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on('error', () => undefined);
    stderr?.on('data', (bytes: Buffer) => this.#note(bytes.toString()));
    if (stdout !== null) createInterface({ input: stdout }).on('line', (text) => this.#read(text));
    this.#closed = new Promise((resolve) => {
      const end = (): void => {
        this.hasEnded = true;
        this.#wake();
        resolve();
      };
      this.#child.once('error', (error) => this.#note(error.message)).once('error', end);
      this.#child.once('close', end);
    });
  }

  send(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** Waits until `holds`, or the client ends, or the time is over; whether it holds. */
  async until(holds: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!holds() && !this.hasEnded && !signal.aborted && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        // What is waited for may depend on the server, too.
        const timer = setTimeout(wake, 20);
        this.#waiting.add(wake);
      });
    }
    return holds();
  }

  /** Those of its lines that tell of `event`. */
  all(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  #read(text: string): void {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null || !('event' in value)) throw new Error('no');
      this.lines.push(value as Line);
      this.#wake();
    } catch {
      this.#note(`${text}\n`);
    }
  }

  #note(text: string): void {
    this.noise = `${this.noise}${text}`.slice(-1000);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (!this.hasEnded && pid !== undefined) {
      try {
        if (process.platform === 'win32') this.#child.kill('SIGKILL');
        else process.kill(-pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    await this.#closed;
  }
}
