import { createClient } from 'graphql-ws';
import type { Client, FormattedExecutionResult, SubscribePayload } from 'graphql-ws';
import { Emitter } from './emitter.ts';
import { after, ClientError, limitsOf } from './messages.ts';

/** What the client does at present. */
export interface GraphqlState {
  /** `idle`: nothing is asked for. `waiting`: until the next attempt. */
  readonly name: 'idle' | 'connecting' | 'open' | 'waiting';
  /** The close code of the last connection. */
  readonly code?: number;
  /** Until the next attempt. */
  readonly retryInMs?: number;
}

export interface GraphqlEvents {
  state: GraphqlState;
  /** What belongs to no operation: getToken failed. */
  error: ClientError;
}

export interface GraphqlOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Default: the global one; Node.js below 22 has none: give it that of the `ws` package. */
  readonly WebSocket?: unknown;
  /** Gives a token that has not expired; called for each connection. */
  readonly getToken?: () => string | Promise<string>;
  /** Attempt n waits a random time up to `baseMs` * 2^n, at most `maxMs`. */
  readonly backoff?: { readonly baseMs?: number; readonly maxMs?: number };
  /** After so long a connection counts as good, and the waits start anew. */
  readonly stableMs?: number;
  /** Limit of the answer to connection_init. */
  readonly connectTimeoutMs?: number;
  /** How long the connection stays when nothing is asked for. */
  readonly idleMs?: number;
  /** A server that was silent for so long is asked for a sign of life, and has `pongTimeoutMs` for it. */
  readonly pingIntervalMs?: number;
  readonly pongTimeoutMs?: number;
}

/** A text, or one with types as GraphQL Code Generator makes it (`documentMode: 'string'`). */
export interface Document<Data, Variables> {
  toString(): string;
  readonly __apiType?: (variables: Variables) => Data;
}

type AnyDocument = Pick<Document<unknown, unknown>, 'toString'>;

/** The server has executed an operation, or refused it, with errors. */
export class GraphqlError extends Error {
  readonly errors: readonly GraphqlFault[];
  /** What there is besides the errors. */
  readonly data: unknown;

  constructor(errors: readonly GraphqlFault[], data?: unknown) {
    super(errors.map(({ message }) => message).join('; '));
    this.name = 'GraphqlError';
    this.errors = errors;
    this.data = data;
  }
}

export interface GraphqlFault {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

const DEFAULTS = {
  baseMs: 250,
  maxMs: 30_000,
  stableMs: 10_000,
  connectTimeoutMs: 10_000,
  idleMs: 10_000,
  pingIntervalMs: 25_000,
  pongTimeoutMs: 10_000,
};
/** The server has refused the token. */
const FORBIDDEN = 4403;

/**
 * The client of graphql-ws with the delays and states of this package. It connects when something is asked for;
 * after a lost connection, subscriptions and queries go on with the next one.
 */
export class GraphqlClient extends Emitter<GraphqlEvents> {
  /** For what is made for it: urql, Apollo Client, Relay. It sends mutations twice if a connection is lost. */
  readonly client: Client;
  readonly #options: GraphqlOptions;
  readonly #limits: typeof DEFAULTS;
  #state: GraphqlState = { name: 'idle' };
  #attempts = 0;
  #connectedAt: number | undefined;
  /** The server has refused a token that was new. */
  #isRefused = false;
  #stopTimer = (): void => undefined;

  constructor(options: GraphqlOptions) {
    super();
    const { url, WebSocket: webSocketImpl, backoff } = options;
    this.#options = options;
    const limits = limitsOf(DEFAULTS, { ...options, ...backoff });
    this.#limits = limits;
    this.client = createClient({
      url,
      webSocketImpl,
      connectionParams: () => this.#credentials(),
      connectionAckWaitTimeout: limits.connectTimeoutMs,
      lazyCloseTimeout: limits.idleMs,
      keepAlive: limits.pingIntervalMs,
      retryAttempts: Infinity,
      retryWait: () => this.#wait(),
      shouldRetry: (event) => this.#isWorthAnother(event),
      on: {
        connecting: () => this.#set({ name: 'connecting' }),
        connected: () => {
          this.#connectedAt = performance.now();
          this.#isRefused = false;
          this.#set({ name: 'open' });
        },
        ping: (isReceived) => {
          if (!isReceived)
            this.#stopTimer = after(limits.pongTimeoutMs, () => this.client.terminate());
        },
        pong: (isReceived) => {
          if (isReceived) this.#stopTimer();
        },
        closed: (event) => this.#closed(event as { code: number }),
      },
    });
  }

  get state(): GraphqlState {
    return this.#state;
  }

