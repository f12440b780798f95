import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Tells who is connecting; undefined turns the handshake down with 401. It may take its time, say
 * to verify a token: the place of the client is kept, the time-out of handshakes goes on.
 */
export type Identify = (
  request: IncomingMessage,
) => string | undefined | Promise<string | undefined>;

/**
 * This is the one place for your authentication: check a token or a session cookie of `request`
 * here. As generated, `?user=<name>` is believed as it stands and everybody else is a guest, so a
 * user name is a label and no proof.
 */
export const identify: Identify = (request) => {
  const query = request.url?.split('?')[1] ?? '';
  const user = new URLSearchParams(query).get('user');
  if (user === null) return `guest-${randomBytes(4).toString('hex')}`;
  return USER_NAME.test(user) ? user : undefined;
};
