import { createServer, ServerResponse } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { Server as SocketServer } from 'ws';
// #if applications
import { createApplications } from './application.ts';
import type { Application } from './application.ts';
// #endif
import type { Client } from './client.ts';
import { acceptableOffer, compressionOptions, windowBitsFor } from './compression.ts';
import type { Config } from './config.ts';
// #if protocols
import { converse } from './conversation.ts';
import type { ConversationParts } from './conversation.ts';
// #endif
import { demoRoutes } from './demo.ts';
import { Gate, GatedSocket, gateOf, sweepGates } from './gate.ts';
import type { GateParts } from './gate.ts';
import {
  addressOf,
  CROWDED,
  // #if collab
  documentOf,
  // #endif
  DRAINING,
  isEndpoint,
  isOwnHost,
  pathOf,
  refusalFor,
  refuse,
  selectSubprotocol,
  // #if rate-limit
  TOO_MANY_OF_USER,
  // #endif
  wantsWebSocket,
} from './handshake.ts';
import type { Refusal } from './handshake.ts';
// #if rooms || pubsub || live || collab
import { authorize } from './handlers/authorize.ts';
// #endif
// #if auth
import { Auth, unavailable } from './auth.ts';
// #if mcp
import { MISSING } from './auth.ts';
// #endif
import { authRoutes } from './auth-routes.ts';
// #if redis
import { closeRevoked } from './auth-routes.ts';
import { SharedRevocations, SharedTickets } from './redis-shared.ts';
// #endif
// #else
//~ import { identify } from './handlers/identify.ts';
// #endif
// #if chat
import { onMessage } from './handlers/messages.ts';
// #endif
// #if jsonrpc
import { methods } from './handlers/methods.ts';
// #endif
// #if rooms || pubsub || live || collab
import { authorizer } from './hooks.ts';
import type { Authorize } from './hooks.ts';
// #endif
import type { Identity } from './hooks.ts';
// #if auth
// #else
//~ import type { Identify } from './hooks.ts';
// #endif
// #if chat
import type { OnMessage } from './hooks.ts';
// #endif
import { findRoute, problem, readBody } from './http.ts';
import type { HttpAnswer, Route } from './http.ts';
// #if jsonrpc
import type { Methods } from './json-rpc.ts';
// #endif
import { log } from './log.ts';
// #if mcp
import { DEFINITIONS } from './mcp-servers.ts';
import type { Define } from './mcp-servers.ts';
// #endif
// #if applications
import type { AnyMessage } from './messages.ts';
// #endif
// #if metrics
import { Metrics } from './metrics.ts';
// #endif
// #if protocols
import { createProtocols } from './protocol.ts';
import type { Protocol } from './protocol.ts';
// #endif
// #if applications
import { largestMessage, serve } from './session.ts';
// #endif
import { Shares } from './shares.ts';
// #if rate-limit
import { Users } from './users.ts';
// #endif
import type { Share } from './shares.ts';
// #if collab
import type { Persistence } from './persistence.ts';
// #endif
// #if redis
import { RedisLink, StoreFull } from './redis-link.ts';
// #if chat || pubsub || live
import { RedisStore } from './redis-store.ts';
// #endif
// #endif
// #if chat || pubsub || live
import { MemoryStore, storeLimits } from './store.ts';
import type { Store } from './store.ts';
// #endif

// #if applications
/** Milliseconds over which clients spread their reconnects after a drain. */
const MAX_RETRY_AFTER_MS = 5000;
// #endif
// #if auth
// #else
//~ /** RFC 9110 section 15.5.2: a 401 names a way to authenticate. */
//~ const UNIDENTIFIED = {
//~   status: 401,
//~   reason: 'unknown user',
//~   headers: { 'WWW-Authenticate': 'Bearer' },
//~ } as const;
// #endif
/** Milliseconds a client gets to answer a close frame. */
const CLOSE_TIMEOUT_MS = 3000;
/** TCP connections beyond the WebSocket limit, for refused handshakes and health checks. */
const SPARE_CONNECTIONS = 1000;

// #if auth
/** Whose handshake it is; undefined if it does not say. */
type Known = Identity | undefined;
// #else
//~ type Known = Identity;
// #endif

