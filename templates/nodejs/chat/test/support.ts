import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import { readConfig } from '../src/config.ts';
import type { Identify } from '../src/identity.ts';
import { ChatServer } from '../src/server.ts';

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

/** Servers that a failed test has left running would keep the process from ending. */
const running = new Set<ChatServer>();
after(async () => {
  await Promise.all([...running].map((server) => server.drain()));
});

/** A server on a port of the system's choice, for one test. */
export interface TestServer {
  readonly port: number;
  readonly server: ChatServer;
  readonly stop: () => Promise<void>;
}

/** Starts a server whose settings are the defaults but for `env`. */
export async function startServer(
  env: Record<string, string> = {},
  identify?: Identify,
): Promise<TestServer> {
  const config = readConfig({ PORT: '0', DRAIN_TIMEOUT: '1000', ...env });
  const server = new ChatServer(config, identify);
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

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      this.#queue.push(JSON.parse(data.toString()) as Received);
      this.#wake();
    });
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

  /** Sends `command` with an id and waits for the reply with that id. */
  async request(command: object, id = 'request'): Promise<Received> {
    this.send({ ...command, id });
    let message = await this.next();
    while (message['id'] !== id) message = await this.next();
    return message;
  }
}

/** Connects as `user` and reads the welcome. */
export async function connect(
  port: number,
  user = 'ada',
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<TestClient> {
  const url = `ws://localhost:${String(port)}/?user=${user}`;
  const client = new TestClient(new WebSocket(url, options.protocols ?? [], options));
  await client.nextOf('welcome');
  return client;
}

/** The HTTP status with which the server turns a handshake down. */
export async function refusalStatus(
  port: number,
  options: ClientOptions & { path?: string; protocols?: string[] } = {},
): Promise<number | undefined> {
  const url = `ws://localhost:${String(port)}${options.path ?? '/'}`;
  const socket = new WebSocket(url, options.protocols ?? [], options);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.destroy();
  return response.statusCode;
}
