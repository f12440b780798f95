import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { formatExtensions, toExtension } from '../../protocol/index.ts';
import { hostOf, portOf, serverNameOf } from '../../transport/address.ts';
import type { LoadTarget } from '../plan.ts';
import { takeRandom } from '../random.ts';
import type { Connection } from './connection.ts';
import { OpeningRequest } from './opening-request.ts';

/** Size of the read buffer, which holds many replies. */
const READ_BYTES = 64 * 1024;

/** The range of RFC 6335 section 6, where the system's own is unknown. */
const DYNAMIC_PORTS = [49152, 65535] as const;

/** Requests that are kept, each with a token of its own. */
const MOST_REQUESTS = 256;

export interface DialerOptions {
  readonly target: LoadTarget;
  /** Addresses of the host; connections take them in turn. */
  readonly addresses: readonly string[];
  /** Number of this worker and of all: they share the ports of a source address. */
  readonly index: number;
  readonly workers: number;
  /** How long an opening handshake may take. */
  readonly timeoutMs: number;
  /**
   * Connections of the fast engine all read into one buffer, and their local ports are chosen here;
   * those of the client have memory of their own and leave the port to the system.
   */
  readonly kind: 'fast' | 'client';
}

/** How the request of a connection differs from what the target says. */
export interface RequestChanges {
  readonly url: URL;
  /** Beside those of the target. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** In place of those of the target; empty for no change. */
  readonly subprotocols: readonly string[];
}

/** Opens the sockets of one worker. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #url: URL;
  readonly #extensions: string;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #secureContext: SecureContext | undefined;
  readonly #ports: ReadonlyMap<string, PortRange>;
  readonly #isSecure: boolean;
  readonly #host: string;
  readonly #port: number;
  /** By token. */
  readonly #requests = new Map<string | undefined, OpeningRequest>();

  constructor(options: DialerOptions) {
    const { target, kind } = options;
    this.#options = options;
    this.#url = new URL(target.url);
    this.#isSecure = this.#url.protocol === 'wss:';
    this.#host = hostOf(this.#url);
    this.#port = portOf(this.#url);
    this.#extensions = target.compression
      ? formatExtensions([toExtension({ clientMaxWindowBits: true })])
      : '';
    this.#secureContext = this.#isSecure ? createContext(target) : undefined;
    const sources = kind === 'fast' ? target.sourceAddresses : [];
    const [first, last] = sources.length > 0 ? systemPorts() : DYNAMIC_PORTS;
    this.#ports = new Map(
      sources.map((address) => [address, new PortRange({ ...options, first, last })]),
    );
  }

  /** Whether another port is to be tried, now that one was taken. */
  canRetry(connection: Connection): boolean {
    const source = this.#sourceOf(connection);
    return source !== undefined && this.#ports.get(source)?.taken() === true;
  }

  /** Notes that the port of `connection` was free. */
  opened(connection: Connection): void {
    const source = this.#sourceOf(connection);
    if (source !== undefined) this.#ports.get(source)?.free();
  }

  /** Connects `connection`, which reports all that follows. */
  dial(connection: Connection, changes?: RequestChanges): void {
    const request = this.#requestOf(connection, changes);
    const options = this.#socketOptions(connection);
    const socket = this.#isSecure ? this.#connectTls(options) : connect(options);
    if (this.#options.kind === 'client') {
      socket.on('data', (chunk: Buffer) => connection.receive(chunk, chunk.length));
    }
    connection.open(socket, request, this.#options.timeoutMs);
  }

  #sourceOf({ index }: Connection): string | undefined {
    const { sourceAddresses } = this.#options.target;
    return sourceAddresses[index % sourceAddresses.length];
  }

  #requestOf({ index }: Connection, changes?: RequestChanges): OpeningRequest {
    const { tokens } = this.#options.target;
    const token = tokens[index % tokens.length];
    if (changes !== undefined) return this.#request(token, changes);
    let request = this.#requests.get(token);
    if (request === undefined) {
      request = this.#request(token);
      if (this.#requests.size < MOST_REQUESTS) this.#requests.set(token, request);
    }
    return request;
  }

  #request(token: string | undefined, changes?: RequestChanges): OpeningRequest {
    const { headers, subprotocols } = this.#options.target;
    const { url = this.#url, headers: more = [], subprotocols: others = [] } = changes ?? {};
    return new OpeningRequest({
      url,
      protocols: others.length > 0 ? others : subprotocols,
      extensions: this.#extensions,
      headers: [
        ...headers,
        ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
        ...more,
      ],
    });
  }

  #connectTls(socketOptions: TcpSocketConnectOpts): Socket {
    // tls.connect passes its options to the socket, although its types leave most of them out.
    const options: ConnectionOptions & TcpSocketConnectOpts = {
      ...socketOptions,
      ...serverNameOf(this.#url),
      ...(this.#secureContext === undefined ? {} : { secureContext: this.#secureContext }),
      rejectUnauthorized: !this.#options.target.insecure,
      ALPNProtocols: ['http/1.1'],
    };
    return connectTls(options);
  }

  #socketOptions(connection: Connection): TcpSocketConnectOpts {
    const { addresses, kind } = this.#options;
    const source = this.#sourceOf(connection);
    const port = source === undefined ? undefined : this.#ports.get(source)?.next();
    return {
      host: addresses[connection.index % addresses.length] ?? this.#host,
      port: this.#port,
      // Without Nagle's algorithm, which would hold a message back until the last is acknowledged.
      noDelay: true,
      ...(kind === 'fast' ? { onread: this.#readInto(connection) } : {}),
      ...(source === undefined ? {} : { localAddress: source }),
      ...(port === undefined ? {} : { localPort: port }),
    };
  }

  #readInto(connection: Connection): NonNullable<TcpSocketConnectOpts['onread']> {
    const buffer = this.#buffer;
    return {
      buffer,
      callback: (count) => {
        connection.receive(buffer, count);
        return true;
      },
    };
  }
}

function createContext({ ca, cert, key }: LoadTarget): SecureContext {
  return createSecureContext({
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  });
}

/**
 * Local ports of one source address. The system's own search becomes slower with each port that is
 * taken, and its range is one for all source addresses together.
 */
class PortRange {
  readonly #first: number;
  readonly #last: number;
  readonly #step: number;
  #port: number;
  /** Ports that were taken since one was free. */
  #misses = 0;

  constructor(o: { first: number; last: number; index: number; workers: number }) {
    this.#first = o.first + o.index;
    this.#last = o.last;
    this.#step = o.workers;
    // A random start: another generator on this machine may use the same range.
    const ports = Math.floor((o.last - this.#first) / o.workers) + 1;
    this.#port = this.#first + (takeRandom(4).readUInt32LE() % ports) * o.workers;
  }

  next(): number {
    const port = this.#port;
    this.#port += this.#step;
    if (this.#port > this.#last) this.#port = this.#first;
    return port;
  }

  /** Notes that a port was taken; false once that is true of all of them. */
  taken(): boolean {
    this.#misses++;
    return this.#misses * this.#step <= this.#last - this.#first;
  }

  /** Notes that a port was free. */
  free(): void {
    this.#misses = 0;
  }
}

function systemPorts(): readonly [first: number, last: number] {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [first, last] = text.trim().split(/\s+/).map(Number);
    if (first !== undefined && last !== undefined && first > 0 && last > first)
      return [first, last];
  } catch {
    // Not Linux.
  }
  return DYNAMIC_PORTS;
}
