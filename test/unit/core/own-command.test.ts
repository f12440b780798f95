import path from 'node:path';
import process from 'node:process';
import { afterEach, expect, it, vi } from 'vitest';
import { ownCommand, ownProgram } from '../../../src/core/own-command.ts';

const started = (script: string | undefined, more: object = {}): string[] =>
  ownProgram({ script, npmCommand: undefined, module: '/p/dist/src/core/own-command.js', ...more });

afterEach(() => vi.restoreAllMocks());

it('is the name where it was started by it, or where nothing better is known', () => {
  expect(started('/usr/bin/websocket-skill')).toEqual(['websocket-skill']);
  expect(started('/p/dist/src/cli/bin.js')).toEqual(['websocket-skill']);
  expect(started(undefined)).toEqual(['websocket-skill']);
});

it('is npx and the name where npm put it on the path for this time only', () => {
  const npx = { npmCommand: 'exec' };
  expect(started('/p/node_modules/.bin/websocket-skill', npx)).toEqual(['npx', 'websocket-skill']);
});

it('is the bundled script, by the path that was typed, else by its own', () => {
  const module = '/p/.agents/skills/websocket/scripts/websocket.mjs';
  const typed = '/p/.claude/skills/websocket/scripts/websocket.mjs';
  expect(started(typed, { module })).toEqual(['node', typed]);
  expect(started('/bin/babysitter', { module })).toEqual(['node', module]);
});

it('is printed relative to the working folder, quoted for a shell', () => {
  const script = path.resolve('my skills/websocket.mjs');
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', script]);
  expect(ownCommand('resume', 'run 1')).toBe("node 'my skills/websocket.mjs' resume 'run 1'");
  const elsewhere = path.resolve('../elsewhere/websocket.mjs');
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', elsewhere]);
  expect(ownCommand('config')).toBe(`node ${elsewhere} config`);
});
