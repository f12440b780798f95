import { McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { RequestId, ServerContext } from '@modelcontextprotocol/server';
import { prompts } from './handlers/prompts.ts';
import { resources } from './handlers/resources.ts';
import { tools } from './handlers/tools.ts';
import type { Identity } from './hooks.ts';

/** What clients are told of this server. */
const INFO = { name: 'ws-app', version: '0.1.0' };
/** Longest name of a resource that a client subscribes to. */
export const MAX_URI = 2048;

/** Who is at the other end. */
export interface McpClient {
  /** That of its connection, as in the log. */
  readonly id: string;
  /** Undefined over stdio, where it is who has started the process. */
  readonly identity: Identity | undefined;
}

/** What definitions work with besides the server that they add to. */
export interface McpContext {
  readonly client: McpClient;
  /** Tells all clients that have subscribed to a resource that it has changed. */
  readonly resourceUpdated: (uri: string) => void;
}

/** Adds tools, resources or prompts to the server of one client, with the functions of the SDK. */
export type Define = (server: McpServer, context: McpContext) => void;

/** Those of src/handlers/. */
export const DEFINITIONS: readonly Define[] = [tools, resources, prompts];

type Era = 'legacy' | 'modern';

/** Is told when handlers begin and end: no response says so after a cancellation. */
export interface Work {
  begun: (id: RequestId) => void;
  ended: (id: RequestId) => void;
}

/** Makes the servers of the SDK, one for each client, and tells them of what they have in common. */
export class McpServers {
  readonly #definitions: readonly Define[];
  readonly #maxSubscriptions: number;
  /** Those that are open, with the resources that their clients want to hear of. */
  readonly #open = new Map<McpServer, ReadonlySet<string> | 'all'>();

  /** `maxSubscriptions`: resources that one client subscribes to. */
  constructor(definitions: readonly Define[], maxSubscriptions = Infinity) {
    this.#definitions = definitions;
    this.#maxSubscriptions = maxSubscriptions;
  }

  /** The server of one client, in the era of the protocol that it speaks. */
  create(era: Era, client: McpClient, work?: Work): McpServer {
    const capabilities = { resources: { subscribe: true } };
    const made = new McpServer(INFO, { capabilities });
    if (work !== undefined) follow(made, work);
    const context: McpContext = {
      client,
      resourceUpdated: (uri) => {
        this.resourceUpdated(uri);
      },
    };
    for (const define of this.#definitions) define(made, context);
    // Since 2026-07-28 it is the SDK that knows who listens to what.
    this.#open.set(made, era === 'modern' ? 'all' : this.#subscriptionsOf(made));
    made.server.onclose = () => {
      this.#open.delete(made);
    };
    return made;
  }

  /** Tells all clients that have subscribed to a resource that it has changed. */
  resourceUpdated(uri: string): void {
    for (const [{ server }, wanted] of this.#open) {
      if (wanted !== 'all' && !wanted.has(uri)) continue;
      // Who has just gone need not be told.
      server.sendResourceUpdated({ uri }).catch(() => undefined);
    }
  }

  #subscriptionsOf({ server }: McpServer): ReadonlySet<string> {
    const uris = new Set<string>();
    server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
      const isNew = !uris.has(uri);
      if (uri.length > MAX_URI || (isNew && uris.size >= this.#maxSubscriptions)) {
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Too many subscriptions');
      }
      uris.add(uri);
      return {};
    });
    server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
      uris.delete(uri);
      return {};
    });
    return uris;
  }
}

/** Wraps the handlers that the server is given from now on. */
function follow({ server }: McpServer, work: Work): void {
  const set = server.setRequestHandler.bind(server) as (...args: unknown[]) => void;
  server.setRequestHandler = (...args: unknown[]): void => {
    const handler = args.pop() as (message: unknown, context: ServerContext) => unknown;
    set(...args, async (message: unknown, context: ServerContext): Promise<unknown> => {
      const { id } = context.mcpReq;
      work.begun(id);
      try {
        return await handler(message, context);
      } finally {
        work.ended(id);
      }
    });
  };
}
