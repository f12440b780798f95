import { describe, expect, it } from 'vitest';
import { runLoad, runLocally } from '../../../src/load/run/index.ts';
import type { LoadPlan } from '../../../src/load/plan.ts';
import type { LoadResult } from '../../../src/load/result.ts';
import { loadControl, loadPlan } from '../../support/load-results.ts';
import { startWsServer } from '../../support/peers/ws-server.ts';
import type { WsFault, WsServer, WsServerCounts } from '../../support/peers/ws-server.ts';

const RATE = 600;
const DURATION_MS = 400;
const OPEN = { model: 'open', rate: RATE, arrivals: 'constant', seed: 1 } as const;
const CLOSED = { model: 'closed', depth: 4, seed: 1 } as const;
const RUNS = [
  ['fast', 'open', OPEN],
  ['fast', 'closed', CLOSED],
  ['client', 'open', OPEN],
] as const;

/** Traffic without warm-up, so that what the server counts is what is measured. */
function planFor(server: WsServer, changes: Partial<LoadPlan> = {}): LoadPlan {
  const plan = loadPlan({ load: OPEN, workers: 2, ...changes });
  return {
    ...plan,
    target: { ...plan.target, url: server.url },
    phases: {
      rampMs: 0,
      warmupMs: 0,
      durationMs: DURATION_MS,
      drainMs: 1000,
      connectTimeoutMs: 20_000,
    },
  };
}

interface Run {
  readonly result: LoadResult;
  readonly server: WsServerCounts;
}

/** One run against a server with that mistake, and what the server itself counted. */
async function run(
  fault: WsFault,
  { every = 7, ...changes }: Partial<LoadPlan> & { every?: number } = {},
): Promise<Run> {
  await using server = await startWsServer({ fault, every });
  const result = await runLocally(planFor(server, changes), null, loadControl());
  expectToAddUp(result);
  return { result, server: await server.counts() };
}

/** Whatever happened: nothing is counted twice and nothing is missing. */
function expectToAddUp({ messages, latency, errors, connections }: LoadResult): void {
  const { intended, sent, received, lost, inFlight, unsent } = messages;
  expect(errors.filter(({ kind }) => kind === 'worker')).toEqual([]);
  expect(received + lost + inFlight).toBe(sent);
  expect(sent + unsent).toBe(intended);
  expect(inFlight).toBe(0);
  expect(latency.response?.count).toBe(received);
  expect(latency.service?.count).toBe(received);
  expect(connections.opened + connections.failed).toBe(connections.requested);
  const told = (kind: string) =>
    errors.filter((row) => row.kind === kind).reduce((sum, { count }) => sum + count, 0);
  expect(told('lost')).toBe(lost);
  expect(told('duplicated')).toBe(messages.duplicated);
  expect(told('out-of-order')).toBe(messages.outOfOrder);
  expect(told('wrong')).toBe(messages.wrong);
  expect(errors.every(({ count, first }) => count > 0 && first !== '')).toBe(true);
}

