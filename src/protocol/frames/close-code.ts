/**
 * Close codes: RFC 6455 section 7.4.1 and the IANA registry (1012 to 1014).
 *
 * `noStatus`, `abnormal` and `tlsHandshake` are for reports only and never cross the wire.
 */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  noStatus: 1005,
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  mandatoryExtension: 1010,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014,
  tlsHandshake: 1015,
} as const;

const EXPLANATIONS: Readonly<Record<number, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no status received',
  1006: 'abnormal closure',
  1007: 'invalid payload data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'mandatory extension',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
  1015: 'TLS handshake',
};

/**
 * Whether `code` is allowed in a Close frame, in either direction.
 *
 * RFC 6455 section 7.4.1: 1004 is reserved, 1005, 1006 and 1015 "MUST NOT be set as a status code
 * in a Close control frame". Section 7.4.2: 0-999 are not used, 1000-2999 belong to the protocol
 * (so an unregistered one is an error), 3000-4999 to libraries and applications.
 */
export function isSendableCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999 && Number.isInteger(code);
  return code !== 1005 && code !== 1006 && code !== 1015 && code in EXPLANATIONS;
}

/** Names a close code: `normal closure`, `application`, `reserved`. */
export function explainCloseCode(code: number): string {
  const known = EXPLANATIONS[code];
  if (known !== undefined) return known;
  if (code >= 4000 && code <= 4999) return 'application';
  return code >= 3000 && code <= 3999 ? 'library or framework' : 'reserved';
}
