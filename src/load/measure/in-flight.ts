/** No entry: the end of a list. */
export const NONE = -1;

/** Ends of the list of messages in flight on one connection, in the order they were sent. */
export interface Queue {
  head: number;
  tail: number;
}

/**
 * The messages of one worker that wait for their reply: entries of a few typed arrays, linked to
 * one list for each connection. Sending and receiving allocate nothing, and a connection without
 * messages in flight takes two numbers.
 */
export class InFlight {
  /** When the message was due and when it was sent, in milliseconds. */
  intended = new Float64Array(0);
  sent = new Float64Array(0);
  sequence = new Int32Array(0);
  /** Which prepared frame it was, or where its payload was cut; the tracker of the engine knows. */
  origin = new Int32Array(0);
  /** Bytes of its payload; written by the engine client only. */
  length = new Int32Array(0);
  next = new Int32Array(0);
  size = 0;
  #free = NONE;

  constructor(capacity = 1024) {
    this.#grow(capacity);
  }

  /** Adds an entry to the end of `queue`; the caller fills in the arrays at the index returned. */
  push(queue: Queue): number {
    if (this.#free === NONE) this.#grow(this.next.length * 2);
    const entry = this.#free;
    this.#free = this.next[entry] as number;
    this.next[entry] = NONE;
    if (queue.tail === NONE) queue.head = entry;
    else this.next[queue.tail] = entry;
    queue.tail = entry;
    this.size++;
    return entry;
  }

  /** Takes the first entry off; its values stay readable until the next `push`. */
  shift(queue: Queue): number {
    const entry = queue.head;
    const next = this.next[entry] as number;
    queue.head = next;
    if (next === NONE) queue.tail = NONE;
    this.#release(entry);
    return entry;
  }

  /** The entry with this sequence number, or `NONE`. */
  find(queue: Queue, sequence: number): number {
    let entry = queue.head;
    while (entry !== NONE && this.sequence[entry] !== sequence) entry = this.next[entry] as number;
    return entry;
  }

  /** Takes `entry` off, wherever it is in the list. */
  remove(queue: Queue, entry: number): void {
    if (queue.head === entry) {
      this.shift(queue);
      return;
    }
    let before = queue.head;
    while (this.next[before] !== entry) before = this.next[before] as number;
    this.next[before] = this.next[entry] as number;
    if (queue.tail === entry) queue.tail = before;
    this.#release(entry);
  }

  #release(entry: number): void {
    this.next[entry] = this.#free;
    this.#free = entry;
    this.size--;
  }

  #grow(capacity: number): void {
    const used = this.next.length;
    this.intended = widen(new Float64Array(capacity), this.intended);
    this.sent = widen(new Float64Array(capacity), this.sent);
    this.sequence = widen(new Int32Array(capacity), this.sequence);
    this.origin = widen(new Int32Array(capacity), this.origin);
    this.length = widen(new Int32Array(capacity), this.length);
    this.next = widen(new Int32Array(capacity), this.next);
    for (let entry = capacity - 1; entry >= used; entry--) {
      this.next[entry] = this.#free;
      this.#free = entry;
    }
  }
}

function widen<T extends Float64Array | Int32Array>(wide: T, narrow: T): T {
  wide.set(narrow);
  return wide;
}
