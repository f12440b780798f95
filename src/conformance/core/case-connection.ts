import { isUtf8 } from 'node:buffer';
import { CloseCode, Opcode, Utf8Stream, violation } from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import type { CaseDefinition, FrameStep, MessageStep } from '../case.ts';
import { clip } from '../result.ts';
import { CaseLog } from './case-log.ts';
import { PEER_DROPPED, isKnownCloseCode, newCloseState } from './close-state.ts';
import type { CloseState } from './close-state.ts';
import { createPlayer } from './create-player.ts';
import { Incoming } from './incoming.ts';
import type { IncomingFrame, IncomingMessage, IncomingSink, Position } from './incoming.ts';
import type { MessageSource } from './message-source.ts';
import { Outgoing } from './outgoing.ts';
import type { DeflatedMessage, Player, Stage } from './player.ts';
import { Timers } from './timers.ts';
import type { TimerHandle } from './timers.ts';
import { TrafficMeter } from './traffic-meter.ts';

/** Seconds the peer has to answer the tester's close frame. */
const CLOSE_HANDSHAKE_S = 1;

/** Seconds a server has, after the closing handshake, to drop TCP. */
const SERVER_DROP_S = 1;

/**
 * Seconds after which a connection ends that waits for the peer and has no timer of its own.
 *
 * Autobahn would wait for ever: for a peer that closed first and then never drops TCP.
 */
export const GUARD_S = 3;

/** Autobahn waits up to 1000 seconds for an echo; a peer that is silent for this long is not about to. */
const IDLE_S = 30;

/** No case expects a longer message, so nothing beyond it need be kept. */
const KEPT_BYTES = 1024 * 1024;

export interface CaseConnectionOptions {
  readonly definition: CaseDefinition;
  /** What the tester is on this connection. */
  readonly role: 'client' | 'server';
  /** Four fresh octets for each frame of a client. */
  readonly maskSource: () => Buffer;
  /** The messages of a compression case; absent if permessage-deflate is not in force. */
  readonly source?: MessageSource | undefined;
  /** Octets of the opening handshake, for the counters. */
  readonly preopen?: { readonly sent: number; readonly received: number };
  /**
   * Seconds without an octet in either direction after which a case that would wait longer is
   * closed; absent: 30.
   */
  readonly idleS?: number | undefined;
  /** Milliseconds on the clock of all calls. */
  readonly now: number;
}

/** How TCP is to be dropped: after what was written went out, or at once. */
export type Drop = 'flush' | 'abort';

/**
 * One case on one open connection, with the closing behaviour of Autobahn's own endpoint.
 *
 * Sans-I/O: call `start`, `receive`, `expire`, `pump` and `lost`, each with the time; after each of
 * them write what `drain` returns, drop TCP if `drop` is set, wake up at `nextTimerAt`, and call
 * `pump` in the next turn of the event loop while `hasQueued` is true.
 */
export class CaseConnection implements Stage, IncomingSink {
  readonly log = new CaseLog();
  readonly ending: CloseState = newCloseState();
  readonly #options: CaseConnectionOptions;
  readonly #timers = new Timers();
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #traffic: TrafficMeter;
  readonly #player: Player;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #now: number;
  #activeAt: number;
  #drop: Drop | undefined;
  #guard: string | null = null;
  #guardTimer: TimerHandle | undefined;
  #closeTimer: TimerHandle | undefined;
  #lost = false;
  #broken = false;

