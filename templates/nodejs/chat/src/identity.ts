import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Names the user who connects; undefined refuses the handshake with 401. It may be asynchronous, for
 * example to verify a token; HANDSHAKE_TIMEOUT still applies.
 */
export type Identify = (
  request: IncomingMessage,
) => string | undefined | Promise<string | undefined>;

/**
 * Put your authentication here: check a token or a session cookie of `request`. As generated, the
 * name in `?user=<name>` is not verified, and a client without one is a guest.
 */
export const identify: Identify = (request) => {
  const query = request.url?.split('?')[1] ?? '';
  const user = new URLSearchParams(query).get('user');
  if (user === null) return `guest-${randomBytes(4).toString('hex')}`;
  return USER_NAME.test(user) ? user : undefined;
};
