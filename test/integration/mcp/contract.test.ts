import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Transport } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { ROWS, runContract } from '../../../src/contract/index.ts';
import type { ContractOptions, RowResult } from '../../../src/contract/index.ts';
import { AuditLog } from '../../../src/mcp/bridge/audit-log.ts';
import { startBridge } from '../../../src/mcp/bridge/serve.ts';
import type { Bridge, BridgeOptions } from '../../../src/mcp/bridge/serve.ts';
import { WebSocketServerTransport } from '../../../src/mcp/index.ts';
import { change, faulty, without } from '../../support/faulty-proxy.ts';
import type { Fault, Value } from '../../support/faulty-proxy.ts';
import { everythingCommand } from '../../support/mcp.ts';

const fixtureUrl = new URL('../../fixtures/mcp-everything.mjs', import.meta.url).href;
const fixture = (await import(fixtureUrl)) as {
  everythingV2: () => Promise<Parameters<typeof serveStdio>[0]>;
};

/** Holds a server to rows of the contract: those that match. */
async function hold(
  url: string,
  rows = /./,
  more: Partial<ContractOptions> = {},
): Promise<readonly RowResult[]> {
  return await runContract({
    ...{ type: 'mcp', rows: ROWS, url, secrets: {}, headers: [], tls: {}, timeoutMs: 15_000 },
    ...{ signal: new AbortController().signal, known: { crashTool: 'exit' } },
    only: ({ id }) => rows.test(id),
    ...more,
  });
}

function broken(results: readonly RowResult[]): readonly string[] {
  return results
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')
    .map(({ row, detail }) => `${row.id}: ${detail}`);
}

function skipped(results: readonly RowResult[]): readonly string[] {
  return results.filter(({ verdict }) => verdict === 'skip').map(({ row }) => row.id);
}

const isObject = (value: unknown): value is Value => typeof value === 'object' && value !== null;

/** Changes results. */
const result = (edit: (value: Value) => object): Fault => ({
  says: change((one) => (isObject(one['result']) ? { ...one, result: edit(one['result']) } : one)),
});

const omit = (key: string) => (one: Value) =>
  Object.fromEntries(Object.entries(one).filter(([name]) => name !== key));

/** Replaces one error code by another. */
const code = (from: number, to: number): Fault => ({
  says: (text) => text.replace(`"code":${from}`, `"code":${to}`),
});

/** Changes the parameters of a method, in requests and notifications. */
const params = (method: string, edit: (value: Value) => object): ReturnType<typeof change> =>
  change((one) =>
    one['method'] === method ? { ...one, params: edit((one['params'] ?? {}) as Value) } : one,
  );

const noTextIds: Fault = {
  says: change((one) => (typeof one['id'] === 'string' ? { ...one, id: null } : one)),
};
const silentOn = (method: string): Fault => ({ says: without((one) => one['method'] === method) });

const FAULTS: readonly (readonly [row: string, Fault])[] = [
  ['message.json', code(-32700, -32600)],
  ['message.null', { says: without((one) => 'error' in one) }],
  ['message.id-null', { hears: change((one) => ({ ...one, id: one['id'] ?? 1 })) }],
  [
    'message.params-list',
    {
      hears: change((one) => (Array.isArray(one['params']) ? { ...one, params: {} } : one)),
    },
  ],
  ['message.batch', { hears: (text) => (text.startsWith('[') ? undefined : text) }],
  ['message.id-digits', { says: change((one) => ({ ...one, id: Number(one['id']) })) }],
  ['message.unknown', code(-32601, -32603)],
  [
    'message.notification',
    {
      hears: change((one) => (one['method'] === 'notifications/wsk' ? { ...one, id: 'n' } : one)),
    },
  ],
  ['message.unicode', { says: (text) => text.replaceAll('𝄞', '?') }],
  ['message.line-breaks', { hears: (text) => text.split('\n')[0] }],
  ['message.binary', {}],
  ['lifecycle.initialize', result(omit('serverInfo'))],
  [
    'lifecycle.version-unknown',
    result((one) => ('protocolVersion' in one ? { ...one, protocolVersion: '2999-12-31' } : one)),
  ],
  ['utility.ping', result((one) => ({ pong: true, ...one }))],
  [
    'utility.progress-number',
    { says: (text) => text.replace('"progressToken":41', '"progressToken":42') },
  ],
  [
    'utility.progress-text',
    { says: params('notifications/progress', (one) => ({ ...one, progress: 1 })) },
  ],
  [
    'utility.progress-none',
    { hears: params('tools/call', (one) => ({ _meta: { progressToken: 'own' }, ...one })) },
  ],
  ['tools.list', result((one) => ('tools' in one ? { ...one, tools: [{ name: 'a' }] } : one))],
  ['tools.call', result((one) => ('content' in one ? { ...one, content: 'text' } : one))],
  ['resources.read', result((one) => ('contents' in one ? { ...one, contents: [] } : one))],
  ['prompts.get', result((one) => ('messages' in one ? { ...one, messages: [{}] } : one))],
  [
    'prompts.completion',
    result((one) => ('completion' in one ? { completion: { values: [1] } } : one)),
  ],
  ['asking.elicitation', silentOn('elicitation/create')],
  ['asking.error', silentOn('sampling/createMessage')],
  ['modern.discover', result(omit('resultType'))],
  ['modern.version', code(-32022, -32602)],
  ['modern.unknown', code(-32601, -32602)],
  ['modern.cache', result(omit('ttlMs'))],
  ['modern.input', { hears: params('tools/call', omit('inputResponses')) }],
  ['modern.listen', silentOn('notifications/subscriptions/acknowledged')],
  ['clients.same-ids', { says: (text) => text.replace('"id":3', '"id":4') }],
  ['clients.logs', { broadcasts: true }],
  ['clients.left', { broadcasts: true }],
  ['s1.connects', result((one) => ('tools' in one ? {} : one))],
  ['s2.id-text', noTextIds],
  ['s3.probe', noTextIds],
  ['s4.sampling', { hears: without((one) => 'result' in one) }],
  ['s5.progress', { broadcasts: true }],
  ['s6.invalid', { says: without((one) => 'error' in one) }],
  ['s7.origin', {}],
  ['s10.large', { isFragile: true }],
  ['s11.cancel', { hears: without((one) => one['method'] === 'notifications/cancelled') }],
  ['s13.in-flight', { says: (text) => text.replace('7:xxx', '8:xxx') }],
];

