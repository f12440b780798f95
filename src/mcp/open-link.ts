import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { SocketLink } from './socket-link.ts';
import type { LinkHandlers } from './socket-link.ts';
import { RECEIVED_HEADER, SESSION_HEADER, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from './transport.ts';

export interface ClientAuth {
  /** The token, or what gives one for each connection. */
  readonly token: string | (() => string | Promise<string>);
  /**
   * Where it goes: into the Authorization header (default), into a subprotocol `mcp.auth.<token>`
   * as from browsers, or into the first message.
   */
  readonly by?: 'header' | 'subprotocol' | 'message';
}

interface OpenOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: ClientAuth | undefined;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  readonly maxMessage: number;
  readonly socket: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** Given a function that returns the link, once there is one. */
  readonly handlers: (link: () => SocketLink | undefined) => LinkHandlers;
}

/** An open connection, paused, and what the server said of its session. */
export interface OpenedLink {
  readonly link: SocketLink;
  readonly session: string | undefined;
  /** Messages of the session that the server has received. */
  readonly received: number;
}

/** The server answered the handshake with another status than 101. */
export class RefusedHandshake extends Error {
  override readonly name = 'RefusedHandshake';
  readonly status: number;

  constructor(url: URL, status: number) {
    super(`${url.origin}${url.pathname} answered with HTTP status ${status}`);
    this.status = status;
  }

  /** Whether the same request would be refused again, whenever it comes. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

export async function openLink(options: OpenOptions): Promise<OpenedLink> {
  const { url, auth, signal } = options;
  const token = typeof auth?.token === 'function' ? await auth.token() : auth?.token;
  const by = token === undefined ? undefined : (auth?.by ?? 'header');
  if (by === 'subprotocol' && !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(token ?? '')) {
    throw new Error('this token cannot be a subprotocol: send it by header or by message');
  }
  signal.throwIfAborted();
  const socket = new WebSocket(
    url,
    by === 'subprotocol' ? [SUBPROTOCOL, `${TOKEN_SUBPROTOCOL}${token}`] : [SUBPROTOCOL],
    {
      perMessageDeflate: false,
      ...options.socket,
      headers: {
        ...options.headers,
        ...(by === 'header' && { authorization: `Bearer ${token}` }),
      },
      handshakeTimeout: options.timeoutMs,
      maxPayload: options.maxMessage,
    },
  );
  let response: IncomingMessage | undefined;
  socket.once('upgrade', (head) => (response = head));
  const abort = (): void => socket.terminate();
  signal.addEventListener('abort', abort);
  let link: SocketLink | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('unexpected-response', (request, { statusCode = 0 }) => {
        reject(new RefusedHandshake(url, statusCode));
        request.destroy();
      });
      socket.on('error', reject);
      socket.once('close', () => reject(new Error('the connection was lost')));
      socket.once('open', () => {
        // At once: the first message may be here already.
        const { heartbeatMs } = options;
        const handlers = options.handlers(() => link);
        const connection = response?.socket;
        link = new SocketLink(socket, handlers, { answersErrors: false, heartbeatMs, connection });
        link.pause();
        resolve();
      });
    });
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  if (link === undefined) throw new Error('the connection was lost');
  const received = Number(response?.headers[RECEIVED_HEADER] ?? 0);
  const session = response?.headers[SESSION_HEADER];
  return { link, received, session: typeof session === 'string' ? session : undefined };
}
