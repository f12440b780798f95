import { wordsOf } from './mask.ts';

const POOL_BYTES = 32 * 1024;

/**
 * Memory for small frames to send, shared by all connections.
 *
 * Works like the pool of `Buffer.allocUnsafe`, but keeps the view of words that masking needs
 * (creating it costs more than masking a small frame) and aligns every payload to a word.
 */
export class FramePool {
  bytes: Buffer = Buffer.allocUnsafeSlow(POOL_BYTES);
  words: Int32Array = wordsOf(this.bytes);
  #used = 0;

  /**
   * Reserves a frame of at most 32 KiB and returns where in `bytes` its payload starts, with
   * `headerBytes` before it and whole words after it.
   */
  claim(headerBytes: number, payloadBytes: number): number {
    let start = (this.#used + headerBytes + 3) & ~3;
    const size = (payloadBytes + 3) & ~3;
    if (start + size > POOL_BYTES) {
      // Frames that are not written yet keep the old memory alive.
      this.bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
      this.words = wordsOf(this.bytes);
      start = (headerBytes + 3) & ~3;
    }
    this.#used = start + size;
    return start;
  }
}
