import type { Config } from './config.ts';
// #if graphql
import { Documents } from './graphql-documents.ts';
import { createSchema } from './graphql-schema.ts';
import { Graphql } from './graphql.ts';
// #endif
// #if graphql-legacy
import { LegacyGraphql } from './graphql-legacy.ts';
// #endif
// #if wamp
import { procedures } from './handlers/procedures.ts';
// #endif
// #if graphql
import { resolvers } from './handlers/resolvers.ts';
// #endif
import type { Identity } from './hooks.ts';
import type { Route } from './http.ts';
// #if jsonrpc
import { JsonRpc } from './json-rpc.ts';
import type { Methods } from './json-rpc.ts';
// #endif
import type { Level } from './log.ts';
// #if mcp
import { Mcp } from './mcp.ts';
import type { Define } from './mcp-servers.ts';
// #endif
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
// #if wamp
import { Wamp } from './wamp.ts';
// #endif

/** What a protocol works with. */
export interface ProtocolContext {
  readonly config: Config;
  // #if jsonrpc
  readonly methods: Methods;
  // #endif
  // #if mcp
  readonly definitions: readonly Define[];
  // #endif
  // #if metrics
  readonly metrics: Metrics;
  // #endif
}

/** A client as a protocol sees it: there are no sockets. */
export interface Peer {
  readonly id: string;
  /** The subprotocol that was negotiated; empty if the client offered none. */
  readonly subprotocol: string;
  // #if auth
  /** Who it is; undefined until it has said so. */
  readonly identity: Identity | undefined;
  /**
   * Checks its first token, or a newer one. Undefined: it was refused, and the protocol has to say so in its
   * own way. A client that has not shown a token within AUTH_TIMEOUT is closed with 4500.
   */
  authenticate(token: string): Promise<Identity | undefined>;
  // #if wamp
  /** It is known by the means of its protocol: it needs no token. */
  admit(): void;
  // #endif
  // #else
  //~ readonly identity: Identity;
  // #endif
  /** Sends a text message; a client that does not read is closed. `kind` is for metrics, one of few. */
  send(text: string, kind: string): void;
  /** Settles when the client has read, or has gone: who can wait with more does. Undefined: little waits for it. */
  readonly drained: Promise<void> | undefined;
  /** Starts the closing handshake. A reason has 123 bytes at most. */
  close(code: number, reason: string): void;
  /** Takes messages of its rate limits, besides the one that each message costs. */
  spend(messages: number): void;
  /** Counts an invalid message; false if the client was closed over too many. */
  warn(): boolean;
  // #if metrics
  /** Counts a message. `kind` is one of few, and nothing that the client makes up. */
  received(kind: string): void;
  // #endif
  log(level: Level, event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What is said to one client, from its handshake to its end. */
export interface Conversation {
  /**
   * Takes a text message. Until a promise is settled, nothing more is read from the client: return at once
   * from what may take long and need not be in order. A promise that rejects closes with 1011.
   */
  receive(text: string): void | Promise<void>;
  /** The server is about to close with 1001: what is sent now comes before that. */
  drain?(): void;
  /** The connection has ended. */
  close(): void;
}

/** A protocol of others that this server speaks, over the subprotocol of its name. */
export interface Protocol {
  readonly subprotocol: string;
  /** The codes that it has for some of src/close-codes.ts. */
  readonly closeCodes?: Readonly<Record<number, number>>;
  // #if auth && mcp
  /** It has no words in which a client could say who it is: the handshake has to. */
  readonly needsIdentity?: boolean;
  // #endif
  /** The HTTP requests that it answers. */
  readonly routes?: readonly Route[];
  /** A client has come; its identity is known unless it has to say who it is. */
  accept(peer: Peer): Conversation;
  /** The server is about to listen. */
  start?(): Promise<void>;
  /** All clients have gone. */
  stop?(): Promise<void>;
}

/** The protocols of this server. */
export function createProtocols(context: ProtocolContext): [Protocol, ...Protocol[]] {
  const made: Protocol[] = [];
  // #if graphql
  const documents = new Documents(createSchema(resolvers), context.config);
  made.push(new Graphql(context.config, documents));
  // #endif
  // #if graphql-legacy
  made.push(new LegacyGraphql(context.config, documents));
  // #endif
  // #if jsonrpc
  made.push(new JsonRpc(context));
  // #endif
  // #if mcp
  made.push(new Mcp(context));
  // #endif
  // #if wamp
  made.push(new Wamp(procedures, context));
  // #endif
  return made as [Protocol, ...Protocol[]];
}
