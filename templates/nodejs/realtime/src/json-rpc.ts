import { z } from 'zod';
// #if auth
import { CLOSE_CODES } from './close-codes.ts';
// #endif
import type { Identity } from './hooks.ts';
import type { Conversation, Peer, Protocol, ProtocolContext } from './protocol.ts';

/** Errors of JSON-RPC 2.0 section 5.1, and those of this server in the range that it leaves for them. */
export const RPC_ERRORS = {
  parseError: { code: -32700, message: 'Parse error' },
  invalidRequest: { code: -32600, message: 'Invalid Request' },
  methodNotFound: { code: -32601, message: 'Method not found' },
  invalidParams: { code: -32602, message: 'Invalid params' },
  internalError: { code: -32603, message: 'Internal error' },
  tooManyCalls: { code: -32000, message: 'Too many calls in progress' },
  // #if auth
  notAuthenticated: { code: -32001, message: 'Not authenticated: call rpc.authenticate first' },
  badToken: { code: -32002, message: 'The token was refused' },
  // #endif
} as const;

type Id = string | number | null;
const Id = z.union([z.string(), z.number(), z.null()]);
/** Other members are left alone: the specification does not forbid them. */
const Request = z.object({
  jsonrpc: z.literal('2.0'),
  method: z.string(),
  params: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]).optional(),
  /** Without one it is a notification, which is never answered. */
  id: Id.optional(),
});
type Request = z.output<typeof Request>;
const ErrorObject = z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() });
/** Either a result or an error, never both. */
const Response = z.union([
  z.object({ jsonrpc: z.literal('2.0'), id: Id, result: z.unknown(), error: z.never().optional() }),
  z.object({ jsonrpc: z.literal('2.0'), id: Id, error: ErrorObject, result: z.never().optional() }),
]);
type Response = z.output<typeof Response>;
// #if auth
const Token = z.strictObject({ token: z.string().min(1) });
// #endif
/** What is wrong, and where. */
interface Fault {
  readonly path: readonly string[];
  readonly reason: string;
}

/** An error that a method answers with, or that a client has answered with. */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly code: number;
  readonly data: unknown;

  /** `code`: an integer; -32768 to -32000 are for what the specification and this server define. */
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** A call to a client that was not answered: in time, or before its connection ended. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
}

export interface CallOptions<Result extends z.ZodType = z.ZodUnknown> {
  /** Milliseconds; CALL_TIMEOUT unless it says otherwise. */
  readonly timeoutMs?: number;
  /** What the client has to answer with. */
  readonly result?: Result;
}

type Params = readonly unknown[] | Readonly<Record<string, unknown>>;

/** The client at the other end. */
export interface RpcPeer {
  readonly id: string;
  // #if auth
  /** Undefined until it has said who it is; a method is called only after that. */
  readonly identity: Identity | undefined;
  // #else
  //~ readonly identity: Identity;
  // #endif
  /**
   * Calls a method of the client.
   *
   * @throws {RpcError} which the client has answered with
   * @throws {CallFailed} without an answer, or with another than `result`
   */
  call<Result extends z.ZodType = z.ZodUnknown>(
    method: string,
    params?: Params,
    options?: CallOptions<Result>,
  ): Promise<z.output<Result>>;
  /** Tells the client something; there is no answer. */
  notify(method: string, params?: Params): void;
}

