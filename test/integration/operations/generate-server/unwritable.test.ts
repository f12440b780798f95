import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { WebsocketServerInputs } from '../../../../processes/websocket-server.ts';
import { EnvironmentError } from '../../../../src/core/errors.ts';
import { GenerateServerInput } from '../../../../src/operations/generate-server/schema.ts';
import { CHAT, expectRefusal, generate, snapshot } from '../../../support/generate.ts';
import { asUnprivileged } from '../../../support/unprivileged.ts';
import { requirement } from '../../../support/requirement.ts';
import { cannotMount, smallDisk } from '../../../support/full-disk.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const NOT_WRITABLE = 'WSK_ERR_OUTPUT_NOT_WRITABLE';

it('refuses an output with NUL as wrong input, in the operation and in the process', () => {
  const output = 'a\0b';
  const refused = /a path, which holds no NUL/;
  expect(() => GenerateServerInput.parse({ output })).toThrow(refused);
  expect(() => WebsocketServerInputs.parse({ outputDir: output })).toThrow(refused);
});

describe('a link below the output', () => {
  it('is replaced in the place of a file, with --force, and its target is left alone', async () => {
    const cwd = temporaryFolder();
    const mine = path.join(temporaryFolder(), 'mine');
    writeFileSync(mine, 'mine');
    mkdirSync(path.join(cwd, 'chat'));
    symlinkSync(mine, path.join(cwd, 'chat', 'README.md'));
    await expectRefusal(cwd, CHAT, 'WSK_ERR_FILE_EXISTS');
    await generate(cwd, { ...CHAT, force: true });
    expect(readFileSync(mine, 'utf8')).toBe('mine');
    expect(lstatSync(path.join(cwd, 'chat', 'README.md')).isFile()).toBe(true);
  });

  it.each(['src', 'test'])('is refused in the place of the folder %s', async (name) => {
    const cwd = temporaryFolder();
    const elsewhere = temporaryFolder();
    mkdirSync(path.join(cwd, 'chat'));
    symlinkSync(elsewhere, path.join(cwd, 'chat', name));
    const error = await expectRefusal(cwd, { ...CHAT, force: true }, NOT_WRITABLE);
    expect(error.message).toContain(`${path.join('chat', name)} is a symbolic link`);
    expect(snapshot(elsewhere)).toEqual({});
  });

  it('keeps files of an earlier generation that are behind it', async () => {
    const cwd = temporaryFolder();
    const elsewhere = path.join(temporaryFolder(), 'src');
    await generate(cwd, CHAT);
    renameSync(path.join(cwd, 'chat', 'src'), elsewhere);
    symlinkSync(elsewhere, path.join(cwd, 'chat', 'src'));
    const before = snapshot(elsewhere);
    await generate(cwd, { type: 'echo', output: 'chat', force: true });
    expect(snapshot(elsewhere)).toEqual(before);
  });

  it('may be the output itself', async () => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, 'real'));
    symlinkSync('real', path.join(cwd, 'chat'));
    await generate(cwd, CHAT);
    expect(existsSync(path.join(cwd, 'real', 'package.json'))).toBe(true);
  });
});

