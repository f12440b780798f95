// #if collab && rate-limit
import { setTimeout as delay } from 'node:timers/promises';
// #endif
import type { RawData, WebSocket } from 'ws';
import type { Application } from './application.ts';
import { Client } from './client.ts';
import type { Config } from './config.ts';
// #if auth
import type { Auth } from './auth.ts';
import { Credentials } from './credentials.ts';
// #endif
import { frameOf } from './frame.ts';
import { GatedSocket } from './gate.ts';
import type { Gate, Reader } from './gate.ts';
import { keepAlive } from './heartbeat.ts';
import type { Identity } from './hooks.ts';
import { log } from './log.ts';
import { MAX_COMMAND_BYTES, parseCommand } from './messages.ts';
// #if auth
import { isAuthCommand } from './messages.ts';
// #endif
import type { AnyCommand, CommonMessage } from './messages.ts';
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
import type { Share } from './shares.ts';
// #if redis && live
import { RedisDown } from './redis-link.ts';
// #endif
// #if redis
import { StoreFull } from './redis-link.ts';
// #endif
import { TokenBucket } from './token-bucket.ts';
// #if rate-limit
import type { UserShare, Users } from './users.ts';
// #endif

/** Error replies to a client before it is closed; one more per second. */
const ERROR_LIMIT = 20;
// #if redis && live
/** When a client asks again for what cannot be had while Redis is out of reach. */
const DOWN_RETRY_MS = 2000;
// #endif

// #if auth
/** Cost of checking a token in messages of the rate limit. */
const AUTH_COST = 5;
// #endif

// #if collab
/** Bytes of the largest message, also after decompression: one to a document may hold all of it. */
export function largestMessage(config: Config, document?: string): number {
  if (document !== undefined) return config.MAX_PAYLOAD;
  return Math.min(config.MAX_PAYLOAD, MAX_COMMAND_BYTES);
}
// #else
//~ /** Bytes of the largest message: more is no command, also after decompression. */
//~ export function largestMessage(config: Config): number {
//~   return Math.min(config.MAX_PAYLOAD, MAX_COMMAND_BYTES);
//~ }
// #endif

/** What a connection needs besides its socket. */
export interface SessionParts {
  // #if auth
  /** Undefined when the handshake did not say who it is. */
  readonly identity: Identity | undefined;
  readonly auth: Auth;
  // #else
  //~ readonly identity: Identity;
  // #endif
  // #if metrics
  readonly metrics: Metrics;
  // #endif
  // #if rate-limit
  readonly users: Users;
  // #endif
  readonly share: Share;
  // #if collab
  /** The document that the path names. */
  readonly document: string | undefined;
  // #endif
  readonly application: Application;
  readonly config: Config;
  /** The clients of the server; this one is in it until its connection has ended. */
  readonly clients: Set<Client>;
}

/** Runs one connection from its handshake to its end. */
export function serve(socket: GatedSocket, gate: Gate, parts: SessionParts): void {
  const { config } = parts;
  const session = new Session(socket, gate, parts);
  socket.session = session;
  // First of all: a malformed frame without a listener would end the process.
  socket.on('error', onError);
  keepAlive(socket, gate, config.PING_INTERVAL);
  // The same functions for all: a closure for each event of each connection is a KiB.
  socket.on('message', onMessage);
  socket.on('close', onClose);
  session.open();
}

function onError(this: WebSocket, error: Error): void {
  if (this instanceof GatedSocket) this.session?.fault(error);
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  if (this instanceof GatedSocket) this.session?.take(toBuffer(data), isBinary);
}

function onClose(this: WebSocket, code: number): void {
  if (this instanceof GatedSocket) this.session?.end(this.seenCode(code));
}

/** One connection. */
export class Session implements Reader {
  readonly config: Config;
  // #if auth
  readonly auth: Auth;
  readonly #credentials: Credentials;
  // #endif
  readonly #parts: SessionParts;
  readonly #socket: GatedSocket;
  readonly #gate: Gate;
  readonly #client: Client;
  // #if rate-limit
  #ofUser: UserShare | undefined;
  // #endif
  /** Made for the first error. */
  #warnings: TokenBucket | undefined;

  constructor(socket: GatedSocket, gate: Gate, parts: SessionParts) {
    const { config } = parts;
    this.config = config;
    this.#parts = parts;
    this.#socket = socket;
    this.#gate = gate;
    const client = new Client(socket, gate, config.MAX_BUFFERED);
    this.#client = client;
    // #if metrics
    client.metrics = parts.metrics;
    // #endif
    // #if collab
    const { document = '' } = parts;
    client.document = document;
    client.isPlain = document !== '' && socket.protocol !== parts.application.subprotocol;
    // #endif
    // #if auth
    this.auth = parts.auth;
    this.#credentials = new Credentials(client, this);
    // #endif
  }

