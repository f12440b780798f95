import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEATURES, offeredFeatures } from '../../src/generate/answers.ts';
import { go } from '../../src/generate/languages/go.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { expectClean, goRequirement } from '../support/go.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { expectCaught } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 600_000;
/** Wait for what comes at once, unless the guard for it is missing. */
const SOON_MS = 2000;

type GoMutant = Pick<Mutant, 'without' | 'file'> & {
  readonly find: string;
  readonly replace: string;
  readonly row: string;
};

const AUTH = 'internal/auth/auth.go';
const SESSION = 'internal/realtime/session.go';
const CREDENTIALS = 'internal/realtime/credentials.go';
const ROUTES = 'internal/realtime/authroutes.go';
const ROUTE = 'internal/realtime/route.go';

/** A token that golang-jwt refuses for one reason, taken in spite of it. */
function inSpiteOf(error: string, row: string): GoMutant {
  return {
    without: `the refusal of what is jwt.${error}`,
    file: AUTH,
    find: 'case err != nil:\n\t\treturn nil, &RefusedError{err.Error()}',
    replace: `case err != nil && !errors.Is(err, jwt.${error}):\n\t\treturn nil, &RefusedError{err.Error()}`,
    row,
  };
}

const AUTH_MUTANTS: readonly GoMutant[] = [
  inSpiteOf('ErrTokenSignatureInvalid', 'common.auth.tampered'),
  inSpiteOf('ErrTokenExpired', 'common.auth.expired'),
  inSpiteOf('ErrTokenNotValidYet', 'common.auth.not-before'),
  inSpiteOf('ErrTokenInvalidAudience', 'common.auth.audience'),
  {
    without: 'pinned algorithms',
    file: AUTH,
    find: 'algorithms = []string{"HS256"}',
    replace: 'algorithms = []string{"HS256", "HS512"}',
    row: 'common.auth.algorithm',
  },
  {
    without: 'the form of users',
    file: AUTH,
    find: '!IsName(token.User)',
    replace: 'token.User == ""',
    row: 'common.auth.bad-sub',
  },
  {
    without: 'a memory of revocations',
    file: AUTH,
    find: 'if a.Revocations.Cover(token) {',
    replace: 'if false {',
    row: 'common.revoke.before',
  },
  {
    without: 'the verification of tokens by a set of keys',
    file: AUTH,
    find: 'return a.keys.find(ctx, token)',
    replace:
      'set, err := a.keys.find(ctx, token)\n\t\t\ttoken.Claims = claims\n\t\t\t_ = err\n\t\t\treturn set, jwt.ErrTokenUnverifiable',
    row: 'common.keys.set',
  },
  {
    without: 'the difference between bad tokens and those that cannot be checked',
    file: AUTH,
    find: 'case errors.As(err, &unavailable):',
    replace: 'case false:',
    row: 'common.keys.unavailable',
  },
  {
    without: 'the end of a ticket that was used',
    file: 'internal/auth/tickets.go',
    find: 'return t.drop(element).token',
    replace: 'return element.Value.(*ticket).token',
    row: 'common.ticket.twice',
  },
  {
    without: 'the lifetime of tickets',
    file: 'internal/auth/tickets.go',
    find: 'if first.Value.(*ticket).end.After(now) {',
    replace: 'if first.Value.(*ticket).end.After(now) || true {',
    row: 'common.ticket.expired',
  },
  {
    without: 'the refusal of tokens in URLs',
    file: CREDENTIALS,
    find: 'query.Has("token") || query.Has("access_token")',
    replace: 'false',
    row: 'common.auth.query-token',
  },
  {
    without: 'the revocation of tickets',
    file: CREDENTIALS,
    find: '|| h.auth.Revocations.Cover(token)',
    replace: '',
    row: 'common.revoke.ticket',
  },
  {
    without: 'the wait for a token',
    file: SESSION,
    find: '!s.isOpen && read.kind != "ping"',
    replace: 'read.kind == "" && read.kind != "ping"',
    row: 'common.first.other',
  },
  {
    without: 'the end of who says nothing',
    file: CREDENTIALS,
    find: 'h.client.Close(AuthTimeout)',
    replace: '_ = AuthTimeout',
    row: 'common.first.timeout',
  },
  {
    without: 'the end of who has a bad token',
    file: SESSION,
    find: 'client.Close(AuthFailed)',
    replace: '_ = AuthFailed',
    row: 'common.first.bad',
  },
  {
    without: 'the end of expired tokens',
    file: CREDENTIALS,
    find: 'client.Close(TokenExpired)',
    replace: '_ = TokenExpired',
    row: 'common.expiry.close',
  },
  {
    without: 'the warning before',
    file: CREDENTIALS,
    find: '{end.Add(-min(warnBefore, time.Until(end)/2)), warn}',
    replace: '{end.Add(-min(warnBefore, time.Until(end)/2)), func() { _ = warn }}',
    row: 'common.expiry.warning',
  },
  {
    without: 'the user of a newer token',
    file: CREDENTIALS,
    find: 'token.User != client.User()',
    replace: 'false',
    row: 'common.refresh.other-user',
  },
  {
    without: 'the authorization of what a newer token is in already',
    file: 'internal/chat/chat.go',
    find: 'c.rooms.expel(m)',
    replace: '_ = m',
    row: 'common.forbidden.narrowed',
  },
  {
    without: 'the authorization of names',
    file: 'internal/hook/hook.go',
    find: '!strings.HasPrefix(name, "private-")',
    replace: '!strings.HasPrefix(name, "secret-")',
    row: 'common.forbidden.private',
  },
  {
    without: 'the end of revoked connections',
    file: ROUTES,
    find: 'h.closeRevoked(h.auth.Revocations)',
    replace: '',
    row: 'common.revoke.user',
  },
  {
    without: 'the token of administrators',
    file: ROUTES,
    find: '!IsSecret(Bearer(request.Header), h.settings.AdminToken)',
    replace: 'false',
    row: 'common.revoke.token',
  },
  {
    without: 'a look at the body of /revoke',
    file: ROUTES,
    find: 'case err != nil:',
    replace: 'case err != nil && user == "never":',
    row: 'common.revoke.body',
  },
  {
    without: 'the least length of a secret',
    file: 'internal/config/auth.go',
    find: 'len(c.Auth.Secret) < leastSecret',
    replace: 'false',
    row: 'common.start.short-secret',
  },
  {
    without: 'the need of a secret in production',
    file: 'internal/config/auth.go',
    find: 'len(given) == 0 && c.Production',
    replace: 'false',
    row: 'common.start.no-secret',
  },
];

