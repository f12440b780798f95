// #if rate-limit
import { setTimeout as delay } from 'node:timers/promises';
// #endif
// #if auth
import type { Auth } from './auth.ts';
// #endif
import { Client } from './client.ts';
import type { Config } from './config.ts';
// #if auth
import { Credentials } from './credentials.ts';
// #endif
import { frameOf } from './frame.ts';
import type { Frame } from './frame.ts';
import type { GatedSocket, Gate } from './gate.ts';
import { keepAlive } from './heartbeat.ts';
import type { Identity } from './hooks.ts';
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
import type { Conversation, Peer, Protocol } from './protocol.ts';
import type { Share } from './shares.ts';
import { TokenBucket } from './token-bucket.ts';
// #if rate-limit
import type { UserShare, Users } from './users.ts';
// #endif

/** Invalid messages of a client before it is closed; one more per second. */
const ERROR_LIMIT = 20;
// #if auth
/** Cost of checking a token in messages of the rate limit. */
const AUTH_COST = 5;
// #endif

/** Before the protocol knows of the client. */
const SILENCE: Conversation = { receive: () => undefined, close: () => undefined };

let last: { readonly text: string; readonly frame: Frame } | undefined;

/** The frame of a message: one that many clients get is encoded once. */
function frameFor(text: string, kind: string): Frame {
  if (last?.text !== text) last = { text, frame: frameOf(text, kind) };
  return last.frame;
}

/** What a connection needs besides its socket. */
export interface ConversationParts {
  readonly protocol: Protocol;
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
  readonly config: Config;
  /** The clients of the server; this one is in it until its connection has ended. */
  readonly clients: Set<Client>;
  /** Bytes of the largest message, also after decompression. */
  readonly largest: number;
}

/** Runs one connection that speaks a protocol, from its handshake to its end. */
export function converse(socket: GatedSocket, gate: Gate, parts: ConversationParts): void {
  const { identity, share, protocol, config, clients } = parts;
  // First of all: a malformed frame without a listener would end the process.
  socket.on('error', (error) => {
    share.log('warn', 'client-error', { client: client.id, message: error.message });
  });
  const client = new Client(socket, gate, config.MAX_BUFFERED);
  client.conversation = SILENCE;
  // #if metrics
  const { metrics } = parts;
  client.metrics = metrics;
  // #endif
  client.closeCodes = protocol.closeCodes ?? {};
  keepAlive(socket, gate, config.PING_INTERVAL);
  /** Runs one step after the other: nothing more is read until it has ended. */
  const run = (step: () => void | Promise<void>): void => {
    gate.run(step, (error) => {
      // A bug in one conversation must not end the process for all clients.
      const trace = error instanceof Error ? error.stack : String(error);
      share.log('error', 'conversation-failed', { client: client.id, trace });
      client.close('internalError');
    });
  };
  const warnings = new TokenBucket(1, ERROR_LIMIT);
  const warn = (): boolean => {
    const isFew = warnings.take();
    if (!isFew) client.close('policyViolation');
    return isFew;
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
    // #if applications
    admit: () => undefined,
    refresh: () => undefined,
    // #endif
    warn,
  });
  // #endif
  const peer: Peer = {
    id: client.id,
    subprotocol: socket.protocol,
    // #if auth
    get identity() {
      return credentials.isKnown ? client.identity : undefined;
    },
    async authenticate(token) {
      const before = client.identity;
      gate.spend(AUTH_COST - 1);
      // #if applications
      await credentials.present({ type: 'auth', token });
      // #else
      //~ await credentials.present(token);
      // #endif
      return client.identity === before ? undefined : client.identity;
    },
    // #if wamp
    admit: () => {
      credentials.waive();
    },
    // #endif
    // #else
    //~ identity,
    // #endif
    send: (text, kind) => {
      client.deliver(frameFor(text, kind));
    },
    get drained() {
      return client.drained;
    },
    close: (code, reason) => {
      client.closeWith(code, reason);
    },
    spend: (messages) => {
      gate.spend(messages);
      // #if rate-limit
      ofUser?.commands.spend(messages);
      // #endif
    },
    warn,
    // #if metrics
    received: (kind) => {
      metrics.received(kind);
    },
    // #endif
    log: (level, event, fields) => {
      share.log(level, event, { client: client.id, user: client.user, ...fields });
    },
  };

  const receive = (text: string): void => {
    // A client that is being closed may still send.
    if (socket.readyState !== socket.OPEN) return;
    const take = (): void | Promise<void> => client.conversation?.receive(text);
    // #if rate-limit
    const commands = ofUser?.commands;
    if (commands !== undefined && !commands.take(1, performance.now())) {
      // #if metrics
      metrics.limited('user');
      // #endif
      // A protocol has no words for what is left out: it is taken later, when other connections leave a token.
      run(async () => {
        do await delay(commands.wait);
        while (socket.readyState === socket.OPEN && !commands.take());
        if (socket.readyState === socket.OPEN) await take();
      });
      return;
    }
    // #endif
    run(take);
  };
  socket.on('message', (data, isBinary) => {
    if (isBinary) client.close('unsupportedData');
    // Of a server that is told nothing else, `ws` passes on one Buffer.
    else receive((data as Buffer).toString());
  });
  socket.on('close', (code) => {
    clients.delete(client);
    // #if rate-limit
    if (ofUser !== undefined) parts.users.leave(ofUser);
    // #endif
    // #if auth
    credentials.end();
    // #endif
    const seen = socket.seenCode(code);
    // #if metrics
    metrics.closed(seen);
    // #endif
    share.log('info', 'disconnected', { client: client.id, user: client.user, code: seen });
    run(() => client.conversation?.close());
  });
  clients.add(client);
  gate.open(socket, share, parts.largest, {
    takeText: receive,
    // #if metrics
    throttled() {
      metrics.limited('connection');
    },
    // #endif
  });
  // #if auth
  run(() => {
    const started = credentials.start(identity);
    client.conversation = protocol.accept(peer);
    return started;
  });
  // #else
  //~ client.identity = identity;
  // #if rate-limit
  //~ enter(identity.user);
  // #endif
  //~ run(() => {
  //~   client.conversation = protocol.accept(peer);
  //~ });
  // #endif
  share.log('info', 'connected', {
    client: client.id,
    user: client.user,
    protocol: protocol.subprotocol,
  });
}
