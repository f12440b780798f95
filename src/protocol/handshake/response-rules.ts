import { acceptKey } from './accept-key.ts';
import { DEFLATE_EXTENSION } from '../deflate/params.ts';
import { DEFLATE_RESPONSE_RULES } from '../deflate/rules.ts';
import { extensionsOf } from '../deflate/offers.ts';
import type { Exchange } from '../deflate/offers.ts';
import { parseExtensions } from '../http/extension-header.ts';
import { fieldValue, fieldValues } from '../http/head.ts';
import type { RequestHead, ResponseHead } from '../http/head.ts';
import { isToken, listIncludes, quote, splitList } from '../http/http-grammar.ts';
import { WEBSOCKET_VERSION, describe, isModern, judgeFlaws } from './request-rules.ts';
import { evaluate, judge, skip } from './rules.ts';
import type { Finding, Rule, RuleResult } from './rules.ts';

const SWITCHING_PROTOCOLS = 101;
const UPGRADE_REQUIRED = 426;

/**
 * Holds a server's opening handshake against RFC 6455 section 4 and RFC 7692 section 7.1.
 *
 * Rules that need the request are skipped without it; most of them hold for status 101 only.
 */
export function checkResponse(response: ResponseHead, request?: RequestHead): RuleResult[] {
  return evaluate(RESPONSE_RULES, { response, request });
}

const RESPONSE_RULES: readonly Rule<Exchange>[] = [
  {
    id: 'response-status',
    rfc: '6455#4.1',
    rule: 'The status of the response is 101.',
    code: 'WSK_RESPONSE_STATUS',
    expected: '101',
    check: ({ response }) =>
      judge(
        response.status === SWITCHING_PROTOCOLS,
        `${response.status} ${response.reason}`.trimEnd(),
      ),
  },
  {
    id: 'response-http-version',
    rfc: '6455#4.2.2',
    rule: 'The HTTP version of the response is at least 1.1.',
    code: 'WSK_HTTP_VERSION',
    expected: 'HTTP/1.1 or higher',
    check: ({ response }) => judge(isModern(response.version), response.version),
  },
  {
    id: 'response-version',
    rfc: '6455#4.4',
    rule: 'A server that refuses a version names those it speaks in Sec-WebSocket-Version.',
    code: 'WSK_VERSION',
    expected: 'versions in Sec-WebSocket-Version',
    check: checkVersion,
  },
  {
    id: 'response-fields',
    rfc: '6455#4.2.2',
    rule: 'The response keeps to the grammar of HTTP.',
    code: 'WSK_HEAD_SYNTAX',
    expected: 'field lines of name, colon and value, each ended by CRLF',
    check: ({ response }) => judgeFlaws(response.flaws, response.fields.length),
  },
  of101({
    id: 'response-upgrade',
    rfc: '6455#4.1',
    rule: 'The Upgrade field is websocket.',
    code: 'WSK_UPGRADE',
    expected: 'websocket',
    check: ({ response }) => {
      const values = fieldValues(response, 'upgrade');
      const holds = values.length === 1 && values[0]?.toLowerCase() === 'websocket';
      return judge(holds, describe(values));
    },
  }),
  of101({
    id: 'response-connection',
    rfc: '6455#4.1',
    rule: 'The Connection field includes the token Upgrade.',
    code: 'WSK_CONNECTION',
    expected: 'Upgrade among its tokens',
    check: ({ response }) => {
      const values = fieldValues(response, 'connection');
      return judge(listIncludes(values, 'upgrade'), describe(values));
    },
  }),
  of101({
    id: 'response-accept-once',
    rfc: '6455#11.3.3',
    rule: 'There is one Sec-WebSocket-Accept field.',
    code: 'WSK_ACCEPT',
    expected: 'one Sec-WebSocket-Accept',
    check: ({ response }) => {
      const values = fieldValues(response, 'sec-websocket-accept');
      return judge(values.length === 1, describe(values));
    },
  }),
  of101({
    id: 'response-accept',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Accept is the base64 of the SHA-1 of the key and the fixed GUID.',
    code: 'WSK_ACCEPT',
    expected: ({ request }) => {
      const key = request && fieldValue(request, 'sec-websocket-key');
      return key === undefined ? 'the hash of the key' : quote(acceptKey(key));
    },
    check: ({ response, request }) => {
      const [accept] = fieldValues(response, 'sec-websocket-accept');
      const key = request && fieldValue(request, 'sec-websocket-key');
      if (key === undefined) return skip('the key is not known');
      if (accept === undefined) return skip('no Sec-WebSocket-Accept');
      return judge(accept === acceptKey(key), quote(accept));
    },
  }),
  of101({
    id: 'response-subprotocol-once',
    rfc: '6455#11.3.4',
    rule: 'There is at most one Sec-WebSocket-Protocol field, with one subprotocol.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'one token or no field',
    check: ({ response }) => {
      const values = fieldValues(response, 'sec-websocket-protocol');
      if (values.length === 0) return skip('no Sec-WebSocket-Protocol');
      return judge(values.length === 1 && isToken(values[0] ?? ''), describe(values));
    },
  }),
  of101({
    id: 'response-subprotocol',
    rfc: '6455#4.1',
    rule: 'The subprotocol in use is one that the client offered.',
    code: 'WSK_SUBPROTOCOL',
    expected: ({ request }) =>
      `one of ${request ? describe(offeredProtocols(request)) : 'those offered'}`,
    check: ({ response, request }) => {
      const name = fieldValue(response, 'sec-websocket-protocol');
      if (name === undefined) return skip('no Sec-WebSocket-Protocol');
      if (request === undefined) return skip('the request is not known');
      return judge(offeredProtocols(request).includes(name), quote(name));
    },
  }),
  of101({
    id: 'response-extensions-once',
    rfc: '6455#11.3.2',
    rule: 'There is at most one Sec-WebSocket-Extensions field.',
    code: 'WSK_EXTENSIONS',
    expected: 'one field or none',
    check: ({ response }) => {
      const values = fieldValues(response, 'sec-websocket-extensions');
      if (values.length === 0) return skip('no Sec-WebSocket-Extensions');
      return judge(values.length === 1, describe(values));
    },
  }),
  of101({
    id: 'response-extensions',
    rfc: '6455#9.1',
    rule: 'Sec-WebSocket-Extensions keeps to its grammar.',
    code: 'WSK_EXTENSIONS',
    expected: 'extensions with parameters, as in permessage-deflate; client_max_window_bits=12',
    check: ({ response }) => {
      const header = fieldValue(response, 'sec-websocket-extensions');
      if (header === undefined) return skip('no Sec-WebSocket-Extensions');
      const parsed = parseExtensions(header);
      return judge(parsed.ok, parsed.ok ? quote(header) : parsed.flaw);
    },
  }),
  of101({
    id: 'response-extensions-offered',
    rfc: '6455#4.1',
    rule: 'Every extension in use is one that the client offered.',
    code: 'WSK_EXTENSIONS',
    expected: ({ request }) =>
      request ? `only ${describe(offeredExtensions(request))}` : 'only those offered',
    check: ({ response, request }) => {
      const names = extensionsOf(response)?.map(({ name }) => name);
      if (names === undefined) return skip('no extensions that could be read');
      if (request === undefined) return skip('the request is not known');
      const offered = offeredExtensions(request);
      return judge(
        names.every((name) => offered.includes(name)),
        describe(names),
      );
    },
  }),
  of101({
    id: 'response-deflate-once',
    rfc: '7692#5',
    rule: 'The response accepts permessage-deflate at most once, because both would claim RSV1.',
    code: 'WSK_EXTENSIONS',
    expected: 'permessage-deflate once',
    check: ({ response }) => {
      const names = extensionsOf(response)?.map(({ name }) => name) ?? [];
      const count = names.filter((name) => name === DEFLATE_EXTENSION).length;
      if (count === 0) return skip('no permessage-deflate in the response');
      return judge(count === 1, `permessage-deflate ${count} times`);
    },
  }),
  ...DEFLATE_RESPONSE_RULES.map(of101),
];

