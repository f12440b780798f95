import { EnvironmentError } from '../../core/errors.ts';
import { aggregateResults } from '../aggregate.ts';
import type { ResultPart } from '../aggregate.ts';
import { decodeResult } from '../result.ts';
import type { ErrorRow } from '../measure/errors.ts';
import type { LoadResult } from '../result.ts';
import type { Segment } from './segments.ts';

/** A segment without a result, and why. */
interface Missing {
  readonly segment: Segment;
  readonly reason: string;
}

/**
 * The merged result of all segments. What a lost worker had sent is in an error row and a note, not
 * in the counts, which would be incomplete.
 *
 * @throws EnvironmentError when no segment has a result and the run was not interrupted: the error
 *   of the first worker that had one, else WSK_ERR_WORKERS
 */
export function collect(segments: readonly Segment[], interrupted: boolean): LoadResult {
  const parts: ResultPart[] = [];
  const missing: Missing[] = [];
  for (const segment of segments) {
    const part = partOf(segment);
    if ('reason' in part) missing.push({ segment, reason: part.reason });
    else parts.push(part);
  }
  if (parts.length === 0 && !interrupted) throwFirst(missing);
  const merged = aggregateResults(parts);
  // A worker that was interrupted sends what it has: the run as a whole was not interrupted.
  const stopped = interrupted ? [] : parts.filter(({ result }) => result.interrupted);
  return {
    ...merged,
    connections: addMissing(merged.connections, missing),
    errors: [...merged.errors, ...stopped.map(stoppedRow), ...missing.map(errorRow)],
    interrupted,
    notes: [
      ...stopped.map((part) => stoppedRow(part).first),
      ...missing.map((row) => `${errorRow(row).first}; its messages are not counted`),
      ...merged.notes,
      ...clockNotes(segments),
      ...(parts.length > 1
        ? ['p99 and max of a single second are the highest of any remote worker']
        : []),
    ],
  };
}

function partOf(segment: Segment): ResultPart | { readonly reason: string } {
  const { end, worker } = segment;
  switch (end?.kind) {
    case 'result':
      try {
        return {
          machine: nameOf(segment),
          result: decodeResult(end.text),
          clockOffsetMs: worker?.clock.offsetMs ?? 0,
        };
      } catch (error) {
        return { reason: `sent an unreadable result (${(error as Error).message})` };
      }
    case 'error':
      return { reason: `could not run its part: ${end.message}` };
    case 'lost':
    case 'refused':
      return { reason: end.reason };
    case 'dismissed':
      return { reason: 'did not get the start' };
    case undefined:
      return { reason: 'did not answer' };
  }
}

function nameOf({ worker, index }: Segment): string {
  return worker?.name ?? `part ${index + 1}`;
}

function errorRow({ segment, reason }: Missing): ErrorRow {
  const { plan, seconds } = segment;
  const sumOf = (count: 'sent' | 'received'): number =>
    seconds.reduce((sum, sample) => sum + sample[count], 0);
  const load =
    plan.load.model === 'open'
      ? `${round(plan.load.rate)} messages/s`
      : `${plan.load.depth} in flight each`;
  const soFar =
    seconds.length === 0
      ? 'it had sent no figures yet'
      : `until second ${seconds.at(-1)?.second ?? 0} it had sent ${sumOf('sent')} and received ${sumOf('received')}`;
  const first = `${nameOf(segment)} ${reason}: ${plan.connections} connections with ${load} are missing, ${soFar}`;
  return { kind: 'worker', detail: nameOf(segment), count: 1, first };
}

function stoppedRow({ machine, result }: ResultPart): ErrorRow {
  const seconds = (result.phases.measureMs / 1000).toFixed(1);
  const first = `${machine} was stopped after it had measured for ${seconds} s; the counts hold its messages up to then`;
  return { kind: 'worker', detail: machine, count: 1, first };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A worker that returns an error opened no connection; of a lost one nothing is known. */
function addMissing(
  counts: LoadResult['connections'],
  missing: readonly Missing[],
): LoadResult['connections'] {
  const connections = (rows: readonly Missing[]): number =>
    rows.reduce((sum, { segment }) => sum + segment.plan.connections, 0);
  const failed = missing.filter(({ segment }) => segment.end?.kind === 'error');
  return {
    ...counts,
    requested: counts.requested + connections(missing),
    failed: counts.failed + connections(failed),
  };
}

function clockNotes(segments: readonly Segment[]): string[] {
  const clocks = segments.flatMap(({ worker }) =>
    worker === undefined
      ? []
      : [
          `${worker.name} ${worker.clock.offsetMs.toFixed(1)} ± ${worker.clock.errorMs.toFixed(1)} ms`,
        ],
  );
  return clocks.length === 0
    ? []
    : [`clock of Redis minus clock of each remote worker: ${clocks.join(', ')}`];
}

function throwFirst(missing: readonly Missing[]): never {
  for (const { segment } of missing) {
    if (segment.end?.kind !== 'error') continue;
    const { code, message } = segment.end;
    const text = `${message} (reported by remote worker ${nameOf(segment)})`;
    throw new EnvironmentError(code, text, { cause: new Error(message) });
  }
  const text = missing.map((row) => errorRow(row).first).join('; ');
  throw new EnvironmentError('WSK_ERR_WORKERS', `no remote worker sent a result: ${text}`, {
    cause: new Error(text),
  });
}
