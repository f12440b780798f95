import { CloseCode, Opcode, isControlOpcode } from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import type { CaseDefinition, FrameStep, MessageStep } from '../case.ts';
import type { CloseFacts } from '../result.ts';
import { CaseLog } from '../wire/frame-log.ts';
import { PEER_DROPPED } from './close-state.ts';
import { Closing } from './closing.ts';
import type { Drop } from './closing.ts';
import { createHandler } from './create-handler.ts';
import { Receiver } from '../wire/receiver.ts';
import type { IncomingFrame, IncomingMessage, ReceiverSink, Position } from '../wire/receiver.ts';
import { Sender } from './sender.ts';
import type { CaseHandler, CaseProtocol, DeflatedMessage, MessageSource } from './case-handler.ts';
import { Progress } from './progress.ts';
import { Timers } from './timers.ts';
import type { TimerHandle } from './timers.ts';
import { TrafficMeter } from '../wire/traffic.ts';

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
   * Seconds without progress in either direction after which a case that would wait longer is
   * closed; absent: 30.
   */
  readonly idleS?: number | undefined;
  /** Milliseconds on the clock of all calls. */
  readonly now: number;
}

/**
 * One case on one open connection, with the closing behaviour of Autobahn's own endpoint.
 *
 * Sans-I/O: call `start`, `receive`, `expire`, `pump` and `lost`, each with the time; after each of
 * them write what `drain` returns, drop TCP if `drop` is set, wake up at `nextTimerAt`, and call
 * `pump` in the next turn of the event loop while `hasQueued` is true.
 */
export class CaseConnection implements CaseProtocol, ReceiverSink {
  readonly log = new CaseLog();
  readonly #options: CaseConnectionOptions;
  readonly #timers = new Timers();
  readonly #incoming: Receiver;
  readonly #outgoing: Sender;
  readonly #traffic: TrafficMeter;
  readonly #progress: Progress;
  readonly #closing: Closing;
  readonly #handler: CaseHandler;
  #now: number;
  #activeAt: number;
  #guard: string | null = null;
  #guardTimer: TimerHandle | undefined;
  /** When the guard ends a wait that has begun, unless something moves. */
  #guardAt: number | undefined;
  #lost = false;

