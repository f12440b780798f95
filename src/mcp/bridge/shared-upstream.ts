import {
  CONNECTION_CLOSED,
  INVALID_PARAMS,
  errorReply,
  isRequest,
  isResponse,
  paramsOf,
} from '../json-rpc.ts';
import type { JsonRpcMessage, JsonRpcRequest, JsonRpcResponse, RequestId } from '../json-rpc.ts';
import type { Session, Upstream } from './session.ts';
import { Worker } from './worker.ts';
import type { WorkerOptions } from './worker.ts';

interface Call {
  /** Undefined for a request of the bridge itself. */
  readonly session: Session | undefined;
  readonly id: RequestId;
  readonly method: string;
  readonly progressToken: unknown;
  /** For a ping after the cancellation of calls: once it is answered they ask for nothing more. */
  readonly cancelled?: readonly number[] | undefined;
}

/** What the child knows of one session only through us. */
interface Member {
  /** Ids that the client gave, to ours. */
  readonly calls: Map<RequestId, number>;
  readonly uris: Set<unknown>;
  level: number | undefined;
}

/** A request of the child of which it is not known yet whose call it belongs to. */
interface Held {
  readonly message: JsonRpcRequest;
  /** The calls that were in flight when it came: one of them asks. */
  readonly calls: ReadonlySet<number>;
  readonly timer: NodeJS.Timeout;
}

/** Calls during which a server may ask its client something. */
const MAY_ASK: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
]);
const LEVELS = 'debug info notice warning error critical alert emergency'.split(' ');
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
/** How long a request waits until it is clear whom it is for. */
const HOLD_MS = 10_000;
/** What some client can do: the child is initialized once, for all of them. */
const CAPABILITIES = { roots: { listChanged: true }, sampling: {}, elicitation: {} };

/**
 * One child for all sessions. Ids, progress tokens and subscriptions are made unique on the way to
 * it, and each of its messages goes to the session it belongs to; one that could be of several goes
 * to none.
 */
