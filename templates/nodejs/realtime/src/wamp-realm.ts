import { z } from 'zod';
import { Broker } from './wamp-broker.ts';
import type { Dict } from './wamp-codec.ts';
import { Dealer } from './wamp-dealer.ts';
import { Room } from './wamp-limits.ts';
import type { Limits } from './wamp-limits.ts';
import type { Member } from './wamp-member.ts';
import { Host, procedure, WampError } from './wamp-procedures.ts';
import type { Invocation, Procedure } from './wamp-procedures.ts';
import type { Role } from './wamp-roles.ts';
import { isUri } from './wamp-uris.ts';

/** A user of a realm. */
export interface User {
  readonly role: string;
  /** What it shows as it is. */
  readonly ticket: string | undefined;
  /** What it signs with: a secret, or with `salt` the key that is derived of it, in Base64. */
  readonly secret: string | undefined;
  readonly salt:
    { readonly salt: string; readonly iterations: number; readonly keylen: number } | undefined;
}

/** What the file of realms says of one. */
export interface RealmSettings {
  readonly roles: ReadonlyMap<string, Role>;
  readonly users: ReadonlyMap<string, User>;
  /** The role of who does not say who it is; undefined: nobody may. */
  readonly anonymous: string | undefined;
  // #if auth
  /** The role of who shows a token; undefined: nobody may. */
  readonly tokens: string | undefined;
  // #endif
}

/** What the router has from outside. */
export interface RouterParts {
  readonly limits: Limits;
  readonly after: (ms: number, step: () => void) => () => void;
  /** From 0, below 1. */
  readonly random: () => number;
  /** A random id, 1 to 2^53. */
  readonly newId: () => number;
  /** A procedure of this process has a bug. */
  readonly failed: (procedure: string, error: unknown) => void;
  /** Milliseconds for the first message of a session, and for its authentication. */
  readonly helloTimeout: number;
}

/** Sessions that can call each other and hear what the others publish. */
export class Realm {
  readonly name: string;
  readonly settings: RealmSettings;
  readonly broker: Broker;
  readonly dealer: Dealer;
  readonly members = new Map<number, Member>();

  constructor(
    name: string,
    settings: RealmSettings,
    procedures: readonly Procedure[],
    parts: RouterParts & { readonly room: Room },
  ) {
    this.name = name;
    this.settings = settings;
    this.broker = new Broker(parts.room, parts.newId);
    this.dealer = new Dealer(parts);
    const host = new Host(parts.newId(), {
      dealer: this.dealer,
      announce: (topic, payload) => this.broker.announce(topic, payload),
      failed: parts.failed,
    });
    for (const made of [...this.#meta(), ...procedures]) host.add(made);
  }

  join(member: Member): void {
    this.members.set(member.id, member);
    this.broker.announce('wamp.session.on_join', [[aboutOf(member)]]);
  }

  leave(member: Member): void {
    if (!this.members.delete(member.id)) return;
    this.dealer.leave(member);
    this.broker.leave(member);
    const { authid, authrole } = member.principal;
    this.broker.announce('wamp.session.on_leave', [[member.id, authid, authrole]]);
  }

  /** The procedures about sessions. */
  #meta(): Procedure[] {
    const realm = this.name;
    const roles = z.union([z.tuple([]), z.tuple([z.array(z.string()).nullable()])]);
    const id = z.tuple([z.number()]);
    const text = z.tuple([z.string()]);
    const ofRoles = ([names]: readonly (readonly string[] | null)[]): number[] =>
      [...this.members.values()]
        .filter(({ principal }) => names?.includes(principal.authrole) ?? true)
        .map((member) => member.id);
    const kill = (call: Invocation, isMeant: (member: Member) => boolean): number[] => {
      const { reason = 'wamp.close.normal', message } = call.kwargs;
      if (typeof reason !== 'string' || !isUri(reason)) {
        throw new WampError('wamp.error.invalid_uri', ['reason: not a URI']);
      }
      const details: Dict = typeof message === 'string' ? { message } : {};
      const others = [...this.members.values()].filter(
        (member) => member.id !== call.caller.session && isMeant(member),
      );
      for (const { outlet } of others) outlet.leave(reason, details);
      return others.map((member) => member.id);
    };
    const missing = (): WampError => new WampError('wamp.error.no_such_session');
    return [
      procedure({
        realm,
        uri: 'wamp.session.count',
        args: roles,
        run: ({ args }) => ofRoles(args).length,
      }),
      procedure({
        realm,
        uri: 'wamp.session.list',
        args: roles,
        run: ({ args }) => ofRoles(args),
      }),
      procedure({
        realm,
        uri: 'wamp.session.get',
        args: id,
        run: ({ args: [session] }) => {
          const member = this.members.get(session);
          if (member === undefined) throw missing();
          return aboutOf(member);
        },
      }),
      procedure({
        realm,
        uri: 'wamp.session.kill',
        args: id,
        run: (call) => {
          const killed = kill(call, (member) => member.id === call.args[0]);
          if (killed.length === 0) throw missing();
        },
      }),
      procedure({
        realm,
        uri: 'wamp.session.kill_by_authid',
        args: text,
        run: (call) => kill(call, ({ principal }) => principal.authid === call.args[0]),
      }),
      procedure({
        realm,
        uri: 'wamp.session.kill_by_authrole',
        args: text,
        run: (call) => kill(call, ({ principal }) => principal.authrole === call.args[0]).length,
      }),
      procedure({
        realm,
        uri: 'wamp.session.kill_all',
        args: z.tuple([]),
        run: (call) => kill(call, () => true).length,
      }),
    ];
  }
}

/** What everybody who may ask gets to know of a session. */
function aboutOf({ id, principal }: Member): Dict {
  return { session: id, ...principal, transport: { type: 'websocket' } };
}

/** The realms, by name; none shares anything with another. */
export class Router {
  readonly realms = new Map<string, Realm>();
  readonly parts: RouterParts;

  constructor(
    settings: ReadonlyMap<string, RealmSettings>,
    procedures: readonly Procedure[],
    parts: RouterParts,
  ) {
    this.parts = parts;
    const room = new Room(parts.limits);
    for (const [name, of] of settings) {
      const own = procedures.filter(({ realm }) => realm === name);
      this.realms.set(name, new Realm(name, of, own, { ...parts, room }));
    }
  }
}
