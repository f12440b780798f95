import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { createKey, createRequest } from '../../protocol/index.ts';
import { portOf, serverNameOf } from '../../transport/address.ts';
import type { LoadTarget } from '../plan.ts';
import type { Connection, Opening } from './connection.ts';
import { takeRandom } from '../random.ts';

/** What a read brings at most; large enough for many replies, and shared by all sockets. */
const READ_BYTES = 64 * 1024;

/** The range of RFC 6335 section 6, where the system does not tell its own. */
const DYNAMIC_PORTS = [49152, 65535] as const;

export interface DialerOptions {
  readonly target: LoadTarget;
  /** Addresses of the host, in turn. */
  readonly addresses: readonly string[];
  /** Number of this worker and of all: they share the ports of a source address. */
  readonly index: number;
  readonly workers: number;
}

/** Opens the sockets of one worker, which all read into one buffer. */
export class Dialer {
  readonly #url: URL;
  readonly #target: LoadTarget;
  readonly #addresses: readonly string[];
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #secureContext: SecureContext | undefined;
  readonly #ports: ReadonlyMap<string, PortRow>;

  constructor({ target, addresses, index, workers }: DialerOptions) {
    this.#url = new URL(target.url);
    this.#target = target;
    this.#addresses = addresses;
    this.#secureContext = this.#isSecure ? createContext(target) : undefined;
    const [first, last] = target.sourceAddresses.length > 0 ? portRange() : DYNAMIC_PORTS;
    this.#ports = new Map(
      target.sourceAddresses.map((address) => [
        address,
        new PortRow({ first, last, index, workers }),
      ]),
    );
  }

  /** Whether another port is to be tried, now that one was taken. */
  canRetry(connection: Connection): boolean {
    const source = this.#sourceOf(connection);
    return source !== undefined && this.#ports.get(source)?.taken() === true;
  }

  /** Notes that `connection` had its port. */
  opened(connection: Connection): void {
    const source = this.#sourceOf(connection);
    if (source !== undefined) this.#ports.get(source)?.free();
  }

  /** Connects `connection`, which hears of everything that follows. */
  dial(connection: Connection): void {
    const socket = this.#isSecure ? this.#secureSocket(connection) : this.#socket(connection);
    connection.open(
      socket,
      this.#isSecure ? 'secureConnect' : 'connect',
      this.#request(connection),
    );
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'wss:';
  }

  #sourceOf({ index }: Connection): string | undefined {
    const { sourceAddresses } = this.#target;
    return sourceAddresses[index % sourceAddresses.length];
  }

  #request({ index }: Connection): Opening {
    const { headers, subprotocols, tokens } = this.#target;
    const token = tokens[index % tokens.length];
    const { bytes, head } = createRequest({
      url: this.#url,
      key: createKey(takeRandom(16)),
      protocols: subprotocols,
      headers: token === undefined ? headers : [...headers, ['Authorization', `Bearer ${token}`]],
    });
    return { bytes, head };
  }

  #socket(connection: Connection): Socket {
    return connect(this.#options(connection));
  }

  #secureSocket(connection: Connection): Socket {
    // tls.connect hands its options on to the socket; its types leave most of them out.
    const options: ConnectionOptions & TcpSocketConnectOpts = {
      ...this.#options(connection),
      ...serverNameOf(this.#url),
      ...(this.#secureContext === undefined ? {} : { secureContext: this.#secureContext }),
      rejectUnauthorized: !this.#target.insecure,
      ALPNProtocols: ['http/1.1'],
    };
    return connectTls(options);
  }

  #options(connection: Connection): TcpSocketConnectOpts {
    const source = this.#sourceOf(connection);
    const buffer = this.#buffer;
    return {
      host: this.#addresses[connection.index % this.#addresses.length],
      port: portOf(this.#url),
      // A message is to leave when it is sent, not when the one before it was acknowledged.
      noDelay: true,
      onread: {
        buffer,
        callback: (count) => {
          connection.receive(buffer, count);
          return true;
        },
      },
      ...(source === undefined
        ? {}
        : { localAddress: source, localPort: this.#ports.get(source)?.next() ?? 0 }),
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
 * Local ports of one source address, chosen here: the system's own search becomes slower with each
 * port that is taken, and stops at one range for all source addresses together.
 */
class PortRow {
  readonly #first: number;
  readonly #last: number;
  readonly #step: number;
  #port: number;
  /** How many in a row were taken. */
  #misses = 0;

  constructor(o: { first: number; last: number; index: number; workers: number }) {
    this.#first = o.first + o.index;
    this.#last = o.last;
    this.#step = o.workers;
    // Anywhere in the row: another generator on this machine may have begun at its start.
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

function portRange(): readonly [first: number, last: number] {
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
