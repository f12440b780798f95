import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EnvironmentError, invalidInput } from '../../../core/errors.ts';
import type { BenchmarkInput } from '../schema.ts';

/** What `MAX_BUFFERED` has to hold for each member of a room: the reply to a join is a fourth of it. */
const BUFFERED_PER_MEMBER = 4 * 67;

/** Members for whom a chat server has space by its defaults. */
const DEFAULT_FITS = Math.floor(2_097_152 / BUFFERED_PER_MEMBER);

/**
 * Settings that let a generated project take the load: all of it comes from one address and few
 * clients, which the project's limits per client would refuse. Variables that are set stay.
 */
export function projectSettings(
  { connections }: Pick<BenchmarkInput, 'connections'>,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  const places = String(Math.max(10_000, connections + 100));
  const members = Math.min(100_000, Math.max(1000, connections + 100));
  const settings: Record<string, string> = {
    MAX_CONNECTIONS: places,
    MAX_CONNECTIONS_PER_IP: places,
    HANDSHAKE_RATE: '1000000',
    MAX_ROOM_MEMBERS: String(members),
    ...(members > DEFAULT_FITS ? { MAX_BUFFERED: String(members * BUFFERED_PER_MEMBER) } : {}),
    RATE_LIMIT: '1000000',
    RATE_BURST: '1000000',
    USER_RATE_LIMIT: '1000000',
    USER_RATE_BURST: '1000000',
    MAX_CONNECTIONS_PER_USER: places,
  };
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !isSet(env, name)));
}

function isSet(env: NodeJS.ProcessEnv, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}

/** What a generated project is loaded with, as its type and features want it. */
export interface ProjectLoad {
  readonly input: BenchmarkInput;
  /** Of the users for whom connections are opened; empty where none are wanted or others are given. */
  readonly tokens: readonly string[];
  /** Settings that open the project for the load, of this run only. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Users of a load; a server that tells each room who is there has one of them in it for many connections. */
const MAX_USERS = 1000;

/** Longer than any run. */
const TOKEN_SECONDS = 30 * 24 * 3600;

/**
 * Completes an input for the project that it names: a live-updates server, to which clients publish nothing,
 * is used by the scenario of that name, as an MCP server is, and one with the feature auth gets tokens.
 *
 * @throws UsageError WSK_ERR_NOT_A_PROJECT, or WSK_ERR_INVALID_INPUT where only others can sign tokens
 */
export async function projectLoad(
  input: BenchmarkInput,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ProjectLoad> {
  if (input.project === undefined) return { input, tokens: [], secrets: {} };
  const { readProject } = await import('../../../target/project/index.ts');
  const { root, manifest } = await readProject(resolve(cwd, input.project));
  const { type, answers, files } = manifest;
  const isLive = type === 'live-updates';
  const hasScenario = isLive || type === 'mcp';
  const scenario =
    hasScenario && input.mode === undefined ? (input.scenario ?? type) : input.scenario;
  const ownTool = type === 'mcp' && scenario === type ? await toolOf(root, files) : undefined;
  const tool = input.tool ?? ownTool;
  const { features } = answers;
  const isOpen = !Array.isArray(features) || !features.includes('auth') || bringsTokens(input);
  const key = isOpen ? undefined : signingKey(env);
  return {
    input: {
      ...input,
      ...(scenario !== undefined && { scenario }),
      ...(tool !== undefined && { tool }),
    },
    tokens: key === undefined ? [] : await tokensFor(input.connections, key, env),
    secrets: {
      ...(key !== undefined && { AUTH_SECRET: key }),
      ...(isLive && { PUBLISH_TOKEN: env['PUBLISH_TOKEN'] || secret() }),
    },
  };
}

/** The tool that a generated MCP server has, unless somebody has changed it. */
async function toolOf(
  root: string,
  files: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const { OWN_TOOL, changedFiles } = await import('../../../contract/index.ts');
  const { file, known } = OWN_TOOL;
  const hash = files[file];
  const isOwn = hash !== undefined && changedFiles(root, { [file]: hash }).length === 0;
  return isOwn ? known : undefined;
}

function secret(): string {
  return randomBytes(32).toString('hex');
}

function bringsTokens({ tokenFile, headers }: BenchmarkInput): boolean {
  return tokenFile !== undefined || headers.some((line) => /^authorization\s*:/i.test(line));
}

/** The secret by which the project checks tokens: the one that is set, else one of this run. */
function signingKey(env: NodeJS.ProcessEnv): string {
  const other = ['AUTH_PUBLIC_KEY', 'AUTH_JWKS_URL'].find((name) => isSet(env, name));
  if (other === undefined) return env['AUTH_SECRET'] || secret();
  throw invalidInput(
    `${other} is set, so that the project takes tokens which only others can sign`,
    'give some of them with --token-file',
  );
}

async function tokensFor(
  connections: number,
  key: string,
  { AUTH_ISSUER, AUTH_AUDIENCE }: NodeJS.ProcessEnv,
): Promise<string[]> {
  const { userToken } = await import('../../../contract/index.ts');
  const claims = AUTH_ISSUER === undefined ? {} : { iss: AUTH_ISSUER };
  const options = { audience: AUTH_AUDIENCE, seconds: TOKEN_SECONDS, claims };
  return Array.from({ length: Math.min(connections, MAX_USERS) }, (_, at) =>
    userToken(`user-${at}`, key, options),
  );
}

/** Milliseconds between two changes of the document that clients of a live-updates server watch. */
const CHANGE_MS = 100;

/**
 * Runs `run` while the document `benchmark` of a live-updates server changes, as the program does it that
 * publishes there; `token` is the one for it, undefined for other servers.
 *
 * @throws EnvironmentError WSK_ERR_PROJECT_FAILED when the document cannot be written
 */
export async function whileChanging<Result>(
  { url, token }: { readonly url: string; readonly token: string | undefined },
  run: () => Promise<Result>,
): Promise<Result> {
  if (token === undefined) return await run();
  const target = new URL('/documents/benchmark', url.replace(/^ws/, 'http'));
  const end = new AbortController();
  const { signal } = end;
  const send = async (method: string, type: string, body: unknown): Promise<number> => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type };
    const answer = await fetch(target, { method, headers, body: JSON.stringify(body), signal });
    await answer.body?.cancel();
    return answer.status;
  };
  const status = await send('PUT', 'application/json', { count: 0 });
  if (status !== 200) {
    throw new EnvironmentError('WSK_ERR_PROJECT_FAILED', `PUT ${target.href} got ${status}`, {
      cause: undefined,
      hint: 'a hook of the project may forbid the document',
    });
  }
  const change = async (): Promise<void> => {
    for (let count = 1; !signal.aborted; count += 1) {
      const patch = [{ op: 'replace', path: '/count', value: count }];
      // A server that is overloaded or gone is what the run finds out.
      await send('PATCH', 'application/json-patch+json', patch).catch(() => undefined);
      await setTimeout(CHANGE_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const changing = change();
  try {
    return await run();
  } finally {
    end.abort();
    await changing;
  }
}
