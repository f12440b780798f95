import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from './close-codes.ts';
import type { Config } from './config.ts';
import type { Heartbeat } from './heartbeat.ts';
// #if applications
import type { Session } from './session.ts';
// #endif
import type { Share, Shares } from './shares.ts';
import { TokenBucket } from './token-bucket.ts';

/** Frames that are handled in a row, of whomever, before other things get their turn. */
const FRAMES_PER_TURN = 32;
/** Bytes of a frame that cost as much as one message more. */
const BYTES_PER_TOKEN = 4096;
/** What a Buffer takes besides its bytes: `ws` keeps one of every fragment, and of every piece of a frame. */
const BUFFER_BYTES = 512;
/** How often an incomplete head or control frame counts as progress before the message itself grows. */
const SIDE_STEPS = 160;
/** Bytes that one connection may hold however much the others hold. */
const FREE_BYTES = 4096;
/** What inflates a message: its window and its tables. */
const INFLATER_BYTES = 40_960;
/** Largest head of a request. */
const MAX_HEAD_BYTES = 32_768;
const NOTHING = Buffer.alloc(0);

/** Gates with more to pass on; they get turns one after the other. */
const turns = new Set<Gate>();
let isTurnSet = false;
/** Gates of connections with an unfinished message. */
const unfinished = new Set<Gate>();

interface Head {
  /** With FIN, reserved bits and opcode. */
  readonly first: number;
  readonly opcode: number;
  readonly isLast: boolean;
  readonly isCompressed: boolean;
  readonly isMasked: boolean;
  readonly length: number;
  readonly headLength: number;
}

/** The first octet of a text message in one frame (RFC 6455 section 5.2). */
const WHOLE_TEXT = 0x81;

/** What all gates of a server share. */
export interface GateParts {
  readonly shares: Shares;
  readonly config: Config;
  /** The gates of connections that are open. */
  readonly gates: Set<Gate>;
}

/**
 * Stands between a TCP connection and HTTP or `ws`, and decides when the next frame is read: one after
 * the other of all clients, so that nobody waits for a flood, and none while the client or its
 * address is above its rate. It sees the heads of frames only.
 */
