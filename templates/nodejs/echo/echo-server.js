/**
 * ws-app: a WebSocket echo server (RFC 6455). Text comes back as text, binary as binary.
 *
 *   PORT=8080 node echo-server.js
 *
 * It can face the network directly: Origin check, time limits, shares of connections, work and memory
 * for each address, bounded buffers, heartbeat, health checks and graceful shutdown. `config` lists
 * every setting with its environment variable.
 */
// #if project
import { isUtf8 } from 'node:buffer';
import { createServer, ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createTcpServer, isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
// #else
//~ // Set by loadModules() at the end of this file: `import` statements and `require` each work in
//~ // one kind of package only, `import()` in both.
//~ let isUtf8, createServer, ServerResponse, STATUS_CODES, createTcpServer, isIP, Duplex;
//~ let WebSocketServer;
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
  /** Allowed values of the Origin header; none listed: pages from this host, and from localhost. */
  allowedOrigins: list('ALLOWED_ORIGINS', [], isOrigin, 'origins as in https://example.com'),
  /** Names of this server besides localhost, 127.0.0.1 and [::1]; pages have to come from one. */
  allowedHosts: list('ALLOWED_HOSTS', [], isHostName, 'host names without a port'),
  /** In production pages from localhost are no exception. */
  isProduction: process.env.NODE_ENV === 'production',
  maxConnections: integer('MAX_CONNECTIONS', 10_000, 1, 1_000_000),
  /** Addresses are IPv4 addresses and IPv6 networks of 64 bits; at most MAX_CONNECTIONS. */
  maxConnectionsPerIp: integer('MAX_CONNECTIONS_PER_IP', undefined, 1, 1_000_000),
  /** New connections a second that one address gets; more have to wait. */
  handshakeRate: integer('HANDSHAKE_RATE', 1000, 1, 1_000_000),
  /** Frames a second that echo nothing, of one client: pings, pongs, empty frames, tiny fragments. */
  rateLimit: integer('RATE_LIMIT', 1000, 1, 1_000_000),
  /** Messages a second of one client, 16 KiB of a message counting as one; more have to wait. */
  messageRate: integer('MAX_MESSAGES_PER_SECOND', 1_000_000, 1, 10_000_000),
  /** Bytes of unfinished, inflated and waiting messages; one address gets half of what others leave. */
  memoryBudget: integer('MEMORY_BUDGET', undefined, 65_536, 0x7fffffffff),
  /** Milliseconds an unfinished message may rest; a steady one may take as long as it likes. */
  messageTimeout: integer('MESSAGE_TIMEOUT', 30_000, 50, 3_600_000),
  /** Reverse proxies in front of this server whose X-Forwarded-For is trusted. */
  trustProxy: integer('TRUST_PROXY', 0, 0, 10),
  /** Bytes that may wait for one client before the server stops reading from it. */
  maxBuffered: integer('MAX_BUFFERED', 1_048_576, 1024, 0x7fffffff),
  /** Milliseconds a client may take to send its handshake. */
  handshakeTimeout: integer('HANDSHAKE_TIMEOUT', 5000, 50, 9000),
  /** Milliseconds that clients get for the closing handshake after SIGTERM. */
  drainTimeout: integer('DRAIN_TIMEOUT', 5000, 0, 600_000),
};
// Limits that nobody set fit the others; limits that were set must.
config.maxConnectionsPerIp ??= Math.min(1024, config.maxConnections);
config.memoryBudget ??= Math.max(268_435_456, 2 * config.maxPayload, 2 * config.maxBuffered);
checkTogether();

