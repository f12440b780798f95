import { pbkdf2Sync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from './environments.ts';

/** Users of a generated router that is started for its contract, and a realm for them alone. */
export const WAMP_USERS = {
  ticket: 'wsk-ticket',
  secret: 'wsk-secret',
  /** The same secret, of which the router has a derived key. */
  salted: 'wsk-salted',
  closedRealm: 'wsk.closed',
} as const;

const SALT = 'salt of wsk';
const ITERATIONS = 1000;
const KEY_LENGTH = 32;

/** The variables that a file of realms names; `secrets` are as `Secrets` has them. */
export function settingsOfUsers(secrets: {
  readonly ticket: string;
  readonly cra: string;
}): Settings {
  const [ticket = '', secret = ''] = [secrets.ticket, secrets.cra].map((of) =>
    of.slice(of.indexOf(':') + 1),
  );
  const key = pbkdf2Sync(secret, SALT, ITERATIONS, KEY_LENGTH, 'sha256').toString('base64');
  return { WSK_TICKET: ticket, WSK_SECRET: secret, WSK_KEY: key };
}

/** The realms of a generated router as YAML, which JSON is as well. */
function realmsOf(realm: string): string {
  const role = 'guest';
  const all = { uri: 'com.', match: 'prefix', allow: ['call', 'register', 'publish', 'subscribe'] };
  const roles = { [role]: [all] };
  const salted = { salt: SALT, iterations: ITERATIONS, keylen: KEY_LENGTH };
  const users = {
    [WAMP_USERS.ticket]: { role, ticket: 'WSK_TICKET' },
    [WAMP_USERS.secret]: { role, secret: 'WSK_SECRET' },
    [WAMP_USERS.salted]: { role, secret: 'WSK_KEY', ...salted },
  };
  return JSON.stringify({
    [realm]: { anonymous: role, roles, users },
    [WAMP_USERS.closedRealm]: { roles, users },
  });
}

/** A file of realms with those users, and the setting that names it. */
export async function fileOfUsers(
  realm = 'realm1',
): Promise<AsyncDisposable & { readonly settings: Settings }> {
  const folder = await mkdtemp(join(tmpdir(), 'websocket-skill-'));
  const file = join(folder, 'realms.yaml');
  await writeFile(file, realmsOf(realm));
  return {
    settings: { REALMS_FILE: file },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
