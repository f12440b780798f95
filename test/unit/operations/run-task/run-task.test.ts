import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { runTask } from '../../../../src/operations/run-task/run-task.ts';
import {
  context,
  noteOperations,
  NoteRun,
  requestFirst,
  snapshot,
} from '../../../support/note-runs.ts';

async function requested(inputs: Record<string, unknown> = {}) {
  const notes = new NoteRun(inputs);
  await requestFirst(notes);
  const [effectId = ''] = notes.effectIds();
  const run = async (changes = {}) =>
    await runTask({ runDir: notes.runDir, effectId }, context(changes), noteOperations);
  return { notes, effectId, run };
}

it('executes the effect, posts its result and leaves the process to the next iteration', async () => {
  const { notes, effectId, run } = await requested();
  expect(await run()).toMatchObject({
    operation: 'run-task',
    status: 'passed',
    success: true,
    effectId,
    taskId: 'websocket/note',
    how: 'executed',
    resultFile: `tasks/${effectId}/result.json`,
    result: { operation: 'note', name: 'one' },
    error: null,
  });
  expect(notes.journal().map(({ type }) => type)).toEqual([
    'RUN_CREATED',
    'EFFECT_REQUESTED',
    'EFFECT_RESOLVED',
  ]);
  expect(await notes.resume()).toMatchObject({ status: 'passed', effects: [] });
});

it('posts a failed check as an ok result and fails', async () => {
  const { notes, effectId, run } = await requested({ outcomes: { one: 'failed' } });
  expect(await run()).toMatchObject({ status: 'failed', success: false, error: null });
  const result: unknown = JSON.parse(readFileSync(notes.taskFile(effectId, 'result.json'), 'utf8'));
  expect(result).toMatchObject({ status: 'ok', value: { success: false } });
});

it('posts an error result when the world fails', async () => {
  const { notes, effectId, run } = await requested({ outcomes: { one: 'environment' } });
  const error = { name: 'EnvironmentError', code: 'WSK_ERR_REFUSED', hint: 'start the server' };
  expect(await run()).toMatchObject({ status: 'failed', success: false, result: null, error });
  const result: unknown = JSON.parse(readFileSync(notes.taskFile(effectId, 'result.json'), 'utf8'));
  expect(result).toMatchObject({ status: 'error', error: { data: { code: 'WSK_ERR_REFUSED' } } });
});

it.each([
  ['passed', null],
  ['failed', null],
  ['environment', 'WSK_ERR_REFUSED'],
])(
  'reports a resolved effect as it ended (%s) and does not execute it again',
  async (one, code) => {
    const { notes, run } = await requested({ outcomes: { one } });
    const first = await run();
    const again = await run();
    expect(again).toEqual({ ...first, how: 'already-done' });
    expect(again.error?.code ?? null).toBe(code);
    expect(notes.executions()).toEqual(['one']);
  },
);

it('posts nothing when it is interrupted', async () => {
  const { notes, effectId, run } = await requested({ sleepMs: 60_000 });
  const controller = new AbortController();
  const report = await run({ signal: controller.signal, emit: () => controller.abort() });
  expect(report).toMatchObject({ status: 'interrupted', success: false, resultFile: null });
  expect(report.result).toMatchObject({ status: 'interrupted' });
  expect(existsSync(notes.taskFile(effectId, 'result.json'))).toBe(false);
  expect(existsSync(notes.taskFile(effectId, 'output.json'))).toBe(false);
  expect(notes.journal().map(({ type }) => type)).toEqual(['RUN_CREATED', 'EFFECT_REQUESTED']);
});

it.each(['input.json', 'output.json', 'output.json.tmp', 'result.json', 'stdout.log', '.'])(
  'writes nothing through a symbolic link in place of tasks/<effectId>/%s',
  async (name) => {
    const { notes, effectId, run } = await requested();
    const elsewhere = path.join(notes.root, 'elsewhere');
    const link = path.join(notes.taskFile(effectId, '.'), name);
    if (name === '.') renameSync(link, elsewhere);
    else {
      writeFileSync(elsewhere, 'mine');
      rmSync(link, { force: true });
    }
    symlinkSync(elsewhere, link);
    const before = snapshot(notes.root);
    const linked = path.join('tasks', effectId, name);
    await expect(run()).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_OUTPUT_NOT_WRITABLE',
      message: `run ${notes.runDir}: ${linked} is a symbolic link, which is not written through`,
    });
    expect(snapshot(notes.root)).toEqual(before);
    expect(notes.executions()).toEqual([]);
  },
);

it('posts nothing through a symbolic link that the operation itself has put there', async () => {
  const { notes, effectId, run } = await requested();
  const elsewhere = path.join(notes.root, 'elsewhere');
  writeFileSync(elsewhere, 'mine');
  const emit = (): void => {
    const link = notes.taskFile(effectId, 'result.json');
    if (!existsSync(link)) symlinkSync(elsewhere, link);
  };
  await expect(run({ emit })).rejects.toMatchObject({ code: 'WSK_ERR_OUTPUT_NOT_WRITABLE' });
  expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
});
