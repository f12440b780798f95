import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { makeFolder } from '../../../src/core/make-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('makes what is missing and names the topmost folder that it made', () => {
  const root = temporaryFolder();
  expect(makeFolder(path.join(root, 'a', 'b', 'c'))).toBe(path.join(root, 'a'));
  expect(statSync(path.join(root, 'a', 'b', 'c')).isDirectory()).toBe(true);
  expect(makeFolder(path.join(root, 'a', 'b'))).toBeUndefined();
});

it('throws where a file is in the way', () => {
  const root = temporaryFolder();
  writeFileSync(path.join(root, 'file'), '');
  expect(() => makeFolder(path.join(root, 'file'))).toThrow(/EEXIST/);
  expect(() => makeFolder(path.join(root, 'file', 'below'))).toThrow(/ENOTDIR/);
});

it.runIf(process.platform === 'linux')('throws where no folder can be made', () => {
  expect(() => makeFolder('/proc/websocket-skill/deep')).toThrow(/ENOENT/);
});
