import { randomBytes } from 'node:crypto';
import { EnvironmentError } from '../core/errors.ts';
import { fieldValue } from '../protocol/index.ts';
import { HttpFailure, dial, openSocket } from '../transport/index.ts';
import type { Channel, DialOptions, TlsOptions, Wire } from '../transport/index.ts';
import { Client } from './client.ts';
import { dialectOf } from './dialect.ts';
import type { Dialect } from './dialect.ts';
import { ask } from './http.ts';
import type { HttpAnswer } from './http.ts';
import { RowFailure, RowSkip, isForeign } from './terms.ts';
import type { ContractType } from './terms.ts';
import { POSITIVE, TEXT, difference, show } from './shape.ts';
import type { Message } from './shape.ts';
import { userToken } from './token.ts';
import type { Claims } from './token.ts';

/** So long rows wait for what must not come from another server; for what has to come they wait as long as it takes. */
const LAG_MS = 500;

/** A server under the contract: one that was started for it, or one at a url. */
export interface ContractServer extends AsyncDisposable {
  readonly url: string;
  /** Of servers that share what they have with it: the clients of a row spread over all. */
  readonly alsoUrls?: readonly string[] | undefined;
  /** Sends SIGTERM, and kills it after 10 s; resolves to the exit code. Absent for a url. */
  readonly stop?: () => Promise<number>;
}

/** Starts the server with the settings; throws with what it printed when it does not start. */
export type Launch = (
  settings: Readonly<Record<string, string>>,
  /** Whether it may be several servers that share what they have. */
  mayBeSeveral?: boolean,
) => Promise<ContractServer>;

/** What opens doors. Whatever is absent, the rows that need it are skipped. */
export interface Secrets {
  /** Signs tokens of any user (HS256). */
  readonly auth?: string | undefined;
  /** The audience that tokens have to name. */
  readonly audience?: string | undefined;
  /** A token of one user. */
  readonly user?: string | undefined;
  readonly publish?: string | undefined;
  readonly admin?: string | undefined;
  readonly metrics?: string | undefined;
  /** Of WAMP: a user and its ticket, `authid:ticket`. */
  readonly ticket?: string | undefined;
  /** A user and its secret for WAMP-CRA, `authid:secret`. */
  readonly cra?: string | undefined;
}

/** What rows of the protocols of others cannot find out. */
export interface Known {
  /** A GraphQL document with one subscription. */
  readonly subscription?: string | undefined;
  /** A realm of a WAMP router. Default `realm1`. */
  readonly realm?: string | undefined;
  /** A method that JSON-RPC can call, and its parameters as JSON: `add [1, 2]`. */
  readonly method?: string | undefined;
  /** MCP: a tool that may be called whenever, with its arguments as JSON: `add {"a": 1}`. */
  readonly tool?: string | undefined;
  /** MCP: one that takes a while and reports its progress. */
  readonly slowTool?: string | undefined;
  /** MCP: one that ends the process of the server. */
  readonly crashTool?: string | undefined;
}

/** What all rows on one server share. */
export interface Subject {
  readonly type: ContractType;
  readonly url: string;
  readonly alsoUrls?: ContractServer['alsoUrls'];
  readonly features: ReadonlySet<string>;
  /** What a project was generated with; undefined for a url. */
  readonly stated: readonly string[] | undefined;
  readonly subprotocols: readonly string[];
  /** What names begin with that everybody may enter. */
  readonly names: string;
  /** What a server that speaks the protocol of others is known to have. */
  readonly known: Known;
  /** What rows have found out for each other. */
  readonly shared: Map<string, Promise<unknown>>;
  /** Why a project may have rules of its own for who may do what; undefined: it has none. */
  readonly ownRules: string | undefined;
  readonly secrets: Secrets;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: TlsOptions;
  /** Time limit of each wait in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly launch: Launch | undefined;
  /** Resolves once the server was told to stop; see `Row.stops`. */
  readonly stopping: () => Promise<{ readonly exited: Promise<number> }>;
}

