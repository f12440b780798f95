import { EnvironmentError } from '../../core/errors.ts';
import { mergeResults } from '../aggregate.ts';
import type { ResultPart } from '../aggregate.ts';
import { decodeResult } from '../result.ts';
import type { ErrorRow } from '../measure/errors.ts';
import type { LoadResult } from '../result.ts';
import type { Share } from './segments.ts';

/** A share that brought no result, in words. */
interface Missing {
  readonly share: Share;
  readonly reason: string;
}

/**
 * The merged result of all shares. What a lost worker had told is in an error row and a note, and
 * in no count, as nobody knows the rest.
 *
 * @throws EnvironmentError when no share brought a result and the run was not cut short: the error
 *   of the first worker that had one, else WSK_ERR_WORKERS
 */
export function collect(shares: readonly Share[], interrupted: boolean): LoadResult {
  const parts: ResultPart[] = [];
  const missing: Missing[] = [];
  for (const share of shares) {
    const part = partOf(share);
    if ('reason' in part) missing.push({ share, reason: part.reason });
    else parts.push(part);
  }
  if (parts.length === 0 && !interrupted) throwFirst(missing);
  const merged = mergeResults(parts);
  // A worker that was told to leave hands in what it has: the run as a whole was not interrupted.
  const stopped = interrupted ? [] : parts.filter(({ result }) => result.interrupted);
  return {
    ...merged,
    connections: addMissing(merged.connections, missing),
    errors: [...merged.errors, ...stopped.map(stoppedRow), ...missing.map(errorRow)],
    interrupted,
    notes: [
      ...stopped.map((part) => stoppedRow(part).first),
      ...missing.map((row) => `${errorRow(row).first}; its messages are in none of the counts`),
      ...merged.notes,
      ...clockNotes(shares),
      ...(parts.length > 1
        ? ['p99 and max of a single second are the highest of any remote worker']
        : []),
    ],
  };
}

function partOf(share: Share): ResultPart | { readonly reason: string } {
  const { end, worker } = share;
  switch (end?.kind) {
    case 'result':
      try {
        return {
          machine: nameOf(share),
          result: decodeResult(end.text),
          clockOffsetMs: worker?.clock.offsetMs ?? 0,
        };
      } catch (error) {
        return { reason: `answered ${(error as Error).message}` };
      }
    case 'error':
      return { reason: `could not run its share: ${end.message}` };
    case 'lost':
    case 'refused':
      return { reason: end.reason };
    case 'dismissed':
      return { reason: 'never heard of the start' };
    case undefined:
      return { reason: 'did not answer' };
  }
}

function nameOf({ worker, index }: Share): string {
  return worker?.name ?? `share ${index + 1}`;
}

function errorRow({ share, reason }: Missing): ErrorRow {
  const { plan, seconds } = share;
  const told = (count: 'sent' | 'received'): number =>
    seconds.reduce((sum, sample) => sum + sample[count], 0);
  const load =
    plan.load.model === 'open'
      ? `${round(plan.load.rate)} messages/s`
      : `${plan.load.depth} in flight each`;
  const soFar =
    seconds.length === 0
      ? 'it had told nothing yet'
      : `until second ${seconds.at(-1)?.second ?? 0} it had sent ${told('sent')} and received ${told('received')}`;
  const first = `${nameOf(share)} ${reason}: ${plan.connections} connections with ${load} are missing, ${soFar}`;
  return { kind: 'worker', detail: nameOf(share), count: 1, first };
}

function stoppedRow({ machine, result }: ResultPart): ErrorRow {
  const seconds = (result.phases.measureMs / 1000).toFixed(1);
  const first = `${machine} was stopped after it had measured for ${seconds} s; the counts hold its messages up to then`;
  return { kind: 'worker', detail: machine, count: 1, first };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A worker that answers with an error could not open one connection; of a lost one nothing is known. */
function addMissing(
  counts: LoadResult['connections'],
  missing: readonly Missing[],
): LoadResult['connections'] {
  const connections = (rows: readonly Missing[]): number =>
    rows.reduce((sum, { share }) => sum + share.plan.connections, 0);
  const failed = missing.filter(({ share }) => share.end?.kind === 'error');
  return {
    ...counts,
    requested: counts.requested + connections(missing),
    failed: counts.failed + connections(failed),
  };
}

function clockNotes(shares: readonly Share[]): string[] {
  const clocks = shares.flatMap(({ worker }) =>
    worker === undefined
      ? []
      : [
          `${worker.name} ${worker.clock.offsetMs.toFixed(1)} ± ${worker.clock.errorMs.toFixed(1)} ms`,
        ],
  );
  return clocks.length === 0
    ? []
    : [`time of Redis less that of a remote worker: ${clocks.join(', ')}`];
}

function throwFirst(missing: readonly Missing[]): never {
  for (const { share } of missing) {
    if (share.end?.kind !== 'error') continue;
    const { code, message } = share.end;
    const text = `${message} (said by remote worker ${nameOf(share)})`;
    throw new EnvironmentError(code, text, { cause: new Error(message) });
  }
  const text = missing.map((row) => errorRow(row).first).join('; ');
  throw new EnvironmentError('WSK_ERR_WORKERS', `no remote worker brought a result: ${text}`, {
    cause: new Error(text),
  });
}
