/**
 * ws-app: a WebSocket echo server (RFC 6455). Text comes back as text, binary as binary.
 *
 *   PORT=8080 node echo-server.js
 *
 * It can face the network directly: Origin check, handshake time limits, connection and payload
 * limits, bounded send buffers, heartbeat, health checks and graceful shutdown. `config` lists every
 * setting with its environment variable.
 */
// #if project
import { createServer, ServerResponse, STATUS_CODES } from 'node:http';
import { WebSocketServer } from 'ws';
// #else
//~ // Set by loadModules() at the end of this file: `import` statements and `require` each work in
//~ // one kind of package only, `import()` in both.
//~ let createServer, ServerResponse, STATUS_CODES, WebSocketServer;
// #endif

const config = {
  /** 0 lets the system pick a free port. */
  port: integer('PORT', 8080, 0, 65_535),
  /** Unset: every interface. */
  host: process.env.HOST || undefined,
  /** Largest message in bytes, also after decompression; a larger one is closed with 1009. */
  maxPayload: integer('MAX_PAYLOAD', 1048576, 1, 0x7fffffff),
  /** Milliseconds between two pings; a peer that neither sends nor reads during two is cut off. */
  pingInterval: integer('PING_INTERVAL', 30000, 10, 3_600_000),
  /** `permessage-deflate` (RFC 7692) costs up to some 120 KiB of memory per connection. */
  compression: oneOf('COMPRESSION', 'permessage-deflate', ['permessage-deflate', 'none']),
  serverNoContextTakeover: true,
  /** Supported subprotocols, the preferred one first. */
  subprotocols: list('SUBPROTOCOLS', ['echo.v1'], isToken, 'names of subprotocols'),
  /** Allowed values of the Origin header; none listed: only pages from this host. */
  allowedOrigins: list('ALLOWED_ORIGINS', [], isOrigin, 'origins as in https://example.com'),
  maxConnections: integer('MAX_CONNECTIONS', 10_000, 1, 1_000_000),
  maxConnectionsPerIp: integer('MAX_CONNECTIONS_PER_IP', 256, 1, 1_000_000),
  /** Reverse proxies in front of this server whose X-Forwarded-For is trusted. */
  trustProxy: integer('TRUST_PROXY', 0, 0, 10),
  /** Bytes that may wait for one client before the server stops reading from it. */
  maxBuffered: integer('MAX_BUFFERED', 1_048_576, 1024, 0x7fffffff),
  /** Milliseconds a client may take to send its handshake. */
  handshakeTimeout: integer('HANDSHAKE_TIMEOUT', 5000, 50, 9000),
  /** Milliseconds that clients get for the closing handshake after SIGTERM. */
  drainTimeout: integer('DRAIN_TIMEOUT', 5000, 0, 600_000),
};

let draining = false;
const connectionsPerIp = new Map();

function main() {
  // A closed log pipe must not end the server.
  process.stdout.on('error', () => {});
  const server = createServer(
    {
      // A silent or slow client is closed after handshakeTimeout plus one check; Node's defaults
      // would keep it for 90 s.
      headersTimeout: config.handshakeTimeout,
      requestTimeout: config.handshakeTimeout * 2,
      keepAliveTimeout: config.handshakeTimeout,
      connectionsCheckingInterval: Math.min(1000, config.handshakeTimeout),
    },
    answerHttp,
  );
  server.maxConnections = config.maxConnections + 1000;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: config.maxPayload,
    // Small fragments are legal, and Autobahn case 9.3.1 sends 65 537; the default of ws is 16 384.
    maxFragments: 131_072,
    closeTimeout: 5000,
    handleProtocols: (offered) => config.subprotocols.find((name) => offered.has(name)) ?? false,
    perMessageDeflate: config.compression === 'permessage-deflate' && {
      threshold: 1024,
      concurrencyLimit: 10,
      serverNoContextTakeover: config.serverNoContextTakeover,
      serverMaxWindowBits: 11,
      zlibDeflateOptions: { level: 3, memLevel: 4, chunkSize: 4096 },
      zlibInflateOptions: { chunkSize: 4096 },
    },
  });

  server.on('upgrade', (request, socket, head) => {
    // First of all: a connection reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    if (!wantsWebSocket(request)) return answerPlain(request, socket);
    const ip = addressOf(request);
    const refusal = refusalFor(request, ip, sockets.clients.size);
    if (refusal !== undefined) return refuse(request, socket, ip, refusal);
    request.headers['sec-websocket-extensions'] = acceptableOffer(request);
    sockets.handleUpgrade(request, socket, head, (client) => serve(client, socket, ip));
  });

  server.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  server.listen(config.port, config.host, () => {
    const { port } = server.address();
    log('info', 'listening', { port, url: `ws://localhost:${port}` });
  });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => shutDown(signal, server, sockets));
  }
}