/** Makes a rule skip responses that switch no protocols: HTTP says what those mean. */
function of101(rule: Rule<Exchange>): Rule<Exchange> {
  return {
    ...rule,
    check: (exchange) =>
      exchange.response.status === SWITCHING_PROTOCOLS
        ? rule.check(exchange)
        : skip(`status ${exchange.response.status}`),
  };
}

/**
 * 4.4: a server that does not speak the version asked for "MUST respond with a
 * Sec-WebSocket-Version header field (or multiple) containing all versions it is willing to use".
 */
function checkVersion({ response, request }: Exchange): Finding {
  const asked = request && fieldValue(request, 'sec-websocket-version');
  const refused = asked !== undefined && asked !== WEBSOCKET_VERSION;
  const versions = fieldValues(response, 'sec-websocket-version');
  if (response.status === SWITCHING_PROTOCOLS && refused) {
    return judge(false, `101 for version ${quote(asked)}`);
  }
  if (response.status !== UPGRADE_REQUIRED && !refused) return skip('no version was refused');
  return judge(
    versions.some((value) => /\d/.test(value)),
    describe(versions),
  );
}

function offeredProtocols(request: RequestHead): string[] {
  return fieldValues(request, 'sec-websocket-protocol').flatMap(splitList);
}

function offeredExtensions(request: RequestHead): string[] {
  return [...new Set(extensionsOf(request)?.map(({ name }) => name) ?? [])];
}
