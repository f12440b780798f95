import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readInputFile, readRegularFile } from '../../../src/core/input-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe.skipIf(process.platform === 'win32')('readInputFile', () => {
  const read = async (file: string): Promise<Buffer> =>
    readInputFile(file, { cwd: path.dirname(file), flag: '--inputs' });

  it('reads a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'a.json'), '{}');
    expect((await read(path.join(folder, 'a.json'))).toString()).toBe('{}');
  });

  it('reads a pipe to its end', async () => {
    const pipe = path.join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reading = read(pipe);
    spawn('sh', ['-c', `{ printf 'in two '; printf 'pieces'; } > "$0"`, pipe], { stdio: 'ignore' });
    expect((await reading).toString()).toBe('in two pieces');
  });

  it('refuses what has no end, naming the flag', async () => {
    await expect(read('/dev/zero')).rejects.toMatchObject({
      code: 'WSK_ERR_FILE_NOT_READABLE',
      message: '--inputs is "/dev/zero", which cannot be read (it is no regular file)',
    });
  });

  it('refuses a folder', async () => {
    await expect(read(temporaryFolder())).rejects.toThrow(/cannot be read \(it is a folder\)/);
  });
});

describe.skipIf(process.platform === 'win32')('readRegularFile', () => {
  it('reads a file, and one that names no size', () => {
    const file = path.join(temporaryFolder(), 'a');
    writeFileSync(file, 'x'.repeat(100_000));
    expect(readRegularFile(file, 100_000)).toHaveLength(100_000);
    if (process.platform === 'linux')
      expect(readRegularFile('/proc/self/status')).not.toHaveLength(0);
  });

  it('refuses what is larger, a device and a folder', () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'a');
    writeFileSync(file, '');
    truncateSync(file, 10_000_000_000);
    expect(() => readRegularFile(file)).toThrow('it is larger than 64 MiB');
    expect(() => readRegularFile(file, 1024)).toThrow('it is larger than 1 KiB');
    expect(() => readRegularFile('/dev/zero')).toThrow('it is no regular file');
    mkdirSync(path.join(folder, 'b'));
    expect(() => readRegularFile(path.join(folder, 'b'))).toThrow('it is a folder');
  });
});
