import { createHash, timingSafeEqual } from 'node:crypto';

/** The token of an Authorization header (RFC 9110 section 11.6.2); empty if it holds none. */
export function bearerOf(header = ''): string {
  return /^Bearer +(\S+) *$/i.exec(header)?.[1] ?? '';
}

/** Compares secrets in a time that says nothing about how much of them is right. */
export function isSecret(given: string, secret: string): boolean {
  const [one, other] = [given, secret].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
