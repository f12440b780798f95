import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EnvironmentError, UsageError } from '../../../../src/core/errors.ts';
import { formatBase, parseBase } from '../../../../src/generate/base.ts';
import { generateServer } from '../../../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../../../src/operations/generate-server/schema.ts';
import type { GenerateServerReport } from '../../../../src/operations/generate-server/schema.ts';
import { sha256 } from '../../../../src/target/project/manifest.ts';
import { CHAT, expectRefusal, generate, snapshot } from '../../../support/generate.ts';
import type { GenerateInput } from '../../../support/generate.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { asUnprivileged } from '../../../support/unprivileged.ts';

/** A chat server in `chat/`, which a user edits and brings up to date. */
class Project {
  readonly cwd = temporaryFolder();
  readonly folder = path.join(this.cwd, 'chat');

  static async make(): Promise<Project> {
    const project = new Project();
    await generate(project.cwd, CHAT);
    return project;
  }

  at(name: string): string {
    return path.join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  write(name: string, text: string | Buffer): void {
    writeFileSync(this.at(name), text);
  }

  edit(name: string, change: (text: string) => string): void {
    const [before, after] = [this.read(name), change(this.read(name))];
    expect(after).not.toBe(before);
    this.write(name, after);
  }

  update(input: GenerateInput = {}): Promise<GenerateServerReport> {
    return generate(this.cwd, { update: 'chat', ...input });
  }

  /** Makes it what a version with another template of the file `name` has generated. */
  templateWas(name: string, older: (text: string) => string): void {
    const text = older(this.read(name));
    this.write(name, text);
    const manifest = JSON.parse(this.read('.wsgen.json')) as { files: Record<string, string> };
    manifest.files[name] = sha256(text);
    this.write('.wsgen.json', JSON.stringify(manifest));
    const texts = { ...parseBase(this.read('.wsgen.base')), [name]: text };
    this.write('.wsgen.base', formatBase(new Map(Object.entries(texts))));
  }

  git(...args: string[]): string {
    const who = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];
    return execFileSync('git', [...who, ...args], { cwd: this.folder, encoding: 'utf8' });
  }

  commit(): void {
    if (!existsSync(this.at('.git'))) this.git('init', '-q');
    this.git('add', '-A');
    this.git('commit', '-qm', 'x', '--allow-empty');
  }
}

function actionOf(report: GenerateServerReport, name: string): string | undefined {
  return report.files.find((file) => file.path === name)?.action;
}

const MORE = { features: ['rooms', 'presence', 'history', 'metrics'] } satisfies GenerateInput;
/** A line that the present template has, and one that an older one had in its place. */
const [NEW_LINE, OLD_LINE] = ['# For coding agents', '# For agents'];
const older = (text: string): string => text.replace(NEW_LINE, OLD_LINE);
const AGENTS = 'AGENTS.md';

