import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runContractRows } from '../support/contract-rows.ts';
import {
  AUTH_PACKAGES,
  installPackages,
  INSTALL_TIMEOUT_MS,
  pythonRequirement,
} from '../support/python.ts';
import { redisRequirement } from '../support/redis.ts';
import type { Boot } from './check.ts';
import { generateForTest, soonWithin, start } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { withMutant } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { openSharedRedis, REDIS_CHECKS } from './redis-checks.ts';

const PACKAGE = 'src/ws_server';
const SOON_MS = 4000;

const PUBSUB_MUTANTS: readonly Mutant[] = [
  {
    without: 'the refusal of broad patterns',
    file: `${PACKAGE}/pubsub.py`,
    find: 'if is_too_broad(pattern):',
    replace: 'if False:',
    row: 'pubsub.subscribe.everything',
  },
  {
    without: 'the check of topics',
    file: `${PACKAGE}/pubsub.py`,
    find: 'not is_topic(value)',
    replace: 'False',
    row: 'pubsub.publish.pattern',
  },
  {
    without: 'one event for several patterns',
    file: `${PACKAGE}/streams.py`,
    find: 'for client in known:',
    replace: 'for client in [one for one in known for _ in self._patterns[one]]:',
    row: 'pubsub.match.once',
  },
  {
    without: 'the end of a subscription',
    file: `${PACKAGE}/streams.py`,
    find: 'stream.remove(client, pattern)',
    replace: 'pass',
    row: 'pubsub.unsubscribe.reply',
  },
  {
    without: 'the pattern of a history',
    file: `${PACKAGE}/pubsub.py`,
    find: ' if matches(pattern, topic_of(entry))',
    replace: '',
    row: 'pubsub.history.pattern',
  },
  {
    without: 'the limit of subscriptions of a client',
    file: `${PACKAGE}/streams.py`,
    find: 'len(patterns) >= config.max_subscriptions_per_client',
    replace: 'False',
    row: 'common.limits.too-many',
  },
  {
    without: 'PUBLISH_TOKEN',
    file: `${PACKAGE}/guards.py`,
    find: 'if not is_secret(token, config.publish_token):',
    replace: 'if False:',
    row: 'pubsub.http.no-token',
  },
];

const LIVE_MUTANTS: readonly Mutant[] = [
  {
    without: 'the tests of a patch',
    file: `${PACKAGE}/json_patch.py`,
    find: 'if not is_equal(_get(document, tokens), operation["value"]):',
    replace: 'if False:',
    row: 'live-updates.patch.test',
  },
  {
    without: 'the limit of operations',
    file: `${PACKAGE}/json_patch.py`,
    find: 'if len(value) > limit:',
    replace: 'if False:',
    row: 'live-updates.patch.too-many',
  },
  {
    without: 'the check of If-Match',
    file: `${PACKAGE}/documents.py`,
    find: 'if expected != f"{position.epoch}:{position.offset}":',
    replace: 'if False:',
    row: 'live-updates.patch.if-match',
  },
  {
    without: 'the limit of watches',
    file: `${PACKAGE}/live_updates.py`,
    find: 'len(names) >= self._config.max_watches_per_client',
    replace: 'False',
    row: 'common.limits.too-many',
  },
  {
    without: 'snapshots for slow readers',
    file: `${PACKAGE}/live_updates.py`,
    find: 'if not is_behind and client.has_space_for(frame):',
    replace: 'if True:',
    row: 'live-updates.slow.snapshot',
  },
];

