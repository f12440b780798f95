/**
 * What a client does after a close code: `no` stay closed, `delay` try again with a growing, random
 * delay, `now` try again at once, `token` try again with a new token, `token-once` the same, once.
 */
export type Reconnect = 'no' | 'delay' | 'now' | 'token' | 'token-once';

/** 1000 to 1015 are RFC 6455's; the servers' own start at 4000. */
export const CLOSE_CODES: Readonly<Record<number, Reconnect>> = {
  // The client or the server has finished.
  1000: 'no',
  // The server shuts down.
  1001: 'delay',
  // The client broke the WebSocket protocol, sent what is of a wrong kind, not UTF-8, too much or too large.
  1002: 'no',
  1003: 'no',
  1007: 'no',
  1008: 'no',
  1009: 'no',
  // The connection was lost.
  1006: 'delay',
  // An error inside the server, a restart, no memory.
  1011: 'delay',
  1012: 'delay',
  1013: 'delay',
  // The token expired.
  4401: 'token',
  // The client reads too slowly.
  4408: 'delay',
  // The server lost the client's position.
  4409: 'now',
  // The user has too many connections.
  4429: 'delay',
  // No token within the time.
  4500: 'no',
  // The token was refused.
  4501: 'token-once',
  // The user or the token was revoked.
  4502: 'no',
  // The user may not read the document.
  4503: 'no',
};

/** Codes that the table does not know: 4500 to 4999 stay closed, all others try again. */
export function afterClose(code: number): Reconnect {
  return CLOSE_CODES[code] ?? (code >= 4500 && code <= 4999 ? 'no' : 'delay');
}

/** After an HTTP status in place of 101. */
export function afterStatus(status: number): Reconnect {
  if (status === 401) return 'token-once';
  // Request Timeout, Too Early, Too Many Requests: the request itself was in order.
  return status >= 500 || [408, 425, 429].includes(status) ? 'delay' : 'no';
}
