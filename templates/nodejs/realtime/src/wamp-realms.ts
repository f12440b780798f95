import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError } from './config.ts';
import { faultIn } from './messages.ts';
import type { RealmSettings, User } from './wamp-realm.ts';
import { ACTIONS, Role } from './wamp-roles.ts';
import { isUri } from './wamp-uris.ts';

const RuleShape = z
  .strictObject({
    uri: z.string(),
    match: z.enum(['exact', 'prefix', 'wildcard']).default('exact'),
    allow: z.array(z.enum([...ACTIONS, 'disclose'])).min(1),
  })
  .refine(({ uri, match }) => (uri === '' && match === 'prefix') || isUri(uri, match), {
    error: 'not a URI',
    path: ['uri'],
  });
const Variable = z.string().regex(/^[A-Z_][A-Z0-9_]*$/, 'expected the name of a variable');
const UserShape = z
  .strictObject({
    role: z.string(),
    ticket: Variable.optional(),
    secret: Variable.optional(),
    salt: z.string().min(1).optional(),
    iterations: z.int().min(1).default(100_000),
    keylen: z.int().min(16).max(64).default(32),
  })
  .refine(({ ticket, secret }) => (ticket === undefined) !== (secret === undefined), {
    error: 'expected either ticket or secret',
  });
const RealmShape = z
  .strictObject({
    anonymous: z.string().optional(),
    // #if auth
    tokens: z.string().optional(),
    // #endif
    roles: z.record(z.string(), z.array(RuleShape)),
    users: z.record(z.string(), UserShape).default({}),
  })
  .superRefine((realm, context) => {
    const named: [path: string[], role: string | undefined][] = [
      [['anonymous'], realm.anonymous],
      // #if auth
      [['tokens'], realm.tokens],
      // #endif
      ...Object.entries(realm.users).map(([name, { role }]): [string[], string] => {
        return [['users', name, 'role'], role];
      }),
    ];
    for (const [path, role] of named) {
      if (role === undefined || Object.hasOwn(realm.roles, role)) continue;
      context.addIssue({ code: 'custom', path, message: `there is no role ${role}` });
    }
  });
const Shape = z.record(
  z.string().refine((name) => isUri(name), 'not a URI'),
  RealmShape,
);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the realms of `file`; what is secret is in variables of `env`.
 * @throws {ConfigError} which says where the file is wrong.
 */
export function readRealms(file: string, env: Environment): Map<string, RealmSettings> {
  try {
    return realmsOf(readFileSync(file, 'utf8'), env);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ConfigError(`${file}: ${error.message}`);
  }
}

/** The realms of a text in YAML. */
export function realmsOf(text: string, env: Environment): Map<string, RealmSettings> {
  const result = Shape.safeParse(parse(text));
  if (!result.success) throw new ConfigError(faultIn(result.error));
  const secretOf = (name: string | undefined): string | undefined => {
    const value = name === undefined ? undefined : env[name];
    if (name !== undefined && (value === undefined || value === '')) {
      throw new ConfigError(`${name} is not set`);
    }
    return value;
  };
  const realms = new Map<string, RealmSettings>();
  for (const [name, realm] of Object.entries(result.data)) {
    const users = new Map<string, User>();
    for (const [authid, of] of Object.entries(realm.users)) {
      const { role, ticket, secret, salt, iterations, keylen } = of;
      users.set(authid, {
        role,
        ticket: secretOf(ticket),
        secret: secretOf(secret),
        salt: salt === undefined ? undefined : { salt, iterations, keylen },
      });
    }
    const roles = Object.entries(realm.roles).map(([role, rules]) => {
      return [role, new Role(rules)] as const;
    });
    realms.set(name, {
      roles: new Map(roles),
      users,
      anonymous: realm.anonymous,
      // #if auth
      tokens: realm.tokens,
      // #endif
    });
  }
  return realms;
}
