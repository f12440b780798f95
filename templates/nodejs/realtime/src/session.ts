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
import type { Gate } from './gate.ts';
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
export function serve(socket: WebSocket, gate: Gate, parts: SessionParts): void {
  const { identity, share, application, config, clients } = parts;
  // First of all: a malformed frame without a listener would end the process.
  socket.on('error', (error) => {
    share.log('warn', 'client-error', { client: client.id, message: error.message });
  });
  const client = new Client(socket, gate, config.MAX_BUFFERED);
  // #if metrics
  const { metrics } = parts;
  client.metrics = metrics;
  // #endif
  // #if collab
  const { document = '' } = parts;
  client.document = document;
  client.isPlain = document !== '' && socket.protocol !== application.subprotocol;
  // #endif
  const guard = new Guard(client, application);
  keepAlive(socket, gate, config.PING_INTERVAL);
  const codeSeen = gate.stopAtClose(socket);
  gate.onThrottled = () => {
    // #if metrics
    metrics.limited('connection');
    // #endif
    const message = `expected at most ${String(config.RATE_LIMIT)} messages a second; reading slower`;
    send(client, { type: 'error', code: 'rate_limited', message });
  };
  const admit = (id?: string): void | Promise<void> => {
    const { user } = client;
    share.log('info', 'connected', { client: client.id, user, protocol: socket.protocol });
    send(client, {
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
  };
  // #if rate-limit
  let ofUser: UserShare | undefined;
  const enter = (user: string): boolean => {
    ofUser = parts.users.enter(user);
    return ofUser !== undefined;
  };
  // #endif
  // #if auth
  const credentials = new Credentials(client, {
    auth: parts.auth,
    config,
    // #if rate-limit
    enter,
    // #if redis
    learn: (user) => parts.users.learn(user),
    // #endif
    // #endif
    admit,
    refresh: () => application.refresh?.(client),
    warn: () => guard.warn(),
  });
  // #endif

  const receive = (text: Buffer): void => {
    // A client that is being closed may still send.
    if (socket.readyState !== socket.OPEN) return;
    // #if collab
    // Who sends text reads it, too.
    client.isPlain = false;
    if (text.length > MAX_COMMAND_BYTES) {
      const message = `expected at most ${String(MAX_COMMAND_BYTES)} bytes`;
      if (guard.warn()) send(client, { type: 'error', code: 'bad_message', message });
      return;
    }
    // #endif
    const command = guard.admit(text);
    if (command === undefined) return;
    // #if metrics
    metrics.received(command.type);
    // #endif
    // #if rate-limit || metrics
    const now = performance.now();
    // #endif
    // #if rate-limit
    if (ofUser !== undefined && !ofUser.commands.take(1, now)) {
      // #if metrics
      metrics.limited('user');
      // #endif
      const retryAfterMs = Math.ceil(ofUser.commands.wait);
      const message = `expected at most ${String(config.USER_RATE_LIMIT)} commands a second`;
      send(client, { type: 'error', id: command.id, code: 'rate_limited', message, retryAfterMs });
      return;
    }
    // #endif
    // #if auth
    if (isAuthCommand(command)) {
      gate.spend(AUTH_COST - 1);
      run(client, gate, command.type, () => credentials.present(command));
      return;
    }
    if (!credentials.isKnown && command.type !== 'ping') {
      if (guard.warn()) client.fail(command, 'not_authenticated', 'send a token first');
      return;
    }
    // #endif
    const cost = application.costOf?.(command) ?? 1;
    gate.spend(cost - 1);
    // #if metrics
    run(client, gate, command.type, () => {
      const done = execute(client, application, command);
      if (done === undefined) metrics.finished(command.type, now);
      return done?.finally(() => {
        metrics.finished(command.type, now);
      });
    });
    // #else
    //~ run(client, gate, command.type, () => execute(client, application, command));
    // #endif
  };
  // #if collab
  const receiveBinary = (bytes: Buffer): void => {
    if (socket.readyState !== socket.OPEN) return;
    // #if auth
    if (!credentials.isKnown) {
      client.close('authFailed');
      return;
    }
    // #endif
    const take = (): void => {
      gate.spend((application.receiveBinary?.(client, bytes) ?? 1) - 1);
    };
    // #if rate-limit
    const commands = ofUser?.commands;
    if (commands !== undefined && !commands.take(1, performance.now())) {
      // #if metrics
      metrics.limited('user');
      // #endif
      // Nothing of a document may be left out: it is taken later, when other connections leave a token.
      run(client, gate, 'binary', async () => {
        do await delay(commands.wait);
        while (socket.readyState === socket.OPEN && !commands.take());
        if (socket.readyState === socket.OPEN) take();
      });
      return;
    }
    // #endif
    run(client, gate, 'binary', take);
  };
  // #endif
  socket.on('message', (data, isBinary) => {
    // #if collab
    if (isBinary && application.receiveBinary !== undefined) receiveBinary(toBuffer(data));
    else if (isBinary) client.close('unsupportedData');
    // #else
    //~ if (isBinary) client.close('unsupportedData');
    // #endif
    else receive(toBuffer(data));
  });
  socket.once('close', (code) => {
    clients.delete(client);
    // #if rate-limit
    if (ofUser !== undefined) parts.users.leave(ofUser);
    // #endif
    // #if auth
    credentials.end();
    if (credentials.isKnown) application.close(client);
    // #else
    //~ application.close(client);
    // #endif
    const seen = codeSeen(code);
    // #if metrics
    metrics.closed(seen);
    // #endif
    share.log('info', 'disconnected', { client: client.id, user: client.user, code: seen });
  });
  clients.add(client);
  // #if collab
  gate.open(socket, share, largestMessage(config, parts.document), receive);
  // #else
  //~ gate.open(socket, share, largestMessage(config), receive);
  // #endif
  // #if auth && collab
  // It could not be asked.
  if (identity === undefined && client.isPlain) client.close('authFailed');
  // #endif
  // #if auth
  run(client, gate, 'open', () => credentials.start(identity));
  // #else
  //~ client.identity = identity;
  // #if rate-limit
  //~ enter(identity.user);
  // #endif
  //~ run(client, gate, 'open', () => admit());
  // #endif
}

/** Runs one step after the other: nothing more is read until it has ended. */
function run(client: Client, gate: Gate, type: string, step: () => void | Promise<void>): void {
  gate.run(step, (error) => {
    // A bug in one command must not end the process for all clients.
    const trace = error instanceof Error ? error.stack : String(error);
    log('error', 'command-failed', { client: client.id, type, trace });
    client.close('internalError');
  });
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
  send(client, { type: 'pong', id: command.id });
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

/** Accepts valid commands; closes a client that causes too many errors. */
class Guard {
  readonly #client: Client;
  readonly #application: Application;
  readonly #warnings = new TokenBucket(1, ERROR_LIMIT);

  constructor(client: Client, application: Application) {
    this.#client = client;
    this.#application = application;
  }

  admit(data: Buffer): AnyCommand | undefined {
    const result = parseCommand(data, this.#application.commands);
    if (result.ok) return result.command;
    if (this.warn()) this.#client.send(result.error);
    return undefined;
  }

  /** Counts an error; false if the client was closed over too many. */
  warn(): boolean {
    const isFew = this.#warnings.take();
    if (!isFew) this.#client.close('policyViolation');
    return isFew;
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
