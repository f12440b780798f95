import { serverProbes } from '../../conformance/handshake/catalogue.ts';
import type { Probe } from '../../conformance/handshake/catalogue.ts';
import { observeServer } from '../../conformance/extended/index.ts';
import { exchangeVerdict } from '../../conformance/extended/verdict.ts';
import { EnvironmentError } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import type { RuleResult } from '../../protocol/index.ts';
import { readAccess } from '../../target/access.ts';
import { dial } from '../../transport/index.ts';
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
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < probes.length; at = next++) {
      signal.throwIfAborted();
      const probe = probes[at] as Probe;
      context.emit({ stage: probe.id, done: rows.length, total: probes.length });
      rows[at] = await crash.guard(probe, () => runProbe(probe, { target, timeoutMs, known }));
    }
  };
  const stop = (error: unknown): never => {
    next = probes.length;
    throw error;
  };
  const ends = await Promise.allSettled(
    Array.from({ length: CONCURRENCY }, () => work().catch(stop)),
  );
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
  };
}
