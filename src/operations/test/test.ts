import { setTimeout as sleep } from 'node:timers/promises';
import { collab } from './checks/collab.ts';
import { CHECKS } from './checks/index.ts';
import { reasonsOf, pass, runCheck, skip, statusOf } from './check.ts';
import type { Check } from './check.ts';
import type { Contract } from './contract.ts';
import { UNREAD } from './expect.ts';
import { decideEcho } from './echo-decision.ts';
import { checkStatus } from './expect-status.ts';
import { Measurements } from './measurements.ts';
import type { CheckRow, TestInput, TestReport } from './schema.ts';
import { EnvironmentError } from '../../core/errors.ts';
import { Dialer } from './session.ts';
import type { Session, StatedLimit } from './session.ts';
import { SEARCH_BYTES } from './find-limit.ts';
import { openTarget } from '../../target/target.ts';
import type { Target } from '../../target/target.ts';
import { readAccess } from '../../target/access.ts';
import { countGrades, graded } from '../../core/grade.ts';
import type { OperationContext } from '../../core/operation.ts';

/** Most timeouts that a run may last; later checks are skipped. */
const RUN_TIMEOUTS = 30;

/**
 * Checks one endpoint: every row of `CHECKS`, each on connections of its own.
 *
 * Throws `EnvironmentError` when there is no WebSocket at the url, `UsageError` for an unreadable
 * file; whatever the server does after its handshake is in the report.
 */
export async function testEndpoint(
  input: TestInput,
  context: OperationContext,
): Promise<TestReport> {
  if (input.role === 'client') {
    const { testClient } = await import('./test-client.ts');
    return testClient(input, context);
  }
  const run = new Run(input, context);
  try {
    const contract = await contractFor(input, context);
    await using target = await openTarget(input, context, { env: contract?.settings ?? {} });
    await run.execute(target, contract);
  } catch (error) {
    // Ctrl-C rejects everything that is awaited; the report holds what was checked before.
    if (!context.signal.aborted) throw error;
  }
  return run.report();
}

/** Most runs have none, and do not wait for its rows to be loaded. */
async function contractFor(
  input: TestInput,
  context: OperationContext,
): Promise<Contract | undefined> {
  if (input.contract === undefined && input.project === undefined) return undefined;
  const { contractOf } = await import('./contract.ts');
  return await contractOf(input, context);
}

/** One run and its results so far. */
class Run {
  readonly #input: TestInput;
  readonly #context: OperationContext;
  readonly #startedAt = performance.now();
  readonly #rows: CheckRow[] = [];
  readonly #measurements = new Measurements();
  #dialer: Dialer | undefined;
  /** The last check that had a connection, and the one that the server did not outlive. */
  #lastConnected: string | undefined;
  #goneAfter: string | undefined;
  /** Rows that could not run because the server limits connections. */
  #limitedRows = 0;
  #handshake: TestReport['handshake'] = { protocol: null, extensions: '' };

  constructor(input: TestInput, context: OperationContext) {
    this.#input = input;
    this.#context = context;
  }

