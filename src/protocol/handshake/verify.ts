import { negotiate, acceptOffer } from '../deflate/negotiate.ts';
import type { DeflateSupport } from '../deflate/negotiate.ts';
import type { NegotiatedDeflate } from '../deflate/deflate.ts';
import { answeredOffer, deflateOffers, deflatesOf, extensionsOf } from '../deflate/offers.ts';
import { formatExtensions } from '../http/extension-header.ts';
import { fieldValue } from '../http/head.ts';
import type { RequestHead, ResponseHead } from '../http/head.ts';
import { splitList } from '../http/http-grammar.ts';
import { checkRequest } from './request-rules.ts';
import { checkResponse } from './response-rules.ts';
import { firstBreach } from './rules.ts';
import type { RuleResult } from './rules.ts';
import type { Violation } from '../violations.ts';

/** A handshake to refuse. */
export interface RefusedHandshake {
  readonly ok: false;
  readonly violation: Violation;
  readonly rules: readonly RuleResult[];
}

/** The result of a valid handshake. */
export interface AgreedHandshake {
  readonly ok: true;
  readonly protocol: string | null;
  /** For the `Connection`; undefined if compression is not in use. */
  readonly deflate: NegotiatedDeflate | undefined;
  /** The Sec-WebSocket-Extensions of the response; empty for none. */
  readonly extensions: string;
  readonly rules: readonly RuleResult[];
}

/** What a server supports. */
export interface ServerTraits {
  /** Supported subprotocols, the preferred one first. */
  readonly protocols?: readonly string[];
  /** Absent: permessage-deflate is declined. */
  readonly deflate?: DeflateSupport | undefined;
}

/** Checks a request by `checkRequest` and, as a server, chooses the response. */
export function verifyRequest(
  head: RequestHead,
  traits: ServerTraits = {},
): AgreedHandshake | RefusedHandshake {
  const rules = checkRequest(head);
  const violation = firstBreach(rules);
  if (violation !== undefined) return { ok: false, violation, rules };
  const offered = splitList(fieldValue(head, 'sec-websocket-protocol') ?? '');
  // 4.2.2: with no subprotocol in common the field is left out, and the connection goes on.
  const protocol = traits.protocols?.find((name) => offered.includes(name)) ?? null;
  const accepted = traits.deflate && acceptOffer(extensionsOf(head) ?? [], traits.deflate);
  return {
    ok: true,
    protocol,
    deflate: accepted?.deflate,
    extensions: accepted ? formatExtensions([accepted.response]) : '',
    rules,
  };
}

/** Checks a response by `checkResponse` and, as a client, reads what was agreed on. */
export function verifyResponse(
  head: ResponseHead,
  request: RequestHead,
): AgreedHandshake | RefusedHandshake {
  const rules = checkResponse(head, request);
  const violation = firstBreach(rules);
  if (violation !== undefined) return { ok: false, violation, rules };
  const response = deflatesOf(head)[0]?.params;
  const offer = response && answeredOffer(deflateOffers(request), response);
  return {
    ok: true,
    protocol: fieldValue(head, 'sec-websocket-protocol') ?? null,
    deflate: response && offer && negotiate(offer, response),
    extensions: fieldValue(head, 'sec-websocket-extensions') ?? '',
    rules,
  };
}
