import { serverProbes } from '../../conformance/handshake/catalogue.ts';
import type { Probe } from '../../conformance/handshake/catalogue.ts';
import { observeServer } from '../../conformance/extended/index.ts';
import { exchangeVerdict } from '../../conformance/extended/verdict.ts';
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
  let next = 0;
  let reported = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < probes.length; at = next++) {
      signal.throwIfAborted();
      const probe = probes[at] as Probe;
      context.emit({ stage: probe.id, done: reported, total: probes.length });
      rows[at] = await runProbe(probe, { target, timeoutMs, known });
      for (let row = rows[reported]; row !== undefined; row = rows[reported]) {
        report([row]);
        reported += 1;
      }
    }
  };
  const stop = (error: unknown): never => {
    next = probes.length;
    throw error;
  };
  const ends = await Promise.allSettled(
    Array.from({ length: CONCURRENCY }, () => work().catch(stop)),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
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
): Promise<RuleRow> {
  const { seen } = await observeServer({ ...script, waitMs: timeoutMs }, target, known);
  const { behavior, what, why } = exchangeVerdict(script, seen);
  const text = why === undefined ? what : `${what}: ${why}`;
  return { id, rfc, rule: sends, verdict: VERDICTS[behavior], seen: text, expected };
}
