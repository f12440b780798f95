/**
 * Why this server closes a connection, and whether a reconnect can help.
 *
 * 1000 to 1015 are defined by RFC 6455 section 7.4.1. Of this server's own codes, 4000 to 4499
 * allow a reconnect (with a growing, random delay) and 4500 to 4999 do not.
 */
export const CLOSE_CODES = {
  goingAway: { code: 1001, reason: 'server is shutting down', reconnect: true },
  unsupportedData: { code: 1003, reason: 'text messages only', reconnect: false },
  policyViolation: { code: 1008, reason: 'too many invalid messages', reconnect: false },
  messageStalled: { code: 1008, reason: 'the message makes no progress', reconnect: false },
  internalError: { code: 1011, reason: 'internal error', reconnect: true },
  outOfMemory: { code: 1013, reason: 'MEMORY_BUDGET is used up', reconnect: true },
  slowConsumer: { code: 4408, reason: 'client reads too slowly', reconnect: true },
} as const;

export type CloseCode = keyof typeof CLOSE_CODES;
