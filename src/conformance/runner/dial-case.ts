import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { HeadDecoder, createKey, createRequest, fieldValue } from '../../protocol/index.ts';
import type { HeaderList } from '../../protocol/index.ts';
import { connectSocket } from '../../transport/index.ts';
import type { TlsOptions } from '../../transport/index.ts';
import { VERSION } from '../../core/version.ts';
import type { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { judgeResponse, offerDeflate, wishesOf } from '../autobahn/negotiate.ts';
import type { CaseConnection } from '../autobahn/connection.ts';
import { PEER_DROPPED } from '../autobahn/close-state.ts';
import type { CaseResult, CloseFacts } from '../result.ts';
import { drive } from './socket-driver.ts';
import { openCase } from './open-case.ts';
import { toResult } from './case-result.ts';
import type { CaseTask } from '../case.ts';

/** How to reach the server under test. */
export interface DialTarget {
  readonly url: URL;
  readonly headers: HeaderList;
  readonly protocols: readonly string[];
  readonly tls: TlsOptions;
  /** The name in the report; undefined: what the server calls itself. */
  readonly agent: string | undefined;
  readonly cache: DeflateCache;
  /** Seconds a silent peer is waited for in a case that would wait longer. */
  readonly idleS: () => number | undefined;
  readonly signal: AbortSignal;
}

/** Milliseconds the opening handshake may take, TCP included. */
const OPEN_TIMEOUT_MS = 5000;

/**
 * Runs one case against a server, on a connection of its own.
 *
 * Throws `EnvironmentError` if there is no TCP (or TLS) connection, and the signal's reason when it
 * is aborted; everything behind that is a result.
 */
export async function dialCase(task: CaseTask, target: DialTarget): Promise<CaseResult> {
  const startedAt = new Date();
  const began = performance.now();
  const { url, signal } = target;
  const socket = await connectSocket(url, {
    tls: target.tls,
    timeoutMs: OPEN_TIMEOUT_MS,
    signal,
  });
  socket.setNoDelay(true);
  try {
    const handshake = await shakeHands(socket, task, target);
    const opened = performance.now();
    const { connection } = handshake;
    if (connection !== undefined) await drive(socket, connection, handshake.rest);
    signal.throwIfAborted();
    return toResult({
      task,
      agent: target.agent ?? handshake.server ?? 'UnknownServer',
      role: 'client',
      startedAt,
      durationMs: performance.now() - (connection === undefined ? began : opened),
      httpRequest: handshake.request,
      httpResponse: handshake.response,
      connection,
      ...(handshake.failure === undefined ? {} : { neverOpen: handshake.failure }),
    });
  } finally {
    socket.destroy();
  }
}

interface Opening {
  readonly request: string;
  readonly response: string | null;
  /** What the server calls itself. */
  readonly server: string | undefined;
  readonly connection: CaseConnection | undefined;
  readonly rest: Buffer;
  /** Why there is no connection. */
  readonly failure: Partial<CloseFacts> | undefined;
}

async function shakeHands(socket: Socket, task: CaseTask, target: DialTarget): Promise<Opening> {
  const wishes = wishesOf(task.definition);
  const key = createKey(randomBytes(16));
  const request = createRequest({
    url: target.url,
    key,
    protocols: target.protocols,
    extensions: offerDeflate(wishes),
    headers: [['User-Agent', `websocket-skill/${VERSION}`], ...target.headers],
  });
  const sent = request.bytes.toString('latin1');
  const failed = (failure: Partial<CloseFacts>, response: string | null = null): Opening => ({
    request: sent,
    response,
    server: undefined,
    connection: undefined,
    rest: Buffer.alloc(0),
    failure,
  });
  socket.write(request.bytes);
  const { decoder, received, ended } = await readResponse(socket);
  const head = decoder.head();
  const text = received === '' ? null : received;
  if (head === undefined)
    return failed(explainMissingHead(ended, decoder.violation?.message), text);
  const response = received.slice(0, received.length - decoder.rest().length);
  const { protocols } = target;
  const agreement = judgeResponse(head, { key, offers: wishes.length > 0, protocols });
  if (!agreement.ok) {
    return failed({ droppedByMe: true, wasNotCleanReason: agreement.reason }, response);
  }
  return {
    request: sent,
    response,
    server: fieldValue(head, 'server'),
    connection: openCase(task, {
      role: 'client',
      deflate: agreement.deflate,
      cache: target.cache,
      idleS: target.idleS(),
      preopen: { sent: request.bytes.length, received: response.length },
    }),
    rest: decoder.rest(),
    failure: undefined,
  };
}

interface ResponseRead {
  readonly decoder: HeadDecoder<'response'>;
  /** Everything that came, as Latin-1. */
  readonly received: string;
  readonly ended: 'head' | 'closed' | 'timeout';
}

/** Reads until there is a head, the peer is gone or the time is up. */
function readResponse(socket: Socket): Promise<ResponseRead> {
  const decoder = new HeadDecoder('response');
  let received = '';
  return new Promise((resolve) => {
    const settle = (ended: ResponseRead['ended']): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      // Nothing may be lost between this listener and the next one.
      socket.pause();
      resolve({ decoder, received, ended });
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      decoder.receive(chunk);
      if (decoder.head() !== undefined || decoder.violation !== undefined) settle('head');
    };
    const onEnd = (): void => {
      settle('closed');
    };
    const timer = setTimeout(() => {
      settle('timeout');
    }, OPEN_TIMEOUT_MS);
    socket.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}

function explainMissingHead(
  ended: ResponseRead['ended'],
  violation: string | undefined,
): Partial<CloseFacts> {
  switch (ended) {
    case 'closed':
      return { wasNotCleanReason: PEER_DROPPED };
    case 'timeout':
      return {
        droppedByMe: true,
        wasOpenHandshakeTimeout: true,
        wasNotCleanReason: 'peer did not finish (in time) the opening handshake',
      };
    case 'head':
      return { droppedByMe: true, wasNotCleanReason: violation ?? 'no response' };
  }
}
