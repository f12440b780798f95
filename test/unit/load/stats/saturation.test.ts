import { describe, expect, it } from 'vitest';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import type { LoadResult, MessageCounts, WorkerUse } from '../../../../src/load/result.ts';
import { judgeSaturation } from '../../../../src/load/stats/saturation.ts';
import { histogramOf, loadPlan, loadResult, secondSample } from '../../../support/load-results.ts';

const MS = 1_000_000;
const OPEN = loadPlan({ load: { model: 'open', rate: 1000, arrivals: 'constant', seed: 1 } });
const CLOSED = loadPlan({ load: { model: 'closed', depth: 1, seed: 1 } });

function messages(changes: Partial<MessageCounts> = {}): MessageCounts {
  return { ...loadResult().messages, intended: 1000, sent: 1000, received: 1000, ...changes };
}

function worker(changes: Partial<WorkerUse>): LoadResult['generator'] {
  const use = {
    name: 'worker 1',
    cpuMs: 300,
    measureMs: 1000,
    eventLoopUtilization: 0.3,
    gcMs: 0,
    waitMs: 20,
  };
  return { cpuMs: 300, peakRssBytes: 0, workers: [{ ...use, ...changes }] };
}

/** A run with these latencies at p99, in milliseconds. */
function run(late: number, response: number, changes: Partial<LoadResult> = {}): LoadResult {
  const latency = {
    connect: histogramOf(),
    response: histogramOf(response * MS),
    service: histogramOf(MS),
    lateness: histogramOf(late * MS),
    lastDelivery: null,
  };
  return loadResult({ latency, messages: messages(), generator: worker({}), ...changes });
}

function judge(result: LoadResult, plan: LoadPlan = OPEN) {
  return judgeSaturation(result, plan);
}

describe('judgeSaturation', () => {
  it('finds nothing in a run that kept to its schedule', () => {
    expect(judge(run(0.2, 1))).toEqual({
      saturated: false,
      disturbed: false,
      reasons: [],
      heldRate: null,
    });
  });

  const BUSY = { generator: worker({ cpuMs: 900 }) };
  const SHORT = { messages: messages({ sent: 980 }) };
  it.each([
    ['late messages', run(30, 60), run(30, 60, BUSY)],
    ['a rate that was not sent', run(0.2, 1, SHORT), run(0.2, 1, { ...SHORT, ...BUSY })],
    [
      'garbage collection',
      run(0.2, 1, { generator: worker({ gcMs: 11 }) }),
      run(0.2, 1, { generator: worker({ gcMs: 11, cpuMs: 900 }) }),
    ],
  ])('takes %s for a disturbance with CPU to spare, else for saturation', (_, idle, busy) => {
    expect(judge(idle)).toMatchObject({ saturated: false, disturbed: true });
    expect(judge(idle).reasons).toContain(
      'worker 1 used 30.0 % of its core and waited for it for 2.0 % of the time, as others had it',
    );
    expect(judge(busy)).toMatchObject({ saturated: true, disturbed: false });
    expect(judge(busy).reasons).toContain('worker 1 used 90.0 % of its core, the limit is 85 %');
    const unknown = { ...idle, generator: worker({ ...idle.generator.workers[0], waitMs: null }) };
    expect(judge(unknown).reasons).toContain('worker 1 used 30.0 % of its core');
  });

  it.each([
    [0.99, 1, false],
    [1.01, 1, true],
    [3, 16, false],
    [3, 14, true],
  ])(
    'takes a lateness p99 of %d ms with a response p99 of %d ms: %s',
    (late, response, disturbed) => {
      const { disturbed: found, reasons } = judge(run(late, response));
      expect(found).toBe(disturbed);
      if (disturbed) expect(reasons[0]).toContain('messages left late: p99 of the lateness is');
    },
  );

  it('allows a millisecond more where the timer counts whole ones', () => {
    const coarse = loadPlan({
      load: { ...OPEN.load, model: 'open', rate: 1001 } as LoadPlan['load'],
    });
    expect(judge(run(1.99, 1), coarse).disturbed).toBe(false);
    expect(judge(run(2.01, 1), coarse).disturbed).toBe(true);
    expect(judge(run(1.01, 1), { ...coarse, precise: true }).disturbed).toBe(true);
    expect(judge(run(1.01, 1), { ...coarse, workers: 2 }).disturbed).toBe(true);
  });

  it('flags a stall of one second that leaves the p99 of the run alone', () => {
    const second = (at: number, late: number) =>
      secondSample(at, {
        intended: 1000,
        sent: 1000,
        response: { p50: MS, p99: 45 * MS, max: 50 * MS },
        latenessP99: late * MS,
      });
    const seconds = [second(0, 0.1), second(1, 41), second(2, 0.1)];
    const { reasons } = judge(run(0.2, 1, { seconds }));
    expect(reasons).toHaveLength(2);
    expect(reasons[0]).toContain('stalled in 1 second of the run, first in second 1');
    expect(reasons[0]).toContain('41.0 ms');
  });

  it.each([
    ['before the measured phase', { phase: 'warmup' as const, latenessP99: 41 * MS, p99: 45 }],
    ['of less than 20 ms', { phase: 'measure' as const, latenessP99: 19 * MS, p99: 45 }],
  ])('lets pass a stall %s', (_, { phase, latenessP99, p99 }) => {
    const response = { p50: MS, p99: p99 * MS, max: p99 * MS };
    const seconds = [secondSample(0, { phase, latenessP99, response, sent: 9, intended: 9 })];
    expect(judge(run(0.2, 1, { seconds })).reasons).toEqual([]);
  });

  it('flags a stall beside a far longer one of the server', () => {
    const response = { p50: MS, p99: 900 * MS, max: 900 * MS };
    const seconds = [secondSample(0, { latenessP99: 41 * MS, response, sent: 9, intended: 9 })];
    expect(judge(run(0.2, 900, { seconds })).reasons.join()).toContain('it stalled in');
  });

  it('flags a run that sent less than 99 % of what was due', () => {
    const generator = worker({ cpuMs: 860 });
    const enough = run(0.2, 1, { messages: messages({ sent: 991 }), generator });
    expect(judge(enough).saturated).toBe(false);
    const { reasons, heldRate } = judge(run(0.2, 1, { ...SHORT, generator }));
    expect(reasons[0]).toBe('it sent 98.0 % of the messages that were due, the limit is 99 %');
    expect(heldRate).toBeCloseTo((980 * 0.85) / 0.86);
  });

  it('does not blame the generator for messages that no connection was there for', () => {
    const result = run(0.2, 1, { messages: messages({ sent: 500, unsent: 500 }) });
    expect(judge(result)).toMatchObject({ saturated: false, disturbed: false });
  });

  it('flags a worker that used up its core, in a closed loop alone', () => {
    const result = run(0.2, 1, { generator: worker({ cpuMs: 900, name: 'worker 2' }) });
    expect(judge(result, OPEN).saturated).toBe(false);
    const { reasons, heldRate } = judge(result, CLOSED);
    expect(reasons).toEqual(['worker 2 used 90.0 % of its core, the limit is 85 %']);
    expect(heldRate).toBeCloseTo((1000 * 0.85) / 0.9);
    const below = run(0.2, 1, { generator: worker({ cpuMs: 850 }) });
    expect(judge(below, CLOSED).saturated).toBe(false);
  });

  it('blames lateness on the server where handshakes wait for a place, but not a used-up core', () => {
    const storm = { ...OPEN, mode: 'connect' as const };
    const late = run(50, 60, { messages: messages({ sent: 500 }) });
    expect(judge(late, storm)).toMatchObject({ saturated: false, disturbed: false });
    const busy = run(0.2, 1, { generator: worker({ cpuMs: 900 }) });
    expect(judge(busy, storm).saturated).toBe(true);
  });

  it('flags more than 1 % of garbage collection', () => {
    expect(judge(run(0.2, 1, { generator: worker({ gcMs: 10 }) })).disturbed).toBe(false);
    const { reasons } = judge(run(0.2, 1, { generator: worker({ gcMs: 11 }) }));
    expect(reasons[0]).toBe('worker 1 collected garbage for 1.1 % of the time, the limit is 1 %');
  });

  it('needs neither lateness nor messages', () => {
    const quiet = loadResult({ generator: worker({}) });
    for (const plan of [loadPlan({ mode: 'idle' }), CLOSED]) {
      expect(judge(quiet, plan).reasons).toEqual([]);
    }
  });
});

