/** Whether the low byte of a machine word is first in memory, as on every common processor. */
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Below this size, the view for word-wise masking costs more than it saves. */
export const MIN_WORDWISE_BYTES = 128;

/** The high bit of each of four bytes: clear in all of them means ASCII. */
export const NON_ASCII = 0x80808080;

/**
 * Masks or unmasks `bytes` in place; doing it twice restores them (RFC 6455 5.3).
 *
 * `offset` is the position of `bytes[0]` in the payload, for a payload that arrives in pieces.
 */
export function mask(bytes: Uint8Array, maskingKey: Uint8Array, offset = 0): void {
  maskRange(bytes, 0, bytes.length, rotateKey(packKey(maskingKey, 0), offset));
}

/** Packs the four key octets at `offset` into an integer, first octet lowest. */
export function packKey(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  );
}

/** Rotates a packed key so that its first octet is the one for payload position `by`. */
export function rotateKey(key: number, by: number): number {
  const bits = (by & 3) << 3;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/** Views the aligned middle of `bytes` as words, for `maskRange` over several parts of them. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const start = (bytes.byteOffset + 3) & ~3;
  const count = (bytes.byteOffset + bytes.length - start) >> 2;
  // Where there is no whole word, `start` may lie behind the end of the memory.
  return count <= 0 ? new Int32Array(0) : new Int32Array(bytes.buffer, start, count);
}

/**
 * Masks `bytes[start..end)` in place with a packed key whose first octet is for `bytes[start]`.
 *
 * Returns the bitwise or of all resulting bytes, four by four: `& NON_ASCII` tells at no cost
 * whether a text needs a UTF-8 check. Pass `words` (from `wordsOf(bytes)`) when many ranges
 * of the same bytes are to be masked. (Five parameters, because this runs for every frame.)
 */
export function maskRange(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: number,
  words?: Int32Array,
): number {
  if (words === undefined) {
    if (end - start < MIN_WORDWISE_BYTES) return maskBytes(bytes, start, end, key);
    words = wordsOf(bytes);
  }
  const base = bytes.byteOffset;
  const head = Math.min(end, start + (-(base + start) & 3));
  const seen = maskBytes(bytes, start, head, key);
  const wordKey = rotateKey(key, head - start);
  const first = (base + head - words.byteOffset) >> 2;
  const last = first + ((end - head) >> 2);
  const tail = head + ((last - first) << 2);
  return (
    seen |
    maskWords(words, first, last, LITTLE_ENDIAN ? wordKey : swapBytes(wordKey)) |
    maskBytes(bytes, tail, end, wordKey)
  );
}

/**
 * Copies the first `length` bytes of `source` to the word at `at` of `target`, masked on the way.
 *
 * Writes whole words: up to three bytes after the end change, too. A key of 0 copies unchanged.
 */
export function copyMasked(
  source: Int32Array,
  target: Int32Array,
  { at, length, key }: { readonly at: number; readonly length: number; readonly key: number },
): void {
  const wordKey = LITTLE_ENDIAN ? key : swapBytes(key);
  const count = (length + 3) >> 2;
  for (let i = 0; i < count; i++) target[at + i] = (source[i] as number) ^ wordKey;
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): number {
  let seen = 0;
  for (let i = start; i < end; i++) {
    const byte = (bytes[i] as number) ^ (key & 0xff);
    bytes[i] = byte;
    seen |= byte;
    key = (key >>> 8) | (key << 24);
  }
  return seen;
}

function maskWords(words: Int32Array, first: number, last: number, key: number): number {
  let seen = 0;
  for (let i = first; i < last; i++) {
    const word = (words[i] as number) ^ key;
    words[i] = word;
    seen |= word;
  }
  return seen;
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
