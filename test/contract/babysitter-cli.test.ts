import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { RunReport } from '../../src/babysitter/schema.ts';
import { RunTaskReport } from '../../src/operations/run-task/schema.ts';
import { babysitter, websocketSkill } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Task {
  readonly effectId: string;
  readonly taskId: string;
  readonly kind: string;
  readonly status: string;
}

/** A folder in which both programs work on one run, each as a user would call it. */
class Desk {
  readonly cwd = temporaryFolder();
  readonly runDir = path.join(this.cwd, '.a5c', 'runs', 'r1');

  async babysitter(...args: string[]): Promise<Record<string, unknown>> {
    return await babysitter(args, { cwd: this.cwd });
  }

  /** Runs our program, which has to exit with `code`, and reads its report. */
  async ours(code: number, ...args: string[]): Promise<unknown> {
    const ended = await websocketSkill([...args, '--json'], { cwd: this.cwd });
    expect(ended.code, ended.stderr).toBe(code);
    return JSON.parse(ended.stdout) as unknown;
  }

  async resume(): Promise<RunReport> {
    return RunReport.parse(await this.ours(0, 'resume', this.runDir));
  }

  async pending(): Promise<Task[]> {
    return (await this.babysitter('task:list', 'r1', '--pending'))['tasks'] as Task[];
  }

  async post(task: Task | undefined, value: object): Promise<void> {
    const json = JSON.stringify(value);
    const effect = task?.effectId ?? '';
    await this.babysitter('task:post', 'r1', effect, '--status', 'ok', '--value-inline', json);
  }

  write(name: string, value: object): string {
    writeFileSync(path.join(this.cwd, name), JSON.stringify(value));
    return name;
  }
}

/** Creates the run with the babysitter program, not with ours. */
async function createdByBabysitter(inputs: object, process = 'websocket-server'): Promise<Desk> {
  const desk = new Desk();
  await desk.babysitter(
    'run:create',
    ...['--process-id', process, '--run-id', 'r1'],
    ...['--entry', `${root}/dist/processes/${process}.js#process`],
    ...['--inputs', desk.write('inputs.json', inputs)],
  );
  return desk;
}

