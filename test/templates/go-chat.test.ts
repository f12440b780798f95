import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FEATURES } from '../../src/generate/answers.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { expectClean, goRequirement } from '../support/go.ts';
import { CHAT_CHECKS, ROOM_CHECKS } from './chat-checks.ts';
import type { Check } from './check.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { generateForTest, soonWithin } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { HANDSHAKE_CHECKS, SLOW_CHECKS } from './handshake-checks.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { expectCaught, withMutant } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 300_000;

const CHECKS: readonly (readonly [string, Check])[] = Object.entries({
  ...HANDSHAKE_CHECKS,
  ...CONNECTION_CHECKS,
  ...CHAT_CHECKS,
  ...ROOM_CHECKS,
  ...HOSTILE_CHECKS,
  ...SLOW_CHECKS,
  // compress/flate has no smaller one.
}).filter(([name]) => name !== 'compresses with a smaller window where that is asked for');

/** What a chat server can be of, each with the rest of features once. */
const SETS = [
  '',
  'auth',
  'rate-limit,metrics',
  'rooms',
  'rooms,auth,metrics',
  'presence,rate-limit',
  'presence,auth',
  'history,metrics',
  'history,auth,rate-limit',
  'presence,history,rate-limit,metrics',
  'resume,auth,rate-limit,metrics',
  'resume',
  'presence,resume,metrics',
  'presence,resume,auth,rate-limit',
  'redis',
  'auth,redis',
].map((list) => FEATURES.filter((feature) => list.split(',').includes(feature)));

/**
 * Besides those of go-realtime.test.ts, and of presence and rate-limit: each feature without each other that it
 * does not need.
 */
const PAIRS = [
  { features: [] },
  { features: ['rate-limit', 'metrics'] },
  { features: ['history', 'auth'] },
  { features: ['presence', 'auth', 'metrics'] },
  { features: ['resume'] },
];

const REALTIME = 'internal/realtime';
const ROOMS = 'internal/chat/rooms.go';

/** Guards, and the row of the contract that has to notice when one is missing. */
const MUTANTS: readonly Mutant[] = [
  {
    without: 'the size of rooms',
    file: ROOMS,
    find: 'len(found.members) >= r.settings.MaxRoomMembers',
    replace: 'false',
    row: 'chat.limits.room-full',
  },
  {
    without: 'the number of rooms of a client',
    file: ROOMS,
    find: 'len(own) >= r.settings.MaxRoomsPerClient',
    replace: 'false',
    row: 'common.limits.too-many',
  },
  {
    without: 'the question who is in a room',
    file: 'internal/chat/chat.go',
    find: 'if c.rooms.of(client, name) == nil {',
    replace: 'if false {',
    row: 'chat.message.not-in',
  },
  {
    without: 'the end of errors',
    file: `${REALTIME}/session.go`,
    find: '!s.warnings.Take(time.Now(), 1)',
    replace: 'false',
    row: 'common.close.invalid-messages',
  },
  {
    without: 'the end of binary messages',
    file: `${REALTIME}/session.go`,
    find: 'message.Type != websocket.Text',
    replace: 'false',
    row: 'common.close.binary',
  },
  {
    without: 'strictness',
    file: `${REALTIME}/fields.go`,
    find: '\t\tfields.refuseOthers()',
    replace: '',
    row: 'common.errors.unknown-key',
  },
  {
    without: 'form of names of users',
    file: 'internal/handler/identify.go',
    find: 'realtime.IsName(user)',
    replace: 'realtime.IsName("a")',
    row: 'common.welcome.bad-user',
  },
  {
    without: 'ids of users of their own',
    file: 'internal/chat/chat.go',
    find: 'store.Origin{User: client.User(), ID: id}',
    replace: 'store.Origin{ID: id}',
    row: 'common.idempotent.other-user',
  },
  {
    without: 'epochs',
    file: 'internal/store/memory.go',
    find: 'since.Epoch == c.epoch &&',
    replace: '',
    row: 'common.resume.other-epoch',
  },
  {
    without: 'a bound of what is kept',
    file: 'internal/store/memory.go',
    find: 'len(c.entries) > m.limits.Entries ||',
    replace: '',
    row: 'common.history.bounded',
  },
  {
    without: 'grace',
    file: 'internal/store/memory.go',
    find: 'isLast && isLost && ',
    replace: 'false && ',
    row: 'chat.presence.grace',
  },
  {
    without: 'the end of who reads too slowly',
    file: `${REALTIME}/client.go`,
    find: 'errors.Is(err, websocket.ErrSlow) && !droppable',
    replace: 'errors.Is(err, websocket.ErrSlow) && false',
    row: 'common.limits.slow-consumer',
  },
  {
    without: 'the note that it reads slower',
    file: 'internal/server/share.go',
    find: '\t\tc.onThrottled()',
    replace: '',
    row: 'common.limits.rate',
  },
  {
    without: 'the token of the metrics',
    file: `${REALTIME}/figures.go`,
    find: '!IsSecret(Bearer(request.Header), h.settings.MetricsToken)',
    replace: 'false',
    row: 'common.http.metrics-token',
  },
];

