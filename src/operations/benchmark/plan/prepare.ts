import { toolCallOf } from '../../../core/calls.ts';
import { invalidInput } from '../../../core/errors.ts';
import type { LoadPlan, Mode, Phases } from '../../../load/plan.ts';
import type { Scenario } from '../../../load/scenario/scenario.ts';
import type { BenchmarkInput } from '../schema.ts';
import { parseThreshold, requireMeasurable } from '../../../load/stats/index.ts';
import type { Threshold } from '../../../load/stats/index.ts';
import { isLoopback, sourceAddressesOf } from '../../../load/host/source-addresses.ts';
import { checkDescriptors } from '../../../load/host/descriptors.ts';
import { checkConflicts, checkMode } from './conflicts.ts';
import { fanoutOf } from './fanout.ts';
import { loadOf } from './load.ts';
import { readMachine } from '../../../load/host/machine.ts';
import type { Machine } from '../../../load/host/machine.ts';
import { messageOf } from './message.ts';
import { accessOf } from './target.ts';
import type { Access } from './target.ts';

/** A server that is ready for the load. */
export interface Reached {
  readonly url: string;
  /** What a generated project does; null for any other server. */
  readonly contract: {
    readonly type: string;
    readonly echo: boolean;
    readonly rooms: boolean;
  } | null;
}

/** A checked input, with the files that it names read. */
export interface Prepared {
  readonly mode: (reached: Reached) => Mode | 'soak' | 'scenario';
  readonly scenario: Scenario | null;
  readonly thresholds: readonly Threshold[];
  /** For `--find-max`; null without it. */
  readonly slo: Threshold | null;
  readonly machine: Machine;
  /** Throws `UsageError` for faults that depend on the URL, such as too few ports. */
  readonly planFor: (reached: Reached) => LoadPlan;
}

const DEFAULT_DURATION_MS = 10_000;
const SOAK_DURATION_MS = 3_600_000;
const MAX_WARMUP_MS = 5000;

/** Connections for which another thread pays off. */
const CONNECTIONS_PER_WORKER = 500;

/** A threshold about one of these allows errors. */
const ABOUT_ERRORS = new Set(['errors', 'lost']);

/** Stands for the project's URL until it runs, with any port. */
const SOME_URL = 'ws://127.0.0.1:1/';
const UNKNOWN = { type: 'chat', echo: false, rooms: true };

/**
 * Checks `input` and reads the files it names, before anything is started or connected to. `tokens` come
 * with those of its file.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT or WSK_ERR_FILE_NOT_READABLE.
 */
export async function prepare(
  input: BenchmarkInput,
  cwd: string,
  {
    machine = readMachine(),
    tokens = [],
  }: { readonly machine?: Machine; readonly tokens?: readonly string[] } = {},
): Promise<Prepared> {
  checkConflicts(input);
  const scenario =
    input.scenario === undefined ? null : await readScenario(input, input.scenario, cwd);
  const mode = (reached: Reached): Mode | 'soak' | 'scenario' => {
    if (scenario !== null) return 'scenario';
    return input.mode ?? (reached.contract?.echo === false ? 'fanout' : 'echo');
  };
  const message = await messageFor(input, cwd);
  const given = await accessOf(input, cwd);
  const access = { ...given, tokens: [...given.tokens, ...tokens] };
  const thresholds = thresholdsOf(input.thresholds);
  const slo = input.slo === undefined ? null : parseThreshold(input.slo);
  const planFor = (reached: Reached): LoadPlan => {
    checkMode(input, mode(reached));
    const plan = toPlan(input, { reached, mode: mode(reached), message, access, machine });
    requireMeasurable([...thresholds, ...(slo === null ? [] : [slo])], plan);
    return plan;
  };
  const prepared: Prepared = {
    mode,
    scenario,
    thresholds,
    slo,
    machine,
    planFor,
  };
  if (input.distributed === undefined) checkDescriptors(input.connections, machine.descriptors);
  // Checks the plan before a project is started; whether the project echoes is known only then.
  const contract = input.publish === undefined && input.publishers === undefined ? null : UNKNOWN;
  planFor({ url: input.url ?? SOME_URL, contract: input.project === undefined ? null : contract });
  if (input.compare !== undefined) planFor({ url: input.compare, contract: null });
  return prepared;
}

