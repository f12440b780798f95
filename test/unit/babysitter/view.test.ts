import { expect, it } from 'vitest';
import type { RunReport } from '../../../src/babysitter/schema.ts';
import { viewRun } from '../../../src/babysitter/view.ts';
import { viewRunTask } from '../../../src/operations/run-task/view.ts';

const waiting: RunReport = {
  operation: 'run',
  status: 'waiting',
  success: false,
  runId: 'r1',
  runDir: '/runs/r1',
  process: 'p',
  runStatus: 'waiting',
  output: null,
  error: null,
  effects: [
    { effectId: '1', taskId: 'websocket/test', status: 'failed', how: 'executed', durationMs: 1.6 },
  ],
  pending: [
    {
      effectId: '2',
      kind: 'agent',
      taskId: 'a',
      title: 'Think',
      reason: null,
      post: 'babysitter task:post …',
      fail: 'babysitter task:post … error',
    },
  ],
};

it('shows what was executed, what waits for whom, and what to do next', () => {
  expect(viewRun(waiting)).toEqual({
    title: 'run p',
    facts: [
      ['run', 'r1'],
      ['folder', '/runs/r1'],
      ['run status', 'waiting'],
    ],
    table: {
      columns: ['task', 'result', 'how', 'ms'],
      rows: [['websocket/test', 'fail', 'executed', '2']],
    },
    notes: [
      'waits for agent 2: Think',
      '  post it: babysitter task:post …',
      'resume it with: websocket-skill resume /runs/r1',
    ],
  });
});

it('says of an effect that nobody may be able to resolve why, and how to end the wait', () => {
  const pending = waiting.pending.map((effect) => ({ ...effect, reason: 'no operation "x"' }));
  expect(viewRun({ ...waiting, pending }).notes).toEqual([
    'waits for agent 2: Think',
    '  cannot be executed here: no operation "x"',
    '  post it: babysitter task:post …',
    '  if nobody can do it, post an error: babysitter task:post … error',
    'resume it with: websocket-skill resume /runs/r1',
  ]);
});

it('shows the plain values of the output and the file that has all of it', () => {
  const output = { success: true, projectName: 'chat', artifacts: [] };
  const { facts } = viewRun({ ...waiting, status: 'passed', output, pending: [] });
  expect(facts?.slice(3)).toEqual([
    ['success', 'true'],
    ['projectName', 'chat'],
    ['output', '/runs/r1/state/output.json'],
  ]);
});

it('shows an error with its code and its hint', () => {
  const error = {
    name: 'EnvironmentError',
    message: 'refused',
    code: 'WSK_ERR_REFUSED',
    hint: 'x',
  };
  const { notes } = viewRun({ ...waiting, status: 'failed', error, pending: [] });
  expect(notes).toEqual(['WSK_ERR_REFUSED: refused', 'hint: x']);
});

it('says of a task that its effect is still pending when nothing was posted', () => {
  const { runId, runDir } = waiting;
  const { facts } = viewRunTask({
    operation: 'run-task',
    status: 'interrupted',
    success: false,
    runId,
    runDir,
    effectId: '1',
    taskId: 'websocket/test',
    how: 'executed',
    resultFile: null,
    result: null,
    error: null,
  });
  expect(facts?.at(-1)).toEqual(['result', 'not posted, the effect is still pending']);
});
