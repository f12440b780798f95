import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { generate } from '../support/generate.ts';
import { startServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { openClient } from '../support/test-client.ts';

const PACKAGES = ['{}', '{"type":"module"}', '{"type":"commonjs"}', 'no package'];
const NAMES = ['echo.js', 'echo.mjs', 'echo.cjs'];

describe('a generated single file', () => {
  it.each(PACKAGES)('runs in a folder with %s, without node_modules', async (manifest) => {
    const cwd = temporaryFolder();
    await generate(cwd, { output: 'echo.js' });
    const folder = path.join(cwd, 'folder');
    mkdirSync(folder);
    if (manifest.startsWith('{')) writeFileSync(path.join(folder, 'package.json'), manifest);
    for (const name of NAMES) {
      copyFileSync(path.join(cwd, 'echo.js'), path.join(folder, name));
      await using server = await startServerProcess([name], { cwd: folder });
      const client = await openClient(server.port);
      client.send('hello');
      expect(await client.next()).toBe('hello');
      client.socket.terminate();
    }
  });
});
