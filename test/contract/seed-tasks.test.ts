import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resumeRun } from '../../src/operations/resume/resume.ts';
import { runProcess } from '../../src/operations/run/run.ts';
import { runTask } from '../../src/operations/run-task/run-task.ts';
import { context } from '../support/note-runs.ts';
import { babysitter, websocketSkill } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const file = fileURLToPath(new URL('../fixtures/babysitter/seed-tasks.mjs', import.meta.url));

/** A run of one of the processes above, in a folder of its own. */
class Desk {
  readonly cwd = temporaryFolder();
  readonly runDir = path.join(this.cwd, 'runs', 'r1');

  async run(process: 'any' | 'foreign', inputs: object) {
    writeFileSync(path.join(this.cwd, 'inputs.json'), JSON.stringify(inputs));
    const names = { inputs: 'inputs.json', runsDir: 'runs', runId: 'r1' };
    return await runProcess({ process: `${file}#${process}`, ...names }, context(this));
  }

  async resume() {
    return await resumeRun({ runDir: this.runDir }, context());
  }

  read(name: string): unknown {
    return JSON.parse(readFileSync(path.join(this.cwd, name), 'utf8'));
  }
}

/** What the process that failed while it was asking for its task says. */
async function failureOf(desk: Desk, inputs: object) {
  const report = await desk.run('any', inputs);
  expect(report).toMatchObject({ runStatus: 'failed', effects: [] });
  return report.error?.message;
}

const SEED = {
  language: 'nodejs',
  port: 8080,
  subprotocols: ['graphql-ws', 'wamp.2.json'],
  compression: true,
  maxPayload: 104_857_600,
};

describe('websocketTask', () => {
  it('executes the example of the seed documents', async () => {
    const desk = new Desk();
    const report = await desk.run('any', { operation: 'generate-server', config: SEED });
    expect(report).toMatchObject({ status: 'passed', error: null });
    expect(report.effects).toMatchObject([{ taskId: 'websocket/any', how: 'executed' }]);
    expect(desk.read('echo-server/.wsgen.json')).toMatchObject({
      answers: { ...SEED, compression: 'permessage-deflate' },
    });
  });

  it('takes every other operation', async () => {
    const desk = new Desk();
    mkdirSync(path.join(desk.cwd, 'none'));
    const config = { project: 'none' };
    for (const operation of ['test', 'benchmark', 'autobahn-test', 'validate-handshake']) {
      const { error } = await new Desk().run('any', { operation, config });
      expect(error).toMatchObject({ code: 'WSK_ERR_NOT_A_PROJECT' });
    }
  });

  it.each([
    [{ operation: 'generate-sever' }, 'operation is "generate-sever", expected one of'],
    [{}, 'operation is missing, expected one of generate-server'],
    [{ operation: 'test', port: 1 }, 'unknown argument "port"'],
    [{ operation: 'test', config: 7 }, 'config is 7, expected the input of the operation'],
    [{ operation: 'generate-server', config: { prot: 1 } }, 'unknown argument "prot"'],
    [
      { operation: 'generate-server', config: { language: 'cobol' } },
      'language is "cobol", expected one of nodejs',
    ],
    [
      { operation: 'generate-server', config: { features: ['ping-pong', 'sharding'] } },
      'features holds "sharding", expected one of rooms',
    ],
  ])('refuses %j by name', async (inputs, message) => {
    expect(await failureOf(new Desk(), inputs)).toContain(message);
  });
});

