import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { getIntrospectionQuery, GraphQLError } from 'graphql';
import { WebSocket } from 'ws';
import { Broadcast } from '../src/broadcast.ts';
import { ConfigError, readConfig } from '../src/config.ts';
import { Documents } from '../src/graphql-documents.ts';
// #if graphql-legacy
import { LegacyGraphql } from '../src/graphql-legacy.ts';
// #endif
import { createSchema } from '../src/graphql-schema.ts';
import type { Resolvers } from '../src/graphql-schema.ts';
import { Graphql } from '../src/graphql.ts';
import { resolvers } from '../src/handlers/resolvers.ts';
import type { Conversation, Peer } from '../src/protocol.ts';
import { startServer, TestClient } from './support.ts';
// #if auth
import { tokenFor } from './support.ts';
// #endif

const TOKEN = 'graphql-transport-ws';

interface Sent {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

const SCHEMA = `
  directive @cost(weight: String!) on FIELD_DEFINITION
  directive @listSize(assumedSize: Int, slicingArguments: [String!]) on FIELD_DEFINITION
  type Query {
    hello(name: String): String!
    user: String!
    wait: String
    expected: String
    unexpected: String
    node(first: Int): Node!
    dear: Int @cost(weight: "500")
    any(value: Any): Any
  }
  type Subscription { ticks: Int! breaks: Int! refused: Int! }
  type Node { id: ID! node: Node! nodes(first: Int, all: Int): [Node!]! few: [Node!] @listSize(assumedSize: 2) }
  scalar Any
`;

/** Lets what is under way go on as far as it can. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

class Bench {
  readonly sent: Sent[] = [];
  closed: number | undefined;
  reason = '';
  readonly whenClosed: Promise<number>;
  #onClosed: (code: number) => void = () => undefined;
  readonly ticks = new Broadcast<number>();
  readonly returned: string[] = [];
  answer: (value: string) => void = () => undefined;
  readonly resolvers: Resolvers = {
    Query: {
      hello: (_, { name = 'world' }: { name?: string }) => `hello ${name}`,
      user: (_, __, { user }) => user,
      wait: () =>
        new Promise((resolve) => {
          this.answer = resolve;
        }),
      expected: () => {
        throw new GraphQLError('not today', { extensions: { code: 'BUSY' } });
      },
      unexpected: () => {
        throw new Error('password of the database: 4711');
      },
      node: () => ({}),
      dear: () => 1,
      any: (_, { value }: { value: unknown }) => value,
    },
    Subscription: {
      ticks: () => {
        const ticks = this.ticks.subscribe('');
        const { returned } = this;
        return {
          next: () => ticks.next(),
          return: () => {
            returned.push('ticks');
            return Promise.resolve({ value: undefined, done: true });
          },
          [Symbol.asyncIterator]() {
            return this;
          },
        };
      },
      async *breaks() {
        yield await Promise.resolve(1);
        throw new Error('password of the database: 4711');
      },
      refused: () => {
        throw new Error('password of the database: 4711');
      },
    },
  };
  readonly conversation: Conversation;

  readonly documents: Documents;

  constructor(env: Record<string, string> = {}, subprotocol = TOKEN, shared?: Documents) {
    this.whenClosed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    const config = readConfig(env);
    this.documents = shared ?? new Documents(createSchema(this.resolvers, SCHEMA), config);
    // #if graphql-legacy
    const Protocol = subprotocol === 'graphql-ws' ? LegacyGraphql : Graphql;
    // #else
    //~ const Protocol = Graphql;
    // #endif
    this.conversation = new Protocol(config, this.documents).accept(this.peer(subprotocol));
  }

  peer(subprotocol: string): Peer {
    const identity = {
      user: 'ada',
      // #if auth
      expiresAt: 0,
      issuedAt: undefined,
      tokenId: undefined,
      rooms: [],
      claims: {},
      // #endif
    };
    // #if auth
    let known: typeof identity | undefined;
    // #endif
    return {
      id: 'client',
      subprotocol,
      // #if auth
      get identity() {
        return known;
      },
      authenticate: (token) => {
        known = token === 'good' ? identity : undefined;
        return Promise.resolve(known);
      },
      // #if wamp
      admit: () => undefined,
      // #endif
      // #else
      //~ identity,
      // #endif
      send: (text) => {
        if (this.closed === undefined) this.sent.push(JSON.parse(text) as Sent);
      },
      drained: undefined,
      close: (code, reason) => {
        if (this.closed === undefined) Object.assign(this, { closed: code, reason });
        this.#onClosed(code);
      },
      spend: () => undefined,
      warn: () => true,
      // #if metrics
      received: () => undefined,
      // #endif
      log: () => undefined,
    };
  }

  /** Sends messages, and returns what comes back. */
  async say(...messages: unknown[]): Promise<Sent[]> {
    this.sent.length = 0;
    for (const message of messages) {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      await this.conversation.receive(text);
      await settle();
    }
    return [...this.sent];
  }

