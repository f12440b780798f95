import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { ConnectionOptions, SocketConstructor, State, StateName } from '../src/connection.ts';

/** Milliseconds that a test waits: what hangs has to fail. */
const LIMIT_MS = 10_000;

export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${LIMIT_MS} ms for ${what}`)), LIMIT_MS);
  });
  return await Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** What comes, in order, for those who wait for it. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  take(what: string): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return soon(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }

  /** What has come and nobody has taken. */
  get rest(): readonly T[] {
    return this.#items;
  }
}

/** The next `count` items. */
export async function take<T>(
  inbox: Inbox<T> | undefined,
  count: number,
): Promise<(T | undefined)[]> {
  const taken: (T | undefined)[] = [];
  while (taken.length < count) taken.push(await inbox?.take(`${count} events`));
  return taken;
}

export type Message = Record<string, unknown>;

/** The server's end of a connection. */
export class Peer {
  readonly socket: WebSocket;
  readonly messages = new Inbox<Message>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      this.messages.put(JSON.parse((data as Buffer).toString()) as Message);
    });
  }

  /** The client's next message, which has to be of `type`. */
  async next(type: string): Promise<Message> {
    const message = await this.messages.take(type);
    if (message['type'] !== type) throw new Error(`no ${type}: ${JSON.stringify(message)}`);
    return message;
  }

  send(...messages: (Message | string)[]): void {
    for (const message of messages) {
      this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    }
  }

  welcome(features: readonly string[] = ['rooms', 'history', 'resume'], more: Message = {}): void {
    const who = { client: 'c1', user: 'ada' };
    this.send({ type: 'welcome', ...who, pingIntervalMs: 25_000, features, ...more });
  }
}

interface Refusal {
  readonly status: number;
  readonly headers?: Record<string, string>;
}

/** A server whose answers the test writes. */
export interface TestServer {
  readonly url: string;
  /** The next connection. */
  readonly accept: () => Promise<Peer>;
  /** Answers the next handshakes with these. */
  readonly refuse: (...refusals: Refusal[]) => void;
  /** How many handshakes came. */
  readonly attempts: () => number;
}

export async function startServer(): Promise<TestServer> {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const peers = new Inbox<Peer>();
  const refusals: Refusal[] = [];
  let attempts = 0;
  http.on('upgrade', (request, socket, head) => {
    attempts++;
    socket.on('error', () => undefined);
    const refusal = refusals.shift();
    if (refusal !== undefined) {
      const headers = Object.entries(refusal.headers ?? {}).map((line) => `${line.join(': ')}\r\n`);
      socket.end(`HTTP/1.1 ${refusal.status} No\r\n${headers.join('')}Content-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (peer) => peers.put(new Peer(peer)));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  after(() => {
    for (const socket of sockets.clients) socket.terminate();
    http.close();
  });
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    accept: () => peers.take('a connection'),
    refuse: (...more) => void refusals.push(...more),
    attempts: () => attempts,
  };
}

/** Delays that a test has the time for. */
export const FAST = {
  WebSocket: WebSocket as unknown as SocketConstructor,
  backoff: { baseMs: 1, maxMs: 5 },
} satisfies Partial<ConnectionOptions>;

/** A client or connection that says when its state changes. */
interface Stateful {
  readonly state: State;
  on(name: 'state', handler: (state: State) => void): () => void;
}

/** Waits until `client` is in the state `name`. */
export async function reach(client: Stateful, name: StateName): Promise<State> {
  if (client.state.name === name) return client.state;
  return await soon(
    new Promise<State>((resolve) => {
      const stop = client.on('state', (state) => {
        if (state.name !== name) return;
        stop();
        resolve(state);
      });
    }),
    `the state ${name}`,
  );
}

/** The error that `promise` rejects with. */
export async function failure(promise: Promise<unknown>): Promise<{ code?: string }> {
  return await soon(
    promise.then(
      () => {
        throw new Error('it did not fail');
      },
      (error: unknown) => error as { code?: string },
    ),
    'a failure',
  );
}

/** Lets everything that is already under way happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
