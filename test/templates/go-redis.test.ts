import { afterAll, beforeAll, expect, it } from 'vitest';
import { goRequirement } from '../support/go.ts';
import { redisRequirement } from '../support/redis.ts';
import { generateForTest, soonWithin } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { expectCaught } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { openSharedRedis, REDIS_CHECKS } from './redis-checks.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 600_000;
/** Bounds waits for what comes at once, unless the guard for it is missing. */
const SOON_MS = 3000;

const STORE = 'internal/store/redis.go';
const LINK = 'internal/redislink/link.go';

/** Guards, and the check that has to notice when one is missing. */
const MUTANTS: readonly Mutant[] = [
  {
    without: 'a look at positions',
    file: STORE,
    find: 's.link.Report(s.checkOne(channels[i]))',
    replace: '_ = channels[i]',
    check: 'finds what was published without being heard',
  },
  {
    without: 'a word to who listens',
    file: STORE,
    find: '\tfor listener := range c.listeners {\n\t\tlistener.OnLost()\n\t}\n',
    replace: '',
    check: 'tells who listens that entries are gone',
  },
  {
    without: 'the difference between a full Redis and a broken one',
    file: LINK,
    find: 'strings.HasPrefix(err.Error(), "OOM")',
    replace: 'strings.HasPrefix(err.Error(), "never")',
    check: 'refuses what a full one does not take',
  },
  {
    without: 'the refusal of a cluster',
    file: 'internal/redislink/connection.go',
    find: 'case info["cluster_enabled"] == "1":',
    replace: 'case info["cluster_enabled"] == "never":',
    check: 'says what is wrong with it',
  },
  {
    without: 'a memory of its own',
    file: STORE,
    find: 'if !errors.As(err, &down) {\n\t\t\treturn err\n\t\t}\n\t\tif c := s.channel',
    replace:
      'if err == nil || !errors.As(err, &down) || true {\n\t\t\treturn err\n\t\t}\n\t\tif c := s.channel',
    check: 'serves its own clients while Redis is away',
  },
  {
    without: 'the purge of who was at a killed server',
    file: 'internal/redislink/lua/presence.lua',
    find: 'do remove(member) end',
    replace: 'do local _ = member end',
    check: 'says once that the users of a killed server have left',
  },
  {
    without: 'what a user has elsewhere',
    file: 'internal/realtime/users.go',
    find: 'return known.connections + known.elsewhere',
    replace: 'return known.connections',
    check: 'counts connections of a user together',
  },
  {
    without: 'what a user was charged before',
    file: 'internal/redislink/lua/use.lua',
    find: 'if counted == count then',
    replace: 'if false then',
    check: 'charges a user once for what is said again',
  },
];

redisRequirement('a server in Go with a Redis')('a server in Go with a Redis', () => {
  goRequirement('of type chat')('of type chat', () => {
    let redis: AsyncDisposable;
    let server: GeneratedServer;
    beforeAll(async () => {
      redis = await openSharedRedis();
      server = await generateForTest({
        language: 'go',
        type: 'chat',
        features: ['presence', 'rate-limit', 'metrics', 'redis'],
      });
    }, COMPILE_MS);
    afterAll(async () => {
      server.dispose();
      await redis[Symbol.asyncDispose]();
    });

    it.each(Object.entries(REDIS_CHECKS))('%s', { timeout: 60_000 }, async (_, check) => {
      await check({ boot: server.boot, kind: 'chat', soon: soonWithin(30_000) });
    });

    it.each(MUTANTS)('is caught without $without', { timeout: 120_000 }, async (mutant) => {
      await expectCaught(server, mutant, { checks: REDIS_CHECKS, kind: 'chat', soonMs: SOON_MS });
    });

    it.each([
      [{ REDIS_URL: 'http://:hidden@localhost' }, 'REDIS_URL is wrong, expected redis://'],
      [{ REDIS_URL: 'redis://:hidden@' }, 'REDIS_URL is wrong, expected redis://'],
      [{ REDIS_PREFIX: 'a b' }, 'REDIS_PREFIX is "a b", expected letters, digits'],
      [
        { PRESENCE_TTL: '1000', POSITION_CHECK: '600' },
        'POSITION_CHECK is "600", expected at most 500, as PRESENCE_TTL is 1000',
      ],
    ])('refuses to start with %j', { timeout: 60_000 }, async (env, sentence) => {
      const said = await server.boot(env).then(
        () => 'it started',
        (error: unknown) => String(error),
      );
      expect(said).toContain('ended with 2');
      expect(said).toContain(sentence);
      expect(said).not.toContain('hidden');
    });
  });
});