const PUBLISHER_MUTANTS: readonly GoMutant[] = [
  {
    without: 'the need of PUBLISH_TOKEN',
    file: ROUTE,
    find: 'if publishToken == "" {',
    replace: 'if publishToken == "never" {',
    row: 'closed.http',
  },
  {
    without: 'the token of publishers',
    file: ROUTE,
    find: 'if IsSecret(token, publishToken) {',
    replace: 'if IsSecret(token, publishToken) || true {',
    row: 'http.no-token',
  },
];

const STREAMS = 'internal/pubsub/streams.go';
const PUBSUB = 'internal/pubsub/pubsub.go';
const TOPICS = 'internal/topics/topics.go';

const PUBSUB_MUTANTS: readonly GoMutant[] = [
  ...PUBLISHER_MUTANTS.map((mutant) => ({ ...mutant, row: `pubsub.${mutant.row}` })),
  {
    without: 'the right offsets',
    file: STREAMS,
    find: 's.hub.Encoded("event", eventText(entry))',
    replace:
      's.hub.Encoded("event", eventText(store.Entry{Offset: entry.Offset*2 - 1, Data: entry.Data}))',
    row: 'common.history.event-offset',
  },
  {
    without: 'the right time',
    file: PUBSUB,
    find: 'p.hub.Now().UTC()',
    replace: 'p.hub.Now().Add(-3_600_000_000_000).UTC()',
    row: 'common.event.at',
  },
  {
    without: 'every tenth event',
    file: STREAMS,
    find: 'if s.waiting[client] == nil {',
    replace: 'if s.waiting[client] == nil && entry.Offset%10 != 0 {',
    row: 'pubsub.order.sender',
  },
  {
    without: 'a literal first segment',
    file: PUBSUB,
    find: 'if topics.IsTooBroad(pattern) {',
    replace: 'if false {',
    row: 'pubsub.subscribe.everything',
  },
  {
    without: 'the form of patterns',
    file: TOPICS,
    find: 'isLast && part == "#"',
    replace: 'part == "#"',
    row: 'pubsub.subscribe.rest-inside',
  },
  {
    without: 'the form of topics',
    file: PUBSUB,
    find: 'topics.IsTopic,',
    replace: 'topics.IsPattern,',
    row: 'pubsub.publish.pattern',
  },
  {
    without: 'the longest topic',
    file: TOPICS,
    find: 'len(text) > maxOctets',
    replace: 'false',
    row: 'pubsub.subscribe.long',
  },
  {
    without: 'the most segments',
    file: TOPICS,
    find: 'return len(parts) <= maxSegments',
    replace: 'return true',
    row: 'pubsub.subscribe.segments',
  },
  {
    without: 'the zero of a hash',
    file: TOPICS,
    find: 'if len(n.open) > 0 {',
    replace: 'if len(n.open) > 0 && len(parts) > 0 {',
    row: 'pubsub.match.rest',
  },
  {
    without: 'the limit of subscriptions of a client',
    file: STREAMS,
    find: 'len(own) >= s.settings.MaxSubscriptionsPerClient',
    replace: 'false',
    row: 'common.limits.too-many',
  },
  {
    without: 'the switch for publishing clients',
    file: PUBSUB,
    find: '!p.settings.ClientPublish || !isAllowed',
    replace: '!isAllowed',
    row: 'pubsub.closed.publish',
  },
  {
    without: 'a limit of bodies',
    file: PUBSUB,
    find: 'MaxBody: maxBody',
    replace: 'MaxBody: 1 << 30',
    row: 'pubsub.http.too-big',
  },
  {
    without: 'a look at bodies',
    file: 'internal/realtime/fields.go',
    find: 'if fields.refuseOthers(); fields.fault != "" {\n\t\treturn errors.New',
    replace: 'if fields.fault == "never" {\n\t\treturn errors.New',
    row: 'pubsub.http.bad-body',
  },
  {
    without: 'the filter of what was missed',
    file: PUBSUB,
    find: 'if !topics.Match(reply.Topic, topicOf(entry)) {',
    replace: 'if false {',
    row: 'pubsub.history.pattern',
  },
];

