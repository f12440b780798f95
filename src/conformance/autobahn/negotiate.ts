import {
  DEFLATE_EXTENSION,
  acceptKey,
  fieldValue,
  fieldValues,
  formatExtensions,
  parseDeflate,
  parseExtensions,
  toExtension,
} from '../../protocol/index.ts';
import type {
  DeflateParams,
  NegotiatedDeflate,
  RequestHead,
  ResponseHead,
} from '../../protocol/index.ts';
import type { CaseDefinition, DeflateWish } from '../case.ts';

/** What a case wants of permessage-deflate; nothing outside sections 12 and 13. */
export function wishesOf({ script }: CaseDefinition): readonly DeflateWish[] {
  return script.kind === 'compression' ? script.offers : [];
}

/** The offers of a tester that dials: its own restraint is offered each time. */
export function offerDeflate(wishes: readonly DeflateWish[]): string {
  return formatExtensions(
    wishes.map((wish) =>
      toExtension({
        clientNoContextTakeover: true,
        clientMaxWindowBits: true,
        serverNoContextTakeover: wish.noContextTakeover,
        serverMaxWindowBits: wish.maxWindowBits,
      }),
    ),
  );
}

export type Agreement =
  | { readonly ok: true; readonly deflate: NegotiatedDeflate | undefined }
  | { readonly ok: false; readonly reason: string };

/** Judges a server's response as Autobahn does: no stricter, and no laxer. */
export function readAgreement(
  head: ResponseHead,
  request: {
    readonly key: string;
    readonly offers: boolean;
    readonly protocols: readonly string[];
  },
): Agreement {
  const problem = responseProblem(head, request.key) ?? protocolProblem(head, request.protocols);
  if (problem !== undefined) return { ok: false, reason: problem };
  const header = fieldValue(head, 'sec-websocket-extensions');
  if (header === undefined || header === '') return { ok: true, deflate: undefined };
  return readExtensions(header, request.offers);
}

function responseProblem(head: ResponseHead, key: string): string | undefined {
  if (head.version !== 'HTTP/1.1') return `unsupported HTTP version ${head.version}`;
  if (head.status !== 101) {
    return `WebSocket connection upgrade failed (${head.status} - ${head.reason})`;
  }
  const upgrade = fieldValue(head, 'upgrade');
  if (upgrade?.toLowerCase() !== 'websocket')
    return `HTTP Upgrade header is ${upgrade ?? 'missing'}`;
  const connection = (fieldValue(head, 'connection') ?? '').toLowerCase().split(',');
  if (!connection.some((option) => option.trim() === 'upgrade')) {
    return 'HTTP Connection header does not include upgrade';
  }
  const accepts = fieldValues(head, 'sec-websocket-accept');
  if (accepts.length !== 1) return `${accepts.length} Sec-WebSocket-Accept headers, expected 1`;
  if (accepts[0] !== acceptKey(key)) return 'HTTP Sec-WebSocket-Accept does not fit the key';
  if (fieldValues(head, 'sec-websocket-extensions').length > 1) {
    return 'HTTP Sec-WebSocket-Extensions header appears more than once';
  }
  return undefined;
}

function protocolProblem(head: ResponseHead, offered: readonly string[]): string | undefined {
  const protocol = fieldValue(head, 'sec-websocket-protocol');
  if (protocol === undefined || protocol === '' || offered.includes(protocol)) return undefined;
  return `subprotocol ${protocol} was not offered`;
}

/** One permessage-deflate with legal parameters; whether it honours the offer is not looked at. */
function readExtensions(header: string, offered: boolean): Agreement {
  const parsed = parseExtensions(header);
  if (!parsed.ok) return { ok: false, reason: parsed.flaw };
  const [extension, second] = parsed.extensions;
  if (second !== undefined) return { ok: false, reason: 'more than one extension in the response' };
  if (!offered || extension?.name !== DEFLATE_EXTENSION) {
    return { ok: false, reason: `extension ${extension?.name ?? ''} was not offered` };
  }
  const { params, flaws } = parseDeflate(extension, 'response');
  const flaw = flaws[0];
  if (flaw !== undefined) return { ok: false, reason: `parameter ${flaw.text} (${flaw.kind})` };
  const clientBits = params.clientMaxWindowBits;
  return {
    ok: true,
    deflate: {
      serverNoContextTakeover: params.serverNoContextTakeover,
      clientNoContextTakeover: params.clientNoContextTakeover,
      serverMaxWindowBits: params.serverMaxWindowBits ?? 15,
      clientMaxWindowBits: typeof clientBits === 'number' ? clientBits : 15,
    },
  };
}

/** What a tester that listens answers to a client's offers. */
export type Answer =
  | {
      readonly ok: true;
      readonly extensions: string;
      readonly deflate: NegotiatedDeflate | undefined;
    }
  | { readonly ok: false; readonly reason: string };

/** Picks what the case asks of the client, or declines; illegal offers fail the handshake. */
export function answerOffers(head: RequestHead, wishes: readonly DeflateWish[]): Answer {
  const header = fieldValue(head, 'sec-websocket-extensions');
  if (header === undefined || header === '') return DECLINED;
  const parsed = parseExtensions(header);
  if (!parsed.ok) return { ok: false, reason: parsed.flaw };
  const offers: DeflateParams[] = [];
  for (const extension of parsed.extensions) {
    if (extension.name !== DEFLATE_EXTENSION) continue;
    const { params, flaws } = parseDeflate(extension, 'request');
    const flaw = flaws[0];
    if (flaw !== undefined) return { ok: false, reason: `parameter ${flaw.text} (${flaw.kind})` };
    offers.push(params);
  }
  for (const wish of wishes) {
    // A window can only be asked of a client that said it could keep to one (RFC 7692 7.1.2.2).
    const offer = offers.find(
      ({ clientMaxWindowBits }) =>
        wish.maxWindowBits === undefined || clientMaxWindowBits !== undefined,
    );
    if (offer !== undefined) return accept(offer, wish);
  }
  return DECLINED;
}

const DECLINED: Answer = { ok: true, extensions: '', deflate: undefined };

function accept(offer: DeflateParams, wish: DeflateWish): Answer {
  const response = toExtension({
    serverNoContextTakeover: offer.serverNoContextTakeover,
    clientNoContextTakeover: wish.noContextTakeover,
    serverMaxWindowBits: offer.serverMaxWindowBits,
    clientMaxWindowBits: wish.maxWindowBits,
  });
  return {
    ok: true,
    extensions: formatExtensions([response]),
    deflate: {
      serverNoContextTakeover: offer.serverNoContextTakeover,
      clientNoContextTakeover: wish.noContextTakeover,
      serverMaxWindowBits: offer.serverMaxWindowBits ?? 15,
      clientMaxWindowBits: wish.maxWindowBits ?? 15,
    },
  };
}
