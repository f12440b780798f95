import { randomBytes } from 'node:crypto';
import { createKey, createRequest, fieldValue } from '../../protocol/index.ts';
import { openSocket, readHead } from '../../transport/index.ts';
import type { NoHead, Wire } from '../../transport/index.ts';
import { VERSION } from '../../core/version.ts';
import type { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { readAgreement, offerDeflate, wishesOf } from '../autobahn/negotiate.ts';
import type { CaseConnection } from '../autobahn/connection.ts';
import { PEER_DROPPED } from '../autobahn/close-state.ts';
import type { ExchangeTarget } from '../extended/dial-exchange.ts';
import type { CaseResult, CloseFacts } from '../result.ts';
import { drive } from './socket-driver.ts';
import { openCase } from './open-case.ts';
import { toResult } from './case-result.ts';
import type { CaseTask } from '../case.ts';

/** How to reach the server under test, and what its connections share. */
export interface DialTarget extends ExchangeTarget {
  readonly cache: DeflateCache;
  /** Seconds a silent peer is waited for in a case that would wait longer. */
  readonly idleS: () => number | undefined;
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
  const wire = await openSocket(url, { tls: target.tls, timeoutMs: OPEN_TIMEOUT_MS, signal });
  try {
    const handshake = await openHandshake(wire, task, target);
    const opened = performance.now();
    const { connection } = handshake;
    if (connection !== undefined) await drive(wire, connection);
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
    wire.destroy();
  }
}

interface Opening {
  readonly request: string;
  readonly response: string | null;
  /** What the server calls itself. */
  readonly server: string | undefined;
  readonly connection: CaseConnection | undefined;
  /** Why there is no connection. */
  readonly failure: Partial<CloseFacts> | undefined;
}

async function openHandshake(wire: Wire, task: CaseTask, target: DialTarget): Promise<Opening> {
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
    failure,
  });
  wire.socket.write(request.bytes);
  const result = await readHead(wire, 'response', OPEN_TIMEOUT_MS);
  const response = result.received.length === 0 ? null : result.received.toString('latin1');
  if (!('head' in result)) return failed(explainMissingHead(result), response);
  const { head } = result;
  const { protocols } = target;
  const agreement = readAgreement(head, { key, offers: wishes.length > 0, protocols });
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
      preopen: { sent: request.bytes.length, received: result.received.length },
    }),
    failure: undefined,
  };
}

function explainMissingHead({ failed, violation }: NoHead): Partial<CloseFacts> {
  switch (failed) {
    case 'closed':
      return { wasNotCleanReason: PEER_DROPPED };
    case 'timeout':
      return {
        droppedByMe: true,
        wasOpenHandshakeTimeout: true,
        wasNotCleanReason: 'peer did not finish (in time) the opening handshake',
      };
    case 'violation':
      return { droppedByMe: true, wasNotCleanReason: violation?.message ?? 'no response' };
  }
}
