import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TOKEN_SUBPROTOCOL } from './transport.ts';

/** The subprotocols that a handshake offers. */
export function offeredSubprotocols(request: Pick<IncomingMessage, 'headers'>): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').map((name) => name.trim());
}

/** The bearer token of a handshake: of its Authorization header, or of a subprotocol. */
export function tokenOf(request: Pick<IncomingMessage, 'headers'>): string | undefined {
  const bearer = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const offered = offeredSubprotocols(request).find((name) => name.startsWith(TOKEN_SUBPROTOCOL));
  return offered?.slice(TOKEN_SUBPROTOCOL.length);
}

/** The tokens that are accepted: as hashes, all of one length, so that comparing tells nothing. */
export class Tokens {
  readonly #hashes: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#hashes = tokens.map(hash);
  }

  /** Which token it is, from 1; undefined for none. Takes as long for any. */
  find(token: string): number | undefined {
    const given = hash(token);
    let found: number | undefined;
    for (const [at, known] of this.#hashes.entries()) {
      if (timingSafeEqual(known, given)) found = at + 1;
    }
    return found;
  }
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
