import { expect, it } from 'vitest';
import { SectionProgress } from '../../../../src/operations/autobahn-test/section-progress.ts';
import type { Progress } from '../../../../src/core/operation.ts';
import { caseResult } from '../../../support/conformance-run.ts';

it('counts results by section, in the order of the cases, and a case that is run again once', () => {
  const emitted: Progress[] = [];
  const progress = new SectionProgress(['1.1.1', '1.1.2', '6.1.1'], 'failed', (one) =>
    emitted.push(one),
  );
  progress.add(caseResult({ id: '6.1.1', behavior: 'FAILED' }));
  progress.add(caseResult({ id: '1.1.1' }));
  progress.add(caseResult({ id: '6.1.1' }));
  expect(emitted).toEqual([
    {
      stage: '6 UTF-8',
      done: 1,
      total: 3,
      parts: [
        { name: '1 Framing', done: 0, total: 2, failed: 0 },
        { name: '6 UTF-8', done: 1, total: 1, failed: 1 },
      ],
    },
    expect.objectContaining({ stage: '1 Framing', done: 2, total: 3 }),
    {
      stage: '6 UTF-8',
      done: 2,
      total: 3,
      parts: [
        { name: '1 Framing', done: 1, total: 2, failed: 0 },
        { name: '6 UTF-8', done: 1, total: 1, failed: 0 },
      ],
    },
  ]);
});

it('never has more done than there is, also with several agents', () => {
  const emitted: Progress[] = [];
  const progress = new SectionProgress(['1.1.1'], 'failed', (one) => emitted.push(one));
  progress.add(caseResult({ id: '1.1.1', agent: 'a' }));
  progress.add(caseResult({ id: '1.1.1', agent: 'b' }));
  expect(emitted.at(-1)).toMatchObject({ done: 2, total: 2 });
});
