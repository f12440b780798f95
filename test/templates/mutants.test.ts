import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH_MUTANTS } from './auth-mutants.ts';
import { CHAT_MUTANTS } from './chat-mutants.ts';
import { CHAT_CHECKS, ROOM_CHECKS } from './chat-checks.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { HANDSHAKE_CHECKS } from './handshake-checks.ts';
import type { Check, Kind } from './check.ts';
import { ECHO_CHECKS } from './echo-checks.ts';
import { ECHO_MUTANTS } from './echo-mutants.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { ROWS } from '../../src/contract/index.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { runNode } from '../support/programs.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { LIMIT_MUTANTS } from './limit-mutants.ts';
import { LIVE_MUTANTS } from './live-mutants.ts';
import { expectCaught, withMutant } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { PUBSUB_MUTANTS } from './pubsub-mutants.ts';

interface Family {
  readonly name: string;
  readonly kind: Kind;
  readonly input: Parameters<typeof generateForTest>[0];
  readonly checks: Readonly<Record<string, Check>>;
  readonly mutants: readonly Mutant[];
}

const FAMILIES: readonly Family[] = [
  {
    name: 'echo server',
    kind: 'echo',
    input: { type: 'echo', output: 'echo-server.js' },
    checks: { ...HANDSHAKE_CHECKS, ...CONNECTION_CHECKS, ...ECHO_CHECKS, ...HOSTILE_CHECKS },
    mutants: ECHO_MUTANTS,
  },
  {
    name: 'chat server',
    kind: 'chat',
    input: { type: 'chat', features: ['presence', 'resume'] },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...CHAT_CHECKS,
      ...ROOM_CHECKS,
      ...HOSTILE_CHECKS,
    },
    mutants: CHAT_MUTANTS,
  },
  {
    name: 'chat server with auth',
    kind: 'chat',
    input: { type: 'chat', features: ['presence', 'resume', 'auth'] },
    checks: {},
    mutants: AUTH_MUTANTS,
  },
  {
    name: 'chat server with limits of users',
    kind: 'chat',
    input: { type: 'chat', features: ['rooms', 'auth', 'rate-limit', 'metrics'] },
    checks: {},
    mutants: LIMIT_MUTANTS,
  },
  {
    name: 'pubsub server',
    kind: 'chat',
    input: { type: 'pubsub', features: ['resume'] },
    checks: {},
    mutants: PUBSUB_MUTANTS,
  },
  {
    name: 'live-updates server',
    kind: 'chat',
    input: { type: 'live-updates', features: ['auth'] },
    checks: {},
    mutants: LIVE_MUTANTS,
  },
];

/** Runs one of the test files of a project, as it was built. */
function runOwnTest(folder: string, name: string): ReturnType<typeof runNode> {
  return runNode(['--test', '--test-reporter=tap', `dist/test/${name}.test.js`], {
    cwd: folder,
    // Where the guard is one of memory, this is what fails without it.
    env: { NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: '--max-old-space-size=256' },
  });
}

/** Wait for what comes at once, unless the guard for it is missing. */
const SOON_MS = 2000;

describe.each(FAMILIES)('$name', ({ kind, input, checks, mutants }) => {
  let intact: GeneratedServer;
  beforeAll(async () => {
    intact = await generateForTest(input);
  });
  afterAll(() => intact.dispose());

  it.each(mutants)('is caught without $without', async (mutant) => {
    const { ownTest } = mutant;
    if (ownTest === undefined) {
      await expectCaught(intact, mutant, { checks, kind, soonMs: SOON_MS });
      return;
    }
    await withMutant(intact, mutant, async (_, folder) => {
      const { code, stdout } = await runOwnTest(folder, ownTest);
      expect([code, stdout]).toEqual([1, expect.stringMatching(/^# fail [1-9]/m)]);
    });
  });

  it('passes the rows that fail without a guard', async () => {
    const ids = mutants.flatMap(({ row }) => row ?? []);
    if (ids.length === 0) return;
    const results = await runContractRows(intact.project, ids);
    expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(results).toHaveLength(new Set(ids).size);
  });

  it('passes its own tests that fail without a guard', async () => {
    for (const name of new Set(mutants.flatMap(({ ownTest }) => ownTest ?? []))) {
      expect(await runOwnTest(intact.folder, name)).toMatchObject({ code: 0 });
    }
  });

  it('has a check for every guard that mutants lack', () => {
    const unused = mutants.filter(({ check = '', row, ownTest }) => {
      if (ownTest !== undefined) return false;
      return row === undefined ? !Object.hasOwn(checks, check) : !ROWS.some(({ id }) => id === row);
    });
    expect(unused).toEqual([]);
  });
});
