import { createPublicKey, createSecretKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose';
import type { Config } from './config.ts';
import type { Refusal } from './handshake.ts';
import type { Identity } from './hooks.ts';
import { algorithmOf } from './keys.ts';
import { log } from './log.ts';
import { Name } from './messages.ts';
// #if redis
import type { SharedRevocations, SharedTickets } from './redis-shared.ts';
// #endif
import { Revocations } from './revocations.ts';
import { bearerOf } from './secrets.ts';
import { Tickets } from './tickets.ts';

/** Milliseconds for the keys of AUTH_JWKS_URL; less than a handshake gets. */
const JWKS_TIMEOUT_MS = 3000;
/** Milliseconds between two fetches of these keys because of unknown ones: anybody may name such a key. */
const JWKS_COOLDOWN_MS = 30_000;
/** Milliseconds after which a token that could not be checked may come again. */
const RETRY_MS = 5000;
/** Characters of the longest token. */
export const MAX_TOKEN = 8192;
/** The last moment that a Date can hold, milliseconds since 1970. */
const LAST_MOMENT = 8.64e15;

// #if mcp
/** RFC 6750 section 3.1: who brings no token at all is told no more than that there has to be one. */
export const MISSING: Refusal = {
  status: 401,
  reason: 'expected a token or ticket',
  headers: { 'WWW-Authenticate': 'Bearer' },
};

// #endif
/** A token is valid and says who it is, or why not: for the log, not for its sender. */
export type Checked = { readonly identity: Identity } | { readonly why: string };

/** What jose throws over a token; everything else is about the keys. */
const TOKEN_ERRORS = [
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

/** The keys of AUTH_JWKS_URL are not to be had: whether a token is valid is not known yet. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
  /** Milliseconds after which it is worth to try again. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = RETRY_MS) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Says who connects: by token (RFC 7519) or by a ticket that was had for one. */
export class Auth {
  // #if redis
  /** What other servers can take, if there are any. */
  tickets: Tickets | SharedTickets;
  /** Where other servers are told what was revoked. */
  sharedRevocations: SharedRevocations | undefined;
  // #else
  //~ readonly tickets: Tickets;
  // #endif
  readonly revocations: Revocations;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly #key: KeyObject | JWTVerifyGetKey;
  readonly #options: JWTVerifyOptions;
  readonly #toleranceMs: number;

  constructor(config: Config, now = (): number => Date.now()) {
    this.now = now;
    this.tickets = new Tickets(config.TICKET_TTL);
    this.#toleranceMs = config.AUTH_CLOCK_TOLERANCE * 1000;
    this.revocations = new Revocations(undefined, now, this.#toleranceMs);
    const { key, algorithms } = keyOf(config);
    this.#key = key;
    this.#options = {
      algorithms: [...algorithms],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: config.AUTH_CLOCK_TOLERANCE,
      ...(config.AUTH_ISSUER !== undefined && { issuer: config.AUTH_ISSUER }),
      ...(config.AUTH_AUDIENCE !== undefined && { audience: config.AUTH_AUDIENCE }),
    };
  }

  /** Checks a token. @throws {KeysUnavailable} when it cannot. */
  async verify(token: string): Promise<Checked> {
    if (token.length > MAX_TOKEN) return { why: 'too long' };
    let payload: JWTPayload;
    try {
      payload = await this.#payloadOf(token);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof KeysUnavailable) throw error;
      const isAboutToken = TOKEN_ERRORS.some((kind) => error instanceof kind);
      if (!isAboutToken && typeof this.#key === 'function')
        throw new KeysUnavailable(error.message);
      return { why: error.message };
    }
    return this.#identify(payload);
  }

  async #payloadOf(token: string): Promise<JWTPayload> {
    const options = { ...this.#options, currentDate: new Date(this.now()) };
    try {
      // The two overloads of jose: a key, or a function that looks for one.
      const verified =
        typeof this.#key === 'function'
          ? await jwtVerify(token, this.#key, options)
          : await jwtVerify(token, this.#key, options);
      return verified.payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // The token does not say which of several keys has signed it.
      let fault: unknown = error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, options)).payload;
        } catch (cause) {
          if (!(cause instanceof errors.JWSSignatureVerificationFailed)) throw cause;
          fault = cause;
        }
      }
      throw fault;
    }
  }

  #identify(claims: JWTPayload): Checked {
    const { sub, exp = 0, iat, jti, rooms } = claims;
    const user = Name.safeParse(sub);
    if (!user.success) return { why: '"sub" is no name' };
    const now = this.now();
    // What was accepted a little late holds a little longer.
    const end = exp * 1000;
    const expiresAt = end > now ? end : end + this.#toleranceMs;
    if (expiresAt > LAST_MOMENT) return { why: '"exp" is no date' };
    if (iat !== undefined && iat * 1000 > now + this.#toleranceMs) {
      return { why: '"iat" is in the future' };
    }
    if (jti !== undefined && typeof jti !== 'string') return { why: '"jti" is no text' };
    const identity: Identity = {
      user: user.data,
      expiresAt,
      issuedAt: iat === undefined ? undefined : iat * 1000,
      tokenId: jti,
      rooms: isListOfText(rooms) ? rooms : [],
      claims,
    };
    return this.revocations.covers(identity) ? { why: 'revoked' } : { identity };
  }

  /**
   * Who a handshake says it is; undefined if it says nothing: then the first message has to.
   *
   * @throws {KeysUnavailable}
   */
  async identify(request: IncomingMessage): Promise<Identity | Refusal | undefined> {
    const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
    const headers = [...(request.headersDistinct['authorization'] ?? [])];
    // #if collab
    // Browsers send no headers of their own, and y-websocket comes back with what it has.
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    for (const name of offered.map((text) => text.trim())) {
      if (name.startsWith('bearer.')) headers.push(`Bearer ${name.slice('bearer.'.length)}`);
    }
    // #endif
    // #if mcp
    // Pages send no headers of their own.
    const names = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    for (const name of names.map((text) => text.trim())) {
      if (name.startsWith('mcp.auth.')) headers.push(`Bearer ${name.slice('mcp.auth.'.length)}`);
    }
    // #endif
    const tickets = query.getAll('ticket');
    if (query.has('token') || query.has('access_token')) {
      return { status: 400, reason: 'no tokens in URLs: they are logged; get a ticket' };
    }
    if (headers.length + tickets.length > 1) {
      return { status: 400, reason: 'expected one token or one ticket' };
    }
    const [ticket] = tickets;
    if (ticket !== undefined) {
      const identity = await this.tickets.redeem(ticket);
      // The token may have ended in between.
      const isGood = identity !== undefined && identity.expiresAt > this.now();
      if (!isGood || this.revocations.covers(identity)) {
        return unauthorized('the ticket is used, expired or unknown');
      }
      return identity;
    }
    const [header] = headers;
    if (header === undefined) return undefined;
    const checked = await this.verify(bearerOf(header));
    return 'identity' in checked ? checked.identity : unauthorized(checked.why);
  }
}

