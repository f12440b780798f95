import { Connection } from './connection.ts';
import type { ConnectionOptions, State } from './connection.ts';
import { Emitter } from './emitter.ts';
import { after, ClientError, isObject, limitsOf } from './messages.ts';

/** JSON-RPC 2.0 section 5.1. */
const METHOD_NOT_FOUND = { code: -32601, message: 'Method not found' };
const INTERNAL_ERROR = { code: -32603, message: 'Internal error' };

/** An error that the server has answered with, or that a handler answers with. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
    this.data = data;
  }
}

type AnyMethods = Record<string, (params?: unknown) => unknown>;
type ParamsOf<All, Name extends keyof All> = All[Name] extends (...params: infer Params) => unknown
  ? Params[0 & keyof Params]
  : never;
type ResultOf<All, Name extends keyof All> = All[Name] extends (...params: never) => infer Result
  ? Awaited<Result>
  : never;

export interface JsonRpcOptions extends ConnectionOptions {
  /** How long a call may take, unless it says so itself. */
  readonly callTimeoutMs?: number;
  /** Calls without an answer, those included that wait for a connection. */
  readonly maxCalls?: number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  /** Gives the call up; the server may carry it out all the same. */
  readonly signal?: AbortSignal;
}

export interface JsonRpcEvents {
  state: State;
  /** What belongs to no call: getToken failed, a handler has thrown. */
  error: ClientError;
}

interface Call {
  readonly text: string;
  isSent: boolean;
  settle(outcome: { readonly result: unknown } | Error): void;
}

const CALL_DEFAULTS = { callTimeoutMs: 30_000, maxCalls: 1000 };

/**
 * Calls methods of a JSON-RPC 2.0 server, and is called by it, over reconnects. `Server` and `Own` say what
 * the methods of both sides take and give back.
 */
export class JsonRpcClient<
  Server extends object = AnyMethods,
  Own extends object = AnyMethods,
