import { randomBytes } from 'node:crypto';
import type { Identify } from '../hooks.ts';
import { Name } from '../messages.ts';

/**
 * Who a client is: check a session cookie or a token of `request`. As generated, the name in
 * `?user=<name>` is not verified, and a client without one is a guest.
 */
export const identify: Identify = (request) => {
  const query = request.url?.split('?')[1] ?? '';
  const user = new URLSearchParams(query).get('user');
  if (user === null) return `guest-${randomBytes(4).toString('hex')}`;
  return Name.safeParse(user).data;
};
