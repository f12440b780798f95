import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Config } from './config.ts';
import type { Share, Shares } from './shares.ts';

/** An HTTP response that refuses a handshake. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log: what was wrong, and which setting allows it. */
  readonly hint?: string;
}

export interface HandshakeState {
  readonly share: Share;
  readonly shares: Shares;
  readonly isDraining: boolean;
}

/** Header fields of a handshake. */
const MAX_FIELDS = 200;

/** RFC 9110 section 7.2: a host and maybe a port; no user, path, query or fragment. */
const HOST = /^(?:[\w\-.~%!$&'()*+,;=]*|\[[\da-f:.]+\])(?::\d*)?$/i;

/** Seconds after which a client refused for load may try again. */
const RETRY = { 'Retry-After': '5' } as const;

export const DRAINING: Refusal = {
  status: 503,
  reason: 'server is shutting down',
  headers: RETRY,
};

export const CROWDED: Refusal = {
  status: 429,
  reason: 'over MAX_CONNECTIONS_PER_IP from your address',
  headers: RETRY,
};

// #if rate-limit
export const TOO_MANY_OF_USER: Refusal = {
  status: 429,
  reason: 'over MAX_CONNECTIONS_PER_USER',
  headers: RETRY,
};

// #endif
// #if collab
/** The document that a path names; undefined if it names none. */
export function documentOf(path: string): string | undefined {
  return /^\/collab\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})$/.exec(path)?.[1];
}

// #endif
/** Whether there are WebSockets at a path. */
export function isEndpoint(path: string): boolean {
  // #if collab
  if (documentOf(path) !== undefined) return true;
  // #endif
  // #if chat || pubsub || live || rpc
  return path === '/';
  // #else
  //~ return false;
  // #endif
}

/**
 * Why a handshake is refused, decided before any connection state exists; undefined accepts it.
 * `ws` checks the rest (key, Upgrade header).
 */
export function refusalFor(
  request: IncomingMessage,
  config: Config,
  state: HandshakeState,
): Refusal | undefined {
  return (
    checkRequest(request) ??
    checkOrigin(request, config) ??
    checkLoad(state, config) ??
    checkSubprotocols(request, config.SUBPROTOCOLS)
  );
}

