import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** One JSON line of a server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** A generated server in a process of its own; `await using` kills it. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly log: readonly LogLine[];
  /** The same as it was written. */
  readonly lines: readonly string[];
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly isRunning: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Stops reading its standard output, as `| head` does. */
  readonly closeOutput: () => void;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What runs instead of Node. */
  readonly program?: string;
}

/** Runs `<program> <args>` on a port of the system's choice and waits until it listens. */
export async function startServerProcess(
  args: readonly string[],
  { cwd, env = {}, program = process.execPath }: StartOptions,
): Promise<ServerProcess> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exited = once(child, 'close').then(() => child.exitCode ?? child.signalCode ?? 'SIGKILL');
  const log: LogLine[] = [];
  const lines: string[] = [];
  const listening = new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const entry = JSON.parse(line) as LogLine;
      log.push(entry);
      if (entry.event === 'listening') resolve(entry['port'] as number);
    });
    void exited.then((code) => {
      reject(new Error(`the server ended with ${code} before it listened: ${errors}`));
    });
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const port = await listening;
  return {
    pid: child.pid ?? 0,
    port,
    log,
    lines,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: (signal) => void child.kill(signal),
    closeOutput: () => void child.stdout.destroy(),
    [Symbol.asyncDispose]: stop,
  };
}