/** Of chat servers, with the features that the row needs. */
const AUTH_MUTANTS: readonly Mutant[] = [
  {
    without: 'the end of a token',
    file: `${PACKAGE}/auth.py`,
    find: 'if expires_at <= now - self._tolerance:',
    replace: 'if False:',
    row: 'common.auth.expired',
  },
  {
    without: 'the start of a token',
    file: `${PACKAGE}/auth.py`,
    find: '> now + self._tolerance:',
    replace: '> 1e300:',
    row: 'common.auth.not-before',
  },
  {
    without: 'the audience',
    file: `${PACKAGE}/auth.py`,
    find: '"verify_aud": self._audience is not None,',
    replace: '"verify_aud": False,',
    row: 'common.auth.audience',
  },
  {
    without: 'the algorithm',
    file: `${PACKAGE}/auth.py`,
    find: '[algorithm_of(key) or "HS256"]',
    replace: '["HS256", "HS384", "HS512"]',
    row: 'common.auth.algorithm',
  },
  {
    without: 'the refusal of tokens in URLs',
    file: `${PACKAGE}/auth.py`,
    find: 'if "token" in fields or "access_token" in fields:',
    replace: 'if False:',
    row: 'common.auth.query-token',
  },
  {
    without: 'the use of a ticket',
    file: `${PACKAGE}/tickets.py`,
    find: 'self._waiting.pop(ticket, (None, 0))',
    replace: 'self._waiting.get(ticket, (None, 0))',
    row: 'common.ticket.twice',
  },
  {
    without: 'the question who a client is',
    file: `${PACKAGE}/session.py`,
    find: 'if not self._credentials.is_known:',
    replace: 'if False:',
    row: 'common.first.other',
  },
  {
    without: 'the time for a first message',
    file: `${PACKAGE}/credentials.py`,
    find: 'self._client.close, AUTH_TIMEOUT)',
    replace: 'bool, AUTH_TIMEOUT)',
    row: 'common.first.timeout',
  },
  {
    without: 'the user of a newer token',
    file: `${PACKAGE}/credentials.py`,
    find: 'if self.is_known and identity.user != client.user:',
    replace: 'if False:',
    row: 'common.refresh.other-user',
  },
  {
    without: 'the close at the end of a token',
    file: `${PACKAGE}/credentials.py`,
    find: 'self._client.close(TOKEN_EXPIRED)',
    replace: 'None',
    row: 'common.expiry.close',
  },
  {
    without: 'the rooms of a token',
    file: `${PACKAGE}/authorization.py`,
    find: 'allowed = not name.startswith("private-") or name in identity.rooms',
    replace: 'allowed = True',
    row: 'common.forbidden.private',
  },
  {
    without: 'the question about rooms after a newer token',
    file: `${PACKAGE}/session.py`,
    find: 'await self._application.refresh(self.client)',
    replace: 'pass',
    row: 'common.forbidden.narrowed',
  },
  {
    without: 'the end of what is revoked',
    file: `${PACKAGE}/user_session.py`,
    find: 'self.client.close(REVOKED)',
    replace: 'pass',
    row: 'common.revoke.user',
  },
  {
    without: 'ADMIN_TOKEN',
    file: `${PACKAGE}/auth_routes.py`,
    find: 'if not is_secret(bearer_of(request.head.get("authorization")), self._config.admin_token):',
    replace: 'if False:',
    row: 'common.revoke.token',
  },
];

const STORE = `${PACKAGE}/redis_store.py`;
const LINK = `${PACKAGE}/redis_link.py`;

