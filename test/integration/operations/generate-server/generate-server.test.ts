import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
import { generateServer } from '../../../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../../../src/operations/generate-server/schema.ts';
import type { GenerateServerReport } from '../../../../src/operations/generate-server/schema.ts';
import { viewGenerateServer } from '../../../../src/operations/generate-server/view.ts';
import { CHAT, expectRefusal, generate, snapshot } from '../../../support/generate.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function actions(report: GenerateServerReport, action: string): string[] {
  return report.files.filter((file) => file.action === action).map((file) => file.path);
}

describe('generate-server', () => {
  it('writes a project, reports every file and says what to do next', async () => {
    const cwd = temporaryFolder();
    const report = await generate(cwd, { ...CHAT, output: 'deep/er/chat/' });
    expect(report).toMatchObject({ status: 'passed', success: true, type: 'chat' });
    expect(report.output).toBe(path.join(cwd, 'deep/er/chat'));
    expect(report.commands).toEqual(['cd deep/er/chat/', 'npm install', 'npm start']);
    const written = Object.entries(snapshot(report.output)).filter(([name]) => !name.endsWith('/'));
    expect(actions(report, 'created').sort()).toEqual(written.map(([name]) => name).sort());
    expect(actions(report, 'created')).toEqual(
      expect.arrayContaining(['.wsgen.json', '.gitignore', '.dockerignore', 'src/rooms.ts']),
    );
    for (const { path: name, bytes } of report.files) {
      expect(statSync(path.join(report.output, name)).size).toBe(bytes);
    }
    expect(viewGenerateServer(report).facts?.join('\n')).toContain('npm run demo');
    const inGo = { ...report, language: 'go' } as const;
    expect(viewGenerateServer(inGo).facts?.join('\n')).toContain('make demo');
    const echo = await generate(cwd, { type: 'echo', output: 'echo/' });
    expect(viewGenerateServer(echo).facts?.join('\n')).not.toContain('demo');
  });

  it('makes folders and files that others may read, as the umask says', async () => {
    const cwd = temporaryFolder();
    const umask = process.umask(0o022);
    onTestFinished(() => void process.umask(umask));
    const { output } = await generate(cwd, CHAT);
    expect(statSync(output).mode & 0o777).toBe(0o755);
    expect(statSync(path.join(output, 'package.json')).mode & 0o777).toBe(0o644);
  });

  it('writes the same bytes wherever it is called', async () => {
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    await generate(one, CHAT);
    await generate(two, CHAT);
    expect(snapshot(one)).toEqual(snapshot(two));
  });

  it('names its output after the type when nobody does', async () => {
    const cwd = temporaryFolder();
    expect((await generate(cwd, {})).output).toBe(path.join(cwd, 'echo-server'));
    expect(snapshot(cwd)).toHaveProperty('echo-server/echo-server.js');
  });

  it.each(['echo.js', 'echo.mjs', 'echo.cjs'])('takes %s for one file', async (output) => {
    const cwd = temporaryFolder();
    const report = await generate(cwd, { output });
    expect(Object.keys(snapshot(cwd))).toEqual([output]);
    expect(report.commands).toEqual([`node ${output}`]);
  });

  it('takes a script name with a slash for a folder', async () => {
    const cwd = temporaryFolder();
    await generate(cwd, { output: 'echo.js/' });
    expect(snapshot(cwd)).toHaveProperty('echo.js/package.json');
  });

  it('does nothing when everything is there already, and says so', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    const past = new Date(1_000_000_000_000);
    utimesSync(path.join(output, 'README.md'), past, past);
    const report = await generate(cwd, CHAT);
    expect(report.files.every((file) => file.action === 'unchanged')).toBe(true);
    expect(report.notes[0]).toMatch(/nothing was written/);
    expect(statSync(path.join(output, 'README.md')).mtimeMs).toBe(past.getTime());
  });

  it('adds what is missing to a folder that has other content', async () => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, 'chat/src'), { recursive: true });
    writeFileSync(path.join(cwd, 'chat/src/mine.ts'), 'mine');
    await generate(cwd, CHAT);
    expect(snapshot(cwd)).toMatchObject({ 'chat/src/mine.ts': 'mine' });
    expect(existsSync(path.join(cwd, 'chat/src/main.ts'))).toBe(true);
    expect(readdirSync(path.join(cwd, 'chat')).filter((name) => /wsgen-/.test(name))).toEqual([]);
  });

  it('never overwrites a file that differs, and names each one', async () => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, 'chat/src'), { recursive: true });
    writeFileSync(path.join(cwd, 'chat/README.md'), 'mine');
    writeFileSync(path.join(cwd, 'chat/src/main.ts'), 'mine too');
    const error = await expectRefusal(cwd, CHAT, 'WSK_ERR_FILE_EXISTS');
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(/README\.md, src\/main\.ts/);
    expect(error.hint).toMatch(/--force/);
  });

  it('overwrites files that differ with --force, and no others', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    const fresh = snapshot(cwd);
    writeFileSync(path.join(output, 'README.md'), 'mine');
    const report = await generate(cwd, { ...CHAT, force: true });
    expect(actions(report, 'overwritten')).toEqual(['README.md']);
    expect(actions(report, 'unchanged')).toHaveLength(report.files.length - 1);
    expect(snapshot(cwd)).toEqual(fresh);
  });

  it('leaves the files of the user as they are, with --force, too, and says so', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    const [mine, untouched] = ['src/handlers/authorize.ts', 'src/handlers/messages.ts'];
    writeFileSync(path.join(output, mine), 'mine');
    for (const force of [false, true]) {
      const report = await generate(cwd, { ...CHAT, port: 9000, dryRun: !force, force });
      expect(actions(report, 'kept')).toEqual([mine]);
      expect(actions(report, 'unchanged')).toContain(untouched);
      expect(report.notes).toContain(`kept, as they are yours: ${mine}`);
      expect(readFileSync(path.join(output, mine), 'utf8')).toBe('mine');
    }
    // Without rooms there is nothing to authorize.
    const report = await generate(cwd, { ...CHAT, features: [], force: true });
    expect(report.notes.join('\n')).toMatch(/authorize\.ts is no longer part .* not removed/);
    expect(readFileSync(path.join(output, mine), 'utf8')).toBe('mine');
  });

  it('takes files of features that are gone with it, unless they were edited', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    writeFileSync(path.join(output, 'test/history.test.ts'), 'edited');
    const report = await generate(cwd, { ...CHAT, features: ['rooms'], force: true });
    expect(actions(report, 'removed')).toContain('test/presence.test.ts');
    expect(existsSync(path.join(output, 'test/presence.test.ts'))).toBe(false);
    expect(readFileSync(path.join(output, 'test/history.test.ts'), 'utf8')).toBe('edited');
    expect(report.notes.join('\n')).toMatch(/test\/history\.test\.ts .* not removed/);
  });

  it('leaves a project as it is when it writes a single file into its folder', async () => {
    const cwd = temporaryFolder();
    await generate(cwd, { output: 'echo' });
    const before = snapshot(cwd);
    await generate(cwd, { output: 'echo/other.mjs' });
    const { 'echo/other.mjs': other, ...rest } = snapshot(cwd);
    expect(other).toContain('websocket-skill');
    expect(rest).toEqual(before);
  });

  it('does not let an edited manifest make it remove files elsewhere', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    writeFileSync(path.join(cwd, 'victim'), '');
    const manifest = readFileSync(path.join(output, '.wsgen.json'), 'utf8');
    const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    for (const victim of ['../victim', path.join(cwd, 'victim'), 'src/../../victim']) {
      const edited = manifest.replace('"files": {', `"files": { "${victim}": "${emptyHash}",`);
      writeFileSync(path.join(output, '.wsgen.json'), edited);
      const report = await generate(cwd, { ...CHAT, force: true });
      expect(actions(report, 'removed')).toEqual([]);
    }
    expect(existsSync(path.join(cwd, 'victim'))).toBe(true);
  });

  it('lists and writes nothing in a dry run', async () => {
    const cwd = temporaryFolder();
    const empty = await generate(cwd, { ...CHAT, dryRun: true });
    expect(snapshot(cwd)).toEqual({});
    expect(actions(empty, 'would-create')).toHaveLength(empty.files.length);
    expect(empty.notes[0]).toMatch(/dry run/);

    const { output } = await generate(cwd, CHAT);
    writeFileSync(path.join(output, 'README.md'), 'mine');
    const before = snapshot(cwd);
    const refused = await generate(cwd, { ...CHAT, dryRun: true });
    expect(actions(refused, 'differs')).toEqual(['README.md']);
    const forced = await generate(cwd, { ...CHAT, dryRun: true, force: true, features: ['rooms'] });
    expect(actions(forced, 'would-overwrite')).toContain('README.md');
    expect(actions(forced, 'would-remove')).toContain('test/history.test.ts');
    expect(snapshot(cwd)).toEqual(before);
  });

  it('writes nothing when it is interrupted before it begins', async () => {
    const cwd = temporaryFolder();
    const context = operationContext({ cwd, signal: AbortSignal.abort() });
    const report = await generateServer(GenerateServerInput.parse({}), context);
    expect(report).toMatchObject({ status: 'interrupted', success: false });
    expect(snapshot(cwd)).toEqual({});
  });

  it('takes the language of a file from its name', async () => {
    const cwd = temporaryFolder();
    for (const [output, language] of [
      ['echo.py', 'python'],
      ['echo.go', 'go'],
      ['echo.js', 'nodejs'],
      ['folder.py/', 'nodejs'],
    ] as const) {
      expect(await generate(cwd, { output })).toMatchObject({ language });
    }
    const before = snapshot(cwd);
    const contradiction = { language: 'python', output: 'other.js' } as const;
    const error = await expectRefusal(cwd, contradiction, 'WSK_ERR_INVALID_INPUT');
    expect(error.message).toBe(
      'other.js is the name of a file in nodejs, but --language is python',
    );
    expect(snapshot(cwd)).toEqual(before);
  });

  it('takes the language of a file from its name on the command line, too', async () => {
    const cwd = temporaryFolder();
    const args = ['generate-server', '--output', 'echo.py', '--dry-run', '--json'];
    const { code, stdout } = await websocketSkill(args, { cwd });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ language: 'python', type: 'echo' });
  });

  it('does not put a chat into one file', async () => {
    const cwd = temporaryFolder();
    const error = await expectRefusal(
      cwd,
      { type: 'chat', output: 'chat.js' },
      'WSK_ERR_INVALID_INPUT',
    );
    expect(error.message).toMatch(/chat\.js/);
  });
});
