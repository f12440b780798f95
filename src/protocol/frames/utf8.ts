import { isUtf8 } from 'node:buffer';

/**
 * Checks UTF-8 that arrives in pieces and fails at the first byte that cannot continue a valid text
 * (RFC 3629; overlong forms, surrogates and code points above U+10FFFF are invalid).
 */
export class Utf8Stream {
  /** Missing continuation bytes of the open sequence: 0 to 3. */
  #needed = 0;
  /** The range of the next continuation byte; the second byte of some sequences has a smaller one. */
  #lowest = 0x80;
  #highest = 0xbf;

  /** Returns false as soon as `bytes` cannot continue a valid text; `reset` before the next text. */
  push(bytes: Uint8Array): boolean {
    let start = 0;
    while (this.#needed > 0 && start < bytes.length) {
      if (!this.#pushByte(bytes[start++] as number)) return false;
    }
    const cut = findOpenSequence(bytes, start);
    // The native check gets complete sequences only; the open one at the end is checked byte by
    // byte, so that f4 90 fails before the rest of its sequence arrives.
    if (
      cut > start &&
      !isUtf8(start === 0 && cut === bytes.length ? bytes : bytes.subarray(start, cut))
    ) {
      return false;
    }
    for (let i = cut; i < bytes.length; i++) {
      if (!this.#pushByte(bytes[i] as number)) return false;
    }
    return true;
  }

  /** Whether the text may end here: no sequence is open. */
  end(): boolean {
    return this.#needed === 0;
  }

  /** Drops an open sequence, so that another text can be checked. */
  reset(): void {
    this.#needed = 0;
    this.#lowest = 0x80;
    this.#highest = 0xbf;
  }

  #pushByte(byte: number): boolean {
    if (this.#needed === 0) return this.#pushFirst(byte);
    if (byte < this.#lowest || byte > this.#highest) return false;
    this.#lowest = 0x80;
    this.#highest = 0xbf;
    this.#needed--;
    return true;
  }

  #pushFirst(byte: number): boolean {
    this.#needed = sequenceLength(byte) - 1;
    // RFC 3629 section 4: the second byte decides about overlong forms (after E0 and F0),
    // surrogates (after ED) and the end of Unicode (after F4).
    if (byte === 0xe0) this.#lowest = 0xa0;
    else if (byte === 0xed) this.#highest = 0x9f;
    else if (byte === 0xf0) this.#lowest = 0x90;
    else if (byte === 0xf4) this.#highest = 0x8f;
    return byte < 0x80 || this.#needed > 0;
  }
}

/** Length of the sequence that starts with `byte`; 1 for ASCII and for invalid first bytes. */
function sequenceLength(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** Where an unfinished last sequence starts, or the end of `bytes` if there is none. */
function findOpenSequence(bytes: Uint8Array, from: number): number {
  const end = bytes.length;
  for (let i = end - 1; i >= from && i >= end - 3; i--) {
    const byte = bytes[i] as number;
    if ((byte & 0xc0) !== 0x80) return i + sequenceLength(byte) > end ? i : end;
  }
  return end;
}
