import {
  MAX_HEADER_BYTES,
  Opcode,
  encodeFrame,
  encodeFrameInto,
  mask,
} from '../../protocol/index.ts';
import type { FrameStep, MessageStep } from '../case.ts';
import { clip } from '../result.ts';
import type { CaseLog } from '../wire/frame-log.ts';

/** A piece that waits its turn. */
interface Queued {
  readonly bytes: Buffer;
  readonly sync: boolean;
}

export interface SenderOptions {
  /** Four fresh octets for each frame; undefined for a server, which does not mask. */
  readonly maskSource: (() => Buffer) | undefined;
  readonly log: CaseLog;
}

const RSV1 = 4;
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * The frames of the tester, legal or not, and the queue of pieces some of them are written in.
 *
 * As long as a piece waits, everything written later waits behind it. `pump` lets one piece go; it
 * is to be called once in each turn of the event loop, so that pieces stay pieces on the wire.
 */
export class Sender {
  readonly #options: SenderOptions;
  #ready: Buffer[] = [];
  #queue: Queued[] = [];
  #queueStart = 0;
  /** A piece went out in this turn: until the next `pump` everything queues, as Autobahn has it. */
  #pumping = false;
  #offset = 0;
  #packed: Buffer = EMPTY;
  /** Of the frame that `writeHeader` began. */
  #openKey: Buffer | undefined;
  #openPosition = 0;
  octets = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Whether `pump` has something to do. */
  get hasQueued(): boolean {
    return this.#pumping;
  }

  /** Takes what is to be written now. */
  drain(): Buffer[] {
    const ready = this.#ready;
    if (ready.length > 0) this.#ready = [];
    return ready;
  }

  /** Lets the next piece go; `closed` throws the rest away instead. */
  pump(closed: boolean): void {
    const next = this.#queue[this.#queueStart];
    if (closed || next === undefined) {
      this.#queue = [];
      this.#queueStart = 0;
      this.#pumping = false;
      return;
    }
    this.#queueStart++;
    this.#send(next.bytes, next.sync);
  }

  writeFrame(step: FrameStep): void {
    const { opcode, fin = true, rsv = 0, chopBytes, sync = false } = step;
    const { log } = this.#options;
    const maskingKey = this.#options.maskSource?.();
    const payload = repeat(step.payload, step.repeatTo);
    const bytes = encodeFrame({
      opcode,
      fin,
      rsv1: (rsv & 4) !== 0,
      rsv2: (rsv & 2) !== 0,
      rsv3: (rsv & 1) !== 0,
      payload,
      ...(maskingKey === undefined ? {} : { maskingKey }),
    });
    log.countFrame('sent', opcode);
    if (log.enabled)
      this.#logFrame(step, { maskingKey, headerBytes: bytes.length - payload.length });
    if (chopBytes === undefined) this.#write(bytes, sync);
    else this.#enqueuePieces(bytes, chopBytes);
  }

  /**
   * A message in one frame, or in fragments.
   *
   * As Autobahn does it: fragments are cut as long as a full one fits, so that a message whose
   * length is a multiple of the size ends with an empty frame.
   */
  writeMessage(step: MessageStep): void {
    const payload = repeat(step.payload, step.repeatTo);
    this.writeFragments(payload, {
      opcode: step.binary ? Opcode.binary : Opcode.text,
      fragmentBytes: step.fragmentBytes ?? 0,
      compressed: false,
    });
  }

  /** `payload` is what goes on the wire: compressed already, if it is. Returns how many frames. */
  writeFragments(payload: Buffer, options: FragmentOptions): number {
    const frames = cutFrames(payload, options);
    const alone = this.#queueStart >= this.#queue.length;
    if (options.compressed && alone && !this.#options.log.enabled) this.#writePacked(frames);
    else for (const frame of frames) this.writeFrame({ do: 'frame', ...frame });
    return frames.length;
  }

  /**
   * Writes frames in one piece, into memory that the next call overwrites: compressed messages
   * follow each other by the thousand, each upon the echo of the one before, which has left then.
   */
  #writePacked(frames: readonly FrameCut[]): void {
    const { log, maskSource } = this.#options;
    const room = frames.reduce((sum, { payload }) => sum + MAX_HEADER_BYTES + payload.length, 0);
    if (this.#packed.length < room) this.#packed = Buffer.allocUnsafeSlow(room + (room >> 2));
    let end = 0;
    for (const { rsv, ...frame } of frames) {
      const start = end;
      const maskingKey = maskSource?.();
      end = encodeFrameInto(this.#packed, start, {
        ...frame,
        rsv1: rsv === RSV1,
        ...(maskingKey === undefined ? {} : { maskingKey }),
      });
      log.countFrame('sent', frame.opcode);
      log.countOctets('sent', end - start);
    }
    this.#ready.push(this.#packed.subarray(0, end));
    this.#offset += end;
    this.octets += end;
  }

