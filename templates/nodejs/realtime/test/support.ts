import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
// #if auth
import { SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
// #endif
import { readConfig } from '../src/config.ts';
import { RealtimeServer } from '../src/server.ts';
import type { Parts } from '../src/server.ts';

/** Milliseconds that a test waits: a server that hangs has to fail its tests. */
const LIMIT_MS = 10_000;

async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${String(LIMIT_MS)} ms for ${what}`));
    }, LIMIT_MS);
  });
  return await Promise.race([promise, limit]).finally(() => {
    clearTimeout(timer);
  });
}

// #if auth
/** The secret of test servers. */
export const SECRET = 'a secret of the tests, long enough for HS256';

/** A token of `user` for ten minutes; `claims` come on top, and undefined ones are left out. */
export async function tokenFor(
  user: string | undefined,
  claims: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { sub: user, iat: now, exp: now + 600, ...claims } as JWTPayload;
  return await new SignJWT(all)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET));
}

// #endif
/** Servers that a failed test has left running would keep the process from ending. */
const running = new Set<RealtimeServer>();
after(async () => {
  await Promise.all([...running].map((server) => server.drain()));
});

/** A server on a port of the system's choice, for one test. */
export interface TestServer {
  readonly port: number;
  readonly server: RealtimeServer;
  readonly stop: () => Promise<void>;
}

/** Starts a server whose settings are the defaults but for `env`. */
export async function startServer(
  env: Record<string, string> = {},
  parts: Parts = {},
): Promise<TestServer> {
  const config = readConfig({
    PORT: '0',
    DRAIN_TIMEOUT: '1000',
    // A client that does not read answers no pings either.
    PING_INTERVAL: '60000',
    // #if auth
    AUTH_SECRET: SECRET,
    // #endif
    // #if rate-limit
    USER_RATE_LIMIT: '100000',
    USER_RATE_BURST: '100000',
    // #endif
    ...env,
  });
  const server = new RealtimeServer(config, parts);
  const port = await server.listen();
  running.add(server);
  const stop = async (): Promise<void> => {
    running.delete(server);
    await server.drain();
  };
  return { port, server, stop };
}

/** What a test client receives: any object with a type. */
export interface Received {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** A client that queues what it receives, so that a test reads it in order. */
export class TestClient {
  readonly socket: WebSocket;
  readonly #closed: Promise<number>;
  readonly #queue: Received[] = [];
  #wake: () => void = () => undefined;
  #requests = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    // #if collab
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.onBinary(data);
      else this.#push(data);
    });
    // #else
    //~ socket.on('message', (data: Buffer) => {
    //~   this.#push(data);
    //~ });
    // #endif
  }

  // #if collab
  /** Gets binary messages. */
  onBinary: (data: Buffer) => void = () => undefined;

  // #endif
  #push(data: Buffer): void {
    this.#queue.push(JSON.parse(data.toString()) as Received);
    this.#wake();
  }

  /** The close code. */
  get closed(): Promise<number> {
    return soon(this.#closed, 'the end of the connection');
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message, whatever it is. */
  async next(): Promise<Received> {
    while (this.#queue.length === 0) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the connection is closed');
      const message = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await soon(Promise.race([message, this.#closed]), 'a message');
    }
    return this.#queue.shift() as Received;
  }

  /** Skips messages up to the next one of `type`. */
  async nextOf(type: string): Promise<Received> {
    let message = await this.next();
    while (message.type !== type) message = await this.next();
    return message;
  }

  #newId(): string {
    this.#requests += 1;
    return `request-${String(this.#requests)}`;
  }

  /** Sends `command` with an id and waits for the reply with that id. */
  async request(command: object, id = this.#newId()): Promise<Received> {
    this.send({ ...command, id });
    const own: Received[] = [];
    let message = await this.next();
    while (message['id'] !== id || ['message', 'event'].includes(message.type)) {
      // What was published, which its sender gets, too, may hold the id.
      if (message['id'] === id) own.push(message);
      message = await this.next();
    }
    this.#queue.unshift(...own);
    return message;
  }
}

// #if chat || pubsub || live || rpc
/** Where the server has WebSockets, and the subprotocol of a client that takes its messages. */
export const PATH = '/';
export const PROTOCOLS: string[] = [];
// #else
//~ /** Where the server has WebSockets, and the subprotocol of a client that takes its messages. */
//~ export const PATH = '/collab/tests';
//~ export const PROTOCOLS: string[] = ['collab.v1'];
// #endif

// #if applications
/** Connects as `user` and reads the welcome. */
export async function connect(
  port: number,
  user = 'ada',
  options: ClientOptions & { protocols?: string[]; path?: string } = {},
): Promise<TestClient> {
  const path = options.path ?? PATH;
  // #if collab
  const protocols = options.protocols ?? (path === PATH ? PROTOCOLS : ['collab.v1']);
  // #else
  //~ const { protocols = [] } = options;
  // #endif
  // #if auth
  const url = `ws://localhost:${String(port)}${path}`;
  const headers = { Authorization: `Bearer ${await tokenFor(user)}`, ...options.headers };
  const socket = new WebSocket(url, protocols, { ...options, headers });
  // #else
  //~ const url = `ws://localhost:${String(port)}${path}?user=${user}`;
  //~ const socket = new WebSocket(url, protocols, options);
  // #endif
  const client = new TestClient(socket);
  await client.nextOf('welcome');
  return client;
}

// #endif
// #if protocols
/** Connects as ada over a subprotocol whose server does not speak first. */
export async function converse(
  port: number,
  subprotocol: string,
  options: ClientOptions = {},
): Promise<TestClient> {
  // #if auth
  const headers = { Authorization: `Bearer ${await tokenFor('ada')}`, ...options.headers };
  const url = `ws://localhost:${String(port)}/`;
  const client = new TestClient(new WebSocket(url, subprotocol, { ...options, headers }));
  // #else
  //~ const url = `ws://localhost:${String(port)}/?user=ada`;
  //~ const client = new TestClient(new WebSocket(url, subprotocol, options));
  // #endif
  await once(client.socket, 'open');
  return client;
}

// #endif
/** The HTTP status with which the server turns a handshake down. */
export async function refusalStatus(
  port: number,
  options: ClientOptions & { path?: string; protocols?: string[] } = {},
): Promise<number | undefined> {
  const url = `ws://localhost:${String(port)}${options.path ?? PATH}`;
  const socket = new WebSocket(url, options.protocols ?? [], options);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.destroy();
  return response.statusCode;
}
