import { EnvironmentError } from '../../core/errors.ts';
import type { Channel, DialOptions } from '../../transport/index.ts';
import type { CheckRow } from './schema.ts';
import type { Session } from './session.ts';

/** How a check ended, with what was seen and what was expected. */
export interface Outcome {
  readonly verdict: CheckRow['verdict'];
  readonly detail: string;
}

/** One execution of a check: its connections and the time it has left. */
export interface Turn {
  readonly session: Session;
  /** Milliseconds until the check has to be over. */
  readonly leftMs: () => number;
  /** Opens a connection of the check's own. */
  readonly dial: (overrides?: Partial<DialOptions>) => Promise<Channel>;
}

/** One thing that `test` looks at, as data. Each runs on connections of its own. */
export interface Check {
  /** Stable name in kebab-case. */
  readonly id: string;
  readonly rfc: string;
  readonly title: string;
  /** Bound as a multiple of the input's `timeoutMs`; 1 if absent. */
  readonly timeouts?: number;
  readonly run: (turn: Turn) => Promise<Outcome>;
}

/** Ends a check as failed from wherever it is. */
export class CheckFailure extends Error {}

export function pass(detail: string): Outcome {
  return { verdict: 'pass', detail };
}

export function fail(detail: string): Outcome {
  return { verdict: 'fail', detail };
}

export function skip(detail: string): Outcome {
  return { verdict: 'skip', detail };
}

/** Runs one check within its time. A peer that misbehaves in any way makes a row, no exception. */
export async function runCheck(check: Check, session: Session): Promise<CheckRow> {
  const startedAt = performance.now();
  const boundMs = session.timeoutMs * (check.timeouts ?? 1);
  const turn: Turn = {
    session,
    leftMs: () => Math.max(0, startedAt + boundMs - performance.now()),
    dial: (overrides) => session.dial(overrides),
  };
  const outcome = await outcomeOf(check, turn);
  return {
    id: check.id,
    rfc: check.rfc,
    title: check.title,
    ...outcome,
    durationMs: Math.round(performance.now() - startedAt),
  };
}

async function outcomeOf(check: Check, turn: Turn): Promise<Outcome> {
  try {
    return await check.run(turn);
  } catch (error) {
    if (error instanceof CheckFailure) return fail(error.message);
    // The first connection worked, so that one of these fails is a finding about the server.
    if (error instanceof EnvironmentError) return fail(`no further connection: ${error.message}`);
    throw error;
  }
}