/** What a method gets besides its parameters. */
export interface CallContext {
  readonly peer: RpcPeer;
  /** Aborted when the connection of the client ends: nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

/** A method that clients may call. */
export interface Method {
  invoke(params: Request['params'], context: CallContext): unknown;
}
export type Methods = Readonly<Record<string, Method>>;

/**
 * Makes a method of a schema for its parameters, one for its result, and what it does. Clients name the
 * parameters, or list them in the order of the schema. What the schema of the result does not name is left out.
 */
export function method<Params extends z.ZodObject, Result extends z.ZodType>(definition: {
  readonly params: Params;
  readonly result: Result;
  readonly handle: (
    params: z.output<Params>,
    context: CallContext,
  ) => z.input<Result> | Promise<z.input<Result>>;
}): Method {
  const names = Object.keys(definition.params.shape);
  const read = (given: Request['params'] = {}): z.output<Params> => {
    if (Array.isArray(given) && given.length > names.length) {
      throw invalidParams({ path: [], reason: `expected at most ${String(names.length)}` });
    }
    const named = Array.isArray(given)
      ? Object.fromEntries(given.map((value, index) => [names[index] ?? '', value] as const))
      : given;
    const result = definition.params.safeParse(named);
    if (result.success) return result.data;
    throw invalidParams(faultOf(result.error));
  };
  return {
    invoke: (given, context) => {
      const done = definition.handle(read(given), context);
      if (done instanceof Promise) return done.then((value) => definition.result.parse(value));
      return definition.result.parse(done);
    },
  };
}

function invalidParams(fault: Fault): RpcError {
  const { code, message } = RPC_ERRORS.invalidParams;
  return new RpcError(code, message, fault);
}

/** JSON-RPC 2.0 (https://www.jsonrpc.org/specification), a message or a batch in each text message. */
export class JsonRpc implements Protocol {
  readonly subprotocol = 'json-rpc';
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #context: ProtocolContext;

  constructor(context: ProtocolContext) {
    const { methods } = context;
    const reserved = Object.keys(methods).find((name) => name.startsWith('rpc.'));
    if (reserved !== undefined) throw new Error(`${reserved}: names with "rpc." are reserved`);
    this.#methods = new Map(Object.entries(methods));
    this.#context = context;
  }

  accept(peer: Peer): Conversation {
    return new RpcConversation(peer, this.#methods, this.#context);
  }
}

/** An answer as JSON; undefined: there is none, as it was a notification or a response. */
type Answer = { readonly kind: 'result' | 'error' | 'batch'; readonly text: string } | undefined;

/** A call in progress. */
class Call implements CallContext {
  readonly peer: RpcPeer;
  #controller: AbortController | undefined;

  constructor(peer: RpcPeer) {
    this.peer = peer;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller?.abort();
  }
}

class RpcConversation implements Conversation, RpcPeer {
  readonly #peer: Peer;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #context: ProtocolContext;
  /** Calls of the client that are in progress. */
  readonly #running = new Set<Call>();
  /** Calls to the client that are not answered, by their ids. */
  readonly #waiting = new Map<unknown, (answer: Response | CallFailed) => void>();
  #lastId = 0;
  #isClosed = false;
  // #if auth
  /** What `rpc.authenticate` is at: what comes after it has to wait, in a batch as well. */
  #entering: Promise<unknown> | undefined;
  /** Whether the only token was refused: the connection ends as soon as that was answered. */
  #isRefused = false;
  // #endif

  constructor(peer: Peer, methods: ReadonlyMap<string, Method>, context: ProtocolContext) {
    this.#peer = peer;
    this.#methods = methods;
    this.#context = context;
  }

  get id(): string {
    return this.#peer.id;
  }

  // #if auth
  get identity(): Identity | undefined {
    return this.#peer.identity;
  }

  async receive(text: string): Promise<void> {
    await this.#take(text);
    await this.#entering;
  }
  // #else
  //~ get identity(): Identity {
  //~   return this.#peer.identity;
  //~ }
  //~
  //~ receive(text: string): void {
  //~   void this.#take(text);
  //~ }
  // #endif

