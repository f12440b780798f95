import type { JsonRpcMessage } from './json-rpc.ts';

/**
 * What the MCP SDKs call `Transport`: written down here, as both lines of the SDK have the same and
 * neither has to be installed.
 */
export interface McpTransport {
  start(): Promise<void>;
  send(message: JsonRpcMessage): Promise<void>;
  close(): Promise<void>;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onclose?: (() => void) | undefined;
  sessionId?: string | undefined;
}

/** The subprotocol that MCP over WebSocket is known by. */
export const SUBPROTOCOL = 'mcp';
/** Begins a subprotocol that carries a token, as browsers can set no header. */
export const TOKEN_SUBPROTOCOL = 'mcp.auth.';
/** Carries the token of a client that authenticates by its first message. */
export const AUTHENTICATE = 'notifications/authenticate';
/** Names the session of a connection, in the request and in the response of a handshake. */
export const SESSION_HEADER = 'mcp-session-id';
/** How many messages of the session the sender of the header has received. */
export const RECEIVED_HEADER = 'mcp-received';

export const DEFAULT_HEARTBEAT_MS = 30_000;
