import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CONNECTION_CLOSED,
  INVALID_REQUEST,
  errorReply,
  isRequest,
  paramsOf,
  parseMessage,
} from '../json-rpc.ts';
import type { JsonRpcMessage, RequestId } from '../json-rpc.ts';
import { DEFAULT_HEARTBEAT_MS, SESSION_HEADER } from '../transport.ts';
import type { AuditLog } from './audit-log.ts';
import { HttpLink } from './http-link.ts';
import type { Session } from './session.ts';

/** What the face needs of the bridge that it is one of. */
export interface HttpHost {
  readonly log: AuditLog;
  /** Largest message of a client in bytes. */
  readonly maxMessage: number;
  readonly heartbeatMs?: number | undefined;
  readonly graceMs: number;
  /** How long a session is kept that nobody uses. Default 600000. */
  readonly idleMs?: number | undefined;
  /** Whether there is a place for one more client. */
  hasSpace(): boolean;
  open(id: string, user: number | undefined): Session;
  /** Counts and logs a request that is refused. */
  refused(request: IncomingMessage, status: number, reason: string): void;
}

interface Kept {
  readonly session: Session;
  readonly link: HttpLink;
  timer: NodeJS.Timeout | undefined;
}

const IDLE_MS = 600_000;
/** Longest messages of a session that may wait together for a child that does not read. */
const MESSAGES_HELD = 2;
/** What a request takes beside its body, in bytes. */
const REQUEST_BYTES = 1024;
const EVENTS = 'text/event-stream';
const JSON_TYPE = 'application/json';

/** Streamable HTTP, as the revisions from 2025-03-26 to 2025-11-25 have it, beside the WebSocket. */
export class HttpFace {
  readonly #host: HttpHost;
  readonly #kept = new Map<string, Kept>();

  constructor(host: HttpHost) {
    this.#host = host;
  }

  /** Whether a session is one of this transport. */
  has(id: string): boolean {
    return this.#kept.has(id);
  }

  /** Whether a request is one of this transport: what only looks is not. */
  takes({ method, headers }: IncomingMessage): boolean {
    return method !== 'GET' || accepts(headers.accept, EVENTS);
  }

  /** Answers a request of who may use the bridge. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    user: number | undefined,
  ): Promise<void> {
    const { method } = request;
    const refuse = (status: number, reason: string, more: Partial<Told> = {}): void =>
      this.#refuse(request, response, status, reason, more);
    const version = request.headers['mcp-protocol-version'];
    if (version !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(String(version))) {
      refuse(400, 'MCP-Protocol-Version is none');
    } else if (method === 'POST') {
      await this.#post(request, response, user, refuse);
    } else if (method === 'GET' || method === 'DELETE') {
      const kept = this.#find(request, user);
      if (kept === undefined) this.#refuseSession(request, refuse);
      else if (method === 'GET') {
        response.setHeader(SESSION_HEADER, kept.session.id);
        kept.link.listen(request, response);
        this.#touch(kept, response);
      } else {
        kept.session.end(1000, '');
        response.writeHead(204).end();
      }
    } else {
      refuse(405, 'MCP has POST, GET and DELETE', { headers: { allow: 'POST, GET, DELETE' } });
    }
  }

  async #post(
    request: IncomingMessage,
    response: ServerResponse,
    user: number | undefined,
    refuse: Refuse,
  ): Promise<void> {
    const { headers } = request;
    if (!/^application\/json *(?:;|$)/i.test(headers['content-type'] ?? '')) {
      refuse(415, `the content type has to be ${JSON_TYPE}`);
      return;
    }
    if (!accepts(headers.accept, JSON_TYPE) || !accepts(headers.accept, EVENTS)) {
      refuse(406, `${JSON_TYPE} and ${EVENTS} have to be accepted`);
      return;
    }
    const held = new Held(this.#find(request, user)?.link);
    try {
      const body = await readBody(request, this.#host.maxMessage, held);
      if (typeof body === 'string') await this.#receive(request, response, user, body, refuse);
      else refuse(body.status, body.reason, body.more);
    } finally {
      held.letGo();
    }
  }

  async #receive(
    request: IncomingMessage,
    response: ServerResponse,
    user: number | undefined,
    text: string,
    refuse: Refuse,
  ): Promise<void> {
    const { headers } = request;
    const parsed = parseMessage(text);
    if (parsed.message === undefined) {
      const { code, reason, id, asks } = parsed;
      refuse(400, reason, { code, id: asks ? id : null });
      return;
    }
    const { message } = parsed;
    const id = isRequest(message) ? message.id : null;
    const isNew = headers[SESSION_HEADER] === undefined && message.method === 'initialize';
    if (isNew && !this.#host.hasSpace()) {
      refuse(503, 'there are as many clients as may be', { id });
      return;
    }
    const kept = isNew ? this.#open(request, user) : this.#find(request, user);
    if (kept === undefined) {
      this.#refuseSession(request, refuse, id);
      return;
    }
    await this.#take(kept, message, text, response, refuse);
  }

  async #take(
    kept: Kept,
    message: JsonRpcMessage,
    text: string,
    response: ServerResponse,
    refuse: Refuse,
  ): Promise<void> {
    const { session, link } = kept;
    await link.ready();
    if (!this.#kept.has(session.id)) {
      refuse(404, 'the session has ended');
      return;
    }
    response.setHeader(SESSION_HEADER, session.id);
    this.#touch(kept, response);
    if (isRequest(message)) {
      if (link.isInFlight(message.id)) {
        const reason = 'a request with this id is in flight';
        refuse(400, reason, { code: INVALID_REQUEST, id: message.id });
        return;
      }
      link.expect(message, response);
    }
    session.receive(link, message, text);
    if (isRequest(message)) return;
    response.writeHead(202).end();
    if (message.method !== 'notifications/cancelled') return;
    link.forget(paramsOf(message)['requestId'] as RequestId);
  }

  #open({ socket, headers }: IncomingMessage, user: number | undefined): Kept {
    const { heartbeatMs = DEFAULT_HEARTBEAT_MS, log } = this.#host;
    const id = randomBytes(18).toString('base64url');
    const session = this.#host.open(id, user);
    const link: HttpLink = new HttpLink(
      {
        // Each stream keeps what its client may ask for again.
        sent: () => session.confirm(session.sent),
        closed: () => {
          clearTimeout(kept.timer);
          this.#kept.delete(id);
        },
      },
      heartbeatMs,
      MESSAGES_HELD * this.#host.maxMessage,
    );
    const kept: Kept = { session, link, timer: undefined };
    this.#kept.set(id, kept);
    const { remoteAddress: address } = socket;
    const { origin } = headers;
    log.info('session_start', { session: id, http: true, address, user, origin });
    session.attach(link, 0);
    return kept;
  }

  #find(request: IncomingMessage, user: number | undefined): Kept | undefined {
    const kept = this.#kept.get(String(request.headers[SESSION_HEADER]));
    // The session of somebody else is none.
    return kept?.session.user === user ? kept : undefined;
  }

  /** Ends the session when it was not used for long. */
  #touch(kept: Kept, response: ServerResponse): void {
    const { idleMs = IDLE_MS, graceMs } = this.#host;
    const wait = (): void => {
      clearTimeout(kept.timer);
      if (!this.#kept.has(kept.session.id)) return;
      kept.timer = setTimeout(
        () => {
          if (kept.link.isOpen || !kept.session.isIdle) wait();
          else kept.session.end(1000, 'nobody used it');
        },
        Math.max(idleMs, graceMs),
      );
    };
    wait();
    response.once('close', wait);
  }

