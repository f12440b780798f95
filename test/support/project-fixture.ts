import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as z from 'zod';
import { MANIFEST_FILE } from '../../src/target/project/manifest.ts';
import type { Manifest } from '../../src/target/project/manifest.ts';

/** A manifest as it is written, which may be older than some fields. */
type WrittenManifest = z.input<typeof Manifest>;

const WS = import.meta.resolve('ws');

/** What a fixture project's server does; the first is in order. */
export const SERVERS = {
  echo: server({}),
  'dies at once': `console.error('no database'); process.exit(4);`,
  'never listens': `console.log('starting...'); setInterval(() => {}, 1000);`,
  'is never ready': server({ ready: 503 }),
  'ignores SIGTERM': server({ onTerm: `` }),
  'closes with 1000': server({ onTerm: `leave(1000, 0);` }),
  'ends with exit code 7': server({ onTerm: `leave(1001, 7);` }),
};

/** An echo server that keeps the run contract of generated servers. */
function server({ ready = 200, onTerm = 'leave(1001, 0);' }): string {
  return `
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer } from '${WS}';
const http = createServer((request, response) => {
  response.writeHead(request.url === '/readyz' ? ${ready} : 200).end();
});
const wss = new WebSocketServer({ server: http, maxPayload: 65536, perMessageDeflate: true });
wss.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
function leave(code, exitCode) {
  for (const socket of wss.clients) socket.close(code);
  wss.close();
  http.close(() => process.exit(exitCode));
}
process.on('SIGTERM', () => { ${onTerm} });
writeFileSync('pid', String(process.pid));
http.listen(Number(process.env.PORT), process.env.HOST, () => {
  console.log(JSON.stringify({ level: 'info', event: 'listening', msg: 'up', port: http.address().port }));
});
`;
}

export interface ProjectFixture {
  readonly server?: keyof typeof SERVERS;
  readonly commands?: Partial<Manifest['commands']>;
  readonly contract?: Partial<Manifest['contract']>;
  readonly manifest?: Partial<WrittenManifest>;
}

/** Writes a project as generate-server would leave it into `folder` and returns its path. */
export function writeProject(folder: string, fixture: ProjectFixture = {}): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'server.mjs'), SERVERS[fixture.server ?? 'echo']);
  const manifest: WrittenManifest = {
    generator: 'websocket-skill',
    version: '0.0.0',
    language: 'nodejs',
    type: 'echo',
    answers: {},
    commands: {
      install: null,
      build: null,
      start: [process.execPath, 'server.mjs'],
      ...fixture.commands,
    },
    contract: {
      path: '/',
      echo: true,
      maxPayload: 65_536,
      subprotocols: [],
      health: '/healthz',
      ready: '/readyz',
      ...fixture.contract,
    },
    files: {},
    ...fixture.manifest,
  };
  writeFileSync(path.join(folder, MANIFEST_FILE), JSON.stringify(manifest));
  return folder;
}
