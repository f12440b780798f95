import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { EnvironmentError, invalidInput } from '../core/errors.ts';
import { atMost } from './at-most.ts';
import { ENVIRONMENTS } from './environments.ts';
import type { Settings } from './environments.ts';
import { Lab } from './lab.ts';
import type { ContractServer, Launch, Secrets, Subject } from './lab.ts';
import { PARTS, RowFailure, RowSkip, isForeign } from './terms.ts';
import type { Row, RowResult } from './row.ts';
import type { ContractType, Need } from './terms.ts';
import { WAMP_USERS, fileOfUsers, settingsOfUsers } from './wamp-users.ts';

export interface ContractOptions {
  readonly type: ContractType;
  /** Those of the type are run. */
  readonly rows: readonly Row[];
  /** Starts the project; absent for a server at `url`. */
  readonly launch?: Launch | undefined;
  readonly url?: string | undefined;
  readonly alsoUrls?: ContractServer['alsoUrls'];
  /** Of the project; undefined: `welcome` says. */
  readonly features?: readonly string[] | undefined;
  readonly subprotocols?: readonly string[] | undefined;
  /** What names of rooms, topics and documents begin with that everybody may enter. Default `wsk-`. */
  readonly names?: string | undefined;
  /** Files of the project that its user has changed. */
  readonly changed?: readonly string[] | undefined;
  /** What a server is known to have; see `Subject`. */
  readonly known?: Subject['known'] | undefined;
  readonly secrets: Secrets;
  readonly headers: Subject['headers'];
  readonly tls: Subject['tls'];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onResult?: (result: RowResult, done: number, total: number) => void;
  /** Which rows to run; all if absent. */
  readonly only?: (row: Row) => boolean;
}

const DEFAULT_NAMES = 'wsk-';

function ownRulesOf({ changed, names = DEFAULT_NAMES }: ContractOptions): string | undefined {
  const file = changed?.find((path) => path.includes('authorize'));
  return (
    file &&
    `${file} was changed and decides over names that begin with ${names}; CONTRACT_NAMES=<begin> says how ` +
      'those begin that everybody may enter'
  );
}

/** Rows that run at the same time. */
const CONCURRENCY = 24;

/** Servers that start at the same time. */
const STARTS = 2;

/** Secrets for a project that is started for its contract, with the settings that hand them over. */
export function newSecrets(): { secrets: Secrets; settings: Settings } {
  const secret = (): string => randomBytes(24).toString('hex');
  const secrets = {
    ...{ auth: secret(), publish: secret(), admin: secret(), audience: 'wsk-contract' },
    ticket: `${WAMP_USERS.ticket}:${secret()}`,
    cra: `${WAMP_USERS.secret}:${secret()}`,
  };
  const settings = {
    ...settingsOfUsers(secrets),
    AUTH_SECRET: secrets.auth,
    AUTH_AUDIENCE: secrets.audience,
    PUBLISH_TOKEN: secrets.publish,
    ADMIN_TOKEN: secrets.admin,
  };
  return { secrets, settings };
}

/** Runs the rows of a type, in the order of the table. Rejects when no server can be reached at all. */
export async function runContract(options: ContractOptions): Promise<readonly RowResult[]> {
  const rows = options.rows.filter(
    (row) => row.types.includes(options.type) && options.only?.(row) !== false,
  );
  const { names = DEFAULT_NAMES } = options;
  if (!/^[A-Za-z0-9][\w-]{0,31}$/.test(names)) {
    throw invalidInput(`CONTRACT_NAMES is ${JSON.stringify(names)}, expected how a name begins`);
  }
  // Every connection listens to it.
  setMaxListeners(0, options.signal);
  const results = new Map<Row, RowResult>();
  const add = (result: RowResult): void => {
    results.set(result.row, result);
    options.onResult?.(result, results.size, rows.length);
  };
  const launch = options.launch && atMost(STARTS, options.launch);
  const environments = [...new Set(rows.map(environmentOf))].map((name) => {
    const group = rows.filter((row) => environmentOf(row) === name);
    return runEnvironment(name, group, { ...options, launch }, add);
  });
  await Promise.all(environments);
  return rows.flatMap((row) => results.get(row) ?? []);
}

function environmentOf(row: Row): string {
  return row.environment ?? 'standard';
}

