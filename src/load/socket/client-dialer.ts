import { connect } from 'node:net';
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { hostOf, portOf, serverNameOf } from '../../transport/address.ts';
import type { LoadTarget } from '../plan.ts';

/** Opens the sockets of the full client, each with memory of its own. */
export class ClientDialer {
  readonly target: LoadTarget;
  readonly #url: URL;
  readonly #addresses: readonly string[];
  readonly #secureContext: SecureContext | undefined;

  /** `addresses` are those of the host; connections take them in turn. */
  constructor(target: LoadTarget, addresses: readonly string[]) {
    this.target = target;
    this.#url = new URL(target.url);
    this.#addresses = addresses;
    const { ca, cert, key } = target;
    this.#secureContext = this.isSecure
      ? createSecureContext({
          ...(ca === null ? {} : { ca }),
          ...(cert === null ? {} : { cert }),
          ...(key === null ? {} : { key }),
        })
      : undefined;
  }

  get isSecure(): boolean {
    return this.#url.protocol === 'wss:';
  }

  /** The token of the connection of this number, as a header; empty for none. */
  credentials(index: number): readonly (readonly [string, string])[] {
    const { tokens } = this.target;
    const token = tokens[index % tokens.length];
    return token === undefined ? [] : [['Authorization', `Bearer ${token}`]];
  }

  /** Begins to connect; `isSecure` tells which event says that it is done. */
  connect(index: number): Socket {
    const { sourceAddresses, insecure } = this.target;
    const source = sourceAddresses[index % sourceAddresses.length];
    const options: TcpSocketConnectOpts = {
      host: this.#addresses[index % this.#addresses.length] ?? hostOf(this.#url),
      port: portOf(this.#url),
      noDelay: true,
      ...(source === undefined ? {} : { localAddress: source }),
    };
    if (!this.isSecure) return connect(options);
    // tls.connect hands its options on to the socket; its types leave most of them out.
    const secure: ConnectionOptions & TcpSocketConnectOpts = {
      ...options,
      ...serverNameOf(this.#url),
      ...(this.#secureContext === undefined ? {} : { secureContext: this.#secureContext }),
      rejectUnauthorized: !insecure,
      ALPNProtocols: ['http/1.1'],
    };
    return connectTls(secure);
  }
}
