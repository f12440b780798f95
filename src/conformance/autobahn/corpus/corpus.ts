import type { CorpusName } from '../../case.ts';
import { makeDocument, makeHtml, makeImage, makeJson, makeProse } from './make-corpus.ts';

/** Data that messages are cut from, going around and around. */
export interface Corpus {
  /** Whether messages of it are sent as binary. */
  readonly binary: boolean;
  /** Where message `index` of `size` octets, or code points of a text, begins. */
  startOf(size: number, index: number): number;
  /** The message of `size` units that begins at `start`. */
  cut(size: number, start: number): Buffer;
}

/** The largest message there is. */
const MAX_SIZE = 131_072;

const MAKERS: Readonly<Record<CorpusName, { make: () => Buffer; binary: boolean }>> = {
  json: { make: makeJson, binary: false },
  image: { make: makeImage, binary: true },
  // Text that is sent as binary, as in Autobahn.
  prose: { make: makeProse, binary: true },
  html: { make: makeHtml, binary: false },
  document: { make: makeDocument, binary: true },
};

const made = new Map<CorpusName, Corpus>();

/** The corpus of that name, synthesised when first asked for. */
export function corpus(name: CorpusName): Corpus {
  let found = made.get(name);
  if (found === undefined) {
    const { make, binary } = MAKERS[name];
    found = createCorpus(make(), binary);
    made.set(name, found);
  }
  return found;
}

function createCorpus(data: Buffer, binary: boolean): Corpus {
  const starts = binary ? undefined : codePointStarts(data);
  const units = starts === undefined ? data.length : starts.length;
  const octetOf = (unit: number): number => (starts === undefined ? unit : (starts[unit] ?? 0));
  // With its beginning behind its end, every window that goes around is one piece.
  const around = Buffer.concat([data, data.subarray(0, octetOf(MAX_SIZE))]);
  return {
    binary,
    startOf: (size, index) => (index * size) % units,
    cut(size, start) {
      const stop = start + size;
      const end = stop < units ? octetOf(stop) : data.length + octetOf(stop - units);
      return around.subarray(octetOf(start), end);
    },
  };
}

/** Where each code point of a text begins; undefined for ASCII, where every octet is one. */
function codePointStarts(data: Buffer): Uint32Array | undefined {
  const starts: number[] = [];
  for (const [at, octet] of data.entries()) if ((octet & 0xc0) !== 0x80) starts.push(at);
  return starts.length === data.length ? undefined : Uint32Array.from(starts);
}
