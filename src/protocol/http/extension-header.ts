import { isToken, quote } from './http-grammar.ts';

/** One element of Sec-WebSocket-Extensions; parameters in order, repeated ones apart. */
export interface Extension {
  readonly name: string;
  readonly params: readonly ExtensionParam[];
}

/** One parameter; `value` is undefined for one without `=`. */
export interface ExtensionParam {
  readonly name: string;
  readonly value?: string | undefined;
}

/** A value parsed by the grammar of RFC 6455 section 9.1, or its first syntax error. */
export type ParsedExtensions =
  | { readonly ok: true; readonly extensions: readonly Extension[] }
  | { readonly ok: false; readonly flaw: string };

/** An element up to the next comma outside quoted strings. */
const ELEMENT = /[^,"]*(?:"(?:[^"\\]|\\.)*"[^,"]*)*/y;
const PART = /[^;"]*(?:"(?:[^"\\]|\\.)*"[^;"]*)*/y;

/** Parses the value of a Sec-WebSocket-Extensions header field (several joined by commas). */
export function parseExtensions(header: string): ParsedExtensions {
  const extensions: Extension[] = [];
  for (const element of splitOutsideQuotes(header, ELEMENT)) {
    // RFC 2616 2.1, the list rule that the grammar uses: "null elements are allowed".
    if (element === '') continue;
    const [name = '', ...rest] = splitOutsideQuotes(element, PART);
    if (!isToken(name)) return { ok: false, flaw: `${quote(name)} is not an extension name` };
    const params = rest.map(parseParam);
    const bad = params.findIndex((param) => param === undefined);
    if (bad >= 0) return { ok: false, flaw: `${quote(rest[bad] ?? '')} is not a parameter` };
    extensions.push({ name, params: params.filter((param) => param !== undefined) });
  }
  // ... "but at least one element" has to be there: 1#extension.
  if (extensions.length === 0) return { ok: false, flaw: 'no extension is named' };
  return { ok: true, extensions };
}

/** Writes extensions as the value of a header field; the reverse of `parseExtensions`. */
export function formatExtensions(extensions: readonly Extension[]): string {
  return extensions
    .map(({ name, params }) =>
      [name, ...params.map((p) => (p.value === undefined ? p.name : `${p.name}=${p.value}`))].join(
        '; ',
      ),
    )
    .join(', ');
}

function splitOutsideQuotes(text: string, piece: RegExp): string[] {
  const pieces: string[] = [];
  piece.lastIndex = 0;
  for (;;) {
    const at = piece.lastIndex;
    const match = piece.exec(text)?.[0] ?? '';
    const end = at + match.length;
    if (end >= text.length || text[end] === '"') {
      // After an unclosed quote the rest is one piece, which is always invalid.
      pieces.push(text.slice(at).trim());
      return pieces;
    }
    pieces.push(match.trim());
    piece.lastIndex = end + 1;
  }
}

/**
 * 9.1: token [ "=" (token | quoted-string) ], and what the quotes hold "MUST conform to token". The
 * grammar is that of RFC 2616, whose 2.1 allows white space between any two of them.
 */
function parseParam(text: string): ExtensionParam | undefined {
  const equals = text.indexOf('=');
  if (equals < 0) return isToken(text) ? { name: text } : undefined;
  const name = text.slice(0, equals).trimEnd();
  const raw = text.slice(equals + 1).trimStart();
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(raw)?.[1];
  const value = quoted === undefined ? raw : quoted.replace(/\\(.)/g, '$1');
  return isToken(name) && isToken(value) ? { name, value } : undefined;
}