  close(): void {
    this.#isClosed = true;
    for (const call of this.#running) call.abort();
    for (const settle of this.#waiting.values()) settle(new CallFailed('the connection has ended'));
  }

  async call<Result extends z.ZodType = z.ZodUnknown>(
    method: string,
    params?: Params,
    { timeoutMs = this.#context.config.CALL_TIMEOUT, result }: CallOptions<Result> = {},
  ): Promise<z.output<Result>> {
    if (this.#isClosed) throw new CallFailed('the connection has ended');
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = await new Promise<Response | CallFailed>((resolve) => {
      const timer = setTimeout(() => {
        settle(new CallFailed(`${method} was not answered within ${String(timeoutMs)} ms`));
      }, timeoutMs).unref();
      const settle = (by: Response | CallFailed): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(by);
      };
      this.#waiting.set(id, settle);
      this.#peer.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }), 'call');
    });
    if (answer instanceof CallFailed) throw answer;
    const { error } = answer;
    if (error !== undefined) throw new RpcError(error.code, error.message, error.data);
    if (result === undefined) return answer.result as z.output<Result>;
    const checked = result.safeParse(answer.result);
    if (!checked.success) throw new CallFailed(`${method} was answered with another result`);
    return checked.data;
  }

  notify(method: string, params?: Params): void {
    this.#peer.send(JSON.stringify({ jsonrpc: '2.0', method, params }), 'notification');
  }

  #take(text: string): void | Promise<void> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#refuse('parseError');
      return;
    }
    if (Array.isArray(value)) return this.#takeBatch(value);
    const answer = this.#answerTo(value);
    if (answer instanceof Promise) void answer.then((later) => this.#answer(later));
    else this.#answer(answer);
  }

  #answer(answer: Answer): void {
    if (answer !== undefined) this.#peer.send(answer.text, answer.kind);
    // #if auth
    if (this.#isRefused)
      this.#peer.close(CLOSE_CODES.authFailed.code, CLOSE_CODES.authFailed.reason);
    // #endif
  }

  async #takeBatch(entries: readonly unknown[]): Promise<void> {
    const { MAX_BATCH } = this.#context.config;
    if (entries.length === 0 || entries.length > MAX_BATCH) {
      this.#refuse('invalidRequest', { reason: `expected 1 to ${String(MAX_BATCH)} in a batch` });
      return;
    }
    // The message itself has cost one.
    this.#peer.spend(entries.length - 1);
    const answers: Promise<Answer>[] = [];
    for (const entry of entries) {
      answers.push(Promise.resolve(this.#answerTo(entry)));
      // #if auth
      if (this.#entering !== undefined) await this.#entering;
      // #endif
    }
    void Promise.all(answers).then((all) => {
      const texts = all.flatMap((answer) => (answer === undefined ? [] : [answer.text]));
      this.#answer(texts.length > 0 ? { kind: 'batch', text: `[${texts.join(',')}]` } : undefined);
    });
  }

  /** Answers what holds no request at all. */
  #refuse(why: 'parseError' | 'invalidRequest', data?: object): void {
    // #if metrics
    this.#peer.received('invalid');
    // #endif
    if (this.#peer.warn()) this.#answer(failure(null, { ...RPC_ERRORS[why], data }));
  }

  /** Takes one request, notification or response. */
  #answerTo(value: unknown): Answer | Promise<Answer> {
    const request = Request.safeParse(value);
    if (request.success) return this.#execute(request.data);
    const response = Response.safeParse(value);
    if (response.success) {
      // #if metrics
      this.#peer.received('response');
      // #endif
      this.#waiting.get(response.data.id)?.(response.data);
      return undefined;
    }
    // #if metrics
    this.#peer.received('invalid');
    // #endif
    if (!this.#peer.warn()) return undefined;
    const id = z.object({ id: Id }).safeParse(value).data?.id ?? null;
    return failure(id, { ...RPC_ERRORS.invalidRequest, data: faultOf(request.error) });
  }

  #execute(request: Request): Answer | Promise<Answer> {
    const { id, params, method } = request;
    const refuse = (error: Pick<RpcError, 'code' | 'message'> & { data?: unknown }): Answer =>
      id === undefined ? undefined : failure(id, error);
    const called = this.#methods.get(method);
    // #if auth
    if (method === 'rpc.authenticate') {
      const entering = this.#authenticate(request).finally(() => {
        this.#entering = undefined;
      });
      this.#entering = entering;
      return entering;
    }
    // #endif
    // #if metrics
    this.#peer.received(called === undefined ? 'unknown' : method);
    // #endif
    // #if auth
    if (this.identity === undefined) return refuse(RPC_ERRORS.notAuthenticated);
    // #endif
    if (called === undefined) return refuse(RPC_ERRORS.methodNotFound);
    const { MAX_CALLS_PER_CLIENT: limit } = this.#context.config;
    if (this.#running.size >= limit) {
      if (id === undefined) this.#peer.log('warn', 'notification-dropped', { limit });
      return refuse({ ...RPC_ERRORS.tooManyCalls, data: { limit } });
    }
    const call = new Call(this);
    // #if metrics
    const startedAt = performance.now();
    // #endif
    const succeed = (result: unknown): Answer => {
      const answer = id === undefined ? undefined : success(id, result);
      // #if metrics
      this.#context.metrics.finished(method, startedAt);
      // #endif
      return answer;
    };
    const fail = (error: unknown): Answer => {
      // #if metrics
      this.#context.metrics.finished(method, startedAt);
      // #endif
      try {
        return refuse(this.#errorFor(method, error));
      } catch (unfit) {
        // Its data cannot be JSON, or is nested too deep for it: a client may have sent it.
        return refuse(this.#errorFor(method, unfit));
      }
    };
    try {
      const done = called.invoke(params, call);
      if (!(done instanceof Promise)) return succeed(done);
      this.#running.add(call);
      return done
        .finally(() => this.#running.delete(call))
        .then(succeed)
        .catch(fail);
    } catch (error) {
      return fail(error);
    }
  }

  // #if auth
  /** A method of this server itself, for which the names that start with "rpc." are. */
  async #authenticate({ id, params }: Request): Promise<Answer> {
    // #if metrics
    this.#peer.received('rpc.authenticate');
    // #endif
    const read = Token.safeParse(Array.isArray(params) ? { token: params[0] } : params);
    const answer = (by: Answer): Answer => (id === undefined ? undefined : by);
    if (!read.success) {
      const data = faultOf(read.error);
      return answer(failure(id ?? null, { ...RPC_ERRORS.invalidParams, data }));
    }
    const identity = await this.#peer.authenticate(read.data.token);
    if (identity !== undefined) {
      const { user, expiresAt } = identity;
      return answer(success(id ?? null, { user, expiresAt: new Date(expiresAt).toISOString() }));
    }
    this.#isRefused = this.identity === undefined;
    return answer(failure(id ?? null, RPC_ERRORS.badToken));
  }
  // #endif

  /** What a client is told of something thrown: of a bug, no more than that there is one. */
  #errorFor(method: string, error: unknown): Pick<RpcError, 'code' | 'message' | 'data'> {
    if (error instanceof RpcError) return error;
    // Nobody waits for what was cut off.
    if (!this.#isClosed) {
      const trace = error instanceof Error ? error.stack : String(error);
      this.#peer.log('error', 'method-failed', { method, trace });
    }
    return { ...RPC_ERRORS.internalError, data: undefined };
  }
}

function success(id: Id, result: unknown): Answer {
  return { kind: 'result', text: JSON.stringify({ jsonrpc: '2.0', id, result: result ?? null }) };
}

function failure(
  id: Id,
  { code, message, data }: { code: number; message: string; data?: unknown },
): Answer {
  const error = { code, message, data };
  return { kind: 'error', text: JSON.stringify({ jsonrpc: '2.0', id, error }) };
}

/** The first thing that is wrong, and where. */
function faultOf({ issues: [issue] }: z.ZodError): Fault {
  return { path: (issue?.path ?? []).map(String), reason: issue?.message ?? 'invalid' };
}
