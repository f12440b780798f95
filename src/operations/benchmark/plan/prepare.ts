import type { LoadPlan, Mode } from '../../../load/plan.ts';
import type { Scenario } from '../../../load/scenario/scenario.ts';
import type { BenchmarkInput } from '../schema.ts';
import { parseThreshold, requireMeasurable } from '../../../load/stats/index.ts';
import type { Threshold } from '../../../load/stats/index.ts';
import { isLoopback, sourceAddressesOf } from '../../../load/host/source-addresses.ts';
import { checkDescriptors } from '../../../load/host/descriptors.ts';
import { checkExclusive, checkMode } from './conflicts.ts';
import { fanoutOf } from './fanout.ts';
import { loadOf } from './load.ts';
import { readMachine } from '../../../load/host/machine.ts';
import type { Machine } from '../../../load/host/machine.ts';
import { messageOf } from './message.ts';
import { phasesOf } from './phases.ts';
import { accessOf } from './target.ts';
import type { Access } from './target.ts';
import { thresholdsOf } from './thresholds.ts';
import { workersOf } from './workers.ts';

/** A server that can be loaded. */
export interface Reached {
  readonly url: string;
  /** Of a generated project; null for a server that nothing is known of. */
  readonly contract: { readonly echo: boolean; readonly rooms: boolean } | null;
}

/** An input that was checked, with all that it names read. */
export interface Prepared {
  readonly mode: (reached: Reached) => Mode | 'soak' | 'scenario';
  readonly scenario: Scenario | null;
  readonly thresholds: readonly Threshold[];
  /** Of a search; null without one. */
  readonly slo: Threshold | null;
  readonly machine: Machine;
  /** Throws `UsageError` for what only a URL tells, such as too few ports. */
  readonly planFor: (reached: Reached) => LoadPlan;
}

/** Stands for the project's URL until it runs: the port is any. */
const SOME_URL = 'ws://127.0.0.1:1/';
const UNKNOWN = { echo: false, rooms: true };

/**
 * Checks `input` and reads the files it names, before anything is started or connected to.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT or WSK_ERR_FILE_NOT_READABLE.
 */
export async function prepare(
  input: BenchmarkInput,
  cwd: string,
  machine: Machine = readMachine(),
): Promise<Prepared> {
  checkExclusive(input);
  const scenario = input.scenario === undefined ? null : await readScenario(input.scenario, cwd);
  const mode = (reached: Reached): Mode | 'soak' | 'scenario' => {
    if (scenario !== null) return 'scenario';
    return input.mode ?? (reached.contract?.echo === false ? 'fanout' : 'echo');
  };
  const [message, access] = [await messageFor(input, cwd), await accessOf(input, cwd)];
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
  // A project is started after its plan is known to be one; whether it echoes, it says itself.
  const contract = input.publish === undefined && input.publishers === undefined ? null : UNKNOWN;
  planFor({ url: input.url ?? SOME_URL, contract: input.project === undefined ? null : contract });
  if (input.compare !== undefined) planFor({ url: input.compare, contract: null });
  return prepared;
}

/** Few runs have one, and its reader is not small. */
async function readScenario(name: string, cwd: string): Promise<Scenario> {
  const { loadScenario } = await import('../../../load/scenario/index.ts');
  return loadScenario(name, cwd);
}

/** A size of the mode fanout is one of the text that is published, and checked there. */
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
  const fanout =
    mode === 'fanout' ? fanoutOf(input, { rooms: reached.contract?.rooms ?? true }) : null;
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
    workers: workersOf(input.workers, { connections, cores: machine.cores }),
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

/** A source address of IPv4 cannot reach the ::1 that `localhost` may resolve to. */
function urlFor(url: string, sourceAddresses: readonly string[]): string {
  const parsed = new URL(url);
  const isIpv4 = sourceAddresses.some((address) => address.startsWith('127.'));
  if (!isIpv4 || !isLoopback(url) || parsed.hostname !== 'localhost') return url;
  parsed.hostname = '127.0.0.1';
  return parsed.href;
}
