import type { HeaderField, RequestHead, ResponseHead } from './head.ts';
import { isToken, quote } from './http-grammar.ts';
import { resolveLimits } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { violation } from '../violations.ts';
import type { Violation } from '../violations.ts';

interface HeadOf {
  readonly request: RequestHead;
  readonly response: ResponseHead;
}

const SWITCHING_PROTOCOLS = 101;

const LF = 0x0a;
const CR = 0x0d;

const REQUEST_LINE = /^(\S+) (\S+) (HTTP\/\d\.\d)$/;
const STATUS_LINE = /^(HTTP\/\d\.\d) (\d{3})(?: (.*))?$/;
const RESPONSE_START = 'HTTP/';
// Anything but field content: RFC 9110 section 5.5. Obsolete text (0x80 and up) is allowed.
const FORBIDDEN_IN_VALUE = /[\0-\x08\x0a-\x1f\x7f]/;

/**
 * Reads the head of an HTTP/1.1 message from bytes in any pieces, within limits.
 *
 * Call `receive` until `head()` or `violation` is defined; bytes after the head are in `rest()`.
 * Malformed lines become `flaws` of the head, which the rule lists report.
 */
export class HeadDecoder<Kind extends keyof HeadOf = keyof HeadOf> {
  readonly #kind: Kind;
  readonly #limits: Limits;
  #bytes: Buffer = Buffer.alloc(0);
  #head: HeadOf[Kind] | undefined;
  #violation: Violation | undefined;
  /** Of interim responses; they count towards the limit, or they could go on without end. */
  #interimBytes = 0;

  constructor(kind: Kind, limits: Partial<Pick<Limits, 'headerBytes' | 'headerCount'>> = {}) {
    this.#kind = kind;
    this.#limits = resolveLimits(limits);
  }

  /** Set if the bytes are not HTTP, or exceed a limit. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Takes a copy of `bytes`. */
  receive(bytes: Uint8Array): void {
    if (this.#violation !== undefined) return;
    const searched = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (this.#head === undefined) this.#search(searched);
  }

  #search(searched: number): void {
    if (!this.#looksLikeHttp()) {
      this.#failNotHttp(this.#bytes.toString('latin1'));
      return;
    }
    const end = findEnd(this.#bytes, searched);
    const limit = this.#limits.headerBytes;
    const seenBytes = this.#interimBytes + (end < 0 ? this.#bytes.length : end);
    if (seenBytes > limit) {
      const interim = this.#interimBytes === 0 ? '' : ', 1xx responses included';
      const seen = `${seenBytes} bytes of head${interim}`;
      this.#violation = violation('WSK_HEAD_TOO_BIG', { seen, expected: `at most ${limit}` });
    } else if (end >= 0) {
      this.#decode(this.#bytes.toString('latin1', 0, end));
      this.#bytes = this.#bytes.subarray(end);
      if (this.#isInterim()) {
        this.#interimBytes += end;
        this.#head = undefined;
        this.#search(0);
      }
    }
  }

  /** RFC 9110 section 15.2: a client has to parse 1xx responses before the final one. */
  #isInterim(): boolean {
    const head = this.#head;
    return head?.kind === 'response' && head.status < 200 && head.status !== SWITCHING_PROTOCOLS;
  }

  /** The head, once it is complete; of several responses the first that is 101 or not 1xx. */
  head(): HeadOf[Kind] | undefined {
    return this.#head;
  }

  /** What was received after the head, so far. */
  rest(): Buffer {
    return this.#head === undefined ? Buffer.alloc(0) : this.#bytes;
  }

  /** Detects other protocols early: many of their servers send little and then wait. */
  #looksLikeHttp(): boolean {
    if (this.#kind === 'request') {
      return this.#bytes.length === 0 || isToken(String.fromCharCode(this.#bytes[0] ?? 0));
    }
    const start = this.#bytes.toString('latin1', 0, RESPONSE_START.length);
    return RESPONSE_START.startsWith(start);
  }

  #failNotHttp(seen: string): void {
    const expected = this.#kind === 'request' ? 'an HTTP request' : 'an HTTP response';
    this.#violation = violation('WSK_NOT_HTTP', { seen: quote(seen), expected });
  }

  #decode(text: string): void {
    const flaws: string[] = [];
    // The last two lines are empty: the end of the head, and what follows its line break.
    const lines = text.split('\n').slice(0, -2);
    const [first = '', ...rest] = lines.map((line, index) => {
      if (line.endsWith('\r')) return line.slice(0, -1);
      // RFC 9112 2.2: a sender ends each line with CRLF; a recipient may take a bare LF.
      flaws.push(`line ${index + 1} ends with LF in place of CRLF`);
      return line;
    });
    if (rest.length > this.#limits.headerCount) {
      this.#violation = violation('WSK_TOO_MANY_HEADERS', {
        seen: `${rest.length} header fields`,
        expected: `at most ${this.#limits.headerCount}`,
      });
      return;
    }
    const fields = rest.flatMap((line) => decodeField(line, flaws));
    const head =
      this.#kind === 'request'
        ? decodeRequestLine(first, fields, flaws)
        : decodeStatusLine(first, fields, flaws);
    if (head === undefined) this.#failNotHttp(first);
    else this.#head = head as HeadOf[Kind];
  }
}

/** Where the empty line after the head ends, or -1; the first `searched` bytes hold none. */
function findEnd(bytes: Buffer, searched: number): number {
  let lineEnd = bytes.indexOf(LF, Math.max(0, searched - 2));
  while (lineEnd >= 0) {
    const next = bytes[lineEnd + 1] === CR ? lineEnd + 2 : lineEnd + 1;
    if (bytes[next] === LF) return next + 1;
    lineEnd = bytes.indexOf(LF, lineEnd + 1);
  }
  return -1;
}

function decodeRequestLine(
  line: string,
  fields: readonly HeaderField[],
  flaws: readonly string[],
): RequestHead | undefined {
  const [, method, target, version] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined || version === undefined) return undefined;
  return { kind: 'request', method, target, version, fields, flaws };
}

function decodeStatusLine(
  line: string,
  fields: readonly HeaderField[],
  flaws: readonly string[],
): ResponseHead | undefined {
  const [, version, status, reason = ''] = STATUS_LINE.exec(line) ?? [];
  if (version === undefined || status === undefined) return undefined;
  return { kind: 'response', version, status: Number(status), reason, fields, flaws };
}

/** Reads one field line; an invalid line becomes a flaw and is left out. */
function decodeField(line: string, flaws: string[]): HeaderField[] {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (colon < 0 || !isToken(name)) {
    // RFC 9112 5.1 and 5.2: no white space before the colon, no line folding.
    flaws.push(`${quote(line)} is not a header field`);
    return [];
  }
  if (FORBIDDEN_IN_VALUE.test(value)) flaws.push(`${name} has a control character in its value`);
  return [{ name, value }];
}
