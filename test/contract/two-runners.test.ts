import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runTask } from '../../src/operations/run-task/run-task.ts';
import { thisProcess } from '../../src/babysitter/process-alive.ts';
import { context, noteOperations, NoteRun, notesFile, requestFirst } from '../support/note-runs.ts';
import { babysitter, runNode } from '../support/programs.ts';

const runner = fileURLToPath(new URL('../fixtures/babysitter/run-notes.mjs', import.meta.url));

const ENDED = ['RUN_CREATED', 'EFFECT_REQUESTED', 'EFFECT_RESOLVED', 'RUN_COMPLETED'];

it('several processes that resume one run execute each effect once and all see it end', async () => {
  const names = ['one', 'two', 'three'];
  const notes = new NoteRun({ names, sleepMs: 100 });
  await requestFirst(notes, `${notesFile}#parallel`);
  const ended = await Promise.all(
    [1, 2, 3].map(async () => await runNode([runner, 'resume', notes.runDir])),
  );
  for (const { code, stdout, stderr } of ended) {
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'passed', runStatus: 'completed' });
  }
  expect(notes.executions().sort()).toEqual([...names].sort());
  expect(notes.journal().map(({ type }) => type)).toEqual([
    ENDED[0],
    ...names.map(() => ENDED[1]),
    ...names.map(() => ENDED[2]),
    ENDED[3],
  ]);
}, 60_000);

it('a second run-task waits for the first and takes its result', async () => {
  const notes = new NoteRun({ sleepMs: 200 });
  await requestFirst(notes);
  const [effectId = ''] = notes.effectIds();
  const stages: string[] = [];
  const one = async () =>
    await runTask(
      { runDir: notes.runDir, effectId },
      context({ emit: ({ stage }) => stages.push(stage) }),
      noteOperations,
    );
  const reports = await Promise.all([one(), one()]);
  expect(reports.map(({ how }) => how).sort()).toEqual(['already-done', 'executed']);
  expect(stages).toContain('waiting for the other runner of websocket/note');
  expect(notes.executions()).toEqual(['one']);
});

it('a result that someone else posts meanwhile is taken as it is', async () => {
  const notes = new NoteRun();
  await requestFirst(notes);
  const [effectId = ''] = notes.effectIds();
  const value = JSON.stringify({ success: true, name: 'other' });
  const other = babysitter([
    'task:post',
    notes.runDir,
    effectId,
    '--status',
    'ok',
    '--value-inline',
    value,
  ]);
  // The operation lasts until the post is through: its own commit then comes second.
  const operation = await noteOperations.note.load();
  const slow = {
    ...operation,
    run: async (...args: Parameters<typeof operation.run>) => {
      const report = await operation.run(...args);
      await other;
      return report;
    },
  };
  const registry = { note: { ...noteOperations.note, load: () => Promise.resolve(slow) } };
  const report = await runTask({ runDir: notes.runDir, effectId }, context(), registry);
  expect(report).toMatchObject({
    how: 'already-done',
    status: 'passed',
    result: { name: 'other' },
  });
  expect(await notes.resume()).toMatchObject({ output: { reports: [{ name: 'other' }] } });
});

it('Ctrl-C ends the wait for a runner that lives', async () => {
  const notes = new NoteRun();
  await requestFirst(notes);
  const [effectId = ''] = notes.effectIds();
  const lock = notes.taskFile(effectId, 'websocket-skill.lock');
  mkdirSync(path.dirname(lock), { recursive: true });
  writeFileSync(lock, JSON.stringify(thisProcess()));
  const controller = new AbortController();
  const report = await notes.resume({
    signal: controller.signal,
    emit: ({ stage }) => {
      if (stage.startsWith('waiting')) controller.abort();
    },
  });
  expect(report).toMatchObject({ status: 'interrupted', effects: [] });
  expect(notes.executions()).toEqual([]);
});
