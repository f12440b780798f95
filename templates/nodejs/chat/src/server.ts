import { createServer, ServerResponse } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { Admission } from './admission.ts';
import { Chat } from './chat.ts';
import { acceptableOffer, compressionOptions } from './compression.ts';
import type { Config } from './config.ts';
import {
  addressOf,
  DRAINING,
  pathOf,
  refusalFor,
  refuse,
  selectSubprotocol,
  wantsWebSocket,
} from './handshake.ts';
import type { Refusal } from './handshake.ts';
import { identify } from './identity.ts';
import type { Identify } from './identity.ts';
import { log } from './log.ts';
import { serve } from './session.ts';

/** Milliseconds over which clients spread their reconnects after a drain. */
const MAX_RETRY_AFTER_MS = 5000;
/** RFC 9110 section 15.5.2: a 401 names a way to authenticate. */
const UNIDENTIFIED = {
  status: 401,
  reason: 'unknown user',
  headers: { 'WWW-Authenticate': 'Bearer' },
} as const;
/** Milliseconds a client gets to answer a close frame. */
const CLOSE_TIMEOUT_MS = 5000;
/** TCP connections beyond the WebSocket limit, for refused handshakes and health checks. */
const SPARE_CONNECTIONS = 1000;

/** The HTTP server with its WebSocket endpoint. `listen`, then `drain` exactly once. */
export class ChatServer {
  readonly #config: Config;
  readonly #identify: Identify;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #admission: Admission;
  readonly #chat: Chat;
  #phase: 'serving' | 'leaving' | 'draining' = 'serving';

  constructor(config: Config, identifyClient: Identify = identify) {
    this.#config = config;
    this.#identify = identifyClient;
    this.#admission = new Admission(config.MAX_CONNECTIONS, config.MAX_CONNECTIONS_PER_IP);
    this.#chat = new Chat(config);
    const socketOptions = {
      noServer: true,
      clientTracking: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      maxPayload: config.MAX_PAYLOAD,
      perMessageDeflate: compressionOptions(config),
      handleProtocols: (offered: Set<string>) => selectSubprotocol(offered, config.SUBPROTOCOLS),
    };
    this.#sockets = new WebSocketServer(socketOptions);
    this.#http = createServer(httpOptions(config), (request, response) => {
      this.#answer(request, response);
    });
    this.#http.maxConnections = config.MAX_CONNECTIONS + SPARE_CONNECTIONS;
    this.#http.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
  }

  /** Resolves to the port; rejects when the address is in use or not allowed. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(this.#config.PORT, this.#config.HOST, resolve);
    });
    return (this.#http.address() as AddressInfo).port;
  }

  /**
   * Shuts down: reports not ready at once; after `DRAIN_DELAY`, for load balancers to react, refuses
   * new clients and closes present ones with 1001; after `DRAIN_TIMEOUT`, ends the rest.
   */
  async drain(): Promise<void> {
    this.#phase = 'leaving';
    await delay(this.#config.DRAIN_DELAY);
    this.#phase = 'draining';
    this.#chat.drain(MAX_RETRY_AFTER_MS);
    const deadline = performance.now() + this.#config.DRAIN_TIMEOUT;
    while (this.#admission.total > 0 && performance.now() < deadline) await delay(20);
    this.#chat.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  get connections(): number {
    return this.#admission.total;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // First of all: a connection reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    if (!wantsWebSocket(request)) {
      this.#answerPlain(request);
      return;
    }
    const address = addressOf(request, this.#config.TRUST_PROXY);
    const refusal = this.#refusalFor(request, address);
    if (refusal !== undefined) {
      this.#refuse(request, socket, refusal);
      return;
    }
    // Count the client before awaiting: meanwhile thousands could pass the check.
    this.#admission.enter(address);
    socket.once('close', () => {
      this.#admission.leave(address);
    });
    void this.#shakeHands(request, socket, head);
  }

  #refusalFor(request: IncomingMessage, address: string): Refusal | undefined {
    const isDraining = this.#phase === 'draining';
    return refusalFor(request, this.#config, { address, admission: this.#admission, isDraining });
  }

  async #shakeHands(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const user = await this.#identifyInTime(request, socket);
    if (typeof user !== 'string' || this.#phase === 'draining') {
      this.#refuse(request, socket, typeof user === 'string' ? DRAINING : user);
      return;
    }
    const offer = acceptableOffer(request.headers['sec-websocket-extensions']);
    if (offer === undefined) delete request.headers['sec-websocket-extensions'];
    else request.headers['sec-websocket-extensions'] = offer;
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      serve(client, request.socket, { user, chat: this.#chat, config: this.#config });
    });
  }

  async #identifyInTime(request: IncomingMessage, socket: Duplex): Promise<string | Refusal> {
    const timer = setTimeout(() => socket.destroy(), this.#config.HANDSHAKE_TIMEOUT);
    try {
      return (await this.#identify(request)) ?? UNIDENTIFIED;
    } catch (error) {
      log('error', 'identify-failed', { message: String(error) });
      return { status: 500, reason: 'internal error' };
    } finally {
      clearTimeout(timer);
    }
  }

  #refuse(request: IncomingMessage, socket: Duplex, refusal: Refusal): void {
    const address = addressOf(request, this.#config.TRUST_PROXY);
    const { status, reason } = refusal;
    log('warn', 'handshake-refused', { status, reason, address, origin: request.headers.origin });
    refuse(socket, refusal);
  }

  /** Answers a request whose Upgrade is ignored; Node has taken its socket off the HTTP server. */
  #answerPlain(request: IncomingMessage): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.once('finish', () => request.socket.end());
    this.#answer(request, response);
  }

  /** Answers health checks; other requests get 426 or 404. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { status, body } = this.#route(pathOf(request));
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    // A request body that is not read must not keep the connection open.
    if (request.method !== 'GET') headers['Connection'] = 'close';
    // RFC 9110 section 15.5.22: a 426 names what to upgrade to.
    if (status === 426) Object.assign(headers, { Upgrade: 'websocket', Connection: 'Upgrade' });
    response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
  }

  #route(path: string): { status: number; body: object } {
    const connections = this.#admission.total;
    if (path === '/healthz') return { status: 200, body: { status: 'ok' } };
    if (path === '/readyz') {
      const status = this.#phase === 'serving' && this.#admission.isFull ? 'full' : this.#phase;
      return { status: status === 'serving' ? 200 : 503, body: { status, connections } };
    }
    if (path === '/') return { status: 426, body: { error: 'this is a WebSocket endpoint' } };
    return { status: 404, body: { error: 'not found' } };
  }
}

/**
 * Time limits of handshakes: a silent or slow client is closed after HANDSHAKE_TIMEOUT plus one
 * check. Node's defaults would keep it for 90 s.
 */
function httpOptions(config: Config): object {
  return {
    headersTimeout: config.HANDSHAKE_TIMEOUT,
    requestTimeout: config.HANDSHAKE_TIMEOUT * 2,
    keepAliveTimeout: config.HANDSHAKE_TIMEOUT,
    connectionsCheckingInterval: Math.min(1000, config.HANDSHAKE_TIMEOUT),
  };
}