  async run(query: string, variables?: unknown, id = '1'): Promise<Sent[]> {
    return await this.say({ id, type: 'subscribe', payload: { query, variables } });
  }

  async end(): Promise<void> {
    this.conversation.close();
    await settle();
  }
}

const INIT = { type: 'connection_init', payload: { token: 'good' } };

async function open(env: Record<string, string> = {}): Promise<Bench> {
  const bench = new Bench(env);
  assert.deepEqual(await bench.say(INIT), [{ type: 'connection_ack' }]);
  return bench;
}

/** The messages of the errors in an answer that is one `error`. */
function errorsOf(answer: readonly Sent[]): string[] {
  assert.deepEqual(
    answer.map(({ type }) => type),
    ['error'],
  );
  return (answer[0]?.payload as GraphQLError[]).map(({ message }) => message);
}

describe('GraphQL', () => {
  it('answers a query, a ping and a subscription', async () => {
    const bench = await open();
    const payload = { data: { user: 'ada', hello: 'hello you' } };
    assert.deepEqual(await bench.run('query ($n: String) { user hello(name: $n) }', { n: 'you' }), [
      { id: '1', type: 'next', payload },
      { id: '1', type: 'complete' },
    ]);
    const ping = { type: 'ping', payload: { at: 1 } };
    assert.deepEqual(await bench.say(ping), [{ type: 'pong', payload: { at: 1 } }]);
    assert.deepEqual(await bench.run('subscription { ticks }'), []);
    bench.ticks.publish('', 1);
    bench.ticks.publish('', 2);
    await settle();
    assert.deepEqual(bench.sent, [
      { id: '1', type: 'next', payload: { data: { ticks: 1 } } },
      { id: '1', type: 'next', payload: { data: { ticks: 2 } } },
    ]);
    // One that it does not know may be of an operation that has just ended.
    assert.deepEqual(await bench.say({ id: 'x', type: 'complete' }, { type: 'pong' }), []);
    assert.equal(bench.closed, undefined);
    await bench.end();
  });

  it('ends what is iterated when the client completes it, and when it has gone', async () => {
    const bench = await open();
    await bench.run('subscription { ticks }', undefined, 'a');
    await bench.run('subscription { ticks }', undefined, 'b');
    assert.deepEqual(await bench.say({ id: 'a', type: 'complete' }), []);
    assert.deepEqual(bench.returned, ['ticks']);
    bench.ticks.publish('', 1);
    await settle();
    assert.deepEqual(
      bench.sent.map(({ id }) => id),
      ['b'],
    );
    await bench.end();
    assert.deepEqual(bench.returned, ['ticks', 'ticks']);
  });

  it('sends nothing of an operation that the client has completed, also under its id', async () => {
    const bench = await open({ GRAPHQL_MAX_OPERATIONS: '2' });
    await bench.run('{ wait }');
    await bench.say({ id: '1', type: 'complete' });
    const first = bench.answer;
    await bench.run('{ wait }');
    // It still counts: nobody can stop it.
    assert.deepEqual(errorsOf(await bench.run('{ user }', undefined, '3')), [
      'expected at most 2 operations at the same time',
    ]);
    bench.sent.length = 0;
    first('late');
    await settle();
    assert.deepEqual(bench.sent, []);
    bench.answer('in time');
    await settle();
    assert.deepEqual(bench.sent, [
      { id: '1', type: 'next', payload: { data: { wait: 'in time' } } },
      { id: '1', type: 'complete' },
    ]);
    assert.equal((await bench.run('{ user }')).length, 2);
    await bench.end();
  });

  it('closes over what is no message of the protocol, and over its order', async () => {
    const query = { type: 'subscribe', payload: { query: '{ wait }' } };
    const operation = { ...query, id: '1' };
    for (const [code, ...messages] of [
      [4400, 'not json'],
      [4400, '[]'],
      [4400, { type: 'start' }],
      [4400, INIT, query],
      [4400, INIT, { ...query, id: '' }],
      [4400, INIT, { ...operation, payload: { query: 1 } }],
      [4400, INIT, { ...operation, payload: { query: '{ user }', variables: [] } }],
      [4400, INIT, { type: 'next', id: '1', payload: {} }],
      [4400, { type: 'connection_ack' }],
      [4400, INIT, `{"type":"ping","payload":${'['.repeat(9000)}${']'.repeat(9000)}}`],
      [4401, operation],
      [4409, INIT, operation, operation],
      [4429, INIT, INIT],
    ] as const) {
      const bench = new Bench();
      await bench.say(...messages);
      assert.equal(bench.closed, code, JSON.stringify(messages));
      assert.notEqual(bench.reason, '');
      await bench.end();
    }
    const bench = new Bench({}, '');
    assert.equal(bench.closed, 4406);
    await bench.end();
  });

  it('closes one that does not send connection_init', async () => {
    const bench = new Bench({ GRAPHQL_INIT_TIMEOUT: '50' });
    assert.equal(await bench.whenClosed, 4408);
    await bench.end();
  });
  // #if auth

  it('lets in whose token is good', async () => {
    for (const [payload, code] of [
      [{ token: 'good' }, undefined],
      [{ Authorization: 'Bearer good' }, undefined],
      [{ authorization: 'good' }, undefined],
      [{ token: 'bad' }, 4403],
      [{ Authorization: 'Bearer bad' }, 4403],
      [undefined, 4403],
    ] as const) {
      const bench = new Bench();
      await bench.say({ type: 'connection_init', payload });
      assert.equal(bench.closed, code, JSON.stringify(payload));
      await bench.end();
    }
  });
  // #endif

  it('answers with an error what it cannot execute', async () => {
    const bench = await open({
      GRAPHQL_MAX_TOKENS: '40',
      GRAPHQL_MAX_DOCUMENT: '200',
      GRAPHQL_MAX_VARIABLES: '300',
    });
    for (const [query, expected, variables] of [
      ['{', /^Syntax Error/],
      ['{ nothing }', /^Cannot query field/],
      ['query a { user } query b { user }', /^expected one operation$/],
      ['query ($n: String!) { hello(name: $n) }', /required type "String!" was not provided/],
      ['query ($n: String) { hello(name: $n) }', /cannot represent a non string/, { n: {} }],
      [`{ ${'user '.repeat(39)}}`, /40 tokens/],
      [`{ user ${' '.repeat(200)}}`, /^query: expected at most 200 bytes/],
      ['query ($v: Any) { any(value: $v) }', /300 bytes/, { v: 'é'.repeat(150) }],
      ['query ($v: Any) { any(value: $v) }', /64 levels/, { v: nested(65) }],
      ['fragment a on Node { node { ...a } } { node { ...a } }', /within itself/],
    ] as const) {
      const [message = ''] = errorsOf(await bench.run(query, variables));
      assert.match(message, expected, query);
    }
    const deep = `{"v":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    const whole = `{"id":"1","type":"subscribe","payload":{"query":"{ user }","variables":${deep}}}`;
    assert.match(errorsOf(await bench.say(whole))[0] ?? '', /64 levels/);
    const payload = { query: 'query a { user }', operationName: 'b' };
    const answer = await bench.say({ id: '1', type: 'subscribe', payload });
    assert.deepEqual(errorsOf(answer), ['no such operation']);
    // The client may go on, with the same id.
    assert.equal((await bench.run('{ user }')).length, 2);
    assert.equal(bench.closed, undefined);
    await bench.end();
  });

  it('limits the depth and the cost of an operation', async () => {
    const bench = await open({ GRAPHQL_MAX_DEPTH: '4', GRAPHQL_MAX_COST: '100' });
    const fragments = 'fragment a on Node { ...b ...b } fragment b on Node { nodes { id } }';
    for (const [query, expected, variables] of [
      ['{ node { node { node { id } } } }', undefined],
      ['{ node { node { node { node { id } } } } }', 'depth of at most 4, not 5'],
      ['{ node { ... on Node { node { node { node { id } } } } } }', 'depth of at most 4, not 5'],
      ['{ a: dear }', 'cost of at most 100, not 500'],
      // 1 for the node, 1 for its list, 1 for each item.
      ['{ node { nodes(first: 98) { id } } }', undefined],
      ['{ node { nodes(first: 99) { id } } }', 'cost of at most 100, not 101'],
      ['{ node { nodes { nodes { id } } } }', 'cost of at most 100, not 112'],
      ['{ node { nodes(all: 1) { nodes { id } } } }', 'cost of at most 100, not 112'],
      ['{ node { few { nodes { id } } } }', undefined],
      ['{ node { nodes(first: -5) { id } } }', undefined],
      ['query ($n: Int) { node { nodes(first: $n) { id } } }', 'not 1002', { n: 1000 }],
      ['query ($n: Int = 1000) { node { nodes(first: $n) { id } } }', 'not 1002'],
      ['query ($n: Int = 1000) { node { nodes(first: $n) { id } } }', undefined, { n: 1 }],
      [`${fragments} { node { few { ...a ...a } } }`, undefined],
      [`${fragments} { node { few { ...a ...a ...a } } }`, 'cost of at most 100, not 134'],
    ] as const) {
      const answer = await bench.run(query, variables);
      if (expected === undefined) assert.equal(answer[0]?.type, 'next', query);
      else assert.match(errorsOf(answer)[0] ?? '', new RegExp(expected), query);
    }
    await bench.end();
  });

  it('tells its schema unless GRAPHQL_INTROSPECTION says otherwise', () => {
    for (const [given, isTold] of [
      [{}, true],
      [{ NODE_ENV: 'production' }, false],
      [{ NODE_ENV: 'production', GRAPHQL_INTROSPECTION: true }, true],
      [{ GRAPHQL_INTROSPECTION: false }, false],
    ] as const) {
      const config = { ...readConfig({}), ...given };
      const schema = createSchema(
        { Query: { hello: () => 'you' } },
        'type Query { hello: String }',
      );
      const documents = new Documents(schema, config);
      const types = documents.prepare({ query: getIntrospectionQuery() });
      assert.equal(Array.isArray(types), !isTold);
      assert.equal(Array.isArray(documents.prepare({ query: '{ __typename }' })), false);
      const [error] = documents.prepare({ query: '{ helo }' }) as GraphQLError[];
      assert.equal(error?.message.includes('"hello"'), isTold, error?.message);
    }
  });

  it('tells the errors that are meant for clients, and of others that there are some', async () => {
    const bench = await open();
    const codesOf = (errors: readonly GraphQLError[]): unknown =>
      errors.map(({ message, extensions }) => [message, extensions['code']]);
    const masked = ['internal error', 'INTERNAL_SERVER_ERROR'];
    const [result] = await bench.run('{ expected unexpected }');
    const { errors } = result?.payload as { errors: GraphQLError[] };
    assert.deepEqual(codesOf(errors), [['not today', 'BUSY'], masked]);
    const [, error, ...more] = await bench.run('subscription { breaks }');
    assert.deepEqual([error?.type, codesOf(error?.payload as GraphQLError[])], ['error', [masked]]);
    assert.deepEqual(more, []);
    assert.doesNotMatch(JSON.stringify(await bench.run('subscription { refused }')), /4711/);
    await bench.end();
  });

  it('closes with 4500 over a fault of its own', async () => {
    const bench = new Bench();
    const broken = {
      running: 0,
      prepare: () => {
        throw new Error('a bug');
      },
    } as unknown as Documents;
    const conversation = new Graphql(readConfig({}), broken).accept(bench.peer(TOKEN));
    await conversation.receive(JSON.stringify(INIT));
    await settle();
    await conversation.receive('{"id":"1","type":"subscribe","payload":{"query":"{ user }"}}');
    await settle();
    assert.deepEqual([bench.closed, bench.reason], [4500, 'internal error']);
    conversation.close();
    await bench.end();
  });

  it('asks for no more than the client reads', async (t) => {
    const count = 5000;
    const schema = createSchema(
      {
        Query: { hello: () => '' },
        Subscription: {
          async *texts() {
            // More than may wait for one client, and nothing that would make it wait.
            for (let n = 0; n < count; n += 1) yield await Promise.resolve('x'.repeat(1000));
          },
        },
      },
      'type Query { hello: String } type Subscription { texts: String! }',
    );
    const config = readConfig({});
    const protocols = [new Graphql(config, new Documents(schema, config))] as const;
    const host = await startServer({ MAX_BUFFERED: '65536', SUBPROTOCOLS: TOKEN }, { protocols });
    t.after(() => host.stop());
    const socket = new WebSocket(`ws://localhost:${String(host.port)}/`, TOKEN);
    const client = new TestClient(socket);
    await once(socket, 'open');
    // #if auth
    client.send({ type: 'connection_init', payload: { token: await tokenFor('ada') } });
    // #else
    //~ client.send({ type: 'connection_init' });
    // #endif
    assert.equal((await client.next()).type, 'connection_ack');
    client.send({ id: '1', type: 'subscribe', payload: { query: 'subscription { texts }' } });
    for (let n = 0; n < count; n += 1) assert.equal((await client.next()).type, 'next');
    assert.equal((await client.next()).type, 'complete');
    socket.terminate();
  });

  it('says which setting is wrong', () => {
    for (const name of ['MAX_DEPTH', 'MAX_COST', 'MAX_OPERATIONS', 'INTROSPECTION']) {
      assert.throws(
        () => readConfig({ [`GRAPHQL_${name}`]: '-1' }),
        (error) => error instanceof ConfigError && error.message.startsWith(`GRAPHQL_${name} is`),
      );
    }
  });
});