describe('an update', () => {
  it('of a project that is up to date writes nothing and says so', async () => {
    const project = await Project.make();
    project.edit('README.md', (text) => `${text}\nmine\n`);
    const before = snapshot(project.cwd);
    const report = await project.update();
    expect(report).toMatchObject({ status: 'passed', type: 'chat', output: project.folder });
    expect(report.notes).toContain('it is up to date: nothing was written');
    expect(actionOf(report, 'README.md')).toBe('kept');
    expect(new Set(report.files.map(({ action }) => action))).toEqual(
      new Set(['kept', 'unchanged']),
    );
    expect(snapshot(project.cwd)).toEqual(before);
  });

  it('keeps the answers, and takes those that are given in their place', async () => {
    const project = await Project.make();
    const report = await project.update({ ...MORE, port: 9000 });
    const fresh = temporaryFolder();
    await generate(fresh, { ...CHAT, ...MORE, port: 9000 });
    expect(snapshot(project.folder)).toEqual(snapshot(path.join(fresh, 'chat')));
    expect(actionOf(report, 'src/metrics.ts')).toBe('added');
    expect(actionOf(report, 'src/config.ts')).toBe('updated');
    await project.update({ features: ['rooms'] });
    expect(JSON.parse(project.read('.wsgen.json'))).toMatchObject({
      answers: { port: 9000, features: ['rooms'], name: 'chat' },
    });
  });

  it('keeps edits where features are added', async () => {
    const project = await Project.make();
    project.edit('README.md', (text) => `${text}\n## Mine\n`);
    project.edit('src/server.ts', (text) => `// mine\n${text}`);
    project.edit('src/handlers/messages.ts', () => '// all mine\n');
    const report = await project.update(MORE);
    expect(report).toMatchObject({ status: 'passed', success: true });
    expect(actionOf(report, 'src/server.ts')).toBe('merged');
    expect(actionOf(report, 'src/handlers/messages.ts')).toBe('kept');
    expect(project.read('README.md')).toMatch(/METRICS_TOKEN[^]*## Mine\n$/);
    expect(project.read('src/server.ts')).toMatch(/^\/\/ mine\n[^]*metrics/);
    expect(project.read('src/handlers/messages.ts')).toBe('// all mine\n');
  });

  it('never changes files of the user, and says when they would be others now', async () => {
    const project = await Project.make();
    const name = 'src/handlers/messages.ts';
    project.templateWas(name, (text) => `// older\n${text}`);
    const before = project.read(name);
    const report = await project.update(MORE);
    expect([report.status, actionOf(report, name)]).toEqual(['passed', 'kept']);
    expect(report.notes.join('\n')).toContain(`${name} is yours and stays as it is, but is gen`);
    expect(project.read(name)).toBe(before);
    expect((await project.update()).notes.join('\n')).not.toContain(name);
  });

  it('takes files with their features, unless they were edited', async () => {
    const project = await Project.make();
    project.edit('test/history.test.ts', (text) => `${text}// mine\n`);
    const report = await project.update({ features: ['rooms'] });
    expect(actionOf(report, 'test/presence.test.ts')).toBe('removed');
    expect(existsSync(project.at('test/presence.test.ts'))).toBe(false);
    expect(actionOf(report, 'test/history.test.ts')).toBe('kept');
    expect(report.notes.join('\n')).toMatch(/test\/history\.test\.ts .* not removed/);
  });

  it('never takes what is no text, even when nobody knows how it was generated', async () => {
    const project = await Project.make();
    const [presence, history] = ['test/presence.test.ts', 'test/history.test.ts'];
    for (const name of [presence, history])
      project.templateWas(name, (text) => `// older\n${text}`);
    project.write('.wsgen.base', 'damaged');
    const binary = Buffer.from([0, 1, 0xff]);
    project.write(presence, binary);
    rmSync(project.at(history));
    symlinkSync('presence.test.ts', project.at(history));
    const report = await project.update({ features: ['rooms'] });
    expect([presence, history].map((name) => actionOf(report, name))).toEqual(['kept', 'kept']);
    expect(readFileSync(project.at(history))).toEqual(binary);
  });

  it('merges an edit with a template that has changed since', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    project.edit(AGENTS, (text) => `${text}mine\n`);
    const report = await project.update();
    expect(actionOf(report, AGENTS)).toBe('merged');
    expect(project.read(AGENTS)).toMatch(new RegExp(`^${NEW_LINE}\n[^]*mine\n$`));
  });

  it('shows what both have changed as git does, fails, and goes on when it is resolved', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    project.edit(AGENTS, (text) => text.replace(OLD_LINE, '# Mine'));
    const report = await project.update();
    expect(report).toMatchObject({ status: 'failed', success: false });
    expect(actionOf(report, AGENTS)).toBe('conflict');
    const conflict = `<<<<<<< yours\n# Mine\n=======\n${NEW_LINE}\n>>>>>>> generated\n`;
    expect(project.read(AGENTS)).toContain(conflict);
    expect(report.notes.join('\n')).toContain(`conflicts in ${AGENTS}`);

    const again = await project.update();
    expect([again.status, actionOf(again, AGENTS)]).toEqual(['failed', 'conflict']);
    project.edit(AGENTS, (text) => text.replace(conflict, '# Mine\n'));
    expect((await project.update()).status).toBe('passed');
  });

  it('adds no conflicts to those of an earlier update', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    const mine = '<<<<<<< yours\na\n=======\nb\n>>>>>>> generated\n';
    project.edit(AGENTS, (text) => `${text}${mine}`);
    const error = await expectRefusal(project.cwd, { update: 'chat' }, 'WSK_ERR_INVALID_INPUT');
    expect(error.message).toBe(`${AGENTS} still has conflicts of an earlier update`);
  });

  it('makes no conflict of entries that were added to package.json beside each other', async () => {
    const project = await Project.make();
    project.edit('package.json', (text) => text.replace('"pino"', '"lodash": "^4",\n    "pino"'));
    const report = await project.update(MORE);
    expect(actionOf(report, 'package.json')).toBe('merged');
    expect(JSON.parse(project.read('package.json'))).toMatchObject({
      dependencies: { lodash: '^4', 'prom-client': expect.any(String) as string },
    });
  });

  it('makes a conflict of an entry that both have changed', async () => {
    const project = await Project.make();
    project.edit('package.json', (text) => text.replace('"name": "chat"', '"name": "mine"'));
    const report = await project.update({ name: 'theirs' });
    expect(actionOf(report, 'package.json')).toBe('conflict');
    expect(project.read('package.json')).toMatch(/"name": "mine"[^]*=====\n[^]*"name": "theirs"/);
  });

  it('makes a conflict with a file of the user where one is added', async () => {
    const project = await Project.make();
    project.write('src/metrics.ts', 'export const mine = 1;\n');
    const report = await project.update(MORE);
    expect(actionOf(report, 'src/metrics.ts')).toBe('conflict');
    expect(project.read('src/metrics.ts')).toMatch(/^<<<<<<< yours\nexport const mine = 1;\n=====/);
  });

  it('leaves deleted files away, and says so', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    for (const name of [AGENTS, 'Dockerfile']) rmSync(project.at(name));
    const report = await project.update();
    expect([actionOf(report, AGENTS), actionOf(report, 'Dockerfile')]).toEqual(['kept', 'kept']);
    expect(report.notes).toContain(`${AGENTS} was deleted, and stays so`);
    expect(existsSync(project.at(AGENTS))).toBe(false);
  });

  it('finds files that were moved and edited', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    mkdirSync(project.at('doc'));
    renameSync(project.at(AGENTS), project.at('doc/CLAUDE.md'));
    project.edit('doc/CLAUDE.md', (text) => `${text}mine\n`);
    const report = await project.update();
    expect(actionOf(report, 'doc/CLAUDE.md')).toBe('merged');
    expect(report.notes).toContain(`${AGENTS} was moved to doc/CLAUDE.md, and is updated there`);
    expect(project.read('doc/CLAUDE.md')).toMatch(new RegExp(`^${NEW_LINE}\n[^]*mine\n$`));
    expect(existsSync(project.at(AGENTS))).toBe(false);
    const again = await project.update();
    expect(actionOf(again, 'doc/CLAUDE.md')).toBe('kept');
    expect(again.notes).toContain(`${AGENTS} was moved to doc/CLAUDE.md`);
  });

  it('keeps lines that end as those of Windows', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    for (const name of [AGENTS, 'Dockerfile', 'README.md']) {
      project.edit(name, (text) => text.replaceAll('\n', '\r\n'));
    }
    project.edit('README.md', (text) => `${text}mine\r\n`);
    const report = await project.update({ port: 9000 });
    expect([AGENTS, 'README.md'].map((name) => actionOf(report, name))).toEqual([
      'updated',
      'merged',
    ]);
    expect(project.read(AGENTS)).toMatch(new RegExp(`^${NEW_LINE}\r\n`));
    expect(project.read('README.md')).toMatch(/port 9000[^]*mine\r\n$/);
    expect(project.read('README.md').replaceAll('\r\n', '')).not.toContain('\n');
    expect(project.read('Dockerfile')).toContain('EXPOSE 9000\r\n');
  });

  it('keeps the mode of a file', async () => {
    const project = await Project.make();
    chmodSync(project.at('src/config.ts'), 0o755);
    await project.update({ port: 9000 });
    expect(statSync(project.at('src/config.ts')).mode & 0o777).toBe(0o755);
  });

  it('does not merge into what is no text, and says so', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    const [binary, elsewhere] = [Buffer.from([0, 1, 0xff]), path.join(project.cwd, 'elsewhere')];
    project.write(AGENTS, binary);
    renameSync(project.at('src/config.ts'), elsewhere);
    symlinkSync(elsewhere, project.at('src/config.ts'));
    const before = readFileSync(elsewhere, 'utf8');
    const report = await project.update({ port: 9000 });
    expect(report.status).toBe('failed');
    expect([AGENTS, 'src/config.ts'].map((name) => actionOf(report, name))).toEqual([
      'conflict',
      'conflict',
    ]);
    expect(report.notes).toEqual(
      expect.arrayContaining([
        `${AGENTS} is no text and was left as it is: update it yourself`,
        'src/config.ts is no regular file and was left as it is: update it yourself',
      ]),
    );
    expect(report.notes.join('\n')).not.toContain('choose between the lines');
    expect(readFileSync(project.at(AGENTS))).toEqual(binary);
    expect(readFileSync(elsewhere, 'utf8')).toBe(before);
    const again = await project.update();
    expect([again.status, actionOf(again, AGENTS)]).toEqual(['passed', 'kept']);
  });

  it('needs no texts of the last time for files that nobody edited, or templates have kept', async () => {
    const project = await Project.make();
    rmSync(project.at('.wsgen.base'));
    project.edit('README.md', (text) => `${text}mine\n`);
    const report = await project.update({ port: 9000 });
    expect(report.status).toBe('passed');
    expect(actionOf(report, 'README.md')).toBe('merged');
    expect(existsSync(project.at('.wsgen.base'))).toBe(true);
  });

  it('makes conflicts of the differences where it cannot know what was generated', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    project.write('.wsgen.base', 'damaged');
    project.edit(AGENTS, (text) => `${text}mine\n`);
    const report = await project.update();
    expect(actionOf(report, AGENTS)).toBe('conflict');
    expect(report.notes.join('\n')).toContain(`nobody knows any more how ${AGENTS} was generated`);
    expect(project.read(AGENTS)).toMatch(/yours\n# For agents\n=+\n# For coding agents\n>/);
    expect(project.read(AGENTS)).toContain('mine\n');
  });

  it('loses no line, wherever both sides edit', async () => {
    const project = await Project.make();
    const lines = project.read('src/room.ts').split('\n');
    for (let seed = 1; seed <= 12; seed++) {
      // Both sides edit every so manieth line: at the same places, beside each other, and apart.
      const [mine, base] = [seed, (seed % 4) + 1];
      const edited = await Project.make();
      edited.templateWas('src/room.ts', () =>
        lines.map((line, at) => (at % (base * 7) === 3 ? `// old ${at}` : line)).join('\n'),
      );
      edited.edit('src/room.ts', (text) =>
        text
          .split('\n')
          .map((line, at) => (at % (mine * 3) === 1 ? `// mine ${at}` : line))
          .join('\n'),
      );
      const wanted = edited.read('src/room.ts').match(/\/\/ mine \d+/g) ?? [];
      const report = await edited.update();
      const result = edited.read('src/room.ts').split('\n');
      expect(result).toEqual(expect.arrayContaining(wanted));
      // What the template has in place of the old lines is there, too, unless it is a conflict.
      const news = lines.filter((line, at) => at % (base * 7) === 3 && line !== '');
      expect(result).toEqual(expect.arrayContaining(news));
      expect(['merged', 'conflict']).toContain(actionOf(report, 'src/room.ts'));
    }
  });

  it('writes nothing when it is only to be listed', async () => {
    const project = await Project.make();
    const before = snapshot(project.cwd);
    const report = await project.update({ ...MORE, dryRun: true });
    expect(actionOf(report, 'src/metrics.ts')).toBe('added');
    expect(report.notes).toContain('dry run: nothing was written');
    expect(report).not.toHaveProperty('diff');
    expect(snapshot(project.cwd)).toEqual(before);
  });

  it('exits with 1 on a command line when conflicts remain, and says the same as JSON', async () => {
    const project = await Project.make();
    project.templateWas(AGENTS, older);
    project.edit(AGENTS, (text) => text.replace(OLD_LINE, '# Mine'));
    const args = ['generate-server', '--update', 'chat', '--diff'];
    const shown = await websocketSkill(args, { cwd: project.cwd });
    expect(shown.code).toBe(1);
    expect(shown.stdout).toMatch(/AGENTS\.md +\d+ +conflict\n[^]*^\+<<<<<<< yours$/m);
    expect(shown.stdout).toMatch(/\d+ files +unchanged/);
    const made = await websocketSkill([...args.slice(0, 3), '--json'], { cwd: project.cwd });
    expect(made.code).toBe(1);
    const report = JSON.parse(made.stdout) as GenerateServerReport;
    expect([report.status, actionOf(report, AGENTS)]).toEqual(['failed', 'conflict']);
  });

  it('merges in a hook of git, whose repository is another', async () => {
    const project = await Project.make();
    process.env['GIT_DIR'] = path.join(project.cwd, 'nothing');
    onTestFinished(() => {
      delete process.env['GIT_DIR'];
    });
    project.edit('README.md', (text) => `${text}mine\n`);
    expect(actionOf(await project.update({ port: 9000 }), 'README.md')).toBe('merged');
  });

  it('shows a diff that git applies to the same end, and writes nothing', async () => {
    const project = await Project.make();
    project.edit('README.md', (text) => `${text}mine\n`);
    const copy = path.join(project.cwd, 'copy');
    cpSync(project.folder, copy, { recursive: true });
    const before = snapshot(project.folder);
    const input = { features: ['rooms', 'auth'] } satisfies GenerateInput;
    const { diff = '' } = await project.update({ ...input, diff: true });
    expect(snapshot(project.folder)).toEqual(before);
    await project.update(input);
    execFileSync('git', ['apply', '-'], { cwd: copy, input: diff });
    const [shown, made] = [snapshot(copy), snapshot(project.folder)];
    expect({ ...shown, '.wsgen.base': '' }).toEqual({ ...made, '.wsgen.base': '' });
    expect((await project.update({ diff: true })).diff).toBe('');
  });
});

