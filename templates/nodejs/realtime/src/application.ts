import type { z } from 'zod';
// #if chat
import { Chat } from './chat.ts';
// #endif
import type { Client } from './client.ts';
// #if collab
import { Collab } from './collab.ts';
// #endif
import type { Config } from './config.ts';
// #if rooms || pubsub || live || collab
import type { Wish } from './hooks.ts';
// #endif
// #if chat
import type { OnMessage } from './hooks.ts';
// #endif
import type { Route } from './http.ts';
// #if live
import { LiveUpdates } from './live-updates.ts';
// #endif
import type { AnyCommand, CommandSchema } from './messages.ts';
// #if pubsub
import { PubSub } from './pubsub.ts';
// #endif
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
// #if collab
import type { Persistence } from './persistence.ts';
// #if redis
import type { RedisLink } from './redis-link.ts';
// #endif
// #endif
// #if chat || pubsub || live
import type { Store } from './store.ts';
// #endif

/** What an application works with. */
export interface Context {
  readonly config: Config;
  // #if chat || pubsub || live
  readonly store: Store;
  // #endif
  // #if chat || pubsub
  /** Milliseconds since 1970. */
  readonly now: () => number;
  // #endif
  // #if collab
  /** Undefined: as the settings say. */
  readonly persistence?: Persistence | undefined;
  // #if redis
  readonly redis: RedisLink | undefined;
  // #endif
  // #endif
  // #if rooms || pubsub || live || collab
  readonly authorize: (wish: Wish) => boolean | Promise<boolean>;
  // #endif
  // #if chat
  readonly onMessage: OnMessage;
  // #endif
  // #if metrics
  readonly metrics: Metrics;
  // #endif
}

/** What clients say to each other over one subprotocol. It knows clients, but no sockets. */
export interface Application {
  readonly subprotocol: string;
  /** The server's features, as `welcome` lists them. */
  readonly features: readonly string[];
  /** Its commands, common ones included. */
  readonly commands: CommandSchema;
  /** What it sends besides what every server does. */
  readonly messages: readonly z.ZodType[];
  // #if metrics
  /** How many rooms, streams or documents clients are in. */
  readonly roomCount?: number;
  // #endif
  /** The HTTP requests that it answers. */
  readonly routes?: readonly Route[];
  /** The server is about to listen. */
  start?(): Promise<void>;
  /** A client whose user is known has got its `welcome`. */
  open?(client: Client): void | Promise<void>;
  /**
   * Executes a command that `commands` accepts. Until a promise is settled, nothing more is read from
   * `client`: its commands are executed in order.
   */
  receive(client: Client, command: AnyCommand): void | Promise<void>;
  // #if collab
  /** Takes a binary message; returns how many messages of the rate limit it costs. */
  receiveBinary?(client: Client, bytes: Buffer): number;
  // #endif
  /** How many messages of the rate limit a command costs; 1 unless it says otherwise. */
  costOf?(command: AnyCommand): number;
  // #if auth
  /** `client` has shown a newer token: what that does not allow any more ends. */
  refresh?(client: Client): Promise<void>;
  // #endif
  /** The connection of `client`, which was opened, has ended. */
  close(client: Client): void;
  /** The server is about to close all clients. */
  drain?(): void;
  // #if collab
  /** All clients have gone. */
  stop?(): Promise<void>;
  // #endif
}

/** The applications of this server; the first is for clients that name no subprotocol. */
export function createApplications(context: Context): [Application, ...Application[]] {
  const made: Application[] = [];
  // #if chat
  made.push(new Chat(context));
  // #endif
  // #if pubsub
  made.push(new PubSub(context));
  // #endif
  // #if live
  made.push(new LiveUpdates(context));
  // #endif
  // #if collab
  made.push(new Collab(context));
  // #endif
  return made as [Application, ...Application[]];
}
