import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EnvironmentError, UsageError } from '../../../src/core/errors.ts';
import { runTask } from '../../../src/operations/run-task/run-task.ts';
import { resumeRun } from '../../../src/operations/resume/resume.ts';
import {
  context,
  noteOperations,
  NoteRun,
  notesFile,
  requestFirst,
  snapshot,
} from '../../support/note-runs.ts';
import { cannotMount, smallDisk } from '../../support/full-disk.ts';
import { requirement } from '../../support/requirement.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

type Json = Record<string, unknown>;

/** Rewrites a JSON file by `change`. */
function edit(file: string, change: (value: Json) => Json): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Json;
  writeFileSync(file, JSON.stringify(change(value)));
}

const BAD_INPUTS: [string, (file: string) => void, RegExp][] = [
  ['is not JSON', (file) => writeFileSync(file, '{"operation":'), /input\.json is not JSON/],
  ['is empty', (file) => writeFileSync(file, ''), /input\.json is not JSON/],
  ['is missing', (file) => rmSync(file), /input\.json is missing/],
  ['is an array', (file) => writeFileSync(file, '[]'), /input\.json: Invalid input/],
  [
    'has an unknown schemaVersion',
    (file) => edit(file, (value) => ({ ...value, schemaVersion: 'v99' })),
    /schemaVersion: .*websocket-skill\.task-input\.v1/,
  ],
  [
    'has a key too many',
    (file) => edit(file, (value) => ({ ...value, extra: 1 })),
    /Unrecognized key: "extra"/,
  ],
  [
    'belongs to another effect',
    (file) => edit(file, (value) => ({ ...value, effectId: '01KX' })),
    /effectId is 01KX, expected 01/,
  ],
  [
    'is for another operation than its task',
    (file) => edit(file, (value) => ({ ...value, operation: 'test' })),
    /is for test, its task\.json for note/,
  ],
  [
    "fails the operation's schema",
    (file) => edit(file, (value) => ({ ...value, input: { name: 1 } })),
    /input\.name: Invalid input: expected string/,
  ],
];

const BAD_TASKS: [string, (file: string) => void, RegExp][] = [
  ['is not JSON', (file) => writeFileSync(file, '{'), /task\.json is not JSON/],
  ['is missing', (file) => rmSync(file), /task\.json is missing/],
  [
    'has an unknown schemaVersion',
    (file) => edit(file, (value) => ({ ...value, schemaVersion: '2031.01.tasks-v9' })),
    /schemaVersion is 2031\.01\.tasks-v9, expected 2026\.01\.tasks-v1/,
  ],
  [
    'asks for an operation that does not exist',
    (file) =>
      edit(file, (value) => ({
        ...value,
        skill: { name: 'websocket', context: { operation: 'nota' } },
      })),
    /for note, its task\.json for nota/,
  ],
];

const BAD_RUNS: [string, (runDir: string) => void, RegExp][] = [
  ['no run.json', (dir) => rmSync(path.join(dir, 'run.json')), /no run\.json/],
  [
    'a run.json that is not JSON',
    (dir) => writeFileSync(path.join(dir, 'run.json'), 'hello'),
    /run\.json cannot be read/,
  ],
  [
    'the run.json of something else',
    (dir) => writeFileSync(path.join(dir, 'run.json'), '{"name":"x"}'),
    /runId is missing or wrong/,
  ],
  [
    'an unknown layout',
    (dir) =>
      edit(path.join(dir, 'run.json'), (value) => ({ ...value, layoutVersion: '2031.01-storage' })),
    /layoutVersion is 2031\.01-storage, expected 2026\.01-storage-preview/,
  ],
];

/** Both ways of executing an effect, each expected to refuse with `code` and to change nothing. */
async function expectRefused(notes: NoteRun, code: string, message: RegExp): Promise<void> {
  const before = snapshot(notes.runDir);
  const [effectId = '01KX'] = notes.effectIds();
  const ways = [
    async () => await notes.resume(),
    async () => await runTask({ runDir: notes.runDir, effectId }, context(), noteOperations),
  ];
  for (const way of ways) {
    const error: unknown = await way().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'UsageError', code });
    expect((error as Error).message).toMatch(message);
    // A run that can never end says how to end it.
    const end = `npx --no -- babysitter task:post ${notes.runDir} ${effectId} --status error`;
    if (code === 'WSK_ERR_BAD_TASK_INPUT') expect((error as UsageError).hint).toContain(end);
    expect(snapshot(notes.runDir)).toEqual(before);
  }
  expect(notes.executions()).toEqual([]);
}