it('an update that is interrupted before it begins writes nothing', async () => {
  const project = await Project.make();
  const before = snapshot(project.cwd);
  const context = operationContext({ cwd: project.cwd, signal: AbortSignal.abort() });
  const input = GenerateServerInput.parse({ update: 'chat', ...MORE });
  const report = await generateServer(input, context);
  expect(report).toMatchObject({ status: 'interrupted', success: false });
  expect(report.notes).toContain('interrupted: nothing was written');
  expect(snapshot(project.cwd)).toEqual(before);
});

describe('an update in a work tree of git', () => {
  it('refuses edits that are not committed, unless it is forced', async () => {
    const project = await Project.make();
    project.commit();
    project.edit('src/session.ts', (text) => `// mine\n${text}`);
    const input = { update: 'chat', ...MORE };
    const error = await expectRefusal(project.cwd, input, 'WSK_ERR_UNCOMMITTED');
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe('chat has edits that are not committed: src/session.ts');
    expect(error.hint).toMatch(/commit them, .* --force/);
    expect((await project.update({ ...MORE, diff: true })).diff).toContain('prom-client');
    expect((await project.update({ ...MORE, force: true })).status).toBe('passed');
    expect(project.read('src/session.ts')).toMatch(/^\/\/ mine/);
  });

  it('refuses to change what was never committed, in a folder of the tree, too', async () => {
    const project = await Project.make();
    execFileSync('git', ['init', '-q'], { cwd: project.cwd });
    const input = { update: 'chat', ...MORE };
    const error = await expectRefusal(project.cwd, input, 'WSK_ERR_UNCOMMITTED');
    expect(error.message).toMatch(/: \.wsgen\.base, \.wsgen\.json, .* and \d+ more$/);
  });

  it('goes on when everything is committed, or git does not know what it leaves alone', async () => {
    const project = await Project.make();
    project.commit();
    project.write('notes.txt', 'mine');
    expect((await project.update(MORE)).status).toBe('passed');
    project.edit('src/session.ts', (text) => `// mine\n${text}`);
    expect((await project.update()).notes).toContain('it is up to date: nothing was written');
  });
});

