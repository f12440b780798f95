/** Memory allocated at once for an incomplete frame, whatever length it announces. */
const MAX_TRUSTED_BYTES = 1024 * 1024;

const EMPTY = Buffer.alloc(0);

/**
 * The bytes of an incomplete message in one growing buffer.
 *
 * With a list of pieces, a peer that sends a message byte by byte would cause an object per byte.
 */
export class MessageBuffer {
  /** Used up to `length`; the pieces are unmasked in place. */
  bytes: Buffer = EMPTY;
  length = 0;

  /**
   * Appends `source[start..end)`.
   *
   * `announced` is how many bytes of the frame are still missing: memory for them is allocated up to
   * 1 MiB, or up to twice the bytes really received.
   */
  append(source: Buffer, start: number, end: number, announced: number): void {
    const needed = this.length + (end - start);
    if (needed > this.bytes.length) {
      const trusted = Math.max(MAX_TRUSTED_BYTES, 2 * needed);
      // The next fragment is not announced; doubling limits how often bytes are copied.
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

  /** Returns the message and clears the buffer. */
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