describe('nothing is executed or changed', () => {
  it.each(BAD_INPUTS)('when input.json %s', async (_, spoil, message) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    spoil(notes.taskFile(notes.effectIds()[0] ?? '', 'input.json'));
    await expectRefused(notes, 'WSK_ERR_BAD_TASK_INPUT', message);
  });

  it.each(BAD_TASKS)('when task.json %s', async (_, spoil, message) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    spoil(notes.taskFile(notes.effectIds()[0] ?? '', 'task.json'));
    await expectRefused(notes, 'WSK_ERR_BAD_TASK_INPUT', message);
  });

  it.each(BAD_RUNS)('in a folder with %s', async (_, spoil, message) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    spoil(notes.runDir);
    await expectRefused(notes, 'WSK_ERR_NOT_A_RUN', message);
  });

  it('in a folder that does not exist, which is not made', async () => {
    const root = temporaryFolder();
    const runDir = path.join(root, 'none');
    for (const way of [
      () => resumeRun({ runDir }, context(), noteOperations),
      () => runTask({ runDir, effectId: 'x' }, context(), noteOperations),
    ]) {
      await expect(way()).rejects.toMatchObject({ code: 'WSK_ERR_NOT_A_RUN' });
    }
    expect(snapshot(root)).toEqual({});
  });

  it('in a run whose creation was killed, as its inputs may be lost', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    rmSync(path.join(notes.runDir, 'journal'), { recursive: true });
    rmSync(path.join(notes.runDir, 'inputs.json'));
    const before = snapshot(notes.runDir);
    await expect(notes.resume()).rejects.toMatchObject({
      code: 'WSK_ERR_NOT_A_RUN',
      message: expect.stringContaining('was not completely created') as string,
    });
    expect(snapshot(notes.runDir)).toEqual(before);
  });
});

it.each(['../../../elsewhere', '-rf', ''])('refuses the effect id %j of a journal', async (id) => {
  const notes = new NoteRun();
  await requestFirst(notes);
  const [, event = ''] = readdirSync(path.join(notes.runDir, 'journal')).sort();
  edit(path.join(notes.runDir, 'journal', event), (value) => ({
    ...value,
    data: { ...(value['data'] as Json), effectId: id },
  }));
  const before = snapshot(notes.runDir);
  await expect(notes.resume()).rejects.toMatchObject({
    code: 'WSK_ERR_RUN_FAILED',
    message: expect.stringContaining(`an effect with the id ${JSON.stringify(id)}`) as string,
    hint: expect.stringContaining('start a new run') as string,
  });
  expect(snapshot(notes.runDir)).toEqual(before);
});

it('says how to repair a damaged journal, and leaves the repair to its owner', async () => {
  const notes = new NoteRun();
  await requestFirst(notes);
  const [event = ''] = readdirSync(path.join(notes.runDir, 'journal'));
  writeFileSync(path.join(notes.runDir, 'journal', event), '{"type":');
  const before = snapshot(notes.runDir);
  await expect(notes.resume()).rejects.toMatchObject({
    name: 'EnvironmentError',
    code: 'WSK_ERR_RUN_FAILED',
    hint: `repair it with: npx --no -- babysitter run:repair-journal ${notes.runDir}; if that fails, start a new run`,
  });
  expect(snapshot(notes.runDir)).toEqual(before);
});

it('finishes the creation of a run that has its inputs', async () => {
  const notes = new NoteRun();
  await requestFirst(notes);
  rmSync(path.join(notes.runDir, 'journal'), { recursive: true });
  rmSync(path.join(notes.runDir, 'tasks'), { recursive: true });
  mkdirSync(path.join(notes.runDir, 'tasks'));
  expect(await notes.resume()).toMatchObject({ status: 'passed' });
  expect(notes.journal()[0]).toMatchObject({
    type: 'RUN_CREATED',
    data: { runId: 'r1', processId: 'notes', inputsRef: 'inputs.json' },
  });
});

