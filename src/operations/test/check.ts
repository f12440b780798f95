import { groupRows } from '../../core/grade.ts';
import { EnvironmentError } from '../../core/errors.ts';
import { HttpFailure } from '../../transport/index.ts';
import type { Channel, DialOptions } from '../../transport/index.ts';
import type { CheckRow, TestReport } from './schema.ts';
import type { Session } from './session.ts';

/** The result of a check, with what was seen and expected. */
export interface Outcome {
  readonly verdict: CheckRow['verdict'];
  readonly detail: string;
}

/** One execution of a check: its connections and its remaining time. */
export interface CheckContext {
  readonly session: Session;
  /** Milliseconds until the check has to end. */
  readonly leftMs: () => number;
  /** Opens a connection. */
  readonly dial: (overrides?: Partial<DialOptions>) => Promise<Channel>;
}

/** One check of `test`, as data. Each opens its own connections. */
export interface Check {
  /** Stable name in kebab-case. */
  readonly id: string;
  readonly rfc: string;
  readonly title: string;
  /** Time limit as a multiple of the input's `timeoutMs`; 1 if absent. */
  readonly timeouts?: number;
  readonly run: (context: CheckContext) => Promise<Outcome>;
}

/** Thrown to end a check as failed. */
export class CheckFailure extends Error {}

/** Thrown to end a check with what no MUST forbids. */
export class CheckRemark extends Error {
  readonly verdict: 'info' | 'warn';

  constructor(verdict: 'info' | 'warn', message: string) {
    super(message);
    this.verdict = verdict;
  }
}

export function pass(detail: string): Outcome {
  return { verdict: 'pass', detail };
}

/** Legal, and worth knowing. */
export function info(detail: string): Outcome {
  return { verdict: 'info', detail };
}

/** A SHOULD that is not followed, or hardening that is not there. */
export function warn(detail: string): Outcome {
  return { verdict: 'warn', detail };
}

export function fail(detail: string): Outcome {
  return { verdict: 'fail', detail };
}

export function skip(detail: string): Outcome {
  return { verdict: 'skip', detail };
}

/** One executed check. */
export interface Execution {
  readonly row: CheckRow;
  /** Whether it has opened a connection, so that it may have harmed the server. */
  readonly connected: boolean;
  /** Why it could not open even its first connection. */
  readonly gone: EnvironmentError | undefined;
  /** Whether the server, or a proxy, has refused a connection because there are too many. */
  readonly limited: boolean;
}

/** Runs one check within its time. Whatever the peer does ends in a row, not in an exception. */
export async function runCheck(check: Check, session: Session): Promise<Execution> {
  const startedAt = performance.now();
  const boundMs = session.timeoutMs * (check.timeouts ?? 1);
  let connected = false as boolean;
  const context: CheckContext = {
    session,
    leftMs: () => Math.max(0, startedAt + boundMs - performance.now()),
    dial: async (overrides) => {
      const channel = await session.dial(overrides);
      connected = true;
      return channel;
    },
  };
  const { outcome, error } = await outcomeOf(check, context);
  const row = {
    id: check.id,
    rfc: check.rfc,
    title: check.title,
    ...outcome,
    durationMs: Math.round(performance.now() - startedAt),
  };
  const gone = !connected && error !== undefined && isGone(error) ? error : undefined;
  return { row, connected, gone, limited: error !== undefined && isLimit(error) };
}

/** The status of the response in place of 101; undefined if there was none. */
export function statusOf({ cause }: EnvironmentError): number | undefined {
  return cause instanceof HttpFailure ? cause.head.status : undefined;
}

/** 429 Too Many Requests (RFC 6585), and 503 of a server that is overloaded (RFC 9110). */
export function isLimit(error: EnvironmentError): boolean {
  const status = statusOf(error);
  return status === 429 || status === 503;
}

/** Whether nobody is there any more; a proxy says so with a status of 500 or above. */
function isGone(error: EnvironmentError): boolean {
  const status = statusOf(error);
  return status === undefined || (status >= 500 && !isLimit(error));
}

interface Ended {
  readonly outcome: Outcome;
  /** The connection that could not be opened. */
  readonly error?: EnvironmentError;
}

async function outcomeOf(check: Check, context: CheckContext): Promise<Ended> {
  try {
    return { outcome: await check.run(context) };
  } catch (error) {
    if (error instanceof CheckFailure) return { outcome: fail(error.message) };
    if (error instanceof CheckRemark) {
      return { outcome: { verdict: error.verdict, detail: error.message } };
    }
    if (!(error instanceof EnvironmentError)) throw error;
    if (isLimit(error)) {
      return { outcome: skip(`the server limits connections: ${error.message}`), error };
    }
    const detail = `cannot connect again: ${error.message}`;
    // No MUST makes a server take every connection.
    return { outcome: statusOf(error) === undefined ? fail(detail) : warn(detail), error };
  }
}

/** What failed or warns: equal details once, failures first. */
export function reasonsOf(checks: readonly CheckRow[]): TestReport['reasons'] {
  const groups = groupRows(checks, ({ detail }) => detail).map(({ verdict, reason, rows }) => ({
    verdict,
    reason,
    checks: rows.map(({ id }) => id),
  }));
  const ofGrade = (grade: CheckRow['verdict']): TestReport['reasons'] =>
    groups.filter(({ verdict }) => verdict === grade);
  return [...ofGrade('fail'), ...ofGrade('warn')];
}