  async execute(target: Target, contract: Contract | undefined): Promise<void> {
    const dialer = await this.#createDialer(target, contract);
    this.#dialer = dialer;
    if (this.#input.expectStatus !== undefined) {
      this.#rows.push(await checkStatus(dialer, this.#input.expectStatus));
      return;
    }
    const session = await this.#openSession(target, dialer, contract);
    const checks = target.project?.manifest.type === 'collab' ? [collab, ...CHECKS] : CHECKS;
    for (const [index, check] of checks.entries()) {
      this.#context.signal.throwIfAborted();
      this.#context.emit({ stage: check.id, done: index, total: checks.length });
      const row = await this.#runNext(check, session);
      this.#context.signal.throwIfAborted();
      this.#rows.push(row);
    }
    // What the last check did to the server shows only in a connection after it.
    await this.#runNext(AFTERWARDS, session);
    if (contract === undefined) return;
    const access = await readAccess(this.#input, this.#context.cwd);
    const { contractRows } = await import('./contract.ts');
    await contractRows(contract, { access, input: this.#input, context: this.#context }, (row) => {
      this.#rows.push(row);
    });
  }

  async #runNext(check: Check, session: Session): Promise<CheckRow> {
    if (this.#isOver()) return skipped(check, OVERDUE);
    if (this.#goneAfter !== undefined) return skipped(check, gone(this.#goneAfter));
    const last = this.#lastConnected;
    let execution = await runCheck(check, session);
    const { gone: error } = execution;
    if (error !== undefined && last !== undefined && !this.#context.signal.aborted) {
      await sleep(RESTART_MS);
      execution = await runCheck(check, session);
      if (execution.gone !== undefined && !(await takesOrdinary(session))) {
        this.#goneAfter = last;
        this.#blame(last, `the server is gone since: ${error.message}`);
        return skipped(check, gone(last));
      }
      const restarted = error.code === 'WSK_ERR_REFUSED' || statusOf(error) === BAD_GATEWAY;
      if (restarted && execution.gone === undefined) {
        this.#blame(last, `the server was gone, and came back: ${error.message}`);
      }
    }
    if (execution.limited && this.#limitedRows === 0) {
      // A server may notice only now that the connection before has ended.
      await sleep(RESTART_MS);
      execution = await runCheck(check, session);
    }
    if (execution.limited) this.#limitedRows++;
    if (execution.connected) this.#lastConnected = check.id;
    return execution.row;
  }

  /** A server that is gone is the failure of what it met last, not of what comes after. */
  #blame(id: string, why: string): void {
    const at = this.#rows.findIndex((row) => row.id === id);
    const row = this.#rows[at];
    if (row === undefined) return;
    this.#rows[at] = { ...row, verdict: 'fail', detail: `${why} (${row.detail})` };
  }

  report(): TestReport {
    const interrupted = this.#context.signal.aborted;
    const checks = this.#rows.map((row) => graded(row, this.#input.strict));
    const summary = countGrades(checks);
    const overran = checks.some((row) => row.detail === OVERDUE);
    const ran = checks.filter((row) => row.verdict !== 'skip').length;
    const unread = checks.filter(({ detail }) => detail.startsWith(UNREAD)).length;
    const untested = this.#limitedRows > ran || unread > ran / 2;
    const success = !interrupted && summary.failed === 0 && !overran && !untested;
    const bytes = this.#dialer?.bytes() ?? { sent: 0, received: 0 };
    return {
      operation: 'test',
      target: this.#input.url ?? this.#input.project ?? '',
      status: interrupted ? 'interrupted' : success ? 'passed' : 'failed',
      handshake: this.#handshake,
      metrics: this.#measurements.toMetrics(bytes, performance.now() - this.#startedAt),
      checks,
      reasons: reasonsOf(checks),
      summary,
      success,
    };
  }

  async #createDialer(target: Target, contract: Contract | undefined): Promise<Dialer> {
    const access = await readAccess(this.#input, this.#context.cwd);
    return new Dialer({
      url: target.url,
      access: { ...access, headers: [...access.headers, ...(contract?.headers ?? [])] },
      subprotocols:
        this.#input.subprotocols.length > 0 ? this.#input.subprotocols : (contract?.offers ?? []),
      timeoutMs: this.#input.timeoutMs,
      echoBytes: this.#limitOf(target)?.bytes ?? SEARCH_BYTES,
      signal: this.#context.signal,
    });
  }

  /** The limit of a project is known; for a `--url` the input may state it. */
  #limitOf({ project }: Target): StatedLimit | undefined {
    if (project !== undefined) {
      return { bytes: project.manifest.contract.maxPayload, source: 'limit of the project' };
    }
    const bytes = this.#input.maxPayload;
    return bytes === undefined ? undefined : { bytes, source: 'limit of --max-payload' };
  }

  async #openSession(
    target: Target,
    dialer: Dialer,
    contract: Contract | undefined,
  ): Promise<Session> {
    const { project } = target;
    await using channel = await dialer.dial({ compression: this.#input.compression });
    const { protocol, extensions } = channel.handshake;
    this.#handshake = { protocol, extensions };
    return {
      input: this.#input,
      timeoutMs: this.#input.timeoutMs,
      limit: this.#limitOf(target),
      foundLimit: undefined,
      project,
      probe: project?.manifest.contract.probe ?? contract?.probe,
      opening: channel.handshake,
      echo: await decideEcho(channel, this.#input, project?.manifest.contract),
      answersPings: false,
      measurements: this.#measurements,
      emit: this.#context.emit,
      dial: dialer.dial,
    };
  }

  #isOver(): boolean {
    return performance.now() - this.#startedAt > this.#input.timeoutMs * RUN_TIMEOUTS;
  }
}

/** Time of a server that has crashed to come back, if somebody restarts it. */
const RESTART_MS = 500;

/** What a proxy answers when the server behind it refuses the connection. */
const BAD_GATEWAY = 502;

const ORDINARY_CLOSE_MS = 250;

/** Whether a connection without anything special can be opened: the check's own offers may fail. */
async function takesOrdinary(session: Session): Promise<boolean> {
  try {
    const channel = await session.dial();
    await channel.close(1000, ORDINARY_CLOSE_MS);
    return true;
  } catch (error) {
    if (error instanceof EnvironmentError) return false;
    throw error;
  }
}

/** Not a row: whether the server outlived the last check. A project was stopped by then. */
const AFTERWARDS: Check = {
  id: 'afterwards',
  rfc: '',
  title: 'one more connection',
  async run({ session, dial }) {
    if (session.project !== undefined) return skip('the project was stopped');
    const channel = await dial();
    await channel.close(1000, ORDINARY_CLOSE_MS);
    return pass('the server is there');
  },
};

const OVERDUE = `skipped: the run took longer than ${RUN_TIMEOUTS} timeouts`;

function gone(after: string): string {
  return `the server is gone since ${after}`;
}

function skipped({ id, rfc, title }: Check, why: string): CheckRow {
  return { id, rfc, title, ...skip(why), durationMs: 0 };
}