describe('an output that cannot be written', () => {
  it.each([
    ['the folder is a file', 'chat', 'chat'],
    ['a folder above is a file', 'file', 'file/chat'],
    ['a folder within is a file', 'chat/src', 'chat'],
  ])('is refused when %s', async (_, file, output) => {
    const cwd = temporaryFolder();
    mkdirSync(path.dirname(path.join(cwd, file)), { recursive: true });
    writeFileSync(path.join(cwd, file), 'in the way');
    const error = await expectRefusal(cwd, { ...CHAT, output }, NOT_WRITABLE);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.message).toMatch(/nothing was changed/);
    expect(error.hint).toMatch(/a file where a folder is needed/);
  });

  it.each([
    ['a file within', CHAT, 'chat/README.md'],
    ['the single file', { output: 'echo.js' }, 'echo.js'],
  ] as const)('is refused when a folder is in the place of %s', async (_, input, folder) => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, folder), { recursive: true });
    const error = await expectRefusal(cwd, { ...input, force: true }, NOT_WRITABLE);
    expect(error.hint).toMatch(/a folder where a file is needed/);
  });

  it('is refused for a link that leads nowhere', async () => {
    const cwd = temporaryFolder();
    symlinkSync('/nowhere/at/all', path.join(cwd, 'chat'));
    await expectRefusal(cwd, CHAT, NOT_WRITABLE);
  });

  it('takes the name of a present file for a single file, and does not overwrite it', async () => {
    const cwd = temporaryFolder();
    writeFileSync(path.join(cwd, 'server'), 'mine');
    await expectRefusal(cwd, { type: 'echo', output: 'server' }, 'WSK_ERR_FILE_EXISTS');
  });

  it('is refused when the folder may not be written', async () => {
    const cwd = temporaryFolder();
    const other = temporaryFolder();
    // Reads the templates while it still may.
    await generate(other, CHAT);
    mkdirSync(path.join(cwd, 'mine'));
    chmodSync(path.join(cwd, 'mine'), 0o555);
    await asUnprivileged(cwd, async () => {
      await expectRefusal(cwd, { ...CHAT, output: 'mine/chat' }, NOT_WRITABLE);
      await expectRefusal(cwd, { ...CHAT, output: 'mine' }, NOT_WRITABLE);
    });
  });

  it('is as before when a file cannot be replaced after others were', async () => {
    const cwd = temporaryFolder();
    const { output } = await generate(cwd, CHAT);
    writeFileSync(path.join(output, 'Dockerfile'), 'mine');
    writeFileSync(path.join(output, 'src/main.ts'), 'mine too');
    chmodSync(path.join(output, 'src'), 0o555);
    await asUnprivileged(cwd, async () => {
      const input = { ...CHAT, features: ['rooms' as const], force: true };
      await expectRefusal(cwd, input, NOT_WRITABLE);
    });
    chmodSync(path.join(output, 'src'), 0o755);
  });
});

/** What is in the target before: nothing, or a project to be overwritten. */
const TARGETS = [
  { target: 'a new folder', isPresent: false },
  { target: 'a folder with other content', isPresent: true },
];

function occupy(cwd: string): void {
  mkdirSync(path.join(cwd, 'chat/src'), { recursive: true });
  writeFileSync(path.join(cwd, 'chat/README.md'), 'mine');
  writeFileSync(path.join(cwd, 'chat/src/mine.ts'), 'mine');
}

requirement('a full disk', cannotMount)('a full disk', () => {
  it.each(TARGETS)('leaves $target as it is', async ({ isPresent }) => {
    // Space for some of the files, not for all.
    const cwd = smallDisk(64 * 1024);
    if (isPresent) occupy(cwd);
    const error = await expectRefusal(cwd, { ...CHAT, force: true }, NOT_WRITABLE);
    expect(error.message).toMatch(/ENOSPC/);
    expect(error.hint).toMatch(/free some space/);
  });

  it('leaves the present file when a single file does not fit', async () => {
    const cwd = smallDisk(32 * 1024);
    writeFileSync(path.join(cwd, 'echo.js'), 'mine');
    await expectRefusal(cwd, { output: 'echo.js', force: true }, NOT_WRITABLE);
  });
});

describe('a limit on the size of files', () => {
  it.each(TARGETS)('leaves $target as it is and exits with 3', async ({ isPresent }) => {
    const cwd = temporaryFolder();
    if (isPresent) occupy(cwd);
    const before = snapshot(cwd);
    const { code, stdout } = await generateWithSmallFiles(cwd);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: NOT_WRITABLE } });
    expect(code).toBe(3);
    expect(snapshot(cwd)).toEqual(before);
  });
});

/** Runs the built command line where no file may be larger than a few KiB. */
function generateWithSmallFiles(cwd: string): Promise<{ code: unknown; stdout: string }> {
  const command = [process.execPath, `${root}/dist/src/cli/bin.js`, 'generate-server'];
  const flags = ['--type', 'chat', '--output', 'chat', '--force', '--json'];
  const args = ['-c', 'ulimit -f 4; exec "$@"', 'sh', ...command, ...flags];
  return new Promise((resolve) => {
    execFile('sh', args, { cwd }, (error, stdout) => {
      resolve({ code: error?.code ?? 0, stdout });
    });
  });
}