/** Names under which every server is reached on its own machine. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];
/** Header fields of a handshake. */
const MAX_FIELDS = 200;
/** Log2 of the window that compressed messages of this server need: 2 KiB keep connections small. */
const SERVER_WINDOW_BITS = 11;
/** Milliseconds a peer gets to answer a close frame. */
const CLOSE_TIMEOUT = 3000;
/** Bytes a second of the slowest client that counts as alive while it reads, and seconds at most. */
const SLOWEST_READER = 1024;
const MAX_PATIENCE = 600;
/** TCP connections of one address beyond its limit: handshakes under way and health checks. */
const SPARE_PER_IP = 16;
/** Frames of one connection that are handled before others get their turn; 2 KiB count as one. */
const TURN = 16;
/** Frames of all connections with more to come that are handled before new arrivals are looked at. */
const ROUND = 4 * TURN;
const BYTES_PER_FRAME = 2048;
/** Bytes of one connection likewise; turns that are much shorter make large messages slow. */
const BYTES_PER_TURN = 262_144;
/** Memory that a fragment, or an answer that waits, takes besides its octets. */
const BYTES_PER_PART = 512;
/** Bytes of a message that cost as much of the rate as one message more. */
const BYTES_PER_MESSAGE = 16_384;
/** What terminals obey and JSON leaves as it is: DEL, C1 controls, line ends, direction of writing. */
const UNPRINTABLE = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** RFC 9110 section 7.2: a host and maybe a port; no user, path, query or fragment. */
const HOST = /^(?:[\w\-.~%!$&'()*+,;=]*|\[[\da-f:.]+\])(?::\d*)?$/i;
/** Bytes that one connection may hold however much the others hold. */
const FREE_BYTES = 4096;
/** What inflates a message: its window and its tables. */
const INFLATER_BYTES = 40_960;

/** The setting of each rate. */
const LIMITS = {
  frames: 'RATE_LIMIT',
  messages: 'MAX_MESSAGES_PER_SECOND',
  handshakes: 'HANDSHAKE_RATE',
};

let draining = false;

function main() {
  // A closed log pipe must not end the server.
  process.stdout.on('error', () => {});
  const http = createServer(answerHttp);
  // `http` gets its connections from here, each with its gate.
  const server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (tcp) =>
    accept(tcp, http),
  );
  server.maxConnections = config.maxConnections + 1000;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: config.maxPayload,
    // Fragments are counted as memory instead: small ones are legal, and Autobahn 9.3.1 sends 65 537.
    maxFragments: 0,
    maxBufferedChunks: 0,
    autoPong: false,
    closeTimeout: CLOSE_TIMEOUT,
    handleProtocols: (offered) => config.subprotocols.find((name) => offered.has(name)) ?? false,
    perMessageDeflate: config.compression === 'permessage-deflate' && {
      threshold: 1024,
      concurrencyLimit: 10,
      serverNoContextTakeover: config.serverNoContextTakeover,
      serverMaxWindowBits: SERVER_WINDOW_BITS,
      zlibDeflateOptions: { level: 3, memLevel: 4, chunkSize: 4096 },
      zlibInflateOptions: { chunkSize: 4096 },
    },
  });

  http.on('upgrade', (request, socket, head) => {
    // First of all: a connection reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    if (!wantsWebSocket(request)) return answerPlain(request, socket);
    const share = config.trustProxy > 0 ? shareOf(addressOf(request)) : socket.gate.share;
    const refusal = refusalFor(request, share, sockets.clients.size);
    if (refusal !== undefined) return refuse(request, socket, share, refusal);
    const offer = acceptableOffer(request);
    request.headers['sec-websocket-extensions'] = offer;
    // `ws` declines a window smaller than its own: for this handshake its own is what is asked for.
    const { perMessageDeflate } = sockets.options;
    if (perMessageDeflate) perMessageDeflate.serverMaxWindowBits = windowFor(offer);
    sockets.handleUpgrade(request, socket, head, (client) => serve(client, socket.gate, share));
  });
  setInterval(sweep, Math.min(1000, config.messageTimeout / 4)).unref();

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

/** Lets a TCP connection in, unless its address has too many. */
function accept(tcp, http) {
  // First of all: a connection reset without a listener would end the process.
  tcp.on('error', () => tcp.destroy());
  const share = shareOf(addressKey(tcp.remoteAddress));
  // Behind proxies all connections have a few addresses; those of clients are counted later.
  if (config.trustProxy === 0 && share.tcp >= config.maxConnectionsPerIp + SPARE_PER_IP) {
    logPeer(share, 'warn', 'connection-refused', { reason: 'MAX_CONNECTIONS_PER_IP' });
    const refusal = refusalOfShare();
    return tcp.end(responseOf(refusal), () => tcp.destroy());
  }
  http.emit('connection', new Gate(tcp, share).stream);
}

/** Echoes until the connection ends; until then it counts against the limit of its address. */
function serve(client, gate, share) {
  // First of all: a malformed frame without a listener would end the process.
  client.on('error', (error) => logPeer(share, 'warn', 'client-error', { message: error.message }));
  share.open += 1;
  gate.open(share, client);
  const stopHeartbeat = keepAlive(client, gate);
  let sentCode;
  // `ws` closes by this method, too, over errors of the peer.
  const { close } = client;
  client.close = (code, reason) => {
    sentCode ??= code;
    gate.stop();
    close.call(client, code, reason);
  };

  client.on('message', (data, isBinary) => {
    // What came with the last message that was handled.
    if (client.readyState !== client.OPEN) return;
    client.send(data, { binary: isBinary }, gate.answer());
  });
  client.on('ping', (data) => {
    if (client.readyState === client.OPEN) client.pong(data, false, gate.answer());
  });

  client.on('close', (code) => {
    stopHeartbeat();
    share.open -= 1;
    // What was sent is what the peer sees, if it got as far as the network.
    const seen = gate.hasUnsent ? 1006 : (sentCode ?? code);
    logPeer(share, 'info', 'disconnected', { code: seen });
  });
  logPeer(share, 'info', 'connected', { protocol: client.protocol });
}

/**
 * Stands between a TCP connection and `ws`, and decides when the next frames are read: a turn of some
 * frames and bytes at a time, so that nobody waits for a flood, and none while the client or its
 * address is above its rate, or while too many answers wait for it. It sees the heads of frames, and
 * the octets of text that is incomplete.
 */
