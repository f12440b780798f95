// #if applications || jsonrpc
/** Where a reader of a room, topic or document is. Offsets of different epochs are not comparable. */
export interface Position {
  readonly offset: number;
  readonly epoch: string;
}

/** Whether everything since the last connection came; if not, what came before has to be replaced. */
export interface Recovered {
  readonly recovered: boolean;
}

/** A message of the server before it is known what it is. */
export type Incoming = Readonly<Record<string, unknown>>;

// #endif
// #if chat
/** A message in a room. */
export interface ChatMessage {
  readonly room?: string;
  readonly from: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
  readonly offset?: number;
  /** The id that its sender chose. */
  readonly id?: string;
}

// #endif
// #if pubsub
/** What was published to a topic. */
export interface TopicEvent<Data = unknown> {
  readonly topic: string;
  readonly data: Data;
  /** ISO 8601. */
  readonly at: string;
  /** Absent: the server published it. */
  readonly from?: string;
  readonly offset?: number;
  readonly id?: string;
}

// #endif
// #if chat || pubsub
/** The server has taken a message. */
export interface Ack {
  readonly offset?: number;
  /** It had been taken before: an earlier answer was lost. */
  readonly duplicate: boolean;
}

// #endif
/** Why a client could not do what it was asked to do. */
export class ClientError extends Error {
  /**
   * A code of the server, or `queue_full`, `dropped`, `expired`, `timeout`, `unknown_outcome`, `too_big`,
   * `aborted`, `closed`, `token`. After `timeout` and `unknown_outcome` the server may have done it.
   */
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    options?: ErrorOptions & { retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.name = 'ClientError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

// #if applications || jsonrpc
/** Reads one text message; undefined when it is no JSON object with a type. */
export function parseMessage(data: unknown): Incoming | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) && typeof value['type'] === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

// #endif
// #if applications || jsonrpc || wamp
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// #endif
/** A whole number from 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// #if applications || jsonrpc
export function isPosition(value: unknown): value is Position {
  return isObject(value) && isCount(value['offset']) && typeof value['epoch'] === 'string';
}

// #endif
/** `defaults`, or what `given` has in their place; throws a TypeError that names what is no number from 0. */
export function limitsOf<Limits extends object>(defaults: Limits, given: object): Limits {
  const limits = { ...defaults };
  for (const name in limits) {
    const value = (given as Limits)[name] ?? limits[name];
    // NaN is not from 0, either.
    if (!((value as number) >= 0)) throw new TypeError(name);
    limits[name] = value;
  }
  return limits;
}

// #if applications || jsonrpc
/** 128 random bits: nobody else chooses the same. */
export function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}

// #endif
/** A timer that keeps no Node process running: the connection, or the wait for it, does that. */
export function after(milliseconds: number, callback: () => void): () => void {
  // Timers take at most 2^31 - 1 ms.
  const timer = setTimeout(callback, Math.min(milliseconds, 2e9));
  (timer as { unref?: () => void }).unref?.();
  return () => clearTimeout(timer);
}
// #if applications || jsonrpc || wamp

const MAX_WAIT_MS = 86_400_000;

/** How long a server asks to wait, in milliseconds, a day at most; undefined if it does not. */
export function waitOf(value: unknown): number | undefined {
  const isTime = typeof value === 'number' && value >= 0;
  return isTime ? Math.min(value, MAX_WAIT_MS) : undefined;
}

/** Only the `ws` package shows the HTTP response that came in place of a connection. */
export function watchStatus(
  socket: object,
  refused: (status: number, retryAfterMs: number | undefined) => void,
): void {
  const { on } = socket as { on?: (event: string, listener: unknown) => void };
  on?.call(
    socket,
    'unexpected-response',
    (
      request: { destroy(): void },
      response: { statusCode: number; headers: Record<string, string> },
    ) => {
      const header = response.headers['retry-after'];
      const seconds = Number(header);
      const milliseconds = Number.isNaN(seconds)
        ? Date.parse(String(header)) - Date.now()
        : seconds * 1000;
      request.destroy();
      refused(response.statusCode, waitOf(milliseconds));
    },
  );
}
// #endif
