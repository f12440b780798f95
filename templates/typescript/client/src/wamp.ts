import { Wampy } from 'wampy';
import { sign } from 'wampy/wampcra.js';
import { Emitter } from './emitter.ts';
import { after, ClientError, isObject, limitsOf, watchStatus } from './messages.ts';

type WampyOptions = NonNullable<ConstructorParameters<typeof Wampy>[1]>;

/** `(...args) => result` by URI; both sides of a call are checked against it. */
type AnyProcedures = Record<string, (...args: never) => unknown>;
/** The arguments of the events, by topic. */
type AnyTopics = Record<string, readonly unknown[]>;
type Named<All> = keyof All & string;
type ArgsOf<All, Name extends keyof All> = All[Name] extends (...args: infer Args) => unknown
  ? Args
  : never;
type ResultOf<All, Name extends keyof All> = All[Name] extends (...args: never) => infer Result
  ? Awaited<Result>
  : never;

export interface WampOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  readonly realm?: string;
  /** Who the client is; without, it is anonymous. */
  readonly authid?: string;
  /** Gives the ticket (or the token) of `authid`. */
  readonly getTicket?: () => string | Promise<string>;
  /** Instead: the secret of `authid` for WAMP-CRA. */
  readonly secret?: string;
  /** Default: the global one; in Node below 22 that of the `ws` package, if it is installed. */
  readonly WebSocket?: unknown;
  /** Attempt n waits a random time up to `baseMs` * 2^n, at most `maxMs`. */
  readonly backoff?: { readonly baseMs?: number; readonly maxMs?: number };
  /** After so long a session counts as good, and the waits start anew. */
  readonly stableMs?: number;
  /** Limit of an attempt, until the session has the subscriptions and registrations of the one before. */
  readonly connectTimeoutMs?: number;
  /** How often the router is asked whether it is there; 0 is never. */
  readonly pingIntervalMs?: number;
  /** How long it has to answer that. */
  readonly pongTimeoutMs?: number;
}

/** What the client does at present; `closed` is for good. */
export interface WampState {
  readonly name: 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';
  /** Why it is waiting or closed. */
  readonly reason: string;
  readonly retryInMs?: number;
}

export interface WampEvents {
  state: WampState;
  /** What belongs to no promise: a subscription or a registration was refused after a reconnect. */
  error: ClientError;
}

const DEFAULTS = {
  ...{ baseMs: 250, maxMs: 30_000, stableMs: 10_000, connectTimeoutMs: 10_000 },
  ...{ pingIntervalMs: 25_000, pongTimeoutMs: 10_000 },
};
/** Browsers send no pings, and any answer to a call will do, a refusal, too. */
const PING = 'wamp.session.count';
/** What another attempt would not change. */
const FATAL = /^wamp\.error\.(?!authentication_failed)/;

/** What a session has, and the next one gets again. */
interface Standing {
  /** Asks for it in a session. */
  readonly begin: (session: Wampy) => Promise<unknown>;
}

/**
 * A WAMP session after the other over wampy, with the same subscriptions and registrations. `Procedures` and
 * `Topics` say what they take and give back.
 */
export class WampClient<
  Procedures extends object = AnyProcedures,
  Topics extends object = AnyTopics,