class Gate {
  constructor(tcp, share) {
    this.tcp = tcp;
    this.share = share;
    share.tcp += 1;
    this.tcpShare = share;
    this.frames = new Bucket(config.rateLimit, config.rateLimit * 4);
    this.messages = new Bucket(config.messageRate, config.messageRate);
    /** `head`: HTTP; `held`: after it; `frames`; `closing`: only a close frame is of interest. */
    this.mode = 'head';
    /** Received and not yet passed on. */
    this.backlog = NOTHING;
    this.last = NOTHING;
    this.headBytes = 0;
    /** Bytes passed on since others had their turn because of these bytes. */
    this.passed = 0;
    this.frame = undefined;
    this.left = 0;
    this.isInMessage = false;
    this.isCompressed = false;
    /** Octets at the end of unfinished text that are no complete character; undefined if it is none. */
    this.character = undefined;
    /** The masking key of a frame that is unmasked here. */
    this.mask = undefined;
    /** Whether `ws` has a frame to inflate: what it got besides, it could not be kept from handling. */
    this.isInflating = false;
    /** Bytes of the unfinished message, as it came and inflated, and the parts that it is kept in. */
    this.raw = 0;
    this.inflated = 0;
    /** Bytes of what inflates it. */
    this.inflater = 0;
    this.fragments = 0;
    this.pieces = 0;
    /** Echoes and pongs on their way. */
    this.answers = 0;
    /** Bytes that this connection holds of MEMORY_BUDGET. */
    this.held = 0;
    /** Payload bytes so far, and at the last progress. */
    this.received = 0;
    this.progress = { received: 0, at: 0 };
    this.isWanted = false;
    this.isBusy = false;
    this.isEnded = false;
    this.hasMore = false;
    this.isAsleep = false;
    /** Whether more answers wait than may. */
    this.isFull = false;
    this.hasUnsent = false;
    this.stream = new Duplex({
      readableHighWaterMark: 1,
      read: () => {
        this.isWanted = true;
        // `ws` asks for the next bytes at once, but others have their turns first.
        if (this.hasMore) takeTurn(this);
        else this.advance();
      },
      write: (chunk, _, done) => tcp.write(chunk, done),
      writev: (chunks, done) => {
        const buffers = chunks.map(({ chunk }) => chunk);
        // One small write is cheaper than many, copied as it is.
        if (this.stream.writableLength < 65_536) return tcp.write(Buffer.concat(buffers), done);
        tcp.cork();
        for (const buffer of buffers.slice(0, -1)) tcp.write(buffer);
        tcp.write(buffers.at(-1), done);
        tcp.uncork();
      },
      final: (done) => {
        this.stop();
        tcp.end(done);
      },
      destroy: (error, done) => {
        this.destroy();
        done(error);
      },
    });
    this.stream.gate = this;
    this.stream.remoteAddress = tcp.remoteAddress;
    // A silent or slow client, and one that stays after its answer.
    this.deadline = setTimeout(() => tcp.destroy(), config.handshakeTimeout).unref();
    tcp.on('data', (chunk) => {
      this.backlog = this.backlog.length === 0 ? chunk : Buffer.concat([this.backlog, chunk]);
      // A handshake is much work: others get their turns between two.
      if (this.mode !== 'head') return this.advance();
      tcp.pause();
      takeTurn(this);
    });
    tcp.on('end', () => {
      this.isEnded = true;
      this.advance();
    });
    tcp.on('close', () => this.stream.destroy());
  }

  /** From now on there are frames, those of `client`; they count against `share`. */
  open(share, client) {
    clearTimeout(this.deadline);
    this.hold(0);
    this.share = share;
    this.client = client;
    this.mode = 'frames';
    boundInflation(client, this);
    this.advance();
  }

  /** Nothing is passed on any more: the server has said goodbye. */
  stop() {
    if (this.mode === 'closing') return;
    this.mode = 'closing';
    this.isInflating = false;
    this.raw = 0;
    this.fragments = 0;
    this.pieces = 0;
    this.hasMore = false;
    this.advance();
  }

  /** Counts an answer; returns what to call once it is sent. */
  answer() {
    this.answers += 1;
    return this.answered;
  }

  answered = () => {
    this.answers -= 1;
    this.account();
    if (this.isFull && this.waiting <= config.maxBuffered) takeTurn(this);
  };

  /** Bytes that wait to be sent, and what they take besides. */
  get waiting() {
    return this.client === undefined
      ? 0
      : this.client.bufferedAmount + this.answers * BYTES_PER_PART;
  }

  get canGoOn() {
    return !this.isAsleep && !this.isInflating && !this.isFull;
  }

  /** Passes on what it is time for. Returns how much work that was, in frames. */
  advance() {
    if (this.isBusy || this.stream.destroyed) return 0;
    this.checkWaiting();
    const work = this.canGoOn ? this.passOn() : 0;
    this.checkWaiting();
    const { canGoOn } = this;
    if (this.hasMore && this.isWanted && canGoOn) takeTurn(this);
    if (this.isEnded && !this.hasMore && canGoOn) {
      this.isEnded = false;
      this.push(this.mode === 'frames' ? this.backlog : NOTHING);
      this.stream.push(null);
    }
    if (this.mode === 'held' || this.hasMore || !this.isWanted || !canGoOn) this.tcp.pause();
    else if (this.tcp.isPaused()) this.tcp.resume();
    this.account();
    return work;
  }

  /** A client that does not read its answers is not read from, so that its buffer stays bounded. */
  checkWaiting() {
    this.isFull = this.mode === 'frames' && this.waiting > config.maxBuffered;
  }

  passOn() {
    let work = 0;
    this.isBusy = true;
    // What a turn answers is one write.
    this.stream.cork();
    if (this.mode === 'head' && this.isWanted) work = this.passHead();
    else if (this.mode === 'frames' && this.isWanted) work = this.passFrames();
    if (this.mode === 'closing') this.lookForClose();
    this.stream.uncork();
    this.isBusy = false;
    return work;
  }

  push(bytes) {
    if (bytes.length > 0) this.isWanted = this.stream.push(bytes);
  }

