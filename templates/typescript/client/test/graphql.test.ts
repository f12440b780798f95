import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import { GraphqlClient, GraphqlError } from '../src/graphql.ts';
import type { GraphqlOptions } from '../src/graphql.ts';

const schema = buildSchema(`
  type Query { hello(name: String!): String! fails: Int! }
  type Mutation { add: Int! }
  type Subscription { count(to: Int!): Int! waits: Int! }
`);

const closing: (() => void)[] = [];
after(() => closing.forEach((close) => close()));

interface Host {
  readonly url: string;
  readonly sockets: WebSocketServer;
  readonly tokens: unknown[];
  /** Tokens that are refused from now on. */
  refused: number;
  /** How often `add` was executed, and what then happens to the connection. */
  added: number;
  onAdd: () => void;
}

async function start(): Promise<Host> {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(sockets, 'listening');
  closing.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
  const host: Host = {
    url: `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}/`,
    sockets,
    tokens: [],
    refused: 0,
    added: 0,
    onAdd: () => undefined,
  };
  const roots = {
    query: {
      hello: ({ name }: { name: string }) => `hello ${name}`,
      fails: () => {
        throw new Error('not today');
      },
    },
    mutation: {
      add: async () => {
        host.added += 1;
        host.onAdd();
        await new Promise((resolve) => setImmediate(resolve));
        return host.added;
      },
    },
    subscription: {
      count: async function* ({ to }: { to: number }) {
        for (let n = 1; n <= to; n += 1) yield await Promise.resolve({ count: n });
      },
      waits: async function* () {
        yield await Promise.resolve({ waits: host.tokens.length });
        await new Promise(() => undefined);
      },
    },
  };
  useServer(
    {
      schema,
      roots: roots,
      onConnect: ({ connectionParams }) => {
        host.tokens.push(connectionParams?.['token']);
        host.refused -= 1;
        return host.refused < 0;
      },
    },
    sockets,
  );
  return host;
}

function connect(host: Host, options: Partial<GraphqlOptions> = {}): GraphqlClient {
  const backoff = { baseMs: 1, maxMs: 5 };
  const client = new GraphqlClient({ url: host.url, WebSocket, backoff, ...options });
  closing.push(() => void client.close());
  return client;
}

describe('a GraphQL client', () => {
  it('asks, changes and subscribes', async () => {
    const client = connect(await start());
    const names: string[] = [];
    client.on('state', ({ name }) => names.push(name));
    const query = 'query ($name: String!) { hello(name: $name) }';
    assert.deepEqual(await client.query(query, { name: 'ada' }), { hello: 'hello ada' });
    assert.deepEqual(await client.mutate('mutation { add }'), { add: 1 });
    const counts: unknown[] = [];
    for await (const { count } of client.subscribe<{ count: number }>(
      'subscription { count(to: 3) }',
    )) {
      counts.push(count);
    }
    assert.deepEqual(counts, [1, 2, 3]);
    assert.deepEqual(names.slice(0, 2), ['connecting', 'open']);
  });

  it('rejects with the errors of the server', async () => {
    const client = connect(await start());
    for (const query of ['{ fails }', '{ nothing }']) {
      await assert.rejects(client.query(query), GraphqlError);
    }
    const events = client.subscribe('subscription { nothing }');
    await assert.rejects(() => events.next(), /Cannot query field "nothing"/);
  });

  it('goes on with its subscriptions after a lost connection, with a new token', async () => {
    const host = await start();
    let made = 0;
    const client = connect(host, { getToken: () => `t${(made += 1)}` });
    const events = client.subscribe<{ waits: number }>('subscription { waits }');
    assert.deepEqual((await events.next()).value, { waits: 1 });
    for (const socket of host.sockets.clients) socket.terminate();
    assert.deepEqual((await events.next()).value, { waits: 2 });
    for (const socket of host.sockets.clients) socket.close(1001, 'Going away');
    assert.deepEqual((await events.next()).value, { waits: 3 });
    assert.deepEqual(host.tokens, ['t1', 't2', 't3']);
    await client.close();
  });

  it('asks for another token once when one is refused', async () => {
    const host = await start();
    const client = connect(host, { getToken: () => 'token' });
    host.refused = 1;
    assert.deepEqual(await client.query('{ hello(name: "you") }'), { hello: 'hello you' });
    await client.close();
    const refused = connect(host, { getToken: () => 'token' });
    host.refused = 5;
    await assert.rejects(refused.query('{ hello(name: "you") }'), { code: 'closed' });
    assert.equal(host.refused, 3);
  });

  it('tries again when there is no token', async () => {
    const host = await start();
    let calls = 0;
    const client = connect(host, {
      getToken: () => {
        calls += 1;
        if (calls === 1) throw new Error('offline');
        return 'token';
      },
    });
    const errors: string[] = [];
    client.on('error', ({ code }) => errors.push(code));
    host.refused = 1;
    await client.query('{ hello(name: "you") }');
    assert.deepEqual([errors, host.tokens], [['token'], [undefined, 'token']]);
  });

  it('sends a mutation once', async () => {
    const host = await start();
    const client = connect(host);
    host.onAdd = () => {
      for (const socket of host.sockets.clients) socket.terminate();
    };
    await assert.rejects(client.mutate('mutation { add }'), { code: 'unknown_outcome' });
    await client.query('{ hello(name: "you") }');
    assert.equal(host.added, 1);
  });

  it('gives up a server that is silent', async () => {
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    await once(silent, 'listening');
    closing.push(() => silent.close());
    silent.on('connection', (socket) => {
      closing.push(() => socket.terminate());
      socket.once('message', () => socket.send('{"type":"connection_ack"}'));
    });
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const client = new GraphqlClient({ url, WebSocket, pingIntervalMs: 20, pongTimeoutMs: 20 });
    const waiting = new Promise<number | undefined>((resolve) => {
      client.on('state', ({ name, code }) => {
        if (name === 'waiting') resolve(code);
      });
    });
    const events = client.subscribe('subscription { waits }');
    const next = events.next();
    assert.equal(await waiting, 4499);
    await events.return?.();
    await next.catch(() => undefined);
    await client.close();
  });
});
