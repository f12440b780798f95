import { allCases } from '../../src/conformance/autobahn/cases/index.ts';
import type { CaseDefinition } from '../../src/conformance/case.ts';
import { CaseConnection } from '../../src/conformance/autobahn/connection.ts';
import type { CaseConnectionOptions } from '../../src/conformance/autobahn/connection.ts';
import { caseVerdict } from '../../src/conformance/autobahn/verdict.ts';
import type { CaseVerdict } from '../../src/conformance/result.ts';
import { FrameDecoder, encodeFrame } from '../../src/protocol/index.ts';
import type { Frame, FrameInit } from '../../src/protocol/index.ts';
import { MASKING_KEY } from './protocol.ts';

/** Autobahn's case of that id. */
export function caseOf(id: string): CaseDefinition {
  const found = allCases().find((definition) => definition.id === id);
  if (found === undefined) throw new Error(`there is no case ${id}`);
  return found;
}

/** A case on a connection without a socket, on a clock that the test moves. */
export class CasePlay {
  readonly connection: CaseConnection;
  readonly definition: CaseDefinition;
  readonly #role: 'client' | 'server';
  readonly #decoder = new FrameDecoder();
  #now = 0;

  constructor(id: string, options: Partial<CaseConnectionOptions> = {}) {
    this.definition = options.definition ?? caseOf(id);
    this.#role = options.role ?? 'client';
    this.connection = new CaseConnection({
      role: this.#role,
      maskSource: () => Buffer.from(MASKING_KEY),
      now: 0,
      ...options,
      definition: this.definition,
    });
    this.connection.start(0);
  }

  /** What the tester has written since the last call, piece by piece. */
  pieces(): Buffer[] {
    return this.connection.drain();
  }

  /** The frames the tester has completed since the last call. */
  frames(): Frame[] {
    for (const piece of this.pieces()) this.#decoder.receive(piece);
    const frames: Frame[] = [];
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      frames.push(frame);
    }
    return frames;
  }

  /** Everything the tester wants to write until its queue is empty. */
  pump(): void {
    while (this.connection.hasQueued) this.connection.pump(this.#now);
  }

  /** Octets from the peer. */
  receive(...chunks: Buffer[]): void {
    for (const chunk of chunks) this.connection.receive(Buffer.from(chunk), this.#now);
  }

  /** A frame from the peer, masked as its role demands. */
  send(init: FrameInit): void {
    const masked = this.#role === 'server' ? { maskingKey: MASKING_KEY } : {};
    this.receive(encodeFrame({ ...masked, ...init }));
  }

  /** Moves the clock, in seconds, and lets every timer on the way expire in its time. */
  wait(seconds: number): void {
    const end = this.#now + seconds * 1000;
    for (;;) {
      const next = this.connection.nextTimerAt;
      if (next === undefined || next > end) break;
      this.#now = Math.max(this.#now, next);
      this.connection.expire(this.#now);
    }
    this.#now = end;
  }

  /** TCP is gone: the verdict. */
  end(): CaseVerdict {
    this.connection.lost(this.#now);
    const { handler, ending } = this.connection;
    return caseVerdict({
      definition: this.definition,
      role: this.#role,
      close: ending,
      handler: { verdict: handler.verdict(), expectedClose: handler.expectedClose },
    });
  }

  /** `behavior / behaviorClose` once TCP is gone. */
  verdict(): string {
    const { behavior, behaviorClose } = this.end();
    return `${behavior} / ${behaviorClose}`;
  }
}

/** The payload of a close frame. */
export function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}