  /** The answer to a query; rejects with a GraphqlError, or with why there is no connection for good. */
  query<Data = unknown, Variables extends object = Record<string, unknown>>(
    query: Document<Data, Variables>,
    variables?: Variables,
  ): Promise<Data> {
    return this.#ask(query, variables);
  }

  /**
   * The same for a mutation, which is sent once: when the connection is lost before the answer, it rejects
   * with the code `unknown_outcome`.
   */
  mutate<Data = unknown, Variables extends object = Record<string, unknown>>(
    query: Document<Data, Variables>,
    variables?: Variables,
  ): Promise<Data> {
    return this.#ask(query, variables, true);
  }

  /** The events of a subscription, until the server or whoever iterates ends it. What happens without a connection is missed. */
  subscribe<Data = unknown, Variables extends object = Record<string, unknown>>(
    query: Document<Data, Variables>,
    variables?: Variables,
  ): AsyncIterableIterator<Data, void> {
    const results = this.client.iterate(payloadOf(query, variables));
    const events: AsyncIterableIterator<Data, void> = {
      next: async () => {
        const result = await results.next().catch((error: unknown) => {
          throw errorOf(error);
        });
        if (result.done === true) return { done: true, value: undefined };
        const { errors, data } = result.value as FormattedExecutionResult;
        if (errors === undefined) return { done: false, value: data as Data };
        throw new GraphqlError(errors, data);
      },
      return: async () => {
        await results.return?.(undefined);
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => events,
    };
    return events;
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    this.#stopTimer();
    await this.client.dispose();
  }

  async #ask<Data>(
    query: AnyDocument,
    variables: object | undefined,
    isOnce = false,
  ): Promise<Data> {
    return await new Promise<Data>((resolve, reject) => {
      let isSent = false;
      const { query: text, ...payload } = payloadOf(query, variables);
      const operation = {
        ...payload,
        // It is read when it is sent.
        get query() {
          isSent = true;
          return text;
        },
      };
      const stop = [
        this.client.subscribe(operation, {
          next: (result) => {
            const { errors, data } = result as FormattedExecutionResult;
            if (errors === undefined) resolve(data as Data);
            else reject(new GraphqlError(errors, data));
          },
          error: (error) => finish(() => reject(errorOf(error))),
          complete: () => finish(() => reject(new ClientError('closed', 'there is no answer'))),
        }),
      ];
      const finish = (settle: () => void): void => {
        for (const end of stop.splice(0)) end();
        settle();
      };
      if (!isOnce) return;
      const lost = new ClientError('unknown_outcome', 'the connection was lost before the answer');
      const end = this.client.on('closed', () => {
        if (isSent) finish(() => reject(lost));
      });
      stop.push(end);
    });
  }

  async #credentials(): Promise<Record<string, unknown> | undefined> {
    const { getToken } = this.#options;
    try {
      return getToken && { token: await getToken() };
    } catch (cause) {
      // Without one the server refuses, and there is another attempt.
      this.#isRefused = false;
      this.emit('error', new ClientError('token', 'getToken failed', { cause }));
      return undefined;
    }
  }

  /** Many clients lose their connections at the same time, and must not come back at the same time. */
  async #wait(): Promise<void> {
    const { baseMs, maxMs } = this.#limits;
    const retryInMs = Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    this.#set({ ...this.#state, name: 'waiting', retryInMs: Math.round(retryInMs) });
    await new Promise((resolve) => setTimeout(resolve, retryInMs));
  }

  #isWorthAnother(event: unknown): boolean {
    if ((event as { code?: number }).code !== FORBIDDEN) return true;
    const isFutile = this.#options.getToken === undefined || this.#isRefused;
    this.#isRefused = true;
    return !isFutile;
  }

  #closed({ code }: { code: number }): void {
    this.#stopTimer();
    const uptimeMs = this.#connectedAt === undefined ? 0 : performance.now() - this.#connectedAt;
    if (uptimeMs >= this.#limits.stableMs) this.#attempts = 0;
    this.#connectedAt = undefined;
    this.#set({ name: 'idle', code });
  }

  #set(state: GraphqlState): void {
    this.#state = state;
    this.emit('state', state);
  }
}

function payloadOf(query: AnyDocument, variables: object | undefined): SubscribePayload {
  return { query: query.toString(), variables: variables as Record<string, unknown> | undefined };
}

/** Errors of the server, or how the connection ended. */
function errorOf(error: unknown): Error {
  if (Array.isArray(error)) return new GraphqlError(error as GraphqlFault[]);
  if (error instanceof Error) return error;
  const { code, reason = '' } = error as { code?: number; reason?: string };
  return new ClientError('closed', reason || `close code ${code ?? 1006}`);
}
