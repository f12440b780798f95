import { EnvironmentError, UsageError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { encodeResult } from '../result.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import { runLocally } from '../run/index.ts';
import type { Scenario } from '../scenario/index.ts';
import { Invitation, Order } from './protocol.ts';
import type { Outcome, Tidings } from './protocol.ts';
import type { ClockOffset } from './redis.ts';
import type { ShareRow } from '../../operations/benchmark-worker/schema.ts';
import { hostAndPort } from '../../transport/address.ts';
import { isAllowedTarget } from './target-patterns.ts';

/** Longer than the coordinator waits, as it is the one that gives up first. */
const START_SLACK_MS = 10_000;

/** What a share has to do with around it: the worker, its queue and who watches. */
export interface ShareHost {
  readonly name: string;
  readonly allowTargets: readonly string[];
  readonly clock: ClockOffset;
  readonly signal: AbortSignal;
  readonly tell: (tidings: Tidings) => Promise<void>;
  /** What the job holds by now. */
  readonly read: () => Promise<unknown>;
  /** Resolves with true at the start of `run`, with false when it is called off or too late. */
  readonly started: (run: string, timeoutMs: number) => Promise<boolean>;
  /** A line for people. */
  readonly say: (line: string) => void;
  readonly onDone: (row: ShareRow) => void;
}

/** Carries out one job, from the invitation in `data` to what it comes to; throws what the queue throws. */
export async function executeShare(data: unknown, host: ShareHost): Promise<Outcome> {
  const { name } = host;
  const parsed = Invitation.safeParse(data);
  const reason = parsed.success
    ? whyNot(parsed.data, host.allowTargets)
    : 'does not understand what it is asked for: is it of the same version?';
  if (reason !== undefined || !parsed.success) {
    host.say(`turned down a run: this worker ${reason ?? ''}`);
    return { kind: 'refused', name, reason: reason ?? '' };
  }
  const { run, waitMs } = parsed.data;
  const started = host.started(run, waitMs + START_SLACK_MS);
  await host.tell({ type: 'ready', name, ...host.clock });
  if (!(await started)) return { kind: 'dismissed' };
  const order = Order.safeParse(((await host.read()) as { order?: unknown } | undefined)?.order);
  if (!order.success) {
    const { path = [], message = '' } = order.error.issues[0] ?? {};
    return invalid(`the plan is not valid: ${path.map(String).join('.')}: ${message}`);
  }
  // The invitation names the host for people; this is what would be loaded.
  if (!isAllowedTarget(hostAndPort(new URL(order.data.plan.target.url)), host.allowTargets)) {
    return invalid(
      `${hostAndPort(new URL(order.data.plan.target.url))} may not be loaded from here`,
    );
  }
  return await load(order.data, host);
}

function whyNot({ version, host }: Invitation, allowed: readonly string[]): string | undefined {
  if (version !== VERSION) return `is of version ${VERSION} and was asked by version ${version}`;
  if (isAllowedTarget(host, allowed)) return undefined;
  return `may not load ${host}, only ${allowed.join(', ')}`;
}

function invalid(message: string): Outcome {
  return { kind: 'error', code: 'WSK_ERR_INVALID_INPUT', message };
}

async function load(order: Order, host: ShareHost): Promise<Outcome> {
  const { plan, startAt } = order;
  const { origin, pathname } = new URL(plan.target.url);
  const target = `${origin}${pathname}`;
  const began = performance.now();
  const { connections } = plan;
  host.say(`loads ${target} with ${describe(order)}`);
  const row = { target, connections, sent: 0, received: 0 };
  const done = (changes: Pick<ShareRow, 'verdict' | 'note'> & Partial<ShareRow>): void => {
    const durationMs = performance.now() - began;
    host.onDone({ ...row, durationMs, ...changes });
    host.say(`is done with ${target}${changes.note === '' ? '' : `: ${changes.note}`}`);
  };
  try {
    const result = await carryOut(order, {
      signal: host.signal,
      startAt: startAt - host.clock.offsetMs,
      // A second that does not arrive is in the result all the same.
      onSecond: (sample) => void host.tell({ type: 'second', sample }).catch(() => undefined),
    });
    const { sent, received } = result.messages;
    done({ sent, received, verdict: 'pass', note: result.interrupted ? 'cut short' : '' });
    return { kind: 'result', text: encodeResult(result) };
  } catch (error) {
    const { message } = error as Error;
    done({ verdict: 'fail', note: message });
    const known = error instanceof EnvironmentError || error instanceof UsageError;
    return { kind: 'error', code: known ? error.code : 'WSK_ERR_WORKERS', message };
  }
}

async function carryOut({ plan, scenario }: Order, control: LoadControl): Promise<LoadResult> {
  let checked: Scenario | null = null;
  if (scenario !== null) {
    const { checkScenario } = await import('../scenario/index.ts');
    checked = checkScenario(scenario);
  }
  return await runLocally(plan, checked, control);
}

function describe({ plan, scenario }: Order): string {
  const { connections, load: model, phases } = plan;
  const work =
    scenario !== null
      ? 'a scenario'
      : model.model === 'open'
        ? `${Math.round(model.rate * 100) / 100} messages/s`
        : `${model.depth} messages in flight each`;
  return `${connections} connections, ${work}, for ${phases.durationMs / 1000} s`;
}
