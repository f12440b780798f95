import { createServer, ServerResponse } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { Chat } from './chat.ts';
import { acceptableOffer, compressionOptions, windowBitsFor } from './compression.ts';
import type { Config } from './config.ts';
import { Gate, gateOf, sweepGates } from './gate.ts';
import {
  addressOf,
  CROWDED,
  DRAINING,
  isOwnHost,
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
import { largestMessage, serve } from './session.ts';
import { Shares } from './shares.ts';
import type { Share } from './shares.ts';

/** Milliseconds over which clients spread their reconnects after a drain. */
const MAX_RETRY_AFTER_MS = 5000;
/** RFC 9110 section 15.5.2: a 401 names a way to authenticate. */
const UNIDENTIFIED = {
  status: 401,
  reason: 'unknown user',
  headers: { 'WWW-Authenticate': 'Bearer' },
} as const;
/** Milliseconds a client gets to answer a close frame. */
const CLOSE_TIMEOUT_MS = 3000;
/** TCP connections beyond the WebSocket limit, for refused handshakes and health checks. */
const SPARE_CONNECTIONS = 1000;

/** The HTTP server with its WebSocket endpoint. `listen`, then `drain` exactly once. */
export class ChatServer {
  readonly #config: Config;
  readonly #identify: Identify;
  readonly #http: Server;
  readonly #tcp: TcpServer;
  readonly #sockets: WebSocketServer;
  readonly #shares: Shares;
  readonly #gates = new Set<Gate>();
  readonly #chat: Chat;
  #sweeping: NodeJS.Timeout | undefined;
  #phase: 'serving' | 'leaving' | 'draining' = 'serving';

  constructor(config: Config, identifyClient: Identify = identify) {
    this.#config = config;
    this.#identify = identifyClient;
    this.#shares = new Shares(config);
    this.#chat = new Chat(config);
    const socketOptions = {
      noServer: true,
      clientTracking: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      maxPayload: largestMessage(config),
      perMessageDeflate: compressionOptions(config),
      handleProtocols: (offered: Set<string>) => selectSubprotocol(offered, config.SUBPROTOCOLS),
    };
    this.#sockets = new WebSocketServer(socketOptions);
    this.#http = createServer((request, response) => {
      this.#answer(request, response);
    });
    // HTTP gets its connections from here, each with its gate.
    this.#tcp = createTcpServer({ allowHalfOpen: true, noDelay: true }, (tcp) => {
      this.#accept(tcp);
    });
    this.#tcp.maxConnections = config.MAX_CONNECTIONS + SPARE_CONNECTIONS;
    this.#http.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
  }

  /** Resolves to the port; rejects when the address is in use or not allowed. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen(this.#config.PORT, this.#config.HOST, resolve);
    });
    const sweepMs = Math.min(1000, this.#config.MESSAGE_TIMEOUT / 4);
    this.#sweeping = setInterval(() => {
      sweepGates();
      this.#shares.sweep();
    }, sweepMs).unref();
    return (this.#tcp.address() as AddressInfo).port;
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
    while (this.#shares.open > 0 && performance.now() < deadline) await delay(20);
    this.#chat.terminate();
    clearInterval(this.#sweeping);
    this.#tcp.close();
    for (const gate of this.#gates) gate.stream.destroy();
  }

  get connections(): number {
    return this.#shares.open;
  }

  /** Lets a TCP connection in, unless its address has too many. */
  #accept(tcp: Socket): void {
    // First of all: a connection reset without a listener would end the process.
    tcp.on('error', () => tcp.destroy());
    const share = this.#shares.of(tcp.remoteAddress);
    // Behind proxies all connections have a few addresses; those of clients are counted later.
    if (this.#config.TRUST_PROXY === 0 && this.#shares.isCrowded(share)) {
      share.log('warn', 'connection-refused', { reason: CROWDED.reason });
      refuse(tcp, CROWDED);
      return;
    }
    const gate = new Gate(tcp, share, { shares: this.#shares, config: this.#config });
    this.#gates.add(gate);
    gate.stream.once('close', () => this.#gates.delete(gate));
    this.#http.emit('connection', gate.stream);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // First of all: a connection reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    if (!wantsWebSocket(request)) {
      this.#answerPlain(request);
      return;
    }
    const gate = gateOf(socket);
    const share = this.#shares.of(addressOf(request, this.#config.TRUST_PROXY));
    const isDraining = this.#phase === 'draining';
    const state = { share, shares: this.#shares, isDraining };
    const refusal = refusalFor(request, this.#config, state);
    if (refusal !== undefined) {
      this.#refuse(request, gate, share, refusal);
      return;
    }
    // Count the client before awaiting: meanwhile thousands could pass the check.
    share.open += 1;
    this.#shares.open += 1;
    socket.once('close', () => {
      share.open -= 1;
      this.#shares.open -= 1;
    });
    gate.stopDeadline();
    void this.#shakeHands(request, gate, head, share);
  }

  async #shakeHands(
    request: IncomingMessage,
    gate: Gate,
    head: Buffer,
    share: Share,
  ): Promise<void> {
    const { stream } = gate;
    const user = await this.#identifyInTime(request, stream);
    if (typeof user !== 'string' || this.#phase === 'draining') {
      this.#refuse(request, gate, share, typeof user === 'string' ? DRAINING : user);
      return;
    }
    const offer = acceptableOffer(request.headers['sec-websocket-extensions']);
    if (offer === undefined) delete request.headers['sec-websocket-extensions'];
    else request.headers['sec-websocket-extensions'] = offer;
    // `ws` declines a window smaller than its own: for this handshake its own is what is asked for.
    const { perMessageDeflate } = this.#sockets.options;
    if (typeof perMessageDeflate === 'object') {
      perMessageDeflate.serverMaxWindowBits = windowBitsFor(offer);
    }
    this.#sockets.handleUpgrade(request, stream, head, (client) => {
      serve(client, gate, { user, share, chat: this.#chat, config: this.#config });
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

  #refuse(request: IncomingMessage, gate: Gate, share: Share, refusal: Refusal): void {
    const { status, reason, hint } = refusal;
    const { origin, host } = request.headers;
    share.log('warn', 'handshake-refused', { status, reason, hint, origin, host });
    refuse(gate.stream, refusal);
  }

  /** Answers a request whose Upgrade is ignored; Node has taken its socket off the HTTP server. */
  #answerPlain(request: IncomingMessage): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.once('finish', () => request.socket.end());
    this.#answer(request, response);
  }

  /** Answers health checks, one per connection; other requests get 426 or 404. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { status, body } = this.#route(request);
    const headers = { 'Content-Type': 'application/json', Connection: 'close' };
    // RFC 9110 section 15.5.22: a 426 names what to upgrade to.
    if (status === 426) {
      Object.assign(headers, { Upgrade: 'websocket', Connection: 'Upgrade, close' });
    }
    response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
  }

  #route(request: IncomingMessage): { status: number; body: object } {
    const path = pathOf(request);
    const connections = this.#shares.open;
    if (path === '/healthz') return { status: 200, body: { status: 'ok' } };
    if (path === '/readyz') {
      const status = this.#phase === 'serving' && this.#shares.isFull ? 'full' : this.#phase;
      return { status: status === 'serving' ? 200 : 503, body: { status, connections } };
    }
    // The name of somebody else that points here; load balancers ask for health by address.
    if (!isOwnHost(request.headers.host, this.#config)) {
      return { status: 421, body: { error: 'not in ALLOWED_HOSTS' } };
    }
    if (path === '/') return { status: 426, body: { error: 'this is a WebSocket endpoint' } };
    return { status: 404, body: { error: 'not found' } };
  }
}