  /** Reads from now on. */
  open(): void {
    const { identity, share, clients, config } = this.#parts;
    clients.add(this.#client);
    // #if collab
    const largest = largestMessage(config, this.#parts.document);
    // #else
    //~ const largest = largestMessage(config);
    // #endif
    this.#gate.open(this.#socket, share, largest, this);
    // #if auth && collab
    // It could not be asked.
    if (identity === undefined && this.#client.isPlain) this.#client.close('authFailed');
    // #endif
    // #if auth
    this.#run('open', () => this.#credentials.start(identity));
    // #else
    //~ this.#client.identity = identity;
    // #if rate-limit
    //~ this.enter(identity.user);
    // #endif
    //~ this.#run('open', () => this.admit());
    // #endif
  }

  /** The client has said who it is. */
  admit(id?: string): void | Promise<void> {
    const { share, application, config } = this.#parts;
    const client = this.#client;
    const { user } = client;
    share.log('info', 'connected', { client: client.id, user, protocol: this.#socket.protocol });
    this.#send({
      type: 'welcome',
      id,
      client: client.id,
      user,
      // #if auth
      expiresAt: new Date(client.identity.expiresAt).toISOString(),
      // #endif
      pingIntervalMs: config.PING_INTERVAL,
      features: application.features,
    });
    return application.open?.(client);
  }
  // #if rate-limit

  /** Counts the connection for its user; false if it is one too many. */
  enter(user: string): boolean {
    this.#ofUser = this.#parts.users.enter(user);
    return this.#ofUser !== undefined;
  }
  // #if redis && auth

  /** Asks what a user has elsewhere. */
  learn(user: string): Promise<void> {
    return this.#parts.users.learn(user);
  }
  // #endif
  // #endif
  // #if auth

  /** It has said so anew: what it may do may have changed. */
  refresh(): void | Promise<void> {
    return this.#parts.application.refresh?.(this.#client);
  }
  // #endif

  /** Counts an error; false if the client was closed over too many. */
  warn(): boolean {
    this.#warnings ??= new TokenBucket(1, ERROR_LIMIT);
    const isFew = this.#warnings.take();
    if (!isFew) this.#client.close('policyViolation');
    return isFew;
  }

  throttled(): void {
    // #if metrics
    this.#parts.metrics.limited('connection');
    // #endif
    const { RATE_LIMIT } = this.config;
    const message = `expected at most ${String(RATE_LIMIT)} messages a second; reading slower`;
    this.#send({ type: 'error', code: 'rate_limited', message });
  }

  /** Takes a message of `ws`. */
  take(data: Buffer, isBinary: boolean): void {
    // #if collab
    if (isBinary && this.#parts.application.receiveBinary !== undefined) this.#takeBinary(data);
    else if (isBinary) this.#client.close('unsupportedData');
    // #else
    //~ if (isBinary) this.#client.close('unsupportedData');
    // #endif
    else this.takeText(data.toString(), performance.now());
  }

  takeText(text: string, now: number): void {
    const socket = this.#socket;
    // A client that is being closed may still send.
    if (socket.readyState !== socket.OPEN) return;
    // #if collab
    // Who sends text reads it, too.
    this.#client.isPlain = false;
    if (text.length * 3 > MAX_COMMAND_BYTES && Buffer.byteLength(text) > MAX_COMMAND_BYTES) {
      const message = `expected at most ${String(MAX_COMMAND_BYTES)} bytes`;
      if (this.warn()) this.#send({ type: 'error', code: 'bad_message', message });
      return;
    }
    // #endif
    const { application } = this.#parts;
    const result = parseCommand(text, application.commands);
    if (!result.ok) {
      if (this.warn()) this.#send(result.error);
      return;
    }
    const { command } = result;
    // #if metrics
    const { metrics } = this.#parts;
    metrics.received(command.type);
    // #endif
    // #if rate-limit
    const ofUser = this.#ofUser;
    if (ofUser !== undefined && !ofUser.commands.take(1, now)) {
      // #if metrics
      metrics.limited('user');
      // #endif
      const retryAfterMs = Math.ceil(ofUser.commands.wait);
      const message = `expected at most ${String(this.config.USER_RATE_LIMIT)} commands a second`;
      const { id } = command;
      this.#send({ type: 'error', id, code: 'rate_limited', message, retryAfterMs });
      return;
    }
    // #endif
    // #if auth
    const credentials = this.#credentials;
    if (isAuthCommand(command)) {
      this.#gate.spend(AUTH_COST - 1);
      this.#run(command.type, () => credentials.present(command));
      return;
    }
    if (!credentials.isKnown && command.type !== 'ping') {
      if (this.warn()) this.#client.fail(command, 'not_authenticated', 'send a token first');
      return;
    }
    // #endif
    const cost = application.costOf?.(command) ?? 1;
    this.#gate.spend(cost - 1, now);
    const { type } = command;
    try {
      const done = execute(this.#client, application, command);
      // #if metrics
      if (done === undefined) metrics.finished(type, now);
      else {
        const ended = done.finally(() => {
          metrics.finished(type, now);
        });
        this.#gate.block(ended, this.#failing(type));
      }
      // #else
      //~ if (done !== undefined) this.#gate.block(done, this.#failing(type));
      // #endif
    } catch (error) {
      this.#failing(type)(error);
    }
  }
  // #if collab

  #takeBinary(bytes: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // #if auth
    if (!this.#credentials.isKnown) {
      this.#client.close('authFailed');
      return;
    }
    // #endif
    const { application } = this.#parts;
    const take = (): void => {
      this.#gate.spend((application.receiveBinary?.(this.#client, bytes) ?? 1) - 1);
    };
    // #if rate-limit
    const commands = this.#ofUser?.commands;
    if (commands !== undefined && !commands.take(1, performance.now())) {
      // #if metrics
      this.#parts.metrics.limited('user');
      // #endif
      const isOpen = (): boolean => this.#socket.readyState === this.#socket.OPEN;
      // Nothing of a document may be left out: it is taken later, when other connections leave a token.
      this.#run('binary', async () => {
        do await delay(commands.wait);
        while (isOpen() && !commands.take());
        if (isOpen()) take();
      });
      return;
    }
    // #endif
    this.#run('binary', take);
  }
  // #endif

  /** Logs what was wrong with its frames. */
  fault({ message }: Error): void {
    this.#parts.share.log('warn', 'client-error', { client: this.#client.id, message });
  }

  /** The connection has ended. */
  end(code: number): void {
    const { application, clients, share } = this.#parts;
    const client = this.#client;
    clients.delete(client);
    // #if rate-limit
    if (this.#ofUser !== undefined) this.#parts.users.leave(this.#ofUser);
    // #endif
    // #if auth
    this.#credentials.end();
    if (this.#credentials.isKnown) application.close(client);
    // #else
    //~ application.close(client);
    // #endif
    // #if metrics
    this.#parts.metrics.closed(code);
    // #endif
    share.log('info', 'disconnected', { client: client.id, user: client.user, code });
  }

  #send(message: CommonMessage): void {
    send(this.#client, message);
  }

  /** Runs one step after the other: nothing more is read until it has ended. */
  #run(type: string, step: () => void | Promise<void>): void {
    this.#gate.run(step, this.#failing(type));
  }

  /** A bug in one command must not end the process for all clients. */
  #failing(type: string): (error: unknown) => void {
    return (error) => {
      const trace = error instanceof Error ? error.stack : String(error);
      log('error', 'command-failed', { client: this.#client.id, type, trace });
      this.#client.close('internalError');
    };
  }
}

function execute(
  client: Client,
  application: Application,
  command: AnyCommand,
): void | Promise<void> {
  // #if redis
  if (command.type !== 'ping') return unlessFull(client, command, application);
  // #else
  //~ if (command.type !== 'ping') return application.receive(client, command);
  // #endif
  const { id } = command;
  // Written out, as it is the reply that is asked for most often.
  const rest = id === undefined ? '' : `,"id":${JSON.stringify(id)}`;
  client.deliver(frameOf(`{"type":"pong"${rest}}`, 'pong'));
}
// #if redis

async function unlessFull(
  client: Client,
  command: AnyCommand,
  application: Application,
): Promise<void> {
  try {
    await application.receive(client, command);
  } catch (error) {
    const { id } = command;
    // #if live
    if (error instanceof Error && error.cause instanceof RedisDown) {
      const { message } = error;
      send(client, {
        type: 'error',
        id,
        code: 'unavailable',
        message,
        retryAfterMs: DOWN_RETRY_MS,
      });
      return;
    }
    // #endif
    if (!(error instanceof StoreFull)) throw error;
    const { message, retryAfterMs } = error;
    send(client, { type: 'error', id, code: 'rate_limited', message, retryAfterMs });
  }
}
// #endif

function send(client: Client, message: CommonMessage): void {
  client.send(message);
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
