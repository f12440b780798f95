import type { CloseFacts } from '../result.ts';

/** The facts about how a connection ends, as they come to be known. */
export type CloseState = { -readonly [Key in keyof CloseFacts]: CloseFacts[Key] };

/** A connection that has just begun. */
export function newCloseState(): CloseState {
  return {
    closedByMe: false,
    failedByMe: false,
    droppedByMe: false,
    wasClean: false,
    wasNotCleanReason: null,
    wasOpenHandshakeTimeout: false,
    wasCloseHandshakeTimeout: false,
    wasServerConnectionDropTimeout: false,
    localCloseCode: null,
    localCloseReason: null,
    remoteCloseCode: null,
    remoteCloseReason: null,
  };
}

/** What is said of a connection whose TCP the peer dropped. */
export const PEER_DROPPED =
  'peer dropped the TCP connection without previous WebSocket closing handshake';

/** The close codes Autobahn takes: without those registered after it was written, 1012 to 1015. */
export function isKnownCloseCode(code: number): boolean {
  if (code >= 3000) return code < 5000;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011);
}
