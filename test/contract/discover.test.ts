import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { BUILT_IN } from '../../src/babysitter/process-file.ts';
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
  const processes = found['processes'] as { name: string; category: string; file: string }[];
  expect(processes.map(({ name }) => name).sort()).toEqual([...BUILT_IN].sort());
  for (const { name, category, file } of processes) {
    expect(category).toBe('network-programming');
    expect(file).toBe(path.join(root, `library/specializations/network-programming/${name}.js`));
  }
});

it.each(BUILT_IN)('finds the skill that the process %s names', async (name) => {
  const cwd = temporaryFolder();
  const entry = path.join(root, `dist/processes/${name}.js`);
  const created = await babysitter(
    [
      'run:create',
      ...['--process-id', name, '--entry', `${entry}#process`],
      ...['--plugin-root', root],
    ],
    { cwd, env: { TMPDIR: cwd } },
  );
  expect(created['discoveredSkills']).toEqual({ count: 1, names: ['websocket'] });
  // The program resolves the path of the marker against the library folder of the plugin root.
  const [, marked = ''] = /@skill websocket (\S+)/.exec(readFileSync(entry, 'utf8')) ?? [];
  expect(existsSync(path.resolve(root, 'library', marked))).toBe(true);
});
