import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { runNode } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SDK = '@a5c-ai/babysitter-sdk';

describe('the program alone in a folder, as a skill installer puts it', () => {
  let cwd: string;
  let program: string;

  beforeEach(() => {
    cwd = temporaryFolder();
    program = path.join(cwd, 'skill', 'websocket.mjs');
    // Without the files of processes.
    cpSync(path.join(root, 'skills/websocket/scripts'), path.dirname(program), {
      recursive: true,
      filter: (source) => !source.endsWith('.mjs') || source.endsWith('websocket.mjs'),
    });
    writeFileSync(
      path.join(cwd, 'hello.mjs'),
      'export async function process() { console.log("noise"); return { hello: "world" }; }',
    );
  });

  it.each([
    ['run', './hello.mjs'],
    ['resume', 'runs/r1'],
    ['run-task', 'runs/r1', '01KX'],
  ])('says with exit 3 how the SDK is installed: %s', async (...args) => {
    const ended = await runNode([program, ...args], { cwd });
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toContain(`npm install --save-dev ${SDK}@0.0.187`);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  it('takes the SDK of the project it is called in, and keeps stdout for the report', async () => {
    mkdirSync(path.join(cwd, 'node_modules', '@a5c-ai'), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', SDK), path.join(cwd, 'node_modules', SDK));
    const ended = await runNode([program, 'run', './hello.mjs', '--json'], { cwd });
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ output: { hello: 'world' } });
    expect(ended.stderr).toContain('noise');
  });

  it('takes the main entry of an SDK that has no such parts', async () => {
    const sdk = path.join(cwd, 'node_modules', SDK);
    mkdirSync(sdk, { recursive: true });
    const real = JSON.stringify(path.join(root, 'node_modules', SDK));
    writeFileSync(path.join(sdk, 'index.js'), `module.exports = require(${real});`);
    const ended = await runNode([program, 'run', './hello.mjs', '--json'], { cwd });
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ output: { hello: 'world' } });
  });

  it('has no built-in process and says how to get it', async () => {
    mkdirSync(path.join(cwd, 'node_modules', '@a5c-ai'), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', SDK), path.join(cwd, 'node_modules', SDK));
    const ended = await runNode([program, 'run', 'websocket-server'], { cwd });
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toContain('copy the whole folder of the skill');
  });
});
