/** MCP over WebSocket: transports for both lines of the official SDK. */
export { WebSocketClientTransport } from './client-transport.ts';
export type { ReconnectOptions, WebSocketClientTransportOptions } from './client-transport.ts';
export type { JsonRpcMessage, RequestId } from './json-rpc.ts';
export type { ClientAuth } from './open-link.ts';
export { WebSocketServerTransport } from './server-transport.ts';
export type { WebSocketServerTransportOptions } from './server-transport.ts';
export type { WebSocketLike } from './socket-link.ts';
export { SUBPROTOCOL } from './transport.ts';
export type { McpTransport } from './transport.ts';
export { offeredSubprotocols, tokenOf, Tokens } from './token.ts';