/** What a server can be made of instead of its own parts. */
export type Parts = {
  // #if chat || pubsub || live
  readonly store?: Store;
  // #endif
  // #if collab
  readonly persistence?: Persistence;
  // #endif
  // #if auth
  // #else
  //~ readonly identify?: Identify;
  // #endif
  // #if rooms || pubsub || live || collab
  readonly authorize?: Authorize;
  // #endif
  // #if chat
  readonly onMessage?: OnMessage;
  // #endif
  // #if jsonrpc
  readonly methods?: Methods;
  // #endif
  // #if mcp
  readonly definitions?: readonly Define[];
  // #endif
  // #if protocols
  readonly protocols?: readonly [Protocol, ...Protocol[]];
  // #endif
  /** What it answers besides. */
  readonly routes?: readonly Route[];
};

/** The HTTP server with its WebSocket endpoint. `listen`, then `drain` exactly once. */
export class RealtimeServer {
  readonly #config: Config;
  // #if auth
  readonly #auth: Auth;
  // #else
  //~ readonly #identify: Identify;
  // #endif
  readonly #http: Server;
  readonly #tcp: TcpServer;
  readonly #sockets: SocketServer<typeof GatedSocket>;
  readonly #shares: Shares;
  // #if metrics
  readonly #metrics: Metrics;
  // #endif
  // #if rate-limit
  readonly #users: Users;
  // #endif
  // #if redis
  /** Undefined: what clients have in common is in this process. */
  readonly #redis: RedisLink | undefined;
  // #endif
  // #if chat || pubsub || live
  readonly #store: Store;
  // #endif
  readonly #gates = new Set<Gate>();
  readonly #gateParts: GateParts;
  // #if applications
  readonly #applications: [Application, ...Application[]];
  // #endif
  // #if protocols
  readonly #protocols: readonly [Protocol, ...Protocol[]];
  // #endif
  readonly #routes: readonly Route[];
  readonly #clients = new Set<Client>();
  #sweeping: NodeJS.Timeout | undefined;
  #phase: 'serving' | 'leaving' | 'draining' = 'serving';

