import { fieldValues } from '../http/head.ts';
import type { RequestHead } from '../http/head.ts';
import { isToken, listIncludes, quote, splitList } from '../http/http-grammar.ts';
import {
  deflateRules,
  describe,
  extensionsRule,
  fieldsRule,
  first,
  httpVersionRule,
  isOne,
  optional,
  values,
} from './head-rules.ts';
import { evaluate, verdict, skip } from './rules.ts';
import type { Rule, RuleResult } from './rules.ts';

/** The only version of the protocol: RFC 6455 section 4.1, item 9. */
export const WEBSOCKET_VERSION = '13';

/** Checks a client's opening handshake by RFC 6455 section 4 and RFC 7692 section 7.1. */
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
    check: ({ method }) => verdict(method === 'GET', method),
  },
  httpVersionRule('request', '6455#4.1'),
  {
    id: 'request-target',
    rfc: '6455#4.1',
    rule: 'The request target is a path with an optional query, or an absolute http(s) URI.',
    code: 'WSK_REQUEST_TARGET',
    expected: 'a path that starts with / or an http(s) URI, in visible ASCII',
    check: ({ target }) =>
      verdict(/^(?:\/|https?:\/\/[^/?#]+)[!-~]*$/i.test(target), quote(target)),
  },
  {
    id: 'request-fragment',
    rfc: '6455#3',
    rule: 'The request target has no fragment identifier.',
    code: 'WSK_REQUEST_TARGET',
    expected: 'no #',
    check: ({ target }) => verdict(!target.includes('#'), quote(target)),
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
      return verdict(namesHost(head.target, host), quote(head.target));
    },
  },
  fieldsRule('request', '6455#4.1'),
  {
    id: 'request-host',
    rfc: '6455#4.1',
    rule: 'There is one Host field, with the host and, unless it is the default, the port.',
    code: 'WSK_HOST',
    expected: 'one host name or address with an optional port',
    check: values('Host', (hosts) => isOne(hosts) && hosts.every(isHost)),
  },
  {
    id: 'request-upgrade',
    rfc: '6455#4.1',
    rule: 'The Upgrade field includes the keyword websocket.',
    code: 'WSK_UPGRADE',
    expected: 'websocket',
    check: values('Upgrade', (found) => listIncludes(found, 'websocket')),
  },
  {
    id: 'request-connection',
    rfc: '6455#4.1',
    rule: 'The Connection field includes the token Upgrade.',
    code: 'WSK_CONNECTION',
    expected: 'Upgrade among its tokens',
    check: values('Connection', (found) => listIncludes(found, 'upgrade')),
  },
  {
    id: 'request-key-once',
    rfc: '6455#11.3.1',
    rule: 'There is one Sec-WebSocket-Key field.',
    code: 'WSK_KEY',
    expected: 'one Sec-WebSocket-Key',
    check: values('Sec-WebSocket-Key', isOne),
  },
  {
    id: 'request-key',
    rfc: '6455#4.1',
    rule: 'The key is a nonce of 16 bytes in base64.',
    code: 'WSK_KEY',
    expected: '22 characters of base64 followed by ==',
    check: first('Sec-WebSocket-Key', (key) => /^[A-Za-z0-9+/]{22}==$/.test(key)),
  },
  {
    id: 'request-version-once',
    rfc: '6455#11.3.5',
    rule: 'There is one Sec-WebSocket-Version field.',
    code: 'WSK_VERSION',
    expected: 'one Sec-WebSocket-Version',
    check: values('Sec-WebSocket-Version', isOne),
  },
  {
    id: 'request-version',
    rfc: '6455#4.1',
    rule: 'The version of the protocol is 13.',
    code: 'WSK_VERSION',
    expected: WEBSOCKET_VERSION,
    check: first('Sec-WebSocket-Version', (version) => version === WEBSOCKET_VERSION),
  },
  {
    id: 'request-origin',
    rfc: '6455#4.1',
    rule: 'The Origin field, which browsers send, holds origins or null.',
    code: 'WSK_ORIGIN',
    expected: 'scheme://host with an optional port, or null',
    // 4.2.2: which origins to accept is the server's own policy.
    fatal: false,
    check: optional('Origin', (origins) => isOne(origins) && origins.every(isOrigin)),
  },
  {
    id: 'request-subprotocols',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Protocol lists non-empty tokens.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'tokens separated by commas',
    check: optional('Sec-WebSocket-Protocol', (found) => found.flatMap(splitList).every(isToken)),
  },
  {
    id: 'request-subprotocols-unique',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Protocol lists no subprotocol twice.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'each subprotocol once',
    check: optional('Sec-WebSocket-Protocol', (found) => {
      const names = found.flatMap(splitList);
      return new Set(names).size === names.length;
    }),
  },
  extensionsRule('request', 'permessage-deflate; client_max_window_bits'),
  ...deflateRules('request'),
];

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

/** RFC 6454 section 7.1: `null`, or origins with a space between them; `file://` has no host. */
function isOrigin(text: string): boolean {
  return text === 'null' || text.split(' ').every(isSerializedOrigin);
}

function isSerializedOrigin(text: string): boolean {
  const [, host] = /^[a-z][a-z0-9+\-.]*:\/\/(.*)$/i.exec(text) ?? [];
  return host === '' || (host !== undefined && isHost(host));
}
