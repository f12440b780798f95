import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NoteRun, notesFile, snapshot } from '../../support/note-runs.ts';

describe('a run that needs nobody else', () => {
  it('executes its effects in order and reports the output of the process', async () => {
    const notes = new NoteRun({ names: ['one', 'two'] });
    const report = await notes.run();
    expect(report).toMatchObject({ status: 'passed', success: true, runStatus: 'completed' });
    expect(report.output).toMatchObject({ success: true, reports: [{ name: 'one' }, {}] });
    expect(report.effects.map(({ taskId, how }) => [taskId, how])).toEqual([
      ['websocket/note', 'executed'],
      ['websocket/note', 'executed'],
    ]);
    expect(notes.executions()).toEqual(['one', 'two']);
  });

  it('executes the effects of a parallel step once each', async () => {
    const notes = new NoteRun({ names: ['one', 'two', 'three'] });
    const report = await notes.run(`${notesFile}#parallel`);
    expect(report.status).toBe('passed');
    expect(notes.executions()).toEqual(['one', 'two', 'three']);
  });

  it('leaves input.json, result.json and the progress of each task in its folder', async () => {
    const notes = new NoteRun();
    await notes.run();
    const [effectId = ''] = notes.effectIds();
    const read = (name: string): string => readFileSync(notes.taskFile(effectId, name), 'utf8');
    expect(JSON.parse(read('input.json'))).toMatchObject({
      schemaVersion: 'websocket-skill.task-input.v1',
      effectId,
      operation: 'note',
      cwd: process.cwd(),
      input: { name: 'one', limit: 104_857_600, outcome: 'passed' },
    });
    expect(JSON.parse(read('result.json'))).toMatchObject({
      status: 'ok',
      result: { operation: 'note', success: true, cwd: process.cwd() },
    });
    expect(read('stderr.log')).toMatch(/^\+\d\.\ds note one 1\/1\n$/);
  });

  it('is failed when its process says success: false, though every task was executed', async () => {
    const notes = new NoteRun({ names: ['one', 'two'], outcomes: { one: 'failed' } });
    const report = await notes.run();
    expect(report).toMatchObject({ status: 'failed', success: false, runStatus: 'completed' });
    expect(report.effects.map(({ status }) => status)).toEqual(['failed', 'passed']);
  });
});

describe('a run in which a task raises an error', () => {
  it('fails with the code and the hint of what was raised', async () => {
    const notes = new NoteRun({ outcomes: { one: 'environment' } });
    const report = await notes.run();
    expect(report).toMatchObject({ status: 'failed', success: false, runStatus: 'failed' });
    expect(report.error).toEqual({
      name: 'EnvironmentError',
      message: 'nothing listens at ws://127.0.0.1:1',
      code: 'WSK_ERR_REFUSED',
      hint: 'start the server',
    });
  });

  it('commits a usage error as the result of the task, too', async () => {
    const report = await new NoteRun({ outcomes: { one: 'usage' } }).run();
    expect(report.error).toMatchObject({ code: 'WSK_ERR_FILE_EXISTS', hint: 'use --force' });
  });

  it('lets a process catch the error and read its code', async () => {
    const report = await new NoteRun().run(`${notesFile}#forgiving`);
    expect(report.status).toBe('passed');
    expect(report.output).toMatchObject({ caught: { data: { code: 'WSK_ERR_REFUSED' } } });
  });

  it('reports the error of a process that fails by itself', async () => {
    const report = await new NoteRun().run(`${notesFile}#broken`);
    expect(report).toMatchObject({ status: 'failed', error: { message: 'the process is broken' } });
  });

  it('leaves the effect pending when an operation breaks through a bug', async () => {
    const notes = new NoteRun({ outcomes: { one: 'bug' } });
    await expect(notes.run()).rejects.toThrow(TypeError);
    expect(notes.journal().map(({ type }) => type)).toEqual(['RUN_CREATED', 'EFFECT_REQUESTED']);
  });
});

describe('a run that has ended', () => {
  it.each([
    ['completed', notesFile, 'passed'],
    ['failed', `${notesFile}#broken`, 'failed'],
  ])('is reported as %s by resume and not changed', async (runStatus, process, status) => {
    const notes = new NoteRun();
    const first = await notes.run(process);
    const before = snapshot(notes.runDir);
    const again = await notes.resume();
    expect(again).toMatchObject({ operation: 'resume', runStatus, status, effects: [] });
    expect(again.output).toEqual(first.output);
    expect(again.error).toEqual(first.error);
    expect(snapshot(notes.runDir)).toEqual(before);
  });
});

describe('a run that waits for others', () => {
  it('stops at a foreign effect and says how its result is posted', async () => {
    const notes = new NoteRun();
    const report = await notes.run(`${notesFile}#mixed`);
    expect(report).toMatchObject({ status: 'waiting', success: false, runStatus: 'waiting' });
    const [, agentId = ''] = notes.effectIds();
    expect(report.pending).toEqual([
      {
        effectId: agentId,
        kind: 'agent',
        taskId: 'fixture/agent',
        title: 'Think about it',
        reason: null,
        post: `npx --no -- babysitter task:post ${notes.runDir} ${agentId} --status ok --value-inline '<json>'`,
        fail: `npx --no -- babysitter task:post ${notes.runDir} ${agentId} --status error`,
      },
    ]);
    expect(notes.executions()).toEqual(['first']);
  });

  it('waits again when resumed too early, without executing anything twice', async () => {
    const notes = new NoteRun();
    await notes.run(`${notesFile}#mixed`);
    const before = notes.journal();
    expect(await notes.resume()).toMatchObject({ status: 'waiting', effects: [] });
    expect(notes.journal()).toEqual(before);
    expect(notes.executions()).toEqual(['first']);
  });
});

describe('an interrupted run', () => {
  it('keeps the partial report, commits nothing and goes on when resumed', async () => {
    const notes = new NoteRun({ names: ['one', 'two'], sleepMs: 60_000 });
    const controller = new AbortController();
    const report = await notes.run(notesFile, {
      signal: controller.signal,
      emit: ({ stage }) => {
        if (stage === 'note one') controller.abort();
      },
    });
    expect(report).toMatchObject({ status: 'interrupted', success: false, effects: [] });
    expect(report.partial).toMatchObject({ operation: 'note', status: 'interrupted' });
    expect(notes.journal().map(({ type }) => type)).toEqual(['RUN_CREATED', 'EFFECT_REQUESTED']);

    const [effectId = ''] = notes.effectIds();
    const file = notes.taskFile(effectId, 'input.json');
    const input = JSON.parse(readFileSync(file, 'utf8')) as { input: { sleepMs: number } };
    input.input.sleepMs = 0;
    writeFileSync(file, JSON.stringify(input));
    const next = new AbortController();
    const resumed = await notes.resume({
      signal: next.signal,
      emit: ({ stage }) => {
        if (stage === 'note two') next.abort();
      },
    });
    expect(resumed).toMatchObject({ status: 'interrupted', effects: [{ status: 'passed' }] });
    expect(notes.executions()).toEqual(['one', 'one', 'two']);
  });
});