export interface ConnectOptions {
  /** Default: a user of its own. */
  readonly user?: string;
  /** In place of one for `user`; null for none. */
  readonly token?: string | null;
  readonly claims?: Claims;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Path and query. */
  readonly path?: string;
  readonly protocols?: readonly string[];
  readonly compression?: boolean;
  /** Reads nothing more once so many bytes wait: a slow client. */
  readonly unreadBytes?: number;
  /** Time limit of each wait. */
  readonly waitMs?: number;
}

/** Longest time of one row in milliseconds. */
const ROW_MS = 30_000;

/** Between two attempts to connect, in milliseconds. */
const RETRY_MS = 50;

/** What a row works with: the server, and everything that it opens. It ends with the row. */
export class Lab implements AsyncDisposable {
  readonly subject: Subject;
  readonly dialect: Dialect;
  readonly #deadline = performance.now() + ROW_MS;
  readonly #clients: Client[] = [];
  readonly #open: (() => Promise<void> | void)[] = [];
  #turns = 0;

  constructor(subject: Subject) {
    this.subject = subject;
    this.dialect = dialectOf(subject.type, subject.features);
  }

  get type(): ContractType {
    return this.subject.type;
  }

  /** See `Client`. */
  get meetsRules(): boolean {
    return this.#clients.some(({ meetsRules }) => meetsRules);
  }

  has(feature: string): boolean {
    return this.subject.features.has(feature);
  }

  /** A name that nobody else uses: of a room, a document, the first segment of a topic. */
  name(kind?: string): string {
    const prefix = kind === undefined ? this.subject.names : `${kind}-`;
    return prefix + randomBytes(6).toString('hex');
  }

