import type { Authorize } from '../hooks.ts';

/**
 * Whether a client may do what it wants. `allowed` is what the server makes of it; decide otherwise by
 * `identity.user`, `action` and `name`.
 */
export const authorize: Authorize = ({ allowed }) => allowed;