/** Loads the reader of scenarios only when it is needed. */
async function readScenario(
  { tool }: BenchmarkInput,
  name: string,
  cwd: string,
): Promise<Scenario> {
  const { loadScenario } = await import('../../../load/scenario/index.ts');
  const call = tool === undefined ? undefined : toolCallOf(tool);
  if (tool !== undefined && call === undefined) {
    throw invalidInput(
      `--tool is ${JSON.stringify(tool)}, expected a name and its arguments as a JSON object`,
      `as in --tool 'add {"a": 1}'`,
    );
  }
  return loadScenario(name, cwd, call);
}

/** In the mode fanout, `fanoutOf` checks the size, which is that of the published text. */
function messageFor(input: BenchmarkInput, cwd: string): Promise<LoadPlan['message']> {
  return input.mode === 'fanout'
    ? messageOf({ size: undefined, text: true }, cwd)
    : messageOf(input, cwd);
}

interface Parts {
  readonly reached: Reached;
  readonly mode: Mode | 'soak' | 'scenario';
  readonly message: LoadPlan['message'];
  readonly access: Access;
  readonly machine: Machine;
}

function toPlan(input: BenchmarkInput, parts: Parts): LoadPlan {
  const { reached, mode, message, access, machine } = parts;
  const { connections, distributed } = input;
  const phases = phasesOf(input);
  const fanout = mode === 'fanout' ? fanoutOf(input, reached.contract ?? UNKNOWN) : null;
  const sourceAddresses =
    distributed === undefined ? addressesFor(input, { url: reached.url, machine }) : [];
  return {
    target: { ...access, url: urlFor(reached.url, sourceAddresses), sourceAddresses },
    mode: mode === 'soak' || mode === 'scenario' ? 'echo' : mode,
    connections,
    load: loadOf(input, {
      mode: mode === 'soak' ? 'echo' : mode,
      senders: fanout?.publishers ?? connections,
      phases,
    }),
    message: fanout === null ? message : { ...message, opcode: 1 },
    phases,
    workers: workersOf(input, machine.cores),
    precise: input.precise,
    engine: input.compression ? 'client' : 'fast',
    fanout,
  };
}

function addressesFor(
  { sourceIps, connections }: BenchmarkInput,
  { url, machine }: { url: string; machine: Machine },
): string[] {
  return sourceAddressesOf({ url, connections, sourceIps, machine });
}

/** An IPv4 source address cannot reach the ::1 that `localhost` may resolve to. */
function urlFor(url: string, sourceAddresses: readonly string[]): string {
  const parsed = new URL(url);
  const isIpv4 = sourceAddresses.some((address) => address.startsWith('127.'));
  if (!isIpv4 || !isLoopback(url) || parsed.hostname !== 'localhost') return url;
  parsed.hostname = '127.0.0.1';
  return parsed.href;
}

/** The given thresholds, and none of errors unless one of them allows errors. */
function thresholdsOf(texts: readonly string[]): Threshold[] {
  const given = texts.map(parseThreshold);
  const allowsErrors = given.some(({ metric }) => ABOUT_ERRORS.has(metric));
  return allowsErrors ? given : [...given, parseThreshold('errors<=0')];
}

function phasesOf(input: BenchmarkInput): Phases {
  const { rampMs, drainMs, connectTimeoutMs } = input;
  const durationMs =
    input.durationMs ?? (input.mode === 'soak' ? SOAK_DURATION_MS : DEFAULT_DURATION_MS);
  const warmupMs = input.warmupMs ?? Math.min(durationMs / 10, MAX_WARMUP_MS);
  return { rampMs, warmupMs, durationMs, drainMs, connectTimeoutMs };
}

/** One core is left to the server and other programs. */
function workersOf({ workers, connections }: BenchmarkInput, cores: number): number {
  if (workers !== 'auto') return Math.min(Number(workers), connections);
  return Math.max(1, Math.min(cores - 1, Math.floor(connections / CONNECTIONS_PER_WORKER)));
}
