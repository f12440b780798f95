import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { ClientError } from '../src/messages.ts';
import { WampClient } from '../src/wamp.ts';
import type { WampOptions, WampState } from '../src/wamp.ts';

interface Procedures {
  'com.add': (a: number, b: number) => number;
  'com.fails': () => string;
}
interface Topics {
  'com.news': [title: string, count: number];
}

/** What comes, in order, for those who wait for it. */
class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  take(): Promise<T> {
    const item = this.#items.shift();
    return item === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(item);
  }
}

type Wire = [code: number, ...rest: unknown[]];
type Client = WampClient<Procedures, Topics>;

const FEATURES = { features: { pattern_based_subscription: true } };
const ROLES = { broker: FEATURES, dealer: FEATURES };

/** The router's end: the test reads what comes and writes the answers. */
class Router {
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  readonly listening = once(this.#server, 'listening');
  readonly messages = new Inbox<Wire>();
  #socket: WebSocket | undefined;
  /** The answer to HELLO. */
  greeting: Wire = [2, 1, { roles: ROLES }];

  constructor() {
    this.#server.on('connection', (socket) => {
      this.#socket = socket;
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as Wire;
        this.messages.put(message);
        if (message[0] === 1) this.say(...this.greeting);
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  say(...message: Wire): void {
    this.#socket?.send(JSON.stringify(message));
  }

  /** The next message, which has to have this code. */
  async next(code: number): Promise<Wire> {
    const message = await this.messages.take();
    assert.equal(message[0], code, JSON.stringify(message));
    return message;
  }

  lose(): void {
    this.#socket?.terminate();
  }

  close(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }
}

const opened = new Set<{ close(): void }>();
afterEach(() => {
  for (const one of opened) one.close();
  opened.clear();
});

async function pair(options: Partial<WampOptions> = {}): Promise<[Client, Router]> {
  const router = new Router();
  opened.add(router);
  await router.listening;
  const backoff = { baseMs: 1, maxMs: 5 };
  const client = new WampClient<Procedures, Topics>({
    url: router.url,
    WebSocket,
    backoff,
    ...options,
  });
  opened.add(client);
  return [client, router];
}

async function open(client: Client, router: Router): Promise<void> {
  const connected = client.connect();
  await router.next(1);
  await connected;
  assert.equal(client.state.name, 'open');
}

describe('a WAMP client', () => {
  it('calls, is called, publishes and hears', async () => {
    const [client, router] = await pair();
    await open(client, router);
    const sum = client.call('com.add', 1, 2);
    const [, request, , uri, args] = await router.next(48);
    assert.deepEqual([uri, args], ['com.add', [1, 2]]);
    router.say(50, request, {}, [3]);
    assert.equal(await sum, 3);
    const failing = client.call('com.fails');
    const [, failed] = await router.next(48);
    router.say(8, 48, failed, {}, 'com.error');
    await assert.rejects(failing, ({ code }: ClientError) => code === 'com.error');
    const registered = client.register('com.add', (a, b) => a + b);
    const [, register] = await router.next(64);
    router.say(65, register, 7);
    await registered;
    router.say(68, 1, 7, {}, [20, 22]);
    const answer = await router.next(70);
    assert.deepEqual([answer[1], answer[3]], [1, [42]]);
    const heard = new Inbox<[string, number]>();
    const subscribed = client.subscribe('com.news', (...event) => heard.put(event));
    const [, subscribe] = await router.next(32);
    router.say(33, subscribe, 9);
    const stop = await subscribed;
    router.say(36, 9, 1, {}, ['hello', 1]);
    assert.deepEqual(await heard.take(), ['hello', 1]);
    const published = client.publish('com.news', 'more', 2);
    const [, publish, { acknowledge }] = (await router.next(16)) as [
      number,
      number,
      Record<string, unknown>,
    ];
    assert.equal(acknowledge, true);
    router.say(17, publish, 3);
    await published;
    const stopped = stop();
    const [, unsubscribe, id] = await router.next(34);
    assert.equal(id, 9);
    router.say(35, unsubscribe);
    await stopped;
  });

  it('has its subscriptions and registrations again after a lost connection', async () => {
    const [client, router] = await pair();
    await open(client, router);
    const heard = new Inbox<string>();
    const subscribed = client.subscribePattern('com', 'prefix', (topic) => heard.put(topic));
    const [, first] = await router.next(32);
    router.say(33, first, 9);
    await subscribed;
    const states = new Inbox<string>();
    client.on('state', ({ name }) => states.put(name));
    router.lose();
    assert.equal(await states.take(), 'waiting');
    await assert.rejects(
      client.call('com.add', 1, 2),
      ({ code }: ClientError) => code === 'closed',
    );
    await router.next(1);
    const [, again, options, uri] = await router.next(32);
    assert.deepEqual([options, uri], [{ match: 'prefix' }, 'com']);
    router.say(33, again, 10);
    assert.deepEqual([await states.take(), await states.take()], ['connecting', 'open']);
    router.say(36, 10, 1, { topic: 'com.news' }, []);
    assert.equal(await heard.take(), 'com.news');
  });

  it('tries again when the router does not answer for a subscription', async () => {
    const [client, router] = await pair({ connectTimeoutMs: 1000 });
    await open(client, router);
    const subscribed = client.subscribe('com.news', () => undefined);
    const [, first] = await router.next(32);
    router.say(33, first, 9);
    await subscribed;
    router.lose();
    await router.next(1);
    await router.next(32);
    await router.next(6);
    await router.next(1);
  });

  it('gives up a session whose router is silent', async () => {
    const [client, router] = await pair({ pingIntervalMs: 1, pongTimeoutMs: 100 });
    await open(client, router);
    // Any answer will do.
    const [, request, , uri] = await router.next(48);
    assert.equal(uri, 'wamp.session.count');
    router.say(8, 48, request, {}, 'wamp.error.not_authorized');
    const [, again] = await router.next(48);
    router.say(50, again, {}, [1]);
    const states = new Inbox<string>();
    client.on('state', ({ name, reason }) => states.put(`${name} ${reason}`));
    await router.next(48);
    assert.equal(await states.take(), 'waiting the router does not answer');
  });

  it('has ended what ends with its session', async () => {
    const [client, router] = await pair();
    await open(client, router);
    const subscribed = client.subscribe('com.news', () => undefined);
    const [, request] = await router.next(32);
    router.say(33, request, 9);
    const stopped = (await subscribed)();
    await router.next(34);
    router.lose();
    await stopped;
  });

  it('comes back when the server says', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    server.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 100\r\n\r\n');
    });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const url = `ws://127.0.0.1:${String(port)}/`;
    const client = new WampClient({ url, WebSocket, backoff: { baseMs: 1 } });
    const states = new Inbox<WampState>();
    client.on('state', (state) => states.put(state));
    void client.connect();
    assert.equal((await states.take()).name, 'connecting');
    const { name, reason, retryInMs = 0 } = await states.take();
    assert.deepEqual([name, reason], ['waiting', 'HTTP 503']);
    assert.ok(retryInMs >= 100_000 && retryInMs <= 100_001, String(retryInMs));
    client.close();
    server.close();
  });

  it('stays closed when the router refuses it', async () => {
    const [client, router] = await pair({ authid: 'ada', getTicket: () => 'a ticket' });
    router.greeting = [4, 'ticket', {}];
    const errors = new Inbox<ClientError>();
    client.on('error', (error) => errors.put(error));
    const connected = client.connect();
    const [, , details] = await router.next(1);
    const { authid, authmethods } = details as Record<string, unknown>;
    assert.deepEqual([authid, authmethods], ['ada', ['ticket']]);
    const [, ticket] = await router.next(5);
    assert.equal(ticket, 'a ticket');
    router.say(3, {}, 'wamp.error.authentication_denied');
    await connected;
    assert.equal(client.state.name, 'closed');
    assert.equal((await errors.take()).code, 'wamp.error.authentication_denied');
  });

  it('says goodbye', async () => {
    const [client, router] = await pair();
    await open(client, router);
    client.close();
    await router.next(6);
    assert.equal(client.state.name, 'closed');
  });
});