export class Gate {
  readonly stream: GateStream;
  readonly tcp: Socket;
  readonly #parts: GateParts;
  readonly #tcpShare: Share;
  readonly #rate: TokenBucket;
  #deadline: NodeJS.Timeout | undefined;
  share: Share;
  #hasUnsent = false;
  /** The share in which it counts as a WebSocket connection. */
  #occupied: Share | undefined;
  /** Whether nothing is read because the client is above a rate. */
  isAsleep = false;
  /** Log2 of the window when each message to the client is compressed on its own; 0 otherwise. */
  sharedWindowBits = 0;
  /** Is told when something that `ws` has sent was written: a ping may be the last of what waits. */
  writer: Writer | undefined;
  #client: GatedSocket | undefined;
  #maxPayload = 0;
  #reader: Reader | undefined;
  /** `head`: HTTP; `held`: after it; `frames`; `closing`: only a close frame is of interest. */
  #mode: 'head' | 'held' | 'body' | 'frames' | 'closing' = 'head';
  /** Received and not yet passed on. */
  #backlog: Buffer = NOTHING;
  #last: Buffer = NOTHING;
  #headBytes = 0;
  #frame: Head | undefined;
  #left = 0;
  #isInMessage = false;
  #isCompressed = false;
  /** Whether `ws` has a frame to inflate: what it got besides, it could not be kept from handling. */
  #isInflating = false;
  /** Bytes of the unfinished message as they came, inflated, waiting to be sent; all of them. */
  #raw = 0;
  #inflated = 0;
  /** Buffers of the unfinished message: its fragments, and pieces of the frame under way. */
  #fragments = 0;
  #pieces = 0;
  #waiting = 0;
  /** Bytes of what inflates the unfinished message. */
  #inflater = 0;
  #held = 0;
  /** When the unfinished message made progress, and what counts as some before it grows. */
  #progressAt = 0;
  #sideSteps = SIDE_STEPS;
  /** Whether it is in `unfinished`. */
  #isUnfinished = false;
  /** Bytes of a head that is incomplete. */
  #headPart = 0;
  #isWanted = false;
  #isBusy = false;
  #isEnded = false;
  /** Whether a command is being executed: its client's next one has to wait. */
  #isBlocked = false;
  #isDone = false;
  #hasMore = false;
  #hasSlept = false;
  #hasDeflate = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(tcp: Socket, share: Share, parts: GateParts) {
    const { config } = parts;
    this.tcp = tcp;
    this.share = share;
    this.#tcpShare = share;
    this.#parts = parts;
    share.tcp += 1;
    this.#rate = new TokenBucket(config.RATE_LIMIT, config.RATE_BURST);
    this.stream = new GateStream(this);
    // A silent or slow client, and one that stays after its answer.
    this.#deadline = setTimeout(() => tcp.destroy(), config.HANDSHAKE_TIMEOUT).unref();
    // The same functions for all: a closure for each event of each connection is a KiB.
    Object.assign(tcp, { gate: this });
    tcp.on('data', onData);
    tcp.on('end', onEnd);
    tcp.on('close', onClose);
  }

  /** HTTP or `ws` wants more to read. */
  want(): void {
    this.#isWanted = true;
    this.#advance();
  }

  /** Something has come. */
  take(chunk: Buffer): void {
    this.#backlog = this.#backlog.length === 0 ? chunk : Buffer.concat([this.#backlog, chunk]);
    this.#advance();
  }

  /** Nothing comes any more. */
  end(): void {
    this.#isEnded = true;
    this.#advance();
  }

  /** The request is complete: from now on the handshake has limits of its own. */
  stopDeadline(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  /** From now on it is a WebSocket connection, which counts in `share`. */
  occupy(share: Share): void {
    this.#occupied = share;
    share.open += 1;
    this.#parts.shares.open += 1;
  }

  /** HTTP gets the body, too; whoever reads it limits it. */
  openBody(): void {
    if (this.#mode === 'held') this.#mode = 'body';
    this.#advance();
  }

  /**
   * From now on there are frames, those of `client`; they count against `share`. Text messages in one frame
   * go to `reader`, all others through `client`.
   */
  open(client: GatedSocket, share: Share, maxPayload: number, reader: Reader): void {
    this.stopDeadline();
    this.#maxPayload = maxPayload;
    this.#reader = reader;
    this.#hold(0);
    this.share = share;
    this.#client = client;
    client.gate = this;
    this.#mode = 'frames';
    this.#boundInflation(client, maxPayload);
    // Not at once: the server speaks first.
    queueTurn(this);
  }

  /** Nothing is passed on any more: the server has said goodbye. */
  stop(): void {
    if (this.#mode === 'closing') return;
    this.#mode = 'closing';
    this.#isInflating = false;
    this.#isBlocked = false;
    this.#raw = 0;
    this.#fragments = 0;
    this.#pieces = 0;
    this.#hasMore = false;
    this.#advance();
  }

  /** Sends a frame, after what `ws` has sent. The writer is told if that does not happen at once. */
  write(bytes: Buffer): void {
    const { tcp, stream } = this;
    if (stream.writableLength > 0) stream.write(bytes, this.#settling());
    else if (tcp.writableLength > 0) tcp.write(bytes, this.#settling());
    else {
      tcp.write(bytes);
      // A callback for each would cost more than what most need.
      if (tcp.writableLength > 0) tcp.write(NOTHING, this.#settling());
    }
  }

  #settling(): () => void {
    return () => this.writer?.settle();
  }

  /** Bytes that wait to be sent to `client`. */
  waiting(client: WebSocket): number {
    return client.bufferedAmount + this.tcp.writableLength - this.stream.passed;
  }

  /** Whether nothing is read for a reason that is not the client's silence. */
  get isResting(): boolean {
    return this.isAsleep || this.#isBlocked;
  }

  /** Carries out one step after the other: nothing more is read until its promise is settled. */
  run(step: () => void | Promise<void>, fail: (error: unknown) => void): void {
    try {
      const done = step();
      if (done !== undefined) this.block(done, fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Nothing more is read until `done` is settled. */
  block(done: Promise<void>, fail: (error: unknown) => void): void {
    this.#isBlocked = true;
    done.catch(fail).finally(() => {
      this.#isBlocked = false;
      this.#advance();
    });
  }

  /** Whether the last bytes, a close frame among them, got no further than this process. */
  get hasUnsent(): boolean {
    return this.#hasUnsent;
  }

  /** Says how many bytes wait to be sent. */
  wait(bytes: number): void {
    if (bytes === this.#waiting) return;
    this.#waiting = bytes;
    this.#account();
  }

  /** Takes tokens beyond those that the frames themselves cost. `now` is as of `performance.now()`. */
  spend(cost: number, now?: number): void {
    if (cost === 0) return;
    this.#rate.spend(cost, now);
    this.share.frames.spend(cost, now);
  }

  /** Bytes that its message may hold besides: what inflates it is no reason to refuse it. */
  get space(): number {
    const { share } = this;
    return Math.max(this.#parts.shares.spaceFor(share), FREE_BYTES - this.#held) + this.#inflater;
  }

  /** Whether the peer, and not this server, is who is waited for, and sends nothing of its message. */
  isStalled(now: number): boolean {
    const isOurs =
      this.isAsleep ||
      this.#isBlocked ||
      this.#isInflating ||
      this.#hasMore ||
      !this.#isWanted ||
      this.#client?.isPaused === true;
    if (isOurs) this.#progressAt = now;
    return now - this.#progressAt > this.#parts.config.MESSAGE_TIMEOUT;
  }

  /** Cuts the client off over a message that rests. */
  closeStalled(): void {
    const { code, reason } = CLOSE_CODES.messageStalled;
    this.#client?.close(code, reason);
  }

  /** Passes on the next frame if it is its turn. */
  takeTurn(): void {
    this.#advance();
  }

  #advance(): void {
    if (this.#isBusy || !this.#canGoOn() || this.stream.destroyed) return;
    this.#isBusy = true;
    if (this.#mode === 'head' && this.#isWanted) this.#passHead();
    else if (this.#mode === 'frames' && this.#isWanted) this.#passFrame();
    else if (this.#mode === 'body' && this.#isWanted) this.#passBody();
    if (this.#mode === 'closing') this.#lookForClose();
    this.#isBusy = false;
    if (this.#hasMore && this.#isWanted && this.#canGoOn()) queueTurn(this);
    if (this.#isEnded && !this.#hasMore && this.#canGoOn()) {
      this.#isEnded = false;
      if (this.#mode === 'frames') this.#push(this.#backlog);
      this.stream.push(null);
    }
    const isBlocked = this.#hasMore || !this.#isWanted || !this.#canGoOn();
    if (this.#mode === 'held' || isBlocked) this.tcp.pause();
    else if (this.tcp.isPaused()) this.tcp.resume();
    this.#account();
  }

  #canGoOn(): boolean {
    return !this.isAsleep && !this.#isInflating && !this.#isBlocked;
  }

  #push(bytes: Buffer): void {
    if (bytes.length > 0) this.#isWanted = this.stream.push(bytes);
  }

  #passBody(): void {
    const bytes = this.#backlog;
    this.#backlog = NOTHING;
    this.#push(bytes);
  }

  /** HTTP gets one head; what follows belongs to `ws`, or to who asks for the body. */
  #passHead(): void {
    if (this.#backlog.length === 0) return;
    if (this.#parts.config.TRUST_PROXY === 0 && this.#headBytes === 0) {
      const { handshakes } = this.share;
      if (handshakes.debt > 0) {
        this.#sleep(handshakes.debt, 'HANDSHAKE_RATE');
        return;
      }
      handshakes.spend(1);
    }
    const seen = Buffer.concat([this.#last, this.#backlog]);
    const at = seen.indexOf('\r\n\r\n');
    const end = at < 0 ? this.#backlog.length : at + 4 - this.#last.length;
    const bytes = this.#backlog.subarray(0, end);
    this.#headBytes += bytes.length;
    if (this.#headBytes > MAX_HEAD_BYTES) {
      this.tcp.destroy();
      return;
    }
    // An empty part would keep all that it is of, and of a head nothing is needed after its end.
    this.#last = at >= 0 ? NOTHING : seen.subarray(-3);
    this.#backlog = rest(this.#backlog, end);
    if (at >= 0) this.#mode = 'held';
    this.#push(bytes);
  }

  #passFrame(): void {
    // What its address owes is no concern of a client that sends little.
    const now = performance.now();
    const ofAddress = this.#rate.isHalfFull(now) ? 0 : this.share.frames.debt;
    const debt = Math.max(this.#rate.debt, ofAddress);
    if (debt > 0) {
      this.#sleep(debt, 'RATE_LIMIT');
      return;
    }
    const bytes = this.#backlog;
    let at = 0;
    let hasGrown = false;
    if (this.#frame === undefined) {
      const frame = readHead(bytes, 0);
      if (frame !== undefined) {
        at = frame.headLength;
        this.spend(1 + frame.length / BYTES_PER_TOKEN, now);
        const text = this.#textIn(bytes, frame);
        if (text !== undefined) {
          this.#passText(text, frame, now);
          return;
        }
        this.#frame = frame;
        this.#left = frame.length;
        if (frame.opcode === 1 || frame.opcode === 2) this.#isCompressed = frame.isCompressed;
      }
    }
    if (this.#frame !== undefined) {
      const taken = Math.min(this.#left, bytes.length - at);
      at += taken;
      this.#left -= taken;
      if (at > 0) this.#pieces += 1;
      if (this.#frame.opcode < 8) {
        this.#raw += taken;
        hasGrown = taken > 0;
      }
      if (this.#left === 0) this.#endFrame(this.#frame);
    }
    this.#backlog = rest(bytes, at);
    this.#hasMore =
      this.#frame === undefined && at > 0 && this.#backlog.length > 0 && this.#mode === 'frames';
    this.#noteProgress(at, hasGrown);
    const passed = bytes.subarray(0, at);
    // What is kept must not keep the larger buffer that it came in.
    const isKept = this.#pieces > 0 || this.#isInMessage;
    this.#push(isKept && at < bytes.buffer.byteLength / 2 ? copyOf(passed) : passed);
  }

  /** Passes on a whole text message at the start of what has come. */
  #passText(text: string, { headLength, length }: Head, now: number): void {
    const at = headLength + length;
    this.#backlog = rest(this.#backlog, at);
    this.#hasMore = this.#backlog.length > 0;
    if (this.#hasMore || this.#isUnfinished) this.#noteProgress(at, length > 0);
    this.#reader?.takeText(text, now);
  }

  /**
   * The text of a whole, uncompressed text message at the start of `bytes`; undefined if it is anything
   * else, or wrong: `ws` knows what to do then, and when it has still something to handle.
   */
  #textIn(bytes: Buffer, { first, isMasked, length, headLength }: Head): string | undefined {
    const end = headLength + length;
    const isPlain = first === WHOLE_TEXT && isMasked && length <= this.#maxPayload;
    if (!isPlain || end > bytes.length || this.#isInMessage) return undefined;
    if (this.stream.readableFlowing !== true || this.stream.readableLength > 0) return undefined;
    // Most are ASCII, which is read faster.
    if (unmask(bytes, headLength, end) < 128) {
      return bytes.toString('latin1', headLength, end);
    }
    if (isUtf8(bytes.subarray(headLength, end))) {
      return bytes.toString('utf8', headLength, end);
    }
    unmask(bytes, headLength, end);
    return undefined;
  }

  #endFrame({ opcode, isLast, length }: Head): void {
    this.#frame = undefined;
    this.#pieces = 0;
    if (opcode === 8) {
      this.#isDone = true;
      this.#mode = 'closing';
    } else if (opcode < 8) {
      this.#isInMessage = !isLast;
      if (isLast) this.#fragments = 0;
      else if (length > 0) this.#fragments += 1;
      if (isLast || this.#isCompressed) this.#raw = 0;
      this.#isInflating = this.#isCompressed && this.#hasDeflate;
    }
  }

  /** `taken` bytes were passed on; `hasGrown`: some are of a message, not of a head or a control frame. */
  #noteProgress(taken: number, hasGrown: boolean): void {
    const headPart = this.#frame === undefined && !this.#hasMore ? this.#backlog.length : 0;
    const isPart = headPart > this.#headPart || (taken > 0 && this.#frame !== undefined);
    this.#headPart = headPart;
    const isUnfinished = this.#frame !== undefined || this.#isInMessage || this.#backlog.length > 0;
    if (!isUnfinished) {
      this.#finish();
      return;
    }
    if (hasGrown || !this.#isUnfinished) this.#sideSteps = SIDE_STEPS;
    else if (isPart && this.#sideSteps > 0) this.#sideSteps -= 1;
    else return;
    this.#progressAt = performance.now();
    this.#isUnfinished = true;
    unfinished.add(this);
  }

  #finish(): void {
    if (!this.#isUnfinished) return;
    this.#isUnfinished = false;
    unfinished.delete(this);
  }

  /**
   * After the server's close frame all is dropped up to the peer's, at 16 MB and 20,000 frames a second at
   * most, so that a flood that goes on costs little.
   */
  #lookForClose(): void {
    this.#finish();
    let at = 0;
    let frames = 0;
    while (!this.#isDone && at < this.#backlog.length) {
      if (this.#left === 0) {
        const frame = readHead(this.#backlog, at);
        if (frame === undefined) break;
        at += frame.headLength;
        frames += 1;
        this.#left = frame.length;
        this.#isDone = frame.opcode === 8;
      }
      const taken = Math.min(this.#left, this.#backlog.length - at);
      at += taken;
      this.#left -= taken;
      if (this.#isDone) this.#isEnded = true;
    }
    const pause = Math.max(at / 16_384, frames / 20);
    if (pause >= 1 && !this.#isDone) this.#sleep(pause);
    this.#backlog = this.#isDone ? NOTHING : this.#backlog.subarray(at);
  }

  /** Reads nothing for a while. `limit` is the setting that this client is above of. */
  #sleep(milliseconds: number, limit?: string): void {
    this.isAsleep = true;
    if (limit !== undefined && !this.#hasSlept) {
      this.#hasSlept = true;
      this.share.log('warn', 'throttled', { limit });
      this.#reader?.throttled?.();
    }
    const wake = (): void => {
      this.isAsleep = false;
      this.#advance();
    };
    this.#timer = setTimeout(wake, limit === undefined ? milliseconds : Math.max(20, milliseconds));
  }

  #account(): void {
    if (this.stream.destroyed) return;
    const held =
      this.#raw +
      this.#inflated +
      this.#inflater +
      this.#waiting +
      this.#backlog.length +
      (this.#fragments + this.#pieces) * BUFFER_BYTES;
    const more = held - this.#held;
    if (more === 0) return;
    this.#hold(held);
    if (more > 0 && this.#mode === 'frames' && this.space < 0) this.#refuseMemory();
  }

  #hold(bytes: number): void {
    this.#parts.shares.hold(this.share, bytes - this.#held);
    this.#held = bytes;
  }

  #refuseMemory(): void {
    const { code, reason } = CLOSE_CODES.outOfMemory;
    this.#client?.close(code, reason);
  }

  /**
   * Inflates in small steps, each bounded by what the message, the address and the server may still
   * hold. `ws` bounds a message alone; its own `decompress` is called with a smaller limit.
   */
  #boundInflation(client: WebSocket, maxPayload: number): void {
    const deflate = (client as WebSocket & Internals)._extensions['permessage-deflate'];
    if (deflate === undefined) return;
    this.#hasDeflate = true;
    const { server_no_context_takeover: isAlone, server_max_window_bits: bits = 15 } =
      deflate.params;
    if (isAlone === true) this.sharedWindowBits = bits;
    const inflate = deflate.decompress.bind(deflate);
    deflate.decompress = (data, isLast, done) => {
      const parts: Buffer[] = [];
      // It is kept for as long as the peer takes.
      if (!isLast) this.#inflater = INFLATER_BYTES;
      let at = 0;
      let isOver = false;
      const step = (): void => {
        const part = data.subarray(at, at + 4096);
        at += part.length;
        const ofMessage = maxPayload - this.#inflated;
        isOver = this.space < ofMessage;
        deflate._maxPayload = Math.max(1, Math.floor(Math.min(ofMessage, this.space)));
        inflate(part, isLast && at === data.length, take);
      };
      const take: Inflated = (error, bytes = NOTHING) => {
        if (error) {
          if (isOver && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#refuseMemory();
          this.#inflated = this.#inflater = 0;
          this.#isInflating = false;
          this.#account();
          done(error);
          return;
        }
        parts.push(bytes);
        this.#inflated += bytes.length;
        this.spend(bytes.length / BYTES_PER_TOKEN);
        this.#account();
        if (at < data.length) {
          step();
          return;
        }
        done(null, Buffer.concat(parts));
        if (isLast) this.#inflated = this.#inflater = 0;
        this.#isInflating = false;
        this.#account();
        this.#advance();
      };
      step();
    };
  }

  /** The connection has ended. */
  destroy(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#timer);
    this.#hasUnsent = this.tcp.writableLength > 0;
    this.tcp.destroy();
    this.#tcpShare.tcp -= 1;
    if (this.#occupied !== undefined) {
      this.#occupied.open -= 1;
      this.#parts.shares.open -= 1;
    }
    this.#parts.gates.delete(this);
    this.#hold(0);
    turns.delete(this);
    this.#finish();
  }
}

/** Who is told what comes. */
export interface Reader {
  /** A text message that needs nothing of `ws`, and when it came as of `performance.now()`. */
  takeText(text: string, now: number): void;
  /** The client is above its rate for the first time. */
  throttled?(): void;
}

/** Who is told what has gone. */
export interface Writer {
  settle(): void;
}

/** What HTTP and `ws` take for the connection of a gate. */
class GateStream extends Duplex {
  readonly gate: Gate;
  readonly remoteAddress: string | undefined;
  /** Bytes that it has passed on to the TCP connection, which counts them, too. */
  passed = 0;

  constructor(gate: Gate) {
    super({ readableHighWaterMark: 1 });
    this.gate = gate;
    this.remoteAddress = gate.tcp.remoteAddress;
  }

  override _read(): void {
    this.gate.want();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.passed = chunk.length;
    this.gate.tcp.write(chunk, this.#ending(done));
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const { tcp } = this.gate;
    this.passed = this.writableLength;
    tcp.cork();
    chunks.forEach(({ chunk }, index) => {
      if (index < chunks.length - 1) tcp.write(chunk);
      else tcp.write(chunk, this.#ending(done));
    });
    tcp.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.gate.stop();
    this.gate.tcp.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.gate.destroy();
    done(error);
  }

  #ending(done: (error?: Error | null) => void): (error?: Error | null) => void {
    return (error) => {
      this.passed = 0;
      done(error);
      this.gate.writer?.settle();
    };
  }
}

/** A connection as `ws` has it. */
export class GatedSocket extends WebSocket {
  gate: Gate | undefined;
  heartbeat: Heartbeat | undefined;
  // #if applications
  session: Session | undefined;
  // #endif
  #sentCode: number | undefined;

  /** `ws` closes by this method, too, over errors of the peer. */
  override close(code?: number, reason?: string | Buffer): void {
    this.#sentCode ??= code;
    this.gate?.stop();
    this.resume();
    super.close(code, reason);
  }

  /**
   * The code that its peer sees, for the one of the `close` event: what was sent, if it got as far as the
   * network.
   */
  seenCode(code: number): number {
    const sentCode = this.#sentCode;
    return this.gate?.hasUnsent === true ? 1006 : (sentCode ?? code);
  }
}

type Inflated = (error: (Error & { code?: string }) | null, bytes?: Buffer) => void;

/** What this needs of the inside of `ws`; a test notices when it changes. */
interface Internals {
  readonly _extensions: {
    readonly 'permessage-deflate'?: {
      readonly params: {
        readonly server_no_context_takeover?: boolean;
        readonly server_max_window_bits?: number;
      };
      _maxPayload: number;
      decompress: (data: Buffer, isLast: boolean, done: Inflated) => void;
    };
  };
}

function onData(this: Socket, chunk: Buffer): void {
  gateOf(this).take(chunk);
}

function onEnd(this: Socket): void {
  gateOf(this).end();
}

function onClose(this: Socket): void {
  gateOf(this).stream.destroy();
}

/** The gate of a TCP connection, or of the stream that it has made. */
export function gateOf(stream: object): Gate {
  return (stream as { gate: Gate }).gate;
}

/** Call once a second: cuts off messages that rest. */
export function sweepGates(): void {
  const now = performance.now();
  for (const gate of unfinished) {
    if (gate.isStalled(now)) gate.closeStalled();
  }
}

/** The head of the frame at `at` (RFC 6455 section 5.2); undefined if it is not complete. */
function readHead(bytes: Buffer, at: number): Head | undefined {
  const there = bytes.length - at;
  if (there < 2) return undefined;
  const first = bytes.readUInt8(at);
  const second = bytes.readUInt8(at + 1);
  const short = second & 127;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const headLength = 2 + extended + (second >= 128 ? 4 : 0);
  if (there < headLength) return undefined;
  let length = short;
  if (short === 126) length = bytes.readUInt16BE(at + 2);
  if (short === 127) length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
  return {
    first,
    opcode: first & 15,
    isLast: first >= 128,
    isCompressed: (first & 64) !== 0,
    isMasked: second >= 128,
    length,
    headLength,
  };
}

/**
 * Masks the payload from `start` to `end` of `bytes`, or undoes that, with the key in front of it (RFC 6455
 * section 5.3). Returns its octets, one or the other: below 128 they are ASCII.
 */
function unmask(bytes: Buffer, start: number, end: number): number {
  const key = start - 4;
  let seen = 0;
  for (let index = start; index < end; index += 1) {
    // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- both are there
    const octet = bytes[index]! ^ bytes[key + ((index - start) & 3)]!;
    bytes[index] = octet;
    seen |= octet;
  }
  return seen;
}

/** What follows after `at`; if that is nothing, `bytes` are not kept. */
function rest(bytes: Buffer, at: number): Buffer {
  return at === bytes.length ? NOTHING : bytes.subarray(at);
}

function copyOf(bytes: Buffer): Buffer {
  // Of its own memory: a small one of Buffer's pool would keep 8 KiB.
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function queueTurn(gate: Gate): void {
  turns.add(gate);
  if (!isTurnSet) setImmediate(runTurns);
  isTurnSet = true;
}

/** A few frames, then whatever else is to do, then the next few. */
function runTurns(): void {
  let frames = 0;
  for (const gate of turns) {
    turns.delete(gate);
    gate.takeTurn();
    frames += 1;
    if (frames === FRAMES_PER_TURN) break;
  }
  isTurnSet = turns.size > 0;
  if (isTurnSet) setImmediate(runTurns);
}
