import { once } from 'node:events';
import { expect, it } from 'vitest';
import { runDistributed } from '../../../../src/load/distributed/run-distributed.ts';
import { startWorkers, tokenPlan } from '../../../support/load-distributed.ts';
import { startWsServer } from '../../../support/peers/ws-server.ts';
import { loadControl } from '../../../support/load-results.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { jobsIn, redisRequirement, startRedis } from '../../../support/redis.ts';
import type { RedisServer } from '../../../support/redis.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

redisRequirement('the end of a distributed benchmark')('a distributed benchmark', () => {
  it('that is interrupted on the command line prints its report and stops the workers', async () => {
    await using redis = await startRedis('s3cret');
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1', 'w2']);
    const args = ['--url', server.url, '--connections', '4', '--rate', '100', '--duration', '60s'];
    const distributed = ['--distributed', redis.url, '--remote-workers', '2', '--warmup', '0'];
    const { code, stdout, stderr } = await websocketSkill(
      ['benchmark', ...args, ...distributed, '--json'],
      { cwd: temporaryFolder() },
      (child) => {
        void once(child, 'spawn')
          .then(() => workers.named('w1').says('loading ws://'))
          .then(async () => {
            await expect
              .poll(async () => totalOf((await server.counts()).tokens), HANG)
              .toBeGreaterThan(20);
            child.kill('SIGINT');
          });
      },
    );
    expect(code).toBe(130);
    const report = JSON.parse(stdout) as { status: string; measured: { messages: Messages } };
    const { sent, received, lost, inFlight } = report.measured.messages;
    expect(report.status).toBe('interrupted');
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBe(received + lost + inFlight);
    expect(totalOf((await server.counts()).tokens)).toBe(sent);
    expect(Object.values((await server.counts()).tokens).filter(({ open }) => open)).toEqual([]);
    expect(stdout + stderr).not.toContain('s3cret');
    expect(await jobsIn(redis)).toEqual([]);
  });

  it('that loses its Redis ends on both sides, in bounded time', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1']);
    const running = runDistributed(
      tokenPlan(server.url, { connections: 2, rate: 50, seconds: 60 }),
      { redis: redis.url, workers: 1, timeoutMs: 20_000 },
      loadControl({
        onSecond: ({ sent }) => {
          if (sent > 0) redis.kill('SIGKILL');
        },
      }),
    );
    await expect(running).rejects.toMatchObject({
      code: 'WSK_ERR_WORKERS',
      message: expect.stringMatching(
        /^no remote worker sent a result: w1 was lost with Redis at redis:\/\/127\.0\.0\.1:\d+: 2 connections with 50 messages\/s are missing, until second \d+ it had sent \d+/,
      ) as string,
    });
    await workers.named('w1').says('ended early by an interrupt');
    expect(workers.named('w1').stderr()).toContain('lost Redis at');
    expect(Object.values((await server.counts()).tokens).filter(({ open }) => open)).toEqual([]);
    workers.named('w1').kill('SIGTERM');
    expect(await workers.named('w1').exited).toBe(130);
  });

  it('that finds its Redis started anew, without its jobs, does not wait for its workers', async () => {
    const redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1']);
    let anew: PromiseLike<RedisServer> | undefined;
    const running = runDistributed(
      tokenPlan(server.url, { connections: 2, rate: 50, seconds: 60 }),
      { redis: redis.url, workers: 1, timeoutMs: 20_000 },
      loadControl({
        onSecond: ({ sent }) => {
          if (sent > 0)
            anew ??= redis[Symbol.asyncDispose]().then(() => startRedis(undefined, redis.port));
        },
      }),
    );
    await expect(running).rejects.toMatchObject({
      code: 'WSK_ERR_WORKERS',
      message: expect.stringMatching(
        /^no remote worker sent a result: w1 was lost with Redis at /,
      ) as string,
    });
    await workers.named('w1').says('ended early by an interrupt');
    await (await anew)?.[Symbol.asyncDispose]();
  });

  it('that is interrupted while Redis is away does not wait for it', async () => {
    await using redis = await startRedis();
    await using server = await startWsServer();
    await using workers = await startWorkers(redis.url, ['w1']);
    const controller = new AbortController();
    const result = await runDistributed(
      tokenPlan(server.url, { connections: 2, rate: 50, seconds: 60 }),
      { redis: redis.url, workers: 1, timeoutMs: 20_000 },
      loadControl({
        signal: controller.signal,
        onSecond: ({ sent }) => {
          if (sent === 0 || controller.signal.aborted) return;
          redis.kill('SIGKILL');
          void redis.exited.then(() => setTimeout(() => controller.abort(), 100));
        },
      }),
    );
    expect(result.interrupted).toBe(true);
    expect(result.errors).toMatchObject([
      {
        kind: 'worker',
        detail: 'w1',
        first: expect.stringMatching(/^w1 did not answer when the run was interrupted: /) as string,
      },
    ]);
    workers.named('w1').kill('SIGTERM');
    expect(await workers.named('w1').exited).toBe(130);
  });

  it('that loses its Redis before the start is given up', async () => {
    await using redis = await startRedis();
    const running = runDistributed(
      tokenPlan('ws://127.0.0.1/', { connections: 2, rate: 50, seconds: 60 }),
      { redis: redis.url, workers: 1, timeoutMs: 60_000 },
      loadControl(),
    );
    void expect
      .poll(() => jobsIn(redis), HANG)
      .toHaveLength(1)
      .then(() => redis.kill('SIGKILL'));
    await expect(running).rejects.toMatchObject({
      code: 'WSK_ERR_REDIS',
      message: `the connection to Redis at ${redis.url} was lost before the start`,
    });
  });
});

interface Messages {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly inFlight: number;
}

/** Ends a hang; no verdict depends on it. */
const HANG = { timeout: 30_000 };

function totalOf(counts: Readonly<Record<string, { readonly received: number }>>): number {
  return Object.values(counts).reduce((sum, { received }) => sum + received, 0);
}
