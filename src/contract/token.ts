import { createHmac, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** The claims of a token (RFC 7519 section 4); undefined leaves one out. */
export type Claims = Readonly<Record<string, unknown>>;

const HASHES: Readonly<Record<string, string>> = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
};

/**
 * A JSON Web Token signed with `secret`, or with a private key of RSA (RS256); `none` is not signed at all
 * (RFC 7518 section 3.6).
 */
export function signToken(
  claims: Claims,
  secret: string | KeyObject,
  algorithm = 'HS256',
  header: Claims = {},
): string {
  const head = encode({ alg: algorithm, typ: 'JWT', ...header });
  const body = encode(claims);
  if (typeof secret !== 'string') {
    const signed = sign('sha256', Buffer.from(`${head}.${body}`), secret);
    return `${head}.${body}.${signed.toString('base64url')}`;
  }
  const hash = HASHES[algorithm];
  if (hash === undefined) return `${head}.${body}.`;
  const signature = createHmac(hash, secret).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${signature}`;
}

/** A token of `user` for so many seconds; `claims` replaces claims, undefined leaves one out. */
export function userToken(
  user: string,
  secret: string | KeyObject,
  {
    audience,
    seconds = 300,
    claims,
    algorithm,
    header,
  }: {
    readonly audience?: string | undefined;
    readonly seconds?: number;
    readonly claims?: Claims;
    readonly algorithm?: string | undefined;
    readonly header?: Claims;
  } = {},
): string {
  const iat = Math.floor(Date.now() / 1000);
  const aud = audience === undefined ? {} : { aud: audience };
  return signToken(
    { sub: user, iat, exp: iat + seconds, ...aud, ...claims },
    secret,
    algorithm,
    header,
  );
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