const LIVE = 'internal/liveupdates/liveupdates.go';
const DOCUMENTS = 'internal/documents/documents.go';
const PATCH = 'internal/jsonpatch/patch.go';

const LIVE_MUTANTS: readonly GoMutant[] = [
  ...PUBLISHER_MUTANTS.map((mutant) => ({ ...mutant, row: `live-updates.${mutant.row}` })),
  {
    without: 'the authorization of who watches',
    file: LIVE,
    find: 'if !isAllowed {',
    replace: 'if !isAllowed && name == "" {',
    row: 'live-updates.private.watch',
  },
  {
    without: 'the limit of documents of a client',
    file: LIVE,
    find: 'len(own) >= l.settings.MaxWatchesPerClient',
    replace: 'false',
    row: 'common.limits.too-many',
  },
  {
    without: 'the end of a watch',
    file: LIVE,
    find: 'delete(l.byName[name], client)',
    replace: '_ = l.byName[name]',
    row: 'live-updates.unwatch.reply',
  },
  {
    without: 'snapshots that are shorter',
    file: LIVE,
    find: 'len(patch) > len(snapshot.Text)',
    replace: 'false',
    row: 'live-updates.change.large',
  },
  {
    without: 'patience with who reads slowly',
    file: LIVE,
    find: 'own.isBehind = !client.DeliverIfSpace(sent)',
    replace: 'client.Deliver(sent, false)',
    row: 'live-updates.slow.snapshot',
  },
  {
    without: 'news for who has caught up',
    file: 'internal/websocket/outbox.go',
    find: '\t\tdrained()\n',
    replace: '',
    row: 'live-updates.slow.snapshot',
  },
  {
    without: 'the right offsets',
    file: LIVE,
    find: 'patchHead{"patch", snapshot.Name, snapshot.Position.Offset}',
    replace: 'patchHead{"patch", snapshot.Name, snapshot.Position.Offset + 1}',
    row: 'live-updates.change.offsets',
  },
  {
    without: 'a limit of bodies',
    file: LIVE,
    find: 'MaxBody: maxBody',
    replace: 'MaxBody: 1 << 30',
    row: 'live-updates.http.body-limit',
  },
  {
    without: 'the form of names',
    file: DOCUMENTS,
    find: '!realtime.IsName(name)',
    replace: 'false',
    row: 'live-updates.http.bad-name',
  },
  {
    without: 'a look at If-Match',
    file: DOCUMENTS,
    find: 'expected == "" ||',
    replace: 'expected != "*" ||',
    row: 'live-updates.patch.if-match',
  },
  {
    without: 'the largest document',
    file: DOCUMENTS,
    find: 'len(text) > d.settings.MaxDocumentBytes',
    replace: 'false',
    row: 'live-updates.http.document-limit',
  },
  {
    without: 'the most operations',
    file: PATCH,
    find: 'len(items) > limit',
    replace: 'false',
    row: 'live-updates.patch.too-many',
  },
  {
    without: 'an end of what a patch copies',
    file: PATCH,
    find: '*limit < 0 {',
    replace: '*limit == -1 {',
    row: 'live-updates.http.copies',
  },
  {
    without: 'values of operations',
    file: PATCH,
    find: '!isThere {\n\t\t\treturn o, "value',
    replace: '!isThere && o.Op == "" {\n\t\t\treturn o, "value',
    row: 'live-updates.patch.no-value',
  },
  {
    without: 'the form of pointers',
    file: PATCH,
    find: '!pointer.MatchString(path)',
    replace: 'path == "/never" && pointer == nil',
    row: 'live-updates.patch.no-pointer',
  },
  {
    without: 'tests',
    file: PATCH,
    find: 'err == nil && !jsonvalue.Equal(value, o.Value)',
    replace: 'err == nil && !jsonvalue.Equal(value, value)',
    row: 'live-updates.patch.test',
  },
  {
    without: 'the form of an index',
    file: PATCH,
    find: ' && strconv.Itoa(index) == token',
    replace: '',
    row: 'live-updates.patch.leading-zero',
  },
];

