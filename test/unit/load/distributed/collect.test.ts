import { expect, it } from 'vitest';
import { collect } from '../../../../src/load/distributed/collect.ts';
import type { Segment, SegmentEnd } from '../../../../src/load/distributed/segments.ts';
import { encodeResult } from '../../../../src/load/result.ts';
import type { LoadResult } from '../../../../src/load/result.ts';
import { loadPlan, loadResult, secondSample } from '../../../support/load-results.ts';

const EMPTY = loadResult();
const CLOCK = { offsetMs: 12.34, errorMs: 0.5 };

function segment(
  index: number,
  end: SegmentEnd,
  seconds = [secondSample(3, { sent: 7 })],
): Segment {
  return {
    index,
    plan: loadPlan({
      connections: 5,
      load: { model: 'open', rate: 50, arrivals: 'constant', seed: 1 },
    }),
    jobId: String(index),
    worker: { name: `w${index}`, clock: CLOCK },
    seconds,
    end,
  };
}

function done(changes: Partial<LoadResult> = {}): SegmentEnd {
  const connections = { requested: 5, opened: 5, failed: 0, dropped: 0 };
  const messages = { ...EMPTY.messages, sent: 10, received: 10 };
  const result = loadResult({ connections, messages, ...changes });
  return { kind: 'result', text: encodeResult(result) };
}

it('names a lost worker in the errors and notes, with its segment and what it had told', () => {
  const result = collect(
    [segment(1, done()), segment(2, { kind: 'lost', reason: 'was lost' })],
    false,
  );
  const first =
    'w2 was lost: 5 connections with 50 messages/s are missing, until second 3 it had sent 7 and received 0';
  expect(result.errors).toEqual([{ kind: 'worker', detail: 'w2', count: 1, first }]);
  expect(result.notes[0]).toBe(`${first}; its messages are not counted`);
  expect(result.messages.sent).toBe(10);
  expect(result.connections).toEqual({ requested: 10, opened: 5, failed: 0, dropped: 0 });
});

it('says so when a lost worker had sent nothing', () => {
  const lost = segment(2, { kind: 'lost', reason: 'was lost' }, []);
  const [error] = collect([segment(1, done()), lost], false).errors;
  expect(error?.first).toMatch(/, it had sent no figures yet$/);
});

it('counts the connections of a worker that could not connect as failed', () => {
  const refused: SegmentEnd = { kind: 'error', code: 'WSK_ERR_REFUSED', message: 'nobody listens' };
  const result = collect([segment(1, done()), segment(2, refused)], false);
  expect(result.connections).toEqual({ requested: 10, opened: 5, failed: 5, dropped: 0 });
  expect(result.errors[0]?.first).toMatch(/^w2 could not run its part: nobody listens: 5 conn/);
});

it('takes an answer that is no result for a missing segment', () => {
  const result = collect([segment(1, done()), segment(2, { kind: 'result', text: '{}' })], false);
  expect(result.errors[0]?.first).toMatch(
    /^w2 sent an unreadable result \(not a result of a run: /,
  );
});

it('names a worker that was stopped and keeps its counts', () => {
  const phases = { ...EMPTY.phases, measureMs: 1500 };
  const result = collect(
    [segment(1, done()), segment(2, done({ interrupted: true, phases }))],
    false,
  );
  expect(result.errors).toMatchObject([{ kind: 'worker', detail: 'w2' }]);
  expect(result.errors[0]?.first).toMatch(/^w2 was stopped after it had measured for 1.5 s/);
  expect(result.messages.sent).toBe(20);
  expect(result.interrupted).toBe(false);
});

it('blames no worker when the run as a whole was interrupted', () => {
  const result = collect([segment(1, done({ interrupted: true }))], true);
  expect(result.interrupted).toBe(true);
  expect(result.errors).toEqual([]);
});

it('tells how the clocks differ', () => {
  expect(collect([segment(1, done())], false).notes).toEqual([
    'clock of Redis minus clock of each remote worker: w1 12.3 ± 0.5 ms',
  ]);
});

it('raises the error of the first worker that had one when no segment has a result', () => {
  const segments = [
    segment(1, { kind: 'lost', reason: 'was lost' }),
    segment(2, { kind: 'error', code: 'WSK_ERR_REFUSED', message: 'nobody listens' }),
  ];
  expect(() => collect(segments, false)).toThrow(
    expect.objectContaining({
      name: 'EnvironmentError',
      code: 'WSK_ERR_REFUSED',
      message: 'nobody listens (reported by remote worker w2)',
    }) as Error,
  );
});

it('raises WSK_ERR_WORKERS with all of them when all workers were lost', () => {
  expect(() => collect([segment(1, { kind: 'lost', reason: 'was lost' })], false)).toThrow(
    expect.objectContaining({
      code: 'WSK_ERR_WORKERS',
      message: expect.stringMatching(/^no remote worker sent a result: w1 was lost: 5/) as string,
    }) as Error,
  );
});

it('reports an interrupted run of which nothing came back', () => {
  const result = collect([segment(1, { kind: 'lost', reason: 'was lost' })], true);
  expect(result).toMatchObject({ interrupted: true, connections: { requested: 5, opened: 0 } });
});