async function runEnvironment(
  name: string,
  rows: readonly Row[],
  options: ContractOptions,
  add: (result: RowResult) => void,
): Promise<void> {
  const { launch, url } = options;
  // Whoever has users of a router at a url gives one of each kind.
  if (launch === undefined && name !== 'standard' && name !== 'users') {
    const why = `needs a server that was started with the settings "${name}": only a --project is`;
    for (const row of rows) add(skipped(row, why));
    return;
  }
  const withParts = (names: Iterable<string>): ReadonlySet<string> =>
    new Set([...names, ...(PARTS[options.type] ?? [])]);
  const known = options.features && withParts(options.features);
  // What cannot run is known before a server is started for it.
  const runnable = rows.filter((row) => {
    const why = known === undefined ? undefined : missing(row, known, options);
    if (why !== undefined) add(skipped(row, why));
    return why === undefined;
  });
  if (runnable.length === 0) return;
  const hasUsers = name === 'users' && launch !== undefined;
  const own = hasUsers && options.changed?.find((path) => /\bprocedures\.\w+$/.test(path));
  if (own !== undefined && own !== false) {
    const why = `${own} was changed, and may have procedures of other realms`;
    for (const row of runnable) add(skipped(row, why));
    return;
  }
  await using users = hasUsers ? await fileOfUsers(options.known?.realm) : undefined;
  const settings = { ...ENVIRONMENTS[name], ...users?.settings };
  let server: ContractServer;
  let features: ReadonlySet<string>;
  try {
    // Other rows count what one server does. Of protocols of others each server has sessions of its own.
    const mayBeSeveral = name === 'standard' && !isForeign(options.type);
    server = await (launch?.(settings, mayBeSeveral) ?? atUrl(url ?? '', options.alsoUrls));
    features = known ?? withParts(await featuresOf(server.url, options));
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof EnvironmentError || error instanceof RowFailure)) throw error;
    failAll(runnable, error.message, add);
    return;
  }
  await using running = server;
  const subject: Subject = {
    ...options,
    url: running.url,
    alsoUrls: running.alsoUrls,
    features,
    stated: options.features,
    subprotocols: options.subprotocols ?? [`${options.type}.v1`],
    names: options.names ?? DEFAULT_NAMES,
    known: options.known ?? {},
    shared: new Map(),
    ownRules: ownRulesOf(options),
    secrets: secretsIn(settings, options.secrets),
    launch: launch && ((own) => launch({ ...ENVIRONMENTS['standard'], ...own })),
    stopping: () => Promise.reject(new RowSkip('only rows that say so stop the server')),
  };
  const run = async (row: Row, own: Partial<Subject> = {}): Promise<void> => {
    options.signal.throwIfAborted();
    const why = missing(row, subject.features, options);
    const result =
      why === undefined ? await runRow(row, { ...subject, ...own }) : skipped(row, why);
    // What was under way when the run was interrupted says nothing about the server.
    options.signal.throwIfAborted();
    add(result);
  };
  const together = runnable.filter((row) => row.isAlone !== true && row.stops !== true);
  const runTogether = atMost(CONCURRENCY, run);
  await Promise.all(together.map((row) => runTogether(row)));
  for (const row of runnable) if (row.isAlone === true && row.stops !== true) await run(row);
  const last = runnable.filter((row) => row.stops === true);
  const { stopping, leave } = stopTogether(running, last);
  await Promise.all(
    last.map((row) => run(row, { stopping: () => stopping(row) }).finally(() => leave(row))),
  );
}

/** A server that does not start, or says nothing of the protocol, fails one row, not all. */
function failAll(
  [first, ...rest]: readonly Row[],
  why: string,
  add: (result: RowResult) => void,
): void {
  if (first === undefined) return;
  add({ row: first, verdict: 'fail', detail: why, durationMs: 0 });
  for (const row of rest) add(skipped(row, `not judged: see ${first.id}`));
}

/** Settings of an environment may take a secret away, or add one. */
function secretsIn(settings: Settings, secrets: Secrets): Secrets {
  return {
    ...secrets,
    ...(settings['PUBLISH_TOKEN'] === '' && { publish: undefined }),
    ...(settings['ADMIN_TOKEN'] === '' && { admin: undefined }),
    ...(settings['METRICS_TOKEN'] !== undefined && { metrics: settings['METRICS_TOKEN'] }),
  };
}