const FAMILIES = [
  {
    name: 'chat servers with auth',
    input: { type: 'chat', features: ['presence', 'resume', 'auth'] },
    mutants: AUTH_MUTANTS,
  },
  {
    name: 'pubsub servers',
    input: { type: 'pubsub', features: ['resume'] },
    mutants: PUBSUB_MUTANTS,
  },
  {
    name: 'live-updates servers',
    input: { type: 'live-updates', features: ['auth'] },
    mutants: LIVE_MUTANTS,
  },
] as const;

const describeGo = goRequirement('real-time servers in Go');

function run(folder: string, name: string, ...args: string[]): string {
  return execFileSync(name, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}

describeGo('generated in Go', () => {
  describe.each(FAMILIES)('$name', ({ input, mutants }) => {
    let intact: GeneratedServer;
    beforeAll(async () => {
      intact = await generateForTest({
        language: 'go',
        type: input.type,
        features: [...input.features],
      });
    }, COMPILE_MS);
    afterAll(() => intact.dispose());

    it.each(mutants)('are caught without $without', { timeout: 60_000 }, async (mutant) => {
      await expectCaught(intact, mutant, { checks: {}, kind: 'chat', soonMs: SOON_MS });
    });

    it('pass the rows that fail without a guard', { timeout: 120_000 }, async () => {
      const ids = new Set<string>(mutants.map(({ row }) => row));
      const results = await runContractRows(intact.project, [...ids]);
      expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
      expect(results).toHaveLength(ids.size);
    });
  });

  // Where there is the most to race.
  describe.each([
    ['chat', 'rooms,presence,history,resume,auth,rate-limit,metrics,redis', ['-race']],
    ['chat', 'auth,rate-limit', []],
    ['pubsub', '', []],
    ['pubsub', 'history,resume,auth,rate-limit,metrics,redis', ['-race']],
    ['live-updates', 'auth,rate-limit,metrics,redis', ['-race']],
  ] as const)('of type %s with the features %j', (type, list, race) => {
    it('keep their contract, and pass their own tests', { timeout: COMPILE_MS }, async () => {
      const features = FEATURES.filter((feature) => list.split(',').includes(feature));
      const server = await generateForTest({ language: 'go', type, features });
      try {
        const results = await runContractRows(server.project);
        expect(results.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
        const hasCgo = run(server.folder, 'go', 'env', 'CGO_ENABLED').trim() === '1';
        const flags = hasCgo ? race : [];
        expect(run(server.folder, 'go', 'test', ...flags, './...')).toMatch(/^ok .*websocket/m);
      } finally {
        server.dispose();
      }
    });
  });

  it.each(['pubsub', 'live-updates'] as const)(
    'of type %s with any features are formatted and without findings',
    { timeout: COMPILE_MS },
    (type) => {
      const known = offeredFeatures(go, type);
      const sets = Array.from(
        { length: 2 ** known.length },
        (_, bits) => known.filter((_name, index) => (bits & (1 << index)) !== 0),
        // Redis alone and with all: nearly all that it adds is in files of its own.
      ).filter(({ length }, bits) => {
        const hasRedis = (bits & (1 << known.indexOf('redis'))) !== 0;
        return !hasRedis || length === 1 || length === known.length;
      });
      expectClean(type, sets);
    },
  );
});
