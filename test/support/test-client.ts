import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

export interface ConnectOptions extends ClientOptions {
  readonly path?: string;
  readonly protocols?: readonly string[];
}

/** A WebSocket client of a test: keeps what it receives until somebody asks for it. */
export class TestClient {
  readonly socket: WebSocket;
  /** Resolves to the close code. */
  readonly closed: Promise<number>;
  readonly #messages: string[] = [];
  /** How many of them, the first ones, no `request` waits for. */
  #passed = 0;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      this.#messages.push(data.toString());
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  send(message: string | object): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message as it came; throws when the connection ends before. */
  async next(): Promise<string> {
    await this.#has(1);
    this.#passed = Math.max(0, this.#passed - 1);
    return this.#messages.shift() ?? '';
  }

  /** The next message that is a JSON object with all of `expected` in it; others are dropped. */
  async match(expected: object): Promise<Record<string, unknown>> {
    for (;;) {
      const message = JSON.parse(await this.next()) as Record<string, unknown>;
      if (Object.entries(expected).every(([key, value]) => message[key] === value)) return message;
    }
  }

  /** Sends `command` with a new id and waits for what comes back under that id. */
  async request(command: object): Promise<Record<string, unknown>> {
    this.#id += 1;
    const id = String(this.#id);
    this.send({ ...command, id });
    for (;;) {
      await this.#has(this.#passed + 1);
      const answer = JSON.parse(this.#messages[this.#passed] ?? '') as Record<string, unknown>;
      // A message for all members may come before, with the id that its sender chose.
      if (answer['type'] === 'message') this.#passed += 1;
      else {
        this.#messages.splice(this.#passed, 1);
        if (answer['id'] === id) return answer;
      }
    }
  }

  /** Waits until so many messages are there; throws when the connection ends before. */
  async #has(count: number): Promise<void> {
    while (this.#messages.length < count) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the connection is closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #id = 0;
}

/** Opens a connection. The client listens before the handshake ends, so it misses nothing. */
export async function openClient(port: number, options: ConnectOptions = {}): Promise<TestClient> {
  const { path = '/', protocols = [], ...rest } = options;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], rest);
  const client = new TestClient(socket);
  await Promise.race([once(socket, 'open'), once(socket, 'error').then(([error]) => fail(error))]);
  return client;
}

function fail(error: unknown): never {
  throw error;
}

/** What a handshake that is turned down is answered with. */
export async function refusal(
  port: number,
  options: ConnectOptions = {},
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
  const { path = '/', protocols = [], ...rest } = options;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], rest);
  socket.on('error', () => undefined);
  const answer = once(socket, 'unexpected-response') as Promise<[unknown, IncomingMessage]>;
  const opened = once(socket, 'open').then(() => {
    socket.terminate();
    throw new Error('the handshake was not turned down');
  });
  const [, response] = await Promise.race([answer, opened]);
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** The bytes of an opening handshake with some headers changed; undefined leaves one out. */
export function handshakeBytes(
  port: number,
  changes: Readonly<Record<string, string | undefined>> = {},
  requestLine = 'GET / HTTP/1.1',
): string {
  const headers: Record<string, string | undefined> = {
    Host: `127.0.0.1:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    // The key of the example in RFC 6455 section 1.3.
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  );
  return `${requestLine}\r\n${lines.join('')}\r\n`;
}

/** A TCP connection that says only what it is told to; errors are what tests provoke with it. */
export async function openRaw(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Everything the server says until it ends the connection. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // `once` would fail for who still sends and is reset, which is an end, too.
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks);
}

/** `promise`, or a failure that says what did not happen in time. */
export async function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  what: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not within ${milliseconds} ms`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Writes `bytes` over and over for as long as the server takes them within `patienceMs` milliseconds, and at most
 * `total` bytes: a server without a bound takes all. How many were written.
 */
export async function sendWhileTaken(
  socket: Socket,
  bytes: Uint8Array,
  { total, patienceMs }: { readonly total: number; readonly patienceMs: number },
): Promise<number> {
  let sent = 0;
  let isTaken = true;
  while (isTaken && sent < total && !socket.destroyed) {
    sent += bytes.length;
    isTaken = socket.write(bytes) || (await isDrained(socket, patienceMs));
  }
  return sent;
}

/** Whether `socket` gets rid of what it holds within `milliseconds`. */
async function isDrained(socket: Socket, milliseconds: number): Promise<boolean> {
  return await within(once(socket, 'drain'), milliseconds, 'drain').then(
    () => true,
    () => false,
  );
}
