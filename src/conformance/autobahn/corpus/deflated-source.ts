import { Deflater, Inflater, directionOf } from '../../../protocol/index.ts';
import type { NegotiatedDeflate, Violation } from '../../../protocol/index.ts';
import type { CompressionScript } from '../../case.ts';
import type { MessageSource, SourceMessage } from '../case-handler.ts';
import { corpus } from './corpus.ts';
import type { Corpus } from './corpus.ts';
import type { CachedSeries, DeflateCache } from './deflate-cache.ts';

/** The largest message in bytes a peer may inflate to: the longest there is, four octets a unit. */
const INFLATE_LIMIT = 4 * 131_072;

export interface DeflatedSourceOptions {
  readonly script: CompressionScript;
  readonly deflate: NegotiatedDeflate;
  /** What the tester is on this connection. */
  readonly role: 'client' | 'server';
  readonly cache: DeflateCache;
}

/** The messages of one compression case on one connection. */
export class DeflatedSource implements MessageSource {
  readonly binary: boolean;
  readonly #corpus: Corpus;
  readonly #size: number;
  /** Of the echo that is waited for. */
  #expectedBytes = 0;
  readonly #deflater: Deflater;
  readonly #inflater: Inflater;
  /** Undefined with context takeover: then every message depends on those before it. */
  readonly #cached: CachedSeries | undefined;

  constructor({ script, deflate, role, cache }: DeflatedSourceOptions) {
    const outgoing = directionOf(deflate, role);
    this.#corpus = corpus(script.corpus);
    this.#size = script.size;
    this.binary = this.#corpus.binary;
    this.#deflater = new Deflater(outgoing);
    this.#inflater = new Inflater(
      directionOf(deflate, role === 'client' ? 'server' : 'client'),
      INFLATE_LIMIT,
    );
    if (!outgoing.takeover) {
      this.#cached = cache.open(`${script.corpus} ${script.size} ${outgoing.windowBits}`);
    }
  }

  message(index: number): SourceMessage {
    const start = this.#corpus.startOf(this.#size, index);
    const plain = this.#corpus.cut(this.#size, start);
    this.#expectedBytes = plain.length;
    const deflate = (): Buffer => this.#deflater.deflate(plain, true);
    const deflated = this.#cached?.get(start, deflate) ?? deflate();
    return { plain, deflated };
  }

  inflate(pieces: readonly Buffer[]): Buffer | Violation {
    return this.#inflater.inflate(pieces, this.#expectedBytes);
  }

  release(): void {
    this.#cached?.release();
  }
}
