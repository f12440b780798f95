import type { Config } from './config.ts';
import { checkOrigin, checkRate } from './handshake.ts';
import { problem, refused } from './http.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import { bearerOf, isSecret } from './secrets.ts';

/**
 * Why a request may not change anything: it comes from a page of another site, too often, or without
 * PUBLISH_TOKEN. Undefined: it may.
 */
export function refusePublisher(request: HttpRequest, config: Config): HttpAnswer | undefined {
  const { share, headers } = request;
  if (config.PUBLISH_TOKEN === undefined) return problem(404, 'PUBLISH_TOKEN is not set');
  const refusal = checkOrigin(request, config) ?? checkRate(share, config);
  if (refusal !== undefined) return refused(request, refusal);
  const token = bearerOf(headers.authorization);
  if (isSecret(token, config.PUBLISH_TOKEN)) return undefined;
  // RFC 6750 section 3: only a token that was sent can be wrong.
  const challenge = token === '' ? 'Bearer' : 'Bearer error="invalid_token"';
  return refused(request, {
    status: 401,
    reason: 'expected PUBLISH_TOKEN as "Authorization: Bearer"',
    headers: { 'WWW-Authenticate': challenge },
  });
}
