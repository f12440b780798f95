import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ERRORS } from '../../src/core/errors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function textOf(folder: string): string {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .filter((entry) => entry.name !== path.basename(fileURLToPath(import.meta.url)))
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

const tests = textOf('test');
const sources = `${textOf('src')}\n${textOf('tasks')}`;
const page = readFileSync(path.join(root, 'skills/websocket/references/errors.md'), 'utf8');

it.each(Object.keys(ERRORS))('%s is raised by the code, by a test, and has its row', (code) => {
  expect(page).toContain(`\`${code}\``);
  expect(tests.includes(code)).toBe(true);
  expect(sources).toMatch(new RegExp(`['"]${code}['"]`));
});

it('raises no code that is not in the catalogue', () => {
  const used = new Set(sources.match(/WSK_ERR_[A-Z_]+/g));
  used.delete('WSK_ERR_INTERNAL');
  expect([...used].filter((code) => !(code in ERRORS))).toEqual([]);
});
