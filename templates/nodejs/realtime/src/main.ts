// #if auth
import { randomBytes } from 'node:crypto';
// #endif
import { ConfigError, describeConfig, readConfig } from './config.ts';
// #if auth
import type { Config } from './config.ts';
import { readEnvironment } from './environment.ts';
// #endif
import { flushLog, log, openLog } from './log.ts';
import { RealtimeServer } from './server.ts';

let stopping = false;

if (process.argv.includes('--help')) process.stdout.write(describeConfig());
else await start();

async function start(): Promise<void> {
  try {
    openLog();
    // #if auth
    const server = new RealtimeServer(withSecret(readConfig(readEnvironment())));
    // #else
    //~ const server = new RealtimeServer(readConfig(process.env));
    // #endif
    const port = await server.listen();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        void stop(server, signal);
      });
    }
    log('info', 'listening', { port, url: `ws://localhost:${String(port)}` });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  }
}

/** The first signal drains and exits with 0; a second one exits at once. */
async function stop(server: RealtimeServer, signal: string): Promise<void> {
  if (stopping) process.exit(1);
  stopping = true;
  log('info', 'draining', { signal, connections: server.connections });
  await server.drain();
  log('info', 'stopped');
  await flushLog();
  process.exit(0);
}
// #if auth

/** The page of the demo can sign in though nobody has set a key. */
function withSecret(config: Config): Config {
  const { DEMO, NODE_ENV, AUTH_SECRET, AUTH_PUBLIC_KEY, AUTH_JWKS_URL } = config;
  const hasKey = [AUTH_SECRET, AUTH_PUBLIC_KEY, AUTH_JWKS_URL].some((key) => key !== undefined);
  if (!DEMO || NODE_ENV === 'production' || hasKey) return config;
  return { ...config, AUTH_SECRET: randomBytes(32).toString('hex') };
}
// #endif
