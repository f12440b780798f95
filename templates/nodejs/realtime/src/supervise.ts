import { spawn } from 'node:child_process';
// #if auth
import { randomBytes } from 'node:crypto';
// #endif
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
// #if auth
import { readEnvironment } from './environment.ts';
// #endif

// npm run demo: the server with its page, started again each time that it is killed.

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
/** Milliseconds without a server, for people to see what clients do then. */
const PAUSE_MS = 1500;

const env: NodeJS.ProcessEnv = { ...process.env, DEMO: '1' };
// #if auth
// One secret for all starts: tokens outlive the server that made them.
const known = readEnvironment();
if (!['AUTH_SECRET', 'AUTH_PUBLIC_KEY', 'AUTH_JWKS_URL'].some((name) => known[name])) {
  env['AUTH_SECRET'] = randomBytes(32).toString('hex');
}
// #endif

let isEnding = false;
while (await runOnce()) {
  process.stdout.write('The server was killed; it starts again.\n');
  await delay(PAUSE_MS);
}

/** Runs the server to its end; whether it was killed, and is to be started again. */
async function runOnce(): Promise<boolean> {
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (signal: NodeJS.Signals): void => {
    isEnding = true;
    child.kill(signal);
  };
  // A terminal sends SIGINT to the server, too, and a second one would end it at once.
  const interrupt = (): void => {
    isEnding = true;
    if (!process.stdin.isTTY) child.kill('SIGINT');
  };
  process.on('SIGTERM', end).on('SIGINT', interrupt);
  createInterface({ input: child.stdout }).on('line', (line) => {
    process.stdout.write(`${line}\n`);
    const [, port] = /"port":(\d+)/.exec(line.includes('listening') ? line : '') ?? [];
    if (port === undefined) return;
    // The page looks for the server where it was.
    env['PORT'] = port;
    process.stdout.write(`\nOpen http://localhost:${port}/ in two windows.\n\n`);
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (...how) => resolve(how));
  });
  process.off('SIGTERM', end).off('SIGINT', interrupt);
  process.exitCode = code ?? 0;
  // Windows knows no signals: a process that is killed there ends with 1.
  return !isEnding && (signal === 'SIGKILL' || (process.platform === 'win32' && code === 1));
}