  /** HTTP gets one head; what follows belongs to `ws`, or to nobody. */
  passHead() {
    if (this.backlog.length === 0) return 0;
    if (config.trustProxy === 0 && this.headBytes === 0) {
      const { handshakes } = this.share;
      if (handshakes.debt > 0) return this.sleep(handshakes.debt, 'handshakes');
      handshakes.spend(1);
    }
    const seen = Buffer.concat([this.last, this.backlog]);
    const at = seen.indexOf('\r\n\r\n');
    const end = at < 0 ? this.backlog.length : at + 4 - this.last.length;
    const bytes = this.backlog.subarray(0, end);
    this.headBytes += bytes.length;
    if (this.headBytes > 32_768) this.tcp.destroy();
    this.last = seen.subarray(-3);
    this.backlog = this.backlog.subarray(end);
    if (at >= 0) this.mode = 'held';
    this.push(bytes);
    return ROUND;
  }

  /** Passes on the frames of a turn. */
  passFrames() {
    for (const kind of ['frames', 'messages']) {
      const debt = this.debt(kind);
      if (debt > 0) return this.sleep(debt, kind);
    }
    const bytes = this.backlog;
    let at = 0;
    /** Where the message begins that is unfinished in the end. */
    let begin = 0;
    let frames = 0;
    let isText = true;
    const cost = { frames: 0, messages: 0 };
    while (at < bytes.length && this.mode === 'frames' && !this.isInflating && isText) {
      if (this.frame === undefined) {
        if (frames === TURN) break;
        const frame = readHead(bytes, at);
        if (frame === undefined) break;
        frames += 1;
        if (frame.opcode < 8 && !this.isInMessage) begin = at;
        at += frame.headLength;
        addCost(cost, frame);
        this.beginFrame(frame, bytes, at);
      }
      const part = bytes.subarray(at, at + this.left);
      at += part.length;
      isText = this.mask === undefined || this.checkText(part);
      this.left -= part.length;
      if (this.frame.opcode < 8) this.received += part.length;
      if (this.left === 0) this.endFrame();
    }
    this.spend('frames', cost.frames);
    this.spend('messages', cost.messages);
    const isRest = at < bytes.length;
    this.passed += at;
    const isLong = this.passed >= BYTES_PER_TURN;
    if (isLong) this.passed = 0;
    this.hasMore =
      this.mode === 'frames' && (isLong || (isRest && (frames === TURN || this.isInflating)));
    this.backlog = this.hasMore ? bytes.subarray(at) : compact(bytes.subarray(at));
    this.noteProgress();
    this.passMessages(bytes.subarray(0, at), begin);
    if (!isText && this.mode === 'frames') this.refuseText();
    // Without a frame it was asked whether there is more.
    return Math.max(frames, at / BYTES_PER_FRAME) || TURN;
  }

  beginFrame(frame, bytes, at) {
    const { opcode, length, isLast } = frame;
    this.frame = frame;
    this.left = length;
    this.mask = undefined;
    if (opcode >= 8) return;
    this.isInMessage = true;
    if (opcode !== 0) {
      this.isCompressed = frame.isCompressed;
      this.character = opcode === 1 && !frame.isCompressed ? NOTHING : undefined;
    }
    // `ws` judges text when it is complete. What is not is unmasked here, and then masked with zeros.
    const isEnd = isLast && bytes.length - at >= length;
    if (this.character === undefined || isEnd || !frame.isMasked) return;
    this.mask = [...bytes.subarray(at - 4, at)];
    bytes.fill(0, at - 4, at);
  }

  /** Unmasks the next octets of a text. Returns false as soon as it cannot become UTF-8 any more. */
  checkText(octets) {
    const { mask, character } = this;
    const before = this.frame.length - this.left;
    for (let index = 0; index < octets.length; index += 1) {
      octets[index] ^= mask[(before + index) & 3];
    }
    const isWhole = character.length === 0;
    this.character = incompleteEnd(isWhole ? octets : Buffer.concat([character, octets]));
    return this.character !== undefined;
  }

  endFrame() {
    const { opcode, isLast } = this.frame;
    this.frame = undefined;
    if (opcode === 8) {
      this.isDone = true;
      this.mode = 'closing';
    } else if (opcode < 8) {
      this.isInMessage = !isLast;
      this.isInflating = this.isCompressed && this.hasDeflate;
      // `ws` joins the pieces of a frame, and the fragments of a message.
      this.pieces = 0;
      this.fragments = isLast ? 0 : this.fragments + 1;
      if (isLast || this.isCompressed) this.raw = 0;
    }
  }

  /** Hands bytes to `ws`. From `begin` on it keeps them, and all the memory that they are a part of. */
  passMessages(bytes, begin) {
    if (!this.isInMessage || this.isInflating) return this.push(bytes);
    this.push(bytes.subarray(0, begin));
    this.raw += bytes.length - begin;
    this.pieces += 1;
    this.push(compact(bytes.subarray(begin)));
  }

  noteProgress() {
    const isUnfinished = this.frame !== undefined || this.isInMessage || this.backlog.length > 0;
    if (!isUnfinished) unfinished.delete(this);
    else if (!unfinished.has(this)) {
      this.progress = { received: this.received, at: performance.now() };
      unfinished.add(this);
    }
  }

  refuseText() {
    logPeer(this.share, 'warn', 'client-error', { message: 'text that is not UTF-8' });
    this.client.close(1007, 'text that is not UTF-8');
  }

  spend(kind, cost) {
    if (cost === 0) return;
    this[kind].spend(cost);
    this.share[kind].spend(cost);
  }

  /** Milliseconds until this client is no longer above a rate, its own or that of its address. */
  debt(kind) {
    const own = this[kind];
    const ofAddress = this.share[kind].debt;
    // What its address owes is no concern of a client that sends little.
    return ofAddress === 0 || own.isHalfFull ? own.debt : Math.max(own.debt, ofAddress);
  }