function atUrl(url: string, alsoUrls: ContractServer['alsoUrls']): ContractServer {
  return { url, alsoUrls, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Stops the server as soon as each of the rows that want to see it is ready, or has ended before. */
function stopTogether({ stop }: ContractServer, rows: readonly Row[]) {
  const awaited = new Set(rows);
  let start: () => void = () => undefined;
  const everybody = new Promise<void>((resolve) => (start = resolve));
  let exited: Promise<number> | undefined;
  const leave = (row: Row): void => {
    awaited.delete(row);
    if (awaited.size === 0) start();
  };
  const stopping = async (row: Row): Promise<{ exited: Promise<number> }> => {
    if (stop === undefined) throw new RowSkip('only a --project can be stopped');
    leave(row);
    await everybody;
    exited ??= stop();
    return { exited };
  };
  return { stopping, leave };
}

/** What `welcome` lists; a server that asks who connects has `auth`, and says no more without a token. */
async function featuresOf(
  url: string,
  { type, secrets, headers, tls, timeoutMs, signal }: ContractOptions,
): Promise<ReadonlySet<string>> {
  const hasToken = secrets.auth !== undefined || secrets.user !== undefined;
  if (isForeign(type)) return new Set(hasToken ? ['auth'] : []);
  await using lab = new Lab({
    ...{ type, url, secrets, headers, tls, timeoutMs, signal },
    features: new Set(hasToken ? ['auth'] : []),
    stated: undefined,
    ...{ subprotocols: [], names: DEFAULT_NAMES, ownRules: undefined },
    ...{ known: {}, shared: new Map<string, Promise<unknown>>() },
    launch: undefined,
    stopping: () => Promise.reject(new RowSkip('')),
  });
  const client = await lab.open();
  const first = await client.take('welcome or auth-required', () => true);
  const { features } = first;
  if (Array.isArray(features)) return new Set(features.map(String));
  return new Set(first['type'] === 'auth-required' ? ['auth'] : []);
}

/** Why a row does not apply; undefined if it does. */
function missing(
  row: Row,
  features: ReadonlySet<string>,
  { secrets, launch }: ContractOptions,
): string | undefined {
  const hasAuth = features.has('auth');
  const reasons: Partial<Record<Need, string | false>> = {
    signing: secrets.auth === undefined && 'needs --auth-secret, to sign tokens of its own',
    'publish-token': secrets.publish === undefined && 'needs --publish-token',
    'admin-token': secrets.admin === undefined && 'needs --admin-token',
    ticket: secrets.ticket === undefined && 'needs --ticket, of a user of WAMP',
    cra: secrets.cra === undefined && 'needs --cra-secret, of a user of WAMP',
    audience: secrets.audience === undefined && 'the audience of tokens is not known',
    users: hasAuth && secrets.auth === undefined && 'needs --auth-secret, for more than one user',
    project: launch === undefined && 'only a --project can be started and stopped',
  };
  for (const need of row.needs ?? []) {
    const why = reasons[need];
    if (typeof why === 'string') return why;
    if (why === undefined && !features.has(need)) return `the server lacks the feature ${need}`;
  }
  const unwanted = row.lacks?.find((feature) => features.has(feature));
  if (unwanted !== undefined) return `the server has the feature ${unwanted}`;
  if (hasAuth && secrets.auth === undefined && secrets.user === undefined && !isOpen(row)) {
    return 'needs --user-token or --auth-secret';
  }
  return undefined;
}

/** Rows of handshakes that are refused, and of HTTP, need no user. */
function isOpen(row: Row): boolean {
  return row.section === 'HTTP of all types';
}

async function runRow(row: Row, subject: Subject): Promise<RowResult> {
  const startedAt = performance.now();
  const ended = (verdict: RowResult['verdict'], detail: string): RowResult => ({
    row,
    verdict,
    detail,
    durationMs: Math.round(performance.now() - startedAt),
  });
  await using lab = new Lab(subject);
  try {
    await row.run(lab);
    return ended('pass', '');
  } catch (error) {
    if (error instanceof RowSkip) return ended('skip', error.message);
    const { ownRules } = subject;
    if (error instanceof RowFailure && lab.meetsRules && ownRules !== undefined) {
      return ended('skip', ownRules);
    }
    if (error instanceof RowFailure) {
      return ended(row.isAdvice === true ? 'warn' : 'fail', error.message);
    }
    if (error instanceof EnvironmentError) return ended('fail', error.message);
    throw error;
  }
}

function skipped(row: Row, detail: string): RowResult {
  return { row, verdict: 'skip', detail, durationMs: 0 };
}
