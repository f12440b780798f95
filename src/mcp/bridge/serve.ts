import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { SocketLink } from '../socket-link.ts';
import { Tokens, offeredSubprotocols, tokenOf } from '../token.ts';
import {
  DEFAULT_HEARTBEAT_MS,
  RECEIVED_HEADER,
  SESSION_HEADER,
  SUBPROTOCOL,
} from '../transport.ts';
import type { AuditLog } from './audit-log.ts';
import { HttpFace } from './http-face.ts';
import { PrivateUpstream } from './private-upstream.ts';
import { Session } from './session.ts';
import { SharedUpstream } from './shared-upstream.ts';

export interface BridgeOptions {
  /** The command of the MCP server, as a shell takes it. */
  readonly command: string;
  /** One child for all clients, not one for each. */
  readonly shared: boolean;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly path: string;
  readonly healthPaths: readonly string[];
  /** Origins of pages that may connect; `*` for any. */
  readonly origins: readonly string[];
  /** Tokens, one of which a client needs. None: everybody may connect. */
  readonly tokens: readonly string[];
  readonly maxClients: number;
  /** Largest message of a client in bytes. */
  readonly maxMessage: number;
  readonly graceMs: number;
  readonly restart: number;
  readonly log: AuditLog;
  readonly heartbeatMs?: number;
  /** How long a client may read nothing that waits for it. Default 30000. */
  readonly stallMs?: number;
  /** Time for a client's first message. Default 60000. */
  readonly firstMessageMs?: number;
  /** Time for what is in flight at the end. Default 10000. */
  readonly drainMs?: number;
  /** How long a session over HTTP is kept that nobody uses. Default 600000. */
  readonly idleMs?: number;
}

export interface BridgeStats {
  sessions: number;
  resumed: number;
  refused: number;
}

export interface Bridge {
  readonly port: number;
  readonly stats: Readonly<BridgeStats>;
  /** Answers what is in flight, then closes all connections and ends the children. */
  readonly stop: () => Promise<void>;
}

/** Serves an MCP server that speaks on standard input and output over WebSocket, and over HTTP at the same path. */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const hub = new Hub(options);
  await hub.listen();
  return { port: hub.port, stats: hub.stats, stop: () => hub.stop() };
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
}

