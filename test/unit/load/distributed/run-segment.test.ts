import { expect, it } from 'vitest';
import { runSegment } from '../../../../src/load/distributed/run-segment.ts';
import type { SegmentHost } from '../../../../src/load/distributed/run-segment.ts';
import type { Offer, WorkerMessage } from '../../../../src/load/distributed/protocol.ts';
import { VERSION } from '../../../../src/core/version.ts';
import { freePort } from '../../../../src/target/project/redis.ts';
import { loadPlan } from '../../../support/load-results.ts';

const OFFER: Offer = {
  version: VERSION,
  run: 'r',
  index: 0,
  of: 1,
  host: 'localhost:8080',
  waitMs: 1000,
};

function host(
  changes: Partial<SegmentHost> = {},
): SegmentHost & { told: WorkerMessage[]; said: string[] } {
  const told: WorkerMessage[] = [];
  const said: string[] = [];
  return {
    told,
    said,
    name: 'w1',
    allowTargets: [],
    clock: { offsetMs: 0, errorMs: 0 },
    signal: new AbortController().signal,
    send: async (message) => {
      told.push(message);
      return Promise.resolve();
    },
    read: async () => Promise.resolve({}),
    started: async () => Promise.resolve(true),
    say: (line) => void said.push(line),
    onDone: () => undefined,
    ...changes,
  };
}

function start(plan: unknown): Partial<SegmentHost> {
  return {
    read: async () => Promise.resolve({ start: { plan, scenario: null, startAt: Date.now() } }),
  };
}

it('turns down what asks in another version, and says which', async () => {
  const at = host();
  expect(await runSegment({ ...OFFER, version: '0.0.0' }, at)).toEqual({
    kind: 'refused',
    name: 'w1',
    reason: `is of version ${VERSION}, the coordinator of version 0.0.0`,
  });
  expect(at.told).toEqual([]);
});

it('turns down what it does not understand', async () => {
  expect(await runSegment({ hello: 1 }, host())).toMatchObject({ kind: 'refused' });
});

it('turns down a target that it may not load', async () => {
  const at = host({ allowTargets: ['example.com'] });
  expect(await runSegment(OFFER, at)).toMatchObject({
    kind: 'refused',
    reason: 'may not load localhost:8080, only example.com',
  });
  expect(at.said).toEqual([
    'refused a run: this worker may not load localhost:8080, only example.com',
  ]);
});

it('says that it is ready, and goes when the start does not come', async () => {
  const at = host({ started: async () => Promise.resolve(false) });
  expect(await runSegment(OFFER, at)).toEqual({ kind: 'dismissed' });
  expect(at.told).toEqual([{ type: 'join', name: 'w1', offsetMs: 0, errorMs: 0 }]);
});

it('listens for the start before it says that it is ready', async () => {
  const order: string[] = [];
  await runSegment(
    OFFER,
    host({
      started: async () => {
        order.push('listens');
        return Promise.resolve(false);
      },
      send: async () => {
        order.push('ready');
        return Promise.resolve();
      },
    }),
  );
  expect(order).toEqual(['listens', 'ready']);
});

it('does not run a plan that is not valid', async () => {
  const outcome = await runSegment(OFFER, host(start({ ...loadPlan(), connections: -1 })));
  expect(outcome).toMatchObject({
    kind: 'error',
    code: 'WSK_ERR_INVALID_INPUT',
    message: expect.stringMatching(/^the plan is not valid: plan.connections: /) as string,
  });
});

it('does not run when the start is missing', async () => {
  expect(await runSegment(OFFER, host())).toMatchObject({
    kind: 'error',
    code: 'WSK_ERR_INVALID_INPUT',
  });
});

it('does not load another target than the one it was offered', async () => {
  const plan = loadPlan();
  const at = host({
    allowTargets: ['localhost'],
    ...start({ ...plan, target: { ...plan.target, url: 'ws://example.com/' } }),
  });
  expect(await runSegment(OFFER, at)).toMatchObject({
    kind: 'error',
    message: 'example.com:80 may not be loaded by this worker',
  });
});

it('returns the error when not one connection can be opened', async () => {
  const plan = loadPlan();
  const target = `ws://127.0.0.1:${await freePort()}/`;
  const rows: unknown[] = [];
  const at = host({
    ...start({ ...plan, target: { ...plan.target, url: `${target}?token=s3cret` } }),
    onDone: (row) => void rows.push(row),
  });
  expect(await runSegment(OFFER, at)).toMatchObject({
    kind: 'error',
    code: 'WSK_ERR_REFUSED',
  });
  expect(rows).toMatchObject([{ target, verdict: 'fail', connections: 10 }]);
  expect(at.said[0]).toBe(`loading ${target} with 10 connections, 100 messages/s, for 1 s`);
});
