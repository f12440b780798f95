import { acceptKey } from './accept-key.ts';
import type { HeaderField, RequestHead } from '../http/head.ts';
import { fieldValue } from '../http/head.ts';
import { isToken, quote } from '../http/http-grammar.ts';
import { WEBSOCKET_VERSION } from './request-rules.ts';
import type { Violation, ViolationCode } from '../violations.ts';

/** Extra header fields, as pairs of name and value. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface RequestInit {
  /** ws, wss, http or https. */
  readonly url: string | URL;
  /** From `createKey`. */
  readonly key: string;
  /** Subprotocols, the preferred one first. */
  readonly protocols?: readonly string[];
  /** The offers, as the value of Sec-WebSocket-Extensions; `formatExtensions` makes it. */
  readonly extensions?: string;
  /** More fields; one with the name of a handshake field replaces it. */
  readonly headers?: HeaderList;
}

/**
 * Composes a client's opening handshake: RFC 6455 section 4.1.
 *
 * Throws a TypeError for a URL of another scheme or an invalid header.
 */
export function createRequest(init: RequestInit): {
  bytes: Buffer;
  head: RequestHead;
  key: string;
} {
  const url = new URL(init.url);
  if (!/^(?:ws|http)s?:$/.test(url.protocol)) {
    throw new TypeError(`url has the scheme ${url.protocol}, expected ws: or wss:`);
  }
  // Section 3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT
  // be used on these URIs."
  if (url.hash !== '' || url.href.endsWith('#')) throw new TypeError('url has a fragment');
  const own: [string, string][] = [
    ['Host', url.host],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Key', init.key],
    ['Sec-WebSocket-Version', WEBSOCKET_VERSION],
  ];
  const protocols = init.protocols ?? [];
  if (!protocols.every(isToken) || new Set(protocols).size < protocols.length) {
    throw new TypeError(`subprotocols ${quote(protocols.join(', '))} are not distinct tokens`);
  }
  if (protocols.length > 0) own.push(['Sec-WebSocket-Protocol', protocols.join(', ')]);
  if (init.extensions) own.push(['Sec-WebSocket-Extensions', init.extensions]);
  if (url.username !== '') own.push(['Authorization', basicCredentials(url)]);
  const target = url.pathname + url.search;
  const fields = mergeFields(own, init.headers ?? []);
  const head: RequestHead = {
    kind: 'request',
    method: 'GET',
    target,
    version: 'HTTP/1.1',
    fields,
    flaws: [],
  };
  return { bytes: encodeHead(`GET ${target} HTTP/1.1`, fields), head, key: init.key };
}

export interface ResponseInit {
  /** The request to accept, checked by `verifyRequest`. */
  readonly request: RequestHead;
  readonly protocol?: string | null;
  /** The value of Sec-WebSocket-Extensions; empty for none. */
  readonly extensions?: string;
  readonly headers?: HeaderList;
}

/** Composes a server's 101: RFC 6455 section 4.2.2, item 5. */
export function createResponse(init: ResponseInit): Buffer {
  const key = fieldValue(init.request, 'sec-websocket-key') ?? '';
  const own: [string, string][] = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptKey(key)],
  ];
  if (init.protocol) own.push(['Sec-WebSocket-Protocol', init.protocol]);
  if (init.extensions) own.push(['Sec-WebSocket-Extensions', init.extensions]);
  return encodeHead('HTTP/1.1 101 Switching Protocols', mergeFields(own, init.headers ?? []));
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

export interface RejectionInit {
  readonly status: number;
  /** Plain text for people. */
  readonly body?: string;
  readonly headers?: HeaderList;
}

/** Composes a server's refusal, after which it closes: RFC 6455 section 4.2.2. */
export function createRejection(init: RejectionInit): Buffer {
  const body = Buffer.from(`${init.body ?? REASONS[init.status] ?? 'Refused'}\n`);
  const own: [string, string][] = [
    ['Connection', 'close'],
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(body.length)],
  ];
  if (init.status === 426) {
    // 4.4: the versions the server is willing to use.
    own.push(['Upgrade', 'websocket'], ['Sec-WebSocket-Version', WEBSOCKET_VERSION]);
  }
  if (init.status === 405) own.push(['Allow', 'GET']);
  const line = `HTTP/1.1 ${init.status} ${REASONS[init.status] ?? 'Refused'}`;
  return Buffer.concat([encodeHead(line, mergeFields(own, init.headers ?? [])), body]);
}

const STATUSES: Partial<Record<ViolationCode, number>> = {
  WSK_REQUEST_METHOD: 405,
  WSK_HTTP_VERSION: 505,
  WSK_UPGRADE: 426,
  WSK_CONNECTION: 426,
  WSK_VERSION: 426,
  WSK_HEAD_TOO_BIG: 431,
  WSK_TOO_MANY_HEADERS: 431,
};

/** The HTTP status that refuses a request for `violation`. */
export function rejectionStatus(violation: Violation): number {
  return STATUSES[violation.code] ?? 400;
}

function basicCredentials(url: URL): string {
  const pair = `${percentDecode(url.username)}:${percentDecode(url.password)}`;
  return `Basic ${Buffer.from(pair, 'latin1').toString('base64')}`;
}

/** The octets of URL text as Latin-1 characters; a % without two digits stays (WHATWG URL). */
function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** `own` without the fields that `extra` replaces, then `extra`. */
function mergeFields(own: HeaderList, extra: HeaderList): HeaderField[] {
  const replaced = new Set(extra.map(([name]) => name.toLowerCase()));
  return [...own.filter(([name]) => !replaced.has(name.toLowerCase())), ...extra].map(
    ([name, value]) => ({ name, value }),
  );
}

function encodeHead(startLine: string, fields: readonly HeaderField[]): Buffer {
  for (const { name, value } of fields) {
    // A line break in a value would inject fields, or a second message.
    if (!isToken(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(`header ${quote(`${name}: ${value}`)} cannot be sent`);
    }
  }
  const lines = fields.map(({ name, value }) => `${name}: ${value}`);
  return Buffer.from([startLine, ...lines, '', ''].join('\r\n'), 'latin1');
}
