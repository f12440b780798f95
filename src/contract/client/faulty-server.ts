import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { acceptKey, Connection } from '../../protocol/index.ts';
import type { Action, ClientCase, Fault } from './case.ts';
import type { Message } from '../shape.ts';
import type { Entry, ServerDialect } from './dialect.ts';

/** What is published before the client comes. */
const FIRST = 3;
/** What is published as soon as a client has joined, on its first connections. */
const LIVE = 2;
const LIVE_CONNECTIONS = 5;

/** A server of one case: it keeps the truth, and does what the case's faults say. */
export class FaultyServer implements AsyncDisposable {
  /** Everything that was ever published, in order. */
  readonly truth: Entry[] = [];
  /** When handshakes came, in monotonic milliseconds. */
  readonly attempts: number[] = [];
  /** Whether it has asked for a token. */
  hasAskedForToken = false;
  /** Tokens that it has taken. */
  readonly tokensTaken = new Set<string>();
  readonly #definition: ClientCase;
  readonly dialect: ServerDialect;
  readonly #tcp: Server;
  readonly #peers = new Set<Peer>();
  #epoch = 1;
  /** The entries of this epoch. */
  #log: Entry[] = [];

  private constructor(definition: ClientCase, dialect: ServerDialect) {
    this.#definition = definition;
    this.dialect = dialect;
    for (let at = 0; at < FIRST; at++) this.publish();
    this.#tcp = createServer((socket) => {
      const peer = new Peer(this, socket, this.attempts.length);
      this.attempts.push(performance.now());
      this.#peers.add(peer);
      socket.on('close', () => this.#gone(peer));
      if (peer.act('connect', {}) === 'sent') peer.listen();
    });
  }

  static async listen(definition: ClientCase, dialect: ServerDialect): Promise<FaultyServer> {
    const server = new FaultyServer(definition, dialect);
    await new Promise<void>((resolve, reject) => {
      server.#tcp.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#tcp.address() as AddressInfo).port}/`;
  }

  get features(): readonly string[] {
    const all = [...this.dialect.features, ...(this.#definition.tokens ? ['auth'] : [])];
    return all.filter((feature) => this.#definition.without?.includes(feature) !== true);
  }

  get pingIntervalMs(): number {
    return this.#definition.pingIntervalMs ?? 25_000;
  }

  get tokens(): ClientCase['tokens'] {
    return this.#definition.tokens;
  }

  get epoch(): string {
    return `e${this.#epoch}`;
  }

  /** The offset of the newest entry. */
  get offset(): number {
    return this.#log.length;
  }

  /** The entries that are kept, and whether they reach back to `offset`. */
  since(position: unknown): { entries: readonly Entry[]; recovered: boolean } {
    const { offset, epoch } = (position ?? {}) as { offset?: unknown; epoch?: unknown };
    const kept = this.#log.slice(-(this.#definition.kept ?? 1000));
    const start = typeof offset === 'number' ? offset : -1;
    const isKept = start >= this.offset || (kept[0]?.offset ?? Infinity) <= start + 1;
    const recovered = epoch === this.epoch && start >= 0 && start <= this.offset && isKept;
    const known = start - (this.#definition.repeated ?? 0);
    return { entries: recovered ? kept.filter((one) => one.offset > known) : kept, recovered };
  }

  /** Adds an entry, and sends it to all who have joined. */
  publish(text = `m${this.truth.length + 1}`, id?: string): Entry {
    const entry = { epoch: this.epoch, offset: this.offset + 1, text, id };
    this.#log.push(entry);
    this.truth.push(entry);
    for (const peer of this.#peers) peer.publish(entry);
    return entry;
  }

  /** The entry of this epoch with the client's `id`. */
  find(id: unknown): Entry | undefined {
    return id === undefined ? undefined : this.#log.find((entry) => entry.id === id);
  }

  /** What the faults make of `on`, the `nth` of its kind on a connection. */
  faults(on: Fault['on'], connection: number, nth: number): readonly Action[] {
    return this.#definition.faults
      .filter(
        (fault) =>
          fault.on === on &&
          (fault.connection === 'all' || (fault.connection ?? 0) === connection) &&
          (fault.nth ?? 0) === nth,
      )
      .map(({ does }) => does);
  }

  restart(): void {
    this.#epoch++;
    this.#log = [];
    for (const peer of this.#peers) peer.cut();
  }

  /** Whether a client has joined whose connection works. */
  get isCalm(): boolean {
    return [...this.#peers].some((peer) => peer.isJoined && !peer.isSilent);
  }

  #gone(peer: Peer): void {
    if (!this.#peers.delete(peer) || !peer.isOpened) return;
    const count = this.#definition.away ?? 2;
    if (peer.hasFaulted) for (let at = 0; at < count; at++) this.publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const peers = [...this.#peers];
    this.#peers.clear();
    for (const peer of peers) peer.cut();
    await new Promise((resolve) => this.#tcp.close(resolve));
  }
}

/** What is about to be sent, and the entries that it holds. */
interface Step {
  readonly message?: Message;
  readonly bytes?: Buffer;
  readonly entry?: Entry;
  readonly entries?: readonly Entry[];
}

/** One connection. */
class Peer {
  readonly #server: FaultyServer;
  readonly #socket: Socket;
  readonly #number: number;
  readonly #connection = new Connection({ role: 'server' });
  readonly #counts = new Map<string, number>();
  /** Messages that change places with the next. */
  #swapped: { message: Message | string; entry: Entry | undefined } | undefined;
  #isOver = false;
  #hasWelcomed = false;
  isOpened = false;
  isJoined = false;
  isSilent = false;
  hasFaulted = false;

  constructor(server: FaultyServer, socket: Socket, number: number) {
    this.#server = server;
    this.#socket = socket;
    this.#number = number;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
  }

  listen(): void {
    let head = Buffer.alloc(0);
    const onHead = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#socket.off('data', onHead);
      this.#open(head.subarray(0, end).toString('latin1'));
      this.#socket.on('data', (more: Buffer) => this.#receive(more));
      if (head.length > end + 4) this.#receive(head.subarray(end + 4));
    };
    this.#socket.on('data', onHead);
  }

  #open(head: string): void {
    const key = /^sec-websocket-key:\s*(\S+)/im.exec(head)?.[1] ?? '';
    const offered = /^sec-websocket-protocol:(.*)$/im.exec(head)?.[1]?.split(',') ?? [];
    const { subprotocol } = this.#server.dialect;
    const chosen = offered.some((name) => name.trim() === subprotocol)
      ? `Sec-WebSocket-Protocol: ${subprotocol}\r\n`
      : '';
    const response =
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n${chosen}\r\n`;
    if (this.act('handshake', { bytes: Buffer.from(response) }) !== 'sent') return;
    this.isOpened = true;
    const { tokens } = this.#server;
    if (tokens === undefined) this.#welcome();
    else {
      this.#server.hasAskedForToken = true;
      this.#write({ type: 'auth-required', timeoutMs: 10_000 });
    }
  }

  #welcome(): void {
    const { features, pingIntervalMs } = this.#server;
    this.#hasWelcomed = true;
    const who = { client: `c${this.#number}`, user: 'ada' };
    this.act('welcome', { message: { type: 'welcome', ...who, pingIntervalMs, features } });
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver || this.isSilent) return;
    this.#connection.receive(bytes);
    for (const event of this.#connection.events()) {
      if (event.type === 'message') this.#handle(event.data.toString());
    }
    this.#flush();
  }

  #handle(text: string): void {
    let command: Message;
    try {
      command = JSON.parse(text) as Message;
    } catch {
      this.#write({ type: 'error', code: 'bad_json', message: 'not JSON' });
      return;
    }
    const { dialect } = this.#server;
    const { type, id } = command;
    if (type === 'ping') this.act('pong', { message: { type: 'pong', ...idOf(command) } });
    else if (type === 'auth') this.#authenticate(command);
    else if (!this.#hasWelcomed) {
      this.#write({ type: 'error', id, code: 'not_authenticated', message: 'who is it?' });
    } else if (type === dialect.join) this.#join(command);
    else if (type === dialect.publication) this.#publish(command);
  }

  #authenticate(command: Message): void {
    const { tokens, tokensTaken } = this.#server;
    const token = String(command['token']);
    const isValid = tokens?.valid.includes(token) === true;
    if (isValid) tokensTaken.add(token);
    if (!isValid) {
      this.#write({ type: 'error', ...idOf(command), code: 'bad_token', message: 'no' });
      if (!this.#hasWelcomed) this.#close(4501);
    } else if (this.#hasWelcomed) {
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      this.act('authenticated', {
        message: { type: 'authenticated', ...idOf(command), expiresAt },
      });
    } else this.#welcome();
  }

  #join(command: Message): void {
    const { dialect, epoch, offset, features, truth } = this.#server;
    const canResume = features.includes('resume');
    const { entries, recovered } = this.#server.since(canResume ? command['since'] : undefined);
    const message = {
      ...{ type: dialect.entered, ...idOf(command), [dialect.key]: dialect.name },
      ...dialect.reply(entries, recovered, truth.at(-1)),
      ...(canResume && { position: { offset, epoch }, recovered }),
    };
    this.isJoined = true;
    this.act('joined', { message, entries });
    if (this.#number >= LIVE_CONNECTIONS) return;
    for (let at = 0; at < LIVE; at++) this.#server.publish();
  }

  #publish(command: Message): void {
    const { id } = command;
    const { dialect, features } = this.#server;
    const known = features.includes('resume') ? this.#server.find(id) : undefined;
    const text = String(dialect.textOf(command));
    const entry = known ?? this.#server.publish(text, typeof id === 'string' ? id : undefined);
    const duplicate = known === undefined ? {} : { duplicate: true };
    this.act('ack', { message: { type: 'ack', id, offset: entry.offset, ...duplicate } });
  }

  /** Sends an entry to the client, if it has joined. */
  publish(entry: Entry): void {
    if (!this.isJoined || this.#isOver) return;
    this.act('event', { message: this.#server.dialect.eventOf(entry), entry });
  }

  /** Does `on`, or what the case makes of it; `sent` when it went on as it should. */
  act(on: Fault['on'], { message, bytes, entry, entries = [] }: Step): 'sent' | 'over' {
    if (this.#isOver) return 'over';
    const nth = this.#counts.get(on) ?? 0;
    this.#counts.set(on, nth + 1);
    let sent = message;
    let isDropped = false;
    let after: (() => void) | undefined;
    for (const action of this.#server.faults(on, this.#number, nth)) {
      this.hasFaulted = true;
      if (action === 'cut-before') return this.cut();
      else if (action === 'cut-inside') {
        const whole = bytes ?? this.#encode(sent ?? {});
        this.#socket.write(whole.subarray(0, Math.ceil(whole.length / 2)), () => this.cut());
        this.#isOver = true;
        return 'over';
      } else if (action === 'cut-after') after = () => this.#finish();
      else if (action === 'twice') after = () => this.#write(sent ?? {});
      else if (action === 'drop') isDropped = true;
      else if (action === 'silence') {
        this.isSilent = true;
        return 'over';
      } else if (action === 'restart') {
        this.#server.restart();
        return 'over';
      } else if (action === 'early') {
        for (const one of entries) this.#write(this.#server.dialect.eventOf(one));
      } else if (action === 'swap') {
        this.#swapped = { message: sent ?? {}, entry };
        return 'sent';
      } else if ('refuse' in action) return this.#refuse(action);
      else if ('close' in action) {
        if (action.drainingMs !== undefined) {
          this.#write({ type: 'draining', retryAfterMs: action.drainingMs });
        }
        this.#close(action.close);
        return 'over';
      } else if ('delayMs' in action) {
        const late = sent ?? {};
        setTimeout(() => this.#write(late), action.delayMs);
        isDropped = true;
      } else if ('insert' in action) for (const one of action.insert) this.#write(one);
      else sent = { ...sent, ...action.change };
    }
    if (bytes !== undefined) this.#socket.write(bytes);
    else if (sent !== undefined && !isDropped) this.#write(sent);
    if (this.#swapped !== undefined && message !== undefined) {
      const { message: earlier } = this.#swapped;
      this.#swapped = undefined;
      this.#write(earlier);
    }
    after?.();
    return after === undefined ? 'sent' : 'over';
  }

  #refuse({ refuse, retryAfter }: { refuse: number; retryAfter?: number }): 'over' {
    this.#isOver = true;
    const wait = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
    const head = `HTTP/1.1 ${refuse} Refused\r\n${wait}Content-Length: 0\r\nConnection: close\r\n\r\n`;
    this.#socket.end(head);
    return 'over';
  }

  #encode(message: Message | string): Buffer {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    if (this.#connection.state !== 'open') return Buffer.alloc(0);
    this.#connection.sendText(text);
    return Buffer.concat([...this.#connection.output()]);
  }

  #write(message: Message | string): void {
    if (this.#isOver || this.isSilent) return;
    this.#socket.write(this.#encode(message));
  }

  #flush(): void {
    if (this.#isOver || this.isSilent) return;
    for (const chunk of this.#connection.output()) this.#socket.write(chunk);
    if (this.#connection.outputEnded) this.#finish();
  }

  #close(code: number): void {
    this.isJoined = false;
    this.#connection.sendClose(code, 'as the case says');
    this.#flush();
  }

  /** Ends the connection after what was written. */
  #finish(): void {
    this.#isOver = true;
    this.isJoined = false;
    this.#socket.end(() => this.#socket.destroy());
  }

  cut(): 'over' {
    this.#isOver = true;
    this.isJoined = false;
    this.#socket.destroy();
    return 'over';
  }
}

function idOf({ id }: Message): Message {
  return id === undefined ? {} : { id };
}
