import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { Chat } from './chat.ts';
import { Client } from './client.ts';
import type { CloseCode } from './close-codes.ts';
import type { Config } from './config.ts';
import { keepAlive } from './heartbeat.ts';
import { log } from './log.ts';
import { parseCommand } from './messages.ts';
import type { Command, ErrorMessage } from './messages.ts';
import { TokenBucket } from './token-bucket.ts';

// #if rooms
/** Cost of a join in messages of the rate limit: the reply may hold a whole history. */
const JOIN_COST = 10;
// #endif
/** Error replies to a client before it is closed; one more per second. */
const ERROR_LIMIT = 20;

/** Runs one connection from its handshake to its end. */
export function serve(
  socket: WebSocket,
  tcp: Socket,
  { user, chat, config }: { user: string; chat: Chat; config: Config },
): void {
  // First of all: a malformed frame without a listener would end the process.
  socket.on('error', (error) => {
    log('warn', 'client-error', { user, message: error.message });
  });
  const client = new Client(socket, user, config.MAX_BUFFERED);
  const guard = new Guard(client, config);
  keepAlive(socket, tcp, config.PING_INTERVAL);

  socket.on('message', (data, isBinary) => {
    // A client that is being closed may still send.
    if (socket.readyState !== socket.OPEN) return;
    if (isBinary) {
      client.close('unsupportedData');
      return;
    }
    const command = guard.admit(toBuffer(data));
    if (command === undefined) return;
    try {
      chat.receive(client, command);
    } catch (error) {
      // A bug in one command must not end the process for all clients.
      const trace = error instanceof Error ? error.stack : String(error);
      log('error', 'command-failed', { client: client.id, type: command.type, trace });
      client.close('internalError');
    }
  });
  socket.on('ping', () => {
    guard.admitPing();
  });
  socket.once('close', (code) => {
    chat.close(client);
    log('info', 'disconnected', { client: client.id, user, code });
  });
  log('info', 'connected', { client: client.id, user, protocol: socket.protocol });
  chat.open(client);
}

/** Accepts valid commands up to the rate limit; closes a client that causes too many errors. */
class Guard {
  readonly #client: Client;
  readonly #config: Config;
  readonly #rate: TokenBucket;
  readonly #rateWarnings = new TokenBucket(1, ERROR_LIMIT);
  readonly #schemaWarnings = new TokenBucket(1, ERROR_LIMIT);

  constructor(client: Client, config: Config) {
    this.#client = client;
    this.#config = config;
    this.#rate = new TokenBucket(config.RATE_LIMIT, config.RATE_BURST);
  }

  admit(data: Buffer): Command | undefined {
    const result = parseCommand(data);
    // #if rooms
    const isJoin = result.ok && result.command.type === 'join';
    const cost = isJoin ? Math.min(JOIN_COST, this.#config.RATE_BURST) : 1;
    // #else
    //~ const cost = 1;
    // #endif
    if (!this.#pay(cost, result.ok ? result.command.id : result.error.id)) return undefined;
    if (result.ok) return result.command;
    this.#warn(this.#schemaWarnings, result.error, 'policyViolation');
    return undefined;
  }

  /** `ws` answers ping frames by itself; they count as messages, too. */
  admitPing(): void {
    this.#pay(1, undefined);
  }

  #pay(cost: number, id: string | undefined): boolean {
    if (this.#rate.take(cost)) return true;
    const message = `expected at most ${String(this.#config.RATE_LIMIT)} messages a second`;
    const error = { type: 'error', id, code: 'rate_limited', message } as const;
    this.#warn(this.#rateWarnings, error, 'rateLimited');
    return false;
  }

  #warn(allowance: TokenBucket, error: ErrorMessage, close: CloseCode): void {
    if (allowance.take()) this.#client.send(error);
    else this.#client.close(close);
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
