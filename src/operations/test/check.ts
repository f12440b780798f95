import { EnvironmentError } from '../../core/errors.ts';
import type { Channel, DialOptions } from '../../transport/index.ts';
import type { CheckRow } from './schema.ts';
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
}

/** Runs one check within its time. Whatever the peer does ends in a row, not in an exception. */
export async function runCheck(check: Check, session: Session): Promise<Execution> {
  const startedAt = performance.now();
  const boundMs = session.timeoutMs * (check.timeouts ?? 1);
  let connected = false;
  let gone: EnvironmentError | undefined;
  const context: CheckContext = {
    session,
    leftMs: () => Math.max(0, startedAt + boundMs - performance.now()),
    dial: async (overrides) => {
      try {
        const channel = await session.dial(overrides);
        connected = true;
        return channel;
      } catch (error) {
        if (!connected && isGone(error)) gone = error;
        throw error;
      }
    },
  };
  const outcome = await outcomeOf(check, context);
  const row = {
    id: check.id,
    rfc: check.rfc,
    title: check.title,
    ...outcome,
    durationMs: Math.round(performance.now() - startedAt),
  };
  return { row, connected, gone };
}

/** Whether nobody is there any more; a server that answers with a status is. */
function isGone(error: unknown): error is EnvironmentError {
  return error instanceof EnvironmentError && error.code !== 'WSK_ERR_HTTP_STATUS';
}

async function outcomeOf(check: Check, context: CheckContext): Promise<Outcome> {
  try {
    return await check.run(context);
  } catch (error) {
    if (error instanceof CheckFailure) return fail(error.message);
    if (error instanceof CheckRemark) return { verdict: error.verdict, detail: error.message };
    if (isGone(error)) return fail(`cannot connect again: ${error.message}`);
    // No MUST makes a server take every connection.
    if (error instanceof EnvironmentError) return warn(`cannot connect again: ${error.message}`);
    throw error;
  }
}
