import type { PerMessageDeflateOptions } from 'ws';
import type { Config } from './config.ts';

/** Log2 of the server's window: 2 KiB are enough for chat messages and keep connections small. */
const SERVER_WINDOW_BITS = 11;
/** Bytes of the smallest message that is compressed. */
export const COMPRESSION_THRESHOLD = 1024;

/** How messages are compressed. */
export const DEFLATE = { level: 3, memLevel: 4, chunkSize: 4096 } as const;

/** permessage-deflate (RFC 7692) as options of `ws`, tuned for memory rather than ratio. */
export function compressionOptions(config: Config): PerMessageDeflateOptions | false {
  if (config.COMPRESSION === 'none') return false;
  return {
    threshold: COMPRESSION_THRESHOLD,
    // More parallel zlib calls fragment glibc's heap without being faster.
    concurrencyLimit: 10,
    serverNoContextTakeover: config.SERVER_NO_CONTEXT_TAKEOVER,
    serverMaxWindowBits: SERVER_WINDOW_BITS,
    zlibDeflateOptions: DEFLATE,
    zlibInflateOptions: { chunkSize: 4096 },
  };
}

/**
 * The first offer in a Sec-WebSocket-Extensions header that this server can take. RFC 7692
 * section 5.1: offers it cannot take are declined, while `ws` would fail the whole handshake.
 */
export function acceptableOffer(header: string | undefined): string | undefined {
  return header
    ?.split(',')
    .map((offer) => offer.trim())
    .find(isAcceptable);
}

/** Log2 of the window for a client with this offer: the usual one, or less where asked for. */
export function windowBitsFor(offer = ''): number {
  const asked = /server_max_window_bits="?(\d+)/.exec(offer)?.[1];
  return Math.min(SERVER_WINDOW_BITS, Number(asked ?? SERVER_WINDOW_BITS));
}

function isAcceptable(offer: string): boolean {
  const [name, ...parameters] = offer.split(';').map((part) => part.trim());
  const names = parameters.map((parameter) => parameter.split('=')[0]);
  return (
    name === 'permessage-deflate' &&
    new Set(names).size === names.length &&
    parameters.every((parameter) => ACCEPTABLE_PARAMETER.test(parameter))
  );
}

const ACCEPTABLE_PARAMETER = new RegExp(
  '^(?:server_no_context_takeover|client_no_context_takeover' +
    '|client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?' +
    '|server_max_window_bits="?(?:9|1[0-5])"?)$',
);
