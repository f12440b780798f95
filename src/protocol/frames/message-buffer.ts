/** Room given at once to a frame that is still arriving, whatever it announces. */
const MAX_TRUSTED_BYTES = 1024 * 1024;

const EMPTY = Buffer.alloc(0);

/**
 * The bytes of the message that is being received, copied into one buffer.
 *
 * One growing buffer rather than a list of pieces: a peer that sends a message byte by byte then
 * costs the message's bytes, not an object for each of them.
 */
export class MessageBuffer {
  /** Filled up to `length`; the pieces are unmasked where they lie. */
  bytes: Buffer = EMPTY;
  length = 0;

  /**
   * Copies `source[start..end)` behind what is there.
   *
   * `announced` is how many bytes of the frame come after these: room for them is made as far as a
   * peer may be trusted with memory, up to 1 MiB or as much again as it really sent.
   */
  append(source: Buffer, start: number, end: number, announced: number): void {
    const needed = this.length + (end - start);
    if (needed > this.bytes.length) {
      const trusted = Math.max(MAX_TRUSTED_BYTES, 2 * needed);
      // A fragment announces no successor, so doubling keeps many of them from being copied often.
      const wanted = Math.max(needed + announced, this.length > 0 ? 2 * this.length : 0);
      this.#grow(Math.max(needed, Math.min(wanted, trusted)));
    }
    this.bytes.set(source.subarray(start, end), this.length);
    this.length = needed;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.length = 0;
  }

  /** Hands the message over and starts anew. */
  take(): Buffer {
    const message =
      this.length === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.length);
    this.bytes = EMPTY;
    this.length = 0;
    return message;
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    if (this.length > 0) grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
