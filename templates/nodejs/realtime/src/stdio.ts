import { once } from 'node:events';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { log, openLog } from './log.ts';
import { DEFINITIONS, McpServers } from './mcp-servers.ts';

// The same server for the one client that has started this process: `node dist/src/stdio.js`.
// Standard output is the protocol's.
openLog(process.stderr);
const servers = new McpServers(DEFINITIONS);
const server = serveStdio(({ era }) => servers.create(era, { id: 'stdio', identity: undefined }), {
  onerror: ({ name }) => {
    log('warn', 'mcp-error', { name });
  },
});
log('info', 'serving', { transport: 'stdio' });
const signals = ['SIGTERM', 'SIGINT'].map((signal) => once(process, signal));
// Without them it ends with its standard input.
void Promise.race(signals).then(() => server.close());