  constructor(options: CaseConnectionOptions) {
    const { definition, role, source } = options;
    this.#options = options;
    this.#now = options.now;
    this.#activeAt = options.now;
    this.#traffic = new TrafficMeter(options.preopen ?? { sent: 0, received: 0 });
    this.#progress = new Progress(definition);
    this.#outgoing = new Sender({
      maskSource: role === 'client' ? options.maskSource : undefined,
      log: this.log,
    });
    this.#incoming = new Receiver({
      masked: role === 'server',
      inflate: source && ((pieces) => source.inflate(pieces)),
      keptBytes: keepsPayload(definition) ? KEPT_BYTES : 0,
      sink: this,
    });
    this.#closing = new Closing({
      role,
      sendCloseFrame: (payload) => {
        this.frame({ do: 'frame', opcode: Opcode.close, payload });
      },
      after: (delayS, run) => this.#after(delayS, run),
      clear: (timer) => {
        this.#timers.clear(timer);
      },
      report: (breach) => {
        const offset = Math.max(0, this.#traffic.streamOffset - 1);
        this.log.addBreach(breach, { offset, bytes: Buffer.alloc(0), index: 0 });
      },
    });
    this.#handler = createHandler(definition, this, source);
  }

  get handler(): CaseHandler {
    return this.#handler;
  }

  get traffic(): TrafficMeter {
    return this.#traffic;
  }

  /** Why the guard ended the connection; null if it did not. */
  get guard(): string | null {
    return this.#guard;
  }

  /** How the connection ends, or ended. */
  get ending(): CloseFacts {
    return this.#closing.facts;
  }

  get drop(): Drop | undefined {
    return this.#closing.drop;
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
    this.#handler.start();
    this.#leave();
  }

  /** Takes `chunk` over. */
  receive(chunk: Buffer, now: number): void {
    if (this.#lost) return;
    this.#enter(now);
    this.#unguard();
    if (this.open) this.#traffic.received(chunk.length);
    this.log.logOctets('received', chunk, { offset: this.#traffic.streamOffset, sync: false });
    this.#traffic.streamOffset += chunk.length;
    if (!this.deaf) {
      this.#incoming.receive(chunk);
      if (this.#progress.read(chunk.length, this.#incoming.dataBytes)) this.#stir();
      this.#cutFlood();
    }
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
    this.#unguard();
    this.#stir();
    this.#outgoing.pump(this.#closing.isClosed);
    this.#leave();
  }

  /** TCP is gone, whoever dropped it. */
  lost(now: number): void {
    if (this.#lost) return;
    this.#enter(now);
    this.#lost = true;
    this.#timers.clearAll();
    this.#closing.lost(PEER_DROPPED);
    this.#options.source?.release();
  }

  // --- CaseProtocol ---

  get open(): boolean {
    return this.#closing.isOpen;
  }

  frame(step: FrameStep): void {
    if (!isControlOpcode(step.opcode)) {
      this.#traffic.sentFrames(1, step.repeatTo ?? step.payload.length, this.open);
    }
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
    this.#closing.close(code, reason);
  }

  killAfter(delayS: number): void {
    this.log.add({ kind: 'timer', timer: 'kill', delayS, expired: false });
    this.#after(delayS, () => {
      this.log.add({ kind: 'timer', timer: 'kill', delayS, expired: true });
      this.#closing.fail(CloseCode.goingAway, 'Going Away');
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

  // --- ReceiverSink ---

  /** Nothing that comes once TCP is (to be) dropped counts. */
  get deaf(): boolean {
    return this.#closing.isDeaf;
  }

  onFrame(frame: IncomingFrame): void {
    this.log.countFrame('received', frame.opcode);
    if (!isControlOpcode(frame.opcode)) this.#traffic.receivedFrame(frame.length, this.open);
    this.log.logReceived(frame);
    this.#progress.frame(frame);
    this.#cutFlood();
  }

  onViolation(breach: Violation, position: Position): void {
    this.log.addBreach(breach, position);
    this.#closing.fail(breach.closeCode, breach.message);
  }

  onMessage(message: IncomingMessage): void {
    if (this.open) this.#traffic.receivedMessage(message.length);
    // Whoever has failed the connection has no use for messages; pongs still count.
    if (!this.ending.failedByMe) this.#handler.onMessage(message);
  }

  onControl(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.close) this.#closing.receive(payload);
    else if (opcode === Opcode.pong) this.#handler.onPong(payload);
    else if (opcode === Opcode.ping && this.open) {
      this.#outgoing.writeFrame({ do: 'frame', opcode: Opcode.pong, payload });
    }
  }

  onBroken(breach: Violation, position: Position): void {
    this.log.addBreach(breach, position);
    this.#closing.break();
  }

  // --- time and order ---

  #enter(now: number): void {
    this.#now = now;
    this.log.atMs = now - this.#options.now;
  }

  /** Something moved. While closing only the end of TCP is progress. */
  #stir(): void {
    this.#activeAt = this.#now;
    if (this.open) this.#guardAt = undefined;
  }

  /** Takes the timer of the guard back, so that `#leave` sees whether there is another one. */
  #unguard(): void {
    this.#timers.clear(this.#guardTimer);
    this.#guardTimer = undefined;
  }

  /** Ends a case whose peer sends so much that the rest need not be read. */
  #cutFlood(): void {
    const { flood } = this.#progress;
    if (flood === undefined || this.#closing.isClosed) return;
    this.#guard = `the peer floods with ${flood}`;
    this.#closing.cutOff(this.#guard);
  }

  #leave(): void {
    this.#traffic.octetsSent(this.#outgoing.octets, this.open);
    if (this.#lost || this.drop !== undefined || this.#outgoing.hasQueued) return;
    if (this.#timers.nextAt !== undefined) {
      if (this.#guardTimer === undefined) this.#guardAt = undefined;
      return;
    }
    this.#guardAt ??= this.#now + GUARD_S * 1000;
    this.#guardTimer = this.#at(this.#guardAt, () => {
      this.#guard = `the peer did not drop TCP within ${GUARD_S} seconds, and Autobahn would wait for ever`;
      // The verdict is that of a tester that dropped TCP.
      this.#closing.dropTcp('abort');
    });
  }

  #after(delayS: number, run: () => void): TimerHandle {
    return this.#at(this.#now + delayS * 1000, run);
  }

  #at(time: number, run: () => void): TimerHandle {
    return this.#timers.set(time, () => {
      // Autobahn's timers find a closed connection and do nothing.
      if (!this.#closing.isClosed) run();
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
      const { idleKind } = this.#progress;
      const nothing = idleKind === undefined ? 'nothing' : `nothing but ${idleKind}`;
      this.#guard = `${nothing} came from the peer for ${idleS} seconds`;
      this.close();
    });
  }
}

/** Of messages whose length alone counts nothing is kept. */
function keepsPayload({ script }: CaseDefinition): boolean {
  return script.kind !== 'length' && script.kind !== 'rounds';
}
