import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { Client, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import type { Client as GraphqlClient, ClientOptions } from 'graphql-ws';
import { SignJWT } from 'jose';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { runTest } from '../support/endpoint.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { within } from '../support/test-client.ts';
import { generateForTest, root } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { illFormatted, npmTest } from './npm-test.ts';

const LIMIT_MS = 10_000;
const SECRET = 'a secret of the tests, long enough for HS256';
const SENDING = 'mutation ($text: String!) { send(channel: "news", text: $text) { from text } }';
const RECEIVING = 'subscription ($channel: String!) { messages(channel: $channel) { from text } }';

/** The part of the generated client that its test uses. */
interface Generated {
  readonly GraphqlClient: new (options: object) => {
    query(query: string): Promise<unknown>;
    mutate(query: string, variables: object): Promise<unknown>;
    subscribe(query: string, variables: object): AsyncIterableIterator<unknown>;
    close(): Promise<void>;
  };
}

async function tokenOf(user: string, seconds = 600): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ sub: user, iat: now, exp: now + seconds })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET));
}

/** One message after the other as it is sent, without a client that knows the protocol. */
class Wire {
  readonly socket: WebSocket;
  readonly opened: Promise<unknown>;
  readonly closed: Promise<number>;
  readonly #queue: unknown[] = [];
  #wake = (): void => undefined;