describe('a task of another package that names the skill', () => {
  const CONTEXT = {
    operation: 'generate-server',
    language: 'nodejs',
    port: 9090,
    features: ['ping-pong', 'compression'],
    subprotocols: [],
  };

  it('is executed with the input of its context, which is kept as input.json', async () => {
    const desk = new Desk();
    const report = await desk.run('foreign', { context: CONTEXT });
    expect(report).toMatchObject({ status: 'passed', error: null });
    expect(desk.read('echo-server/.wsgen.json')).toMatchObject({ answers: { port: 9090 } });
    const [effect] = report.effects;
    const folder = path.join('runs', 'r1', 'tasks', effect?.effectId ?? '');
    expect(desk.read(path.join(folder, 'input.json'))).toMatchObject({
      operation: 'generate-server',
      cwd: desk.cwd,
      input: { port: 9090, compression: 'permessage-deflate' },
    });
    expect(desk.read(path.join(folder, 'result.json'))).toMatchObject({
      status: 'ok',
      result: { operation: 'generate-server', success: true },
    });
  });

  it('is executed by the program itself, which loads the process as the SDK does', async () => {
    const desk = new Desk();
    writeFileSync(path.join(desk.cwd, 'inputs.json'), JSON.stringify({ context: CONTEXT }));
    const words = ['run', `${file}#foreign`, '--inputs', 'inputs.json', '--json'];
    const ended = await websocketSkill(words, { cwd: desk.cwd });
    expect(ended.code, ended.stdout).toBe(0);
    expect(desk.read('echo-server/.wsgen.json')).toMatchObject({ answers: { port: 9090 } });
  });

  it('is executed by run-task, too, below the settings of its folder', async () => {
    const desk = new Desk();
    mkdirSync(path.join(desk.cwd, '.babysitter', 'skills'), { recursive: true });
    const yaml = path.join(desk.cwd, '.babysitter', 'skills', 'websocket.yaml');
    writeFileSync(yaml, 'websocket:\n  maxPayload: 2000\n');
    writeFileSync(path.join(desk.cwd, 'inputs.json'), JSON.stringify({ context: CONTEXT }));
    const create = ['run:create', '--process-id', 'seed', '--entry', `${file}#foreign`];
    const names = ['--inputs', 'inputs.json', '--run-id', 'r1', '--runs-dir', 'runs'];
    await babysitter([...create, ...names], { cwd: desk.cwd });
    await babysitter(['run:iterate', 'r1', '--runs-dir', 'runs'], { cwd: desk.cwd });
    const listed = await babysitter(['task:list', 'r1', '--runs-dir', 'runs'], { cwd: desk.cwd });
    const [{ effectId }] = listed['tasks'] as [{ effectId: string }];
    const task = await runTask({ runDir: desk.runDir, effectId }, context({ cwd: desk.cwd }));
    expect(task).toMatchObject({ status: 'passed', how: 'executed' });
    expect(desk.read('echo-server/.wsgen.json')).toMatchObject({ answers: { maxPayload: 2000 } });
    expect(await desk.resume()).toMatchObject({ status: 'passed' });
  });

  it.each([
    [{ prot: 8080 }, 'unknown argument "prot"', /^did you mean port\?/],
    [{ port: '8080' }, 'port is "8080", expected a whole number', /^nothing was executed/],
    [{ language: 'cobol' }, 'language is "cobol", expected one of nodejs', /nothing was executed/],
    [
      { features: ['sharding'] },
      'features holds "sharding", expected one of',
      /nothing was executed/,
    ],
  ])('is refused by name for %j, until someone posts an error', async (wrong, message, hint) => {
    const desk = new Desk();
    await expect(desk.run('foreign', { context: { ...CONTEXT, ...wrong } })).rejects.toMatchObject({
      name: 'UsageError',
      code: 'WSK_ERR_BAD_TASK_INPUT',
      message: expect.stringContaining(message) as string,
      hint: expect.stringMatching(hint) as string,
    });
    expect(existsSync(path.join(desk.cwd, 'echo-server'))).toBe(false);
    const { hint: advice } = (await desk.resume().catch((error: unknown) => error)) as {
      hint: string;
    };
    const words = /babysitter (task:post \S+ \S+ --status error)/.exec(advice)?.[1]?.split(' ');
    // The SDK's program commits the error and ends with 1 for it.
    await expect(babysitter(words ?? [], { cwd: desk.cwd })).rejects.toThrow('exit 1');
    expect(await desk.resume()).toMatchObject({ runStatus: 'failed', pending: [] });
  });

  it.each([
    [{ context: { operation: 'generate-bridge' } }, 'there is no operation "generate-bridge"; '],
    [{ context: { language: 'nodejs' } }, 'its skill.context names no operation'],
    [{ context: CONTEXT, skill: 'grpc-protocol' }, null],
  ])('stays pending for %j', async (inputs, reason) => {
    const desk = new Desk();
    const report = await desk.run('foreign', inputs);
    expect(report).toMatchObject({ status: 'waiting', effects: [], pending: [{ kind: 'skill' }] });
    const [pending] = report.pending;
    if (reason === null) expect(pending?.reason).toBeNull();
    else expect(pending?.reason).toContain(reason);
    const words = pending?.post
      .replace("'<json>'", '{"done":true}')
      .replace(/^.*babysitter /, '')
      .split(' ');
    await babysitter(words ?? [], { cwd: desk.cwd });
    expect(await desk.resume()).toMatchObject({ output: { report: { done: true } } });
  });
});
