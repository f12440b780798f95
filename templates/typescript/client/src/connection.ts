import { afterClose, afterStatus } from './close-codes.ts';
import type { Reconnect } from './close-codes.ts';
import {
  after,
  ClientError,
  isCount,
  limitsOf,
  parseMessage,
  waitOf,
  watchStatus,
} from './messages.ts';
import type { Incoming } from './messages.ts';
// #if auth
import { randomId } from './messages.ts';
// #endif

/** What the client does at present. */
export type StateName =
  | 'idle'
  | 'connecting'
  | 'authenticating'
  /** Connected, and asking for what was missed. */
  | 'resuming'
  | 'open'
  /** Without a connection, until the next attempt. */
  | 'waiting'
  /** For good: `close()` was called, or another attempt would fail, too. */
  | 'closed';

export interface State {
  readonly name: StateName;
  /** Why it is waiting or closed. */
  readonly reason: string;
  /** The close code of the last connection; 1006 without one. */
  readonly code?: number;
  /** Until the next attempt; absent while the computer is offline. */
  readonly retryInMs?: number;
}

/** The part of the browsers' WebSocket that is used; the `ws` package has it, too. */
export interface Socket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  // #if collab
  binaryType: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  // #else
  //~ send(data: string): void;
  // #endif
  close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

export interface ConnectionOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Default: the global one; in Node below 22 that of the `ws` package, if it is installed. */
  readonly WebSocket?: SocketConstructor;
  readonly subprotocols?: readonly string[];
  // #if auth
  /** Gives a token that has not expired; called when a new one is needed, once at a time. */
  readonly getToken?: () => string | Promise<string>;
  // #endif
  /** Attempt n waits a random time up to `baseMs` * 2^n, at most `maxMs`. */
  readonly backoff?: { readonly baseMs?: number; readonly maxMs?: number };
  /** After so long a connection counts as good, and the waits start anew. */
  readonly stableMs?: number;
  /** Limit of an attempt, until the server's welcome. */
  readonly connectTimeoutMs?: number;
  /** How long a silent server has to answer a ping. */
  readonly pongTimeoutMs?: number;
}

/** What a connection tells the client that owns it. */
export interface ConnectionEvents {
  readonly state: (state: State) => void;
  readonly welcome: () => void;
  readonly message: (message: Incoming) => void;
  // #if collab
  readonly binary?: (bytes: Uint8Array) => void;
  // #endif
  /** The connection is gone, for now or for good. */
  readonly down: () => void;
  readonly error: (error: ClientError) => void;
  // #if jsonrpc
  /** What another protocol does in place of the messages above. */
  readonly protocol?: {
    /** The socket is open: `welcome()` says that the server is ready. */
    readonly opened: () => void;
    readonly receive: (data: unknown) => void;
    /** Sends what the server answers. */
    readonly probe: () => void;
    // #if auth
    readonly authenticate: (token: string) => void;
    // #endif
  };
  // #endif
}

interface Loss {
  readonly code: number;
  readonly reason: string;
  /** HTTP status in place of 101, where the runtime shows it. */
  readonly status?: number;
  readonly retryAfterMs?: number | undefined;
}

const DEFAULTS = {
  baseMs: 250,
  maxMs: 30_000,
  stableMs: 10_000,
  connectTimeoutMs: 10_000,
  pongTimeoutMs: 10_000,
  joinTimeoutMs: 10_000,
};
const OPEN = 1;
// #if auth
/** Until a token is sent again, when the server does not say how long. */
const RETRY_MS = 5000;
// #endif
/** Of a timer that is late by more, the computer has slept or the tab was throttled. */
const LATE_MS = 2000;