  /**
   * After the server's close frame all is dropped up to the peer's, at 16 MB and 20,000 frames a second at
   * most, so that a flood that goes on costs little.
   */
  lookForClose() {
    unfinished.delete(this);
    let at = 0;
    let frames = 0;
    while (!this.isDone && at < this.backlog.length) {
      if (this.left === 0) {
        const frame = readHead(this.backlog, at);
        if (frame === undefined) break;
        at += frame.headLength;
        frames += 1;
        this.left = frame.length;
        this.isDone = frame.opcode === 8;
      }
      const taken = Math.min(this.left, this.backlog.length - at);
      at += taken;
      this.left -= taken;
      if (this.isDone) this.isEnded = true;
    }
    const pause = Math.max(at / 16_384, frames / 20);
    if (pause >= 1 && !this.isDone) this.sleep(pause);
    this.backlog = this.isDone ? NOTHING : this.backlog.subarray(at);
  }

  /** Reads nothing for a while; `kind` is the rate that this client is above of. */
  sleep(milliseconds, kind) {
    this.isAsleep = true;
    const limit = LIMITS[kind];
    if (limit !== undefined && !this.hasSlept) {
      this.hasSlept = true;
      logPeer(this.share, 'warn', 'throttled', {
        limit,
        hint: `not read for a while; ${limit} allows more`,
      });
    }
    const wake = () => {
      this.isAsleep = false;
      this.advance();
    };
    this.timer = setTimeout(wake, limit === undefined ? milliseconds : Math.max(20, milliseconds));
    return 0;
  }

  /** Whether the peer, and not this server, is who is waited for, and has done too little. */
  isStalled(now) {
    const isOurs = !this.canGoOn || this.hasMore || !this.isWanted;
    // A message of 100 MB has to grow by 100 kB, a small one by an octet.
    const least = Math.max(1, (this.raw + this.inflated) / 1000);
    if (isOurs || this.received - this.progress.received >= least) {
      this.progress = { received: this.received, at: now };
    }
    return now - this.progress.at > config.messageTimeout;
  }

  /** Bytes that this connection may hold besides. */
  get room() {
    // Half of what others leave: however many addresses hold memory, a newcomer finds some.
    const left = config.memoryBudget - (everything.held - this.share.held);
    // What inflates its message is no reason to refuse that.
    return Math.max(left / 2 - this.share.held, FREE_BYTES - this.held) + this.inflater;
  }

  account() {
    if (this.stream.destroyed) return;
    const parts = (this.fragments + this.pieces) * BYTES_PER_PART;
    const ofMessage = this.raw + this.inflated + this.inflater + parts;
    const held = ofMessage + this.waiting + this.backlog.length;
    const more = held - this.held;
    if (more === 0) return;
    this.hold(held);
    // What waits to be sent was admitted when it came.
    if (more > 0 && this.mode === 'frames' && this.room < 0) this.refuseMemory();
  }

  hold(bytes) {
    this.share.held += bytes - this.held;
    everything.held += bytes - this.held;
    this.held = bytes;
  }

  refuseMemory() {
    this.client?.close(1013, 'MEMORY_BUDGET is used up; try again later');
  }

  destroy() {
    clearTimeout(this.deadline);
    clearTimeout(this.timer);
    this.hasUnsent = this.tcp.writableLength > 0;
    this.tcp.destroy();
    this.tcpShare.tcp -= 1;
    this.hold(0);
    turns.delete(this);
    unfinished.delete(this);
  }
}

/** The head of the frame at `at` (RFC 6455 section 5.2); undefined if it is not complete. */
function readHead(bytes, at) {
  const there = bytes.length - at;
  if (there < 2) return undefined;
  const first = bytes[at];
  const short = bytes[at + 1] & 127;
  const lengthEnd = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  const headLength = lengthEnd + (bytes[at + 1] & 128 ? 4 : 0);
  if (there < headLength) return undefined;
  let length = short;
  if (short === 126) length = bytes.readUInt16BE(at + 2);
  if (short === 127) length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
  return {
    opcode: first & 15,
    isLast: first >= 128,
    isCompressed: (first & 64) !== 0,
    isMasked: bytes[at + 1] >= 128,
    length,
    headLength,
  };
}

/** Adds what a frame costs of the rates: it is a message, a good part of one, or echoes nothing. */
function addCost(cost, { opcode, isLast, length }) {
  const isMessage = isLast && opcode !== 0 && length > 0;
  if (opcode >= 8 || length === 0) cost.frames += 1;
  else if (!isMessage) cost.frames += Math.max(0, 1 - length / 64);
  if (opcode < 8) cost.messages += (isLast ? 1 : 0) + length / BYTES_PER_MESSAGE;
}

/** The octets at the end of `text` that are no complete character; undefined if it is not UTF-8. */
function incompleteEnd(text) {
  if (isUtf8(text)) return NOTHING;
  let start = text.length - 1;
  while (start > 0 && text.length - start < 4 && (text[start] & 0xc0) === 0x80) start -= 1;
  const end = text.subarray(start);
  // Every first octet goes on with one of these two, every later one with both.
  const mayGoOn = [1, 2, 3].some((count) =>
    [0x80, 0xbf].some((octet) => isUtf8(Buffer.concat([end, Buffer.alloc(count, octet)]))),
  );
  return mayGoOn && isUtf8(text.subarray(0, start)) ? Buffer.from(end) : undefined;
}

