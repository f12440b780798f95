import { Counter, add } from '../measure/counters.ts';
import { NONE } from '../measure/in-flight.ts';
import type { Connection } from '../socket/connection.ts';
import type { Payloads } from '../socket/payloads.ts';
import { SLOT_BYTES, slotConnection, slotSequence } from '../socket/prepared-frames.ts';
import { EchoTracker } from './echo-tracker.ts';
import type { EchoTrackerOptions } from './echo-tracker.ts';

/** The echo tracker of the engine client: sends whole payloads and compares whole replies. */
export class ClientTracker extends EchoTracker {
  readonly #payloads: Payloads;

  constructor(options: Omit<EchoTrackerOptions, 'slotted'> & { readonly payloads: Payloads }) {
    super({ ...options, slotted: options.payloads.slotted });
    this.#payloads = options.payloads;
  }

  override send(
    connection: Connection,
    count: number,
    due: Float64Array,
    first = 0,
    step = 0,
  ): void {
    const { list } = this;
    const payloads: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const { bytes, from } = this.#payloads.next(connection.index, connection.sequence);
      const entry = this.noteSent(connection, due[first + i * step] as number);
      list.origin[entry] = from;
      list.length[entry] = bytes.length;
      payloads.push(bytes);
    }
    const sent = connection.send(this.opcode, payloads);
    add(this.phaseOf(this.nowMs).counts, Counter.bytesSent, sent);
  }

  protected override lengthOf(entry: number): number {
    return this.list.length[entry] as number;
  }

  override message(
    connection: Connection,
    bytes: Buffer,
    from: number,
    to: number,
    opcode: number,
  ): void {
    const slotted = this.slotted && to - from >= SLOT_BYTES;
    const slot = {
      connection: slotted ? slotConnection(bytes, from) : -1,
      sequence: slotted ? slotSequence(bytes, from) : -1,
    };
    const entry = this.find(connection, slot);
    const payload = bytes.subarray(from, to);
    // Without a message in flight there is nothing to compare with.
    const same =
      entry === NONE ||
      (payload.length === this.lengthOf(entry) &&
        this.#payloads.matches(payload, this.list.origin[entry] as number));
    this.match(connection, { opcode, length: to - from, same, ...slot });
  }
}