class Hub {
  readonly stats: BridgeStats = { sessions: 0, resumed: 0, refused: 0 };
  readonly #options: BridgeOptions;
  readonly #tokens: Tokens;
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #sockets: WebSocketServer;
  readonly #http: HttpFace;
  readonly #sessions = new Map<string, Session>();
  readonly #shared: SharedUpstream | undefined;
  /** Children that are ending. */
  readonly #leaving = new Set<Promise<void>>();
  /** Response headers of a handshake. */
  readonly #headers = new WeakMap<IncomingMessage, string[]>();
  #draining = false;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.tokens);
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxMessage,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#sockets.on('headers', (lines, request) => {
      lines.push(...(this.#headers.get(request) ?? []));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    if (options.shared) this.#shared = new SharedUpstream(options);
    this.#http = new HttpFace({
      ...options,
      hasSpace: () => this.#hasSpace(),
      open: (id, user) => this.#open(id, user),
      refused: (request, status, reason) => this.#note(request, status, reason),
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
  }

  async stop(): Promise<void> {
    this.#draining = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    const sessions = [...this.#sessions.values()];
    const { drainMs = 10_000, log } = this.#options;
    log.info('draining', { sessions: sessions.length });
    await Promise.all(
      sessions.map(async (session) => {
        await session.drain(drainMs);
        session.end(1001, 'the bridge is shutting down');
      }),
    );
    await Promise.all([...this.#leaving, this.#shared?.stop()]);
    this.#server.closeAllConnections();
    await closed;
    log.flush();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    const { origin } = request.headers;
    if (origin !== undefined && this.#allows(origin)) {
      response.setHeader('access-control-allow-origin', origin).setHeader('vary', 'origin');
      response.setHeader('access-control-expose-headers', SESSION_HEADER);
    }
    response.setHeader('content-type', 'text/plain');
    if (this.#options.healthPaths.includes(path)) {
      response.writeHead(this.#draining ? 503 : 200).end(this.#draining ? 'draining\n' : 'ok\n');
    } else if (path === this.#options.path && this.#http.takes(request)) {
      this.#answerHttp(request, response);
    } else if (path === this.#options.path) {
      response.writeHead(426, { upgrade: 'websocket' }).end('MCP over WebSocket is spoken here\n');
    } else {
      response.writeHead(404).end(`MCP over WebSocket is at ${this.#options.path}\n`);
    }
  }

  #answerHttp(request: IncomingMessage, response: ServerResponse): void {
    const user = this.#userOf(request);
    const isAsked = request.method === 'OPTIONS' && !this.#draining;
    const refusal = this.#refusal(request, isAsked ? 1 : user);
    if (refusal !== undefined) {
      const { status, reason, headers } = refusal;
      this.#note(request, status, reason);
      response.writeHead(status, { connection: 'close', ...headers }).end(`${reason}\n`);
    } else if (isAsked) {
      // What a page of another origin may send.
      response.writeHead(204, {
        'access-control-allow-methods': 'POST, GET, DELETE',
        'access-control-allow-headers': `authorization, content-type, ${SESSION_HEADER}, mcp-protocol-version, last-event-id`,
      });
      response.end();
    } else {
      // Who goes before the request is complete need not be answered.
      this.#http.answer(request, response, user).catch(() => response.destroy());
    }
  }

  #userOf(request: IncomingMessage): number | undefined {
    const token = tokenOf(request);
    return token === undefined ? undefined : this.#tokens.find(token);
  }

  #allows(origin: string): boolean {
    const { origins } = this.#options;
    return origins.includes('*') || origins.includes(origin);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      // Java's HttpClient and curl offer h2c with any request: who does not speak it ignores that (RFC 9110, 7.8).
      socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]));
      this.#server.emit('connection', socket);
      return;
    }
    socket.on('error', () => socket.destroy());
    const user = this.#userOf(request);
    const refusal = this.#refusal(request, user) ?? this.#refusalOfSocket(request, user);
    if (refusal !== undefined) {
      this.#refuse(request, socket, refusal);
      return;
    }
    const known = this.#sessionFor(request, user);
    const id = known?.id ?? randomBytes(18).toString('base64url');
    const count = known === undefined ? 0 : receivedOf(request);
    if (this.#options.graceMs > 0) {
      this.#headers.set(request, [
        `${SESSION_HEADER}: ${id}`,
        `${RECEIVED_HEADER}: ${known?.received ?? 0}`,
      ]);
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const session = known ?? this.#open(id, user);
      let isFinal = false;
      const link: SocketLink = new SocketLink(
        webSocket,
        {
          receive: (message, text) => session.receive(link, message, text),
          closed: (code) => session.detached(link, code, isFinal || code === 1000),
          error: (error) => {
            // A message that was too long would be sent again.
            if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
              isFinal = true;
            this.#options.log.info('bad_message', { session: session.id, reason: error.message });
          },
          mark: () => session.sent,
          confirmed: (mark) => session.confirm(mark),
        },
        {
          answersErrors: true,
          heartbeatMs: this.#options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
          connection: socket,
        },
      );
      const { remoteAddress } = request.socket;
      const { origin } = request.headers;
      this.#options.log.info(known === undefined ? 'session_start' : 'session_resume', {
        ...{ session: session.id, address: remoteAddress },
        ...{ ...(user !== undefined && { user }), ...(origin !== undefined && { origin }) },
      });
      if (known !== undefined) this.stats.resumed += 1;
      session.attach(link, count);
    });
  }

  #refusal(request: IncomingMessage, user: number | undefined): Refusal | undefined {
    const { path, tokens } = this.#options;
    const { origin } = request.headers;
    if (this.#draining) return { status: 503, reason: 'the bridge is shutting down' };
    if (pathOf(request) !== path) return { status: 404, reason: `MCP is at ${path}` };
    if (origin !== undefined && !this.#allows(origin)) {
      return { status: 403, reason: 'this origin is not allowed' };
    }
    if (tokens.length > 0 && user === undefined) {
      const headers = { 'www-authenticate': 'Bearer' };
      return { status: 401, reason: 'a bearer token is needed', headers };
    }
    return undefined;
  }

  #refusalOfSocket(request: IncomingMessage, user: number | undefined): Refusal | undefined {
    if (!offeredSubprotocols(request).includes(SUBPROTOCOL)) {
      return { status: 400, reason: `the subprotocol ${SUBPROTOCOL} has to be offered` };
    }
    if (this.#sessionFor(request, user) !== undefined || this.#hasSpace()) return undefined;
    const { maxClients } = this.#options;
    return { status: 503, reason: `there are ${maxClients} clients, which is the limit` };
  }

  #hasSpace(): boolean {
    return this.#sessions.size < this.#options.maxClients || this.#makeSpace();
  }

  /** Ends the session that waits longest for its client; false if none does. */
  #makeSpace(): boolean {
    const waiting = [...this.#sessions.values()].find(({ isAttached }) => !isAttached);
    waiting?.end(1013, 'its place is needed');
    return waiting !== undefined;
  }

  #refuse(request: IncomingMessage, socket: Duplex, refusal: Refusal): void {
    const { status, reason, headers = {} } = refusal;
    this.#note(request, status, reason);
    // The server leaves half of a connection open, and does not count it any more.
    socket.once('finish', () => socket.destroy());
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(
      `HTTP/1.1 ${status} ${STATUS[status] ?? ''}\r\nconnection: close\r\ncontent-type: text/plain\r\n` +
        `content-length: ${Buffer.byteLength(reason) + 1}\r\n${lines.join('')}\r\n${reason}\n`,
    );
  }

  /** A handshake or a request is refused. */
  #note(request: IncomingMessage, status: number, reason: string): void {
    this.stats.refused += 1;
    const address = request.socket.remoteAddress;
    this.#options.log.info('refused', { status, reason, address, origin: request.headers.origin });
  }

  /** The session that a client comes back to: its own, and one that can go on from there. */
  #sessionFor(request: IncomingMessage, user: number | undefined): Session | undefined {
    const id = request.headers[SESSION_HEADER];
    const session = typeof id === 'string' ? this.#sessions.get(id) : undefined;
    if (typeof id === 'string' && this.#http.has(id)) return undefined;
    if (session?.user !== user || !session?.canResume(receivedOf(request))) return undefined;
    return session;
  }

  #open(id: string, user: number | undefined): Session {
    const { log, graceMs, stallMs = 30_000, firstMessageMs = 60_000 } = this.#options;
    const upstream = this.#shared ?? new PrivateUpstream(this.#options);
    const session = new Session({
      ...{ id, upstream, log, user, graceMs, stallMs, firstMessageMs },
      ended: () => {
        this.#sessions.delete(id);
        const left = upstream.leave(session);
        this.#leaving.add(left);
        void left.finally(() => this.#leaving.delete(left));
      },
    });
    this.stats.sessions += 1;
    this.#sessions.set(id, session);
    return session;
  }
}

const STATUS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
};

/** The head of a request as it came, but for its wish to speak something else. */
function headWithoutUpgrade({
  method,
  url,
  httpVersion,
  headers,
  rawHeaders,
}: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = String(rawHeaders[at]);
    if (/^(?:upgrade|connection|http2-settings)$/i.test(name)) continue;
    lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  if (/\bclose\b/i.test(headers.connection ?? '')) lines.push('connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/s, '');
}

function receivedOf(request: IncomingMessage): number {
  const count = Number(request.headers[RECEIVED_HEADER] ?? NaN);
  return Number.isSafeInteger(count) ? count : -1;
}
