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
/** What joining costs of the rate limit: it may send back a whole history. */
const JOIN_COST = 10;
// #endif
/** Errors a client gets answered before it is closed; one per second is forgiven. */
const PATIENCE = 20;

/** Runs one connection from its handshake to its end. */
export function serve(socket: WebSocket, user: string, chat: Chat, config: Config): void {
  // Before anything else: one malformed frame without a listener would end the process.
  socket.on('error', (error) => {
    log('warn', 'client-error', { user, message: error.message });
  });
  const client = new Client(socket, user, config.MAX_BUFFERED);
  const guard = new Guard(client, config);
  keepAlive(socket, config.PING_INTERVAL);

  socket.on('message', (data, isBinary) => {
    // A client that is being closed may go on sending for a while.
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
      // A mistake in the code for one command must not end the process for everybody.
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

/** Lets valid commands through at the allowed rate; answers others, but not for ever. */
class Guard {
  readonly #client: Client;
  readonly #config: Config;
  readonly #rate: TokenBucket;
  readonly #rateWarnings = new TokenBucket(1, PATIENCE);
  readonly #schemaWarnings = new TokenBucket(1, PATIENCE);

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

  /** `ws` answers ping frames by itself; they count as messages all the same. */
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

  #warn(patience: TokenBucket, error: ErrorMessage, close: CloseCode): void {
    if (patience.take()) this.#client.send(error);
    else this.#client.close(close);
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
