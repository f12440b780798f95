import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Config } from './config.ts';

/** Whom a token names, and for how long. */
export interface TokenClaims {
  readonly user: string;
  readonly minutes: number;
  /** Private names that the user may enter. */
  readonly rooms?: readonly string[] | undefined;
}

/** A token for tests and the demo, as the server with `config` accepts it. */
export async function signToken(
  { AUTH_ISSUER, AUTH_AUDIENCE }: Config,
  secret: string,
  { user, minutes, rooms }: TokenClaims,
): Promise<string> {
  const now = Date.now() / 1000;
  const token = new SignJWT(rooms === undefined ? {} : { rooms })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(user)
    .setJti(randomBytes(12).toString('base64url'))
    .setIssuedAt(now)
    .setExpirationTime(now + minutes * 60);
  if (AUTH_ISSUER !== undefined) token.setIssuer(AUTH_ISSUER);
  if (AUTH_AUDIENCE !== undefined) token.setAudience(AUTH_AUDIENCE);
  return await token.sign(Buffer.from(secret));
}