> extends Emitter<JsonRpcEvents> {
  readonly #connection: Connection;
  readonly #limits: typeof CALL_DEFAULTS;
  readonly #calls = new Map<unknown, Call>();
  readonly #handlers = new Map<string, (params: never) => unknown>();
  #lastId = 0;
  /** Counts the connections. */
  #generation = 0;

  constructor(options: JsonRpcOptions) {
    super();
    this.#limits = limitsOf(CALL_DEFAULTS, options);
    this.#connection = new Connection(
      { subprotocols: ['json-rpc'], ...options },
      {
        state: (state) => {
          this.emit('state', state);
          if (state.name === 'closed') this.#failAll(false, 'closed', state.reason);
        },
        welcome: () => {
          this.#connection.setResumed(true);
          for (const call of this.#calls.values()) {
            if (!call.isSent) call.isSent = this.#connection.send(call.text);
          }
        },
        message: () => undefined,
        // What was sent is never sent again: the server may have carried it out.
        down: () => {
          this.#generation++;
          this.#failAll(true, 'unknown_outcome', 'the connection was lost');
        },
        error: (error) => this.emit('error', error),
        protocol: {
          opened: () => {
            // #if auth
            if (this.#connection.hasToken) this.#connection.authenticate();
            else this.#connection.welcome();
            // #else
            //~ this.#connection.welcome();
            // #endif
          },
          receive: (data) => this.#receive(data),
          // Whatever the answer is: there is one.
          probe: () => void this.#send({ id: 'ping', method: 'rpc.ping' }),
          // #if auth
          authenticate: (token) => this.#authenticate(token),
          // #endif
        },
      },
    );
  }

  get state(): State {
    return this.#connection.state;
  }

  /** Connects, and stays connected until `close`. */
  connect(): void {
    this.#connection.connect();
  }

  close(): void {
    this.#connection.close();
  }

  /**
   * Calls a method of the server; without a connection it waits for one, as long as the call may take.
   *
   * Rejects with an RpcError that the server has answered with, or a ClientError: `timeout` and
   * `unknown_outcome` (the connection was lost before the answer) leave open whether the server has done it,
   * `expired` (never sent), `queue_full`, `aborted` before it was sent and `closed` do not.
   */
  call<Name extends keyof Server & string>(
    method: Name,
    params?: ParamsOf<Server, Name>,
    { timeoutMs = this.#limits.callTimeoutMs, signal }: CallOptions = {},
  ): Promise<ResultOf<Server, Name>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw new ClientError('aborted', `${method} was given up`);
      if (this.state.name === 'closed') throw new ClientError('closed', this.state.reason);
      if (this.#calls.size >= this.#limits.maxCalls) {
        throw new ClientError('queue_full', `${this.#limits.maxCalls} calls have no answer`);
      }
      const id = ++this.#lastId;
      const settle: Call['settle'] = (outcome) => {
        stopTimer();
        signal?.removeEventListener('abort', abort);
        this.#calls.delete(id);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome.result as ResultOf<Server, Name>);
      };
      const abort = (): void => settle(new ClientError('aborted', `${method} was given up`));
      const stopTimer = after(timeoutMs, () => {
        const code = call.isSent ? 'timeout' : 'expired';
        settle(new ClientError(code, `${method} had no answer within ${timeoutMs} ms`));
      });
      signal?.addEventListener('abort', abort);
      const text = JSON.stringify({ jsonrpc: '2.0', id, method, params });
      const call: Call = { text, isSent: false, settle };
      this.#calls.set(id, call);
      if (this.state.name === 'open') call.isSent = this.#connection.send(text);
    });
  }

  /** Tells the server something; false: there is no connection, and it is not kept for later. */
  notify<Name extends keyof Server & string>(
    method: Name,
    params?: ParamsOf<Server, Name>,
  ): boolean {
    return this.state.name === 'open' && this.#send({ method, params });
  }

  /** Carries out what the server calls or tells, until the function that this returns is called. */
  handle<Name extends keyof Own & string>(
    method: Name,
    handler: (params: ParamsOf<Own, Name>) => ResultOf<Own, Name> | Promise<ResultOf<Own, Name>>,
  ): () => void {
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  #send(message: object): boolean {
    return this.#connection.send({ jsonrpc: '2.0', ...message });
  }
  // #if auth

  #authenticate(token: string): void {
    const settle: Call['settle'] = (outcome) => {
      this.#calls.delete('auth');
      const { result } = outcome as { result?: unknown };
      if (isObject(result)) this.#connection.accepted(result['expiresAt']);
      // A server that asks for no token, and knows no such method.
      else if ((outcome as Partial<RpcError>).code === METHOD_NOT_FOUND.code)
        this.#connection.accepted(undefined);
      // Of another refusal the close code says what follows.
    };
    this.#calls.set('auth', { text: '', isSent: true, settle });
    this.#send({ id: 'auth', method: 'rpc.authenticate', params: { token } });
  }
  // #endif

  #failAll(onlySent: boolean, code: string, reason: string): void {
    for (const call of [...this.#calls.values()]) {
      if (call.isSent || !onlySent) call.settle(new ClientError(code, reason));
    }
  }

  #receive(data: unknown): void {
    let value: unknown;
    try {
      value = JSON.parse(String(data));
    } catch {
      // It may have been an answer: only a new connection can tell.
      this.#connection.restart('malformed message');
      return;
    }
    // An answer goes back over the connection that has asked, or nowhere.
    const generation = this.#generation;
    const answer = (text: string): void => {
      if (generation === this.#generation) this.#connection.send(text);
    };
    if (!Array.isArray(value)) {
      void this.#take(value).then((text) => text !== undefined && answer(text));
      return;
    }
    void Promise.all(value.map((entry) => this.#take(entry))).then((all) => {
      const answers = all.filter((text) => text !== undefined);
      if (answers.length > 0) answer(`[${answers.join(',')}]`);
    });
  }

  /** Takes what the server says; an answer if it has asked for something. */
  async #take(message: unknown): Promise<string | undefined> {
    if (!isObject(message)) return undefined;
    const { id, method, params, result, error } = message;
    if (typeof method !== 'string') {
      const call = this.#calls.get(id);
      if (isObject(error)) {
        call?.settle(new RpcError(Number(error['code']), String(error['message']), error['data']));
      } else call?.settle({ result });
      return undefined;
    }
    const answer = (outcome: object): string | undefined =>
      id === undefined ? undefined : JSON.stringify({ jsonrpc: '2.0', id, ...outcome });
    try {
      return answer(await this.#carryOut(method, params));
    } catch (cause) {
      // A handler's bug, or a result that is no JSON.
      this.emit(
        'error',
        new ClientError('handler', `the handler of ${method} has thrown`, { cause }),
      );
      return answer({ error: INTERNAL_ERROR });
    }
  }

  async #carryOut(method: string, params: unknown): Promise<object> {
    const handler = this.#handlers.get(method);
    if (handler === undefined) return { error: METHOD_NOT_FOUND };
    try {
      return { result: (await handler(params as never)) ?? null };
    } catch (cause) {
      if (!(cause instanceof RpcError)) throw cause;
      const { code, message, data } = cause;
      return { error: { code, message, data } };
    }
  }
}