  /** The header alone of a frame whose payload follows in pieces. */
  writeHeader(opcode: number, fin: boolean, length: number): void {
    const { log } = this.#options;
    this.#openKey = this.#options.maskSource?.();
    this.#openPosition = 0;
    const maskingKey = this.#openKey;
    const bytes = encodeFrame({
      opcode,
      fin,
      declaredLength: length,
      ...(maskingKey === undefined ? {} : { maskingKey }),
    });
    log.countFrame('sent', opcode);
    if (log.enabled) {
      const step: FrameStep = { do: 'frame', opcode, fin, payload: EMPTY };
      this.#logFrame(step, { maskingKey, headerBytes: bytes.length });
    }
    this.#write(bytes, false);
  }

  /** More payload of the frame that `writeHeader` began. */
  writePayload(payload: Buffer): void {
    const bytes = Buffer.from(payload);
    if (this.#openKey !== undefined) mask(bytes, this.#openKey, this.#openPosition);
    this.#openPosition += payload.length;
    this.#write(bytes, false);
  }

  #logFrame(
    { opcode, fin = true, rsv = 0, payload, repeatTo, chopBytes, sync = false }: FrameStep,
    { maskingKey, headerBytes }: { maskingKey: Buffer | undefined; headerBytes: number },
  ): void {
    this.#options.log.add({
      kind: 'frame',
      direction: 'sent',
      opcode,
      fin,
      rsv,
      masked: maskingKey !== undefined,
      maskingKey: maskingKey?.toString('hex') ?? null,
      payload: clip(payload),
      offset: this.#offset + this.#queuedBytes(),
      headerBytes,
      repeatTo: repeatTo ?? null,
      chopBytes: chopBytes ?? null,
      sync,
    });
  }

  #queuedBytes(): number {
    let bytes = 0;
    for (const queued of this.#queue.slice(this.#queueStart)) bytes += queued.bytes.length;
    return bytes;
  }

  #enqueuePieces(bytes: Buffer, chopBytes: number): void {
    for (let at = 0; at < bytes.length; at += chopBytes) {
      this.#queue.push({ bytes: bytes.subarray(at, at + chopBytes), sync: true });
    }
    this.#start();
  }

  #write(bytes: Buffer, sync: boolean): void {
    if (sync || this.#queueStart < this.#queue.length) {
      this.#queue.push({ bytes, sync });
      this.#start();
    } else {
      this.#send(bytes, false);
    }
  }

  #start(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.pump(false);
  }

  #send(bytes: Buffer, sync: boolean): void {
    this.#ready.push(bytes);
    this.#options.log.logOctets('sent', bytes, { offset: this.#offset, sync });
    this.#offset += bytes.length;
    this.octets += bytes.length;
  }
}

interface FragmentOptions {
  readonly opcode: number;
  /** Octets of each frame; 0: one frame. */
  readonly fragmentBytes: number;
  readonly compressed: boolean;
}

interface FrameCut {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly fin: boolean;
  readonly rsv: number;
}

/** The frames of a message; one whose length is a multiple of the size ends with an empty frame. */
function cutFrames(
  payload: Buffer,
  { opcode, fragmentBytes, compressed }: FragmentOptions,
): FrameCut[] {
  const rsv = compressed ? RSV1 : 0;
  if (fragmentBytes === 0 || payload.length <= fragmentBytes) {
    return [{ opcode, payload, fin: true, rsv }];
  }
  const frames: FrameCut[] = [];
  for (let at = 0; at <= payload.length; at += fragmentBytes) {
    frames.push({
      opcode: at === 0 ? opcode : Opcode.continuation,
      payload: payload.subarray(at, at + fragmentBytes),
      fin: at + fragmentBytes > payload.length,
      rsv: at === 0 ? rsv : 0,
    });
  }
  return frames;
}

/** `unit` again and again, up to `length` octets. */
function repeat(unit: Buffer, length: number | undefined): Buffer {
  return length === undefined || length === unit.length ? unit : Buffer.alloc(length, unit);
}