export class SharedUpstream implements Upstream {
  readonly #options: WorkerOptions;
  #worker: Worker;
  readonly #members = new Map<Session, Member>();
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  /** Requests of the child that clients are to answer, by the id that those see. */
  readonly #asked = new Map<RequestId, { readonly session: Session; readonly id: RequestId }>();
  readonly #held = new Set<Held>();
  #initialized: { result: unknown } | 'asked' | undefined;
  readonly #waiting: { session: Session; id: RequestId }[] = [];
  #told = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#worker = this.#createWorker();
  }

  get isFull(): boolean {
    return this.#worker.isFull;
  }

  send(session: Session, message: JsonRpcMessage): void {
    const member = this.#memberOf(session);
    if (isRequest(message)) this.#request(session, member, message);
    else if (isResponse(message)) this.#answer(session, message);
    else this.#notification(member, message);
  }

  /** The child cannot wait for one client. */
  pause(): boolean {
    return false;
  }

  resume(): void {
    // Nothing was paused.
  }

  leave(session: Session): Promise<void> {
    const member = this.#members.get(session);
    this.#members.delete(session);
    for (const [id, asked] of this.#asked) {
      if (asked.session !== session) continue;
      this.#asked.delete(id);
      this.#toChild(errorReply(asked.id, CONNECTION_CLOSED, 'the client left'));
    }
    this.#cancel([...(member?.calls.values() ?? [])], { reason: 'the client left' });
    for (const uri of member?.uris ?? []) {
      if (this.#subscribers(uri).length > 0) continue;
      this.#toChild(this.#own('resources/unsubscribe', { uri }));
    }
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#reset();
    return this.#worker.stop();
  }

  #createWorker(): Worker {
    return new Worker(this.#options, {
      message: (message) => this.#fromChild(message),
      died: (how) => this.#lost(how),
      failed: (how) => {
        this.#lost(how);
        for (const session of [...this.#members.keys()]) {
          session.end(1011, 'the MCP server ends again and again');
        }
        this.#initialized = undefined;
        this.#told = false;
        this.#worker = this.#createWorker();
      },
      drained: () => {
        for (const session of this.#members.keys()) session.drained();
      },
    });
  }

  #lost(how: string): void {
    this.#reset();
    for (const session of [...this.#members.keys()]) {
      session.failCalls(`the MCP server ended (${how})`);
    }
  }

  #reset(): void {
    for (const { timer } of this.#held) clearTimeout(timer);
    this.#held.clear();
    this.#calls.clear();
    this.#waiting.length = 0;
    if (this.#initialized === 'asked') this.#initialized = undefined;
    for (const [requestId, { session }] of this.#asked) {
      session.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
    }
    this.#asked.clear();
    for (const member of this.#members.values()) member.calls.clear();
  }

  #memberOf(session: Session): Member {
    const known = this.#members.get(session);
    if (known !== undefined) return known;
    const member: Member = { calls: new Map(), uris: new Set(), level: undefined };
    this.#members.set(session, member);
    return member;
  }

  #subscribers(uri: unknown): Session[] {
    return [...this.#members].filter(([, { uris }]) => uris.has(uri)).map(([session]) => session);
  }

  #toChild(message: JsonRpcMessage): void {
    this.#worker.send(message, JSON.stringify(message));
  }

  #own(method: string, params: object, cancelled?: readonly number[]): JsonRpcRequest {
    const id = ++this.#lastId;
    this.#calls.set(id, { session: undefined, id, method, progressToken: undefined, cancelled });
    return { jsonrpc: '2.0', id, method, params };
  }

  /** Most servers do not answer what is cancelled, but may have asked something before they read that. */
  #cancel(ids: readonly number[], params: object): void {
    // Who gives up its initialize must not take it from the others.
    const calls = ids.filter((id) => this.#calls.get(id)?.method !== 'initialize');
    if (calls.length === 0) return;
    for (const requestId of calls) {
      const method = 'notifications/cancelled';
      this.#toChild({ jsonrpc: '2.0', method, params: { ...params, requestId } });
    }
    this.#toChild(this.#own('ping', {}, calls));
  }

  #request(session: Session, member: Member, message: JsonRpcRequest): void {
    let params = paramsOf(message);
    const { method } = message;
    const { uri } = params;
    if (method === 'initialize') {
      if (typeof params['protocolVersion'] !== 'string') {
        const reason = 'Invalid params: there is no protocolVersion';
        session.send(errorReply(message.id, INVALID_PARAMS, reason));
        return;
      }
      if (this.#initialized === 'asked') {
        this.#waiting.push({ session, id: message.id });
        return;
      }
      if (this.#initialized !== undefined) {
        const { result } = this.#initialized;
        session.send({ jsonrpc: '2.0', id: message.id, result });
        return;
      }
      this.#initialized = 'asked';
      params = { ...params, capabilities: CAPABILITIES };
    }
    if (method === 'resources/subscribe') member.uris.add(uri);
    if (method === 'resources/unsubscribe') {
      member.uris.delete(uri);
      if (this.#subscribers(uri).length > 0) {
        session.send({ jsonrpc: '2.0', id: message.id, result: {} });
        return;
      }
    }
    if (method === 'logging/setLevel') {
      member.level = LEVELS.indexOf(String(params['level']));
      const levels = [...this.#members.values()].map(({ level }) => level ?? Infinity);
      params = { ...params, level: LEVELS[Math.min(...levels)] ?? params['level'] };
    }
    const id = ++this.#lastId;
    const meta = params['_meta'] as Readonly<Record<string, unknown>> | undefined;
    const progressToken = meta?.['progressToken'];
    if (progressToken !== undefined) {
      params = { ...params, _meta: { ...meta, progressToken: id } };
    }
    this.#calls.set(id, { session, id: message.id, method, progressToken });
    member.calls.set(message.id, id);
    this.#toChild({ ...message, id, ...(message.params !== undefined && { params }) });
  }

  #answer(session: Session, message: JsonRpcResponse): void {
    const asked = this.#asked.get(message.id);
    if (asked?.session !== session) return;
    this.#asked.delete(message.id);
    this.#toChild({ ...message, id: asked.id });
  }

  #notification(member: Member, message: JsonRpcMessage): void {
    if (message.method === 'notifications/cancelled') {
      const params = paramsOf(message);
      const id = params['requestId'] as RequestId;
      const requestId = member.calls.get(id);
      if (requestId === undefined) return;
      member.calls.delete(id);
      this.#cancel([requestId], params);
      return;
    }
    if (message.method === 'notifications/initialized') {
      if (this.#told) return;
      this.#told = true;
    }
    if (message.method !== undefined) this.#toChild(message);
  }

  #fromChild(message: JsonRpcMessage): void {
    if (isResponse(message)) this.#answered(message);
    else if (isRequest(message)) this.#ask(message);
    else this.#tell(message);
  }

  #answered(message: JsonRpcResponse): void {
    if (typeof message.id !== 'number') return;
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    const { session, id, method, cancelled = [] } = call;
    const isAwaited =
      session !== undefined && this.#members.get(session)?.calls.get(id) === message.id;
    this.#forget(message.id);
    for (const one of cancelled) this.#drop(one);
    if (method === 'initialize') this.#initializedNow(message);
    if (!isAwaited) return;
    session.send({ ...message, id, ...this.#resultFor(message.result, id) });
  }

  #initializedNow({ result, error }: JsonRpcMessage): void {
    this.#initialized = error === undefined ? { result } : undefined;
    for (const { session, id } of this.#waiting.splice(0)) {
      session.send({ jsonrpc: '2.0', id, ...(error === undefined ? { result } : { error }) });
    }
  }

  /** The result of a subscription names the request by its id. */
  #resultFor(result: unknown, id: RequestId): { result?: unknown } {
    const { _meta: meta } = (result ?? {}) as { _meta?: object };
    if (meta === undefined || !(SUBSCRIPTION_ID in meta)) return {};
    return { result: { ...(result as object), _meta: { ...meta, [SUBSCRIPTION_ID]: id } } };
  }

  #forget(id: number): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    const calls = call?.session && this.#members.get(call.session)?.calls;
    if (call !== undefined && calls?.get(call.id) === id) calls.delete(call.id);
    for (const held of [...this.#held]) this.#deliverHeld(held);
  }

  /** A call that was cancelled has ended without an answer: what came before may have been for it. */
  #drop(id: number): void {
    if (!this.#calls.delete(id)) return;
    for (const held of [...this.#held]) if (held.calls.has(id)) this.#refuse(held);
  }

  /** A request of the child: for the session of the call that it belongs to. */
  #ask(message: JsonRpcRequest): void {
    if (message.method === 'ping') {
      this.#toChild({ jsonrpc: '2.0', id: message.id, result: {} });
      return;
    }
    const calls = [...this.#calls].filter(([, { method }]) => MAY_ASK.has(method));
    const timer = setTimeout(() => this.#refuse(held), HOLD_MS);
    const held: Held = { message, calls: new Set(calls.map(([id]) => id)), timer };
    this.#held.add(held);
    this.#deliverHeld(held);
  }

  /** Whoever asks is still in flight; so that it is clear once all others are answered. */
  #deliverHeld(held: Held): void {
    const sessions = new Set([...held.calls].map((id) => this.#calls.get(id)?.session));
    sessions.delete(undefined);
    if (held.calls.size === 0 && this.#members.size === 1) {
      for (const only of this.#members.keys()) sessions.add(only);
    }
    if (sessions.size > 1) return;
    const [session] = sessions;
    if (session === undefined || !this.#members.has(session)) {
      this.#refuse(held);
      return;
    }
    clearTimeout(held.timer);
    this.#held.delete(held);
    const id = ++this.#lastId;
    this.#asked.set(id, { session, id: held.message.id });
    session.send({ ...held.message, id });
  }

  #refuse(held: Held): void {
    clearTimeout(held.timer);
    this.#held.delete(held);
    const reason = 'it is not known which of the clients this is for';
    this.#toChild(errorReply(held.message.id, CONNECTION_CLOSED, reason));
  }

  #tell(message: JsonRpcMessage): void {
    const params = paramsOf(message);
    const meta = params['_meta'] as Readonly<Record<string, unknown>> | undefined;
    const listening = meta?.[SUBSCRIPTION_ID];
    if (typeof listening === 'number') {
      const call = this.#calls.get(listening);
      const _meta = { ...meta, [SUBSCRIPTION_ID]: call?.id };
      call?.session?.send({ ...message, params: { ...params, _meta } });
      return;
    }
    switch (message.method) {
      case 'notifications/progress': {
        const call = this.#calls.get(params['progressToken'] as number);
        const { progressToken } = call ?? {};
        if (progressToken === undefined) return;
        call?.session?.send({ ...message, params: { ...params, progressToken } });
        return;
      }
      case 'notifications/cancelled': {
        for (const held of this.#held) {
          if (held.message.id !== params['requestId']) continue;
          clearTimeout(held.timer);
          this.#held.delete(held);
        }
        for (const [requestId, { session, id }] of this.#asked) {
          if (id !== params['requestId']) continue;
          this.#asked.delete(requestId);
          session.send({ ...message, params: { ...params, requestId } });
        }
        return;
      }
      case 'notifications/resources/updated':
        for (const session of this.#subscribers(params['uri'])) session.send(message);
        return;
      case 'notifications/tools/list_changed':
      case 'notifications/prompts/list_changed':
      case 'notifications/resources/list_changed':
        for (const session of this.#members.keys()) session.send(message);
        return;
      default:
        this.#tellCaller(message, LEVELS.indexOf(String(params['level'])));
    }
  }

  /** Logs and the like belong to a call, but do not say to which. */
  #tellCaller(message: JsonRpcMessage, level: number): void {
    const callers = new Set(
      [...this.#calls.values()].filter(({ method }) => MAY_ASK.has(method)).map((c) => c.session),
    );
    const [caller] = callers.size === 0 ? this.#members.keys() : callers;
    if (caller === undefined || (callers.size === 0 ? this.#members.size : callers.size) > 1)
      return;
    const wanted = this.#members.get(caller)?.level;
    if (level >= 0 && wanted !== undefined && level < wanted) return;
    caller.send(message);
  }
}
