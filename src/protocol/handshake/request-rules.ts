import { DEFLATE_EXTENSION, parseDeflate } from '../deflate/params.ts';
import type { DeflateFlaw } from '../deflate/params.ts';
import { parseExtensions } from '../http/extension-header.ts';
import { fieldValue, fieldValues } from '../http/head.ts';
import type { RequestHead } from '../http/head.ts';
import { isToken, listIncludes, quote, splitList } from '../http/http-grammar.ts';
import { evaluate, judge, pass, skip } from './rules.ts';
import type { Finding, Rule, RuleResult } from './rules.ts';

/** The only version this side speaks: RFC 6455 section 4.1, item 9. */
export const WEBSOCKET_VERSION = '13';

/** Holds a client's opening handshake against RFC 6455 section 4 and RFC 7692 section 7.1. */
export function checkRequest(head: RequestHead): RuleResult[] {
  return evaluate(REQUEST_RULES, head);
}

const REQUEST_RULES: readonly Rule<RequestHead>[] = [
  {
    id: 'request-method',
    rfc: '6455#4.1',
    rule: 'The method of the request is GET.',
    code: 'WSK_REQUEST_METHOD',
    expected: 'GET',
    check: ({ method }) => judge(method === 'GET', method),
  },
  {
    id: 'request-http-version',
    rfc: '6455#4.1',
    rule: 'The HTTP version of the request is at least 1.1.',
    code: 'WSK_HTTP_VERSION',
    expected: 'HTTP/1.1 or higher',
    check: ({ version }) => judge(isModern(version), version),
  },
  {
    id: 'request-target',
    rfc: '6455#4.1',
    rule: 'The request target is a path with an optional query, or an absolute http(s) URI.',
    code: 'WSK_REQUEST_TARGET',
    expected: 'a path that starts with / or an http(s) URI, in visible ASCII',
    check: ({ target }) => judge(/^(?:\/|https?:\/\/[^/?#]+)[!-~]*$/i.test(target), quote(target)),
  },
  {
    id: 'request-fragment',
    rfc: '6455#3',
    rule: 'The request target has no fragment identifier.',
    code: 'WSK_REQUEST_TARGET',
    expected: 'no #',
    check: ({ target }) => judge(!target.includes('#'), quote(target)),
  },
  {
    id: 'request-target-host',
    rfc: '6455#4.1',
    rule: 'An absolute request target names the host and port of the Host field.',
    code: 'WSK_REQUEST_TARGET',
    expected: (head) => `the host ${describe(fieldValues(head, 'host'))}`,
    check: (head) => {
      if (!/^https?:/i.test(head.target)) return skip('the request target is a path');
      const [host = ''] = fieldValues(head, 'host');
      if (!isHost(host)) return skip('no usable Host');
      return judge(namesHost(head.target, host), quote(head.target));
    },
  },
  {
    id: 'request-fields',
    rfc: '6455#4.1',
    rule: 'The request keeps to the grammar of HTTP.',
    code: 'WSK_HEAD_SYNTAX',
    expected: 'field lines of name, colon and value, each ended by CRLF',
    check: ({ flaws, fields }) => judgeFlaws(flaws, fields.length),
  },
  {
    id: 'request-host',
    rfc: '6455#4.1',
    rule: 'There is one Host field, with the host and, unless it is the default, the port.',
    code: 'WSK_HOST',
    expected: 'one host name or address with an optional port',
    check: (head) => {
      const hosts = fieldValues(head, 'host');
      return judge(hosts.length === 1 && isHost(hosts[0] ?? ''), describe(hosts));
    },
  },
  {
    id: 'request-upgrade',
    rfc: '6455#4.1',
    rule: 'The Upgrade field includes the keyword websocket.',
    code: 'WSK_UPGRADE',
    expected: 'websocket',
    check: (head) => {
      const values = fieldValues(head, 'upgrade');
      return judge(listIncludes(values, 'websocket'), describe(values));
    },
  },
  {
    id: 'request-connection',
    rfc: '6455#4.1',
    rule: 'The Connection field includes the token Upgrade.',
    code: 'WSK_CONNECTION',
    expected: 'Upgrade among its tokens',
    check: (head) => {
      const values = fieldValues(head, 'connection');
      return judge(listIncludes(values, 'upgrade'), describe(values));
    },
  },
  {
    id: 'request-key-once',
    rfc: '6455#11.3.1',
    rule: 'There is one Sec-WebSocket-Key field.',
    code: 'WSK_KEY',
    expected: 'one Sec-WebSocket-Key',
    check: (head) => {
      const keys = fieldValues(head, 'sec-websocket-key');
      return judge(keys.length === 1, describe(keys));
    },
  },
  {
    id: 'request-key',
    rfc: '6455#4.1',
    rule: 'The key is a nonce of 16 bytes in base64.',
    code: 'WSK_KEY',
    expected: '22 characters of base64 followed by ==',
    check: (head) => {
      const [key] = fieldValues(head, 'sec-websocket-key');
      if (key === undefined) return skip('no Sec-WebSocket-Key');
      return judge(/^[A-Za-z0-9+/]{22}==$/.test(key), quote(key));
    },
  },
  {
    id: 'request-version-once',
    rfc: '6455#11.3.5',
    rule: 'There is one Sec-WebSocket-Version field.',
    code: 'WSK_VERSION',
    expected: 'one Sec-WebSocket-Version',
    check: (head) => {
      const versions = fieldValues(head, 'sec-websocket-version');
      return judge(versions.length === 1, describe(versions));
    },
  },
  {
    id: 'request-version',
    rfc: '6455#4.1',
    rule: 'The version of the protocol is 13.',
    code: 'WSK_VERSION',
    expected: WEBSOCKET_VERSION,
    check: (head) => {
      const [version] = fieldValues(head, 'sec-websocket-version');
      if (version === undefined) return skip('no Sec-WebSocket-Version');
      return judge(version === WEBSOCKET_VERSION, quote(version));
    },
  },
  {
    id: 'request-origin',
    rfc: '6455#4.1',
    rule: 'The Origin field, which browsers send, holds one serialized origin or null.',
    code: 'WSK_ORIGIN',
    expected: 'scheme://host with an optional port, or null',
    // 4.2.2: what to make of an origin is the server's own policy.
    fatal: false,
    check: (head) => {
      const origins = fieldValues(head, 'origin');
      if (origins.length === 0) return skip('no Origin');
      return judge(origins.length === 1 && isOrigin(origins[0] ?? ''), describe(origins));
    },
  },
  {
    id: 'request-subprotocols',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Protocol lists non-empty tokens.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'tokens separated by commas',
    check: (head) => judgeSubprotocols(head, (names) => names.every(isToken)),
  },
  {
    id: 'request-subprotocols-unique',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Protocol lists no subprotocol twice.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'each subprotocol once',
    check: (head) => judgeSubprotocols(head, (names) => new Set(names).size === names.length),
  },
  {
    id: 'request-extensions',
    rfc: '6455#9.1',
    rule: 'Sec-WebSocket-Extensions keeps to its grammar.',
    code: 'WSK_EXTENSIONS',
    expected: 'extensions with parameters, as in permessage-deflate; client_max_window_bits',
    check: (head) => {
      const header = fieldValue(head, 'sec-websocket-extensions');
      if (header === undefined) return skip('no Sec-WebSocket-Extensions');
      const parsed = parseExtensions(header);
      return judge(parsed.ok, parsed.ok ? quote(header) : parsed.flaw);
    },
  },
  deflateRule('unknown', {
    id: 'request-deflate-names',
    rfc: '7692#7.1',
    rule: 'An offer of permessage-deflate has only parameters that exist.',
    expected: '{server,client}_{no_context_takeover,max_window_bits}',
  }),
  deflateRule('repeated', {
    id: 'request-deflate-unique',
    rfc: '7692#7.1',
    rule: 'An offer of permessage-deflate has no parameter twice.',
    expected: 'each parameter once',
  }),
  deflateRule('value', {
    id: 'request-deflate-values',
    rfc: '7692#7.1',
    rule: 'The parameters of an offer of permessage-deflate have legal values.',
    expected: 'windows of 8 to 15 bits without leading zeros; no value for no_context_takeover',
  }),
];

function deflateRule(
  kind: DeflateFlaw,
  text: Pick<Rule<RequestHead>, 'id' | 'rfc' | 'rule' | 'expected'>,
): Rule<RequestHead> {
  return {
    ...text,
    code: 'WSK_DEFLATE_PARAMETERS',
    // 7.1: a server declines such an offer; the handshake goes on without it.
    fatal: false,
    check: (head) => {
      const parsed = parseExtensions(fieldValue(head, 'sec-websocket-extensions') ?? '');
      const offers = parsed.ok
        ? parsed.extensions.filter((extension) => extension.name === DEFLATE_EXTENSION)
        : [];
      if (offers.length === 0) return skip('no offer of permessage-deflate');
      const flaws = offers
        .flatMap((offer) => parseDeflate(offer, 'request').flaws)
        .filter((flaw) => flaw.kind === kind);
      return judge(flaws.length === 0, flaws[0]?.text ?? countOf(offers.length, 'offer'));
    },
  };
}

function judgeSubprotocols(head: RequestHead, holds: (names: string[]) => boolean): Finding {
  const header = fieldValue(head, 'sec-websocket-protocol');
  return header === undefined
    ? skip('no Sec-WebSocket-Protocol')
    : judge(holds(splitList(header)), quote(header));
}

/** Judges what a head decoder found fault with; shared with the rules for responses. */
export function judgeFlaws(flaws: readonly string[], fields: number): Finding {
  const [first, ...more] = flaws;
  if (first === undefined) return pass(countOf(fields, 'header field'));
  return judge(false, more.length === 0 ? first : `${first}, and ${more.length} more`);
}

export function isModern(version: string): boolean {
  const [, major, minor] = /^HTTP\/(\d)\.(\d)$/.exec(version) ?? [];
  return Number(major) > 1 || (major === '1' && Number(minor) >= 1);
}

/** Says what a header field held: its values, or that it is missing. */
export function describe(values: readonly string[]): string {
  return values.length === 0 ? 'none' : values.map(quote).join(' and ');
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9\-._~%!$&'()*+;=]+)(?::(\d{1,5}))?$/i;

function isHost(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && Number(match[1] ?? 0) <= 65535;
}

/** Whether an absolute URI is at `host`, the default port said or unsaid. */
function namesHost(target: string, host: string): boolean {
  const scheme = target.slice(0, target.indexOf(':'));
  const wanted = `${scheme}://${host}`;
  if (!URL.canParse(target) || !URL.canParse(wanted)) return false;
  return new URL(target).host === new URL(wanted).host;
}

/** RFC 6454 section 7.1: `null`, or scheme, host and port without a path. */
function isOrigin(text: string): boolean {
  if (text === 'null') return true;
  const [, host] = /^[a-z][a-z0-9+\-.]*:\/\/(.+)$/i.exec(text) ?? [];
  return host !== undefined && isHost(host);
}
