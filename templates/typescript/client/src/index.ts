// #if chat
export { ChatClient, Room } from './chat.ts';
export type { RoomEvents } from './chat.ts';
// #endif
// #if pubsub
export { PubsubClient, Subscription } from './pubsub.ts';
export type { SubscriptionEvents } from './pubsub.ts';
// #endif
// #if live
export { LiveDocument, LiveUpdatesClient } from './live-updates.ts';
export type { Change, DocumentEvents } from './live-updates.ts';
export { applyPatch } from './json-patch.ts';
export type { Json, PatchOperation } from './json-patch.ts';
// #endif
// #if collab
export { CollabProvider } from './collab.ts';
export type { CollabEvents, CollabOptions } from './collab.ts';
// #endif
// #if graphql
export { GraphqlClient, GraphqlError } from './graphql.ts';
export type {
  Document,
  GraphqlEvents,
  GraphqlFault,
  GraphqlOptions,
  GraphqlState,
} from './graphql.ts';
// #endif
// #if wamp
export { WampClient } from './wamp.ts';
export type { WampEvents, WampOptions, WampState } from './wamp.ts';
// #endif
// #if jsonrpc
export { JsonRpcClient, RpcError } from './json-rpc.ts';
export type { CallOptions, JsonRpcEvents, JsonRpcOptions } from './json-rpc.ts';
// #endif
// #if applications || jsonrpc
export { CLOSE_CODES } from './close-codes.ts';
// #endif
// #if chat || pubsub || live
export type { ClientEvents, ClientOptions } from './client.ts';
// #endif
// #if applications || jsonrpc
export type { Socket, SocketConstructor, State, StateName } from './connection.ts';
// #endif
export { ClientError } from './messages.ts';
// #if applications
export type { Position, Recovered } from './messages.ts';
// #endif
// #if chat
export type { ChatMessage } from './messages.ts';
// #endif
// #if pubsub
export type { TopicEvent } from './messages.ts';
// #endif
// #if chat || pubsub
export type { Ack } from './messages.ts';
export type { OutboxOptions, SendOptions } from './outbox.ts';
// #endif
