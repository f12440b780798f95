import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as codec from './wamp-codec.ts';
import { isDict, Refusal, Violation } from './wamp-codec.ts';
import type { Dict, Message } from './wamp-codec.ts';
import { Member } from './wamp-member.ts';
import type { Outlet, Principal } from './wamp-member.ts';
import type { Realm, Router, User } from './wamp-realm.ts';

/** The connection of a session. */
export interface Link {
  send(text: string, kind: string): void;
  close(code: number, reason: string): void;
  // #if metrics
  received(kind: string): void;
  // #endif
  // #if auth
  /** The user that the handshake named. */
  readonly identity: { readonly user: string } | undefined;
  /** The user of a token; undefined if it is refused. */
  authenticate(token: string): Promise<{ readonly user: string } | undefined>;
  /** The client is known by other means than a token. */
  admit(): void;
  // #endif
}

/** What the router does, as it is announced. */
export const FEATURES = {
  broker: {
    features: {
      pattern_based_subscription: true,
      publisher_exclusion: true,
      publisher_identification: true,
      session_meta_api: true,
      subscriber_blackwhite_listing: true,
    },
  },
  dealer: {
    features: {
      call_canceling: true,
      call_timeout: true,
      caller_identification: true,
      pattern_based_registration: true,
      progressive_call_results: true,
      session_meta_api: true,
      shared_registration: true,
    },
  },
} as const;

/** What a client has been asked for. */
interface Challenge {
  readonly realm: Realm;
  readonly roles: Dict;
  readonly method: 'ticket' | 'wampcra';
  readonly authid: string | undefined;
  readonly user: User | undefined;
  /** What it has to sign. */
  readonly text: string;
  /** The id of its session, which is signed with it. */
  readonly session: number;
}

/** Chooses whom users that do not exist are like, and makes their salts. */
const SALTS = randomBytes(16);

/** One session after the other over one connection; without I/O. */
export class WampSession implements Outlet {
  readonly #router: Router;
  readonly #link: Link;
  #realm: Realm | undefined;
  #member: Member | undefined;
  #challenge: Challenge | undefined;
  #isOver = false;
  #stopTimer: () => void = () => undefined;

  constructor(router: Router, link: Link) {
    this.#router = router;
    this.#link = link;
    this.#expect();
  }

  /** Takes a message. Until a promise is settled, it wants no other. */
  receive(text: string): void | Promise<void> {
    if (this.#isOver) return;
    try {
      const message = codec.decode(text);
      // #if metrics
      this.#link.received(codec.nameOf(message[0]));
      // #endif
      return this.#take(message);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#abort('wamp.error.protocol_violation', error.message, 1002);
    }
  }

  /** The server stops, and closes the connection. */
  drain(): void {
    if (this.#member !== undefined) this.send([codec.GOODBYE, {}, 'wamp.close.system_shutdown']);
    this.close();
  }

  /** The connection has ended. */
  close(): void {
    this.#isOver = true;
    this.#end();
  }

  send(message: Message): void {
    this.sendText(JSON.stringify(message), codec.nameOf(message[0]));
  }

  sendText(text: string, kind: string): void {
    if (!this.#isOver) this.#link.send(text, kind);
  }

  leave(reason: string, details: Dict = {}): void {
    this.send([codec.GOODBYE, details, reason]);
    this.close();
    this.#link.close(1000, reason.slice(0, 120));
  }

  /** Waits for HELLO. */
  #expect(): void {
    const { after, helloTimeout } = this.#router.parts;
    this.#stopTimer = after(helloTimeout, () => {
      this.#abort('wamp.error.authentication_required', 'no session in time', 1008);
    });
  }