/** The same, which the contract could notice by chance alone: the project's own tests do. */
const OF_JOINS: readonly Mutant[] = [
  {
    without: 'an end of what the reply to a join holds',
    file: 'internal/chat/room.go',
    find: 'entry.offset > told.offset',
    replace: 'true',
  },
  {
    without: 'a look at who is in the list of the reply',
    file: 'internal/chat/room.go',
    find: 'range lastChanges(waiting.changes, told.members)',
    replace: 'range waiting.changes',
  },
];

const OF_USERS: Mutant = {
  without: 'the rate of a user',
  file: `${REALTIME}/users.go`,
  find: 'if known.commands.Take(now, 1) {',
  replace: 'if true {',
  row: 'common.user-rate.refused',
};

const describeGo = goRequirement('chat servers in Go');

describeGo('generated Go chat servers', () => {
  /** Nobody is verified; no user of the first has a rate. */
  let open: GeneratedServer;
  let limited: GeneratedServer;
  const generate = async (features: readonly string[]): Promise<GeneratedServer> => {
    const input = { language: 'go', type: 'chat', features, output: 'server/' };
    return await generateForTest({ ...GenerateServerInput.parse(input), subprotocols: ['v1'] });
  };

  beforeAll(async () => {
    open = await generate(['presence', 'resume', 'metrics']);
    limited = await generate(['presence', 'rate-limit']);
  }, COMPILE_MS);
  afterAll(() => {
    open.dispose();
    limited.dispose();
  });

  it.each(CHECKS)('%s', { timeout: 60_000 }, async (_, check) => {
    await check({ boot: open.boot, kind: 'chat', soon: soonWithin(10_000) });
  });

  it('are formatted and without findings', { timeout: COMPILE_MS }, () => {
    expectClean('chat', SETS);
  });

  it('pass their own tests', { timeout: COMPILE_MS }, () => {
    const options = { cwd: open.folder, encoding: 'utf8', stdio: 'pipe' } as const;
    expect(execFileSync('go', ['test', './...'], options)).toMatch(/^ok .*chat/m);
  });

  const holdContract = async (server: GeneratedServer, least: number): Promise<void> => {
    const results = await runContractRows(server.project);
    const failed = results.filter(({ verdict }) => verdict === 'fail');
    expect(failed.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
    expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(least);
    for (const { detail } of results.filter(({ verdict }) => verdict === 'skip')) {
      expect(detail).toMatch(/^the server (?:lacks|has) the feature /);
    }
  };

  it('hold the contract with presence and rate-limit', { timeout: 240_000 }, async () => {
    await holdContract(limited, 60);
  });

  it.each(PAIRS)('hold the contract with $features', { timeout: COMPILE_MS }, async (pair) => {
    const server = await generate(pair.features);
    try {
      await holdContract(server, 60);
    } finally {
      server.dispose();
    }
  });

  it.each(MUTANTS)('are caught without $without', { timeout: 120_000 }, async (mutant) => {
    await expectCaught(open, mutant, { checks: {}, kind: 'chat', soonMs: 4000 });
  });

  it(`are caught without ${OF_USERS.without}`, { timeout: 120_000 }, async () => {
    await expectCaught(limited, OF_USERS, { checks: {}, kind: 'chat', soonMs: 4000 });
  });

  it.each(OF_JOINS)('are caught without $without', { timeout: 120_000 }, async (mutant) => {
    await withMutant(open, mutant, (_, folder) => {
      const args = ['test', '-run', 'TestWhatComesDuringAJoin', './internal/chat'];
      expect(() => execFileSync('go', args, { cwd: folder, stdio: 'pipe' })).toThrow();
      return Promise.resolve();
    });
  });

  it('serve the page with DEMO=1, which is a part of the program', async () => {
    await using demo = await open.boot({ DEMO: '1' });
    const base = `http://127.0.0.1:${demo.port}`;
    const page = await fetch(`${base}/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
    expect(await page.text()).toContain('app.js');
    const statuses = ['app.js', 'client.js', 'style.css', 'public.go'].map(
      async (name) => (await fetch(`${base}/${name}`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 404]);
  });
});
