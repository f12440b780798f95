import { isUtf8 } from 'node:buffer';
import { CloseCode, Utf8Stream, violation } from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import { isKnownCloseCode, newCloseState } from './close-state.ts';
import type { CloseState } from './close-state.ts';
import type { TimerHandle } from './timers.ts';

/** Seconds the peer has to answer the tester's close frame. */
const CLOSE_HANDSHAKE_S = 1;

/** Seconds a server has, after the closing handshake, to drop TCP. */
const SERVER_DROP_S = 1;

/** How TCP is to be dropped: after what was written went out, or at once. */
export type Drop = 'flush' | 'abort';

export interface ClosingOptions {
  /** What the tester is on this connection. */
  readonly role: 'client' | 'server';
  readonly sendCloseFrame: (payload: Buffer) => void;
  /** Runs `run` after `delayS`, unless the connection is closed by then. */
  readonly after: (delayS: number, run: () => void) => TimerHandle;
  readonly clear: (timer: TimerHandle | undefined) => void;
  readonly report: (breach: Violation) => void;
}

/**
 * Who closes, who fails and who drops TCP: the closing handshake of Autobahn's own endpoint, which
 * decides half of every verdict.
 */
export class Closing {
  readonly facts: CloseState = newCloseState();
  readonly #options: ClosingOptions;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #drop: Drop | undefined;
  #timer: TimerHandle | undefined;
  #broken = false;

  constructor(options: ClosingOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Set once TCP is to be dropped. */
  get drop(): Drop | undefined {
    return this.#drop;
  }

  /** Nothing that comes once TCP is to be dropped counts. */
  get isDeaf(): boolean {
    return this.#state === 'closed' || this.#broken;
  }

  /** Begins the closing handshake; ignored unless the connection is open. */
  close(code?: number, reason?: Buffer): void {
    if (!this.isOpen) return;
    this.#sendClose(code, reason);
    this.facts.closedByMe = true;
    this.#timer = this.#options.after(CLOSE_HANDSHAKE_S, () => {
      this.facts.wasClean = false;
      this.facts.wasNotCleanReason = 'peer did not respond (in time) in closing handshake';
      this.facts.wasCloseHandshakeTimeout = true;
      this.dropTcp('abort');
    });
  }

  /** RFC 6455 7.1.7, in two steps: the first failure sends a close frame, the second drops TCP. */
  fail(code: number, reason: string): void {
    if (this.isClosed) return;
    this.facts.failedByMe = true;
    if (this.isOpen) this.close(code, Buffer.from(reason));
    else this.dropTcp('flush');
  }

  /** The peer's close frame. */
  receive(payload: Buffer): void {
    const { facts } = this;
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : null;
    // Set before it is looked at: reports show what the peer sent, valid or not.
    facts.remoteCloseCode = code;
    if (code !== null && !isKnownCloseCode(code)) {
      this.#options.report(violation('WSK_CLOSE_CODE', { code }));
      this.fail(CloseCode.protocolError, `invalid close code ${code}`);
    }
    if (!this.#takeReason(payload.subarray(2))) return;
    if (this.#state === 'closing') this.#finish();
    else if (this.isOpen) this.#answer();
    // The answer to our close was itself a breach, and TCP is dropped for it.
    else facts.wasClean = false;
  }

  /** The tester cannot go on; unlike a drop of its own will this is not held against it. */
  break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.facts.wasNotCleanReason ??= 'the tester could not go on after what the peer sent';
    this.#drop ??= 'abort';
  }

  /** Closes with 1008 and drops TCP without waiting for an answer; `reason` is why. */
  cutOff(reason: string): void {
    if (this.isClosed) return;
    if (this.isOpen) this.fail(CloseCode.policyViolation, reason);
    if (!this.facts.wasClean) this.facts.wasNotCleanReason = reason;
    this.dropTcp('abort');
  }

  dropTcp(how: Drop): void {
    if (this.isClosed) return;
    this.#state = 'closed';
    this.facts.droppedByMe = true;
    this.#drop = how;
  }

  /** TCP is gone; `reason` if nobody knew better. */
  lost(reason: string): void {
    this.#state = 'closed';
    const { facts } = this;
    if (!facts.wasClean && !facts.droppedByMe) facts.wasNotCleanReason ??= reason;
  }

  /** False: Autobahn stumbles over a reason that is not UTF-8 and drops TCP. */
  #takeReason(reason: Buffer): boolean {
    if (reason.length === 0) return true;
    if (isUtf8(reason)) {
      this.facts.remoteCloseReason = reason.toString();
      return true;
    }
    this.#options.report(violation('WSK_INVALID_UTF8', { where: 'close reason' }));
    // A reason that merely ends too early is not answered before the stumble.
    const brokenInside = !new Utf8Stream().push(reason);
    if (brokenInside) this.fail(CloseCode.invalidPayload, 'invalid close reason');
    this.break();
    return false;
  }

  /** The peer answered our close frame. */
  #finish(): void {
    this.#options.clear(this.#timer);
    this.facts.wasClean = true;
    if (this.#options.role === 'server') {
      this.dropTcp('abort');
      return;
    }
    // RFC 6455 7.1.1: it is the server that should close TCP first.
    this.#options.after(SERVER_DROP_S, () => {
      this.facts.wasClean = false;
      this.facts.wasNotCleanReason = 'server did not drop TCP connection (in time)';
      this.facts.wasServerConnectionDropTimeout = true;
      this.dropTcp('abort');
    });
  }

  /** The peer closes first: the answer is 1000 whatever the peer said. */
  #answer(): void {
    this.facts.wasClean = true;
    this.#sendClose(CloseCode.normal);
    if (this.#options.role === 'server') this.dropTcp('flush');
  }

  #sendClose(code?: number, reason?: Buffer): void {
    const head = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) head.writeUInt16BE(code);
    this.#options.sendCloseFrame(Buffer.concat([head, reason ?? Buffer.alloc(0)]));
    this.#state = 'closing';
    this.facts.localCloseCode = code ?? null;
    this.facts.localCloseReason = reason?.toString('hex') ?? null;
  }
}