  #refuseSession(request: IncomingMessage, refuse: Refuse, id: RequestId | null = null): void {
    const isNamed = request.headers[SESSION_HEADER] !== undefined;
    if (isNamed) refuse(404, 'the session is not known', { code: CONNECTION_CLOSED, id });
    else refuse(400, 'Mcp-Session-Id is missing: initialize comes first', { id });
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    reason: string,
    { code = CONNECTION_CLOSED, id = null, headers = {} }: Partial<Told>,
  ): void {
    this.#host.refused(request, status, reason);
    // What was not read would be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(status, { ...headers, 'content-type': JSON_TYPE });
    response.end(JSON.stringify(errorReply(id, code, reason)));
  }
}

interface Told {
  readonly code: number;
  readonly id: RequestId | null;
  readonly headers: Readonly<Record<string, string>>;
}

type Refuse = (status: number, reason: string, more?: Partial<Told>) => void;

function accepts(header: string | undefined, type: string): boolean {
  const types = (header ?? '').toLowerCase().split(',');
  return types.some((one) => one.split(';')[0]?.trim() === type);
}

/** The bytes that one request keeps. */
class Held {
  readonly #link: HttpLink | undefined;
  #bytes = 0;

  constructor(link: HttpLink | undefined) {
    this.#link = link;
  }

  /** False if the session has too many already. */
  add(bytes: number): boolean {
    if (this.#link?.hold(bytes) === false) return false;
    this.#bytes += bytes;
    return true;
  }

  letGo(): void {
    this.#link?.letGo(this.#bytes);
  }
}

/** The text of a body, or why it is not taken. Rejects when it is cut off. */
async function readBody(
  request: IncomingMessage,
  limit: number,
  held: Held,
): Promise<string | { status: number; reason: string; more?: Partial<Told> }> {
  const long = { status: 413, reason: `more than ${limit} bytes` };
  const full = {
    status: 503,
    reason: 'too many messages of this session wait for the server',
    more: { headers: { 'retry-after': '1' } },
  };
  if (Number(request.headers['content-length'] ?? 0) > limit) return long;
  if (!held.add(REQUEST_BYTES)) return full;
  const chunks: Buffer[] = [];
  let size = 0;
  // To destroy the request would destroy the connection that says why.
  const parts: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of parts) {
    size += chunk.length;
    if (size > limit) return long;
    if (!held.add(chunk.length)) return full;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
