import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import {
  OWN_TOOL,
  ROWS,
  SUBPROTOCOLS,
  changedFiles,
  contractsOf,
  isForeign,
  newSecrets,
  runContract,
  userToken,
} from '../../contract/index.ts';
import type {
  ContractServer,
  ContractType,
  ForeignType,
  Known,
  RowResult,
  Secrets,
} from '../../contract/index.ts';
import { invalidInput } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import type { Access } from '../../target/access.ts';
import type { Manifest, RunningProject, SharedRedis } from '../../target/project/index.ts';
import type { CheckRow, TestInput } from './schema.ts';

/** What a server is held to, and what opens its doors. */
export interface Contract {
  /** None: it has checks of its own. A project may speak the protocols of others, too. */
  readonly types: readonly ContractType[];
  readonly secrets: Secrets;
  /** Hands the secrets over to a project. */
  readonly settings: Readonly<Record<string, string>>;
  /** With which the other checks get in. */
  readonly headers: readonly [name: string, value: string][];
  /** Of a project. */
  readonly features?: readonly string[];
  readonly subprotocols?: readonly string[];
  readonly changed?: readonly string[];
  /** What the other checks offer if the input names nothing else. */
  readonly offers?: readonly string[];
  /** What a server at a url answers, as that of a project. */
  readonly probe?: Probe;
}

type Probe = NonNullable<Manifest['contract']['probe']>;

/** Something that every server answers that speaks the protocol. */
function probeOf(type: ForeignType, realm = 'realm1'): Probe {
  const probes = {
    'graphql-ws': { send: { type: 'ping' }, expect: '"pong"' },
    wamp: { send: [1, realm, { roles: { caller: {} } }], expect: '[' },
    'json-rpc': { send: { jsonrpc: '2.0', method: 'wsk', id: 1 }, expect: '"2.0"' },
    mcp: { send: { jsonrpc: '2.0', method: 'ping', id: 1 }, expect: '"2.0"' },
  };
  const { send, expect } = probes[type];
  return { send: JSON.stringify(send), expect };
}

/** The contract of a generated project, or the one that `--contract` names; undefined for none. */
export async function contractOf(
  input: TestInput,
  { cwd }: OperationContext,
): Promise<Contract | undefined> {
  if (input.expectStatus !== undefined) return undefined;
  if (input.project === undefined) return ofUrl(input);
  const { readProject } = await import('../../target/project/index.ts');
  const { root, manifest } = await readProject(resolve(cwd, input.project));
  const all = contractsOf(manifest.type, manifest.contract.subprotocols);
  const types = all.filter((type) => input.contract === undefined || input.contract === type);
  if (input.contract !== undefined && types.length === 0) {
    const contract = all.length === 0 ? 'none' : `that of ${all.join(' and ')}`;
    throw invalidInput(
      `--contract is ${input.contract}, but the project is of type ${manifest.type}`,
      `the contract of the project is ${contract}, without the flag`,
    );
  }
  if (types.length === 0 && manifest.type !== 'collab') return undefined;
  return ofProject(types, root, manifest);
}

function ofProject(types: readonly ContractType[], root: string, manifest: Manifest): Contract {
  const { answers, contract, files } = manifest;
  const features = Array.isArray(answers['features']) ? answers['features'].map(String) : [];
  const { secrets, settings } = newSecrets();
  return {
    types,
    secrets,
    // The Redis of the environment is for nobody's tests but those that say so, under names of their own.
    settings: features.includes('redis') ? { ...settings, REDIS_URL: '' } : settings,
    headers: features.includes('auth') ? [authorization(longToken(secrets))] : [],
    features,
    subprotocols: contract.subprotocols,
    // Who offers none may be told that there has to be one.
    ...(['rpc', 'mcp'].includes(manifest.type) && { offers: contract.subprotocols.slice(0, 1) }),
    changed: changedFiles(root, files),
  };
}

function ofUrl(input: TestInput): Contract | undefined {
  if (input.contract === undefined) return undefined;
  const { USER_TOKEN, AUTH_SECRET, PUBLISH_TOKEN, ADMIN_TOKEN } = process.env;
  const { WAMP_TICKET, WAMP_CRA_SECRET } = process.env;
  const secrets: Secrets = {
    user: input.userToken ?? USER_TOKEN,
    auth: input.authSecret ?? AUTH_SECRET,
    publish: input.publishToken ?? PUBLISH_TOKEN,
    admin: input.adminToken ?? ADMIN_TOKEN,
    ticket: input.ticket ?? WAMP_TICKET,
    cra: input.craSecret ?? WAMP_CRA_SECRET,
  };
  const token = secrets.user ?? (secrets.auth === undefined ? undefined : longToken(secrets));
  const headers = token === undefined ? [] : [authorization(token)];
  const { contract, subprotocols } = input;
  return {
    types: [contract],
    secrets,
    settings: {},
    headers,
    ...(isForeign(contract) && {
      subprotocols: contract === 'json-rpc' ? subprotocols : [SUBPROTOCOLS[contract]],
      offers: contract === 'json-rpc' ? [] : [SUBPROTOCOLS[contract]],
      probe: probeOf(contract, input.realm),
    }),
  };
}

