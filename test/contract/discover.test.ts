import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { babysitter } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));

it('lists the skill and the processes of the package', async () => {
  // The program keeps its answers for five minutes in TMPDIR, whatever package they are about.
  const cwd = temporaryFolder();
  const options = { cwd, env: { TMPDIR: cwd } };
  const found = await babysitter(['skill:discover', '--plugin-root', root], options);
  expect(found['skills']).toContainEqual(
    expect.objectContaining({
      name: 'websocket',
      file: path.join(root, 'skills', 'websocket', 'SKILL.md'),
    }),
  );
  expect(found['processes']).toEqual([
    expect.objectContaining({
      name: 'websocket-server',
      category: 'network-programming',
      file: path.join(root, 'library/specializations/network-programming/websocket-server.js'),
    }),
  ]);
});

it('finds the skill that the process names', async () => {
  const cwd = temporaryFolder();
  const entry = path.join(root, 'dist/processes/websocket-server.js');
  const created = await babysitter(
    [
      'run:create',
      ...['--process-id', 'websocket-server', '--entry', `${entry}#process`],
      ...['--plugin-root', root],
    ],
    { cwd, env: { TMPDIR: cwd } },
  );
  expect(created['discoveredSkills']).toEqual({ count: 1, names: ['websocket'] });
  // The program resolves the path of the marker against the library folder of the plugin root.
  const [, marked = ''] = /@skill websocket (\S+)/.exec(readFileSync(entry, 'utf8')) ?? [];
  expect(existsSync(path.resolve(root, 'library', marked))).toBe(true);
});
