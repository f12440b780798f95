import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { environmentFault } from '../../../src/core/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** What the system says when it denies to open a file; root is denied nothing. */
function denied(file: string): Error {
  const message = `EACCES: permission denied, open '${file}'`;
  return Object.assign(new Error(message), { code: 'EACCES', syscall: 'open', path: file });
}

it('tells a file that cannot be written from one that cannot be read', () => {
  const folder = temporaryFolder();
  const present = path.join(folder, 'present');
  writeFileSync(present, '');
  const codeOf = (error: unknown): string | undefined => environmentFault(error)?.code;
  // What can be read was to be written, and so was what is not there.
  expect(codeOf(denied(present))).toBe('WSK_ERR_OUTPUT_NOT_WRITABLE');
  expect(codeOf(denied(path.join(folder, 'absent')))).toBe('WSK_ERR_OUTPUT_NOT_WRITABLE');
  expect(codeOf(denied(path.join(present, 'behind-a-file')))).toBe('WSK_ERR_FILE_NOT_READABLE');
  mkdirSync(path.join(folder, 'inner'));
  let fault: unknown;
  try {
    openSync(path.join(folder, 'inner'), 'w');
  } catch (error) {
    fault = error;
  }
  expect(codeOf(fault)).toBe('WSK_ERR_OUTPUT_NOT_WRITABLE');
});
