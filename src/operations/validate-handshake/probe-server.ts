import type { RuleResult } from '../../protocol/index.ts';
import type { OperationContext } from '../../core/operation.ts';
import { dial, openSocket, quoteBytes, readHead } from '../../transport/index.ts';
import type { TlsOptions, Wire } from '../../transport/index.ts';
import { draftRequest, encodeRequest } from './probe.ts';
import type { Answer, Probe } from './probe.ts';
import { PROBES } from './probes.ts';
import type { RuleRow, ValidateHandshakeInput } from './schema.ts';
import { readAccess } from '../../target/access.ts';

export interface ProbeServerOptions {
  readonly url: string;
  readonly input: ValidateHandshakeInput;
  readonly context: OperationContext;
  /** Called with the rows of each step as soon as they are known. */
  readonly report: (rows: readonly RuleRow[]) => void;
}

/** How far apart the packets of one request are sent, so that they arrive as several. */
const PACKET_GAP_MS = 30;

/**
 * Judges the response to an ordinary request, with an offer of compression, and then every probe.
 *
 * Throws `EnvironmentError` when already the ordinary request does not lead to a WebSocket.
 */
export async function probeServer(options: ProbeServerOptions): Promise<void> {
  const { url, input, context, report } = options;
  const { signal } = context;
  const { headers, tls } = await readAccess(input, context.cwd);
  const { timeoutMs } = input;
  const channel = await dial(url, { headers, tls, timeoutMs, signal, compression: true });
  report(channel.handshake.rules.map(toRow));
  await channel.close(1000, 250);
  for (const [index, probe] of PROBES.entries()) {
    signal.throwIfAborted();
    context.emit({ stage: probe.id, done: index, total: PROBES.length });
    const row = await runProbe(probe, { url: new URL(url), tls, headers, timeoutMs, signal });
    signal.throwIfAborted();
    report([row]);
  }
}

/** A protocol rule's result as a row of the report. */
export function toRow({ id, rfc, rule, verdict, seen, expected }: RuleResult): RuleRow {
  return { id, rfc, rule, verdict, seen, expected };
}

interface ProbeContext {
  readonly url: URL;
  readonly tls: TlsOptions;
  readonly headers: readonly [name: string, value: string][];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

async function runProbe(probe: Probe, context: ProbeContext): Promise<RuleRow> {
  const { id, rfc, rule, expected } = probe;
  await using wire = await openSocket(context.url, context);
  const request = probe.change(draftRequest(context.url, context.headers));
  const bytes = encodeRequest(request);
  const packets = probe.packets?.(bytes) ?? [bytes];
  for (const [index, packet] of packets.entries()) {
    if (index > 0) await new Promise((resolve) => setTimeout(resolve, PACKET_GAP_MS));
    await wire.write([packet]);
  }
  const { verdict, seen } = await probe.judge(await answerOf(wire, context.timeoutMs));
  return { id, rfc, rule, verdict, seen, expected };
}

async function answerOf(wire: Wire, timeoutMs: number): Promise<Answer> {
  const result = await readHead(wire, 'response', timeoutMs);
  if ('head' in result) return { head: result.head, wire };
  switch (result.failed) {
    case 'timeout':
      return { head: undefined, what: `no answer within ${timeoutMs} ms` };
    case 'closed':
      return { head: undefined, what: 'the connection was closed without an answer' };
    case 'violation':
      return { head: undefined, what: `no HTTP: ${quoteBytes(result.received)}` };
  }
}
