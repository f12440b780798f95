import { expect, it } from 'vitest';
import { freePort } from '../../../../src/target/project/redis.ts';
import { runDistributed } from '../../../../src/load/distributed/run-distributed.ts';
import { parseScenario } from '../../../../src/load/scenario/index.ts';
import type { SecondSample } from '../../../../src/load/result.ts';
import { startWorkers, tokenPlan } from '../../../support/load-distributed.ts';
import { loadControl } from '../../../support/load-results.ts';
import { startWsServer } from '../../../support/peers/ws-server.ts';
import type { WsServerCounts } from '../../../support/peers/ws-server.ts';
import { everythingIn, jobsIn, redisRequirement, startRedis } from '../../../support/redis.ts';

const scenario = parseScenario(
  `
name: echo
clients:
  - name: caller
    steps:
      - connect
      - loop:
          forever: true
          every: 100ms
          steps:
            - send: { text: 'hello {{pass}}' }
            - expect: { text: 'hello {{pass}}', label: echo }
`,
  'echo.yaml',
);

redisRequirement('a distributed benchmark')('a distributed benchmark', () => {
  it('splits a run over three workers and merges what they measured', async () => {
    await using redis = await startRedis('s3cret');
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2', 'w3'], '--once');
    const plan = tokenPlan(server.url, { connections: 10, rate: 500, seconds: 2 });
    const seconds: SecondSample[] = [];
    const result = await runDistributed(
      plan,
      { redis: redis.url, workers: 3, timeoutMs: 20_000 },
      loadControl({ onSecond: (sample) => void seconds.push(sample) }),
    );
    expect(result.messages).toMatchObject({ intended: 1000, sent: 1000, received: 1000, lost: 0 });
    expect(received((await server.counts()).tokens)).toBe(1000);
    expect(result.latency.response?.count).toBe(1000);
    expect(result.connections).toEqual({ requested: 10, opened: 10, failed: 0, dropped: 0 });
    expect(result.errors).toEqual([]);
    expect(result.interrupted).toBe(false);
    expect(result.generator.workers.map(({ name }) => name.split('/')[0]).sort()).toEqual([
      'w1',
      'w2',
      'w3',
    ]);
    expect(result.notes.join()).toMatch(
      /clock of Redis minus clock of each remote worker: w\d -?\d+\.\d ±/,
    );
    const measured = seconds.filter(({ phase }) => phase === 'measure');
    expect(measured.length).toBeGreaterThanOrEqual(1);
    expect(Math.max(...seconds.map(({ connections }) => connections))).toBe(10);

    expect(await jobsIn(redis)).toEqual([]);
    expect(await everythingIn(redis)).not.toContain('"t0"');
    for (const worker of workers.all) {
      expect(await worker.exited).toBe(0);
      expect(worker.stderr()).toMatch(
        /loading ws:\/\/127\.0\.0\.1:\d+\/ with [34] connections, \d+ messages\/s/,
      );
      expect(worker.stdout()).toContain(`benchmark-worker ${worker.name}`);
      expect(worker.stdout() + worker.stderr()).not.toContain('s3cret');
    }
  });

  it('notices a worker that is killed, names it and its part, and keeps the others', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2', 'w3']);
    const plan = tokenPlan(server.url, { connections: 9, rate: 300, seconds: 6 });
    let killed = false;
    const running = runDistributed(
      plan,
      { redis: redis.url, workers: 3, timeoutMs: 20_000 },
      loadControl({
        onSecond: ({ phase, sent }) => {
          if (phase !== 'measure' || sent === 0 || killed) return;
          killed = true;
          workers.named('w2').kill('SIGKILL');
        },
      }),
    );
    await workers.named('w2').exited;
    await expect.poll(async () => openTokens((await server.counts()).tokens)).toHaveLength(6);
    const survivors = openTokens((await server.counts()).tokens);
    const result = await running;

    const counts = (await server.counts()).tokens;
    const ofSurvivors = survivors.reduce((sum, token) => sum + (counts[token]?.received ?? 0), 0);
    expect(result.messages.sent).toBe(1200);
    expect(result.messages.received).toBe(1200);
    expect(ofSurvivors).toBe(1200);
    expect(result.connections).toMatchObject({ requested: 9, opened: 6 });
    expect(result.errors).toEqual([
      {
        kind: 'worker',
        detail: 'w2',
        count: 1,
        first: expect.stringMatching(
          /^w2 was lost: 3 connections with 100 messages\/s are missing, until second \d+ it had sent [1-9]\d* and received [1-9]\d*$/,
        ) as string,
      },
    ]);
    expect(result.notes[0]).toMatch(/^w2 was lost: .*; its messages are not counted$/);
    expect(await jobsIn(redis)).toEqual([]);
  });

  it('reports what was measured when it is interrupted, and stops the workers', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2']);
    const controller = new AbortController();
    const result = await runDistributed(
      tokenPlan(server.url, { connections: 4, rate: 200, seconds: 60 }),
      { redis: redis.url, workers: 2, timeoutMs: 20_000 },
      loadControl({
        signal: controller.signal,
        onSecond: ({ phase, sent }) => {
          if (phase === 'measure' && sent > 0) controller.abort();
        },
      }),
    );
    expect(result.interrupted).toBe(true);
    expect(result.errors).toEqual([]);
    const { sent, received: replies, lost, inFlight } = result.messages;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBe(replies + lost + inFlight);
    expect(openTokens((await server.counts()).tokens)).toEqual([]);
    expect(received((await server.counts()).tokens)).toBe(sent);
    expect(await jobsIn(redis)).toEqual([]);
    for (const worker of workers.all) {
      await worker.says('ended early by an interrupt');
      worker.kill('SIGTERM');
      expect(await worker.exited).toBe(130);
    }
  });

  it('takes in what a worker measured that is told to leave', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2']);
    let told = false;
    const result = await runDistributed(
      tokenPlan(server.url, { connections: 4, rate: 200, seconds: 3 }),
      { redis: redis.url, workers: 2, timeoutMs: 20_000 },
      loadControl({
        onSecond: ({ phase, sent }) => {
          if (phase !== 'measure' || sent === 0 || told) return;
          told = true;
          workers.named('w1').kill('SIGTERM');
        },
      }),
    );
    expect(await workers.named('w1').exited).toBe(130);
    expect(result.interrupted).toBe(false);
    expect(result.errors).toMatchObject([
      {
        kind: 'worker',
        detail: 'w1',
        first: expect.stringMatching(/^w1 was stopped after it had measured for \d/) as string,
      },
    ]);
    expect(result.messages.sent).toBeGreaterThan(0);
    expect(result.messages.sent).toBeLessThan(600);
    expect(received((await server.counts()).tokens)).toBe(result.messages.sent);
  });

  it('runs a scenario on each worker and adds its labels', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2']);
    const result = await runDistributed(
      {
        ...tokenPlan(server.url, { connections: 4, rate: 1, seconds: 1 }),
        load: { model: 'closed', depth: 1, seed: 1 },
      },
      { redis: redis.url, workers: 2, timeoutMs: 20_000, scenario },
      loadControl(),
    );
    expect(result.engine).toBe('scenario');
    expect(result.errors).toEqual([]);
    expect(result.scenario?.total.sent).toBe(received((await server.counts()).tokens));
    const [label] = result.scenario?.labels ?? [];
    expect(label?.label).toBe('echo');
    expect(label?.count).toBe(label?.service.count);
    expect(label?.count).toBeGreaterThan(4);
    for (const worker of workers.all) {
      expect(worker.stderr()).toContain('with 2 connections, a scenario, for 1 s');
    }
  });

  it('raises the error of the workers when the server is down', async () => {
    await using redis = await startRedis();
    await using workers = await startWorkers(redis.url, ['w1']);
    const plan = tokenPlan(`ws://127.0.0.1:${await freePort()}/`, {
      connections: 2,
      rate: 10,
      seconds: 1,
    });
    const running = runDistributed(
      plan,
      { redis: redis.url, workers: 1, timeoutMs: 20_000 },
      loadControl(),
    );
    await expect(running).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_REFUSED',
      message: expect.stringContaining('remote worker w1') as string,
    });
    expect(workers.named('w1').stderr()).toContain('finished');
    expect(await jobsIn(redis)).toEqual([]);
  });
});

function received(counts: WsServerCounts['tokens']): number {
  return Object.values(counts).reduce((sum, count) => sum + count.received, 0);
}

function openTokens(counts: WsServerCounts['tokens']): string[] {
  return Object.keys(counts).filter((token) => counts[token]?.open === true);
}
