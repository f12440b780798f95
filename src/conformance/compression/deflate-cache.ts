/** Compressed messages that are kept for other cases, in bytes. */
const BUDGET = 64 * 1024 * 1024;

/**
 * Compressed messages, for cases that send the same ones: without context takeover a message is
 * compressed to the same octets wherever it stands.
 *
 * Most of a run's work would be to compress them again and again.
 */
export class DeflateCache {
  readonly #series = new Map<string, Map<number, Buffer>>();
  #bytes = 0;

  /** The message `index` of the series `key`, made by `make` unless it is there. */
  get(key: string, index: number, make: () => Buffer): Buffer {
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Map();
    } else {
      this.#series.delete(key);
    }
    // The series used last stands last, so the first one is the one to give up.
    this.#series.set(key, series);
    const found = series.get(index);
    if (found !== undefined) return found;
    const made = make();
    this.#makeRoom(made.length, key);
    if (this.#bytes + made.length <= BUDGET) {
      // A copy: what zlib returns is a view of memory that was meant for the longest output.
      series.set(index, Buffer.from(made));
      this.#bytes += made.length;
    }
    return made;
  }

  #makeRoom(bytes: number, keep: string): void {
    for (const [key, series] of this.#series) {
      if (this.#bytes + bytes <= BUDGET || key === keep) return;
      for (const message of series.values()) this.#bytes -= message.length;
      this.#series.delete(key);
    }
  }
}
