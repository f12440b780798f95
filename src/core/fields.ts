import * as z from 'zod';

/**
 * The pieces of input that several operations share, each with its range and its words.
 *
 * `meta` steers the derived command line: `flag` renames an option, `separator` lets one value hold
 * a list, `placeholder` stands in `--help`.
 */

/** A TCP port to listen on. */
export const Port = z.int().min(1).max(65535).meta({ placeholder: 'port' });

/** An RFC 6455 URI: ws or wss, no fragment (section 3). */
export const WebSocketUrl = z
  .string()
  .refine(isWebSocketUrl, {
    error: ({ input }) => {
      const text = String(input);
      if (Number(/^wss?:\/\/[^/?#]*:(\d+)(?![^/?#])/i.exec(text)?.[1]) > 65_535) {
        return 'expected a port from 1 to 65535';
      }
      const meant = suggestUrl(text);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return `expected a ws:// or wss:// URL without a fragment${hint}`;
    },
  })
  .meta({ placeholder: 'url' });

function isWebSocketUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^wss?:$/.test(url.protocol) && !text.includes('#');
}

/** What may be meant by an address that browsers and other tools would take. */
function suggestUrl(text: string): string | undefined {
  const trimmed = text.trim().replace(/#.*$/s, '');
  const meant = trimmed
    .replace(/^http(s?)(?=:\/\/)/i, (_, s: string) => `ws${s.toLowerCase()}`)
    .replace(/^(?=\/\/)/, 'ws:')
    .replace(/^:?(?=\d+(\/|$))/, 'ws://localhost:')
    .replace(/^(?=(\[[\da-f:.]+\]|[\w-]+(\.[\w-]+)*)(:\d+)?([/?]|$))/i, 'ws://');
  return isWebSocketUrl(meant) ? meant : undefined;
}

const DAY_MS = 86_400_000;
const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const DURATION_WORDS = 'a time such as 500ms, 10s, 2m or 1h';

/** Milliseconds: a number, or a text with its unit such as `500ms`, `10s`, `2m` or `1h`. */
export const DurationMs = z
  .preprocess(parseDuration, z.number().positive().max(DAY_MS))
  .meta({ placeholder: 'duration', expected: `${DURATION_WORDS}, above 0 and up to 24h` });

/** As `DurationMs`, and 0. */
export const DurationOrNoneMs = z
  .preprocess(parseDuration, z.number().min(0).max(DAY_MS))
  .meta({ placeholder: 'duration', expected: `0 or ${DURATION_WORDS}, up to 24h` });

function parseDuration(value: number | string): unknown {
  // Somebody who types 60 may mean seconds or milliseconds: a text has to say which.
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h)$|^0$/.exec(value) : null;
  if (match === null) return value;
  return Number(match[1] ?? 0) * (UNITS_MS[match[2] ?? ''] ?? 1);
}

/** 5000 -> `5s`: in the largest unit that leaves a whole number. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = Object.entries(UNITS_MS).find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

/** Fields that the opening handshake sets itself, in lower case, and what sets them instead. */
const HANDSHAKE_FIELDS: Readonly<Record<string, string>> = {
  'sec-websocket-protocol': 'offer one with --subprotocol (subprotocol in a scenario)',
  'sec-websocket-extensions': 'offer compression with --compression of test or benchmark',
  'sec-websocket-key': 'validate-handshake tries wrong keys',
  'sec-websocket-version': 'validate-handshake tries other versions',
  'sec-websocket-accept': 'only a response has it',
  upgrade: 'validate-handshake tries other values',
  connection: 'validate-handshake tries other values',
};

/** Whether another field than one of the handshake's own is meant; `text` may hold a value behind it. */
function isExtraField(text: string): boolean {
  return !Object.hasOwn(HANDSHAKE_FIELDS, fieldName(text).toLowerCase());
}

function fieldName(text: string): string {
  return text.replace(/:.*$/s, '').trim();
}

const EXTRA_FIELD = {
  error: ({ input }: { readonly input?: unknown }): string => {
    const name = fieldName(String(input));
    const instead = HANDSHAKE_FIELDS[name.toLowerCase()] ?? '';
    return `${name} is a field of the opening handshake itself: ${instead}`;
  },
};

/** One extra request header, `Name: value`: none of those that make the handshake one. */
export const HeaderLine = z
  .string()
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\s*:[^\r\n]*$/, 'expected "Name: value"')
  .refine(isExtraField, EXTRA_FIELD)
  .meta({ placeholder: 'name:value' });

/** The name of one. */
export const HeaderName = z
  .string()
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'expected the name of a header')
  .refine(isExtraField, EXTRA_FIELD);

/** A name of a subprotocol: a token (RFC 6455 section 4.1, item 10). */
export const Subprotocol = z
  .string()
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'expected a token (RFC 9110 section 5.6.2)');

/** Splits `Name: value` lines. */
export function parseHeaderLines(lines: readonly string[]): [name: string, value: string][] {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}