function authorization(token: string): [name: string, value: string] {
  return ['Authorization', `Bearer ${token}`];
}

/** Seconds for which the checks before the contract have a token. */
const CHECKS_SECONDS = 3600;

function longToken({ auth = '', audience }: Secrets): string {
  return userToken('wsk', auth, { audience, seconds: CHECKS_SECONDS });
}

interface Circumstances {
  readonly input: TestInput;
  readonly access: Access;
  readonly context: OperationContext;
}

/** Holds the server to the contract; a project is started once for each set of settings. */
export async function contractRows(
  contract: Contract,
  { input, access, context }: Circumstances,
  add: (row: CheckRow) => void,
): Promise<void> {
  const { project } = input;
  const { signal, cwd, emit } = context;
  const isShared = project !== undefined && contract.features?.includes('redis') === true;
  await using redis = isShared ? await sharedRedis() : undefined;
  if (isShared) add(redisRow(redis, contract.types));
  const options = {
    rows: ROWS,
    features: contract.features,
    subprotocols: contract.subprotocols,
    names: process.env['CONTRACT_NAMES'],
    changed: contract.changed,
    secrets: contract.secrets,
    headers: access.headers,
    tls: access.tls,
    timeoutMs: input.timeoutMs,
    signal,
    url: input.url,
    alsoUrls: input.alsoUrls,
    launch:
      project === undefined
        ? undefined
        : (settings: Readonly<Record<string, string>>, mayBeSeveral = false) => {
            const path = resolve(cwd, project);
            const env = { ...contract.settings, ...settings, ...namesIn(redis) };
            const count = mayBeSeveral && redis !== undefined ? 2 : 1;
            return launch(path, { env, signal, count });
          },
    known: knownOf(input, contract),
    onResult: (_: RowResult, done: number, total: number) =>
      emit({ stage: 'contract', done, total }),
  };
  for (const type of contract.types) {
    for (const result of await runContract({ ...options, type })) add(rowOf(result));
  }
}

/** What a generated project has as long as nobody has changed the file. */
const METHOD = { file: 'src/handlers/methods.ts', known: 'add {"a":1,"b":2}' };
const SUBSCRIPTION = {
  file: 'src/handlers/resolvers.ts',
  known: 'subscription { countdown(from: 1000, everyMs: 100) }',
};

function knownOf(input: TestInput, { changed }: Contract): Known {
  const own = ({ file, known }: typeof METHOD): string | undefined =>
    changed?.includes(file) === false ? known : undefined;
  return {
    realm: input.realm,
    method: input.method ?? own(METHOD),
    tool: input.tool ?? own(OWN_TOOL),
    slowTool: input.slowTool,
    crashTool: input.crashTool,
    subscription: input.subscription ?? own(SUBSCRIPTION),
  };
}

/** Time that a project gets to end after SIGTERM. */
const STOP_MS = 10_000;

interface LaunchOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** How many servers share a Redis; 1 is also one without. */
  readonly count: number;
}

async function launch(
  path: string,
  { env, signal, count }: LaunchOptions,
): Promise<ContractServer> {
  const { startProject } = await import('../../target/project/index.ts');
  const projects: RunningProject[] = [];
  const dispose = async (): Promise<void> => {
    await Promise.all(projects.map((project) => project[Symbol.asyncDispose]()));
  };
  try {
    while (projects.length < count) projects.push(await startProject(path, { signal, env }));
  } catch (error) {
    await dispose();
    throw error;
  }
  const [url = '', ...alsoUrls] = projects.map((project) => project.url);
  return {
    url,
    alsoUrls,
    stop: async () =>
      Math.max(...(await Promise.all(projects.map((project) => project.stop(STOP_MS))))),
    [Symbol.asyncDispose]: dispose,
  };
}

async function sharedRedis(): Promise<SharedRedis | undefined> {
  const { openRedis } = await import('../../target/project/index.ts');
  return await openRedis();
}

/** Settings of servers that share `redis`, under names that nobody else uses. */
function namesIn(redis: SharedRedis | undefined): Readonly<Record<string, string>> {
  if (redis === undefined) return {};
  return { REDIS_URL: redis.url, REDIS_PREFIX: `wsk-${randomBytes(8).toString('hex')}` };
}

/** Says by how many servers the contract is held. */
function redisRow(redis: SharedRedis | undefined, types: readonly ContractType[]): CheckRow {
  const foreign = types.filter(isForeign).join(', ');
  const alone = foreign === '' ? '' : `; to ${foreign} one, as each has sessions of its own`;
  const detail =
    redis === undefined
      ? 'REDIS_URL is not set, and no redis-server starts here: one server with its own memory is held to the contract'
      : `two servers on one Redis are held to the contract together${alone}`;
  const title = 'servers that share a Redis';
  return { id: 'redis', rfc: '', title, verdict: 'info', detail, durationMs: 0 };
}

function rowOf({ row, verdict, detail, durationMs }: RowResult): CheckRow {
  const { id, title, section, reference: rfc = '' } = row;
  return { id, rfc, title, section, verdict, detail, durationMs };
}
