import { DEFLATE_EXTENSION, parseDeflate, toExtension } from './params.ts';
import type { DeflateParams } from './params.ts';
import type { NegotiatedDeflate } from './deflate.ts';
import type { Extension } from '../http/extension-header.ts';

/** A server's settings of permessage-deflate; `{}` accepts every offer as it is. */
export interface DeflateSupport {
  /** Reset the server's window after each message even if the client did not ask. */
  readonly serverNoContextTakeover?: boolean;
  /** Require the client to reset its window after each message. */
  readonly clientNoContextTakeover?: boolean;
  /** Largest window of the server: 8 to 15. */
  readonly serverMaxWindowBits?: number;
  /** Largest window of the client: 8 to 15. Offers without that parameter are declined. */
  readonly clientMaxWindowBits?: number;
}

const MAX_WINDOW_BITS = 15;

/**
 * Takes the first offer of permessage-deflate that fits, as a server (RFC 7692 section 5.1).
 *
 * The response has to carry `response`. Undefined: decline by leaving the extension out.
 */
export function acceptOffer(
  offers: readonly Extension[],
  support: DeflateSupport,
): { readonly deflate: NegotiatedDeflate; readonly response: Extension } | undefined {
  for (const offer of offers) {
    if (offer.name !== DEFLATE_EXTENSION) continue;
    const { params, flaws } = parseDeflate(offer, 'request');
    // 7.1: a server MUST decline an offer with unknown, repeated or invalid parameters.
    if (flaws.length > 0) continue;
    const clientBits = params.clientMaxWindowBits;
    // 7.1.2.2: without client_max_window_bits in the offer the response must not have it either.
    if (support.clientMaxWindowBits !== undefined && clientBits === undefined) continue;
    const accepted = acceptParams(params, support);
    return { deflate: toNegotiated(accepted), response: toExtension(accepted) };
  }
  return undefined;
}

function acceptParams(offer: DeflateParams, support: DeflateSupport): DeflateParams {
  const offered = offer.clientMaxWindowBits === true ? undefined : offer.clientMaxWindowBits;
  return {
    serverNoContextTakeover:
      offer.serverNoContextTakeover || support.serverNoContextTakeover === true,
    clientNoContextTakeover:
      offer.clientNoContextTakeover || support.clientNoContextTakeover === true,
    serverMaxWindowBits: smaller(offer.serverMaxWindowBits, support.serverMaxWindowBits),
    clientMaxWindowBits: smaller(offered, support.clientMaxWindowBits),
  };
}

/** What is in force for a client whose `offer` was answered with `response`, both legal. */
export function negotiate(offer: DeflateParams, response: DeflateParams): NegotiatedDeflate {
  // 7.1.1.2 and 7.1.2.2: a client keeps to what it announced for itself, confirmed or not.
  const bits = response.clientMaxWindowBits ?? offer.clientMaxWindowBits;
  return toNegotiated({
    ...response,
    clientNoContextTakeover: response.clientNoContextTakeover || offer.clientNoContextTakeover,
    clientMaxWindowBits: bits,
  });
}

function toNegotiated(params: DeflateParams): NegotiatedDeflate {
  const clientBits = params.clientMaxWindowBits;
  return {
    serverNoContextTakeover: params.serverNoContextTakeover,
    clientNoContextTakeover: params.clientNoContextTakeover,
    serverMaxWindowBits: params.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: typeof clientBits === 'number' ? clientBits : MAX_WINDOW_BITS,
  };
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : Math.min(a, b ?? a);
}