  #end(): void {
    this.#stopTimer();
    this.#challenge = undefined;
    const member = this.#member;
    this.#member = undefined;
    if (member !== undefined) this.#realm?.leave(member);
  }

  #abort(reason: string, message: string, code = 1000): void {
    if (this.#isOver) return;
    this.send([codec.ABORT, { message }, reason]);
    this.close();
    this.#link.close(code, message.slice(0, 120));
  }

  #take(message: Message): void | Promise<void> {
    const [code, first, second] = message;
    if (code === codec.ABORT) {
      this.close();
      this.#link.close(1000, '');
      return;
    }
    if (this.#member !== undefined) {
      this.#takeOf(this.#member, message);
      return;
    }
    if (this.#challenge !== undefined && code === codec.AUTHENTICATE) {
      return this.#authenticate(this.#challenge, first as string);
    }
    if (this.#challenge !== undefined || code !== codec.HELLO) {
      const expected = this.#challenge === undefined ? 'HELLO' : 'AUTHENTICATE';
      throw new Violation(`expected ${expected} first`);
    }
    this.#hello(first as string, second as Dict);
  }

  #hello(name: string, details: Dict): void {
    const { roles, authmethods = [], authid } = details;
    if (!isDict(roles) || Object.keys(roles).length === 0) throw new Violation('HELLO: no roles');
    if (!Array.isArray(authmethods)) throw new Violation('HELLO: authmethods');
    if (authid !== undefined && authid !== null && typeof authid !== 'string') {
      throw new Violation('HELLO: authid');
    }
    const realm = this.#router.realms.get(name);
    if (realm === undefined) {
      this.#abort('wamp.error.no_such_realm', 'there is none with this name');
      return;
    }
    this.#realm = realm;
    const { anonymous, users } = realm.settings;
    const methods: readonly unknown[] = authmethods.length === 0 ? ['anonymous'] : authmethods;
    // #if auth
    const { tokens } = realm.settings;
    const known = this.#link.identity?.user;
    if (tokens !== undefined && known !== undefined && (authid ?? known) === known) {
      this.#join(realm, roles, principalOf(known, tokens, 'ticket', 'token'));
      return;
    }
    // #endif
    for (const method of methods) {
      if (method === 'anonymous' && anonymous !== undefined) {
        const nobody = randomBytes(12).toString('base64url');
        this.#join(realm, roles, principalOf(nobody, anonymous, method, 'anonymous'));
        return;
      }
      const isOffered =
        (method === 'ticket' && [...users.values()].some(({ ticket }) => ticket !== undefined)) ||
        // #if auth
        (method === 'ticket' && tokens !== undefined) ||
        // #endif
        (method === 'wampcra' && [...users.values()].some(({ secret }) => secret !== undefined));
      if (!isOffered) continue;
      this.#ask(realm, roles, method, authid ?? undefined);
      return;
    }
    const isNone = methods.every((method) => method === 'anonymous');
    const reason = isNone ? 'authentication_required' : 'no_matching_auth_method';
    this.#abort(`wamp.error.${reason}`, 'none of the methods is offered in this realm');
  }

  #ask(realm: Realm, roles: Dict, method: Challenge['method'], authid: string | undefined): void {
    const { users } = realm.settings;
    const user = users.get(authid ?? '');
    const session = this.#router.parts.newId();
    let text = '';
    let extra: Dict = {};
    if (method === 'wampcra') {
      const asked = user?.secret === undefined ? like([...users.values()], authid) : user;
      text = JSON.stringify({
        authid,
        authrole: asked?.role,
        authmethod: method,
        authprovider: 'static',
        nonce: randomBytes(16).toString('base64url'),
        timestamp: new Date().toISOString(),
        session,
      });
      extra = { challenge: text, ...asked?.salt };
    }
    this.#challenge = { realm, roles, method, authid, user, text, session };
    this.send([codec.CHALLENGE, method, extra]);
  }

  #authenticate(challenge: Challenge, answer: string): void | Promise<void> {
    const { realm, roles, method, authid = '', user, text, session } = challenge;
    this.#challenge = undefined;
    const secret = method === 'ticket' ? user?.ticket : user?.secret;
    const key = secret ?? randomBytes(32).toString('hex');
    const expected =
      method === 'ticket' ? key : createHmac('sha256', key).update(text).digest('base64');
    if (user !== undefined && isSame(answer, expected)) {
      this.#join(realm, roles, principalOf(authid, user.role, method, 'static'), session);
      return;
    }
    // #if auth
    if (method === 'ticket') return this.#checkToken(challenge, answer);
    // #endif
    this.#deny();
  }

  // #if auth
  async #checkToken({ realm, roles, authid }: Challenge, token: string): Promise<void> {
    const { tokens } = realm.settings;
    const identity = tokens === undefined ? undefined : await this.#link.authenticate(token);
    const user = identity?.user;
    if (this.#isOver) return;
    if (tokens === undefined || user === undefined || (authid ?? user) !== user) this.#deny();
    else this.#join(realm, roles, principalOf(user, tokens, 'ticket', 'token'));
  }

  // #endif
  #deny(): void {
    this.#abort('wamp.error.authentication_denied', 'unknown, or not who it says', 1008);
  }

  #join(
    realm: Realm,
    roles: Dict,
    principal: Principal,
    session = this.#router.parts.newId(),
  ): void {
    const role = realm.settings.roles.get(principal.authrole);
    if (role === undefined) throw new Error(`no role ${principal.authrole}`);
    this.#stopTimer();
    // #if auth
    this.#link.admit();
    // #endif
    let id = session;
    while (realm.members.has(id)) id = this.#router.parts.newId();
    this.#member = new Member(id, principal, role, this, roles);
    this.send([codec.WELCOME, id, { realm: realm.name, ...principal, roles: FEATURES }]);
    realm.join(this.#member);
  }

  /** Takes a message of an open session. */
  #takeOf(member: Member, message: Message): void {
    const { broker, dealer } = this.#realm as Realm;
    const [code, id, options] = message as [number, number, Dict];
    const uri = message[3] as string;
    const payload = codec.payloadOf(message[4], message[5]);
    try {
      switch (code) {
        case codec.GOODBYE:
          this.send([codec.GOODBYE, {}, 'wamp.close.goodbye_and_out']);
          this.#end();
          this.#expect();
          return;
        case codec.PUBLISH: {
          const publication = broker.publish(member, uri, options, payload);
          if (options['acknowledge'] === true) this.send([codec.PUBLISHED, id, publication]);
          return;
        }
        case codec.SUBSCRIBE:
          this.send([codec.SUBSCRIBED, id, broker.subscribe(member, uri, options)]);
          return;
        case codec.UNSUBSCRIBE:
          broker.unsubscribe(member, message[2] as number);
          this.send([codec.UNSUBSCRIBED, id]);
          return;
        case codec.CALL:
          dealer.call(member, id, options, uri, payload);
          return;
        case codec.CANCEL:
          dealer.cancel(member, id, options);
          return;
        case codec.REGISTER:
          this.send([codec.REGISTERED, id, dealer.register(member, uri, options)]);
          return;
        case codec.UNREGISTER:
          dealer.unregister(member, message[2] as number);
          this.send([codec.UNREGISTERED, id]);
          return;
        case codec.YIELD:
          dealer.yield(member, id, options, codec.payloadOf(message[3], message[4]));
          return;
        case codec.ERROR:
          this.#fail(member, message);
          return;
        default:
          throw new Violation(`${codec.nameOf(code)} in an open session`);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(code, id, options, error);
    }
  }

  #fail(member: Member, message: Message): void {
    const [, of, id, details, uri, args, kwargs] = message;
    if (of !== codec.INVOCATION) throw new Violation('ERROR: only for an INVOCATION');
    const payload = codec.payloadOf(args, kwargs);
    this.#realm?.dealer.fail(member, id as number, details as Dict, uri as string, payload);
  }

  #refuse(code: number, id: number, options: Dict, { uri, message }: Refusal): void {
    if (code === codec.CANCEL || code === codec.YIELD) {
      throw new Violation(`${codec.nameOf(code)}: ${message}`);
    }
    // Who publishes without a wish for an answer gets none.
    if (code === codec.PUBLISH && options['acknowledge'] !== true) return;
    this.send([codec.ERROR, code, id, {}, uri, [message]]);
  }
}

function principalOf(
  authid: string,
  authrole: string,
  authmethod: string,
  authprovider: string,
): Principal {
  return { authid, authrole, authmethod, authprovider };
}

/**
 * As whom somebody is asked who cannot sign: always like the same one of those who can, so that neither a salt nor a
 * role says who exists.
 */
function like(users: readonly User[], authid = ''): User | undefined {
  const signing = users.filter(({ secret }) => secret !== undefined);
  const digest = createHash('sha256').update(SALTS).update(authid).digest();
  const other = signing[digest.readUInt32BE() % signing.length];
  if (other?.salt === undefined) return other;
  const salt = digest.toString('hex', 4).slice(0, other.salt.salt.length);
  return { ...other, salt: { ...other.salt, salt } };
}

/** Compares without telling by its time how much is right. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a as Buffer, b as Buffer);
}
