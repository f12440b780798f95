import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Feature } from '../../src/generate/answers.ts';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { newSecrets } from '../../src/contract/index.ts';
import { openRedis } from '../../src/target/project/index.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { runTest } from '../support/endpoint.ts';
import { redisRequirement, startRedis } from '../support/redis.ts';
import type { RedisServer } from '../support/redis.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { illFormatted } from './npm-test.ts';

const SERVERS: readonly {
  type: 'chat' | 'pubsub' | 'live-updates';
  features: readonly Feature[];
}[] = [
  { type: 'chat', features: ['presence', 'auth', 'rate-limit', 'metrics', 'redis'] },
  { type: 'chat', features: ['redis'] },
  { type: 'pubsub', features: ['redis'] },
  { type: 'live-updates', features: ['redis'] },
];

redisRequirement('a server with a Redis')('a server with a Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis[Symbol.asyncDispose]());
  afterEach(() => vi.unstubAllEnvs());

  describe.each(SERVERS)('of type $type with $features', ({ type, features }) => {
    let server: GeneratedServer;
    beforeAll(async () => {
      server = await generateForTest({ type, features: [...features] });
    });
    afterAll(() => server.dispose());

    it('is well formatted', async () => {
      expect(await illFormatted(server.folder, server.files)).toEqual([]);
    });

    it('holds its contract', async () => {
      const settings = { REDIS_URL: redis.url };
      const results = await runContractRows(server.project, undefined, 5000, { settings });
      const failed = results.filter(({ verdict }) => verdict === 'fail');
      expect(failed.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
    }, 240_000);

    it('holds it together with a second one, for clients of both', async () => {
      const { AUTH_SECRET, ...tokens } = newSecrets().settings;
      const env = {
        ...{ ...ENVIRONMENTS['standard'], ...tokens, AUTH_AUDIENCE: '' },
        ...{ AUTH_SECRET: AUTH_SECRET ?? '', REDIS_URL: redis.url, REDIS_PREFIX: 'two' },
      };
      await using one = await server.boot(env);
      await using other = await server.boot(env);
      const [url, ...alsoUrls] = [one, other].map(({ port }) => `ws://127.0.0.1:${port}/`);
      const report = await runTest({
        ...{ url, alsoUrls, contract: type, messages: 5, timeoutMs: 5000 },
        ...{ publishToken: tokens['PUBLISH_TOKEN'], adminToken: tokens['ADMIN_TOKEN'] },
        ...(features.includes('auth') && { authSecret: AUTH_SECRET }),
      });
      const failed = report.checks.filter(({ verdict }) => verdict === 'fail');
      expect(failed.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([]);
      expect(report.checks.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(60);
    }, 240_000);
  });

  it('is started by test --project as two servers, with a Redis of their own', async () => {
    vi.stubEnv('REDIS_URL', '');
    const { project, dispose } = await generateForTest({ type: 'pubsub', features: ['redis'] });
    try {
      const { checks } = await runTest({ project, messages: 5, timeoutMs: 5000 });
      const failed = checks.filter(({ verdict }) => verdict === 'fail');
      expect(failed.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([]);
      const said = checks.find(({ id }) => id === 'redis');
      expect(said?.detail).toBe('two servers on one Redis are held to the contract together');
      // Each counts its own, so that this is known to be two.
      expect(checks.filter(({ detail }) => detail.includes('each server counts'))).not.toEqual([]);
    } finally {
      dispose();
    }
  }, 240_000);

  it('is tested with the Redis of REDIS_URL, or alone where there is none', async () => {
    vi.stubEnv('REDIS_URL', 'redis://example:6379');
    await using given = await openRedis();
    expect(given?.url).toBe('redis://example:6379');
    vi.stubEnv('REDIS_URL', '');
    vi.stubEnv('PATH', '');
    expect(await openRedis()).toBeUndefined();
  });
});
