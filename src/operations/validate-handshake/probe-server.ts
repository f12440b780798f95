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
import type { RuleRow, ValidateHandshakeInput } from './schema.ts';

export interface ProbeServerOptions {
  readonly url: string;
  readonly input: ValidateHandshakeInput;
  readonly context: OperationContext;
  /** Called with the rows of each step as soon as they are known, in the order of the catalogue. */
  readonly report: (rows: readonly RuleRow[]) => void;
}

/**
 * Checks the response to an ordinary request, with an offer of compression, and then the server's
 * answer to every handshake of the catalogue. Resolves to the number of rows that were skipped because
 * the server limits connections, or answers nobody any more.
 *
 * Throws `EnvironmentError` when the ordinary request does not lead to a WebSocket.
 */
export async function probeServer(options: ProbeServerOptions): Promise<number> {
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
  const run = new ProbeRun(probes, context, (probe) =>
    runProbe(probe, { target, timeoutMs, known }),
  );
  try {
    await run.execute();
  } finally {
    // Of a run that was interrupted, too.
    report(run.rows());
  }
  return run.limited;
}

interface Probed {
  readonly row: RuleRow;
  /** Whether the server said nothing to the request, be it legal or not. */
  readonly silent: boolean;
  /** What a server answers, too, when it limits connections or is gone; undefined for anything else. */
  readonly turnedAway: string | undefined;
  /** Whether nothing listens there any more. */
  readonly dead: boolean;
}

/** A probe that has ended, and when. */
interface Ended extends Probed {
  readonly at: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Probes at a time: some wait for a time-out, and a server should not see a flood. */
const CONCURRENCY = 4;

/** Probes in a row that may have been turned away, before it is found out whether they were. */
const IN_A_ROW = 4;

/** Milliseconds for a server to notice that the connection before has ended. */
const NOTICE_MS = 100;

/** Milliseconds after which an ordinary request is tried again: a server may be restarted, or relent. */
const PAUSES_MS: readonly number[] = [500, 2000];

/** Times that a server may turn everybody away and relent. */
const MAX_RELENTS = 10;

/**
 * Runs the probes, four at a time. What a server does to a probe it may also do to everybody: a limit of
 * connections, a ban, a crash. So rows that could be due to that are judged by an ordinary request
 * behind them.
 */
class ProbeRun {
  /** Rows that were skipped because the server turns everybody away. */
  limited = 0;
  readonly #probes: readonly Probe[];
  readonly #context: OperationContext;
  readonly #run: (probe: Probe) => Promise<Probed>;
  readonly #ordinary: Probe;
  readonly #rows: RuleRow[] = [];
  readonly #todo: number[];
  #concurrency = CONCURRENCY;
  #relents = 0;
  /** The last probe that had a connection. */
  #lastConnected: Ended | undefined;

  constructor(
    probes: readonly Probe[],
    context: OperationContext,
    run: (probe: Probe) => Promise<Probed>,
  ) {
    this.#probes = probes;
    this.#context = context;
    this.#run = run;
    this.#ordinary = probes.find(({ id }) => id === ORDINARY) as Probe;
    this.#todo = [...probes.keys()];
  }

