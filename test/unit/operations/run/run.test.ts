import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runProcess } from '../../../../src/operations/run/run.ts';
import {
  context,
  noteOperations,
  NoteRun,
  notesFile,
  snapshot,
} from '../../../support/note-runs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** Runs with `input` in a folder of its own, which has to stay empty when the run is refused. */
async function refused(input: Record<string, unknown>, files: Record<string, string> = {}) {
  const cwd = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(cwd, name), content);
  const before = snapshot(cwd);
  const error: unknown = await runProcess(
    { process: notesFile, inputs: undefined, runsDir: undefined, runId: undefined, ...input },
    context({ cwd }),
    noteOperations,
  ).catch((thrown: unknown) => thrown);
  expect(snapshot(cwd)).toEqual(before);
  return error;
}

describe('a process', () => {
  it.each([
    ['websocket-sever', /unknown process "websocket-sever"/, /did you mean websocket-server\?/],
    ['zzz', /unknown process "zzz"/, /valid: websocket-server/],
    ['./none.mjs', /process file .*none\.mjs does not exist/, undefined],
    ['./types.ts', /types\.ts is not JavaScript/, /compile it/],
    ['./broken.mjs', /broken\.mjs does not load: /, undefined],
    ['./empty.mjs', /exports no function "process"/, /it exports no functions/],
    ['./other.mjs', /exports no function "process"/, /did you mean proces\?/],
    ['./other.mjs#value', /exports no function "value"/, undefined],
  ])('%s is refused and no run is made', async (process, message, hint) => {
    const error = await refused(
      { process },
      {
        'types.ts': 'export const process = 1;',
        'broken.mjs': 'export const process = ;',
        'empty.mjs': 'export const x = 1;',
        'other.mjs': 'export const value = 1; export async function proces() { return {}; }',
      },
    );
    expect(error).toMatchObject({ name: 'UsageError' });
    expect((error as Error).message).toMatch(message);
    if (hint !== undefined) expect((error as { hint: string }).hint).toMatch(hint);
  });

  it('is found by path and export, relative to the working folder', async () => {
    const cwd = temporaryFolder();
    writeFileSync(path.join(cwd, 'package.json'), '{"type":"module"}');
    const source = 'export async function main(inputs) { return { inputs }; }';
    writeFileSync(path.join(cwd, 'own.js'), source);
    const report = await runProcess(
      { process: 'own.js#main', inputs: undefined, runsDir: undefined, runId: undefined },
      context({ cwd }),
    );
    expect(report).toMatchObject({ status: 'passed', process: 'own', output: { inputs: {} } });
    expect(path.dirname(report.runDir)).toBe(path.join(cwd, '.a5c', 'runs'));
    expect(report.runId).toMatch(/^[0-9A-Z]{26}$/);
  });
});

describe('an inputs file', () => {
  it.each([
    ['none.json', 'WSK_ERR_FILE_NOT_READABLE', /none\.json", which cannot be read/],
    ['half.json', 'WSK_ERR_INVALID_INPUT', /half\.json is not JSON: .*end of JSON input/],
    ['list.json', 'WSK_ERR_INVALID_INPUT', /holds \[1\], expected a JSON object/],
  ])('%s is refused and no run is made', async (inputs, code, message) => {
    const error = await refused({ inputs }, { 'half.json': '{"a":', 'list.json': '[1]' });
    expect(error).toMatchObject({ name: 'UsageError', code });
    expect((error as Error).message).toMatch(message);
  });
});

describe('a run folder', () => {
  afterEach(() => {
    delete process.env['BABYSITTER_RUNS_DIR'];
  });

  it('goes where BABYSITTER_RUNS_DIR says, and above that where --runs-dir says', async () => {
    const cwd = temporaryFolder();
    process.env['BABYSITTER_RUNS_DIR'] = 'from-env';
    const input = { process: `${notesFile}#broken`, inputs: undefined, runId: 'r' };
    await runProcess({ ...input, runsDir: undefined }, context({ cwd }));
    await runProcess({ ...input, runsDir: 'from-flag' }, context({ cwd }));
    expect(readdirSync(cwd).sort()).toEqual(['from-env', 'from-flag']);
  });

  it('that exists is not run again', async () => {
    const notes = new NoteRun();
    await notes.run();
    const before = snapshot(notes.runDir);
    await expect(notes.run()).rejects.toMatchObject({
      name: 'UsageError',
      hint: `resume it: websocket-skill resume ${notes.runDir}`,
    });
    expect(snapshot(notes.runDir)).toEqual(before);
    expect(notes.executions()).toEqual(['one']);
  });

  it('that cannot be created is an environment error', async () => {
    const root = temporaryFolder();
    writeFileSync(path.join(root, 'file'), '');
    const input = { process: notesFile, inputs: undefined, runId: undefined };
    await expect(
      runProcess({ ...input, runsDir: path.join(root, 'file', 'runs') }, context()),
    ).rejects.toMatchObject({ name: 'EnvironmentError', code: 'WSK_ERR_OUTPUT_NOT_WRITABLE' });
  });

  it('replaces what a runner left that was killed while creating one', async () => {
    const notes = new NoteRun();
    mkdirSync(path.join(notes.runsDir, '.creating-999999999-abc', 'r0'), { recursive: true });
    const alive = `.creating-${process.pid}-abc`;
    mkdirSync(path.join(notes.runsDir, alive), { recursive: true });
    await notes.run();
    expect(readdirSync(notes.runsDir).sort()).toEqual([alive, 'r1']);
  });
});
