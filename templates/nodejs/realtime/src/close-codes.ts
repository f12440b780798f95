/**
 * Why this server closes a connection, and what a client does then: stay away, come back with a growing,
 * random delay, or with a new token.
 *
 * 1000 to 1015 are defined by RFC 6455 section 7.4.1. Of this server's own codes, 4000 to 4499 allow a
 * reconnect and 4500 to 4999 do not.
 */
export const CLOSE_CODES = {
  goingAway: { code: 1001, reason: 'server is shutting down', reconnect: 'delay' },
  unsupportedData: { code: 1003, reason: 'text messages only', reconnect: 'no' },
  unknownMessage: { code: 1003, reason: 'a message of unknown type', reconnect: 'no' },
  malformed: { code: 1007, reason: 'a malformed message', reconnect: 'no' },
  policyViolation: { code: 1008, reason: 'too many invalid messages', reconnect: 'no' },
  messageStalled: { code: 1008, reason: 'the message makes no progress', reconnect: 'no' },
  documentFull: { code: 1009, reason: 'the document is full', reconnect: 'no' },
  internalError: { code: 1011, reason: 'internal error', reconnect: 'delay' },
  outOfMemory: { code: 1013, reason: 'MEMORY_BUDGET is used up', reconnect: 'delay' },
  tryAgainLater: { code: 1013, reason: 'try again later', reconnect: 'delay' },
  tokenExpired: { code: 4401, reason: 'the token expired', reconnect: 'token' },
  slowConsumer: { code: 4408, reason: 'client reads too slowly', reconnect: 'delay' },
  lostPosition: { code: 4409, reason: 'the position was lost', reconnect: 'now' },
  tooManyConnections: { code: 4429, reason: 'too many connections', reconnect: 'delay' },
  authTimeout: { code: 4500, reason: 'no token within the time', reconnect: 'no' },
  authFailed: { code: 4501, reason: 'the token was refused', reconnect: 'token-once' },
  revoked: { code: 4502, reason: 'the user or the token was revoked', reconnect: 'no' },
  forbidden: { code: 4503, reason: 'you may not read the document', reconnect: 'no' },
} as const;

export type CloseCode = keyof typeof CLOSE_CODES;