function nested(levels: number): unknown {
  return Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 0);
}

describe('the countdown of the example', () => {
  it('ends in its pause when its client has gone', async (t) => {
    type Counts = (parent: unknown, args: object) => AsyncIterator<number, undefined>;
    const { countdown } = { ...resolvers.Subscription } as Record<string, Counts | undefined>;
    if (countdown === undefined) {
      t.skip('the example has gone');
      return;
    }
    const values = countdown(undefined, { from: 2, everyMs: 60_000 });
    assert.deepEqual(await values.next(), { value: 2, done: false });
    const next = values.next();
    await values.return?.();
    assert.equal((await next).done, true);
  });
});

// #if graphql-legacy

describe('GraphQL as it was before 2021', () => {
  const start = (query: string, id = '1'): unknown => ({ type: 'start', id, payload: { query } });

  it('has messages of its own', async (t) => {
    const bench = new Bench({}, 'graphql-ws');
    t.after(() => bench.end());
    // Clients do not wait for connection_ack.
    assert.deepEqual(await bench.say(INIT, start('{ user }')), [
      { type: 'connection_ack' },
      { type: 'ka' },
      { id: '1', type: 'data', payload: { data: { user: 'ada' } } },
      { id: '1', type: 'complete' },
    ]);
    const [error, ...more] = await bench.say(start('{ nothing }'));
    assert.deepEqual([error?.type, error?.id, more], ['error', '1', []]);
    assert.match((error?.payload as GraphQLError).message, /^Cannot query field/);
    await bench.say(start('subscription { ticks }'));
    // It takes the place of the first.
    await bench.say(start('subscription { ticks }'));
    assert.deepEqual(bench.returned, ['ticks']);
    bench.ticks.publish('', 1);
    await settle();
    assert.deepEqual(bench.sent, [{ id: '1', type: 'data', payload: { data: { ticks: 1 } } }]);
    assert.deepEqual(await bench.say({ type: 'stop', id: '1' }), []);
    assert.deepEqual(bench.returned, ['ticks', 'ticks']);
    await bench.say({ type: 'connection_terminate' });
    assert.equal(bench.closed, 1000);
  });

  it('says why it closes', async () => {
    for (const [code, ...messages] of [
      [4400, '{'],
      [4400, { type: 'subscribe', id: '1', payload: { query: '{ user }' } }],
      [4401, start('{ user }')],
      [4429, INIT, INIT],
      // #if auth
      [4403, { type: 'connection_init', payload: { token: 'bad' } }],
      // #endif
    ] as const) {
      const bench = new Bench({}, 'graphql-ws');
      const error = (await bench.say(...messages)).at(-1);
      assert.deepEqual([bench.closed, error?.type], [code, 'connection_error']);
      await bench.end();
    }
  });

  it('counts to the same limit as the newer protocol', async () => {
    const most = { GRAPHQL_MAX_ALL_OPERATIONS: '1' };
    const bench = new Bench(most);
    const older = new Bench(most, 'graphql-ws', bench.documents);
    await bench.say(INIT, { type: 'subscribe', id: '1', payload: { query: '{ wait }' } });
    const [, , refused] = await older.say(INIT, start('{ user }'));
    assert.match((refused?.payload as GraphQLError).message, /too many operations/);
    bench.answer('');
    await settle();
    assert.equal((await older.say(start('{ user }')))[0]?.type, 'data');
    await older.end();
    await bench.end();
  });
});
// #endif

