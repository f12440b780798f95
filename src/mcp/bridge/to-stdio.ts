import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { WebSocketClientTransport } from '../client-transport.ts';
import type { WebSocketClientTransportOptions } from '../client-transport.ts';
import {
  CONNECTION_CLOSED,
  errorReply,
  isRequest,
  isResponse,
  paramsOf,
  parseMessage,
} from '../json-rpc.ts';
import type { JsonRpcMessage } from '../json-rpc.ts';
import { toError } from '../socket-link.ts';
import type { AuditLog } from './audit-log.ts';

export interface ToStdioOptions {
  readonly url: string;
  readonly transport: WebSocketClientTransportOptions;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly log: AuditLog;
  readonly signal: AbortSignal;
  /** Time for answers when standard input has ended. Default 5000. */
  readonly patienceMs?: number;
}

export interface ToStdioStats {
  readonly received: number;
  readonly sent: number;
  readonly reconnected: number;
  /** Why it ended; undefined where the host wanted that. */
  readonly failure: string | undefined;
}

/** Characters of the host that wait to be sent, above which it has to wait. */
const HIGH_CHARACTERS = 1024 * 1024;

/**
 * Makes an MCP server on WebSocket one that speaks on standard input and output, for hosts that only
 * start processes. Rejects when the first connection fails.
 */
export async function bridgeToStdio(options: ToStdioOptions): Promise<ToStdioStats> {
  const { url, stdin, stdout, log, signal, patienceMs = 5000 } = options;
  let received = 0;
  let sent = 0;
  let reconnected = 0;
  let waiting = 0;
  let failure: string | undefined;
  const inFlight = new Set<unknown>();
  let idle: () => void = () => undefined;
  const settle = (id: unknown): void => {
    if (inFlight.delete(id) && inFlight.size === 0) idle();
  };
  const say = (message: JsonRpcMessage): void => {
    received += 1;
    // A host that does not read holds up the server.
    if (!stdout.write(`${JSON.stringify(message)}\n`)) transport.pause();
    if (isResponse(message)) settle(message.id);
  };
  const transport = new WebSocketClientTransport(url, {
    ...options.transport,
    onreconnect: (how) => {
      reconnected += 1;
      log.info('reconnected', { how });
    },
  });
  let lastError = '';
  transport.onmessage = say;
  transport.onerror = ({ message }) => {
    lastError = message;
    log.info('error', { reason: message });
  };
  stdout.on('drain', () => transport.resume());
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  transport.onclose = () => {
    failure ??= lastError === '' ? 'the server closed the connection' : lastError;
    end();
  };
  await transport.start();
  log.info('connected', { url });
  const lines = createInterface({ input: stdin, crlfDelay: Infinity });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    const { message, ...wrong } = parseMessage(line);
    if (message === undefined) {
      const { code, reason } = wrong as { code: number; reason: string };
      say(errorReply(null, code, reason));
      return;
    }
    sent += 1;
    waiting += line.length;
    if (waiting > HIGH_CHARACTERS) lines.pause();
    if (isRequest(message)) inFlight.add(message.id);
    // It need not be answered.
    if (message.method === 'notifications/cancelled') settle(paramsOf(message)['requestId']);
    const told = transport.send(message).catch((error: unknown) => {
      log.info('error', { reason: toError(error).message });
      if (isRequest(message)) {
        say(errorReply(message.id, CONNECTION_CLOSED, toError(error).message));
      }
    });
    void told.then(() => {
      waiting -= line.length;
      if (waiting <= HIGH_CHARACTERS) lines.resume();
    });
  });
  lines.once('close', () => {
    if (inFlight.size === 0) {
      leave();
      return;
    }
    idle = leave;
    setTimeout(leave, patienceMs).unref();
  });
  const leave = (): void => {
    failure ??= '';
    end();
  };
  signal.addEventListener('abort', leave);
  if (signal.aborted) leave();
  await ended;
  signal.removeEventListener('abort', leave);
  lines.close();
  await transport.close();
  log.flush();
  return { received, sent, reconnected, failure: failure === '' ? undefined : failure };
}
