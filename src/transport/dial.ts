import { randomBytes, randomFillSync } from 'node:crypto';
import { EnvironmentError } from '../core/errors.ts';
import {
  Connection,
  createKey,
  createRequest,
  fieldValue,
  formatExtensions,
  toExtension,
  verifyResponse,
} from '../protocol/index.ts';
import type { DeflateParams, Limits, RequestHead, ResponseHead } from '../protocol/index.ts';
import { Channel } from './channel.ts';
import { HttpFailure, httpStatusError, quoteBytes } from './http-failure.ts';
import { openSocket } from './open-socket.ts';
import type { TlsOptions } from './open-socket.ts';
import { readBody } from './read-body.ts';
import { readHead } from './read-head.ts';
import type { NoHead } from './read-head.ts';
import type { Wire } from './wire.ts';

/** The parameters a client offers with permessage-deflate. */
export type DeflateOffer = Partial<DeflateParams>;

export interface DialOptions {
  /** Extra request fields; one with the name of a handshake field replaces it. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Subprotocols, the preferred one first. */
  readonly protocols?: readonly string[];
  /** True offers permessage-deflate with `client_max_window_bits`. Default false. */
  readonly compression?: boolean | DeflateOffer;
  readonly tls?: TlsOptions;
  /** Time limit until the channel is open. Default 5000. */
  readonly timeoutMs?: number;
  /** Drops the connection when it is aborted, at any time. */
  readonly signal?: AbortSignal | undefined;
  /** Bounds on the memory that the peer can cause to be used. */
  readonly limits?: Partial<Limits>;
  /** Bytes of unread events above which nothing more is read from the peer. Default 16 MiB. */
  readonly unreadBytes?: number;
  /** Called with all input after the handshake, before the connection processes it. */
  readonly observe?: (bytes: Buffer) => void;
}

/**
 * Opens a WebSocket as a client.
 *
 * Any 101 opens a channel, even if the response breaks rules: `handshake.rules` has them, and
 * nothing that such a response agrees on is in force. Throws `EnvironmentError` with
 * WSK_ERR_DNS, _REFUSED, _TLS, _TIMEOUT, _CONNECTION_LOST, _NOT_HTTP, _HEAD_TOO_BIG or
 * _HTTP_STATUS.
 */
export async function dial(address: string, options: DialOptions = {}): Promise<Channel> {
  const { timeoutMs = 5000, signal } = options;
  const deadline = performance.now() + timeoutMs;
  const url = new URL(address);
  const request = createRequest({
    url,
    key: createKey(randomBytes(16)),
    protocols: options.protocols ?? [],
    extensions: formatOffer(options.compression),
    headers: options.headers ?? [],
  });
  const wire = await openSocket(url, options);
  try {
    void wire.write([request.bytes]);
    const result = await readHead(wire, 'response', Math.max(0, deadline - performance.now()));
    signal?.throwIfAborted();
    if (!('head' in result)) throw noHeadError(url, wire, result, timeoutMs);
    if (result.head.status !== 101) {
      throw httpStatusError(url, new HttpFailure(result.head, await readBody(wire, result.head)));
    }
    return createChannel(wire, { request: request.head, response: result.head }, options);
  } catch (error) {
    wire.destroy();
    throw error;
  }
}

function formatOffer(compression: DialOptions['compression']): string {
  if (compression === undefined || compression === false) return '';
  return formatExtensions([
    toExtension(compression === true ? { clientMaxWindowBits: true } : compression),
  ]);
}

function createChannel(
  wire: Wire,
  { request, response }: { request: RequestHead; response: ResponseHead },
  options: DialOptions,
): Channel {
  const verified = verifyResponse(response, request);
  const deflate = verified.ok ? verified.deflate : undefined;
  const maskingKey = Buffer.alloc(4);
  return new Channel({
    wire,
    deflate,
    connection: new Connection({
      role: 'client',
      maskSource: () => randomFillSync(maskingKey),
      limits: options.limits ?? {},
      deflate,
    }),
    handshake: {
      requestHead: request,
      responseHead: response,
      rules: verified.rules,
      protocol: fieldValue(response, 'sec-websocket-protocol') ?? null,
      extensions: fieldValue(response, 'sec-websocket-extensions') ?? '',
    },
    observe: options.observe,
    ...(options.unreadBytes !== undefined && { unreadBytes: options.unreadBytes }),
  });
}

/** Whether a TLS server answered plain text: a TLS record starts with its type and version 3.x. */
function looksLikeTls(bytes: Buffer): boolean {
  return (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 0x03;
}

function noHeadError(url: URL, wire: Wire, result: NoHead, timeoutMs: number): EnvironmentError {
  const { failed, received } = result;
  const got = received.length === 0 ? 'nothing' : `only ${quoteBytes(received)}`;
  const plain = url.protocol === 'ws:';
  switch (failed) {
    case 'timeout': {
      const cause = new Error(`timed out after ${timeoutMs} ms`);
      return new EnvironmentError(
        'WSK_ERR_TIMEOUT',
        `${url.href} did not answer the handshake within ${timeoutMs} ms, it sent ${got}`,
        { cause, hint: 'is it a WebSocket server? --timeout waits longer' },
      );
    }
    case 'closed': {
      const cause = wire.error ?? new Error('the connection was closed');
      const hint = `is it a WebSocket server?${plain ? ' if the port speaks TLS, use wss://' : ''}`;
      return new EnvironmentError(
        'WSK_ERR_CONNECTION_LOST',
        `${url.href} dropped the connection during the handshake, it sent ${got}`,
        { cause, hint },
      );
    }
    case 'violation': {
      const reason = result.violation?.message ?? 'not HTTP';
      const code = result.violation?.code;
      if (code === 'WSK_HEAD_TOO_BIG' || code === 'WSK_TOO_MANY_HEADERS') {
        return new EnvironmentError(
          'WSK_ERR_HEAD_TOO_BIG',
          `${url.href} answered with a head that is too large: ${reason}; it starts ${quoteBytes(received)}`,
          {
            cause: new Error(reason),
            hint: 'does the server, or a proxy, set very large cookies?',
          },
        );
      }
      const hint =
        plain && looksLikeTls(received)
          ? 'the port speaks TLS: try wss:// instead of ws://'
          : 'another service listens on this port';
      return new EnvironmentError(
        'WSK_ERR_NOT_HTTP',
        `${url.href} answered something that is not HTTP: ${quoteBytes(received)} (${reason})`,
        { cause: new Error(reason), hint },
      );
    }
  }
}
