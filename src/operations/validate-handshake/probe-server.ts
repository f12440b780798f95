import { setTimeout as sleep } from 'node:timers/promises';
import { serverProbes } from '../../conformance/handshake/catalogue.ts';
import type { Probe } from '../../conformance/handshake/catalogue.ts';
import { observeServer } from '../../conformance/extended/index.ts';
import type { Observation } from '../../conformance/observation.ts';
import { exchangeVerdict } from '../../conformance/extended/verdict.ts';
import { EnvironmentError } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import type { RuleResult } from '../../protocol/index.ts';
import { readAccess } from '../../target/access.ts';
import { dial } from '../../transport/index.ts';
import { LIMITED } from './schema.ts';
import type { RuleRow, ValidateHandshakeInput } from './schema.ts';

export interface ProbeServerOptions {
  readonly url: string;
  readonly input: ValidateHandshakeInput;
  readonly context: OperationContext;
  /** Called with the rows of each step as soon as they are known, in the order of the catalogue. */
  readonly report: (rows: readonly RuleRow[]) => void;
}

/** Probes at a time: some wait for a time-out, and a server should not see a flood. */
const CONCURRENCY = 4;

/**
 * Checks the response to an ordinary request, with an offer of compression, and then the server's
 * answer to every handshake of the catalogue.
 *
 * Throws `EnvironmentError` when the ordinary request does not lead to a WebSocket.
 */