function checkRequest(request: IncomingMessage): Refusal | undefined {
  const { headers, method, httpVersion } = request;
  if (!isEndpoint(pathOf(request))) return { status: 404, reason: 'no such path' };
  // RFC 6455 section 4.2.1: a GET of HTTP/1.1 or higher, with a Host header. Node keeps the first of
  // two; a proxy may have used the second.
  if (method !== 'GET') return { status: 405, reason: 'GET only', headers: { Allow: 'GET' } };
  if (httpVersion !== '1.1') return { status: 505, reason: 'HTTP/1.1 only' };
  if (request.headersDistinct['host']?.length !== 1) {
    return { status: 400, reason: 'expected one Host header' };
  }
  if (!HOST.test(headers.host ?? '')) return { status: 400, reason: 'malformed Host header' };
  // Node leaves out header fields beyond a limit; one of them could be a second Origin.
  if (request.rawHeaders.length > 2 * MAX_FIELDS) {
    return { status: 431, reason: `expected at most ${String(MAX_FIELDS)} header fields` };
  }
  if ((request.headersDistinct['origin']?.length ?? 0) > 1) {
    return { status: 400, reason: 'expected one Origin header' };
  }
  // What follows are frames; a proxy may take a part of them for the body.
  if (!/^0*$/.test(headers['content-length'] ?? '') || headers['transfer-encoding'] !== undefined) {
    return { status: 400, reason: 'expected no body' };
  }
  // RFC 6455 section 4.4: the response to another version names the supported one.
  if (headers['sec-websocket-version'] !== '13') {
    return {
      status: 426,
      reason: 'Sec-WebSocket-Version 13 only',
      headers: { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' },
    };
  }
  return undefined;
}

/**
 * Keeps web pages of other sites out (RFC 6455 section 10.2). Browsers always send Origin, so a
 * client without one is not a web page.
 */
export function checkOrigin(
  request: Pick<IncomingMessage, 'headers'>,
  config: Config,
): Refusal | undefined {
  const { origin, host } = request.headers;
  const { ALLOWED_ORIGINS, NODE_ENV } = config;
  if (origin === undefined) return undefined;
  if (ALLOWED_ORIGINS.length > 0) {
    return ALLOWED_ORIGINS.includes(origin) ? undefined : foreign('not in ALLOWED_ORIGINS');
  }
  const isLocal = URL.canParse(origin) && LOCAL_HOSTS.includes(new URL(origin).hostname);
  if (isLocal && NODE_ENV !== 'production') return undefined;
  if (!isSameHost(origin, host ?? '')) {
    const why = isLocal ? 'localhost, but NODE_ENV is production' : 'another host than Host';
    return foreign(`${why}; ALLOWED_ORIGINS allows it`);
  }
  // A page can make its own name point to this server (DNS rebinding).
  if (!isOwnHost(host, config)) return foreign('no name of this server; ALLOWED_HOSTS allows it');
  return undefined;
}

/** The answer to a page of another site. */
export function foreign(hint: string): Refusal {
  return { status: 403, reason: 'Origin is not allowed', hint: `the Origin is ${hint}` };
}

/** Names under which every server is reached on its own machine. */
const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Whether a Host header names this server, with any port. */
export function isOwnHost(host: string | undefined, { ALLOWED_HOSTS }: Config): boolean {
  const url = `http://${host ?? ''}`;
  if (!HOST.test(host ?? '') || !URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return [...LOCAL_HOSTS, ...ALLOWED_HOSTS].some((name) => name.toLowerCase() === hostname);
}

/** Compares host and port; the scheme is the page's, as TLS may end at a proxy before us. */
export function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  const own = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(own) && new URL(own).host === page.host;
}

function checkLoad(
  { share, shares, isDraining }: HandshakeState,
  config: Config,
): Refusal | undefined {
  if (isDraining) return DRAINING;
  if (shares.isFull) {
    return { status: 503, reason: 'full: MAX_CONNECTIONS are open', headers: RETRY };
  }
  if (shares.isFullFor(share)) return CROWDED;
  return checkRate(share, config);
}

/** Counts a request of an address behind proxies. */
export function checkRate(share: Share, { TRUST_PROXY }: Config): Refusal | undefined {
  // Without proxies the gate has delayed it.
  if (TRUST_PROXY === 0) return undefined;
  if (share.handshakes.debt > 0) {
    return { status: 429, reason: 'above HANDSHAKE_RATE of your address', headers: RETRY };
  }
  share.handshakes.spend(1);
  return undefined;
}

/** A client must fail if it gets none of the subprotocols it offers, so refuse it at once. */
function checkSubprotocols(
  request: IncomingMessage,
  spoken: readonly string[],
): Refusal | undefined {
  const header = request.headers['sec-websocket-protocol'];
  if (header === undefined) return undefined;
  const offered = header.split(',').map((name) => name.trim());
  if (offered.some((name) => spoken.includes(name))) return undefined;
  const known = spoken.length > 0 ? spoken.join(', ') : 'none';
  return { status: 400, reason: `unknown subprotocol; supported: ${known}` };
}

/** The subprotocol that the server prefers among those offered; false if there is none. */
export function selectSubprotocol(
  offered: ReadonlySet<string>,
  spoken: readonly string[],
): string | false {
  return spoken.find((name) => offered.has(name)) ?? false;
}

/**
 * The peer's address; behind `trustProxy` proxies the n-th entry of X-Forwarded-For from the
 * right, because the client can write those further left.
 */
export function addressOf(request: IncomingMessage, trustProxy: number): string {
  const chain = [request.headers['x-forwarded-for'] ?? ''].flat().join(',').split(',');
  const forwarded = trustProxy > 0 ? (chain.at(-trustProxy)?.trim() ?? '') : '';
  if (forwarded !== '') return forwarded;
  return request.socket.remoteAddress ?? 'unknown';
}

/** RFC 9110 section 7.8: a server ignores the protocols in Upgrade that it does not speak. */
export function wantsWebSocket({ headers }: IncomingMessage): boolean {
  const protocols = (headers.upgrade ?? '').toLowerCase().split(',');
  return protocols.some((name) => name.trim() === 'websocket');
}

/** The path of a request target, which may also be a whole URL (RFC 9112 section 3.2.2). */
export function pathOf(request: IncomingMessage): string {
  const [, path = ''] = /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(request.url ?? '') ?? [];
  return path === '' ? '/' : path;
}

/** Writes the HTTP response and closes the connection. */
export function refuse(socket: Duplex, refusal: Refusal): void {
  socket.once('finish', () => socket.destroy());
  socket.end(responseOf(refusal));
}

function responseOf({ status, reason, headers = {} }: Refusal): string {
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain',
    'Content-Length': String(Buffer.byteLength(reason)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const statusLine = `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n`;
  return `${statusLine}${lines.join('')}\r\n${reason}`;
}