describe('the contract of MCP', () => {
  let server: WebSocketServer;
  let url = '';

  beforeAll(async () => {
    const factory = await fixture.everythingV2();
    server = new WebSocketServer({
      ...{ port: 0, host: '127.0.0.1', maxPayload: 1_000_000, handleProtocols: () => 'mcp' },
      verifyClient: ({ req }: { req: IncomingMessage }) =>
        req.headers.origin === undefined &&
        /\bmcp\b/.test(req.headers['sec-websocket-protocol'] ?? ''),
    });
    server.on('connection', (socket) => {
      const transport: Transport = new WebSocketServerTransport(socket);
      serveStdio(factory, { transport });
    });
    await once(server, 'listening');
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });

  afterAll(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });

  it('holds for the transport of servers, in both eras', async () => {
    const results = await hold(url, /./, { known: {} });
    expect(broken(results)).toEqual([]);
    // What needs sessions, tokens, a health endpoint or a server that ends.
    expect(skipped(results).join(' ')).toMatch(
      /^(?:mcp\.(?:handshake\.token-[a-z]+|lifecycle\.unannounced|session\.[a-z-]+|s(?:8|9|12)\.[a-z]+) ?)+$/,
    );
  }, 120_000);

  it('finds what is on a later page of a list', async () => {
    let isRest = false;
    const proxy = await faulty(url, {
      hears: params('tools/list', (one) => {
        isRest = one['cursor'] === 'rest';
        return omit('cursor')(one);
      }),
      ...result((one) => ('tools' in one && !isRest ? { tools: [], nextCursor: 'rest' } : one)),
    });
    const { port } = proxy.address() as AddressInfo;
    try {
      const results = await hold(`ws://127.0.0.1:${port}/`, /^mcp\.tools\.call$/);
      expect(results.map(({ verdict }) => verdict)).toEqual(['pass']);
    } finally {
      for (const client of proxy.clients) client.terminate();
      proxy.close();
    }
  });

  it.each(FAULTS)(
    'fails for what breaks %s',
    async (row, fault) => {
      const proxy = await faulty(url, fault);
      const { port } = proxy.address() as AddressInfo;
      try {
        const id = new RegExp(`^mcp\\.${row.replaceAll('.', '\\.')}$`);
        const results = await hold(`ws://127.0.0.1:${port}/`, id, { timeoutMs: 2000 });
        const advice = results.map((one) => (one.row.isAdvice === true ? 'warn' : 'fail'));
        expect(results.map(({ verdict }) => verdict)).toEqual(advice);
        expect(results).toHaveLength(1);
      } finally {
        for (const client of proxy.clients) client.terminate();
        proxy.close();
      }
    },
    60_000,
  );
});

describe('the contract of MCP holds for a bridge', () => {
  const TOKEN = 'a-token-of-the-test';

  async function serve(options: Partial<BridgeOptions>): Promise<Bridge> {
    return await startBridge({
      ...{ command: everythingCommand(2), shared: false, host: '127.0.0.1', port: 0, path: '/mcp' },
      ...{ healthPaths: ['/healthz'], origins: [], tokens: [TOKEN], maxClients: 1000 },
      ...{ maxMessage: 10_000_000, graceMs: 30_000, restart: 5, drainMs: 100 },
      log: new AuditLog(() => undefined, 'none'),
      ...options,
    });
  }

  it.each([
    // Without sessions: calls of clients that left would keep whom a request of the child is for from view.
    [
      'with one child for all',
      { shared: true, graceMs: 0, command: everythingCommand(1) },
      /./,
      ['mcp.s9.vanished'],
    ],
    ['with a child for each client', {}, /\.(?:s\d+|session|handshake)\./, []],
  ] as const)(
    '%s',
    async (_, options, rows, absent) => {
      const bridge = await serve(options);
      try {
        const url = `ws://127.0.0.1:${bridge.port}/mcp`;
        const results = await hold(url, rows, { secrets: { user: TOKEN } });
        expect(broken(results)).toEqual([]);
        const probes = results.filter(({ row }) => /\.s\d+\./.test(row.id));
        expect(skipped(probes)).toEqual(absent);
        expect(probes).toHaveLength(13);
      } finally {
        await bridge.stop();
      }
    },
    180_000,
  );
});
