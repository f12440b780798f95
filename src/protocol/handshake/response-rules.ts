import {
  answeredOffer,
  deflateOffers,
  deflatesOf,
  extensionsOf,
  keepsClientWindow,
  keepsServerTakeover,
  keepsServerWindow,
} from '../deflate/offers.ts';
import type { DeflateParams } from '../deflate/params.ts';
import { fieldValue, fieldValues } from '../http/head.ts';
import type { RequestHead, ResponseHead } from '../http/head.ts';
import { isToken, listIncludes, quote, splitList } from '../http/http-grammar.ts';
import { acceptKey } from './accept-key.ts';
import {
  NO_DEFLATE,
  deflateRules,
  describe,
  describeParams,
  extensionsRule,
  fieldsRule,
  httpVersionRule,
  isOne,
  optional,
  values,
} from './head-rules.ts';
import { WEBSOCKET_VERSION } from './request-rules.ts';
import { evaluate, verdict, skip } from './rules.ts';
import type { Finding, Rule, RuleResult } from './rules.ts';

const SWITCHING_PROTOCOLS = 101;
const UPGRADE_REQUIRED = 426;

/** A response and, if it is known, the request it answers. */
interface Answer extends ResponseHead {
  readonly request: RequestHead | undefined;
}

/**
 * Checks a server's opening handshake by RFC 6455 section 4 and RFC 7692 section 7.1.
 *
 * Rules that need the request are skipped without it; most rules apply to status 101 only.
 */
export function checkResponse(response: ResponseHead, request?: RequestHead): RuleResult[] {
  return evaluate(RESPONSE_RULES, { ...response, request });
}

/** For every status. */
const GENERAL_RULES: readonly Rule<Answer>[] = [
  {
    id: 'response-status',
    rfc: '6455#4.1',
    rule: 'The status of the response is 101.',
    code: 'WSK_RESPONSE_STATUS',
    expected: '101',
    check: ({ status, reason }) =>
      verdict(status === SWITCHING_PROTOCOLS, `${status} ${reason}`.trimEnd()),
  },
  httpVersionRule('response', '6455#4.2.2'),
  {
    id: 'response-version',
    rfc: '6455#4.4',
    rule: 'A server that refuses a version names those it speaks in Sec-WebSocket-Version.',
    code: 'WSK_VERSION',
    expected: 'versions in Sec-WebSocket-Version',
    check: checkVersion,
  },
  fieldsRule('response', '6455#4.2.2'),
];

/** RFC 9110 sections 6.4.1 and 8.6, RFC 9112 section 6.1: a 1xx response has no content. */
const CONTENT_FIELDS = ['Content-Length', 'Transfer-Encoding'] as const;