/** Echoes until the connection ends; until then it counts against the limit of its address. */
function serve(client, socket, ip) {
  // First of all: a malformed frame without a listener would end the process.
  client.on('error', (error) => log('warn', 'client-error', { ip, message: error.message }));
  connectionsPerIp.set(ip, (connectionsPerIp.get(ip) ?? 0) + 1);
  const stopHeartbeat = keepAlive(client, socket);

  client.on('message', (data, isBinary) => {
    client.send(data, { binary: isBinary }, () => {
      if (client.isPaused && client.bufferedAmount <= config.maxBuffered) client.resume();
    });
    // Stop reading from a client that does not read its echoes, so that its buffer stays bounded.
    if (client.bufferedAmount > config.maxBuffered) client.pause();
  });

  client.on('close', (code) => {
    stopHeartbeat();
    const left = connectionsPerIp.get(ip) - 1;
    if (left > 0) connectionsPerIp.set(ip, left);
    else connectionsPerIp.delete(ip);
    log('info', 'disconnected', { ip, code });
  });
  log('info', 'connected', { ip, protocol: client.protocol });
}

/** Pings `client` and ends the connection when no octet came or went during two pings. */
function keepAlive(client, socket) {
  let missed = 0;
  let timer;
  let before = { read: 0, delivered: 0, waiting: 0 };
  // Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
  const hasMoved = () => {
    const { bytesRead: read, bytesWritten, writableLength: waiting } = socket;
    const now = { read, delivered: bytesWritten - waiting, waiting };
    const moved =
      now.read > before.read || (before.waiting > 0 && now.delivered > before.delivered);
    before = now;
    return moved;
  };
  const beat = () => {
    if (hasMoved()) missed = 0;
    if (missed === 2) return client.terminate();
    missed += 1;
    client.ping();
    schedule();
  };
  const schedule = () => {
    // Jitter keeps ten thousand connections from pinging in the same millisecond.
    timer = setTimeout(beat, config.pingInterval * (0.9 + Math.random() * 0.2)).unref();
  };
  schedule();
  return () => clearTimeout(timer);
}

/** RFC 9110 section 7.8: a server ignores the protocols in Upgrade that it does not speak. */
function wantsWebSocket({ headers }) {
  const protocols = (headers.upgrade ?? '').toLowerCase().split(',');
  return protocols.some((name) => name.trim() === 'websocket');
}

/** Answers a request whose Upgrade is ignored; Node has taken its socket off the HTTP server. */
function answerPlain(request, socket) {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => socket.end());
  answerHttp(request, response);
}

/** Why a handshake is refused, before any connection state exists; undefined accepts it. */
function refusalFor(request, ip, connections) {
  if (pathOf(request) !== '/') return { status: 404, reason: 'no such path' };
  if (request.method !== 'GET')
    return { status: 405, reason: 'GET only', headers: { Allow: 'GET' } };
  // RFC 6455 section 4.2.1: HTTP/1.1 or higher, with a Host header; Node keeps the first of two.
  if (request.httpVersion !== '1.1') return { status: 505, reason: 'HTTP/1.1 only' };
  if (request.headersDistinct.host?.length !== 1)
    return { status: 400, reason: 'expected one Host header' };
  // RFC 6455 section 4.4: name the supported version.
  if (request.headers['sec-websocket-version'] !== '13') {
    const headers = { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' };
    return { status: 426, reason: 'Sec-WebSocket-Version 13 only', headers };
  }
  if (!isAllowedOrigin(request)) return { status: 403, reason: 'Origin is not allowed' };
  const retry = { 'Retry-After': '5' };
  if (draining) return { status: 503, reason: 'shutting down', headers: retry };
  if (connections >= config.maxConnections) return { status: 503, reason: 'full', headers: retry };
  if ((connectionsPerIp.get(ip) ?? 0) >= config.maxConnectionsPerIp) {
    return { status: 429, reason: 'over MAX_CONNECTIONS_PER_IP from your address', headers: retry };
  }
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
  if (offered !== undefined && !offered.some((name) => config.subprotocols.includes(name))) {
    const known = config.subprotocols.join(', ') || 'none';
    return { status: 400, reason: `unknown subprotocol; supported: ${known}` };
  }
  return undefined;
}

/** Browsers always send Origin; a client without one is not a web page. */
function isAllowedOrigin(request) {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (config.allowedOrigins.length > 0) return config.allowedOrigins.includes(origin);
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  const own =
    page && URL.canParse(`${page.protocol}//${host}`) && new URL(`${page.protocol}//${host}`);
  return Boolean(own && page.host !== '' && page.host === own.host);
}

/** The first permessage-deflate offer this server can take; RFC 7692 section 5.1: decline others. */
function acceptableOffer(request) {
  const parameter =
    'server_no_context_takeover|client_no_context_takeover|' +
    'client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?|server_max_window_bits="?1[1-5]"?';
  const known = new RegExp(`^permessage-deflate(?:\\s*;\\s*(?:${parameter}))*$`);
  const repeated = /;\s*(\w+).*;\s*\1\b/;
  const offers = (request.headers['sec-websocket-extensions'] ?? '').split(',');
  return offers.map((offer) => offer.trim()).find((o) => known.test(o) && !repeated.test(o));
}

/** The peer's address; behind `trustProxy` proxies the n-th entry from the right, never the first. */
function addressOf(request) {
  const chain = [request.headers['x-forwarded-for'] ?? ''].join(',').split(',');
  const forwarded = config.trustProxy > 0 ? chain.at(-config.trustProxy)?.trim() : '';
  return forwarded || (request.socket.remoteAddress ?? 'unknown');
}

/** The path of a request target, which may also be a whole URL (RFC 9112 section 3.2.2). */
function pathOf(request) {
  return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(request.url)[1] || '/';
}

function refuse(request, socket, ip, { status, reason, headers = {} }) {
  log('warn', 'handshake-refused', { status, reason, ip, origin: request.headers.origin });
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(reason) });
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      lines.map(([name, value]) => `${name}: ${value}\r\n`).join('') +
      `\r\n${reason}`,
  );
}

