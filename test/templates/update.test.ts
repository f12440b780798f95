import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { generate } from '../support/generate.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { root } from './generated.ts';
import { npmTest, testInOneProcess } from './npm-test.ts';

function edit(file: string, change: (text: string) => string): void {
  const text = readFileSync(file, 'utf8');
  expect(change(text)).not.toBe(text);
  writeFileSync(file, change(text));
}

it('an edited server compiles and passes its tests after an update that adds and removes features', async () => {
  const cwd = temporaryFolder();
  const features = ['rooms', 'presence', 'history'] as const;
  const { output } = await generate(cwd, { type: 'chat', features: [...features], output: 'chat' });
  symlinkSync(path.join(root, 'node_modules'), path.join(output, 'node_modules'));
  const at = (name: string): string => path.join(output, name);
  // A hook, a route of its own with its test, a script, and notes.
  edit(at('src/handlers/messages.ts'), (text) =>
    text.replace('=> ({ text })', "=> (text === 'no' ? { refuse: 'mine' } : { text })"),
  );
  edit(at('src/server.ts'), (text) => `${text}\n/** Mine. */\nexport const MINE = 'mine';\n`);
  edit(at('package.json'), (text) =>
    text.replace('"scripts": {', '"scripts": {\n    "mine": "true",'),
  );
  edit(at('README.md'), (text) => text.replace('\n', '\n\nMine.\n'));
  writeFileSync(
    at('test/mine.test.ts'),
    "import assert from 'node:assert/strict';\nimport { it } from 'node:test';\n" +
      "import { MINE } from '../src/server.ts';\n\nit('is mine', () => assert.equal(MINE, 'mine'));\n",
  );
  const report = await generate(cwd, {
    ...{ update: 'chat', features: ['rooms', 'history', 'resume', 'auth', 'redis'] },
  });
  expect(report.status).toBe('passed');
  const actions = new Map(report.files.map((file) => [file.path, file.action]));
  expect(['src/server.ts', 'package.json', 'README.md'].map((name) => actions.get(name))).toEqual([
    'merged',
    'merged',
    'merged',
  ]);
  const { scripts } = JSON.parse(readFileSync(at('package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts['mine']).toBe('true');
  expect(scripts['test']).toContain('node --test');
  expect(await testInOneProcess(output)).toBe('passed');
}, 240_000);

it('an edited client compiles and passes its tests after an update for another server', async () => {
  const cwd = temporaryFolder();
  await generate(cwd, { type: 'chat', features: ['rooms'], output: 'chat' });
  const { output } = await generateClientIn(cwd, { server: 'chat', output: 'client' });
  symlinkSync(path.join(root, 'node_modules'), path.join(output, 'node_modules'));
  edit(path.join(output, 'src/chat.ts'), (text) => `${text}\nexport const MINE = 'mine';\n`);
  await generate(cwd, { update: 'chat', features: ['rooms', 'presence', 'auth'] });
  const report = await generateClientIn(cwd, { update: 'client', server: 'chat', react: true });
  expect(report).toMatchObject({ status: 'passed', features: ['rooms', 'presence', 'auth'] });
  expect(readFileSync(path.join(output, 'src/chat.ts'), 'utf8')).toMatch(/members[^]*MINE/);
  expect(await npmTest(output)).toBe('passed');
}, 240_000);
