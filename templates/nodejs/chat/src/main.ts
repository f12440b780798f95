import { ConfigError, describeConfig, readConfig } from './config.ts';
import { log } from './log.ts';
import { ChatServer } from './server.ts';

// A closed log pipe (`npm start | head`) must not end the server.
process.stdout.on('error', () => undefined);

let stopping = false;

if (process.argv.includes('--help')) process.stdout.write(describeConfig());
else await start();

async function start(): Promise<void> {
  try {
    const server = new ChatServer(readConfig(process.env));
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
async function stop(server: ChatServer, signal: string): Promise<void> {
  if (stopping) process.exit(1);
  stopping = true;
  log('info', 'draining', { signal, connections: server.connections });
  await server.drain();
  log('info', 'stopped');
  process.exit(0);
}
