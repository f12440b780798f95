/**
 * Measures how far back a DEFLATE stream (RFC 1951) reaches, which zlib's own inflater tolerates
 * beyond the window it was told. Written for tests: correct, not fast.
 */
export function longestDistance(stream: Uint8Array): number {
  const bits = new BitReader(stream);
  let longest = 0;
  for (let final = false; !final && bits.left >= 3;) {
    final = bits.take(1) === 1;
    const type = bits.take(2);
    if (type === 3) throw new Error('reserved block type');
    if (type === 0) skipStored(bits);
    else longest = Math.max(longest, readBlock(bits, type === 1 ? FIXED : readTables(bits)));
  }
  return longest;
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length * 8 - this.#at;
  }

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      value |= (((this.#bytes[this.#at >> 3] ?? 0) >> (this.#at & 7)) & 1) << i;
    }
    return value;
  }

  alignToByte(): void {
    this.#at = (this.#at + 7) & ~7;
  }
}

/** Symbols by their code, written as `length:code`. */
type Table = ReadonlyMap<string, number>;

interface Tables {
  readonly literals: Table;
  readonly distances: Table;
}

/** RFC 1951 section 3.2.2: canonical codes from code lengths. */
function tableOf(lengths: readonly number[]): Table {
  const table = new Map<string, number>();
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    for (const [symbol, own] of lengths.entries()) {
      if (own === length) table.set(`${length}:${code++}`, symbol);
    }
    code <<= 1;
  }
  return table;
}

const FIXED: Tables = {
  literals: tableOf([
    ...Array<number>(144).fill(8),
    ...Array<number>(112).fill(9),
    ...Array<number>(24).fill(7),
    ...Array<number>(8).fill(8),
  ]),
  distances: tableOf(Array<number>(30).fill(5)),
};

function readSymbol(bits: BitReader, table: Table): number {
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    code = (code << 1) | bits.take(1);
    const symbol = table.get(`${length}:${code}`);
    if (symbol !== undefined) return symbol;
  }
  throw new Error('no such code');
}

function skipStored(bits: BitReader): void {
  bits.alignToByte();
  const length = bits.take(16);
  bits.take(16);
  for (let i = 0; i < length; i++) bits.take(8);
}

const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** RFC 1951 section 3.2.7. */
function readTables(bits: BitReader): Tables {
  const literalCount = bits.take(5) + 257;
  const distanceCount = bits.take(5) + 1;
  const lengthCount = bits.take(4) + 4;
  const codeLengths = Array<number>(19).fill(0);
  for (const symbol of ORDER.slice(0, lengthCount)) codeLengths[symbol] = bits.take(3);
  const table = tableOf(codeLengths);
  const lengths: number[] = [];
  while (lengths.length < literalCount + distanceCount) {
    const symbol = readSymbol(bits, table);
    if (symbol < 16) lengths.push(symbol);
    else if (symbol === 16) {
      const last = lengths.at(-1) ?? 0;
      lengths.push(...Array<number>(bits.take(2) + 3).fill(last));
    } else
      lengths.push(...Array<number>(symbol === 17 ? bits.take(3) + 3 : bits.take(7) + 11).fill(0));
  }
  return {
    literals: tableOf(lengths.slice(0, literalCount)),
    distances: tableOf(lengths.slice(literalCount)),
  };
}

const END_OF_BLOCK = 256;

/** Reads one compressed block, for its distances alone: RFC 1951 section 3.2.5. */
function readBlock(bits: BitReader, { literals, distances }: Tables): number {
  let longest = 0;
  for (;;) {
    const symbol = readSymbol(bits, literals);
    if (symbol === END_OF_BLOCK) return longest;
    if (symbol < END_OF_BLOCK) continue;
    const index = symbol - 257;
    if (index >= 8 && index < 28) bits.take((index >> 2) - 1);
    const distance = readSymbol(bits, distances);
    const extra = distance < 4 ? 0 : (distance >> 1) - 1;
    const base = distance < 4 ? distance : (2 + (distance & 1)) << extra;
    longest = Math.max(longest, base + bits.take(extra) + 1);
  }
}
