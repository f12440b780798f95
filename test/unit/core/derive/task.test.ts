import { expect, it } from 'vitest';
import { taskIdOf, toTaskDefinition } from '../../../../src/core/derive/task.ts';
import { sampleOperation } from '../../../support/sample-operation.ts';

it('ends the title with the whole command, quoted for a shell where it has to be', () => {
  const effect = { effectId: '01KX', runDir: "/my runs/it's" };
  expect(toTaskDefinition(sampleOperation, effect, { target: 'x' })).toEqual({
    kind: 'skill',
    title:
      "Show what was understood. This command does it and posts the result: websocket-skill run-task '/my runs/it'\\''s' 01KX",
    description: 'Show what was understood',
    labels: ['websocket/sample'],
    io: { inputJsonPath: 'tasks/01KX/input.json', outputJsonPath: 'tasks/01KX/result.json' },
    skill: {
      name: 'websocket',
      context: {
        operation: 'sample',
        input: { target: 'x' },
        command: ['websocket-skill', 'run-task', "/my runs/it's", '01KX'],
      },
    },
  });
});

it('names a task after its operation', () => {
  expect(taskIdOf(sampleOperation)).toBe('websocket/sample');
});
