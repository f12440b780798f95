import { GraphQLError } from 'graphql';
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { CloseCode, makeServer, MessageType, parseMessage } from 'graphql-ws';
import type { Context, Message, SubscribeMessage } from 'graphql-ws';
import type { Config } from './config.ts';
import type { Documents } from './graphql-documents.ts';
import type { GraphqlContext } from './graphql-schema.ts';
import { log } from './log.ts';
import type { Conversation, Peer, Protocol } from './protocol.ts';

type Params = Readonly<Record<string, unknown>>;

const SUBPROTOCOL = 'graphql-transport-ws';
/** How what the library sends of an operation starts. */
const HEAD = /^\{"id":"(\d+)","type":"(next|error|complete)"/;

/** What clients of it stay away after, and come back after. */
const CLOSE_CODES: Readonly<Record<number, number>> = {
  // The token expired or was refused, and who it is of is revoked: with a new token they may come back.
  4401: CloseCode.Forbidden,
  4501: CloseCode.Forbidden,
  4502: CloseCode.Forbidden,
  // A slow client, and too many connections of a user: later.
  4408: 1013,
  4429: 1013,
  // No token within the time.
  4500: CloseCode.ConnectionInitialisationTimeout,
};

/** GraphQL over graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export class Graphql implements Protocol {
  readonly subprotocol: string = SUBPROTOCOL;
  readonly closeCodes = CLOSE_CODES;
  readonly config: Config;
  readonly documents: Documents;
  readonly server;

  constructor(config: Config, documents: Documents) {
    this.config = config;
    this.documents = documents;
    this.server = makeServer<Params | undefined, GraphqlConversation>({
      connectionInitWaitTimeout: config.GRAPHQL_INIT_TIMEOUT,
      onConnect: ({ connectionParams = {}, extra }) => extra.connect(connectionParams),
      onSubscribe: ({ extra }, _, payload) => {
        const refusal = this.#refusalFor(extra);
        return refusal === undefined ? documents.prepare(payload) : [refusal];
      },
      context: ({ extra }: Context<Params | undefined, GraphqlConversation>) => extra.context,
      onNext: ({ extra }, _, __, ___, result) => {
        const errors = result.errors?.map((error) => extra.told(error));
        return errors && ({ ...result, errors } as FormattedExecutionResult);
      },
      onError: ({ extra }, _, __, errors) => errors.map((error) => extra.told(error)),
    });
  }

  accept(peer: Peer): Conversation {
    return new GraphqlConversation(this, peer);
  }

  #refusalFor({ running }: GraphqlConversation): GraphQLError | undefined {
    const { GRAPHQL_MAX_OPERATIONS: most, GRAPHQL_MAX_ALL_OPERATIONS: mostOfAll } = this.config;
    const extensions = { code: 'TOO_MANY_OPERATIONS' };
    if (running > most) {
      const message = `expected at most ${String(most)} operations at the same time`;
      return new GraphQLError(message, { extensions });
    }
    if (this.documents.running <= mostOfAll) return undefined;
    return new GraphQLError('the server has too many operations; try again later', { extensions });
  }
}

/**
 * What is said to one client. The library gets operations by number: an id that the client has completed is
 * free again, though the operation that had it may take its time.
 */
export class GraphqlConversation implements Conversation {
  readonly #graphql: Graphql;
  protected readonly peer: Peer;
  readonly #closed: (code?: number, reason?: string) => Promise<void>;
  #take: (message: Message) => Promise<void> = () => Promise.resolve();
  readonly #idOf = new Map<string, string>();
  readonly #numberOf = new Map<string, string>();
  #last = 0;
  /** Operations under way, also those that are completed for the client. */
  running = 0;

  constructor(graphql: Graphql, peer: Peer) {
    this.#graphql = graphql;
    this.peer = peer;
    const socket = {
      // To a client that has offered none, the library says so.
      protocol: peer.subprotocol === '' ? '' : SUBPROTOCOL,
      send: (text: string) => {
        this.#pass(text);
        // Until then nothing more is asked of what is iterated.
        return peer.drained;
      },
      close: (code: number = CloseCode.InternalServerError, reason = '') => {
        this.end(code, reason);
      },
      onMessage: (take: (text: string) => Promise<void>) => {
        // It takes a message that is parsed as well.
        this.#take = take as unknown as (message: Message) => Promise<void>;
      },
    };
    this.#closed = graphql.server.opened(socket, this);
  }

  // #if auth
  /** Whether what its connection_init says lets a client in. */
  async connect(params: Params): Promise<boolean> {
    const token = tokenIn(params);
    if (token === undefined) return this.peer.identity !== undefined;
    return (await this.peer.authenticate(token)) !== undefined;
  }
  // #else
  //~ /** Whether what its connection_init says lets a client in: the handshake has said who it is. */
  //~ connect(_: Params): boolean {
  //~   return true;
  //~ }
  // #endif

  /** What resolvers get. */
  get context(): GraphqlContext {
    const { identity, id } = this.peer;
    // #if auth
    if (identity === undefined) throw new Error('an operation of nobody');
    // #endif
    return { user: identity.user, identity, client: id };
  }

  /** What the client reads of an error: of one that nobody meant for it, that there is one. */
  told(error: GraphQLError): GraphQLFormattedError {
    const { originalError, nodes, path } = error;
    if (originalError === undefined || originalError.name === 'GraphQLError') return error.toJSON();
    const trace = originalError.stack ?? originalError.message;
    log('error', 'resolver-failed', { client: this.peer.id, path: path?.join('.'), trace });
    const extensions = { code: 'INTERNAL_SERVER_ERROR' };
    return new GraphQLError('internal error', {
      nodes: nodes ?? null,
      path: path ?? null,
      extensions,
    }).toJSON();
  }

  receive(text: string): void | Promise<void> {
    let message: Message | undefined;
    try {
      message = this.parse(text);
    } catch (error) {
      // #if metrics
      this.peer.received('invalid');
      // #endif
      this.end(CloseCode.BadRequest, reasonOf(error));
      return;
    }
    if (message === undefined) return;
    // #if metrics
    this.peer.received(message.type);
    // #endif
    switch (message.type) {
      case MessageType.Subscribe:
        this.#subscribe(message);
        return;
      case MessageType.Complete:
        this.complete(message.id);
        return;
      case MessageType.ConnectionInit:
        return this.init(message);
      case MessageType.Ping:
      case MessageType.Pong:
        void this.run(message);
        return;
      default:
        this.end(CloseCode.BadRequest, `Unexpected message of type ${message.type}`);
    }
  }

  /**
   * What `text` says; undefined if that is done.
   * @throws {Error} when it is no message.
   */
  protected parse(text: string): Message | undefined {
    return parseMessage(text);
  }

  protected init(message: Message): void | Promise<void> {
    // What comes before connection_ack is not for the time after it.
    void this.run(message);
  }

  #subscribe(message: SubscribeMessage): void {
    const { id } = message;
    if (this.#numberOf.has(id)) {
      this.end(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
      return;
    }
    this.#last += 1;
    const number = String(this.#last);
    this.#idOf.set(number, id);
    this.#numberOf.set(id, number);
    this.running += 1;
    this.#graphql.documents.running += 1;
    void this.run({ ...message, id: number }).finally(() => {
      this.running -= 1;
      this.#graphql.documents.running -= 1;
      this.#forget(number);
    });
  }

  /** The client does not want any more of an operation, if there is one. */
  protected complete(id: string): void {
    const number = this.#numberOf.get(id);
    if (number === undefined) return;
    this.#forget(number);
    void this.run({ type: MessageType.Complete, id: number });
  }

  #forget(number: string): void {
    const id = this.#idOf.get(number);
    this.#idOf.delete(number);
    if (id !== undefined) this.#numberOf.delete(id);
  }

  protected async run(message: Message): Promise<void> {
    try {
      await this.#take(message);
    } catch (error) {
      if (error instanceof RangeError && message.type === MessageType.Ping) {
        // The pong has the payload of the ping.
        this.end(CloseCode.BadRequest, 'the payload is nested too deep');
        return;
      }
      this.#report(error);
      this.end(CloseCode.InternalServerError, 'internal error');
    }
  }

  #report(error: unknown): void {
    const trace = error instanceof Error ? error.stack : String(error);
    log('error', 'command-failed', { client: this.peer.id, trace });
  }

  #pass(text: string): void {
    const [head = '', number = '', type = ''] = HEAD.exec(text) ?? [];
    if (head === '') {
      this.say(text);
      return;
    }
    const id = this.#idOf.get(number);
    if (id === undefined) return;
    if (type !== 'next') this.#forget(number);
    this.tell(id, type, text.slice(head.length));
  }

  /** Sends what is not of an operation. */
  protected say(text: string): void {
    this.peer.send(text, text.startsWith('{"type":"pong"') ? 'pong' : 'connection_ack');
  }

  /** Sends what is of one; `rest` is the message without its id and type. */
  protected tell(id: string, type: string, rest: string): void {
    this.peer.send(`{"id":${JSON.stringify(id)},"type":"${type}"${rest}`, type);
  }

  protected end(code: number, reason: string): void {
    this.peer.close(code, reason);
  }

  close(): void {
    this.#closed().catch((error: unknown) => {
      this.#report(error);
    });
  }
}

/** What is wrong with a message, without what `JSON.parse` shows of it. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError || !(error instanceof Error)) return 'expected JSON';
  return error.message;
}
// #if auth

/** The token of a connection_init: as `token`, or as in the header Authorization. */
function tokenIn(params: Params): string | undefined {
  const { token, Authorization, authorization = Authorization } = params;
  if (typeof token === 'string') return token;
  if (typeof authorization !== 'string') return undefined;
  return authorization.replace(/^Bearer +/i, '');
}
// #endif
