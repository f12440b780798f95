import { EnvironmentError } from '../core/errors.ts';
import { fieldValue } from '../protocol/index.ts';
import type { ResponseHead } from '../protocol/index.ts';

/** A response with another status than 101: the `cause` of WSK_ERR_HTTP_STATUS. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly head: ResponseHead;
  /** The first bytes of the body. */
  readonly body: Buffer;

  constructor(head: ResponseHead, body: Buffer) {
    super(`HTTP ${head.status} ${head.reason}`.trimEnd());
    this.head = head;
    this.body = body;
  }
}

/** The error for such a response, with the headers and the start of the body that explain it. */
export function httpStatusError(url: URL, failure: HttpFailure): EnvironmentError {
  const message = [
    `${url.href} answered ${failure.message}, expected 101 Switching Protocols`,
    ...TELLING_FIELDS.flatMap((name) => {
      const value = fieldValue(failure.head, name);
      return value === undefined ? [] : [`${name}: ${value}`];
    }),
    ...(failure.body.length === 0 ? [] : [`body starts ${quoteBytes(failure.body)}`]),
  ].join('; ');
  return new EnvironmentError('WSK_ERR_HTTP_STATUS', message, {
    cause: failure,
    hint: hintFor(url, failure),
  });
}

const TELLING_FIELDS = [
  'location',
  'www-authenticate',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'allow',
  'retry-after',
  'content-type',
  'server',
  'via',
];

/** The start of `bytes`: quoted text, or hexadecimal if it is not text. */
export function quoteBytes(bytes: Buffer, limit = 120): string {
  const head = bytes.subarray(0, limit);
  const more = bytes.length > limit ? '...' : '';
  const text = head.toString('latin1');
  if (/^[\t\r\n\x20-\x7e]*$/.test(text)) return JSON.stringify(text.trim() + more);
  return `0x${head.subarray(0, 32).toString('hex')}${head.length > 32 ? '...' : more}`;
}

function hintFor(url: URL, { head, body }: HttpFailure): string {
  const status = head.status;
  const text = body.toString('latin1');
  if (/HTTPS port/i.test(text)) return 'the port speaks TLS: try wss:// instead of ws://';
  if (status >= 300 && status < 400) {
    return `the server moved it: try ${movedTo(url, fieldValue(head, 'location'))}`;
  }
  if (status < 300) {
    return `${url.pathname} is served as plain HTTP: is the path right, and does a proxy forward Upgrade?`;
  }
  return HINTS[status] ?? (status >= 500 ? SERVER_HINT : badRequestHint(text));
}

/** The target of a redirect as a URL to dial: absolute, and ws:// or wss:// in place of http. */
function movedTo(url: URL, location: string | undefined): string {
  if (location === undefined || !URL.canParse(location, url.href)) return 'the address in Location';
  const target = new URL(location, url);
  target.hash = '';
  if (target.protocol === 'http:') target.protocol = 'ws:';
  if (target.protocol === 'https:') target.protocol = 'wss:';
  return target.href;
}

const SERVER_HINT = 'the server, or one behind a proxy, failed: see its log';

const HINTS: Readonly<Record<number, string>> = {
  401: 'pass credentials, for example --header "Authorization: Bearer <token>"',
  403: 'the server refuses the origin or the credentials: try --header "Origin: https://<site>"',
  404: 'is the path of the URL right?',
  405: 'the path exists but accepts no WebSocket: is it the right one?',
  407: 'a proxy requires credentials: --header "Proxy-Authorization: ..."',
  426: 'the server requires another protocol or version: see the headers above',
  429: 'too many connections or requests: wait, or ask for a higher limit',
};

function badRequestHint(body: string): string {
  if (/protocol/i.test(body))
    return 'the server requires a subprotocol that it supports: --subprotocol <name>';
  return 'the server rejects the request: is a --subprotocol or a header missing, or does a proxy drop Upgrade?';
}
