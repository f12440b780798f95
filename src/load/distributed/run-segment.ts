import { EnvironmentError, UsageError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { encodeResult } from '../result.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import { runLocally } from '../run/index.ts';
import type { Scenario } from '../scenario/index.ts';
import { Offer, Start } from './protocol.ts';
import type { Outcome, SegmentRow, WorkerMessage } from './protocol.ts';
import type { ClockOffset } from './redis.ts';
import { hostAndPort } from '../../transport/address.ts';
import { isAllowedTarget } from './target-patterns.ts';

/** The worker waits longer than the coordinator, so that the coordinator gives up first. */
const START_SLACK_MS = 10_000;

/** The note of a segment that an interrupt ended early. */
export const INTERRUPTED = 'ended early by an interrupt';

/** What a segment needs of its worker and the queue. */
export interface SegmentHost {
  readonly name: string;
  readonly allowTargets: readonly string[];
  readonly clock: ClockOffset;
  readonly signal: AbortSignal;
  readonly send: (message: WorkerMessage) => Promise<void>;
  /** The present data of the job. */
  readonly read: () => Promise<unknown>;
  /** Resolves with true at the start of `run`, with false when cancelled or not in time. */
  readonly started: (run: string, timeoutMs: number) => Promise<boolean>;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
  readonly onDone: (row: SegmentRow) => void;
}

/** Runs one job, from the offer in `data` to its outcome; throws what the queue throws. */
export async function runSegment(data: unknown, host: SegmentHost): Promise<Outcome> {
  const { name } = host;
  const parsed = Offer.safeParse(data);
  const reason = parsed.success
    ? whyNot(parsed.data, host.allowTargets)
    : 'cannot read the offer: is it of the same version?';
  if (reason !== undefined || !parsed.success) {
    host.say(`refused a run: this worker ${reason ?? ''}`);
    return { kind: 'refused', name, reason: reason ?? '' };
  }
  const { run, waitMs } = parsed.data;
  const started = host.started(run, waitMs + START_SLACK_MS);
  await host.send({ type: 'join', name, ...host.clock });
  if (!(await started)) return { kind: 'dismissed' };
  const start = Start.safeParse(((await host.read()) as { start?: unknown } | undefined)?.start);
  if (!start.success) {
    const { path = [], message = '' } = start.error.issues[0] ?? {};
    return invalid(`the plan is not valid: ${path.map(String).join('.')}: ${message}`);
  }
  // The offer names the host only for messages; this is the URL that would be loaded.
  if (!isAllowedTarget(hostAndPort(new URL(start.data.plan.target.url)), host.allowTargets)) {
    return invalid(
      `${hostAndPort(new URL(start.data.plan.target.url))} may not be loaded by this worker`,
    );
  }
  return await load(start.data, host);
}

function whyNot({ version, host }: Offer, allowed: readonly string[]): string | undefined {
  if (version !== VERSION) return `is of version ${VERSION}, the coordinator of version ${version}`;
  if (isAllowedTarget(host, allowed)) return undefined;
  return `may not load ${host}, only ${allowed.join(', ')}`;
}

function invalid(message: string): Outcome {
  return { kind: 'error', code: 'WSK_ERR_INVALID_INPUT', message };
}

async function load(start: Start, host: SegmentHost): Promise<Outcome> {
  const { plan, startAt } = start;
  const { origin, pathname } = new URL(plan.target.url);
  const target = `${origin}${pathname}`;
  const began = performance.now();
  const { connections } = plan;
  host.say(`loading ${target} with ${describe(start)}`);
  const row = { target, connections, sent: 0, received: 0 };
  const done = (changes: Pick<SegmentRow, 'verdict' | 'note'> & Partial<SegmentRow>): void => {
    const durationMs = performance.now() - began;
    host.onDone({ ...row, durationMs, ...changes });
    host.say(`finished ${target}${changes.note === '' ? '' : `: ${changes.note}`}`);
  };
  try {
    const result = await runPlan(start, {
      signal: host.signal,
      startAt: startAt - host.clock.offsetMs,
      // A second that does not arrive is still in the result.
      onSecond: (sample) => void host.send({ type: 'stats', sample }).catch(() => undefined),
    });
    const { sent, received } = result.messages;
    done({ sent, received, verdict: 'pass', note: result.interrupted ? INTERRUPTED : '' });
    return { kind: 'result', text: encodeResult(result) };
  } catch (error) {
    const { message } = error as Error;
    done({ verdict: 'fail', note: message });
    const known = error instanceof EnvironmentError || error instanceof UsageError;
    return { kind: 'error', code: known ? error.code : 'WSK_ERR_WORKERS', message };
  }
}

async function runPlan({ plan, scenario }: Start, control: LoadControl): Promise<LoadResult> {
  let checked: Scenario | null = null;
  if (scenario !== null) {
    const { checkScenario } = await import('../scenario/index.ts');
    checked = checkScenario(scenario);
  }
  return await runLocally(plan, checked, control);
}

function describe({ plan, scenario }: Start): string {
  const { connections, load: model, phases } = plan;
  const work =
    scenario !== null
      ? 'a scenario'
      : model.model === 'open'
        ? `${Math.round(model.rate * 100) / 100} messages/s`
        : `${model.depth} messages in flight each`;
  return `${connections} connections, ${work}, for ${phases.durationMs / 1000} s`;
}
