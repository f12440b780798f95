import { Counter, add } from '../measure/counters.ts';
import { NONE } from '../measure/in-flight.ts';
import type { Connection, IncomingMessage } from '../socket/connection.ts';
import {
  CONNECTION_MASK,
  SLOT_BYTES,
  slotConnection,
  slotSequence,
} from '../socket/prepared-frames.ts';
import type { PreparedFrames } from '../socket/prepared-frames.ts';
import { EchoTracker } from './echo-tracker.ts';
import type { EchoTrackerOptions } from './echo-tracker.ts';

export interface FastTrackerOptions extends Omit<EchoTrackerOptions, 'slotted'> {
  readonly frames: PreparedFrames;
  /** A TLS socket sends after `write` has returned, so it is given a copy. */
  readonly copy: boolean;
}

/** The echo tracker of the fast engine: sends prepared frames, compares replies in the read buffer. */
export class FastTracker extends EchoTracker {
  readonly #frames: PreparedFrames;
  readonly #copy: boolean;

  constructor(options: FastTrackerOptions) {
    super({ ...options, slotted: options.frames.slotted });
    this.#frames = options.frames;
    this.#copy = options.copy;
  }

  override send(
    connection: Connection,
    count: number,
    due: Float64Array,
    first = 0,
    step = 0,
  ): void {
    const most = this.#frames.count;
    for (let from = 0; from < count; from += most) {
      const piece = Math.min(most, count - from);
      const frame = this.#frames.take(piece);
      for (let i = 0; i < piece; i++) {
        this.#note(connection, frame + i, due[first + (from + i) * step] as number);
      }
      this.#write(connection, frame, piece);
    }
  }

  protected override lengthOf(entry: number): number {
    return this.#frames.lengths[this.list.origin[entry] as number] as number;
  }

  #note(connection: Connection, frame: number, dueMs: number): void {
    const frames = this.#frames;
    frames.stamp(frame, connection.index & CONNECTION_MASK, connection.sequence);
    const entry = this.noteSent(connection, dueMs);
    this.list.origin[entry] = frame;
    add(this.phaseOf(dueMs).counts, Counter.bytesSent, frames.frameBytes(frame));
  }

  #write(connection: Connection, first: number, count: number): void {
    const { socket } = connection;
    if (socket === undefined) return;
    const bytes = this.#frames.view(first, count);
    if (this.#copy || socket.writableLength > 0) {
      socket.write(Buffer.from(bytes));
      return;
    }
    socket.write(bytes);
    // The system did not take all of it: the rest is still to be sent from where it is.
    if (socket.writableLength > 0) this.#frames.renew();
  }

  override message(
    connection: Connection,
    bytes: Buffer,
    from: number,
    to: number,
    opcode: number,
  ): void {
    const entry = connection.head;
    const { list } = this;
    if (
      entry !== NONE &&
      opcode === this.opcode &&
      this.#frames.matches(
        list.origin[entry] as number,
        connection.index & CONNECTION_MASK,
        list.sequence[entry] as number,
        bytes,
        from,
        to,
      )
    ) {
      this.noteReply(connection, entry);
      list.shift(connection);
      return;
    }
    const slotted = this.slotted && to - from >= SLOT_BYTES;
    this.match(connection, {
      opcode,
      length: to - from,
      same: this.#frames.hasContent(bytes, from, to, 0),
      connection: slotted ? slotConnection(bytes, from) : -1,
      sequence: slotted ? slotSequence(bytes, from) : -1,
    });
  }

  override begin(connection: Connection, opcode: number): void {
    const incoming = (connection.incoming ??= newMessage());
    incoming.opcode = opcode;
    incoming.length = 0;
    incoming.same = true;
  }

  override part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    const incoming = connection.incoming as IncomingMessage;
    if (incoming.length < SLOT_BYTES) bytes.copy(incoming.slot, incoming.length, from, to);
    incoming.same &&= this.#frames.hasContent(bytes, from, to, incoming.length);
    incoming.length += to - from;
  }

  override end(connection: Connection): void {
    const { opcode, length, same, slot } = connection.incoming as IncomingMessage;
    const slotted = this.slotted && length >= SLOT_BYTES;
    this.match(connection, {
      opcode,
      length,
      same,
      connection: slotted ? slotConnection(slot, 0) : -1,
      sequence: slotted ? slotSequence(slot, 0) : -1,
    });
  }
}

function newMessage(): IncomingMessage {
  return { opcode: 0, length: 0, same: true, slot: Buffer.alloc(SLOT_BYTES) };
}