  constructor(config: Config, parts: Parts = {}) {
    this.#config = config;
    // #if redis
    const redis = config.REDIS_URL === undefined ? undefined : new RedisLink(config);
    this.#redis = redis;
    // #endif
    // #if chat || pubsub || auth
    // #if redis
    const now = (): number => redis?.now ?? Date.now();
    // #else
    //~ const now = (): number => Date.now();
    // #endif
    // #endif
    // #if auth
    this.#auth = new Auth(config, now);
    // #if redis
    if (this.#redis !== undefined) {
      this.#auth.tickets = new SharedTickets(this.#redis, config.TICKET_TTL);
      this.#auth.sharedRevocations = new SharedRevocations(
        this.#redis,
        this.#auth.revocations,
        () => {
          closeRevoked(this.#auth, this.#clients);
        },
      );
    }
    // #endif
    // #else
    //~ this.#identify = parts.identify ?? identify;
    // #endif
    this.#shares = new Shares(config);
    this.#gateParts = { shares: this.#shares, config, gates: this.#gates };
    // #if metrics
    this.#metrics = new Metrics(config, {
      connections: () => this.#shares.open,
      held: () => this.#shares.held,
      // #if rooms || pubsub || live || collab
      rooms: () => this.#applications.reduce((sum, { roomCount = 0 }) => sum + roomCount, 0),
      // #endif
      // #if redis
      redis: this.#redis,
      // #endif
    });
    // #endif
    // #if rate-limit
    // #if redis
    this.#users = new Users(config, this.#redis);
    // #else
    //~ this.#users = new Users(config);
    // #endif
    // #endif
    // #if chat || pubsub || live
    this.#store = parts.store ?? this.#createStore();
    // #endif
    // #if applications
    this.#applications = createApplications({
      config,
      // #if chat || pubsub || live
      store: this.#store,
      // #endif
      // #if chat || pubsub
      now,
      // #endif
      // #if collab
      persistence: parts.persistence,
      // #if redis
      redis: this.#redis,
      // #endif
      // #endif
      // #if rooms || pubsub || live || collab
      authorize: authorizer(parts.authorize ?? authorize),
      // #endif
      // #if chat
      onMessage: parts.onMessage ?? onMessage,
      // #endif
      // #if metrics
      metrics: this.#metrics,
      // #endif
    });
    // #endif
    // #if protocols
    this.#protocols =
      parts.protocols ??
      createProtocols({
        config,
        // #if jsonrpc
        methods: parts.methods ?? methods,
        // #endif
        // #if mcp
        definitions: parts.definitions ?? DEFINITIONS,
        // #endif
        // #if metrics
        metrics: this.#metrics,
        // #endif
      });
    // #endif
    this.#routes = [
      // #if metrics
      this.#metrics.route,
      // #endif
      // #if auth
      ...authRoutes(this.#auth, config, this.#clients),
      // #endif
      ...(config.DEMO ? demoRoutes(config) : []),
      ...(parts.routes ?? []),
      // #if applications
      ...this.#applications.flatMap(({ routes = [] }) => routes),
      // #endif
      // #if protocols
      ...this.#protocols.flatMap(({ routes = [] }) => routes),
      // #endif
    ];
    const socketOptions = {
      WebSocket: GatedSocket,
      noServer: true,
      clientTracking: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // #if applications
      maxPayload: largestMessage(config),
      // #else
      //~ maxPayload: config.MAX_PAYLOAD,
      // #endif
      perMessageDeflate: compressionOptions(config),
      handleProtocols: (offered: Set<string>) => selectSubprotocol(offered, config.SUBPROTOCOLS),
    };
    this.#sockets = new WebSocketServer(socketOptions);
    this.#http = createServer((request, response) => {
      void this.#answer(request, response);
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
    // #if redis
    await this.#redis?.start();
    return await this.#listen().catch(async (error: unknown) => {
      // The connection would keep a process that cannot serve.
      await this.#redis?.close();
      throw error;
    });
    // #else
    //~ return await this.#listen();
    // #endif
  }

  async #listen(): Promise<number> {
    // #if applications
    for (const application of this.#applications) await application.start?.();
    // #endif
    // #if protocols
    for (const protocol of this.#protocols) await protocol.start?.();
    // #endif
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen(this.#config.PORT, this.#config.HOST, resolve);
    });
    const sweepMs = Math.min(1000, this.#config.MESSAGE_TIMEOUT / 4);
    this.#sweeping = setInterval(() => {
      sweepGates();
      this.#shares.sweep();
      // #if rate-limit
      this.#users.sweep();
      // #endif
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
    // #if applications
    for (const application of this.#applications) application.drain?.();
    // #endif
    for (const client of this.#clients) {
      // #if protocols
      client.conversation?.drain?.();
      // #endif
      // #if applications
      const retryAfterMs = Math.round(Math.random() * MAX_RETRY_AFTER_MS);
      client.send({ type: 'draining', retryAfterMs } as AnyMessage);
      // #endif
      client.close('goingAway');
    }
    const deadline = performance.now() + this.#config.DRAIN_TIMEOUT;
    while (this.#shares.open > 0 && performance.now() < deadline) await delay(20);
    for (const client of this.#clients) client.terminate();
    clearInterval(this.#sweeping);
    this.#tcp.close();
    for (const gate of this.#gates) gate.stream.destroy();
    // #if protocols
    for (const protocol of this.#protocols) await protocol.stop?.();
    // #endif
    // #if collab
    for (const application of this.#applications) await application.stop?.();
    // #endif
    // #if redis
    // #if chat || pubsub || live
    await this.#store.close?.();
    // #endif
    await this.#redis?.close();
    // #endif
  }

  get connections(): number {
    return this.#shares.open;
  }

  /** Lets a TCP connection in, unless its address has too many. */
  #accept(tcp: Socket): void {
    // First of all: a connection reset without a listener would end the process.
    tcp.on('error', destroyThis);
    const share = this.#shares.of(tcp.remoteAddress);
    // Behind proxies all connections have a few addresses; those of clients are counted later.
    if (this.#config.TRUST_PROXY === 0 && this.#shares.isCrowded(share)) {
      share.log('warn', 'connection-refused', { reason: CROWDED.reason });
      refuse(tcp, CROWDED);
      return;
    }
    const gate = new Gate(tcp, share, this.#gateParts);
    this.#gates.add(gate);
    this.#http.emit('connection', gate.stream);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // First of all: a connection reset without a listener would end the process.
    socket.on('error', destroyThis);
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
    gate.occupy(share);
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
    const identity = await this.#identifyInTime(request, stream);
    // #if auth && mcp
    const known = identity ?? this.#refusalOfUnknown(request);
    // #else
    //~ const known = identity;
    // #endif
    const answer = this.#phase === 'draining' ? DRAINING : known;
    if (answer !== undefined && 'status' in answer) {
      this.#refuse(request, gate, share, answer);
      return;
    }
    // #if rate-limit
    if (answer !== undefined && this.#users.isFull(answer.user)) {
      this.#refuse(request, gate, share, TOO_MANY_OF_USER);
      return;
    }
    // #endif
    const offer = acceptableOffer(request.headers['sec-websocket-extensions']);
    if (offer === undefined) delete request.headers['sec-websocket-extensions'];
    else request.headers['sec-websocket-extensions'] = offer;
    // `ws` declines a window smaller than its own: for this handshake its own is what is asked for.
    const { perMessageDeflate } = this.#sockets.options;
    if (typeof perMessageDeflate === 'object') {
      perMessageDeflate.serverMaxWindowBits = windowBitsFor(offer);
    }
    // #if collab
    const document = documentOf(pathOf(request));
    this.#sockets.options.maxPayload = largestMessage(this.#config, document);
    // #endif
    this.#sockets.handleUpgrade(request, stream, head, (client) => {
      // #if metrics
      this.#metrics.handshake('accepted');
      // #endif
      // #if protocols
      const protocol = this.#protocolOf(client.protocol);
      // #if applications
      if (protocol !== undefined) {
        this.#converse(client, gate, { protocol, identity: answer, share });
        return;
      }
      // #else
      //~ this.#converse(client, gate, { protocol, identity: answer, share });
      // #endif
      // #endif
      // #if applications
      serve(client, gate, {
        // #if metrics
        metrics: this.#metrics,
        // #endif
        identity: answer,
        // #if auth
        auth: this.#auth,
        // #endif
        // #if rate-limit
        users: this.#users,
        // #endif
        share,
        // #if collab
        document,
        application: this.#applicationOf(client.protocol, document),
        // #else
        //~ application: this.#applicationOf(client.protocol),
        // #endif
        config: this.#config,
        clients: this.#clients,
      });
      // #endif
    });
  }

  // #if protocols
  #converse(
    client: GatedSocket,
    gate: Gate,
    parts: Pick<ConversationParts, 'protocol' | 'identity' | 'share'>,
  ): void {
    converse(client, gate, {
      ...parts,
      // #if auth
      auth: this.#auth,
      // #endif
      // #if metrics
      metrics: this.#metrics,
      // #endif
      // #if rate-limit
      users: this.#users,
      // #endif
      config: this.#config,
      clients: this.#clients,
      // #if applications
      largest: largestMessage(this.#config),
      // #else
      //~ largest: this.#config.MAX_PAYLOAD,
      // #endif
    });
  }

  // #if auth && mcp
  /** Refuses a client that cannot say later who it is. */
  #refusalOfUnknown(request: IncomingMessage): Refusal | undefined {
    const header = request.headers['sec-websocket-protocol'] ?? '';
    const offered = new Set(header.split(',').map((name) => name.trim()));
    const subprotocol = selectSubprotocol(offered, this.#config.SUBPROTOCOLS);
    const protocol = this.#protocolOf(subprotocol === false ? '' : subprotocol);
    return protocol?.needsIdentity === true ? MISSING : undefined;
  }

  // #endif
  // #if applications
  #protocolOf(subprotocol: string): Protocol | undefined {
    return this.#protocols.find((protocol) => protocol.subprotocol === subprotocol);
  }
  // #else
  //~ /** The first that the server prefers is for clients that name none. */
  //~ #protocolOf(subprotocol: string): Protocol {
  //~   const [found = this.#protocols[0]] = [subprotocol, ...this.#config.SUBPROTOCOLS].flatMap(
  //~     (name) => this.#protocols.filter((protocol) => protocol.subprotocol === name),
  //~   );
  //~   return found;
  //~ }
  // #endif

  // #endif

  // #if chat || pubsub || live
  #createStore(): Store {
    // #if redis
    if (this.#redis !== undefined) {
      return new RedisStore(this.#config, this.#redis, () => this.#memoryStore());
    }
    // #endif
    return this.#memoryStore();
  }

  /** Keeps what messages under way leave of MEMORY_BUDGET. */
  #memoryStore(): MemoryStore {
    const space = (): number => this.#config.MEMORY_BUDGET - this.#shares.held;
    const store = new MemoryStore(storeLimits(this.#config, space));
    this.#shares.onHeld = () => {
      store.trim();
    };
    return store;
  }

  // #endif
  // #if applications
  // #if collab
  #applicationOf(subprotocol: string, document?: string): Application {
    const [first, ...others] = this.#applications;
    const name = document === undefined ? subprotocol : 'collab.v1';
    return others.find((application) => application.subprotocol === name) ?? first;
  }
  // #else
  //~ #applicationOf(subprotocol: string): Application {
  //~   const [first, ...others] = this.#applications;
  //~   return others.find((application) => application.subprotocol === subprotocol) ?? first;
  //~ }
  // #endif
  // #endif

  async #identifyInTime(request: IncomingMessage, socket: Duplex): Promise<Known | Refusal> {
    const timer = setTimeout(() => socket.destroy(), this.#config.HANDSHAKE_TIMEOUT);
    try {
      // #if auth
      const known = await this.#auth.identify(request);
      // #else
      //~ const user = await this.#identify(request);
      //~ const known = user === undefined ? UNIDENTIFIED : { user };
      // #endif
      // #if rate-limit && redis
      if (known !== undefined && 'user' in known) await this.#users.learn(known.user);
      // #endif
      return known;
    } catch (error) {
      log('error', 'identify-failed', { message: String(error) });
      // #if auth
      return unavailable(error);
      // #else
      //~ return { status: 500, reason: 'internal error' };
      // #endif
    } finally {
      clearTimeout(timer);
    }
  }

  #refuse(request: IncomingMessage, gate: Gate, share: Share, refusal: Refusal): void {
    const { status, reason, hint } = refusal;
    const { origin, host } = request.headers;
    share.log('warn', 'handshake-refused', { status, reason, hint, origin, host });
    // #if metrics
    this.#metrics.handshake(String(status));
    // #endif
    refuse(gate.stream, refusal);
  }

  /** Answers a request whose Upgrade is ignored; Node has taken its socket off the HTTP server. */
  #answerPlain(request: IncomingMessage): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.once('finish', () => request.socket.end());
    this.#respond(response, this.#builtIn(request));
  }

  /** Answers one request per connection. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    const found = findRoute(this.#routes, request.method ?? '', path);
    // #if metrics
    const isForAnyHost = 'route' in found && found.route.isForAnyHost === true;
    // #else
    //~ const isForAnyHost = false;
    // #endif
    const isForUs = isForAnyHost || isOwnHost(request.headers.host, this.#config);
    if (!('route' in found) || !isForUs) {
      const allowed = 'allowed' in found ? found.allowed : [];
      if (allowed.length === 0) this.#respond(response, this.#builtIn(request));
      else {
        const headers = { Allow: allowed.join(', ') };
        this.#respond(response, problem(405, 'not this method', headers));
      }
      return;
    }
    const { route, groups } = found;
    const gate = gateOf(request.socket);
    const share = this.#shares.of(addressOf(request, this.#config.TRUST_PROXY));
    try {
      gate.openBody();
      const body = await readBody(request, route.maxBody);
      if (body === undefined) {
        const error = `expected at most ${String(route.maxBody)} bytes`;
        this.#respond(response, problem(413, error));
        return;
      }
      // What came in time may take its time.
      gate.stopDeadline();
      const { method = '', headers } = request;
      this.#respond(response, await route.answer({ method, path, headers, body, share }, groups));
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      // #if redis
      if (error instanceof StoreFull) {
        const headers = { 'Retry-After': String(Math.ceil(error.retryAfterMs / 1000)) };
        this.#respond(response, { status: 503, headers, body: { error: error.message } });
        return;
      }
      // #endif
      log('error', 'request-failed', { path, message: String(error) });
      this.#respond(response, problem(500, 'internal error'));
    }
  }

  #respond(response: ServerResponse, { status, headers = {}, body = '' }: HttpAnswer): void {
    const isText = typeof body === 'string' || Buffer.isBuffer(body);
    const type = isText ? {} : { 'Content-Type': 'application/json' };
    response.writeHead(status, { ...type, Connection: 'close', ...headers });
    response.end(isText ? body : `${JSON.stringify(body)}\n`);
  }

  /** Health checks; other requests get 426 or 404. */
  #builtIn(request: IncomingMessage): HttpAnswer {
    const path = pathOf(request);
    const connections = this.#shares.open;
    if (path === '/healthz') return { status: 200, body: { status: 'ok' } };
    if (path === '/readyz') {
      const status = this.#phase === 'serving' && this.#shares.isFull ? 'full' : this.#phase;
      // #if redis
      const reason = this.#redis?.trouble;
      if (status === 'serving' && reason !== undefined) {
        // All servers lose Redis at the same time: each still serves its own clients.
        return { status: 200, body: { status: 'degraded', reason, connections } };
      }
      // #endif
      return { status: status === 'serving' ? 200 : 503, body: { status, connections } };
    }
    // The name of somebody else that points here; load balancers ask for health by address.
    if (!isOwnHost(request.headers.host, this.#config)) {
      return problem(421, 'not in ALLOWED_HOSTS');
    }
    if (isEndpoint(path)) {
      // RFC 9110 section 15.5.22: a 426 names what to upgrade to.
      const headers = { Upgrade: 'websocket', Connection: 'Upgrade, close' };
      return problem(426, 'this is a WebSocket endpoint', headers);
    }
    return problem(404, 'not found');
  }
}

function destroyThis(this: Duplex): void {
  this.destroy();
}
