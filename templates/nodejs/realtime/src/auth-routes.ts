import { z } from 'zod';
import { unauthorized, unavailable } from './auth.ts';
import type { Auth } from './auth.ts';
import type { Client } from './client.ts';
import type { Config } from './config.ts';
import { checkOrigin, checkRate } from './handshake.ts';
import type { Refusal } from './handshake.ts';
import { problem, readJson, refused } from './http.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';
import { Name } from './messages.ts';
import { bearerOf, isSecret } from './secrets.ts';

/** Bytes of the largest body of `POST /revoke`. */
const MAX_BODY = 4096;

const Revoked = z.union([
  z.strictObject({ user: Name }),
  z.strictObject({ jti: z.string().min(1).max(256) }),
]);

/** `POST /ticket` for clients, `POST /revoke` for administrators; `clients` are those of the server. */
export function authRoutes(
  auth: Auth,
  config: Config,
  clients: ReadonlySet<Client>,
): readonly Route[] {
  const ticket = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { share, headers } = request;
    const refusal = checkOrigin(request, config) ?? checkRate(share, config);
    if (refusal !== undefined) return refused(request, refusal);
    const allowed = crossOrigin(request);
    const checked = await auth.verify(bearerOf(headers.authorization)).catch(unavailable);
    if ('status' in checked) return refused(request, checked, allowed);
    if ('why' in checked) return refused(request, unauthorized(checked.why), allowed);
    const issued = await auth.tickets.issue(checked.identity);
    if (issued === undefined) return refused(request, TOO_MANY, allowed);
    return {
      status: 200,
      headers: { ...allowed, 'Cache-Control': 'no-store' },
      body: { ticket: issued, expiresInMs: auth.tickets.ttlMs },
    };
  };

  // A page of an allowed origin asks before it sends its token.
  const preflight = (request: HttpRequest): HttpAnswer => {
    const refusal = checkOrigin(request, config);
    if (refusal !== undefined) return refused(request, refusal);
    const methods = {
      'Access-Control-Allow-Methods': 'POST',
      'Access-Control-Allow-Headers': 'authorization',
      'Access-Control-Max-Age': '600',
    };
    return { status: 204, headers: { ...crossOrigin(request), ...methods } };
  };

  const revoke = (request: HttpRequest): HttpAnswer | Promise<HttpAnswer> => {
    const { ADMIN_TOKEN } = config;
    if (ADMIN_TOKEN === undefined) return problem(404, 'ADMIN_TOKEN is not set');
    if (!isSecret(bearerOf(request.headers.authorization), ADMIN_TOKEN)) {
      return refused(request, unauthorized('not ADMIN_TOKEN'));
    }
    const read = readJson(request, Revoked);
    if ('error' in read) return problem(400, 'expected {"user":"…"} or {"jti":"…"}');
    if ('user' in read.value) auth.revocations.revokeUser(read.value.user);
    else auth.revocations.revokeToken(read.value.jti);
    closeRevoked(auth, clients);
    // #if redis
    const { value } = read;
    const what = 'user' in value ? `user:${value.user}` : `jti:${value.jti}`;
    const said = auth.sharedRevocations?.say(what);
    if (said !== undefined) return said.then(() => ({ status: 204 }));
    // #endif
    return { status: 204 };
  };

  return [
    { method: 'POST', path: /^\/ticket$/, maxBody: 0, answer: ticket },
    { method: 'OPTIONS', path: /^\/ticket$/, maxBody: 0, answer: preflight },
    { method: 'POST', path: /^\/revoke$/, maxBody: MAX_BODY, answer: revoke },
  ];
}

/** Closes the connections that what was revoked has opened. */
export function closeRevoked({ revocations }: Auth, clients: ReadonlySet<Client>): void {
  for (const client of clients) {
    if (client.user !== '' && revocations.covers(client.identity)) client.close('revoked');
  }
}

const TOO_MANY: Refusal = {
  status: 429,
  reason: 'too many unused tickets',
  headers: { 'Retry-After': '30' },
};

/** Lets the page that asked, whose origin is allowed, read the answer. */
function crossOrigin({ headers: { origin } }: HttpRequest): Record<string, string> {
  return origin === undefined ? {} : { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
}