describe('an update is refused', () => {
  it.each<[string, (project: Project) => void, GenerateInput, string, RegExp]>([
    [
      'for a folder that was not generated',
      (project) => rmSync(project.at('.wsgen.json')),
      {},
      'WSK_ERR_NOT_A_PROJECT',
      /no readable \.wsgen\.json/,
    ],
    [
      'for a folder that does not exist',
      () => undefined,
      { update: 'nothing' },
      'WSK_ERR_NOT_A_PROJECT',
      /it does not exist/,
    ],
    [
      'for a manifest that is no JSON',
      (project) => project.edit('.wsgen.json', (text) => `<<<<<<< HEAD\n${text}`),
      {},
      'WSK_ERR_NOT_A_PROJECT',
      /not valid JSON/,
    ],
    [
      'for a manifest without its hashes',
      (project) => project.edit('.wsgen.json', (text) => text.replace('"files"', '"flies"')),
      {},
      'WSK_ERR_NOT_A_PROJECT',
      /manifest is invalid \(files/,
    ],
    [
      'for answers that are none',
      (project) => project.edit('.wsgen.json', (text) => text.replace('8080', '"x"')),
      {},
      'WSK_ERR_NOT_A_PROJECT',
      /the answers in its \.wsgen\.json are damaged \(port: /,
    ],
    [
      'for a later version',
      (project) => project.edit('.wsgen.json', (text) => text.replace(/"0\.1\.0"/, '"0.10.0"')),
      {},
      'WSK_ERR_INVALID_INPUT',
      /chat was generated by version 0\.10\.0, and this is 0\.1\.0/,
    ],
    [
      'for another type',
      () => undefined,
      { type: 'pubsub' },
      'WSK_ERR_INVALID_INPUT',
      /chat has the type chat, which an update does not change/,
    ],
    [
      'for features that contradict the type',
      (project) =>
        project.edit('.wsgen.json', (text) =>
          text
            .replace('"type": "chat"', '"type": "echo"')
            .replace('"type": "chat"', '"type": "echo"'),
        ),
      {},
      'WSK_ERR_INVALID_INPUT',
      /an echo server has no feature/,
    ],
    [
      'beside an output',
      () => undefined,
      { output: 'other' },
      'WSK_ERR_INVALID_INPUT',
      /--output is given beside --update/,
    ],
    [
      'for a diff without it',
      () => undefined,
      { update: undefined, diff: true },
      'WSK_ERR_INVALID_INPUT',
      /--diff is given without --update/,
    ],
    [
      'for a folder in the place of a file',
      (project) => {
        rmSync(project.at('src/config.ts'));
        mkdirSync(project.at('src/config.ts'));
      },
      {},
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      /EISDIR/,
    ],
    [
      'for a link in the place of a folder',
      (project) => {
        renameSync(project.at('src'), path.join(project.cwd, 'src'));
        symlinkSync('../src', project.at('src'));
      },
      {},
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      /chat\/src is a symbolic link/,
    ],
  ])('%s', async (_, prepare, input, code, message) => {
    const project = await Project.make();
    prepare(project);
    const error = await expectRefusal(project.cwd, { update: 'chat', ...input }, code);
    expect(error.message).toMatch(message);
  });

  it('for a server in one file', async () => {
    const cwd = temporaryFolder();
    await generate(cwd, { output: 'echo.js' });
    const error = await expectRefusal(cwd, { update: 'echo.js' }, 'WSK_ERR_INVALID_INPUT');
    expect(error.message).toBe('echo.js is one file');
  });

  it('for a folder that may not be written, and leaves it as it is', async () => {
    const project = await Project.make();
    // Reads the templates while it still may.
    await project.update({ dryRun: true });
    await asUnprivileged(project.cwd, async () => {
      chmodSync(project.at('src'), 0o555);
      const input = { update: 'chat', ...MORE };
      const error = await expectRefusal(project.cwd, input, 'WSK_ERR_OUTPUT_NOT_WRITABLE');
      expect(error).toBeInstanceOf(EnvironmentError);
      expect(error.message).toMatch(/nothing was changed/);
      chmodSync(project.at('src'), 0o755);
    });
  });

  it('where git is missing, but only if something has to be merged', async () => {
    const project = await Project.make();
    project.edit('README.md', (text) => `${text}mine\n`);
    const { PATH } = process.env;
    process.env['PATH'] = project.cwd;
    onTestFinished(() => void (process.env['PATH'] = PATH));
    const error = await expectRefusal(
      project.cwd,
      { update: 'chat', port: 9000 },
      'WSK_ERR_GIT_MISSING',
    );
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.hint).toMatch(/install git/);
    await generate(project.cwd, { output: 'other', type: 'echo' });
    expect((await project.update({ update: 'other', port: 9000 })).status).toBe('passed');
  });
});
