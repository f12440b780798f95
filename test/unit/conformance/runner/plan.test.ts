import { expect, it } from 'vitest';
import { allCases } from '../../../../src/conformance/autobahn/cases/index.ts';
import { planStages } from '../../../../src/conformance/runner/plan.ts';

const tasks = allCases().map((definition, index) => ({
  definition,
  number: index + 1,
  quick: false,
}));

it('plans every case once', () => {
  for (const concurrency of [1, 2, 16]) {
    const planned = planStages(tasks, concurrency).flatMap((pools) =>
      pools.flatMap((pool) => pool.tasks.map(({ definition }) => definition.id)),
    );
    expect(planned).toHaveLength(517);
    expect(new Set(planned).size).toBe(517);
  }
});

it('begins with the cases that wait, beside the large messages, and compresses last', () => {
  const [first, second] = planStages(tasks, 16);
  expect(
    first?.map(({ tasks: [task], concurrency }) => [task?.definition.id, concurrency]),
  ).toEqual([
    ['6.4.1', 16],
    ['9.1.1', 2],
  ]);
  expect(second?.map(({ tasks: [task] }) => task?.definition.id)).toEqual(['12.2.15']);
});

it('keeps to the order of the ids one at a time', () => {
  expect(planStages(tasks, 1)).toEqual([[{ tasks, concurrency: 1 }]]);
});
