import { quoteBytes } from '../../transport/index.ts';
import { explainCloseCode } from '../../protocol/index.ts';
import type { ResponseHead, Violation } from '../../protocol/index.ts';
import { Gauge, add } from './counters.ts';

export const ERROR_KINDS = [
  'refused',
  'reset',
  'timeout',
  'dns',
  'tls',
  'status',
  'handshake',
  'close',
  'violation',
  'ports',
  'descriptors',
  'wrong',
  'lost',
  'duplicated',
  'out-of-order',
  'scenario',
  'worker',
  'other',
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** Errors of one kind and detail. */
export interface ErrorRow {
  readonly kind: ErrorKind;
  /** Which error of its kind: a status, a close code, the name of a step. */
  readonly detail: string;
  readonly count: number;
  /** A description of the first, in one line. */
  readonly first: string;
}

/** One error, which is counted by kind and detail; `text` describes it in one line. */
export interface Failure {
  readonly kind: ErrorKind;
  readonly detail: string;
  readonly text: string;
}

const KINDS: Readonly<Record<string, ErrorKind>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  EACCES: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'dns',
  EADDRNOTAVAIL: 'ports',
  EADDRINUSE: 'ports',
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
};

/** An error of a socket; `securing` during the TLS handshake. */
export function socketFailure(error: NodeJS.ErrnoException, securing: boolean): Failure {
  const code = error.code ?? error.name;
  const kind = KINDS[code] ?? (code.startsWith('EAI_') ? 'dns' : securing ? 'tls' : 'other');
  return { kind, detail: code, text: error.message };
}

/** An answer other than 101, with the start of its body, which often says why. */
export function statusFailure(head: ResponseHead, body: Buffer): Failure {
  const detail = String(head.status);
  const line = `answered HTTP ${detail} ${head.reason}`.trimEnd();
  const says = body.toString('latin1').trim();
  const text = says === '' || says === head.reason ? line : `${line}: ${quoteBytes(body)}`;
  return { kind: 'status', detail, text };
}

/** A breach of the RFC: in the opening handshake, or by a frame. */
export function violationFailure(kind: 'handshake' | 'violation', breach: Violation): Failure {
  return { kind, detail: breach.code, text: `${breach.message} (RFC ${breach.rfc})` };
}

/** The connection ended before the server had answered the handshake. */
export function handshakeEndFailure(received: Buffer): Failure {
  const got = received.length === 0 ? 'nothing' : quoteBytes(received);
  return { kind: 'handshake', detail: 'closed', text: `closed before it answered, sent ${got}` };
}

/** The server closed; 1006 stands for an end without a Close frame. */
export function closeFailure(code: number, reason: string): Failure {
  const why = reason === '' ? '' : `, reason ${JSON.stringify(reason)}`;
  const text = `closed with ${code} (${explainCloseCode(code)})${why}`;
  return { kind: 'close', detail: String(code), text };
}

/** Errors counted by kind and detail, each with its first example. */
export class ErrorTable {
  readonly #rows = new Map<string, { row: Failure; count: number }>();
  readonly #gauges: Float64Array | undefined;

  /** The number of all errors is kept up to date in `gauges`. */
  constructor(gauges?: Float64Array) {
    this.#gauges = gauges;
  }

  add(failure: Failure, count = 1): void {
    if (count === 0) return;
    if (this.#gauges !== undefined) add(this.#gauges, Gauge.errors, count);
    const key = `${failure.kind} ${failure.detail}`;
    const known = this.#rows.get(key);
    if (known === undefined) this.#rows.set(key, { row: failure, count });
    else known.count += count;
  }

  /** Adds the rows of another table. */
  merge(rows: readonly ErrorRow[]): void {
    for (const { kind, detail, count, first } of rows) {
      this.add({ kind, detail, text: first }, count);
    }
  }

  /** The most frequent first. */
  rows(): ErrorRow[] {
    return [...this.#rows.values()]
      .map(({ row, count }) => ({ kind: row.kind, detail: row.detail, count, first: row.text }))
      .sort((a, b) => b.count - a.count);
  }
}
