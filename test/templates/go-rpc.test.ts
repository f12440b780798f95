import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { go } from '../../src/generate/languages/go.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { expectClean, goRequirement } from '../support/go.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { expectCaught } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 600_000;

const PROTOCOLS = go.servers.rpc?.speaks ?? [];

const JSON_RPC = 'internal/jsonrpc/jsonrpc.go';
const GRAPHQL = 'internal/graphqlws/graphqlws.go';
const WAMP = 'internal/wamp';

const MUTANTS: readonly Mutant[] = [
  {
    without: 'the end of a batch',
    file: JSON_RPC,
    find: 'if left.Add(-1) > 0 {',
    replace: 'if left.Add(-1); false {',
    row: 'json-rpc.batch.several',
  },
  {
    without: 'silence about notifications',
    file: JSON_RPC,
    find: 'if asked.id == nil {\n\t\t\tanswer(nil)',
    replace: 'if false {\n\t\t\tanswer(nil)',
    row: 'json-rpc.notification.unknown',
  },
  {
    without: 'the refusal of operations before connection_ack',
    file: GRAPHQL,
    find: 'if !c.isOpen {',
    replace: 'if false {',
    row: 'graphql-ws.subscribe.before-init',
  },
  {
    without: 'the end of what a client has completed',
    file: GRAPHQL,
    find: 'if of, ok := c.active[id]; ok {',
    replace: 'if of, ok := c.active[id]; ok && id == "" {',
    row: 'graphql-ws.complete.stops',
  },
  {
    without: 'the check of tickets and signatures',
    file: `${WAMP}/session.go`,
    find: 'if isSame(answer, expected) && a.user != nil {',
    replace: 'if expected != "" && a.user != nil {',
    row: 'wamp.cra.wrong',
  },
  {
    without: 'the id that a challenge has named',
    file: `${WAMP}/session.go`,
    find: 'a.method, "static"}, a.session)',
    replace: 'a.method, "static"}, 0)',
    row: 'wamp.cra.session',
  },
  {
    without: 'the wait for AUTHENTICATE',
    file: `${WAMP}/session.go`,
    find: 'case s.asked != nil:',
    replace: 'case s.asked != nil && s.isOver:',
    row: 'wamp.auth.early-hello',
  },
  {
    without: 'the end of calls whose callee has gone',
    file: `${WAMP}/dealer.go`,
    find: 'd.abandon(of, "wamp.error.canceled", "the callee has gone", false)',
    replace: '_ = of',
    row: 'wamp.call.callee-lost',
  },
  {
    without: 'the exclusion of the publisher',
    file: `${WAMP}/broker.go`,
    find: '!(isSilent && to == m) && isEligible(to)',
    replace: 'isSilent != (to == nil) && isEligible(to)',
    row: 'wamp.event.own',
  },
  {
    without: 'the check of URIs',
    file: `${WAMP}/limits.go`,
    find: 'case !isURI(uri, match):',
    replace: 'case false && !isURI(uri, match):',
    row: 'wamp.uri.subscribe',
  },
];

goRequirement('rpc servers in Go')('generated Go rpc servers', () => {
  let server: GeneratedServer;

  beforeAll(async () => {
    const features = ['auth', 'rate-limit', 'metrics'];
    const choices = { language: 'go', type: 'rpc', features, output: 'server/' };
    server = await generateForTest({
      ...GenerateServerInput.parse(choices),
      subprotocols: [...PROTOCOLS],
    });
  }, COMPILE_MS);
  afterAll(() => {
    server.dispose();
  });

  it('hold the contracts of their protocols', { timeout: 240_000 }, async () => {
    const results = await runContractRows(server.project);
    const failed = results.filter(({ verdict }) => verdict === 'fail');
    expect(failed.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
    expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(160);
  });

  it('pass their own tests', { timeout: COMPILE_MS }, () => {
    const options = { cwd: server.folder, encoding: 'utf8', stdio: 'pipe' } as const;
    const tested = execFileSync('go', ['test', './internal/...'], options);
    for (const name of ['graphqlws', 'jsonrpc', 'realtime']) {
      expect(tested).toMatch(new RegExp(`^ok .*${name}`, 'm'));
    }
  });

  it('are formatted and without findings', { timeout: COMPILE_MS }, () => {
    expectClean('rpc', [['rate-limit'], ['auth', 'metrics']], PROTOCOLS);
    for (const name of PROTOCOLS) expectClean('rpc', [[]], [name]);
    expectClean('chat', [['auth', 'redis', 'metrics']], PROTOCOLS);
  });

  it.each(MUTANTS)('are caught without $without', { timeout: 120_000 }, async (mutant) => {
    await expectCaught(server, mutant, { checks: {}, kind: 'chat', soonMs: 4000 });
  });
});