  /** In the order of the catalogue. */
  rows(): RuleRow[] {
    return Object.values(this.#rows);
  }

  async execute(): Promise<void> {
    let goesOn = true;
    while (goesOn && this.#todo.length > 0) goesOn = await this.#confirm(await this.#runTogether());
    const last = this.#lastConnected;
    if (!goesOn || last === undefined) return;
    // What the last probe did to the server shows only in a connection after it.
    const trouble = await this.#lastingTrouble();
    if (trouble?.dead === true) this.#blame(last, `the server is gone since: ${trouble.why}`);
  }

  /** Runs what is to do, until too many in a row may have been turned away; returns those in doubt. */
  async #runTogether(): Promise<Ended[]> {
    const ended: Ended[] = [];
    let inARow = 0;
    const work = async (): Promise<void> => {
      while (inARow < IN_A_ROW) {
        const at = this.#todo.shift();
        if (at === undefined) return;
        if (this.#concurrency === 1) await sleep(NOTICE_MS);
        const one = await this.#probe(at);
        ended.push(one);
        inARow = isDoubtful(one) ? inARow + 1 : 0;
      }
    };
    const stop = (error: unknown): never => {
      inARow = IN_A_ROW;
      throw error;
    };
    const workers = Array.from({ length: this.#concurrency }, () => work().catch(stop));
    const ends = await Promise.allSettled(workers);
    const answered = ended.filter((one) => !isDoubtful(one)).map(({ startedAt }) => startedAt);
    const lastAnswer = Math.max(-Infinity, ...answered);
    // Silence is what it seems if somebody else was answered afterwards.
    const inDoubt = (one: Ended): boolean =>
      one.turnedAway !== undefined || (one.silent && one.endedAt > lastAnswer);
    for (const one of ended) if (!inDoubt(one)) this.#rows[one.at] = one.row;
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return ended.filter(inDoubt);
  }

  /** Judges rows in doubt, one at a time. False when the server answers nobody any more. */
  async #confirm(inDoubt: readonly Ended[]): Promise<boolean> {
    const first = inDoubt.find(({ dead }) => !dead) ?? inDoubt[0];
    if (first === undefined) return true;
    const rest = inDoubt.toSorted((one, other) => one.at - other.at);
    const trouble = await this.#lastingTrouble();
    if (trouble !== undefined) return this.#end(first, rest, trouble);
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      await sleep(NOTICE_MS);
      const again = await this.#probe(one.at);
      this.#rows[one.at] = again.row;
      if (!isDoubtful(again)) {
        // It was turned away because of the others beside it.
        if (one.turnedAway !== undefined) this.#concurrency = 1;
        continue;
      }
      const after = await this.#trouble();
      if (after === undefined) continue;
      const lasting = await this.#lastingTrouble();
      if (lasting !== undefined) return this.#end(again, [again, ...rest], lasting);
      if (after.dead) this.#blame(again, `the server was gone, and came back: ${after.why}`);
      else this.#skip(one.at, limitReason(this.#idOf(one.at), after));
    }
    return true;
  }

  async #probe(at: number): Promise<Ended> {
    const { signal, emit } = this.#context;
    signal.throwIfAborted();
    const probe = this.#probes[at] as Probe;
    emit({ stage: probe.id, done: this.rows().length, total: this.#probes.length });
    const startedAt = performance.now();
    const probed = await this.#attempt(probe);
    const ended = { ...probed, at, startedAt, endedAt: performance.now() };
    if (!probed.dead) this.#lastConnected = ended;
    return ended;
  }

  /** No connection is an answer, too. */
  async #attempt(probe: Probe): Promise<Probed> {
    try {
      return await this.#run(probe);
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      const { id, rfc, sends, expected } = probe;
      const why = error.message;
      return {
        row: { id, rfc, rule: sends, verdict: 'fail', seen: why, expected },
        silent: true,
        turnedAway: why,
        dead: error.code === 'WSK_ERR_REFUSED',
      };
    }
  }

  /** Why an ordinary request is turned away, if it is. */
  async #trouble(): Promise<Trouble | undefined> {
    this.#context.signal.throwIfAborted();
    await sleep(NOTICE_MS);
    const { turnedAway, dead } = await this.#attempt(this.#ordinary);
    return turnedAway === undefined ? undefined : { why: turnedAway, dead };
  }

  /** The same of one that is turned away after pauses, too. */
  async #lastingTrouble(): Promise<Trouble | undefined> {
    let trouble = await this.#trouble();
    if (trouble === undefined) return undefined;
    this.#relents++;
    for (const pauseMs of this.#relents > MAX_RELENTS ? [] : PAUSES_MS) {
      await sleep(pauseMs);
      trouble = await this.#trouble();
      if (trouble === undefined) return undefined;
    }
    return trouble;
  }

  /** Ends the run: a crash is blamed on the probe that met it first, a limit or a ban on nobody. */
  #end(first: Ended, inDoubt: readonly Ended[], trouble: Trouble): false {
    const met = first.dead ? (this.#lastConnected ?? first) : first;
    const id = this.#idOf(met.at);
    const reason = trouble.dead ? `the server is gone since ${id}` : limitReason(id, trouble);
    for (const at of [...inDoubt.map((one) => one.at), ...this.#todo]) this.#skip(at, reason);
    if (trouble.dead) this.#blame(met, `the server is gone since: ${trouble.why}`);
    return false;
  }

  #blame({ at, row }: Ended, why: string): void {
    this.#rows[at] = { ...row, verdict: 'fail', seen: `${why} (${row.seen})` };
  }

  #skip(at: number, reason: string): void {
    const { id, rfc, sends, expected } = this.#probes[at] as Probe;
    this.#rows[at] = { id, rfc, rule: sends, verdict: 'skip', seen: reason, expected };
    this.limited++;
  }

  #idOf(at: number): string {
    return (this.#probes[at] as Probe).id;
  }
}

interface Trouble {
  readonly why: string;
  /** Whether nothing listens there any more. */
  readonly dead: boolean;
}

/** Whether a limit, a ban or a crash would look the same. */
function isDoubtful({ silent, turnedAway }: Probed): boolean {
  return silent || turnedAway !== undefined;
}

function limitReason(id: string, { why }: Trouble): string {
  return why.startsWith('HTTP ')
    ? `the server limits connections (${why})`
    : `the server answers nobody since ${id}; it may ban or limit (${why})`;
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

const ORDINARY = 'probe-ordinary-request';

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
  const ordinary = probes.find(({ id }) => id === ORDINARY) as Probe;
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
    turnedAway: limitOf(seen, behavior === 'FAILED'),
    dead: seen.opening.is === 'refused' && seen.opening.head.status === BAD_GATEWAY,
  };
}

/** What a proxy answers when the server behind it refuses the connection. */
const BAD_GATEWAY = 502;

/** Statuses that say "too many", or that nobody is there, whatever was expected. */
const NOT_OF_THE_PROBE: readonly number[] = [429, 503, BAD_GATEWAY, 504];

/** Nothing else says so unless it is a failure. */
function limitOf({ opening, served }: Observation, failed: boolean): string | undefined {
  if (opening.is === 'refused') {
    const { status } = opening.head;
    if (NOT_OF_THE_PROBE.includes(status)) return `HTTP ${status}`;
  }
  if (!failed) return undefined;
  if (opening.is === 'hung-up') return 'it drops them';
  if (opening.is === 'unanswered') return 'it does not answer them';
  return served === false ? 'it serves one at a time' : undefined;
}