/** For status 101: HTTP defines what other responses mean. */
const SWITCHING_RULES: readonly Rule<Answer>[] = [
  {
    id: 'response-upgrade',
    rfc: '6455#4.1',
    rule: 'The Upgrade field is websocket.',
    code: 'WSK_UPGRADE',
    expected: 'websocket',
    check: values('Upgrade', (all) => isOne(all) && all[0]?.toLowerCase() === 'websocket'),
  },
  {
    id: 'response-connection',
    rfc: '6455#4.1',
    rule: 'The Connection field includes the token Upgrade.',
    code: 'WSK_CONNECTION',
    expected: 'Upgrade among its tokens',
    check: values('Connection', (all) => listIncludes(all, 'upgrade')),
  },
  {
    id: 'response-no-content',
    rfc: '9110#8.6',
    rule: 'A response of 101 has neither Content-Length nor Transfer-Encoding.',
    code: 'WSK_HEAD_SYNTAX',
    expected: 'neither, as nginx and the client of .NET break over them',
    // Clients that know no better than RFC 6455 go on.
    fatal: false,
    check: (answer) => {
      const found = CONTENT_FIELDS.filter((name) => fieldValues(answer, name).length > 0);
      return verdict(found.length === 0, found.length === 0 ? 'neither' : found.join(' and '));
    },
  },
  {
    id: 'response-accept-once',
    rfc: '6455#11.3.3',
    rule: 'There is one Sec-WebSocket-Accept field.',
    code: 'WSK_ACCEPT',
    expected: 'one Sec-WebSocket-Accept',
    check: values('Sec-WebSocket-Accept', isOne),
  },
  {
    id: 'response-accept',
    rfc: '6455#4.1',
    rule: 'Sec-WebSocket-Accept is the base64 of the SHA-1 of the key and the fixed GUID.',
    code: 'WSK_ACCEPT',
    expected: ({ request }) => {
      const key = request && fieldValue(request, 'sec-websocket-key');
      return key === undefined ? 'the hash of the key' : quote(acceptKey(key));
    },
    check: (answer) => {
      const [accept] = fieldValues(answer, 'sec-websocket-accept');
      const key = answer.request && fieldValue(answer.request, 'sec-websocket-key');
      if (key === undefined) return skip('the key is not known');
      if (accept === undefined) return skip('no Sec-WebSocket-Accept');
      return verdict(accept === acceptKey(key), quote(accept));
    },
  },
  {
    id: 'response-subprotocol-once',
    rfc: '6455#11.3.4',
    rule: 'There is at most one Sec-WebSocket-Protocol field, with one subprotocol.',
    code: 'WSK_SUBPROTOCOL',
    expected: 'one token or no field',
    check: optional('Sec-WebSocket-Protocol', (found) => isOne(found) && found.every(isToken)),
  },
  {
    id: 'response-subprotocol',
    rfc: '6455#4.1',
    rule: 'The subprotocol in use is one that the client offered.',
    code: 'WSK_SUBPROTOCOL',
    expected: ({ request }) =>
      `one of ${request ? describe(offeredProtocols(request)) : 'those offered'}`,
    check: (answer) => {
      const name = fieldValue(answer, 'sec-websocket-protocol');
      if (name === undefined) return skip('no Sec-WebSocket-Protocol');
      if (answer.request === undefined) return skip(UNKNOWN_REQUEST);
      return verdict(offeredProtocols(answer.request).includes(name), quote(name));
    },
  },
  {
    id: 'response-extensions-once',
    rfc: '6455#11.3.2',
    rule: 'There is at most one Sec-WebSocket-Extensions field.',
    code: 'WSK_EXTENSIONS',
    expected: 'one field or none',
    check: optional('Sec-WebSocket-Extensions', isOne),
  },
  extensionsRule('response', 'permessage-deflate; client_max_window_bits=12'),
  {
    id: 'response-extensions-offered',
    rfc: '6455#4.1',
    rule: 'Every extension in use is one that the client offered.',
    code: 'WSK_EXTENSIONS',
    expected: ({ request }) =>
      request ? `only ${describe(offeredExtensions(request))}` : 'only those offered',
    check: (answer) => {
      const names = extensionsOf(answer)?.map(({ name }) => name);
      if (names === undefined) return skip('no extensions that could be read');
      if (answer.request === undefined) return skip(UNKNOWN_REQUEST);
      const offered = offeredExtensions(answer.request);
      const holds = names.every((name) => offered.includes(name));
      return verdict(holds, describe(names));
    },
  },
  {
    id: 'response-deflate-once',
    rfc: '7692#5',
    rule: 'The response accepts permessage-deflate at most once, because both would claim RSV1.',
    code: 'WSK_EXTENSIONS',
    expected: 'permessage-deflate once',
    check: (answer) => {
      const count = deflatesOf(answer).length;
      if (count === 0) return skip(NO_DEFLATE);
      return verdict(count === 1, `permessage-deflate ${count} times`);
    },
  },
  ...deflateRules('response'),
  offerRule(keepsServerTakeover, {
    id: 'response-deflate-server-takeover',
    rfc: '7692#7.1.1.1',
    rule: 'A server that accepts an offer with server_no_context_takeover confirms it.',
    expected: 'server_no_context_takeover if it was offered',
  }),
  offerRule(keepsServerWindow, {
    id: 'response-deflate-server-window',
    rfc: '7692#7.1.2.1',
    rule: 'A server that accepts an offer with server_max_window_bits confirms it or less.',
    expected: 'server_max_window_bits of the offered value or smaller',
  }),
  offerRule(keepsClientWindow, {
    id: 'response-deflate-client-window',
    rfc: '7692#7.1.2.2',
    rule: 'A server limits the window of a client only if that offered it, and not to more.',
    expected: 'client_max_window_bits only if offered, of the offered value or smaller',
  }),
];

const RESPONSE_RULES: readonly Rule<Answer>[] = [
  ...GENERAL_RULES,
  ...SWITCHING_RULES.map((rule) => ({
    ...rule,
    check: (answer: Answer) =>
      answer.status === SWITCHING_PROTOCOLS ? rule.check(answer) : skip(`status ${answer.status}`),
  })),
];

const UNKNOWN_REQUEST = 'the request is not known';

/**
 * 4.4: a server that does not speak the version asked for "MUST respond with a
 * Sec-WebSocket-Version header field (or multiple) containing all versions it is willing to use".
 */
function checkVersion(answer: Answer): Finding {
  const { request, status } = answer;
  const asked = request && fieldValue(request, 'sec-websocket-version');
  const refused = asked !== undefined && asked !== WEBSOCKET_VERSION;
  if (status === SWITCHING_PROTOCOLS && refused)
    return verdict(false, `101 for version ${quote(asked)}`);
  if (status !== UPGRADE_REQUIRED && !refused) return skip('no version was refused');
  return values('Sec-WebSocket-Version', (all) => all.some((value) => /\d/.test(value)))(answer);
}

function offerRule(
  holds: (offer: DeflateParams, response: DeflateParams) => boolean,
  text: Pick<Rule<Answer>, 'id' | 'rfc' | 'rule' | 'expected'>,
): Rule<Answer> {
  return {
    ...text,
    code: 'WSK_DEFLATE_PARAMETERS',
    check: (answer) => {
      const params = deflatesOf(answer)[0]?.params;
      if (params === undefined) return skip(NO_DEFLATE);
      if (answer.request === undefined) return skip(UNKNOWN_REQUEST);
      const offer = answeredOffer(deflateOffers(answer.request), params);
      if (offer === undefined) return skip('no legal offer of permessage-deflate in the request');
      return verdict(holds(offer, params), describeParams(params));
    },
  };
}

function offeredProtocols(request: RequestHead): string[] {
  return fieldValues(request, 'sec-websocket-protocol').flatMap(splitList);
}

function offeredExtensions(request: RequestHead): string[] {
  return [...new Set(extensionsOf(request)?.map(({ name }) => name) ?? [])];
}