describe('a run that the babysitter program created', () => {
  it('is driven to its end together with an agent and a reviewer', async () => {
    const desk = await createdByBabysitter({
      projectName: 'Echo Me',
      type: 'echo',
      outputDir: 'echo',
      autobahn: false,
      customHandlers: 'answer "ping" with "pong"',
      review: true,
    });
    expect(await desk.babysitter('run:iterate', 'r1')).toMatchObject({ status: 'waiting' });
    expect(await desk.pending()).toMatchObject([
      { taskId: 'websocket/generate-server', kind: 'skill', status: 'requested' },
    ]);

    const first = await desk.resume();
    expect(first).toMatchObject({ status: 'waiting', pending: [{ kind: 'agent' }] });
    expect(first.pending[0]?.title).toContain('answer "ping" with "pong"');
    expect(existsSync(path.join(desk.cwd, 'echo', 'package.json'))).toBe(true);

    const [agent] = await desk.pending();
    expect(agent).toMatchObject({ taskId: 'websocket/custom-handlers', kind: 'agent' });
    await desk.post(agent, { success: true, summary: 'done', filesChanged: [] });
    expect(await desk.resume()).toMatchObject({
      status: 'waiting',
      effects: [],
      pending: [{ kind: 'breakpoint' }],
    });

    await desk.post((await desk.pending())[0], { approved: true, response: 'looks good' });
    const last = await desk.resume();
    expect(last).toMatchObject({ status: 'passed', runStatus: 'completed', pending: [] });
    expect(last.output).toMatchObject({
      success: true,
      projectName: 'Echo Me',
      implementation: { customHandlers: { summary: 'done' } },
      testResults: { failures: [] },
      metadata: { approved: true },
    });
    expect(await desk.babysitter('run:status', 'r1')).toMatchObject({ state: 'completed' });
  });

  it('ends unsuccessful and untested when the reviewer says no', async () => {
    const desk = await createdByBabysitter({ type: 'echo', review: true });
    expect(await desk.resume()).toMatchObject({ pending: [{ kind: 'breakpoint' }] });
    await desk.post((await desk.pending())[0], { approved: false, response: 'no' });
    const report = RunReport.parse(await desk.ours(1, 'resume', desk.runDir));
    expect(report).toMatchObject({ status: 'failed', runStatus: 'completed', error: null });
    expect(report.output).toMatchObject({
      success: false,
      testResults: { totalTests: 0, passedTests: 0 },
      metadata: { approved: false },
    });
  });

  it('takes the result of run-task as its own', async () => {
    const desk = await createdByBabysitter({ type: 'echo', outputDir: 'echo' });
    await desk.babysitter('run:iterate', 'r1');
    const [task] = await desk.pending();
    const effectId = task?.effectId ?? '';
    const report = RunTaskReport.parse(await desk.ours(0, 'run-task', desk.runDir, effectId));
    expect(report).toMatchObject({ status: 'passed', taskId: 'websocket/generate-server' });
    expect(await desk.pending()).toEqual([]);
    await desk.babysitter('run:iterate', 'r1');
    expect(await desk.pending()).toMatchObject([{ taskId: 'websocket/validate-handshake' }]);
  });

  it('of websocket-client ends with every case passed', { timeout: 120_000 }, async () => {
    const desk = await createdByBabysitter({ type: 'pubsub', outputDir: 'c' }, 'websocket-client');
    expect(await desk.babysitter('run:iterate', 'r1')).toMatchObject({ status: 'waiting' });
    const report = await desk.resume();
    expect(report).toMatchObject({ status: 'passed', runStatus: 'completed', pending: [] });
    expect(report.output).toMatchObject({ success: true, testResults: { failures: [] } });
    expect(await desk.babysitter('run:status', 'r1')).toMatchObject({ state: 'completed' });
  });

  it('is told the command in the title of each task, and the command works', async () => {
    const desk = await createdByBabysitter({ type: 'echo', outputDir: 'echo' });
    await desk.babysitter('run:iterate', 'r1');
    const [task] = await desk.pending();
    const file = path.join(desk.runDir, 'tasks', task?.effectId ?? '', 'task.json');
    const { title } = JSON.parse(readFileSync(file, 'utf8')) as { title: string };
    const [, command = ''] = /: websocket-skill (run-task .*)$/.exec(title) ?? [];
    expect(await desk.ours(0, ...command.split(' '))).toMatchObject({ success: true });
  });
});

describe('a run that this package created', () => {
  it('is read and iterated by the babysitter program', async () => {
    const desk = new Desk();
    const inputs = desk.write('inputs.json', { type: 'echo', review: true });
    const args = ['websocket-server', '--inputs', inputs, '--run-id', 'r1'];
    expect(await desk.ours(0, 'run', ...args)).toMatchObject({ status: 'waiting', runId: 'r1' });
    expect(await desk.babysitter('run:status', 'r1')).toMatchObject({ state: 'waiting' });
    expect(await desk.babysitter('run:iterate', 'r1')).toMatchObject({ status: 'waiting' });
    await desk.post((await desk.pending())[0], { approved: true });
    await desk.babysitter('run:iterate', 'r1');
    expect(await desk.pending()).toMatchObject([{ taskId: 'websocket/validate-handshake' }]);
  });

  it('exits with 2 and one JSON document on stdout for bad input', async () => {
    const desk = new Desk();
    expect(await desk.ours(2, 'resume', '.')).toMatchObject({
      error: { name: 'UsageError', code: 'WSK_ERR_NOT_A_RUN' },
    });
    expect(await desk.ours(2, 'run', 'websocket-serve')).toMatchObject({
      error: { hint: expect.stringContaining('did you mean websocket-server?') as string },
    });
  });
});