/** Answers health checks; other requests get 426 or 404. */
function answerHttp(request, response) {
  const answers = {
    '/healthz': [200, { status: 'ok' }],
    '/readyz': draining ? [503, { status: 'draining' }] : [200, { status: 'ready' }],
    '/': [426, { error: 'this is a WebSocket endpoint' }],
  };
  const path = pathOf(request);
  const [status, body] = Object.hasOwn(answers, path)
    ? answers[path]
    : [404, { error: 'not found' }];
  const headers = { 'Content-Type': 'application/json' };
  // RFC 9110 section 15.5.22: a 426 names what to upgrade to.
  if (status === 426)
    Object.assign(headers, { Upgrade: 'websocket', Connection: 'Upgrade, close' });
  else if (request.method !== 'GET') headers.Connection = 'close';
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}

/** Closes with 1001, waits at most `drainTimeout` and exits 0; a second signal exits at once. */
function shutDown(signal, server, sockets) {
  if (draining) process.exit(1);
  draining = true;
  log('info', 'draining', { signal, connections: sockets.clients.size });
  for (const client of sockets.clients) client.close(1001, 'server is shutting down');
  const exit = () => {
    log('info', 'stopped', {});
    process.exit(0);
  };
  setTimeout(() => {
    for (const client of sockets.clients) client.terminate();
    exit();
  }, config.drainTimeout);
  // Readiness stays observable until the last client is gone.
  sockets.close(exit);
}

function log(level, event, fields) {
  console.log(JSON.stringify({ level, event, ...fields }));
}

// Settings from the environment; a wrong one ends the process with exit code 2.

function integer(name, fallback, min, max) {
  const text = process.env[name] || String(fallback);
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    invalid(name, text, `an integer from ${min} to ${max}`);
  }
  return value;
}

function oneOf(name, fallback, values) {
  const text = process.env[name] || fallback;
  if (!values.includes(text)) invalid(name, text, values.join(' or '));
  return text;
}

function list(name, fallback, isValid, what) {
  const text = process.env[name];
  if (!text) return fallback;
  const items = text.split(',').map((item) => item.trim());
  if (!items.every(isValid)) invalid(name, text, `${what}, separated by commas`);
  return items;
}

/** RFC 6455 section 4.1, item 10: a subprotocol is named by a token (RFC 9110 section 5.6.2). */
function isToken(text) {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** Exactly as browsers send it: no path, no trailing slash, no wildcard. */
function isOrigin(text) {
  return URL.canParse(text) && new URL(text).origin === text;
}

function invalid(name, text, expected) {
  console.error(`${name} is ${JSON.stringify(text)}, expected ${expected}`);
  process.exit(2);
}

// #if project
main();
// #else
//~ void loadModules().then(main);
//~
//~ /** Loads Node's own modules and hands them to `ws`, which follows below in one function. */
//~ async function loadModules() {
//~   const names = ['buffer', 'crypto', 'events', 'http', 'https', 'net', 'querystring', 'stream'];
//~   names.push('tls', 'url', 'util', 'zlib');
//~   const loaded = await Promise.all(names.map((name) => import(`node:${name}`)));
//~   const builtins = new Map(names.map((name, index) => [name, loaded[index].default]));
//~   const ws = { exports: {} };
//~   defineWs(ws, (name) => {
//~     if (builtins.has(name)) return builtins.get(name);
//~     throw new Error(`${name} is optional and not included`);
//~   });
//~   WebSocketServer = ws.exports;
//~   ({ createServer, ServerResponse, STATUS_CODES } = builtins.get('http'));
//~ }
// #endif