describe('the rate it could hold', () => {
  const FULL = { generator: worker({ cpuMs: 1000 }) };
  const second = (at: number, sent: number, late: number) =>
    secondSample(at, { intended: 1000, sent, latenessP99: late * MS });

  it('is the highest of a second in which messages left in time', () => {
    const seconds = [second(0, 995, 0.1), second(1, 1000, 60), second(2, 998, 0.2)];
    expect(judge(run(50, 60, { ...FULL, seconds })).heldRate).toBe(998);
  });

  it('leaves out seconds that only caught up', () => {
    const seconds = [second(0, 700, 0.1), second(1, 1300, 0.5)];
    expect(judge(run(50, 60, { ...FULL, seconds })).heldRate).toBe(1000);
  });

  it('is not that of the few seconds that were in time by chance', () => {
    const seconds = [second(0, 1000, 0.1), second(1, 1000, 60), second(2, 1000, 60)];
    const sent = { messages: messages({ sent: 900 }), ...FULL };
    expect(judge(run(50, 60, { ...sent, seconds })).heldRate).toBeCloseTo(900 * 0.85);
  });

  it('is what was sent, less what a core may be used, when every second was late', () => {
    const seconds = [second(0, 900, 60), second(1, 900, 60)];
    const result = run(50, 60, {
      seconds,
      messages: messages({ sent: 900 }),
      generator: worker({ cpuMs: 1000 }),
    });
    expect(judge(result).heldRate).toBeCloseTo(900 * 0.85);
    expect(judge(result, { ...OPEN, precise: true }).heldRate).toBeCloseTo(900);
  });

  it('is not told of a generator that was only disturbed', () => {
    expect(judge(run(50, 60))).toMatchObject({ disturbed: true, heldRate: null });
  });
});
