import type { RawData, WebSocket } from 'ws';
import type { Chat } from './chat.ts';
import { Client } from './client.ts';
import type { Config } from './config.ts';
import type { Gate } from './gate.ts';
import { keepAlive } from './heartbeat.ts';
import { log } from './log.ts';
import { MAX_COMMAND_BYTES, parseCommand } from './messages.ts';
import type { Command } from './messages.ts';
import type { Share } from './shares.ts';
import { TokenBucket } from './token-bucket.ts';

// #if rooms
/** Cost of a join in messages of the rate limit: the reply may hold a whole history. */
const JOIN_COST = 10;
// #endif
/** Error replies to a client before it is closed; one more per second. */
const ERROR_LIMIT = 20;

/** Bytes of the largest message: more is no command, also after decompression. */
export function largestMessage(config: Config): number {
  return Math.min(config.MAX_PAYLOAD, MAX_COMMAND_BYTES);
}

/** Runs one connection from its handshake to its end. */
export function serve(
  socket: WebSocket,
  gate: Gate,
  { user, share, chat, config }: { user: string; share: Share; chat: Chat; config: Config },
): void {
  // First of all: a malformed frame without a listener would end the process.
  socket.on('error', (error) => {
    share.log('warn', 'client-error', { user, message: error.message });
  });
  gate.open(socket, share, largestMessage(config));
  const client = new Client(socket, gate, user, config.MAX_BUFFERED);
  const guard = new Guard(client);
  keepAlive(socket, gate, config.PING_INTERVAL);
  let sentCode: number | undefined;
  const close = socket.close.bind(socket);
  // `ws` closes by this method, too, over errors of the peer.
  socket.close = (code, reason) => {
    sentCode ??= code;
    gate.stop();
    socket.resume();
    close(code, reason);
  };
  gate.onThrottled = () => {
    const message = `expected at most ${String(config.RATE_LIMIT)} messages a second; reading slower`;
    client.send({ type: 'error', code: 'rate_limited', message });
  };

  socket.on('message', (data, isBinary) => {
    // A client that is being closed may still send.
    if (socket.readyState !== socket.OPEN) return;
    if (isBinary) {
      client.close('unsupportedData');
      return;
    }
    const command = guard.admit(toBuffer(data));
    if (command === undefined) return;
    // #if rooms
    if (command.type === 'join') gate.spend(JOIN_COST - 1);
    // #endif
    try {
      chat.receive(client, command);
    } catch (error) {
      // A bug in one command must not end the process for all clients.
      const trace = error instanceof Error ? error.stack : String(error);
      log('error', 'command-failed', { client: client.id, type: command.type, trace });
      client.close('internalError');
    }
  });
  socket.once('close', (code) => {
    chat.close(client);
    // What was sent is what the peer sees, if it got as far as the network.
    const seen = gate.hasUnsent ? 1006 : (sentCode ?? code);
    share.log('info', 'disconnected', { client: client.id, user, code: seen });
  });
  share.log('info', 'connected', { client: client.id, user, protocol: socket.protocol });
  chat.open(client);
}

/** Accepts valid commands; closes a client that causes too many errors. */
class Guard {
  readonly #client: Client;
  readonly #warnings = new TokenBucket(1, ERROR_LIMIT);

  constructor(client: Client) {
    this.#client = client;
  }

  admit(data: Buffer): Command | undefined {
    const result = parseCommand(data);
    if (result.ok) return result.command;
    if (this.#warnings.take()) this.#client.send(result.error);
    else this.#client.close('policyViolation');
    return undefined;
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
