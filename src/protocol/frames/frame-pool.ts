import { wordsOf } from './mask.ts';

const POOL_BYTES = 32 * 1024;

/**
 * Memory that small outgoing frames are cut from, for all connections together.
 *
 * What `Buffer.allocUnsafe` does, with the view of words kept that masking needs (making that view
 * anew would cost more than masking a small frame), and with every payload at the start of a word.
 */
export class FramePool {
  bytes: Buffer = Buffer.allocUnsafeSlow(POOL_BYTES);
  words: Int32Array = wordsOf(this.bytes);
  #used = 0;

  /**
   * Finds room for a frame of at most 32 KiB and returns where in `bytes` its payload starts, with
   * `headerBytes` free before it and whole words behind it.
   */
  claim(headerBytes: number, payloadBytes: number): number {
    let start = (this.#used + headerBytes + 3) & ~3;
    const size = (payloadBytes + 3) & ~3;
    if (start + size > POOL_BYTES) {
      // The old memory lives on as long as frames cut from it do.
      this.bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
      this.words = wordsOf(this.bytes);
      start = (headerBytes + 3) & ~3;
    }
    this.#used = start + size;
    return start;
  }
}