describe('the schema of a GraphQL server', () => {
  const query = 'type Query { a: Int }';

  it('has to fit to its resolvers', () => {
    const a = (): number => 1;
    for (const [text, resolvers, expected] of [
      ['type Query { a }', {}, /^src\/handlers\/schema\.graphql: .*Syntax Error/],
      ['type Query { a: Nothing }', {}, /^src\/handlers\/schema\.graphql: .*Nothing/],
      [query, {}, /^src\/handlers\/resolvers\.ts: expected Query\.a$/],
      [query, { Query: { a, b: a } }, /the schema has no Query\.b$/],
      [query, { Query: { a }, Other: { a } }, /the schema has no type Other with fields$/],
    ] as const) {
      assert.throws(() => createSchema(resolvers, text), { message: expected });
    }
  });

  it('may have scalars of its own', () => {
    const text = 'scalar Even type Query { a(n: Even): Even }';
    const parseValue = (value: unknown): number => Number(value) * 2;
    const schema = createSchema({ Even: { parseValue }, Query: { a: () => 1 } }, text);
    const type = schema.getType('Even') as unknown as { parseValue: typeof parseValue };
    assert.equal(type.parseValue(2), 4);
  });
});

describe('Broadcast', () => {
  it('keeps what is not read yet, up to a limit', async () => {
    const broadcast = new Broadcast<number>();
    const reader = broadcast.subscribe('a');
    const other = broadcast.subscribe('b');
    for (let n = 0; n < 3; n += 1) broadcast.publish('a', n);
    assert.deepEqual(await reader.next(), { value: 0, done: false });
    for (let n = 3; n < 2000; n += 1) broadcast.publish('a', n);
    for (let n = 1; n <= 1000; n += 1) assert.equal((await reader.next()).value, n);
    await assert.rejects(() => reader.next(), /faster than it was read/);
    assert.deepEqual(await reader.next(), { value: undefined, done: true });
    const waiting = other.next();
    await other.return?.();
    assert.deepEqual(await waiting, { value: undefined, done: true });
  });
});
