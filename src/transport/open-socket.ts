import { setMaxListeners } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { EnvironmentError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import { hostAndPort, hostOf, portOf, serverNameOf } from './address.ts';
import { Wire } from './wire.ts';

/** Which certificates of a `wss:` server to trust. */
export interface TlsOptions {
  /** False accepts any certificate. Default true. */
  readonly rejectUnauthorized?: boolean;
  /** PEM certificates to trust instead of the public authorities. */
  readonly ca?: string | undefined;
}

export interface OpenSocketOptions {
  readonly tls?: TlsOptions;
  /** Time limit of name lookup, connect and TLS together. Default 5000. */
  readonly timeoutMs?: number;
  /** Drops the connection whenever it is aborted, also after it was opened. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens TCP, and TLS for `wss:`, to the host and port of `url`. A connection whose other side has
 * ended stays open.
 *
 * Throws `EnvironmentError` with WSK_ERR_DNS, _REFUSED, _TLS, _TIMEOUT or _CONNECTION_LOST.
 */
export async function openSocket(url: URL, options: OpenSocketOptions = {}): Promise<Wire> {
  const { timeoutMs = 5000, signal } = options;
  signal?.throwIfAborted();
  const secure = url.protocol === 'wss:';
  const socket = secure ? createTlsSocket(url, options.tls ?? {}) : createSocket(url);
  // An error before the caller adds its own listener must not end the process.
  socket.on('error', () => undefined);
  const drop = (): void => void socket.destroy();
  // Every open connection of a run listens: Node would take more than ten for a leak.
  if (signal !== undefined) setMaxListeners(0, signal);
  signal?.addEventListener('abort', drop, { once: true });
  socket.once('close', () => signal?.removeEventListener('abort', drop));
  try {
    await opened(socket, secure ? 'secureConnect' : 'connect', timeoutMs);
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    throw explain(error as NodeJS.ErrnoException, { url, secure, timeoutMs, socket });
  }
  return new Wire(socket);
}

function createSocket(url: URL): Socket {
  return connect({ host: hostOf(url), port: portOf(url), allowHalfOpen: true });
}

function createTlsSocket(url: URL, tls: TlsOptions): Socket {
  // Node documents allowHalfOpen here; its types lack it.
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host: hostOf(url),
    port: portOf(url),
    allowHalfOpen: true,
    ...serverNameOf(url),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    ALPNProtocols: ['http/1.1'],
  };
  return connectTls(options);
}

class OpenTimeout extends Error {}

function opened(socket: Socket, event: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      settle(new OpenTimeout(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off(event, onOpen).off('error', settle).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onOpen = (): void => settle();
    const onClose = (): void => settle(new Error('the connection was closed while it was opened'));
    socket.once(event, onOpen).once('error', settle).once('close', onClose);
  });
}

interface Attempt {
  readonly url: URL;
  readonly secure: boolean;
  readonly timeoutMs: number;
  readonly socket: Socket;
}

const DNS_CODES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);
const REFUSED_CODES = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EACCES',
  'EPERM',
]);

function explain(cause: NodeJS.ErrnoException, attempt: Attempt): EnvironmentError {
  const { url, secure, timeoutMs } = attempt;
  const address = hostAndPort(url);
  const code = cause.code ?? '';
  const failure = (error: ErrorCode, message: string, hint: string): EnvironmentError =>
    new EnvironmentError(error, message, { cause, hint });
  if (DNS_CODES.has(code)) {
    return failure(
      'WSK_ERR_DNS',
      `host name ${url.hostname} does not resolve (${code})`,
      'check the spelling of the host in the URL, and the name server',
    );
  }
  if (REFUSED_CODES.has(code)) {
    return failure(
      'WSK_ERR_REFUSED',
      `${address} refused the connection (${code})`,
      'is the server running, and does it listen on this host and port?',
    );
  }
  if (cause instanceof OpenTimeout || code === 'ETIMEDOUT') {
    return failure(
      'WSK_ERR_TIMEOUT',
      `${address} gave no connection within ${timeoutMs} ms`,
      'a firewall may drop the packets; --timeout waits longer',
    );
  }
  if (secure) {
    const what = cause.code ?? cause.message;
    return failure(
      'WSK_ERR_TLS',
      `TLS with ${address} failed: ${reasonOf(cause)} (${what})`,
      tlsHint(what, cause.message),
    );
  }
  return failure(
    'WSK_ERR_CONNECTION_LOST',
    `${address} dropped the connection: ${cause.message}`,
    'the server, or something before it, closes connections at once',
  );
}

function reasonOf(cause: NodeJS.ErrnoException): string {
  // OpenSSL puts its own file names around the reason: "C0:error:0A00010B:SSL routines:f:reason:..".
  const routine = /:SSL routines:[^:]*:([^:]+):/.exec(cause.message);
  return routine?.[1] ?? cause.message;
}

function tlsHint(code: string, message: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'renew the certificate, or pass --insecure to ignore it';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'use a host name of the certificate, or pass --insecure to skip the check';
  }
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_/.test(code)) {
    return 'pass --ca with the certificate of the authority that signed it, or --insecure';
  }
  if (/wrong version number|packet length|http request|record layer/i.test(message)) {
    return 'the port does not speak TLS: try ws:// instead of wss://';
  }
  return 'does the port speak TLS? try ws:// instead of wss://';
}