/** Of chat servers that share a Redis, with the check that has to notice. */
const REDIS_MUTANTS: readonly Mutant[] = [
  {
    without: 'a look at positions',
    file: STORE,
    find: 'await _all(list(self._channels.values()), self._check_one)',
    replace: 'pass',
    check: 'finds what was published without being heard',
  },
  {
    without: 'a word to who listens',
    file: STORE,
    find: '            listener.on_lost()',
    replace: '            pass',
    check: 'tells who listens that entries are gone',
  },
  {
    without: 'the difference between a full Redis and a broken one',
    file: LINK,
    find: 'if isinstance(error, OutOfMemoryError):',
    replace: 'if False:',
    check: 'refuses what a full one does not take',
  },
  {
    without: 'the refusal of a cluster',
    file: LINK,
    find: 'if info.get("cluster_enabled") == "1":',
    replace: 'if False:',
    check: 'says what is wrong with it',
  },
  {
    without: 'a memory of its own',
    file: STORE,
    find: 'channel.enter_memory(self._memory)',
    replace: 'pass',
    check: 'serves its own clients while Redis is away',
  },
  {
    without: 'an end of its patience',
    file: LINK,
    find: 'self._drop(wire, self._no_answer(), wire.progress_at)',
    replace: 'pass',
    check: 'waits for a silent one, and no longer',
  },
  {
    without: 'the purge of who was at a killed server',
    file: `${PACKAGE}/lua/presence.lua`,
    find: 'do remove(member) end',
    replace: 'do local _ = member end',
    check: 'says once that the users of a killed server have left',
  },
  {
    without: 'what a user has elsewhere',
    file: `${PACKAGE}/users.py`,
    find: 'share.connections + share.elsewhere >= most',
    replace: 'share.connections >= most',
    check: 'counts connections of a user together',
  },
];

const TYPES = [
  {
    type: 'pubsub',
    features: ['history', 'resume', 'rate-limit', 'metrics'],
    mutants: PUBSUB_MUTANTS,
  },
  { type: 'live-updates', features: ['rate-limit', 'metrics'], mutants: LIVE_MUTANTS },
  { type: 'chat', features: ['rooms', 'auth'], mutants: AUTH_MUTANTS },
] as const;

pythonRequirement('mutants of Python servers')('mutants of Python servers', () => {
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'websocket-skill-'));
    await installPackages(path.join(folder, 'packages'), [...AUTH_PACKAGES, 'redis']);
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Where a server finds its own modules, and those that it depends on. */
  const settingsOf = (project: string): { PYTHONPATH: string } => ({
    PYTHONPATH: [path.join(project, 'src'), path.join(folder, 'packages')].join(path.delimiter),
  });

  it.each(TYPES)(
    'of $type with $features are caught by rows that the server itself passes',
    { timeout: 300_000 },
    async ({ type, features, mutants }) => {
      const server = await generateForTest({ language: 'python', type, features: [...features] });
      try {
        const settings = settingsOf(server.project);
        const rows = mutants.map(({ row = '' }) => row);
        const results = await runContractRows(server.project, rows, undefined, { settings });
        expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
        expect(results).toHaveLength(new Set(rows).size);
        for (const mutant of mutants) {
          await withMutant(server, mutant, async (project) => {
            const more = { settings: settingsOf(project) };
            const [result] = await runContractRows(project, [mutant.row ?? ''], SOON_MS, more);
            expect(result, mutant.without).toMatchObject({ verdict: 'fail' });
          });
        }
      } finally {
        server.dispose();
      }
    },
  );

  redisRequirement('of chat with a Redis')('of chat with a Redis', () => {
    let redis: AsyncDisposable;
    let server: GeneratedServer;
    beforeAll(async () => {
      redis = await openSharedRedis();
      const features = ['presence', 'rate-limit', 'metrics', 'redis'] as const;
      server = await generateForTest({ language: 'python', type: 'chat', features: [...features] });
    });
    afterAll(async () => {
      server.dispose();
      await redis[Symbol.asyncDispose]();
    });

    const hold = async (project: string, check = '', soonMs = 30_000): Promise<void> => {
      const boot: Boot = (env) => start(project, { ...env, ...settingsOf(project) });
      await REDIS_CHECKS[check]?.({ boot, kind: 'chat', soon: soonWithin(soonMs) });
    };

    it.each(Object.keys(REDIS_CHECKS))('%s', { timeout: 60_000 }, async (check) => {
      await hold(server.project, check);
    });

    it.each(REDIS_MUTANTS)('are caught without $without', { timeout: 60_000 }, async (mutant) => {
      await withMutant(server, mutant, async (project) => {
        await expect(hold(project, mutant.check, SOON_MS)).rejects.toThrow();
      });
    });
  });
});
