import { toExtension } from './params.ts';
import type { DeflateFlaw, DeflateParams } from './params.ts';
import {
  answeredOffer,
  deflateOf,
  deflateOffers,
  keepsClientWindow,
  keepsServerTakeover,
  keepsServerWindow,
} from './offers.ts';
import type { Exchange } from './offers.ts';
import { formatExtensions } from '../http/extension-header.ts';
import { quote } from '../http/http-grammar.ts';
import { judge, skip } from '../handshake/rules.ts';
import type { Rule } from '../handshake/rules.ts';

type Text = Pick<Rule<Exchange>, 'id' | 'rfc' | 'rule' | 'expected'>;

/** What RFC 7692 section 7.1 demands of a response that accepts permessage-deflate. */
export const DEFLATE_RESPONSE_RULES: readonly Rule<Exchange>[] = [
  flawRule('unknown', {
    id: 'response-deflate-names',
    rfc: '7692#7.1',
    rule: 'A response has only parameters of permessage-deflate that exist.',
    expected: '{server,client}_{no_context_takeover,max_window_bits}',
  }),
  flawRule('repeated', {
    id: 'response-deflate-unique',
    rfc: '7692#7.1',
    rule: 'A response has no parameter of permessage-deflate twice.',
    expected: 'each parameter once',
  }),
  flawRule('value', {
    id: 'response-deflate-values',
    rfc: '7692#7.1',
    rule: 'The parameters of permessage-deflate in a response have legal values.',
    expected: 'windows of 8 to 15 bits without leading zeros; no value for no_context_takeover',
  }),
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

function flawRule(kind: DeflateFlaw, text: Text): Rule<Exchange> {
  return {
    ...text,
    code: 'WSK_DEFLATE_PARAMETERS',
    check: (exchange) => {
      const deflate = deflateOf(exchange);
      if (deflate === undefined) return skip('no permessage-deflate in the response');
      const flaw = deflate.flaws.find((candidate) => candidate.kind === kind);
      return judge(flaw === undefined, flaw?.text ?? describeParams(deflate.params));
    },
  };
}

function offerRule(
  holds: (offer: DeflateParams, response: DeflateParams) => boolean,
  text: Text,
): Rule<Exchange> {
  return {
    ...text,
    code: 'WSK_DEFLATE_PARAMETERS',
    check: (exchange) => {
      const params = deflateOf(exchange)?.params;
      if (params === undefined) return skip('no permessage-deflate in the response');
      if (exchange.request === undefined) return skip('the request is not known');
      const offer = answeredOffer(deflateOffers(exchange.request), params);
      if (offer === undefined) return skip('no legal offer of permessage-deflate in the request');
      return judge(holds(offer, params), describeParams(params));
    },
  };
}

function describeParams(params: DeflateParams): string {
  return quote(formatExtensions([toExtension(params)]));
}