/** `bytes`, or a copy of them if they keep much more memory from being freed than they need. */
function compact(bytes) {
  if (bytes.length === 0) return NOTHING;
  if (bytes.length >= bytes.buffer.byteLength / 2) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/**
 * Inflates in small steps, each bounded by what the message, the address and the server may still
 * hold. `ws` bounds a message alone; its own `decompress` is called with a smaller limit.
 */
function boundInflation(client, gate) {
  const deflate = client._extensions?.['permessage-deflate'];
  if (deflate === undefined) return;
  gate.hasDeflate = true;
  const inflate = deflate.decompress.bind(deflate);
  deflate.decompress = (data, isLast, done) => {
    const parts = [];
    // It is kept for as long as the peer takes.
    if (!isLast) gate.inflater = INFLATER_BYTES;
    let at = 0;
    let isOver = false;
    const step = () => {
      const part = data.subarray(at, at + 4096);
      at += part.length;
      const ofMessage = config.maxPayload - gate.inflated;
      isOver = gate.room < ofMessage;
      deflate._maxPayload = Math.max(1, Math.floor(Math.min(ofMessage, gate.room)));
      inflate(part, isLast && at === data.length, take);
    };
    const take = (error, bytes) => {
      if (error) {
        if (isOver && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') gate.refuseMemory();
        gate.inflated = gate.inflater = 0;
        gate.isInflating = false;
        gate.account();
        return done(error);
      }
      parts.push(bytes);
      gate.inflated += bytes.length;
      // More than 32 times what came is work that a peer hardly pays for.
      gate.spend('frames', Math.max(0, bytes.length - 32 * 4096) / 32_768);
      gate.account();
      if (at < data.length) return step();
      done(null, parts.length === 1 ? parts[0] : Buffer.concat(parts));
      if (isLast) gate.inflated = gate.inflater = 0;
      gate.isInflating = false;
      gate.account();
      gate.advance();
    };
    step();
  };
}

/** Gates with more to pass on than one turn takes; they get turns one after the other. */
const turns = new Set();
/** Gates of connections with an unfinished message. */
const unfinished = new Set();
/** What all addresses use together. */
const everything = { held: 0 };
const shares = new Map();
const NOTHING = Buffer.alloc(0);

let isTurnSet = false;

function takeTurn(gate) {
  turns.add(gate);
  if (!isTurnSet) setImmediate(runTurns);
  isTurnSet = true;
}

/** A few frames, then whatever else is to do, then the next few. */
function runTurns() {
  let work = 0;
  for (const gate of turns) {
    turns.delete(gate);
    work += gate.advance();
    if (work >= ROUND) break;
  }
  isTurnSet = turns.size > 0;
  if (isTurnSet) setImmediate(runTurns);
}

/** `perSecond` tokens on average, `burst` at once; who takes more is in debt, by `burst` at most. */
class Bucket {
  constructor(perSecond, burst) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.tokens = burst;
    this.at = performance.now();
  }

  refill() {
    const now = performance.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
  }

  spend(cost) {
    this.refill();
    this.tokens = Math.max(-this.burst, this.tokens - cost);
  }

  /** Whether little was taken of late. */
  get isHalfFull() {
    this.refill();
    return this.tokens >= this.burst / 2;
  }

  /** Milliseconds until the debt is paid. */
  get debt() {
    if (this.tokens >= 0) return 0;
    this.refill();
    return Math.max(0, (-this.tokens / this.perSecond) * 1000);
  }
}

/** What one address has and uses. */
function shareOf(ip) {
  let share = shares.get(ip);
  if (share === undefined) {
    share = {
      ip,
      tcp: 0,
      open: 0,
      held: 0,
      leftOut: 0,
      // Eight clients of one address may use up their rates at the same time.
      frames: new Bucket(config.rateLimit * 8, config.rateLimit * 32),
      messages: new Bucket(config.messageRate * 8, config.messageRate * 8),
      handshakes: new Bucket(config.handshakeRate, 2 * config.maxConnectionsPerIp + 100),
      lines: new Bucket(5, 50),
    };
    shares.set(ip, share);
  }
  return share;
}

/** Cuts off messages that rest, and forgets addresses that have nothing and owe nothing. */
function sweep() {
  const now = performance.now();
  for (const gate of unfinished) {
    if (gate.isStalled(now)) gate.client.close(1008, 'the message makes no progress');
  }
  for (const [ip, share] of shares) {
    if (share.leftOut > 0 && share.lines.tokens >= 0) logPeer(share, 'info', 'left-out', {});
    if (share.tcp + share.open + share.held + share.leftOut > 0) continue;
    const buckets = [share.frames, share.messages, share.handshakes, share.lines];
    for (const bucket of buckets) bucket.refill();
    if (buckets.every(({ tokens, burst }) => tokens === burst)) shares.delete(ip);
  }
}

/**
 * Pings `client` and ends the connection when no octet came or went during two pings, or for as long
 * as a slow reader takes for what was sent before: its pong comes after that.
 */
function keepAlive(client, gate) {
  const socket = gate.tcp;
  let missed = 0;
  let patience = 0;
  let timer;
  let before = { read: 0, delivered: 0, waiting: 0 };
  /** Bytes that the peer has read: a ping says how many came before it, and its pong repeats that. */
  let confirmed = socket.bytesWritten;
  client.on('pong', (data) => {
    confirmed = Math.max(confirmed, Number(data) || 0);
  });
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
    if (hasMoved() || gate.isAsleep) missed = 0;
    // Only what is ahead of the first ping counts: a dead peer does not live longer for later bytes.
    if (missed === 0) {
      const seconds = Math.min((socket.bytesWritten - confirmed) / SLOWEST_READER, MAX_PATIENCE);
      patience = (seconds * 1000) / config.pingInterval;
    }
    // The network takes large steps: a slow reader may be at one for minutes.
    const allowed = Math.max(before.waiting > 0 ? 8 : 2, patience);
    if (missed >= allowed) return client.terminate();
    missed += 1;
    client.ping(String(socket.bytesWritten));
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
function refusalFor(request, share, connections) {
  if (pathOf(request) !== '/') return { status: 404, reason: 'no such path' };
  if (request.method !== 'GET')
    return { status: 405, reason: 'GET only', headers: { Allow: 'GET' } };
  // RFC 6455 section 4.2.1: HTTP/1.1 or higher, with a Host header; Node keeps the first of two.
  if (request.httpVersion !== '1.1') return { status: 505, reason: 'HTTP/1.1 only' };
  if (request.headersDistinct.host?.length !== 1)
    return { status: 400, reason: 'expected one Host header' };
  if (!HOST.test(request.headers.host)) return { status: 400, reason: 'malformed Host header' };
  // Node leaves out header fields beyond a limit; one of them could be a second Origin.
  if (request.rawHeaders.length > 2 * MAX_FIELDS)
    return { status: 431, reason: `expected at most ${MAX_FIELDS} header fields` };
  if (request.headersDistinct.origin?.length > 1)
    return { status: 400, reason: 'expected one Origin header' };
  // What follows are frames; a proxy may take a part of them for the body.
  if (!/^0*$/.test(request.headers['content-length'] ?? '') || request.headers['transfer-encoding'])
    return { status: 400, reason: 'expected no body' };
  // RFC 6455 section 4.4: name the supported version.
  if (request.headers['sec-websocket-version'] !== '13') {
    const headers = { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' };
    return { status: 426, reason: 'Sec-WebSocket-Version 13 only', headers };
  }
  const hint = faultOfOrigin(request);
  if (hint !== undefined) return { status: 403, reason: 'Origin is not allowed', hint };
  const retry = { 'Retry-After': '5' };
  if (draining) return { status: 503, reason: 'shutting down', headers: retry };
  if (connections >= config.maxConnections) {
    return { status: 503, reason: 'full: MAX_CONNECTIONS are open', headers: retry };
  }
  if (share.open >= config.maxConnectionsPerIp) return refusalOfShare();
  if (config.trustProxy > 0) {
    if (share.handshakes.debt > 0) {
      return { status: 429, reason: 'above HANDSHAKE_RATE of your address', headers: retry };
    }
    share.handshakes.spend(1);
  }
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
  if (offered !== undefined && !offered.some((name) => config.subprotocols.includes(name))) {
    const known = config.subprotocols.join(', ') || 'none';
    return { status: 400, reason: `unknown subprotocol; supported: ${known}` };
  }
  return undefined;
}

function refusalOfShare() {
  const reason = 'over MAX_CONNECTIONS_PER_IP from your address';
  return { status: 429, reason, headers: { 'Retry-After': '5' } };
}

/**
 * What is wrong with the Origin of a web page, and which setting allows it; undefined if nothing is.
 * Browsers always send Origin; a client without one is not a web page.
 */
function faultOfOrigin(request) {
  const { origin, host } = request.headers;
  if (origin === undefined) return undefined;
  if (config.allowedOrigins.length > 0) {
    return config.allowedOrigins.includes(origin) ? undefined : 'not in ALLOWED_ORIGINS';
  }
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  const isLocal = page !== undefined && LOCAL_HOSTS.includes(page.hostname);
  if (isLocal && !config.isProduction) return undefined;
  const own =
    page && URL.canParse(`${page.protocol}//${host}`) && new URL(`${page.protocol}//${host}`);
  if (!own || page.host === '' || page.host !== own.host) {
    const why = isLocal ? 'localhost, but NODE_ENV is production' : 'another host than Host';
    return `${why}; ALLOWED_ORIGINS allows it`;
  }
  // A page can make its own name point to this server (DNS rebinding).
  return isOwnHost(host) ? undefined : 'no name of this server; ALLOWED_HOSTS allows it';
}

/** Whether a Host header names this server, with any port. */
function isOwnHost(host) {
  if (!HOST.test(host) || !URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return [...LOCAL_HOSTS, ...config.allowedHosts].some((name) => name.toLowerCase() === hostname);
}

/** The first permessage-deflate offer this server can take; RFC 7692 section 5.1: decline others. */
function acceptableOffer(request) {
  const parameter =
    'server_no_context_takeover|client_no_context_takeover|' +
    'client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?|server_max_window_bits="?(?:9|1[0-5])"?';
  const known = new RegExp(`^permessage-deflate(?:\\s*;\\s*(?:${parameter}))*$`);
  const repeated = /;\s*(\w+).*;\s*\1\b/;
  const offers = (request.headers['sec-websocket-extensions'] ?? '').split(',');
  return offers.map((offer) => offer.trim()).find((o) => known.test(o) && !repeated.test(o));
}

/** Log2 of the window of this server for a client with this offer: 2 KiB, or less where asked for. */
function windowFor(offer = '') {
  const asked = /server_max_window_bits="?(\d+)/.exec(offer)?.[1];
  return Math.min(SERVER_WINDOW_BITS, Number(asked ?? SERVER_WINDOW_BITS));
}

/** The peer's address; behind `trustProxy` proxies the n-th entry from the right, never the first. */
function addressOf(request) {
  const chain = [request.headers['x-forwarded-for'] ?? ''].join(',').split(',');
  const forwarded = config.trustProxy > 0 ? chain.at(-config.trustProxy)?.trim() : '';
  return addressKey(forwarded || request.socket.remoteAddress);
}

/**
 * One form for all that count as one address: IPv4, also when mapped (RFC 4291 section 2.5.5.2), and
 * the first 64 bits of IPv6. Ports and zones are left out; what is no address is 'unknown', as a
 * client could make up any number of others.
 */
function addressKey(text = '') {
  const bare = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replace(/^\[(.*)\](?::\d{1,5})?$/, '$1')
    .replace(/^([\d.]+):\d{1,5}$/, '$1')
    .replace(/^([\da-f:.]*:[\da-f:.]*)%[\w.~-]+$/i, '$1');
  if (isIP(bare) === 4) return bare;
  if (isIP(bare) !== 6 || bare.includes('%')) return 'unknown';
  const parts = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [0, 1].map((side) => (parts[side] ? parts[side].split(':') : []));
  const groups = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  if (/^(?:0:){5}ffff:/.test(groups.join(':'))) {
    return groups
      .slice(6)
      .map((group) => parseInt(group, 16))
      .flatMap((number) => [number >> 8, number & 255])
      .join('.');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** The path of a request target, which may also be a whole URL (RFC 9112 section 3.2.2). */
function pathOf(request) {
  return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(request.url)[1] || '/';
}

function refuse(request, socket, share, refusal) {
  const { status, reason, hint } = refusal;
  const { origin, host } = request.headers;
  logPeer(share, 'warn', 'handshake-refused', { status, reason, hint, origin, host });
  socket.once('finish', () => socket.destroy());
  socket.end(responseOf(refusal));
}

function responseOf({ status, reason, headers = {} }) {
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(reason) });
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
    lines.map(([name, value]) => `${name}: ${value}\r\n`).join('') +
    `\r\n${reason}`
  );
}

/** Answers health checks; other requests get 426 or 404. */
function answerHttp(request, response) {
  const answers = {
    '/healthz': [200, { status: 'ok' }],
    '/readyz': draining ? [503, { status: 'draining' }] : [200, { status: 'ready' }],
    // The name of somebody else that points here; load balancers ask for health by address.
    '/': isOwnHost(request.headers.host)
      ? [426, { error: 'this is a WebSocket endpoint' }]
      : [421, { error: 'not in ALLOWED_HOSTS' }],
  };
  const path = pathOf(request);
  const [status, body] = Object.hasOwn(answers, path)
    ? answers[path]
    : [404, { error: 'not found' }];
  // One request per connection: the next is one of those that are counted.
  const headers = { 'Content-Type': 'application/json', Connection: 'close' };
  // RFC 9110 section 15.5.22: a 426 names what to upgrade to.
  if (status === 426)
    Object.assign(headers, { Upgrade: 'websocket', Connection: 'Upgrade, close' });
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

/** Logs what a peer did: some lines per second and address, of bounded length. */
function logPeer(share, level, event, fields) {
  share.lines.refill();
  if (share.lines.tokens < 1) {
    share.leftOut += 1;
    return;
  }
  share.lines.spend(1);
  const { ip, leftOut } = share;
  share.leftOut = 0;
  const short = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, 200) : value,
  ]);
  log(level, event, { ip, ...Object.fromEntries(short), ...(leftOut > 0 && { leftOut }) });
}

function log(level, event, fields) {
  console.log(JSON.stringify({ level, event, ...fields }).replace(UNPRINTABLE, escapeUnit));
}

function escapeUnit(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

// Settings from the environment; a wrong one ends the process with exit code 2.

/** Limits that contradict each other end the process, too; the sentence names both. */
function checkTogether() {
  const { maxConnections, maxConnectionsPerIp, maxPayload, maxBuffered, memoryBudget } = config;
  const ofAddress = 'half of it is the share of one address';
  const rules = [
    ['MAX_CONNECTIONS_PER_IP', maxConnectionsPerIp, 'MAX_CONNECTIONS', maxConnections, 1, ''],
    ['MAX_PAYLOAD', maxPayload, 'MEMORY_BUDGET', memoryBudget, 2, `: ${ofAddress}`],
    ['MAX_BUFFERED', maxBuffered, 'MEMORY_BUDGET', memoryBudget, 2, `: ${ofAddress}`],
  ];
  for (const [name, value, other, limit, divisor, why] of rules) {
    if (value <= limit / divisor) continue;
    const expected = `at most ${Math.floor(limit / divisor)}, as ${other} is ${limit}${why}`;
    invalid(name, String(value), expected);
  }
}

function integer(name, fallback, min, max) {
  const text = process.env[name] || String(fallback ?? '');
  if (text === '') return undefined;
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

/** As in a URL: `echo.example.com`, `192.0.2.1`, `[2001:db8::1]`. */
function isHostName(text) {
  const url = `http://${text}`;
  return URL.canParse(url) && new URL(url).hostname === text.toLowerCase();
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
//~   ({ isUtf8 } = builtins.get('buffer'));
//~   ({ createServer: createTcpServer, isIP } = builtins.get('net'));
//~   ({ Duplex } = builtins.get('stream'));
//~ }
// #endif