describe('run-task', () => {
  it('refuses an effect that the run does not have and names the nearest', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    const [effectId = ''] = notes.effectIds();
    const before = snapshot(notes.runDir);
    const wrong = `${effectId.slice(0, -1)}_`;
    await expect(
      runTask({ runDir: notes.runDir, effectId: wrong }, context(), noteOperations),
    ).rejects.toMatchObject({
      name: 'UsageError',
      code: 'WSK_ERR_UNKNOWN_EFFECT',
      hint: `did you mean ${effectId}?`,
    });
    expect(snapshot(notes.runDir)).toEqual(before);
  });

  it('refuses an effect that is not ours and says how it is posted', async () => {
    const notes = new NoteRun();
    await notes.run(`${notesFile}#mixed`);
    const [, effectId = ''] = notes.effectIds();
    const before = snapshot(notes.runDir);
    await expect(
      runTask({ runDir: notes.runDir, effectId }, context(), noteOperations),
    ).rejects.toMatchObject({
      code: 'WSK_ERR_UNKNOWN_EFFECT',
      hint: expect.stringContaining('babysitter task:post') as string,
    });
    expect(snapshot(notes.runDir)).toEqual(before);
  });
});

describe('a fault of the environment is an error about the run, not a bug', () => {
  const ways = {
    resume: async (notes: NoteRun) => await notes.resume(),
    'run-task': async (notes: NoteRun, effectId: string) =>
      await runTask({ runDir: notes.runDir, effectId }, context(), noteOperations),
  } as const;

  async function faultOf(way: keyof typeof ways, notes: NoteRun): Promise<EnvironmentError> {
    // Before the journal is spoiled the effect was requested.
    const effectId = readdirSync(path.join(notes.runDir, 'tasks'))[0] ?? '';
    const error: unknown = await ways[way](notes, effectId).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'EnvironmentError' });
    return error as EnvironmentError;
  }

  it.each(['resume', 'run-task'] as const)('%s: result.json is a folder', async (way) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    mkdirSync(notes.taskFile(notes.effectIds()[0] ?? '', 'result.json'));
    expect((await faultOf(way, notes)).message).toMatch(/run .*EISDIR/);
  });

  it.each([
    ['../../../outside.json', undefined],
    ['link.json', 'outside.json'],
  ])('a result refers to %s, outside of the run folder', async (resultRef, link) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    writeFileSync(path.join(notes.root, 'outside.json'), '{"secret":1}');
    if (link !== undefined) {
      symlinkSync(path.join(notes.root, link), path.join(notes.runDir, resultRef));
    }
    const effectId = notes.effectIds()[0] ?? '';
    const invocationKey = notes.journal().find(({ type }) => type === 'EFFECT_REQUESTED')?.data[
      'invocationKey'
    ];
    const stored = { schemaVersion: '2026.01.results-v1', effectId, invocationKey, status: 'ok' };
    writeFileSync(
      notes.taskFile(effectId, 'result.json'),
      JSON.stringify({ ...stored, resultRef }),
    );
    const error = await faultOf('resume', notes);
    expect(error.message).toContain(`refers to ${resultRef}, which is outside of the run folder`);
    expect(error.hint).toMatch(/cannot go on like this/);
    expect(notes.executions()).toEqual([]);
  });

  it('run.lock is held by a program that lives: it is named', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    const lock = { pid: process.ppid, owner: 'babysitter', acquiredAt: new Date().toISOString() };
    writeFileSync(path.join(notes.runDir, 'run.lock'), JSON.stringify(lock));
    const error = await faultOf('run-task', notes);
    expect(error.message).toContain(`already held by pid ${process.ppid} (babysitter)`);
    expect(error.hint).toMatch(new RegExp(`wait for process ${process.ppid} or end it`));
  }, 30_000);

  it('the journal has a gap', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    const [first = ''] = readdirSync(path.join(notes.runDir, 'journal')).sort();
    rmSync(path.join(notes.runDir, 'journal', first));
    const error = await faultOf('run-task', notes);
    expect(error).toMatchObject({ code: 'WSK_ERR_RUN_FAILED' });
    expect(error.hint).toMatch(/repair-journal/);
  });
});

requirement('a full disk', cannotMount)('a full disk', () => {
  it('is an error about the run', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    const disk = smallDisk(64 * 1024);
    const runDir = path.join(disk, 'r1');
    cpSync(notes.runDir, runDir, { recursive: true });
    const room = statfsSync(disk);
    writeFileSync(path.join(disk, 'rest'), Buffer.alloc(room.bavail * room.bsize));
    await expect(resumeRun({ runDir }, context(), noteOperations)).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_OUTPUT_NOT_WRITABLE',
      message: expect.stringMatching(/^run .*ENOSPC/) as string,
    });
  });
});
