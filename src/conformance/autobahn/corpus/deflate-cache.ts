/** Compressed messages that are kept for other cases, in bytes. */
const BUDGET = 64 * 1024 * 1024;

interface Series {
  readonly messages: Map<number, Buffer>;
  bytes: number;
  users: number;
}

/** One series of compressed messages in use; `release` it when its case is over. */
export interface CachedSeries {
  /** The message that begins at `start`, made by `make` unless it is there. */
  get(start: number, make: () => Buffer): Buffer;
  release(): void;
}

/**
 * Compressed messages, for cases that send the same ones: without context takeover a message is
 * compressed to the same octets wherever it stands.
 *
 * Most of a run's work would be to compress them again and again. A series that nobody uses is
 * given up as soon as another one begins.
 */
export class DeflateCache {
  readonly #series = new Map<string, Series>();
  #bytes = 0;

  /** Takes the series `key` into use. */
  open(key: string): CachedSeries {
    let series = this.#series.get(key);
    if (series === undefined) {
      this.#dropUnused();
      series = { messages: new Map(), bytes: 0, users: 0 };
      this.#series.set(key, series);
    }
    series.users++;
    const open = series;
    return {
      get: (start, make) => this.#get(open, start, make),
      release: () => {
        open.users--;
      },
    };
  }

  #get(series: Series, start: number, make: () => Buffer): Buffer {
    const found = series.messages.get(start);
    if (found !== undefined) return found;
    const made = make();
    if (this.#bytes + made.length <= BUDGET) {
      // A copy: what zlib returns is a view of memory that was meant for the longest output.
      series.messages.set(start, Buffer.from(made));
      series.bytes += made.length;
      this.#bytes += made.length;
    }
    return made;
  }

  #dropUnused(): void {
    for (const [key, series] of this.#series) {
      if (series.users > 0) continue;
      this.#series.delete(key);
      this.#bytes -= series.bytes;
    }
  }
}