/** RFC 6750 section 3. `why` is for the log. */
export function unauthorized(why: string): Refusal {
  return {
    status: 401,
    reason: 'the token or ticket was refused',
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
    hint: why,
  };
}

/** The answer to a request whose token could not be checked. */
export function unavailable(error: unknown): Refusal {
  const waitMs = error instanceof KeysUnavailable ? error.retryAfterMs : RETRY_MS;
  return {
    status: 503,
    reason: 'tokens cannot be checked at the moment',
    headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
    hint: String(error),
  };
}

/** The key that checks tokens, and the algorithms that it allows (RFC 8725 section 3.1). */
function keyOf(config: Config): {
  key: KeyObject | JWTVerifyGetKey;
  algorithms: readonly string[];
} {
  const { AUTH_SECRET, AUTH_PUBLIC_KEY, AUTH_JWKS_URL } = config;
  if (AUTH_PUBLIC_KEY !== undefined) {
    const key = createPublicKey(AUTH_PUBLIC_KEY);
    return { key, algorithms: [algorithmOf(key) ?? ''] };
  }
  if (AUTH_JWKS_URL !== undefined) {
    return { key: keysAt(new URL(AUTH_JWKS_URL)), algorithms: ['RS256', 'ES256', 'EdDSA'] };
  }
  if (AUTH_SECRET !== undefined) {
    return { key: createSecretKey(Buffer.from(AUTH_SECRET)), algorithms: ['HS256'] };
  }
  log('warn', 'no-secret', {
    hint:
      'AUTH_SECRET is not set: no token is valid. `npm run token -- --user ada` writes a secret ' +
      'to .env and prints a token; then start again',
  });
  return { key: createSecretKey(randomBytes(32)), algorithms: ['HS256'] };
}

/**
 * Looks for the keys of tokens at `url`. It throws JWKSNoMatchingKey only if a fetch that began after the
 * question has brought no such key: the keys may have been changed since the last one.
 */
function keysAt(url: URL): JWTVerifyGetKey {
  let fetches = 0;
  let lastAt = 0;
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    [customFetch]: async (...request) => {
      fetches += 1;
      const response = await fetch(...request);
      lastAt = Date.now();
      return response;
    },
  });
  return async (header, token) => {
    const before = fetches;
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (fetches === before) {
        const waitMs = Math.max(1000, lastAt + JWKS_COOLDOWN_MS - Date.now());
        throw new KeysUnavailable('the key is unknown, and it is too early to fetch keys', waitMs);
      }
      // The fetch of another token may have ended after this one was looked up.
      return await keys(header, token);
    }
  };
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