  /** A time limit for one wait, within that of the row. */
  leftMs(waitMs = this.subject.timeoutMs): number {
    return Math.max(0, Math.min(waitMs, this.#deadline - performance.now()));
  }

  /** A token of `user` for five minutes; `claims` replaces claims, undefined leaves one out. */
  token(user: string, claims: Claims = {}, algorithm?: string, secret?: string): string {
    const { secrets } = this.subject;
    const key = secret ?? secrets.auth;
    if (key === undefined) {
      if (secrets.user !== undefined) return secrets.user;
      throw new RowSkip('no token of a user is known');
    }
    return userToken(user, key, { audience: secrets.audience, claims, algorithm });
  }

  /** Opens a connection and takes nothing from it. */
  async open(options: ConnectOptions = {}): Promise<Client> {
    const user = options.user ?? this.name('user');
    const lagMs = this.subject.alsoUrls?.length ? LAG_MS : 0;
    const client = await this.speak({ ...options, user }, (channel, leftMs) => {
      return new Client(channel, user, leftMs, lagMs);
    });
    this.#clients.push(client);
    return client;
  }

  /** Opens a connection for whatever `start` makes of it. */
  async speak<T>(
    options: ConnectOptions,
    start: (channel: Channel, leftMs: () => number) => T,
  ): Promise<T> {
    const channel = await this.#dial(options.user ?? this.name('user'), options);
    this.#open.push(() => channel.terminate());
    return start(channel, () => this.leftMs(options.waitMs));
  }

  /** What one row finds out for all of them. */
  async once<T>(key: string, find: () => Promise<T>): Promise<T> {
    const { shared } = this.subject;
    const known = shared.get(key) ?? find();
    shared.set(key, known);
    return (await known) as T;
  }

  /** Opens a connection that is welcome. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const client = await this.open(options);
    client.welcome = await client.expect('welcome', {
      client: TEXT,
      user: TEXT,
      pingIntervalMs: POSITIVE,
    });
    return client;
  }

  /** Somebody else is welcome, too, and gets answers. */
  async serves(): Promise<void> {
    await (await this.connect()).lives();
  }

  /** Opens a connection, or takes the response that refuses the handshake. */
  async attempt(options: ConnectOptions = {}): Promise<Client | HttpAnswer> {
    try {
      return await this.open(options);
    } catch (error) {
      const failure = error instanceof EnvironmentError ? error.cause : undefined;
      if (!(failure instanceof HttpFailure)) throw error;
      const { head, body } = failure;
      const names = ['www-authenticate', 'retry-after', 'sec-websocket-version'];
      const headers = Object.fromEntries(names.map((name) => [name, fieldValue(head, name)]));
      return { status: head.status, headers, text: body.toString(), json: undefined };
    }
  }

  /**
   * Opens a connection that is refused with `status` at most until the server has learned of the end of
   * another: it may do so later than the client that ended it.
   */
  async openOnceFree(status: number, options: ConnectOptions = {}): Promise<Client> {
    const waitMs = this.leftMs(options.waitMs);
    const deadline = performance.now() + waitMs;
    for (;;) {
      const outcome = await this.attempt(options);
      if (outcome instanceof Client) return outcome;
      expectStatus(outcome, 'the handshake', [status, 101]);
      if (performance.now() > deadline) {
        throw new RowFailure(
          `still ${status} after ${Math.ceil(waitMs)} ms, expected that the connection which ended makes space`,
        );
      }
      await this.elapse(RETRY_MS);
    }
  }

  /** The response that refuses a handshake. */
  async refusal(options: ConnectOptions = {}): Promise<HttpAnswer> {
    const outcome = await this.attempt(options);
    if (!(outcome instanceof Client)) return outcome;
    throw new RowFailure('the handshake was accepted, expected a refusal');
  }

  /** The handshake has to be refused with one of the statuses. */
  async refuses(options: ConnectOptions, ...statuses: readonly number[]): Promise<HttpAnswer> {
    const answer = await this.refusal(options).catch((error: unknown) => {
      if (!(error instanceof RowFailure)) throw error;
      throw new RowFailure(`${error.message} with ${statuses.join(' or ')}`);
    });
    return expectStatus(answer, 'the handshake', statuses);
  }

  /** One HTTP request; `token` goes into Authorization, a `json` into the body. */
  async http(
    method: string,
    path: string,
    options: {
      readonly token?: string | undefined;
      readonly json?: unknown;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<HttpAnswer> {
    const { token, json, headers } = options;
    const body = options.body ?? (json === undefined ? undefined : JSON.stringify(json));
    try {
      return await ask(this.#httpUrl(path), {
        method,
        body,
        headers: {
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...headers,
        },
        tls: this.subject.tls,
        timeoutMs: this.leftMs(),
      });
    } catch (error) {
      throw new RowFailure(`${method} ${path}: ${(error as Error).message}, expected an answer`);
    }
  }

  /** The same, which has to be answered with one of the statuses. */
  async answers(
    statuses: number | readonly number[],
    method: string,
    path: string,
    options: Parameters<Lab['http']>[2] = {},
  ): Promise<HttpAnswer> {
    const answer = await this.http(method, path, options);
    return expectStatus(answer, `${method} ${path}`, [statuses].flat());
  }

  /** A TCP connection. */
  async tcp(): Promise<Wire> {
    const { tls, signal } = this.subject;
    const wire = await openSocket(new URL(this.#nextUrl()), {
      tls,
      signal,
      timeoutMs: this.leftMs(),
    });
    this.#open.push(() => wire.destroy());
    return wire;
  }

  /** Makes what is there to enter: documents do not come from clients. */
  async prepare(name: string, data: unknown = { count: 0 }): Promise<void> {
    if (this.type !== 'live-updates') return;
    await this.answers([200, 201], 'PUT', `/documents/${name}`, {
      token: this.subject.secrets.publish,
      json: data,
    });
  }

  /** Enters a room, subscribes to a stream, watches a document. */
  async enter(client: Client, name: string, since?: unknown): Promise<Message> {
    if (!this.has('rooms')) return {};
    return await client.request(this.dialect.enter(name, since), this.dialect.entered);
  }

  /** Connects and enters. */
  async member(name: string, options?: ConnectOptions): Promise<Client> {
    const client = await this.connect(options);
    await this.enter(client, name);
    return client;
  }

  /** Publishes a text that nobody else does, and waits for the `ack`. */
  async publish(client: Client, name: string, text = this.name('text')): Promise<string> {
    await client.request(this.dialect.publish(name, text), 'ack');
    return text;
  }

  /** The event of a text that was published. */
  async hears(client: Client, text: string): Promise<Message> {
    const { event, textOf } = this.dialect;
    return await client.take(
      `${JSON.stringify(event)} of ${show(text)}`,
      (message) => message['type'] === event && textOf(message) === text,
    );
  }

  /** The texts of what a reply to `enter` holds. */
  missedIn(reply: Message): readonly unknown[] {
    const list = reply[this.dialect.missed];
    if (!Array.isArray(list)) {
      throw new RowFailure(`got ${show(reply)}: no list "${this.dialect.missed}"`);
    }
    return list.map((item: Message) => this.dialect.textOf(item));
  }

  /** Another server with settings of its own. */
  async boot(settings: Readonly<Record<string, string>>): Promise<Lab> {
    const { launch } = this.subject;
    if (launch === undefined) throw new RowSkip('only a --project can be started');
    const server = await launch(settings);
    const lab = new Lab({ ...this.subject, url: server.url, alsoUrls: server.alsoUrls });
    this.#open.push(async () => {
      await lab[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });
    return lab;
  }

  /** What the server prints when it refuses to start with the settings. */
  async refusesToStart(settings: Readonly<Record<string, string>>): Promise<string> {
    const { launch } = this.subject;
    if (launch === undefined) throw new RowSkip('only a --project can be started');
    let server: ContractServer;
    try {
      server = await launch(settings);
    } catch (error) {
      return (error as Error).message;
    }
    await server[Symbol.asyncDispose]();
    throw new RowFailure('the server started, expected that it refuses to');
  }

  /** Does `end` when the row has ended. */
  defer(end: () => void): void {
    this.#open.push(end);
  }

  /** Lets a time pass that the protocol states. */
  async elapse(milliseconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#open.splice(0)) await close();
  }

  /** Of the servers, in turns. */
  #nextUrl(): string {
    const { url, alsoUrls = [] } = this.subject;
    const urls = [url, ...alsoUrls];
    this.#turns += 1;
    return urls[(this.#turns - 1) % urls.length] ?? url;
  }

  #httpUrl(path: string): URL {
    const url = new URL(path, this.#nextUrl());
    url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
    return url;
  }

  #dial(user: string, options: ConnectOptions): ReturnType<typeof dial> {
    const { headers, tls, signal } = this.subject;
    // What a header says of a host holds for the first one.
    const url = options.headers === undefined ? this.#nextUrl() : this.subject.url;
    const address = new URL(options.path ?? '', url);
    const isNamed = options.token === null || options.path?.includes('?') === true;
    const token = this.has('auth') && !isNamed ? this.#tokenOf(user, options) : undefined;
    if (!this.has('auth') && !isNamed && !isForeign(this.type))
      address.searchParams.set('user', user);
    const dialing: DialOptions = {
      headers: [
        ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
        ...headers.filter(([name]) => token === undefined || !/^authorization$/i.test(name)),
        ...(options.headers ?? []),
      ],
      protocols: options.protocols ?? [],
      compression: options.compression ?? false,
      tls,
      timeoutMs: this.leftMs(),
      signal,
      ...(options.unreadBytes !== undefined && { unreadBytes: options.unreadBytes }),
    };
    return dial(address.href, dialing);
  }

  #tokenOf(user: string, { token, claims }: ConnectOptions): string {
    return token ?? this.token(user, claims);
  }
}

/** Fails unless an answer has one of the statuses. */
export function expectStatus(
  answer: HttpAnswer,
  what: string,
  statuses: readonly number[],
): HttpAnswer {
  if (statuses.includes(answer.status)) return answer;
  const said = answer.text === '' ? '' : ` (${show(answer.text)})`;
  throw new RowFailure(
    `${what} was answered with ${answer.status}${said}, expected ${statuses.join(' or ')}`,
  );
}

/** Fails unless an answer says after how many seconds to try again (RFC 9110 section 10.2.3). */
export function requireRetryAfter({ headers }: HttpAnswer): void {
  const value = headers['retry-after'] ?? '';
  if (!/^\d+$/.test(value)) throw new RowFailure(`Retry-After is ${show(value)}, expected seconds`);
}

/** Fails unless the body of an answer is JSON of the shape. */
export function expectJson(answer: HttpAnswer, shape: Message): Message {
  const why = difference(answer.json, shape);
  if (why !== undefined) throw new RowFailure(`got the body ${show(answer.text)}: ${why}`);
  return answer.json as Message;
}