describe.each(RUNS)(
  'what the %s engine counts in the %s model is what the server counts',
  (engine, model, load) => {
    it('without a mistake', async () => {
      const { result, server } = await run('none', { engine, load });
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.sent,
        lost: 0,
        duplicated: 0,
        outOfOrder: 0,
        wrong: 0,
      });
      expect(result.errors).toEqual([]);
      expect(server.received).toBeGreaterThan(0);
      if (model === 'open') expect(result.messages.intended).toBe((RATE * DURATION_MS) / 1000);
    });

    it('when replies are missing', async () => {
      // In a closed loop every missing reply stops one of the 40 messages in flight for good.
      const { result, server } = await run('drop', {
        engine,
        load,
        every: model === 'open' ? 7 : 50,
      });
      expect(server.faults).toBeGreaterThan(0);
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.sent,
        lost: server.faults,
        wrong: 0,
      });
    });

    it('when replies come twice', async () => {
      const { result, server } = await run('duplicate', { engine, load });
      expect(server.faults).toBeGreaterThan(0);
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.received,
        duplicated: server.faults,
        lost: 0,
        wrong: 0,
      });
      expect(server.sent).toBe(server.received + server.faults);
    });

    it('when replies come in another order', async () => {
      const { result, server } = await run('reorder', { engine, load, connections: 4 });
      expect(server.faults).toBeGreaterThan(0);
      const { sent, received, outOfOrder, lost, wrong } = result.messages;
      expect(sent).toBe(server.received);
      expect(received).toBe(server.sent);
      // What is held when the last message has come stays away.
      expect(lost).toBe(server.received - server.sent);
      expect(lost).toBeLessThanOrEqual(4);
      expect(outOfOrder).toBe(server.faults - lost);
      expect(wrong).toBe(0);
    });

    it.each([
      ['other bytes', 'alter', 'payload'],
      ['fewer bytes', 'shorten', 'length'],
      ['another type', 'retype', 'opcode'],
    ] as const)('when replies have %s', async (_, fault, detail) => {
      const { result, server } = await run(fault, { engine, load });
      expect(server.faults).toBeGreaterThan(0);
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.received - server.faults,
        wrong: server.faults,
        lost: server.faults,
        duplicated: 0,
      });
      expect(result.errors).toContainEqual(
        expect.objectContaining({ kind: 'wrong', detail, count: server.faults }),
      );
    });

    it('when messages come that nobody asked for', async () => {
      const { result, server } = await run('unasked', { engine, load });
      expect(server.faults).toBeGreaterThan(0);
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.received,
        wrong: server.faults,
        lost: 0,
      });
    });

    it('when another connection gets the reply', async () => {
      const { result, server } = await run('misdirect', { engine, load });
      expect(server.faults).toBeGreaterThan(0);
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.received - server.faults,
        wrong: server.faults,
        lost: server.faults,
      });
    });

    it.each(['close', 'reset'] as const)('when the server ends connections (%s)', async (fault) => {
      const { result, server } = await run(fault, { engine, load, every: 100 });
      const { messages, connections } = result;
      expect(server.closed).toBeGreaterThan(0);
      expect(connections.dropped).toBe(server.closed);
      // What was on its way to or from a connection that ended is lost on either side.
      expect(messages.received).toBeLessThanOrEqual(server.sent);
      expect(messages.sent).toBeGreaterThanOrEqual(server.received);
      expect(messages.lost).toBeGreaterThanOrEqual(server.closed);
      expect(messages.lost).toBeGreaterThanOrEqual(messages.sent - server.sent);
    });

    it('when the server stops answering', async () => {
      const { result, server } = await run('hang', { engine, load, every: 30 });
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.sent,
        lost: server.received - server.sent,
      });
      expect(result.connections.dropped).toBe(0);
      expect(result.interrupted).toBe(false);
    });

    it('when the server dies', async () => {
      await using server = await startWsServer({ fault: 'exit', every: 100 });
      const result = await runLocally(planFor(server, { engine, load }), null, loadControl());
      expectToAddUp(result);
      expect(result.connections).toMatchObject({ opened: 10, dropped: 10 });
      expect(result.messages.received).toBeGreaterThan(0);
      expect(result.messages.received).toBeLessThan(100);
      expect(result.messages.lost).toBeGreaterThan(0);
      expect(result.notes.join()).toContain('no connection was left');
    });

    it('with random payloads of many sizes', async () => {
      const { result, server } = await run('none', {
        load,
        message: { opcode: 2, size: { kind: 'uniform', min: 0, max: 3000 } },
      });
      expect(result.messages).toMatchObject({
        sent: server.received,
        received: server.sent,
        lost: 0,
      });
    });
  },
);

it('counts what is still in flight when it is stopped as such, and not as lost', async () => {
  await using server = await startWsServer({ fault: 'drop', every: 2 });
  const controller = new AbortController();
  let waiting = 0;
  const control = loadControl({
    signal: controller.signal,
    // On a busy machine the first message is sent after the first second.
    onSecond: ({ sent, received }) => {
      waiting += sent - received;
      if (waiting > 0) controller.abort();
    },
  });
  const plan = planFor(server);
  const result = await runLoad(
    { ...plan, phases: { ...plan.phases, durationMs: 60_000 } },
    control,
  );
  const { sent, received, lost, inFlight } = result.messages;
  expect(result.interrupted).toBe(true);
  expect(received + lost + inFlight).toBe(sent);
  expect(inFlight).toBeGreaterThan(0);
  expect(lost).toBe(0);
});