> extends Emitter<WampEvents> {
  #state: WampState = { name: 'idle', reason: '' };
  readonly #options: WampOptions;
  readonly #limits: typeof DEFAULTS;
  readonly #standing = new Set<Standing>();
  #session: Wampy | undefined;
  /** Counts the sessions: what belongs to an earlier one is ignored. */
  #generation = 0;
  #attempts = 0;
  #openedAt = 0;
  #stopTimer = (): void => undefined;
  #opened: (() => void)[] = [];

  constructor(options: WampOptions) {
    super();
    this.#options = options;
    this.#limits = limitsOf(DEFAULTS, { ...options, ...options.backoff });
  }

  get state(): WampState {
    return this.#state;
  }

  /** Connects, and stays connected until `close()`; resolves with the first session, or when there is none for good. */
  connect(): Promise<void> {
    const opened = new Promise<void>((resolve) => this.#opened.push(resolve));
    if (['idle', 'closed'].includes(this.#state.name)) void this.#dial();
    else if (this.#state.name === 'open') this.#settle();
    return opened;
  }

  /** Ends the session and all attempts. */
  close(): void {
    this.#drop();
    this.#set({ name: 'closed', reason: 'closed by the client' });
    this.#settle();
  }

  /** Calls a procedure; rejects with a `ClientError` whose code is the URI of the error. */
  async call<Name extends Named<Procedures>>(
    name: Name,
    ...args: ArgsOf<Procedures, Name>
  ): Promise<ResultOf<Procedures, Name>> {
    const { argsList } = await asked(() =>
      this.#open().call(name, { argsList: args as unknown[] }),
    );
    return argsList?.[0] as ResultOf<Procedures, Name>;
  }

  /** Publishes an event; resolves when the router has it. */
  async publish<Name extends Named<Topics>>(
    name: Name,
    ...args: Topics[Name] & unknown[]
  ): Promise<void> {
    await asked(() => this.#open().publish(name, { argsList: args as unknown[] }));
  }

  /** Answers the calls of a procedure, in this session and those after it, until the function that it gives is called. */
  async register<Name extends Named<Procedures>>(
    name: Name,
    run: (
      ...args: ArgsOf<Procedures, Name>
    ) => ResultOf<Procedures, Name> | Promise<ResultOf<Procedures, Name>>,
  ): Promise<() => Promise<void>> {
    return await this.#stand(
      (session) =>
        session.register(name, async ({ argsList = [] }) => ({
          argsList: [await run(...(argsList as ArgsOf<Procedures, Name>))],
        })),
      (session) => session.unregister(name),
    );
  }

  /** Hears the events of a topic, in this session and those after it, until the function that it gives is called. */
  async subscribe<Name extends Named<Topics>>(
    name: Name,
    hear: (...args: Topics[Name] & unknown[]) => void,
  ): Promise<() => Promise<void>> {
    return await this.#pattern(name, 'exact', (_, args) =>
      hear(...(args as Topics[Name] & unknown[])),
    );
  }

  /** Hears the events of all topics that a pattern stands for. */
  async subscribePattern(
    pattern: string,
    match: 'prefix' | 'wildcard',
    hear: (topic: string, args: readonly unknown[]) => void,
  ): Promise<() => Promise<void>> {
    return await this.#pattern(pattern, match, hear);
  }

  #pattern(
    uri: string,
    match: 'exact' | 'prefix' | 'wildcard',
    hear: (topic: string, args: readonly unknown[]) => void,
  ): Promise<() => Promise<void>> {
    const own = (event: { argsList?: unknown[]; details: Record<string, unknown> }): void => {
      const { topic = uri } = event.details;
      hear(topic as string, event.argsList ?? []);
    };
    if (match === 'exact') {
      return this.#stand(
        (session) => session.subscribe(uri, own),
        (session) => session.unsubscribe(uri, own),
      );
    }
    let isOver = false;
    return this.#stand(
      (session) => session.subscribe(uri, (event) => (isOver ? undefined : own(event)), { match }),
      // wampy 8.0 does not find such a subscription again: its events are left out from now on.
      () => Promise.resolve((isOver = true)),
    );
  }

  async #stand(
    begin: Standing['begin'],
    end: (session: Wampy) => Promise<unknown>,
  ): Promise<() => Promise<void>> {
    await asked(() => begin(this.#open()));
    const standing: Standing = { begin };
    this.#standing.add(standing);
    return async () => {
      this.#standing.delete(standing);
      const session = this.#session;
      if (this.#state.name !== 'open' || session === undefined) return;
      await asked(() => end(session)).catch((error: unknown) => {
        // It has ended with its session.
        if ((error as ClientError).code !== 'unknown_outcome') throw error;
      });
    };
  }

  #open(): Wampy {
    if (this.#state.name !== 'open' || this.#session === undefined) {
      throw new ClientError('closed', 'there is no session');
    }
    return this.#session;
  }

  async #dial(): Promise<void> {
    this.#drop();
    this.#set({ name: 'connecting', reason: '' });
    const generation = this.#generation;
    const isCurrent = (): boolean => generation === this.#generation;
    const lost = (error: unknown): void => {
      if (isCurrent()) this.#lost(codeOf(error));
    };
    try {
      const options = await this.#sessionOptions((status, retryAfterMs) => {
        if (isCurrent()) this.#lost('', `HTTP ${String(status)}`, retryAfterMs);
      });
      if (!isCurrent()) return;
      const session = new Wampy(this.#options.url, {
        ...options,
        autoReconnect: false,
        onClose: () => lost(undefined),
      });
      this.#session = session;
      this.#stopTimer = after(this.#limits.connectTimeoutMs, () => lost(undefined));
      await session.connect();
      if (!isCurrent()) return;
      const again = await Promise.allSettled(
        [...this.#standing].map(({ begin }) => begin(session)),
      );
      if (!isCurrent()) return;
      this.#watch(session);
      this.#openedAt = performance.now();
      this.#set({ name: 'open', reason: '' });
      for (const result of again) {
        if (result.status === 'rejected') this.emit('error', errorOf(result.reason));
      }
      this.#settle();
    } catch (error) {
      lost(error);
    }
  }

  /** Gives a session up whose router is silent, though the connection is there. */
  #watch(session: Wampy): void {
    this.#stopTimer();
    const { pingIntervalMs, pongTimeoutMs } = this.#limits;
    if (pingIntervalMs === 0) return;
    this.#stopTimer = after(pingIntervalMs, () => {
      this.#stopTimer = after(pongTimeoutMs, () => this.#lost('', 'the router does not answer'));
      const answered = (): void => {
        if (session === this.#session) this.#watch(session);
      };
      session.call(PING).then(answered, answered);
    });
  }

  async #sessionOptions(
    refused: (status: number, retryAfterMs: number | undefined) => void,
  ): Promise<WampyOptions> {
    const { realm = 'realm1', authid, getTicket, secret, WebSocket } = this.#options;
    const present = WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    const name = 'ws';
    const ws =
      present ?? ((await import(/* @vite-ignore */ name)) as { WebSocket: unknown }).WebSocket;
    // wampy makes the socket.
    const watched = function (...args: unknown[]): object {
      const socket = Reflect.construct(ws as new () => object, args) as object;
      watchStatus(socket, refused);
      return socket;
    };
    const authPlugins = {
      ...(getTicket !== undefined && { ticket: getTicket }),
      ...(secret !== undefined && { wampcra: sign(secret) as never }),
    };
    return {
      realm,
      uriValidation: 'loose',
      ws: watched as unknown as NonNullable<WampyOptions['ws']>,
      ...(authid !== undefined && {
        authid,
        authMode: 'auto',
        authmethods: Object.keys(authPlugins),
        authPlugins,
      }),
    };
  }

  #lost(code: string, reason = code || 'the connection was lost', hintMs?: number): void {
    const isStable =
      this.#state.name === 'open' && performance.now() - this.#openedAt >= this.#limits.stableMs;
    if (isStable) this.#attempts = 0;
    this.#drop();
    if (FATAL.test(code)) {
      this.#set({ name: 'closed', reason: code });
      this.emit('error', new ClientError(code, 'the router refuses the session'));
      this.#settle();
      return;
    }
    const { baseMs, maxMs } = this.#limits;
    const growing = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 30));
    // Many clients get the same hint: they must not all come at its end.
    const retryInMs = (hintMs ?? 0) + Math.random() * (hintMs === undefined ? growing : baseMs);
    this.#attempts += 1;
    this.#set({ name: 'waiting', reason, retryInMs });
    // Unlike `after`, it keeps the process running: it is what the program waits for.
    const timer = setTimeout(() => void this.#dial(), retryInMs);
    this.#stopTimer = () => clearTimeout(timer);
  }

  /** Lets go of the session; what it still says is ignored. */
  #drop(): void {
    this.#generation += 1;
    this.#stopTimer();
    void this.#session?.disconnect().catch(() => undefined);
    this.#session = undefined;
  }

  #set(state: WampState): void {
    this.#state = state;
    this.emit('state', state);
  }

  #settle(): void {
    for (const resolve of this.#opened.splice(0)) resolve();
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof ClientError ? error : errorOf(error);
  }
}

function errorOf(error: unknown): ClientError {
  const message = error instanceof Error ? error.message : String(error);
  return new ClientError(codeOf(error) || 'unknown_outcome', message, { cause: error });
}

/** The URI of the router's answer; empty if it has not answered. */
function codeOf(error: unknown): string {
  const { errorUri } = isObject(error) ? error : {};
  return typeof errorUri === 'string' ? errorUri : '';
}