  constructor(options: CaseConnectionOptions) {
    const { definition, role, source } = options;
    this.#options = options;
    this.#now = options.now;
    this.#activeAt = options.now;
    this.#traffic = new TrafficMeter(options.preopen ?? { sent: 0, received: 0 });
    this.#outgoing = new Outgoing({
      maskSource: role === 'client' ? options.maskSource : undefined,
      log: this.log,
    });
    this.#incoming = new Incoming({
      masked: role === 'server',
      inflate: source && ((deflated) => source.inflate(deflated)),
      keptBytes: keepsPayload(definition) ? KEPT_BYTES : 0,
      sink: this,
    });
    this.#player = createPlayer(definition, this, source);
  }

  get player(): Player {
    return this.#player;
  }

  get traffic(): TrafficMeter {
    return this.#traffic;
  }

  /** Why the guard ended the connection; null if it did not. */
  get guard(): string | null {
    return this.#guard;
  }

  get drop(): Drop | undefined {
    return this.#drop;
  }

  get nextTimerAt(): number | undefined {
    return this.#timers.nextAt;
  }

  get hasQueued(): boolean {
    return this.#outgoing.hasQueued;
  }

  drain(): Buffer[] {
    return this.#outgoing.drain();
  }

  /** The connection is open: the case begins. */
  start(now: number): void {
    this.#enter(now);
    this.#player.start();
    this.#leave();
  }

  /** Takes `chunk` over. */
  receive(chunk: Buffer, now: number): void {
    if (this.#lost) return;
    this.#enter(now);
    this.#activeAt = now;
    if (this.#state === 'open') this.#traffic.received(chunk.length);
    this.log.logOctets('received', chunk, { offset: this.#traffic.streamOffset, sync: false });
    this.#traffic.streamOffset += chunk.length;
    if (!this.deaf) this.#incoming.receive(chunk);
    this.#leave();
  }

  /** Runs the timers that are due. */
  expire(now: number): void {
    if (this.#timers.nextAt === undefined || this.#timers.nextAt > now) return;
    this.#enter(now);
    this.#timers.expire(now);
    this.#leave();
  }

  /** Octets that were drained have gone out: the peer is not idle. */
  touch(now: number): void {
    this.#activeAt = now;
  }

  /** Lets the next queued piece go. */
  pump(now: number): void {
    this.#enter(now);
    this.#activeAt = now;
    this.#outgoing.pump(this.#state === 'closed');
    this.#leave();
  }

  /** TCP is gone, whoever dropped it. */
  lost(now: number): void {
    if (this.#lost) return;
    this.#enter(now);
    this.#lost = true;
    this.#state = 'closed';
    this.#timers.clearAll();
    const close = this.ending;
    if (!close.wasClean && !close.droppedByMe) close.wasNotCleanReason ??= PEER_DROPPED;
  }

  // --- Stage ---

  get open(): boolean {
    return this.#state === 'open';
  }

  frame(step: FrameStep): void {
    this.#traffic.sentFrames(1, step.repeatTo ?? step.payload.length, this.open);
    this.#outgoing.writeFrame(step);
  }

  message(step: MessageStep): void {
    // Autobahn's own messages, unlike its frames, need an open connection.
    if (this.open) this.#outgoing.writeMessage(step);
  }

  header(opcode: number, fin: boolean, length: number): void {
    this.#outgoing.writeHeader(opcode, fin, length);
  }

  payload(payload: Buffer): void {
    this.#outgoing.writePayload(payload);
  }

  deflated({ deflated, binary, fragmentBytes, length }: DeflatedMessage): void {
    if (!this.open) return;
    const opcode = binary ? Opcode.binary : Opcode.text;
    const frames = this.#outgoing.writeFragments(deflated, {
      opcode,
      fragmentBytes,
      compressed: true,
    });
    this.#traffic.sentFrames(frames, deflated.length, true);
    this.#traffic.sentMessage(length);
  }

  close(code?: number, reason?: Buffer): void {
    this.#sendClose({ code, reason, isReply: false });
  }

  killAfter(delayS: number): void {
    this.log.add({ kind: 'timer', timer: 'kill', delayS, expired: false });
    this.#after(delayS, () => {
      this.log.add({ kind: 'timer', timer: 'kill', delayS, expired: true });
      this.#fail(CloseCode.goingAway, 'Going Away');
    });
  }

  closeAfter(delayS: number): void {
    this.log.add({ kind: 'timer', timer: 'close', delayS, expired: false });
    this.#after(delayS, () => {
      this.log.add({ kind: 'timer', timer: 'close', delayS, expired: true });
      this.close();
    });
    const idleS = this.#options.idleS ?? IDLE_S;
    if (delayS > idleS) this.#watchIdle(idleS);
  }

  continueAfter(delayS: number, tag: string, run: () => void): void {
    this.log.add({ kind: 'wait', delayS, tag, expired: false });
    this.#after(delayS, () => {
      this.log.add({ kind: 'wait', delayS, tag, expired: true });
      run();
    });
  }

  // --- IncomingSink ---

  /** Nothing that comes once TCP is (to be) dropped counts. */
  get deaf(): boolean {
    return this.#state === 'closed' || this.#broken;
  }

  onFrame(frame: IncomingFrame): void {
    this.log.countFrame('received', frame.opcode);
    this.#traffic.receivedFrame(frame.length, this.open);
    if (!this.log.enabled) return;
    const { opcode, fin, rsv, maskingKey, payload, length, offset, headerBytes } = frame;
    this.log.add({
      kind: 'frame',
      direction: 'received',
      opcode,
      fin,
      rsv,
      masked: maskingKey !== undefined,
      maskingKey: maskingKey?.toString('hex') ?? null,
      payload: clip(payload, length),
      offset,
      headerBytes,
      repeatTo: null,
      chopBytes: null,
      sync: false,
    });
  }

  onViolation(breach: Violation, position: Position): void {
    this.#addFinding(breach, position);
    this.#fail(breach.closeCode, breach.message);
  }

  onMessage(message: IncomingMessage): void {
    if (this.open) this.#traffic.receivedMessage(message.length);
    // Whoever has failed the connection has no use for messages; pongs still count.
    if (!this.ending.failedByMe) this.#player.onMessage(message);
  }

  onControl(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.close) this.#onClose(payload);
    else if (opcode === Opcode.pong) this.#player.onPong(payload);
    else if (opcode === Opcode.ping && this.open) {
      this.#outgoing.writeFrame({ do: 'frame', opcode: Opcode.pong, payload });
    }
  }

  onBroken(breach: Violation, position: Position): void {
    this.#addFinding(breach, position);
    this.#break();
  }

  // --- closing ---

  #onClose(payload: Buffer): void {
    const close = this.ending;
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : null;
    // Set before it is looked at: reports show what the peer sent, valid or not.
    close.remoteCloseCode = code;
    if (code !== null && !isKnownCloseCode(code)) {
      this.#report(violation('WSK_CLOSE_CODE', { code }));
      this.#fail(CloseCode.protocolError, `invalid close code ${code}`);
    }
    if (!this.#takeReason(payload.subarray(2))) return;
    if (this.#state === 'closing') this.#finishHandshake();
    else if (this.#state === 'open') this.#answerClose();
    // The answer to our close was itself a breach, and TCP is dropped for it.
    else close.wasClean = false;
  }

  /** False: Autobahn stumbles over a reason that is no UTF-8 and drops TCP. */
  #takeReason(reason: Buffer): boolean {
    if (reason.length === 0) return true;
    if (isUtf8(reason)) {
      this.ending.remoteCloseReason = reason.toString();
      return true;
    }
    this.#report(violation('WSK_INVALID_UTF8', { where: 'close reason' }));
    if (!new Utf8Stream().push(reason))
      this.#fail(CloseCode.invalidPayload, 'invalid close reason');
    this.#break();
    return false;
  }

  /** The peer answered our close frame. */
  #finishHandshake(): void {
    this.#timers.clear(this.#closeTimer);
    this.ending.wasClean = true;
    if (this.#options.role === 'server') {
      this.#dropTcp('abort');
      return;
    }
    // RFC 6455 7.1.1: it is the server that should close TCP first.
    this.#after(SERVER_DROP_S, () => {
      this.ending.wasClean = false;
      this.ending.wasNotCleanReason = 'server did not drop TCP connection (in time)';
      this.ending.wasServerConnectionDropTimeout = true;
      this.#dropTcp('abort');
    });
  }

  /** The peer closes first: the answer is 1000 whatever the peer said. */
  #answerClose(): void {
    this.ending.wasClean = true;
    this.#sendClose({ code: CloseCode.normal, reason: undefined, isReply: true });
    if (this.#options.role === 'server') this.#dropTcp('flush');
  }

  #sendClose(options: {
    code: number | undefined;
    reason: Buffer | undefined;
    isReply: boolean;
  }): void {
    if (!this.open) return;
    const { code, reason, isReply } = options;
    const head = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) head.writeUInt16BE(code);
    this.frame({
      do: 'frame',
      opcode: Opcode.close,
      payload: Buffer.concat([head, reason ?? Buffer.alloc(0)]),
    });
    this.#state = 'closing';
    const close = this.ending;
    close.closedByMe = !isReply;
    close.localCloseCode = code ?? null;
    close.localCloseReason = reason?.toString('hex') ?? null;
    if (isReply) return;
    this.#closeTimer = this.#after(CLOSE_HANDSHAKE_S, () => {
      close.wasClean = false;
      close.wasNotCleanReason = 'peer did not respond (in time) in closing handshake';
      close.wasCloseHandshakeTimeout = true;
      this.#dropTcp('abort');
    });
  }

  /** RFC 6455 7.1.7, in two steps: the first failure sends a close frame, the second drops TCP. */
  #fail(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.ending.failedByMe = true;
    if (this.open) this.close(code, Buffer.from(reason));
    else this.#dropTcp('flush');
  }

  /** The tester cannot go on; unlike a drop of its own will this is not held against it. */
  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.ending.wasNotCleanReason ??= 'the tester could not go on after what the peer sent';
    this.#drop ??= 'abort';
  }

  #dropTcp(how: Drop): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.ending.droppedByMe = true;
    this.#drop = how;
  }

  // --- time and order ---

  #enter(now: number): void {
    this.#now = now;
    this.log.atMs = now - this.#options.now;
    this.#timers.clear(this.#guardTimer);
    this.#guardTimer = undefined;
  }

  #leave(): void {
    this.#traffic.octetsSent(this.#outgoing.octets, this.open);
    if (this.#lost || this.#timers.nextAt !== undefined || this.#outgoing.hasQueued) return;
    this.#guardTimer = this.#after(GUARD_S, () => {
      this.#guard = `the peer did not drop TCP within ${GUARD_S} seconds, and Autobahn would wait for ever`;
      // To the verdict it looks like a tester that lost patience.
      this.#dropTcp('abort');
    });
  }

  #after(delayS: number, run: () => void): TimerHandle {
    return this.#timers.set(this.#now + delayS * 1000, () => {
      // Autobahn's timers find a closed connection and do nothing.
      if (this.#state !== 'closed') run();
    });
  }

  /** Closes, as the timer of the case would later, once nothing has moved for `idleS`. */
  #watchIdle(idleS: number): void {
    const restS = idleS - (this.#now - this.#activeAt) / 1000;
    this.#after(Math.max(restS, 0), () => {
      if (!this.open) return;
      if (this.#now - this.#activeAt < idleS * 1000) {
        this.#watchIdle(idleS);
        return;
      }
      this.#guard = `nothing came from the peer for ${idleS} seconds`;
      this.close();
    });
  }

  #report(breach: Violation): void {
    const bytes = Buffer.alloc(0);
    this.#addFinding(breach, {
      offset: Math.max(0, this.#traffic.streamOffset - 1),
      bytes,
      index: 0,
    });
  }

  #addFinding(breach: Violation, { offset, bytes, index }: Position): void {
    const from = Math.max(0, index - FINDING_BEFORE);
    this.log.addFinding({
      violation: breach,
      offset,
      octets: {
        from: offset - (index - from),
        hex: bytes.toString('hex', from, Math.min(bytes.length, index + FINDING_AFTER)),
      },
    });
  }
}

/** Octets shown before and after the one that breaks a rule. */
const FINDING_BEFORE = 32;
const FINDING_AFTER = 64;

/** Of messages whose length alone counts nothing is kept. */
function keepsPayload({ script }: CaseDefinition): boolean {
  return script.kind === 'events' || script.kind === 'compression';
}
