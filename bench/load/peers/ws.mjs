// A client on the ws library, as people write it for want of a tool.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { here, root } from '../machine.mjs';

export const ws = {
  name: 'ws client',
  version: () =>
    JSON.parse(readFileSync(path.join(root, 'node_modules/ws/package.json'), 'utf8')).version,
  missing: () => null,
  can: () => true,
  command: (load) => [
    process.execPath,
    path.join(here, 'peers/ws-client.mjs'),
    JSON.stringify(load),
  ],
  read: ({ stdout }) => JSON.parse(stdout),
};