  constructor(url: string, protocols: string[]) {
    this.socket = new WebSocket(url, protocols);
    this.opened = new Promise((resolve) => this.socket.once('open', resolve));
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => {
      this.#queue.push(JSON.parse(data.toString()));
      this.#wake();
    });
  }

  async open(token: string): Promise<void> {
    await within(this.opened, LIMIT_MS, 'the handshake');
    this.say({ type: 'connection_init', payload: { token } });
    expect(await this.next()).toEqual({ type: 'connection_ack' });
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next(): Promise<unknown> {
    while (this.#queue.length === 0) {
      const more = new Promise<void>((resolve) => (this.#wake = resolve));
      await within(Promise.race([more, this.closed]), LIMIT_MS, 'a message');
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the connection is closed');
    }
    return this.#queue.shift();
  }
}

describe('a generated GraphQL server', () => {
  let generated: GeneratedServer;
  let server: ServerProcess;
  let url: string;
  const clients: GraphqlClient[] = [];

  beforeAll(async () => {
    generated = await generateForTest({
      type: 'rpc',
      features: ['auth', 'rate-limit', 'metrics'],
      subprotocols: ['graphql-ws', 'graphql-ws-legacy'],
    });
    const env = {
      AUTH_SECRET: SECRET,
      RATE_LIMIT: '100000',
      RATE_BURST: '100000',
      USER_RATE_LIMIT: '100000',
      USER_RATE_BURST: '100000',
    };
    server = await startServerProcess(['dist/src/main.js'], { cwd: generated.folder, env });
    url = `ws://127.0.0.1:${server.port}/`;
  }, 60_000);
  afterAll(async () => {
    await Promise.allSettled(clients.map(async (client) => await client.dispose()));
    await server[Symbol.asyncDispose]();
    generated.dispose();
  });

  function clientOf(user: string, options: Partial<ClientOptions> = {}): GraphqlClient {
    const connectionParams = async (): Promise<{ token: string }> => ({
      token: await tokenOf(user),
    });
    const client = createClient({ url, webSocketImpl: WebSocket, connectionParams, ...options });
    clients.push(client);
    return client;
  }

  it('serves the client of graphql-ws', async () => {
    const ada = clientOf('ada');
    const messages = ada.iterate({ query: RECEIVING, variables: { channel: 'news' } });
    const first = messages.next();
    // One whose answer comes after that of the subscription, which has none.
    for await (const { data } of ada.iterate({ query: '{ __typename }' })) {
      expect(data).toEqual({ __typename: 'Query' });
    }
    const sent = { from: 'ada', text: 'hello' };
    const answer = await ada.iterate({ query: SENDING, variables: { text: 'hello' } }).next();
    expect(answer.value).toEqual({ data: { send: sent } });
    expect((await within(first, LIMIT_MS, 'an event')).value).toEqual({ data: { messages: sent } });
    await messages.return?.();
    const counted: unknown[] = [];
    for await (const { data } of ada.iterate({
      query: 'subscription { countdown(from: 2, everyMs: 0) }',
    })) {
      counted.push(data?.['countdown']);
    }
    expect(counted).toEqual([2, 1, 0]);
  });

  it('passes the checks of every server, and its contract', async () => {
    const { success, reasons } = await runTest({ project: generated.folder });
    expect([success, reasons]).toEqual([true, []]);
  }, 120_000);

  it('serves urql', async () => {
    // It would close the connection between two operations.
    const transport = clientOf('urql', { lazy: false });
    const client = new Client({
      url: 'http://localhost/',
      preferGetMethod: false,
      exchanges: [
        subscriptionExchange({
          enableAllOperations: true,
          forwardSubscription: ({ query = '', variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: transport.subscribe(
                { query, variables: variables as never },
                sink as never,
              ),
            }),
          }),
        }),
      ],
    });
    const events = client.subscription(RECEIVING, { channel: 'news' });
    const first = new Promise((resolve) => {
      events.subscribe(({ data }) => resolve(data));
    });
    await client.query('{ __typename }', {}).toPromise();
    await client.mutation(SENDING, { text: 'to urql' }).toPromise();
    const event = await within(first, LIMIT_MS, 'an event');
    expect(event).toMatchObject({ messages: { from: 'urql', text: 'to urql' } });
  });

  it('serves the client of subscriptions-transport-ws', async () => {
    const connectionParams = async (): Promise<unknown> => ({ token: await tokenOf('old') });
    const client = new SubscriptionClient(url, { connectionParams }, WebSocket);
    try {
      const first = new Promise((resolve) => {
        client.request({ query: RECEIVING, variables: { channel: 'news' } }).subscribe({
          next: resolve,
        });
      });
      const run = (query: string, variables = {}): Promise<unknown> =>
        new Promise((resolve, reject) => {
          client.request({ query, variables }).subscribe({ next: resolve, error: reject });
        });
      await run('{ __typename }');
      await run(SENDING, { text: 'to old ones' });
      const event = await within(first, LIMIT_MS, 'an event');
      expect(event).toEqual({ data: { messages: { from: 'old', text: 'to old ones' } } });
      await expect(run('{ nothing }')).rejects.toMatchObject({
        message: 'Cannot query field "nothing" on type "Query".',
      });
    } finally {
      client.close();
    }
  });

  it('serves the generated client, which passes its own tests', async () => {
    const { output, files } = await generateClientIn(path.dirname(generated.folder), {
      server: generated.folder,
      output: path.join(temporaryFolder(), 'client/'),
    });
    symlinkSync(path.join(root, 'node_modules'), path.join(output, 'node_modules'));
    expect(await npmTest(output)).toBe('passed');
    const paths = files.map((file) => file.path);
    expect(await illFormatted(output, paths)).toEqual([]);
    const { GraphqlClient } = (await import(path.join(output, 'dist/src/index.js'))) as Generated;
    const client = new GraphqlClient({ url, WebSocket, getToken: () => tokenOf('own') });
    try {
      const events = client.subscribe(RECEIVING, { channel: 'news' });
      const first = events.next();
      expect(await client.query('{ __typename }')).toEqual({ __typename: 'Query' });
      const sent = { from: 'own', text: 'to itself' };
      expect(await client.mutate(SENDING, { text: 'to itself' })).toEqual({ send: sent });
      const event = await within(first, LIMIT_MS, 'an event');
      expect(event.value).toEqual({ messages: sent });
    } finally {
      await client.close();
    }
  }, 60_000);

  it('takes no token but a good one', async () => {
    const wrong = clientOf('eve', { connectionParams: { token: 'no' }, retryAttempts: 0 });
    await expect(wrong.iterate({ query: '{ __typename }' }).next()).rejects.toMatchObject({
      code: 4403,
    });
    const none = new Wire(url, []);
    expect(await within(none.closed, LIMIT_MS, 'the end')).toBe(4406);
  });

  it('stays, whatever a client sends', async () => {
    const wire = new Wire(url, ['graphql-transport-ws']);
    await wire.open(await tokenOf('eve'));
    const subscribe = (id: string, query: string): void =>
      wire.say({ id, type: 'subscribe', payload: { query } });
    subscribe('deep', `{ ${'a { '.repeat(5000)}a${' }'.repeat(5000)} }`);
    expect(await wire.next()).toMatchObject({ id: 'deep', type: 'error' });
    // 100 at a time, and each of the others gets its answer.
    const count = 10_000;
    for (let n = 0; n < count; n += 1) {
      subscribe(String(n), 'subscription { messages(channel: "quiet") { id } }');
    }
    for (let n = 100; n < count; n += 1) {
      expect(await wire.next()).toMatchObject({ id: String(n), type: 'error' });
    }
    for (let n = 0; n < 100; n += 1) wire.say({ id: String(n), type: 'complete' });
    subscribe('last', '{ __typename }');
    expect(await wire.next()).toMatchObject({ id: 'last', type: 'next' });
    wire.say('{"id":"x","type":"subscribe","payload":{"query":null}}');
    expect(await within(wire.closed, LIMIT_MS, 'the end')).toBe(4400);
    const binary = new Wire(url, ['graphql-transport-ws']);
    await binary.open(await tokenOf('eve'));
    binary.socket.send(Buffer.from([1]));
    expect(await within(binary.closed, LIMIT_MS, 'the end')).toBe(1003);
    const ada = clientOf('ada');
    expect((await ada.iterate({ query: '{ __typename }' }).next()).value).toBeDefined();
  });

  it('says goodbye with 1001, so that clients come back with their subscriptions', async () => {
    const wire = new Wire(url, ['graphql-transport-ws']);
    await wire.open(await tokenOf('ada'));
    wire.say({
      id: '1',
      type: 'subscribe',
      payload: { query: RECEIVING, variables: { channel: 'news' } },
    });
    wire.say({ type: 'ping' });
    server.kill('SIGTERM');
    expect(await within(wire.closed, LIMIT_MS, 'the end')).toBe(1001);
  });
});
