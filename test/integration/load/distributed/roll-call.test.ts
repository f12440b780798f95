import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runDistributed } from '../../../../src/load/distributed/run-distributed.ts';
import { freePort } from '../../../../src/target/project/redis.ts';
import { startWorkers, tokenPlan } from '../../../support/load-distributed.ts';
import { startWsServer } from '../../../support/peers/ws-server.ts';
import { loadControl, loadPlan } from '../../../support/load-results.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { jobsIn, redisRequirement, startRedis } from '../../../support/redis.ts';

const plan = loadPlan();

describe('a Redis that does not answer', () => {
  it('is named without its password by the coordinator', async () => {
    const port = await freePort();
    const redis = `redis://user:s3cret@127.0.0.1:${port}/2`;
    const running = runDistributed(plan, { redis, workers: 1, timeoutMs: 60_000 }, loadControl());
    await expect(running).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_REDIS',
      message: `Redis at redis://127.0.0.1:${port}/2: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  it('ends a worker with 3 and one error', async () => {
    const redis = `redis://user:s3cret@127.0.0.1:${await freePort()}`;
    const { code, stdout, stderr } = await websocketSkill(['benchmark-worker', '--redis', redis]);
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^error Redis at redis:\/\/127.0.0.1:\d+: .*\[WSK_ERR_REDIS\]\n.*hint.*\n$/,
    );
  });

  it('is given up after seconds when it says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    const redis = `redis://127.0.0.1:${port}`;
    const running = runDistributed(plan, { redis, workers: 1, timeoutMs: 60_000 }, loadControl());
    await expect(running).rejects.toMatchObject({
      code: 'WSK_ERR_REDIS',
      message: `Redis at ${redis}: no answer in 5 s`,
    });
    silent.close();
  });
});

redisRequirement('the roll call of remote workers')('remote workers', () => {
  it('that are too few are counted and named', async () => {
    await using redis = await startRedis('s3cret');
    await using workers = await startWorkers(redis.url, ['w1']);
    const options = { redis: redis.url, workers: 2, timeoutMs: 1500 };
    await expect(runDistributed(plan, options, loadControl())).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_WORKERS',
      message: '1 of 2 remote workers joined within 1.5 s (w1)',
      hint: expect.not.stringContaining('s3cret') as string,
    });
    expect(await jobsIn(redis)).toEqual([]);
    workers.named('w1').kill('SIGTERM');
    expect(await workers.named('w1').exited).toBe(0);
  });

  it('that were dismissed take part in the next run', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1']);
    const small = tokenPlan(server.url, { connections: 2, rate: 20, seconds: 1 });
    const few = runDistributed(
      small,
      { redis: redis.url, workers: 2, timeoutMs: 500 },
      loadControl(),
    );
    await expect(few).rejects.toMatchObject({ code: 'WSK_ERR_WORKERS' });
    const result = await runDistributed(
      small,
      { redis: redis.url, workers: 1, timeoutMs: 20_000 },
      loadControl(),
    );
    expect(result.messages.received).toBe(20);
    expect(
      workers
        .named('w1')
        .stderr()
        .match(/loading/g),
    ).toHaveLength(1);
  });

  it('that are busy do not come, and go on with what they do', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1']);
    const options = { redis: redis.url, workers: 1, timeoutMs: 20_000 };
    const first = runDistributed(
      tokenPlan(server.url, { connections: 2, rate: 100, seconds: 3 }),
      options,
      loadControl(),
    );
    await workers.named('w1').says('loading ws://');
    const second = runDistributed(plan, { ...options, timeoutMs: 500 }, loadControl());
    await expect(second).rejects.toMatchObject({
      code: 'WSK_ERR_WORKERS',
      message: '0 of 1 remote workers joined within 0.5 s',
    });
    expect((await first).messages).toMatchObject({ sent: 300, received: 300 });
  });

  it('that leave before the start are replaced', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2']);
    const running = runDistributed(
      tokenPlan(server.url, { connections: 3, rate: 30, seconds: 1 }),
      { redis: redis.url, workers: 3, timeoutMs: 30_000 },
      loadControl(),
    );
    // Both are ready and wait for a third.
    await expect.poll(async () => (await jobsIn(redis)).length).toBe(3);
    workers.named('w1').kill('SIGTERM');
    expect(await workers.named('w1').exited).toBe(0);
    await using more = await startWorkers(redis.url, ['w3', 'w4']);
    const result = await running;
    expect(result.messages).toMatchObject({ sent: 30, received: 30 });
    expect(result.notes.join()).toMatch(/w2 .*/);
    for (const worker of more.all) await worker.says('finished');
    expect(result.notes.join()).not.toContain('w1');
  });

  it('that may not load the target say so, and what they may', async () => {
    await using redis = await startRedis();
    await using workers = await startWorkers(redis.url, ['w1'], '--allow-target', '*.example.com');
    const options = { redis: redis.url, workers: 1, timeoutMs: 20_000 };
    await expect(runDistributed(plan, options, loadControl())).rejects.toMatchObject({
      code: 'WSK_ERR_WORKERS',
      message: 'remote worker w1 may not load 127.0.0.1:8080, only *.example.com',
    });
    await workers.named('w1').says('refused a run');
  });

  it('are called off when the coordinator is interrupted before they are all there', async () => {
    await using redis = await startRedis();
    await using workers = await startWorkers(redis.url, ['w1']);
    const controller = new AbortController();
    const running = runDistributed(
      plan,
      { redis: redis.url, workers: 2, timeoutMs: 60_000 },
      loadControl({ signal: controller.signal }),
    );
    await expect.poll(async () => (await jobsIn(redis)).length).toBe(2);
    controller.abort();
    const result = await running;
    expect(result).toMatchObject({ interrupted: true, connections: { requested: 10, opened: 0 } });
    expect(await jobsIn(redis)).toEqual([]);
    expect(workers.named('w1').stderr()).not.toContain('loads');
  });
});
