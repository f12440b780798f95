import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '../../../src/babysitter/file-lock.ts';
import { isAlive, startedAfter, thisProcess } from '../../../src/babysitter/process-alive.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const never = new AbortController().signal;

/** Only Linux tells when a process began; elsewhere a number that is in use counts as alive. */
const TELLS_STARTS = process.platform === 'linux';

/** Higher than any process number Linux hands out. */
const NO_PROCESS = 0x7fff_fffe;

describe('a lock file', () => {
  let file: string;

  beforeEach(() => {
    file = path.join(temporaryFolder(), 'lock');
  });

  it('is there while the work runs, names its owner and is gone afterwards', async () => {
    const result = await withFileLock(file, { signal: never }, async () => {
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(thisProcess());
      return await Promise.resolve('done');
    });
    expect(result).toBe('done');
    expect(existsSync(file)).toBe(false);
  });

  it('is gone after work that fails', async () => {
    const work = async (): Promise<never> => await Promise.reject(new Error('no'));
    await expect(withFileLock(file, { signal: never }, work)).rejects.toThrow('no');
    expect(existsSync(file)).toBe(false);
  });

  it('lets one piece of work run after the other', async () => {
    const order: string[] = [];
    const waitedFor: number[] = [];
    let onWait: (pid: number) => void = () => undefined;
    const isWaiting = new Promise<void>((resolve) => {
      onWait = (pid) => {
        waitedFor.push(pid);
        resolve();
      };
    });
    const options = { signal: never, onWait: (pid: number) => onWait(pid) };
    const work = async (name: string): Promise<void> =>
      await withFileLock(file, options, async () => {
        order.push(`${name} begins`);
        await isWaiting;
        order.push(`${name} ends`);
      });
    await Promise.all([work('a'), work('b')]);
    const [first] = order[0] ?? '';
    const second = first === 'a' ? 'b' : 'a';
    const expected = [first, second].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(order).toEqual(expected);
    expect(waitedFor).toEqual([process.pid]);
  });

  it.each([
    ['a process that is gone', JSON.stringify({ pid: NO_PROCESS })],
    ...(TELLS_STARTS
      ? [
          [
            'an earlier process with the number of one that runs',
            JSON.stringify({ pid: process.pid, startedAt: 'long ago' }),
          ],
        ]
      : []),
    ['nobody: it is empty', ''],
    ['nobody: it is no lock', '{"pid":"x"}'],
  ])('of %s is taken over', async (_, content) => {
    writeFileSync(file, content);
    const result = await withFileLock(
      file,
      { signal: never },
      async () => await Promise.resolve(1),
    );
    expect(result).toBe(1);
  });
});

describe('a process', () => {
  it('is alive under its own identity only', () => {
    expect(isAlive(thisProcess())).toBe(true);
    expect(isAlive({ pid: process.pid })).toBe(true);
    expect(isAlive({ pid: NO_PROCESS })).toBe(false);
  });

  it('is told from an earlier one with its number where the system tells when it began', () => {
    expect(isAlive({ pid: process.pid, startedAt: 'earlier' })).toBe(!TELLS_STARTS);
    const started = Date.now() - process.uptime() * 1000;
    expect(startedAfter(process.pid, started - 60_000)).toBe(TELLS_STARTS);
    expect(startedAfter(process.pid, started + 60_000)).toBe(false);
  });
});
