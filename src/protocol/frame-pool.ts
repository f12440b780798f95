import { wordsOf } from './mask.ts';

const POOL_BYTES = 32 * 1024;

/**
 * Memory that small outgoing frames are cut from, for all connections together.
 *
 * What `Buffer.allocUnsafe` does, with the view of words kept that masking needs: making that view
 * anew would cost more than masking a small frame.
 */
export class FramePool {
  bytes: Buffer = Buffer.allocUnsafeSlow(POOL_BYTES);
  words: Int32Array = wordsOf(this.bytes);
  #used = 0;

  /** Returns where in `bytes` there is room for `size` bytes, at most 32 KiB. */
  claim(size: number): number {
    if (this.#used + size > POOL_BYTES) {
      // The old memory lives on as long as frames cut from it do.
      this.bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
      this.words = wordsOf(this.bytes);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += size;
    return at;
  }

  /** Gives the last `size` claimed bytes back. */
  release(size: number): void {
    this.#used -= size;
  }
}
