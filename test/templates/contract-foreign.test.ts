import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROWS, runContract } from '../../src/contract/index.ts';
import type { ForeignType } from '../../src/contract/terms.ts';
import { WAMP_USERS, fileOfUsers, settingsOfUsers } from '../../src/contract/wamp-users.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { change, faulty, without } from '../support/faulty-proxy.ts';
import type { Fault } from '../support/faulty-proxy.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { runTest } from '../support/endpoint.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

const KNOWN = {
  subscription: 'subscription { countdown(from: 1000, everyMs: 20) }',
  method: 'add {"a":1,"b":2}',
};

const [TICKET, SECRET] = ['the ticket', 'the secret'];
const SECRETS = { ticket: `${WAMP_USERS.ticket}:${TICKET}`, cra: `${WAMP_USERS.secret}:${SECRET}` };

/** Replaces an element of WAMP messages of a type. */
const put = (type: number, at: number, element: unknown): ReturnType<typeof change> =>
  change((value) => (value[0] === type ? Object.values({ ...value, [at]: element }) : value));

/** Replaces what is in the details of HELLO or WELCOME. */
const details = (type: number, more: object): ReturnType<typeof change> =>
  change((value) =>
    value[0] === type ? [type, value[1], { ...(value[2] as object), ...more }] : value,
  );

/** Signs whatever comes as the right one, for somebody whom it makes of anybody. */
function forger(): Fault {
  let asked = '';
  const forge = change((value) => {
    const signature = createHmac('sha256', SECRET).update(asked).digest('base64');
    return value[0] === 5 ? [5, signature, {}] : value;
  });
  const rename = details(1, { authid: WAMP_USERS.secret });
  return {
    says: change((value) => {
      if (value[0] === 4) asked = (value[2] as { challenge: string }).challenge;
      return value;
    }),
    hears: (text) => forge(rename(text) ?? ''),
  };
}

/** Every challenge has the same nonce. */
const oneNonce = change((value) => {
  if (value[0] !== 4) return value;
  const { challenge } = value[2] as { challenge: string };
  const signed = JSON.parse(challenge) as object;
  return [4, 'wampcra', { challenge: JSON.stringify({ ...signed, nonce: 'a' }) }];
});

const FAULTS: readonly (readonly [ForeignType, row: string, Fault])[] = [
  ['graphql-ws', 'ping.pong', { says: without(({ type }) => type === 'pong') }],
  ['graphql-ws', 'init.ack', { says: without(({ type }) => type === 'connection_ack') }],
  ['graphql-ws', 'init.twice', { closesWith: 1002 }],
  ['graphql-ws', 'subscribe.before-init', { closesWith: 1002 }],
  ['graphql-ws', 'subscribe.taken', { closesWith: 4400 }],
  ['graphql-ws', 'invalid.null', { closesWith: 1000 }],
  ['graphql-ws', 'invalid.id-number', { hears: change((one) => ({ ...one, id: 'a' })) }],
  [
    'graphql-ws',
    'subscribe.variables',
    { hears: change((one) => ({ ...one, payload: { query: '{ a: __typename }' } })) },
  ],
  ['graphql-ws', 'subscribe.query', { says: change((one) => ({ ...one, id: 'other' })) }],
  ['graphql-ws', 'next.result', { says: change((one) => ({ ...one, payload: null })) }],
  ['graphql-ws', 'next.one', { says: without(({ type }) => type === 'complete') }],
  [
    'graphql-ws',
    'error.validation',
    { says: change((one) => (one['type'] === 'error' ? { ...one, type: 'next' } : one)) },
  ],
  ['graphql-ws', 'complete.stops', { hears: without(({ type }) => type === 'complete') }],
  ['json-rpc', 'response.id-number', { says: change((one) => ({ ...one, id: '7' })) }],
  ['json-rpc', 'response.fields', { says: change((one) => ({ ...one, result: null })) }],
  ['json-rpc', 'request.version', { hears: change((one) => ({ ...one, jsonrpc: '2.0' })) }],
  ['json-rpc', 'error.method', { says: change((one) => ({ ...one, error: { code: -32000 } })) }],
  ['json-rpc', 'error.json', { says: (text) => text.replace('-32700', '-32600') }],
  ['json-rpc', 'notification.unknown', { hears: change((one) => ({ id: 1, ...one })) }],
  ['json-rpc', 'batch.one', { says: change((one) => one[0] ?? one) }],
  ['json-rpc', 'batch.empty', { says: change((one) => ('error' in one ? [one] : one)) }],
  ['json-rpc', 'request.result', { says: without((one) => 'result' in one) }],
  ['wamp', 'hello.welcome', { says: put(2, 1, 0) }],
  ['wamp', 'hello.random', { says: put(2, 1, 7) }],
  ['wamp', 'hello.roles', { says: put(2, 2, {}) }],
  ['wamp', 'violation.json', { says: put(3, 2, 'wamp.error.canceled') }],
  ['wamp', 'hello.twice', { says: without((one) => one[0] === 3) }],
  ['wamp', 'goodbye.reply', { says: put(6, 2, 'wamp.close.normal') }],
  ['wamp', 'uri.subscribe', { says: put(8, 4, 'wamp.error.canceled') }],
  ['wamp', 'publish.silent', { hears: put(16, 2, { acknowledge: true }) }],
  ['wamp', 'publish.acknowledge', { says: without((one) => one[0] === 17) }],
  ['wamp', 'event.payload', { says: put(36, 4, []) }],
  ['wamp', 'event.own', { hears: put(16, 2, { acknowledge: true, exclude_me: false }) }],
  ['wamp', 'event.publication', { says: put(36, 2, 5) }],
  ['wamp', 'unsubscribe.unknown', { says: put(8, 4, 'wamp.error.invalid_argument') }],
  ['wamp', 'call.result', { says: put(50, 3, [1]) }],
  ['wamp', 'call.error', { says: put(8, 4, 'wamp.error.runtime_error') }],
  ['wamp', 'call.callee-lost', { says: without((one) => one[0] === 8) }],
  ['wamp', 'register.taken', { says: put(8, 4, 'wamp.error.canceled') }],
  ['wamp', 'advanced.exclude', { hears: put(16, 2, { acknowledge: true }) }],
  ['wamp', 'advanced.prefix', { hears: put(32, 2, {}) }],
  ['wamp', 'ticket.welcome', { says: details(2, { authid: 'other' }) }],
  ['wamp', 'ticket.wrong', { hears: put(5, 1, TICKET) }],
  ['wamp', 'ticket.unknown', { hears: details(1, { authid: WAMP_USERS.ticket }) }],
  ['wamp', 'ticket.once', { hears: without((one) => one[0] === 5 && one[1] !== TICKET) }],
  ['wamp', 'cra.challenge', { says: put(4, 2, { challenge: '{"authid":"wsk-secret"}' }) }],
  ['wamp', 'cra.welcome', { says: details(2, { authmethod: 'ticket' }) }],
  ['wamp', 'cra.session', { says: put(2, 1, 12_345) }],
  ['wamp', 'cra.nonce', { says: oneNonce }],
  ['wamp', 'cra.replay', forger()],
  ['wamp', 'cra.wrong', forger()],
  ['wamp', 'cra.unknown', forger()],
  [
    'wamp',
    'auth.early-subscribe',
    { hears: change((one) => (one[0] === 32 ? [5, TICKET, {}] : one)) },
  ],
  ['wamp', 'auth.early-hello', { says: put(3, 2, 'wamp.error.no_such_realm') }],
  ['wamp', 'auth.number', { hears: put(5, 1, 'text') }],
  ['wamp', 'auth.method', { hears: details(1, { authmethods: ['anonymous'] }) }],
  ['wamp', 'auth.skip', { says: put(4, 1, 'wampcra') }],
  ['wamp', 'auth.first', { says: put(3, 2, 'wamp.error.canceled') }],
  ['wamp', 'auth.late', { hears: without((one) => one[0] === 5) }],
];

