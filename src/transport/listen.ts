import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import {
  Connection,
  HeadDecoder,
  createRejection,
  createResponse,
  rejectionStatus,
  verifyRequest,
} from '../protocol/index.ts';
import type { Limits, ResponseHead, ServerTraits } from '../protocol/index.ts';
import { listenerUrl } from './address.ts';
import { Channel } from './channel.ts';
import { readHead } from './read-head.ts';
import { Wire } from './wire.ts';

export interface ListenOptions extends ServerTraits {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0, the default: a free port. */
  readonly port?: number;
  /** Time limit of a client's opening handshake. Default 5000. */
  readonly handshakeTimeoutMs?: number;
  readonly limits?: Partial<Limits>;
  /** Called with all input after the handshake, before the connection processes it. */
  readonly observe?: (bytes: Buffer) => void;
  /** Called with each open channel, which is terminated when the returned promise settles. */
  readonly onChannel: (channel: Channel) => Promise<void>;
}

/** A server that accepts WebSocket connections; to be closed by the caller. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Stops accepting and drops every connection. */
  readonly close: () => Promise<void>;
}

/** Accepts WebSocket connections, as a server; requests that break a rule are refused. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host = '127.0.0.1', port = 0 } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // An error of one client ends its own connection only.
    serve(new Wire(socket), options).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    port: address.port,
    url: `${listenerUrl(host, address.port)}/`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serve(wire: Wire, options: ListenOptions): Promise<void> {
  const result = await readHead(wire, 'request', options.handshakeTimeoutMs ?? 5000);
  if (!('head' in result)) {
    if (result.violation !== undefined) await refuse(wire, rejectionStatus(result.violation));
    wire.destroy();
    return;
  }
  const request = result.head;
  const agreed = verifyRequest(request, options);
  if (!agreed.ok) {
    await refuse(wire, rejectionStatus(agreed.violation), agreed.violation.message);
    return;
  }
  const { protocol, extensions, deflate, rules } = agreed;
  const response = createResponse({ request, protocol, extensions });
  await wire.write([response]);
  await using channel = new Channel({
    wire,
    deflate,
    connection: new Connection({ role: 'server', limits: options.limits ?? {}, deflate }),
    handshake: {
      requestHead: request,
      responseHead: decode(response),
      rules,
      protocol,
      extensions,
    },
    observe: options.observe,
  });
  await options.onChannel(channel);
}

function decode(response: Buffer): ResponseHead {
  const decoder = new HeadDecoder('response');
  decoder.receive(response);
  const head = decoder.head();
  if (head === undefined) throw new Error('our own response does not decode');
  return head;
}

async function refuse(wire: Wire, status: number, body = 'Refused'): Promise<void> {
  await wire.write([createRejection({ status, body })]);
  wire.end();
  await wire.closed(1000);
}