/** One connection after the other to the same server, with the states between. */
export class Connection {
  #state: State = { name: 'idle', reason: '' };
  readonly #options: ConnectionOptions;
  readonly limits: typeof DEFAULTS;
  readonly #events: ConnectionEvents;
  #socket: Socket | undefined;
  /** Counts the connections: what belongs to an earlier one is ignored. */
  #generation = 0;
  #attempts = 0;
  #welcomedAt: number | undefined;
  /** The server's wish before it closes. */
  #drainMs: number | undefined;
  /** No attempt before, even when the network comes back. */
  #notBefore = 0;
  /** The features of the server that welcomed last. */
  features: ReadonlySet<string> = new Set();
  #pingMs = 0;
  #heardAt = 0;
  #isProbing = false;
  #stopTimer = (): void => undefined;
  #stopRetry = (): void => undefined;
  #stopPage = (): void => undefined;
  // #if auth
  #token: string | undefined;
  #fetching: Promise<string> | undefined;
  /** A new token was fetched because the server refused the one before. */
  #hasRenewed = false;
  #refreshedFor: unknown;
  /** Of the last command `auth`. */
  #authId = '';
  #stopRefresh = (): void => undefined;
  // #endif

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.limits = limitsOf(DEFAULTS, { ...options, ...options.backoff });
    this.#events = events;
  }

  get state(): State {
    return this.#state;
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  connect(): void {
    if (!['idle', 'closed'].includes(this.#state.name)) return;
    this.#attempts = 0;
    this.#notBefore = 0;
    this.#watchPage();
    this.#dial();
  }

  /** Ends the connection and all attempts. */
  close(code = 1000, reason = 'closed by the client'): void {
    if (this.#state.name !== 'closed') this.#finish(code, reason, code);
  }

  /** Ends this connection, because it is of no use, and makes another. */
  restart(reason: string): void {
    if (this.#socket !== undefined) this.#lost({ code: 1006, reason });
  }

  /** Whether `message` was handed to the socket. */
  send(message: Readonly<Record<string, unknown>> | string): boolean {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return true;
  }

  // #if collab
  /** Whether `bytes` were handed to the socket. */
  sendBinary(bytes: Uint8Array): boolean {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
    return true;
  }

  // #endif
  // #if jsonrpc
  /** The server is ready. */
  welcome(): void {
    this.#welcome({});
  }

  // #if auth
  get hasToken(): boolean {
    return this.#options.getToken !== undefined;
  }

  /** Shows a token. */
  authenticate(): void {
    this.#authenticate(undefined);
  }

  /** The server has accepted the token, until a moment. */
  accepted(expiresAt: unknown): void {
    if (this.#welcomedAt === undefined) this.#welcome({ expiresAt });
    else this.#planRefresh(expiresAt);
  }

  // #endif
  // #endif
  /** After `welcome`: everything that was missed is asked for, or has come. */
  setResumed(isComplete: boolean): void {
    const name = isComplete ? 'open' : 'resuming';
    if (this.#welcomedAt !== undefined && this.#state.name !== name) this.#set({ name });
  }

  #set(state: Omit<State, 'reason'> & { reason?: string }): void {
    this.#state = { reason: '', ...state };
    this.#events.state(this.#state);
  }

  #dial(): void {
    const generation = ++this.#generation;
    this.#limit(this.limits.connectTimeoutMs, 'no welcome in time');
    this.#set({ name: 'connecting' });
    void this.#findWebSocket()
      .then((WebSocket) => {
        if (generation === this.#generation) this.#listen(WebSocket);
      })
      .catch((error: unknown) => {
        // A malformed URL stays malformed.
        if (generation === this.#generation) this.#finish(1006, String(error));
      });
  }

  async #findWebSocket(): Promise<SocketConstructor> {
    const present = this.#options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (present !== undefined) return present as SocketConstructor;
    // A variable, so that bundlers for browsers do not look for the package.
    const name = 'ws';
    const ws = (await import(/* @vite-ignore */ name)) as { WebSocket: SocketConstructor };
    return ws.WebSocket;
  }

  #listen(WebSocket: SocketConstructor): void {
    const { url, subprotocols = [] } = this.#options;
    const socket = new WebSocket(url, [...subprotocols]);
    this.#socket = socket;
    // #if collab
    socket.binaryType = 'arraybuffer';
    // #endif
    let failure = '';
    // #if jsonrpc
    socket.onopen = () => {
      this.#set({ name: 'authenticating' });
      if (socket === this.#socket) this.#events.protocol?.opened();
    };
    // #else
    //~ socket.onopen = () => this.#set({ name: 'authenticating' });
    // #endif
    socket.onmessage = (event: { data: unknown }) => this.#receive(event.data);
    socket.onerror = (event: { message?: string }) => {
      failure = event.message ?? '';
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#lost({ code, reason: reason || failure });
    };
    watchStatus(socket, (status, retryAfterMs) => {
      if (socket === this.#socket) {
        this.#lost({ code: 1006, reason: `HTTP ${status}`, status, retryAfterMs });
      }
    });
  }

  #receive(data: unknown): void {
    this.#heardAt = now();
    if (this.#isProbing) this.#watch();
    // #if collab
    const { binary } = this.#events;
    if (data instanceof ArrayBuffer && binary !== undefined && this.#welcomedAt !== undefined) {
      binary(new Uint8Array(data));
      return;
    }
    // #endif
    // #if jsonrpc
    if (this.#events.protocol !== undefined) {
      this.#events.protocol.receive(data);
      return;
    }
    // #endif
    const message = parseMessage(data);
    if (message === undefined) {
      // It may have been a message that is now lost: only a new connection can tell.
      this.restart('malformed message');
      return;
    }
    switch (message['type']) {
      case 'welcome':
        if (this.#welcomedAt === undefined) this.#welcome(message);
        return;
      case 'auth-required':
        // #if auth
        if (this.#welcomedAt === undefined) this.#authenticate(message['timeoutMs']);
        // #else
        //~ if (this.#welcomedAt === undefined) this.#refuseToken();
        // #endif
        return;
      // #if auth
      case 'authenticated':
        this.#planRefresh(message['expiresAt']);
        return;
      case 'token-expiring':
        this.#refresh();
        return;
      // #endif
      case 'draining':
        this.#drainMs = waitOf(message['retryAfterMs']) ?? 0;
        return;
      // #if auth
      case 'error':
        if (message['code'] === 'unavailable' && message['id'] === this.#authId) {
          this.#postpone(message['retryAfterMs']);
        }
      // #endif
    }
    if (this.#welcomedAt !== undefined) this.#events.message(message);
    else if (message['type'] === 'error') this.#events.error(errorOf(message));
  }

  #welcome(message: Incoming): void {
    const { features, pingIntervalMs } = message;
    this.features = new Set(Array.isArray(features) ? (features as string[]) : []);
    this.#welcomedAt = now();
    this.#pingMs = isCount(pingIntervalMs) && pingIntervalMs > 0 ? pingIntervalMs : 25_000;
    this.#watch();
    // #if auth
    this.#hasRenewed = false;
    this.#planRefresh(message['expiresAt']);
    // #endif
    this.#events.welcome();
  }

  /** Waits until the server was silent for its ping interval; timers may be late, times are not. */
  #watch(): void {
    this.#isProbing = false;
    this.#after(Math.max(0, this.#heardAt + this.#pingMs - now()), () => {
      if (now() - this.#heardAt < this.#pingMs) this.#watch();
      else this.#probe();
    });
  }

  /** Asks the server for a sign of life. */
  #probe(): void {
    const sentAt = now();
    this.#isProbing = true;
    const limit = this.limits.pongTimeoutMs;
    // #if jsonrpc
    if (this.#events.protocol === undefined) this.send({ type: 'ping' });
    else this.#events.protocol.probe();
    // #else
    //~ this.send({ type: 'ping' });
    // #endif
    this.#after(limit, () => {
      // The answer may wait behind this timer.
      if (now() - sentAt > limit + LATE_MS) this.#probe();
      else this.restart('the server is silent');
    });
  }

  #limit(milliseconds: number, reason: string): void {
    this.#after(milliseconds, () => this.#lost({ code: 1006, reason }));
  }

  /** Of a connection's time limits one runs at a time. */
  #after(milliseconds: number, callback: () => void): void {
    this.#stopTimer();
    this.#stopTimer = after(milliseconds, callback);
  }

  /** Forgets the socket: nothing that it does later has an effect. */
  #drop(code: number, reason: string): void {
    const socket = this.#socket;
    this.#generation++;
    this.#socket = undefined;
    this.#welcomedAt = undefined;
    this.#isProbing = false;
    this.#stopTimer();
    this.#stopRetry();
    // #if auth
    this.#stopRefresh();
    // #endif
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // An 'error' event without a listener ends a Node process.
    socket.onerror = () => undefined;
    const { terminate } = socket as { terminate?: () => void };
    if (code === 1006 && terminate !== undefined) terminate.call(socket);
    else socket.close(code === 1006 ? 4000 : code, reason.slice(0, 40));
  }

  #lost(loss: Loss): void {
    const uptimeMs = this.#welcomedAt === undefined ? 0 : now() - this.#welcomedAt;
    if (uptimeMs >= this.limits.stableMs) this.#attempts = 0;
    const hintMs = loss.retryAfterMs ?? this.#drainMs;
    this.#drainMs = undefined;
    this.#drop(1006, loss.reason);
    this.#events.down();
    const reconnect = this.#decide(loss);
    const reason = loss.reason || `close code ${loss.code}`;
    if (reconnect === 'no') {
      this.#finish(loss.code, reason);
      return;
    }
    const { baseMs, maxMs } = this.limits;
    const growing = Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 30));
    const isFirst = this.#attempts++ === 0;
    this.#notBefore = now() + (hintMs ?? 0);
    // Many clients get the same hint: they must not all come at its end.
    const delay = hintMs === undefined ? growing : hintMs + Math.random() * baseMs;
    this.#wait(reconnect === 'now' && isFirst ? 0 : delay, loss.code, reason);
  }

  #decide(loss: Loss): Reconnect {
    const reconnect = loss.status === undefined ? afterClose(loss.code) : afterStatus(loss.status);
    const isOnce = reconnect === 'token-once';
    if (!isOnce && reconnect !== 'token') return reconnect;
    // #if auth
    if (this.#options.getToken !== undefined) {
      const isFutile = isOnce && this.#hasRenewed;
      this.#hasRenewed ||= isOnce;
      this.#token = undefined;
      return isFutile ? 'no' : 'token';
    }
    // #endif
    return isOnce ? 'no' : 'delay';
  }

  #wait(delayMs: number, code: number, reason: string): void {
    this.#stopRetry();
    const waiting = { name: 'waiting', reason, code } as const;
    if (isOffline()) {
      this.#set(waiting);
      return;
    }
    const retryInMs = Math.round(delayMs);
    // Unlike the other timers, this one keeps a Node process running: the client wants to connect.
    const timer = setTimeout(() => {
      if (isOffline()) this.#wait(0, code, reason);
      else this.#dial();
    }, retryInMs);
    this.#stopRetry = () => clearTimeout(timer);
    this.#set({ ...waiting, retryInMs });
  }

  #finish(code: number, reason: string, sentCode = 1006): void {
    this.#drop(sentCode, reason);
    this.#events.down();
    this.#stopPage();
    this.#set({ name: 'closed', reason, code });
  }

  /** In a page: the network comes back, or somebody looks at the page again. */
  #watchPage(): void {
    const { document } = globalThis as { document?: EventTarget & { visibilityState?: string } };
    const changed = (): void => {
      const { name, code = 1006, reason } = this.#state;
      if (name === 'waiting') this.#wait(Math.max(0, this.#notBefore - now()), code, reason);
      else if (this.#welcomedAt !== undefined && !isOffline()) this.#probe();
    };
    const visible = (): void => {
      if (document?.visibilityState === 'visible') changed();
    };
    const stops = [
      listen(globalThis, 'online', changed),
      listen(globalThis, 'offline', changed),
      listen(document, 'visibilitychange', visible),
    ];
    this.#stopPage = () => stops.forEach((stop) => stop());
  }

  // #if auth
  #authenticate(timeoutMs: unknown): void {
    if (this.#options.getToken === undefined) {
      this.#refuseToken();
      return;
    }
    const generation = this.#generation;
    const limit = isCount(timeoutMs) ? timeoutMs * 0.8 : Infinity;
    this.#limit(Math.min(this.limits.connectTimeoutMs, limit), 'no token in time');
    void this.#sendToken().then((isSent) => {
      if (!isSent && generation === this.#generation) this.restart('getToken failed');
    });
  }

  async #sendToken(): Promise<boolean> {
    const generation = this.#generation;
    try {
      const token = this.#token ?? (await this.#fetchToken());
      // #if jsonrpc
      if (this.#events.protocol !== undefined) {
        if (generation === this.#generation) this.#events.protocol.authenticate(token);
        return true;
      }
      // #endif
      this.#authId = randomId();
      if (generation === this.#generation) this.send({ type: 'auth', id: this.#authId, token });
      return true;
    } catch (cause) {
      this.#events.error(new ClientError('token', 'getToken failed', { cause }));
      return false;
    }
  }

  /** A new token, fetched once however many ask for it. */
  #fetchToken(): Promise<string> {
    return (this.#fetching ??= Promise.resolve()
      .then(this.#options.getToken)
      .then((token: unknown) => {
        if (typeof token !== 'string') throw new TypeError('no token');
        return (this.#token = token);
      })
      .finally(() => (this.#fetching = undefined)));
  }

  /** Replaces the token while the connection stays. */
  #refresh(): void {
    const isFetching = this.#fetching !== undefined;
    if (this.#options.getToken === undefined || this.#welcomedAt === undefined || isFetching)
      return;
    this.#stopRefresh();
    this.#token = undefined;
    // If there is none, the connection stays until the token expires; then there is another attempt.
    void this.#sendToken();
  }

  /** The server cannot check tokens at the moment: the same one is sent again, if the server does not close. */
  #postpone(retryAfterMs: unknown): void {
    const delayMs = waitOf(retryAfterMs) ?? RETRY_MS;
    this.#stopRefresh();
    if (this.#welcomedAt === undefined) this.#drainMs = delayMs;
    else this.#stopRefresh = after(delayMs, () => void this.#sendToken());
  }

  /** In case that the server does not warn: shortly before the token expires, once for each token. */
  #planRefresh(expiresAt: unknown): void {
    this.#stopRefresh();
    const leftMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) - Date.now() : NaN;
    if (Number.isNaN(leftMs) || this.#refreshedFor === expiresAt) return;
    this.#stopRefresh = after(Math.max(1000, leftMs - Math.min(20_000, leftMs / 5)), () => {
      this.#refreshedFor = expiresAt;
      this.#refresh();
    });
  }
  // #endif

  /** Without a token, another attempt would end like this one. */
  #refuseToken(): void {
    // #if auth
    const remedy = 'no getToken';
    // #else
    //~ const remedy = 'generate the client with the feature auth';
    // #endif
    const reason = `the server asks for a token: ${remedy}`;
    this.#events.error(new ClientError('token', reason));
    this.close(4500, reason);
  }
}

/** An `error` message as an error. */
export function errorOf(message: Incoming): ClientError {
  const { code, message: text, retryAfterMs } = message;
  return new ClientError(String(code), String(text ?? code), {
    retryAfterMs: waitOf(retryAfterMs),
  });
}

/** Monotonic milliseconds: somebody may set the clock. */
function now(): number {
  return performance.now();
}

function isOffline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false;
}

function listen(target: unknown, name: string, handler: () => void): () => void {
  const { addEventListener, removeEventListener } = (target ?? {}) as Partial<EventTarget>;
  addEventListener?.call(target, name, handler);
  return () => removeEventListener?.call(target, name, handler);
}
