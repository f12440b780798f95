import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

/** One exchange with a full-screen program: once `shows` is on the screen, press `keys`. */
export interface Step {
  readonly shows: RegExp;
  readonly keys: string;
}

interface Options {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

const POLL_MS = 50;
/** Ends a program that never shows what is waited for; no test's verdict depends on it. */
const HANG_MS = 45_000;
/** A menu may be drawn a moment before it reads keys: where it still stands, press again. */
const REPEAT_MS = 1000;

/**
 * Runs a shell command line in a pseudo-terminal (`script` of util-linux) and walks `steps`; after
 * the last one the program has to end.
 *
 * Resolves with everything shown, without control sequences, and the exit code.
 *
 * @throws Error with what was shown, where a screen never comes or the program does not end
 */
export async function inTerminal(
  commandLine: string,
  steps: readonly Step[],
  options: Options,
): Promise<{ shown: string; exitCode: number | null }> {
  const terminal = openTerminal(commandLine, options);
  const deadline = Date.now() + HANG_MS;
  let last: Step | undefined;
  let pressed = 0;
  const reach = async (screen: RegExp | undefined): Promise<void> => {
    while (screen === undefined ? !terminal.ended() : !screen.test(terminal.screen())) {
      if (Date.now() > deadline || (screen !== undefined && terminal.ended())) {
        const what = screen === undefined ? 'did not end' : `never showed ${String(screen)}`;
        throw new Error(`${commandLine} ${what}; it showed:\n${terminal.shown()}`);
      }
      if (last?.shows.test(terminal.screen()) === true && Date.now() > pressed + REPEAT_MS) {
        press(last);
      }
      await delay(POLL_MS);
    }
  };
  const press = (step: Step): void => {
    terminal.press(step.keys);
    last = step;
    pressed = Date.now();
  };
  try {
    for (const step of steps) {
      await reach(step.shows);
      press(step);
    }
    await reach(undefined);
    return { shown: terminal.shown(), exitCode: terminal.exitCode() };
  } finally {
    terminal.kill();
  }
}

function openTerminal(commandLine: string, options: Options) {
  const child = spawn('script', ['-qefc', commandLine, '/dev/null'], {
    ...options,
    detached: true,
  });
  let raw = '';
  let closed = false;
  const collect = (chunk: Buffer): void => void (raw += chunk.toString('utf8'));
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  // A key that is pressed while the program ends meets a closed pipe; the exit code tells the rest.
  child.stdin.on('error', () => undefined);
  child.on('error', (error) => (raw += error.message));
  child.on('close', () => (closed = true));
  const plain = (text: string): string => stripVTControlCharacters(text).replaceAll('\r', '');
  return {
    shown: () => plain(raw),
    /** What stands there now: a redraw erases line by line and ends that with CSI G. */
    screen: () => plain(raw.slice(raw.lastIndexOf('\u001b[G') + 1)),
    ended: () => closed,
    exitCode: () => child.exitCode,
    press: (keys: string) => child.stdin.write(keys),
    /** The group: `script` has a child of its own in the pseudo-terminal. */
    kill: () => {
      if (!closed && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
  };
}
