import { Delivery } from './delivery.ts';
import { paramsOf } from './json-rpc.ts';
import type { JsonRpcMessage } from './json-rpc.ts';
import { SocketLink, toError } from './socket-link.ts';
import type { WebSocketLike } from './socket-link.ts';
import { AUTHENTICATE, DEFAULT_HEARTBEAT_MS } from './transport.ts';
import type { McpTransport } from './transport.ts';

export interface WebSocketServerTransportOptions {
  /** Milliseconds between two pings, default 30000; a client that answers none is gone. 0: none. */
  readonly heartbeatMs?: number;
  /** Passed on with each message: `{ authInfo }` of a connection that was checked, for instance. */
  readonly extra?: unknown;
  /** The SDK shows it to handlers. */
  readonly sessionId?: string;
  /**
   * Checks the token that a client has to send first, as a message. Leave it out where the request
   * of the handshake was checked, which is the better place.
   */
  readonly authenticate?: (token: string) => boolean | Promise<boolean>;
  /** Time for that message, in milliseconds. Default 10000. */
  readonly authTimeoutMs?: number;
}

type Callback = (message: JsonRpcMessage, extra?: unknown) => void;

/** The server's side of MCP over one WebSocket of the `ws` package: one transport per connection. */
export class WebSocketServerTransport implements McpTransport {
  onmessage?: Callback | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onclose?: (() => void) | undefined;
  sessionId?: string | undefined;
  readonly #link: SocketLink;
  readonly #options: WebSocketServerTransportOptions;
  /** What came before it may be delivered. */
  #held: JsonRpcMessage[] = [];
  /** What a callback throws does not keep back the messages behind it. */
  readonly #delivery = new Delivery((message) => {
    try {
      this.onmessage?.(message, this.#options.extra);
    } catch (error) {
      this.onerror?.(toError(error));
    }
  });
  #started = false;
  #closed = false;
  #authenticated: boolean | 'checking';
  #authTimer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocketLike, options: WebSocketServerTransportOptions = {}) {
    this.#options = options;
    this.#authenticated = options.authenticate === undefined;
    if (options.sessionId !== undefined) this.sessionId = options.sessionId;
    this.#link = new SocketLink(
      socket,
      {
        receive: (message) => this.#receive(message),
        closed: () => this.#end(),
        error: (error) => this.onerror?.(error),
      },
      { answersErrors: true, heartbeatMs: options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS },
    );
    this.#link.pause();
  }

  start(): Promise<void> {
    if (this.#started) return Promise.reject(new Error('the transport was started before'));
    this.#started = true;
    if (this.#authenticated === false) {
      this.#authTimer = setTimeout(
        () => this.#refuse('no token came in time'),
        this.#options.authTimeoutMs ?? 10_000,
      );
    }
    this.#link.resume();
    this.#deliver();
    if (this.#closed) this.onclose?.();
    return Promise.resolve();
  }

  send(message: JsonRpcMessage): Promise<void> {
    return this.#link.send(JSON.stringify(message));
  }

  close(): Promise<void> {
    return this.#link.close(1000, '');
  }

  #receive(message: JsonRpcMessage): void {
    this.#held.push(message);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#started && this.#authenticated !== 'checking') {
      const message = this.#held.shift();
      if (message === undefined) return;
      if (!this.#authenticated) {
        void this.#authenticate(message);
        continue;
      }
      this.#delivery.push(message);
    }
  }

  async #authenticate(message: JsonRpcMessage): Promise<void> {
    const { token } = paramsOf(message);
    if (message.method !== AUTHENTICATE || typeof token !== 'string') {
      this.#refuse('the first message has to carry a token');
      return;
    }
    this.#authenticated = 'checking';
    const accepted = await Promise.resolve(token)
      .then((given) => this.#options.authenticate?.(given))
      .catch((error: unknown) => {
        this.onerror?.(toError(error));
      });
    if (accepted !== true) {
      this.#refuse('the token is not accepted');
      return;
    }
    clearTimeout(this.#authTimer);
    this.#authenticated = true;
    this.#deliver();
  }

  #refuse(reason: string): void {
    this.#authenticated = false;
    this.#held = [];
    void this.#link.close(1008, reason);
  }

  #end(): void {
    this.#closed = true;
    clearTimeout(this.#authTimer);
    if (!this.#started) return;
    this.#delivery.flush();
    this.onclose?.();
  }
}