describe('the contracts of other protocols', () => {
  let generated: GeneratedServer;
  let server: ServerProcess;

  beforeAll(async () => {
    generated = await generateForTest({
      type: 'rpc',
      subprotocols: ['graphql-ws', 'wamp.2.json', 'json-rpc'],
    });
    await using users = await fileOfUsers();
    const limits = { MAX_CONNECTIONS_PER_IP: '1000', HANDSHAKE_RATE: '100000' };
    server = await startServerProcess(['dist/src/main.js'], {
      cwd: generated.folder,
      env: { ...limits, ...settingsOfUsers(SECRETS), ...users.settings },
    });
  }, 240_000);

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    generated.dispose();
  });

  it('hold for a generated server', async () => {
    const results = await runContractRows(generated.project, undefined, 10_000, { known: KNOWN });
    const broken = results.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn');
    expect(broken.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
    expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(305);
  }, 240_000);

  it.each(FAULTS)(
    'of %s fail for what breaks %s',
    async (type, row, fault) => {
      const proxy = await faulty(`ws://127.0.0.1:${server.port}/`, fault);
      const { port } = proxy.address() as AddressInfo;
      try {
        const results = await runContract({
          ...{ type, rows: ROWS, known: KNOWN, secrets: SECRETS, headers: [], tls: {} },
          url: `ws://127.0.0.1:${port}/`,
          subprotocols: ['json-rpc'],
          timeoutMs: 1000,
          signal: new AbortController().signal,
          only: ({ id }) => id === `${type}.${row}`,
        });
        expect(results.map(({ verdict }) => verdict)).toEqual(['fail']);
      } finally {
        for (const client of proxy.clients) client.terminate();
        proxy.close();
      }
    },
    60_000,
  );

  it('let users in that are given, and skip what needs them without', async () => {
    const only = ({ id }: { id: string }): boolean => /^wamp\.(?:ticket|cra|auth)\./.test(id);
    const results = async (secrets: object): Promise<Record<string, number>> => {
      const run = await runContract({
        ...{ type: 'wamp', rows: ROWS, secrets, headers: [], tls: {}, only, timeoutMs: 10_000 },
        url: `ws://127.0.0.1:${server.port}/`,
        signal: new AbortController().signal,
      });
      const counts: Record<string, number> = {};
      for (const { verdict } of run) counts[verdict] = (counts[verdict] ?? 0) + 1;
      return counts;
    };
    // Two need a realm, or a user, that only a project is known to have.
    expect(await results(SECRETS)).toEqual({ pass: 24, skip: 2 });
    expect(await results({})).toEqual({ pass: 2, skip: 24 });
  });

  it('are each named in a report, and say what is missing', async () => {
    const url = `ws://127.0.0.1:${server.port}/`;
    const report = await runTest({
      ...{ url, contract: 'json-rpc', subprotocols: ['json-rpc'], messages: 5 },
    });
    expect(report.checks.find(({ id }) => id === 'json-rpc.request.result')).toMatchObject({
      verdict: 'skip',
      detail: 'no method is known: --method gives one',
      rfc: 'JSON-RPC#4',
    });
    expect(report.checks.find(({ id }) => id === 'liveness')).toMatchObject({ verdict: 'pass' });
    await expect(
      runTest({ project: generated.project, contract: 'chat', messages: 5 }),
    ).rejects.toThrow('--contract is chat, but the project is of type rpc');
  }, 60_000);
});
