import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { installDebian, program, requirement } from '../../support/requirement.ts';
import { createMachine, SOURCE, type Machine } from '../../support/skill-repository.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { inTerminal, type Step } from '../../support/terminal.ts';
import { useInstalledSkill } from './use-installed-skill.ts';

const require = createRequire(import.meta.url);
const bin = path.join(require.resolve('playbooks/package.json'), '../../.bin');
const QUIT: Step = { shows: /Install results[^]*q\/esc to quit/, keys: 'q' };

const withPlaybooks = requirement(
  'npx playbooks add skill',
  () => program('git', ['--version'])() ?? program('script', ['--version'], /util-linux/)(),
  () => {
    installDebian('git');
    installDebian('bsdutils');
  },
);

function machine(): Machine {
  return createMachine(temporaryFolder(), [bin]);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

withPlaybooks('playbooks add skill', () => {
  it('installs the whole skill folder, and what it installs works', async () => {
    const { project, env } = machine();
    const { exitCode } = await inTerminal(
      `playbooks add skill ${SOURCE} --skill websocket -a claude-code -y`,
      [QUIT],
      { cwd: project, env },
    );
    expect(exitCode).toBe(0);
    const installed = path.join(project, '.claude/skills/websocket');
    expect(lstatSync(installed).isSymbolicLink()).toBe(true);
    const source = fileURLToPath(new URL('../../../skills/websocket', import.meta.url));
    expect(filesBelow(path.join(project, '.agents/skills'))).toEqual(
      filesBelow(source).map((file) => `websocket/${file}`),
    );
    expect(existsSync(path.join(project, '.claude/skills/skill'))).toBe(false);
    expect(statSync(path.join(installed, 'scripts/websocket.mjs')).mode & 0o111).toBe(0o111);
    await useInstalledSkill(installed, project, env);
  });

  it('installs the skill and its dispatcher together', async () => {
    const { project, env } = machine();
    const { exitCode } = await inTerminal(
      `playbooks add skill ${SOURCE} --skill websocket skill -a claude-code -y`,
      [QUIT],
      { cwd: project, env },
    );
    expect(exitCode).toBe(0);
    expect(readdirSync(path.join(project, '.claude/skills')).sort()).toEqual([
      'skill',
      'websocket',
    ]);
    const dispatcher = path.join(project, '.claude/skills/skill/SKILL.md');
    expect(readFileSync(dispatcher, 'utf8')).toContain('$ARGUMENTS');
  });

  it('finds no risk in either skill when it asks for confirmation', async () => {
    const { project, env } = machine();
    const { shown } = await inTerminal(
      `playbooks add skill ${SOURCE} --skill websocket skill -a claude-code`,
      [
        { shows: /Install scope/, keys: '\r' },
        { shows: /Install mode/, keys: '\r' },
        { shows: /(?:security scan[^]*){2}Install now/, keys: '\r' },
        QUIT,
      ],
      { cwd: project, env },
    );
    const verdicts = [...shown.matchAll(/\.agents\/skills\/(\S+)[^/]*?(security scan: .*)/g)];
    expect(Object.fromEntries(verdicts.map(([, name, verdict]) => [name, verdict]))).toEqual({
      skill: 'security scan: none score=0 issues=0',
      websocket: 'security scan: none score=0 issues=0',
    });
  });
});