export async function probeServer(options: ProbeServerOptions): Promise<void> {
  const { url, input, context, report } = options;
  const { signal } = context;
  const { headers, tls } = await readAccess(input, context.cwd);
  const { timeoutMs } = input;
  const channel = await dial(url, { headers, tls, timeoutMs, signal, compression: true });
  report(channel.handshake.rules.map(toRow));
  await channel.close(1000, 250);
  const target = { url: new URL(url), headers, protocols: [], tls, signal };
  const probes = serverProbes();
  const known = await breachOfEveryResponse(probes, target, timeoutMs);
  const rows: RuleRow[] = [];
  const crash = new CrashWatch();
  /** Indexes of the probes that a limit of connections may have turned away. */
  const turnedAway = new Set<number>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < probes.length; at = next++) {
      signal.throwIfAborted();
      const probe = probes[at] as Probe;
      context.emit({ stage: probe.id, done: rows.length, total: probes.length });
      rows[at] = await crash.guard(probe, async () => {
        const probed = await runProbe(probe, { target, timeoutMs, known });
        if (probed.turnedAway !== undefined) turnedAway.add(at);
        return probed;
      });
    }
  };
  const stop = (error: unknown): never => {
    next = probes.length;
    throw error;
  };
  const ends = await Promise.allSettled(
    Array.from({ length: CONCURRENCY }, () => work().catch(stop)),
  );
  if (!crash.ended && !signal.aborted) {
    await retryLimited(probes, rows, {
      turnedAway,
      again: (probe) => runProbe(probe, { target, timeoutMs, known }),
    });
  }
  // In the order of the catalogue, also of a run that was interrupted.
  report(crash.blamed(Object.values(rows)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

interface Probed {
  readonly row: RuleRow;
  /** Whether the server said nothing to the request, be it legal or not. */
  readonly silent: boolean;
  /** Whether it served another connection afterwards; undefined if that was not tried. */
  readonly served: boolean | undefined;
  /** What a server answers, too, when it limits connections; undefined for anything else. */
  readonly turnedAway: string | undefined;
}

/** Probes in a row that are turned away, before the others are not tried again. */
const TURNED_AWAY = 3;

/** Milliseconds for a server to notice that the connection before has ended. */
const NOTICE_MS = 100;

interface Retry {
  readonly turnedAway: ReadonlySet<number>;
  readonly again: (probe: Probe) => Promise<Probed>;
}

/**
 * Runs the probes that were turned away once more, one at a time, and skips those for which an
 * ordinary request is turned away, too.
 */
async function retryLimited(
  probes: readonly Probe[],
  rows: RuleRow[],
  { turnedAway, again }: Retry,
): Promise<void> {
  const ordinary = probes.find(({ id }) => id === 'probe-ordinary-request') as Probe;
  let limited = 0;
  let reason = '';
  for (const at of [...turnedAway].sort((one, other) => one - other)) {
    const probe = probes[at] as Probe;
    if (limited < TURNED_AWAY) {
      await sleep(NOTICE_MS);
      const probed = await again(probe);
      if (probed.turnedAway !== undefined) await sleep(NOTICE_MS);
      const other = probed.turnedAway === undefined ? undefined : await again(ordinary);
      if (other?.turnedAway === undefined) {
        rows[at] = probed.row;
        limited = 0;
        continue;
      }
      limited++;
      reason = other.turnedAway;
    }
    rows[at] = { ...(rows[at] as RuleRow), verdict: 'skip', seen: `${LIMITED} (${reason})` };
  }
}

interface Suspect {
  readonly id: string;
  readonly startedAt: number;
}

/** Finds out which probe a server did not outlive. */
class CrashWatch {
  #last: Suspect | undefined;
  /** After it nobody was served; the next answer clears it. */
  #suspect: Suspect | undefined;
  #gone: { readonly after: string | undefined; readonly why: string } | undefined;
  #goneAt = Infinity;
  /** Rows without an answer, and when that was clear. */
  readonly #silent = new Map<string, number>();

  /** Whether the server is gone. */
  get ended(): boolean {
    return this.#gone !== undefined;
  }

  /** The row of a probe, or why it could not be made any more. */
  async guard(probe: Probe, run: () => Promise<Probed>): Promise<RuleRow> {
    if (this.#gone !== undefined) return this.#skipped(probe);
    const startedAt = performance.now();
    try {
      const { row, silent, served } = await run();
      if (silent) this.#silent.set(row.id, performance.now());
      if (served === false) this.#suspect = { id: probe.id, startedAt };
      else if (!silent) this.#suspect = undefined;
      else if (this.#suspect !== undefined) this.#end(this.#suspect, 'it answers nobody');
      this.#last = { id: probe.id, startedAt };
      return row;
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      this.#end(this.#suspect ?? this.#last, error.message);
      return this.#skipped(probe);
    }
  }

  /** The rows, with the failure at the probe that the server did not outlive. */
  blamed(rows: readonly RuleRow[]): RuleRow[] {
    const gone = this.#gone;
    if (gone === undefined) return [...rows];
    return rows.map((row) => {
      if (row.id === gone.after) {
        const seen = `the server is gone since: ${gone.why} (${row.seen})`;
        return { ...row, verdict: 'fail', seen };
      }
      const silentAt = this.#silent.get(row.id);
      if (silentAt === undefined || silentAt < this.#goneAt) return row;
      return { ...row, verdict: 'skip', seen: this.#reason() };
    });
  }

  #end(last: Suspect | undefined, why: string): void {
    if (this.#gone !== undefined) return;
    this.#gone = { after: last?.id, why };
    this.#goneAt = last?.startedAt ?? 0;
  }

  #skipped({ id, rfc, sends, expected }: Probe): RuleRow {
    return { id, rfc, rule: sends, verdict: 'skip', seen: this.#reason(), expected };
  }

  #reason(): string {
    const { after } = this.#gone ?? {};
    return `the server is gone${after === undefined ? '' : ` since ${after}`}`;
  }
}

/** A protocol rule's result as a row of the report. */
export function toRow({ id, rfc, rule, verdict, seen, expected }: RuleResult): RuleRow {
  return { id, rfc, rule, verdict, seen, expected };
}

const VERDICTS = {
  OK: 'pass',
  'NON-STRICT': 'warn',
  INFORMATIONAL: 'info',
  UNIMPLEMENTED: 'skip',
  FAILED: 'fail',
} as const;

type Target = Parameters<typeof observeServer>[1];

/**
 * What is wrong with the response to an ordinary request. The rules of the response report it once;
 * probes are about what differs from it.
 */
async function breachOfEveryResponse(
  probes: readonly Probe[],
  target: Target,
  timeoutMs: number,
): Promise<string | undefined> {
  const ordinary = probes.find(({ id }) => id === 'probe-ordinary-request') as Probe;
  const { seen } = await observeServer({ ...ordinary.script, waitMs: timeoutMs }, target);
  return seen.opening.is === 'accepted' ? seen.opening.breach?.code : undefined;
}

async function runProbe(
  { id, rfc, sends, expected, script }: Probe,
  { target, timeoutMs, known }: { target: Target; timeoutMs: number; known: string | undefined },
): Promise<Probed> {
  const { seen } = await observeServer({ ...script, waitMs: timeoutMs }, target, known);
  const { behavior, what, why } = exchangeVerdict(script, seen);
  const text = why === undefined ? what : `${what}: ${why}`;
  const { is } = seen.opening;
  return {
    row: { id, rfc, rule: sends, verdict: VERDICTS[behavior], seen: text, expected },
    silent: is === 'unanswered' || is === 'hung-up',
    served: seen.served,
    turnedAway: limitOf(seen, behavior === 'FAILED'),
  };
}

/** 429 and 503 say "too many" whatever was expected; nothing else does unless it is a failure. */
function limitOf({ opening, served }: Observation, failed: boolean): string | undefined {
  if (opening.is === 'refused') {
    const { status } = opening.head;
    if (status === 429 || status === 503) return `HTTP ${status}`;
  }
  if (!failed) return undefined;
  if (opening.is === 'hung-up') return 'it drops them';
  if (opening.is === 'unanswered') return 'it does not answer them';
  return served === false ? 'it serves one at a time' : undefined;
}
