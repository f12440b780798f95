import { DEFLATE_EXTENSION, parseDeflate } from './params.ts';
import type { DeflateParams, ParsedDeflate } from './params.ts';
import { parseExtensions } from '../http/extension-header.ts';
import type { Extension } from '../http/extension-header.ts';
import { fieldValue } from '../http/head.ts';
import type { RequestHead, ResponseHead } from '../http/head.ts';

/** The extensions that a head names; undefined for none or for invalid syntax. */
export function extensionsOf(head: RequestHead | ResponseHead): readonly Extension[] | undefined {
  const header = fieldValue(head, 'sec-websocket-extensions');
  if (header === undefined) return undefined;
  const parsed = parseExtensions(header);
  return parsed.ok ? parsed.extensions : undefined;
}

/** Every permessage-deflate that a head names: offers in a request, one answer in a response. */
export function deflatesOf(head: RequestHead | ResponseHead): ParsedDeflate[] {
  return (extensionsOf(head) ?? [])
    .filter(({ name }) => name === DEFLATE_EXTENSION)
    .map((extension) => parseDeflate(extension, head.kind));
}

/** The legal offers of permessage-deflate in a request. */
export function deflateOffers(request: RequestHead): DeflateParams[] {
  return deflatesOf(request)
    .filter(({ flaws }) => flaws.length === 0)
    .map(({ params }) => params);
}

/**
 * The offer that a response answers: the first it answers in full, else the first of all.
 *
 * A response does not say which offer it accepts.
 */
export function answeredOffer(
  offers: readonly DeflateParams[],
  response: DeflateParams,
): DeflateParams | undefined {
  return (
    offers.find(
      (offer) =>
        keepsServerTakeover(offer, response) &&
        keepsServerWindow(offer, response) &&
        keepsClientWindow(offer, response),
    ) ?? offers[0]
  );
}

/** RFC 7692 7.1.1.1: a server that accepts server_no_context_takeover confirms it. */
export function keepsServerTakeover(offer: DeflateParams, response: DeflateParams): boolean {
  return !offer.serverNoContextTakeover || response.serverNoContextTakeover;
}

/** 7.1.2.1: server_max_window_bits is accepted "with the same or smaller value". */
export function keepsServerWindow(offer: DeflateParams, response: DeflateParams): boolean {
  if (offer.serverMaxWindowBits === undefined) return true;
  const answered = response.serverMaxWindowBits;
  return answered !== undefined && answered <= offer.serverMaxWindowBits;
}

/** 7.1.2.2: client_max_window_bits needs an offer, and may not be larger than a value offered. */
export function keepsClientWindow(offer: DeflateParams, response: DeflateParams): boolean {
  const answered = response.clientMaxWindowBits;
  if (answered === undefined) return true;
  if (offer.clientMaxWindowBits === undefined) return false;
  if (answered === true || offer.clientMaxWindowBits === true) return true;
  return answered <= offer.clientMaxWindowBits;
}
