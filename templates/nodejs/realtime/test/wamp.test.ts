import assert from 'node:assert/strict';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { procedure, Result, WampError } from '../src/wamp-procedures.ts';
import type { Procedure } from '../src/wamp-procedures.ts';
import { Router } from '../src/wamp-realm.ts';
import type { RouterParts } from '../src/wamp-realm.ts';
import { realmsOf } from '../src/wamp-realms.ts';
import { WampSession } from '../src/wamp-session.ts';
import { covers, isUri, Patterns } from '../src/wamp-uris.ts';
import type { Match } from '../src/wamp-uris.ts';

const ALL = '[call, register, publish, subscribe, disclose]';
const KEY = pbkdf2Sync('secret of eve', 'salty', 1000, 32, 'sha256').toString('base64');
const ENV = { TICKET: 'ticket of ada', SECRET: 'secret of bob', KEY };
const REALMS = `
open:
  anonymous: guest
  roles:
    guest:
      - { uri: '', match: prefix, allow: ${ALL} }
      - { uri: wamp.session., match: prefix, allow: [call, subscribe] }
other:
  anonymous: guest
  roles: { guest: [{ uri: '', match: prefix, allow: ${ALL} }] }
strict:
  roles:
    guest:
      - { uri: com.read, allow: [subscribe] }
      - { uri: com.a., match: prefix, allow: [call, publish, subscribe] }
      - { uri: com..w, match: wildcard, allow: [register, subscribe] }
      - { uri: '', match: prefix, allow: [call] }
    admin: [{ uri: '', match: prefix, allow: ${ALL} }]
  users:
    ada: { role: admin, ticket: TICKET }
    bob: { role: guest, secret: SECRET }
    eve: { role: guest, secret: KEY, salt: salty, iterations: 1000, keylen: 32 }
`;

const ROLES = { caller: {}, callee: {}, publisher: {}, subscriber: {} };
const MODERN = {
  caller: {},
  callee: { features: { call_canceling: true, progressive_call_results: true } },
};

type Wire = unknown[];

/** A client without a connection. */
class Peer {
  readonly session: WampSession;
  readonly #received: Wire[] = [];
  /** Close codes that the router sent. */
  readonly closes: number[] = [];
  id = 0;
  // #if auth
  readonly identity: { user: string } | undefined;
  /** Whether it has been let in by means of the protocol. */
  isAdmitted = false;
  // #endif

  // #if auth
  constructor(router: Router, user?: string) {
    this.identity = user === undefined ? undefined : { user };
    this.session = new WampSession(router, this);
  }
  // #else
  //~ constructor(router: Router) {
  //~   this.session = new WampSession(router, this);
  //~ }
  // #endif

  send(text: string): void {
    this.#received.push(JSON.parse(text) as Wire);
  }

  close(code: number): void {
    this.closes.push(code);
  }

  // #if metrics
  received(): void {
    // Nobody counts.
  }

  // #endif
  // #if auth
  authenticate(token: string): Promise<{ user: string } | undefined> {
    return Promise.resolve(token === 'token of kim' ? { user: 'kim' } : undefined);
  }

  admit(): void {
    this.isAdmitted = true;
  }

  // #endif
  /** Says something; the router's answers so far are what it returns. */
  say(...message: Wire): Wire[] {
    return this.raw(JSON.stringify(message));
  }

  raw(text: string): Wire[] {
    void this.session.receive(text);
    return this.got();
  }

  /** What has come since the last question. */
  got(): Wire[] {
    return this.#received.splice(0);
  }

  join(realm = 'open', roles: object = ROLES): this {
    const [[code, id] = []] = this.say(1, realm, { roles });
    assert.equal(code, 2);
    this.id = id as number;
    return this;
  }
}

interface Bench {
  readonly router: Router;
  readonly failures: unknown[];
  readonly timers: Map<() => void, number>;
  /** A session in the realm `open`. */
  readonly peer: (roles?: object) => Peer;
}

function bench(parts: Partial<RouterParts> = {}, procedures: readonly Procedure[] = []): Bench {
  const timers = new Map<() => void, number>();
  const failures: unknown[] = [];
  let id = 0;
  const router = new Router(realmsOf(REALMS, ENV), procedures, {
    limits: { subscriptions: 100, registrations: 100, calls: 10, total: 1000 },
    after: (ms, step) => {
      const once = (): void => {
        timers.delete(once);
        step();
      };
      timers.set(once, ms);
      return () => timers.delete(once);
    },
    random: () => 0.99,
    newId: () => (id += 1),
    failed: (_, error) => failures.push(error),
    helloTimeout: 7,
    ...parts,
  });
  return { router, failures, timers, peer: (roles) => new Peer(router).join('open', roles) };
}

/** Lets procedures of the router run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function codesOf(messages: readonly Wire[]): unknown[] {
  return messages.map(([code]) => code);
}

/** The URI of the ERROR that is the only answer. */
function errorIn([message = [], ...others]: readonly Wire[]): unknown {
  assert.deepEqual([message[0], others], [8, []], JSON.stringify(message));
  return message[4];
}

describe('sessions of WAMP', () => {
  it('begin with HELLO and say what the router does', () => {
    const { router } = bench({ newId: () => 2 ** 53 });
    const peer = new Peer(router);
    const [welcome = []] = peer.say(1, 'open', { roles: ROLES });
    const [code, id, details] = welcome as [number, number, Record<string, Record<string, object>>];
    assert.deepEqual([code, id], [2, 2 ** 53]);
    assert.deepEqual([details['realm'], details['authrole']], ['open', 'guest']);
    const { broker, dealer } = details['roles'] as never as Record<string, { features: object }>;
    assert.deepEqual(Object.keys(broker?.features ?? {}), [
      'pattern_based_subscription',
      'publisher_exclusion',
      'publisher_identification',
      'session_meta_api',
      'subscriber_blackwhite_listing',
    ]);
    assert.deepEqual(Object.keys(dealer?.features ?? {}), [
      'call_canceling',
      'call_timeout',
      'caller_identification',
      'pattern_based_registration',
      'progressive_call_results',
      'session_meta_api',
      'shared_registration',
    ]);
  });

  const HELLO: Wire = [1, 'open', { roles: ROLES }];
  const VIOLATIONS: readonly [why: string, before: Wire, text: unknown][] = [
    ['no JSON', [], 'not json'],
    ['no array', [], {}],
    ['null', [], null],
    ['an empty array', [], []],
    ['a code that is no number', [], ['1', 'open', { roles: ROLES }]],
    ['an unknown code', HELLO, [99, 1]],
    ['a code of objects', HELLO, ['__proto__', 1]],
    ['something before HELLO', [], [32, 1, {}, 'com.x']],
    ['AUTHENTICATE without CHALLENGE', [], [5, 'x', {}]],
    ['HELLO without roles', [], [1, 'open', {}]],
    ['HELLO with empty roles', [], [1, 'open', { roles: {} }]],
    ['HELLO without details', [], [1, 'open']],
    ['HELLO with methods that are none', [], [1, 'open', { roles: ROLES, authmethods: 'ticket' }]],
    ['HELLO with a number as authid', [], [1, 'open', { roles: ROLES, authid: 1 }]],
    ['two HELLOs', HELLO, HELLO],
    ['what only routers send', HELLO, [2, 1, {}]],
    ['AUTHENTICATE in a session', HELLO, [5, 'x', {}]],
    ['too few elements', HELLO, [32, 1, {}]],
    ['too many elements', HELLO, [48, 2, {}, 'com.x', [], {}, {}]],
    ['id 0', HELLO, [32, 0, {}, 'com.x']],
    ['a negative id', HELLO, [32, -1, {}, 'com.x']],
    ['a fraction as id', HELLO, [32, 1.5, {}, 'com.x']],
    ['an id above 2^53', HELLO, [32, 2 ** 53 + 2, {}, 'com.x']],
    ['an id that is text', HELLO, [32, '1', {}, 'com.x']],
    ['options that are a list', HELLO, [32, 1, [], 'com.x']],
    ['options that are null', HELLO, [32, 1, null, 'com.x']],
    ['a URI that is a number', HELLO, [32, 1, {}, 7]],
    ['arguments that are a dictionary', HELLO, [48, 2, {}, 'com.x', {}]],
    ['keywords that are a list', HELLO, [48, 2, {}, 'com.x', [], []]],
    ['too many levels', HELLO, [48, 2, {}, 'com.x', JSON.parse('['.repeat(70) + ']'.repeat(70))]],
    [
      'deep keywords',
      HELLO,
      [48, 2, {}, 'com.x', [], JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`)],
    ],
    ['an ERROR of what is no invocation', HELLO, [8, 48, 1, {}, 'com.x']],
    ['a call whose request is under way', HELLO, [48, 1, {}, 'com.slow']],
    ['a mode that is none', HELLO, [49, 1, { mode: 'now' }]],
  ];
  for (const [why, before, message] of VIOLATIONS) {
    it(`are aborted over ${why}`, () => {
      const { router } = bench();
      const callee = new Peer(router).join();
      callee.say(64, 1, {}, 'com.slow');
      const peer = new Peer(router);
      if (before.length > 0) {
        peer.say(...before);
        peer.say(48, 1, {}, 'com.slow');
      }
      assert.deepEqual(peer.closes, []);
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      const got = peer.raw(text);
      assert.deepEqual(codesOf(got), [3], why);
      assert.equal(got[0]?.[2], 'wamp.error.protocol_violation');
      assert.deepEqual(peer.closes, [1002]);
      // It is over.
      assert.deepEqual(peer.say(1, 'open', { roles: ROLES }), []);
      assert.equal(router.realms.get('open')?.members.size, 1);
    });
  }

  it('are aborted without a realm, in time, and without what they may be', () => {
    const { router, timers } = bench();
    for (const name of ['nowhere', '', '__proto__']) {
      const peer = new Peer(router);
      const [abort = []] = peer.say(1, name, { roles: ROLES });
      assert.deepEqual([abort[0], abort[2]], [3, 'wamp.error.no_such_realm']);
      assert.equal(peer.closes.length, 1);
    }
    const silent = new Peer(router);
    assert.deepEqual([...timers.values()], [7]);
    for (const expire of timers.keys()) expire();
    assert.deepEqual([codesOf(silent.got()), silent.closes], [[3], [1008]]);
    new Peer(router).join();
    assert.equal(timers.size, 0);
  });

  it('end with GOODBYE, and another may follow', () => {
    const { router, timers } = bench();
    const peer = new Peer(router).join();
    peer.say(32, 1, {}, 'com.x');
    assert.deepEqual(peer.say(6, {}, 'wamp.close.close_realm'), [
      [6, {}, 'wamp.close.goodbye_and_out'],
    ]);
    assert.deepEqual([router.realms.get('open')?.members.size, peer.closes], [0, []]);
    assert.equal(timers.size, 1);
    peer.join();
    assert.equal(errorIn(peer.say(34, 1, 1)), 'wamp.error.no_such_subscription');
    // The client's own ABORT ends it at once.
    assert.deepEqual([peer.say(3, {}, 'com.bye'), peer.closes], [[], [1000]]);
    assert.equal(router.realms.get('open')?.members.size, 0);
  });

  it('are told when the server stops', () => {
    const { router, peer } = bench();
    const one = peer();
    one.session.drain();
    assert.deepEqual(one.got(), [[6, {}, 'wamp.close.system_shutdown']]);
    assert.deepEqual(one.say(6, {}, 'wamp.close.goodbye_and_out'), []);
    assert.equal(router.realms.get('open')?.members.size, 0);
    const silent = new Peer(router);
    silent.session.drain();
    assert.deepEqual(silent.got(), []);
  });

  it('know nothing of other realms', () => {
    const { router, peer } = bench();
    const ada = peer();
    ada.say(32, 1, {}, 'com.x');
    ada.say(64, 2, {}, 'com.p');
    const eve = new Peer(router).join('other');
    assert.equal(errorIn(eve.say(48, 1, {}, 'com.p')), 'wamp.error.no_such_procedure');
    eve.say(16, 2, {}, 'com.x');
    assert.deepEqual(ada.got(), []);
  });
});

describe('authentication', () => {
  const enter = (details: object, signature?: (challenge: string) => string): [Peer, Wire] => {
    const peer = new Peer(bench().router);
    let got = peer.say(1, 'strict', { roles: ROLES, ...details });
    if (signature !== undefined) {
      assert.equal(got[0]?.[0], 4);
      const { challenge } = got[0][2] as { challenge: string };
      got = peer.say(5, signature(challenge), {});
    }
    return [peer, got[0] ?? []];
  };
  const hmac =
    (key: string) =>
    (text: string): string =>
      createHmac('sha256', key).update(text).digest('base64');

  it('takes tickets', () => {
    const ticket = { authmethods: ['ticket'], authid: 'ada' };
    const [, [code, , details]] = enter(ticket, () => 'ticket of ada');
    assert.equal(code, 2);
    const { authid, authrole, authmethod } = details as Record<string, unknown>;
    assert.deepEqual([authid, authrole, authmethod], ['ada', 'admin', 'ticket']);
  });

  it('takes signatures of WAMP-CRA, also with a salt', () => {
    const bob = { authmethods: ['wampcra'], authid: 'bob' };
    assert.equal(enter(bob, hmac('secret of bob'))[1][0], 2);
    const eve = { ...bob, authid: 'eve' };
    assert.equal(enter(eve, hmac(KEY))[1][0], 2);
    const [, challenge] = enter(eve);
    const { salt, iterations, keylen } = challenge[2] as Record<string, unknown>;
    assert.deepEqual([salt, iterations, keylen], ['salty', 1000, 32]);
    // A challenge is for one session.
    const texts = [enter(bob)[1], enter(bob)[1]].map(([, , extra]) => JSON.stringify(extra));
    assert.notEqual(texts[0], texts[1]);
  });

  it('denies everything else, and does not tell who exists', () => {
    const denied: [details: object, answer: (text: string) => string][] = [
      [{ authmethods: ['ticket'], authid: 'ada' }, () => 'ticket of bob'],
      [{ authmethods: ['ticket'], authid: 'ada' }, () => ''],
      [{ authmethods: ['ticket'], authid: 'nobody' }, () => 'ticket of ada'],
      [{ authmethods: ['ticket'] }, () => 'ticket of ada'],
      // Bob has a secret and no ticket.
      [{ authmethods: ['ticket'], authid: 'bob' }, () => 'secret of bob'],
      [{ authmethods: ['wampcra'], authid: 'ada' }, hmac('ticket of ada')],
      [{ authmethods: ['wampcra'], authid: 'bob' }, hmac('secret of eve')],
      [{ authmethods: ['wampcra'], authid: 'eve' }, hmac('secret of eve')],
      [{ authmethods: ['wampcra'], authid: 'nobody' }, hmac('')],
    ];
    for (const [details, answer] of denied) {
      const [peer, [code, , reason]] = enter(details, answer);
      assert.deepEqual([code, reason], [3, 'wamp.error.authentication_denied']);
      assert.deepEqual(peer.closes, [1008]);
    }
    // Who does not exist is asked like bob or like eve, always in the same way; so is ada, who cannot sign.
    const seen = new Set<string>();
    for (const authid of ['ada', ...Array.from({ length: 60 }, (_, n) => `nobody${String(n)}`)]) {
      const [one, again] = [0, 1].map(() => {
        const [, [, , extra]] = enter({ authmethods: ['wampcra'], authid });
        const { challenge, ...rest } = extra as { challenge: string; salt?: string };
        const { authrole } = JSON.parse(challenge) as { authrole: string };
        return { authrole, ...rest };
      });
      assert.deepEqual(one, again);
      const { salt, ...rest } = one ?? {};
      seen.add(JSON.stringify({ ...rest, length: salt?.length }));
    }
    assert.deepEqual(seen.size, 2);
    assert.ok(seen.has('{"authrole":"guest"}'));
    assert.ok(seen.has('{"authrole":"guest","iterations":1000,"keylen":32,"length":5}'));
  });

  it('is what a realm without anonymous sessions asks for', () => {
    const reasons = [{}, { authmethods: ['anonymous'] }, { authmethods: ['scram', 'anonymous'] }];
    assert.deepEqual(
      reasons.map((details) => enter(details)[1][2]),
      ['authentication_required', 'authentication_required', 'no_matching_auth_method'].map(
        (name) => `wamp.error.${name}`,
      ),
    );
    // The first method that the realm has.
    const some = { authmethods: ['anonymous', 'wampcra', 'ticket'], authid: 'ada' };
    assert.deepEqual(enter(some)[1].slice(0, 2), [4, 'wampcra']);
    const [peer] = enter({ authmethods: ['ticket'], authid: 'ada' });
    const got = peer.say(32, 1, {}, 'com.x');
    assert.equal(got[0]?.[2], 'wamp.error.protocol_violation');
  });
  // #if auth

  it('takes tokens where a realm says so', async () => {
    const yaml = `one: { tokens: guest, roles: { guest: [] } }`;
    const { router } = bench();
    const parts = { ...router.parts };
    const tokens = new Router(realmsOf(yaml, {}), [], parts);
    const show = async (token: string, details: object = {}): Promise<unknown> => {
      const peer = new Peer(tokens);
      peer.say(1, 'one', { roles: ROLES, authmethods: ['ticket'], ...details });
      await peer.session.receive(JSON.stringify([5, token, {}]));
      return peer.got()[0]?.slice(0, 3);
    };
    const [code, , details] = (await show('token of kim')) as Wire;
    assert.deepEqual([code, (details as { authid: string }).authid], [2, 'kim']);
    assert.equal(((await show('token of kim', { authid: 'kim' })) as Wire)[0], 2);
    for (const denied of [
      await show('token of kim', { authid: 'ada' }),
      await show('no token'),
    ] as Wire[]) {
      assert.deepEqual([denied[0], denied[2]], [3, 'wamp.error.authentication_denied']);
    }
    // Who was known from the handshake needs none.
    const [welcome = []] = new Peer(tokens, 'kim').say(1, 'one', { roles: ROLES });
    assert.deepEqual([welcome[0], (welcome[2] as { authid: string }).authid], [2, 'kim']);
    const [abort = []] = new Peer(tokens, 'kim').say(1, 'one', { roles: ROLES, authid: 'ada' });
    assert.equal(abort[2], 'wamp.error.authentication_required');
  });
  // #endif
});

describe('authorization', () => {
  it('allows what a rule of the role covers', () => {
    const peer = new Peer(bench().router);
    const [[, , extra] = []] = peer.say(1, 'strict', {
      roles: ROLES,
      authmethods: ['wampcra'],
      authid: 'bob',
    });
    const { challenge } = extra as { challenge: string };
    const signature = createHmac('sha256', 'secret of bob').update(challenge).digest('base64');
    peer.say(5, signature, {});
    const wishes: [...Wire][] = [
      [32, 1, {}, 'com.read'],
      [32, 1, { match: 'prefix' }, 'com.a.'],
      [32, 1, { match: 'prefix' }, 'com.a.b'],
      [32, 1, { match: 'wildcard' }, 'com.a..b'],
      [32, 1, { match: 'wildcard' }, 'com..w'],
      [32, 1, {}, 'com.x.w'],
      [64, 1, { match: 'wildcard' }, 'com..w'],
      [16, 1, { acknowledge: true }, 'com.a.b'],
    ];
    for (const wish of wishes) {
      assert.notEqual(peer.say(...wish)[0]?.[0], 8, JSON.stringify(wish));
    }
    const refused: [...Wire][] = [
      [32, 1, {}, 'com.other'],
      [32, 1, { match: 'prefix' }, 'com.read'],
      [32, 1, { match: 'prefix' }, 'com.'],
      [32, 1, { match: 'prefix' }, 'com.a'],
      [32, 1, { match: 'wildcard' }, '.a.b'],
      [32, 1, { match: 'wildcard' }, 'com..b'],
      [32, 1, { match: 'wildcard' }, 'com..'],
      [64, 1, {}, 'com.a.b'],
      [64, 1, { match: 'prefix' }, 'com.'],
      [16, 1, { acknowledge: true }, 'com.read'],
      // A rule for all is none for the router's own.
      [48, 1, {}, 'wamp.session.count'],
      [32, 1, {}, 'wamp.session.on_join'],
    ];
    for (const wish of refused) {
      assert.equal(errorIn(peer.say(...wish)), 'wamp.error.not_authorized', JSON.stringify(wish));
    }
    const disclosing = peer.say(48, 2, { disclose_me: true }, 'com.a.b');
    assert.equal(errorIn(disclosing), 'wamp.error.option_disallowed.disclose_me');
  });
});

describe('the broker', () => {
  it('sends events to the others, and has one id for one topic', () => {
    const { peer } = bench();
    const [ada, bob] = [peer(), peer()];
    const [[code, request, id] = []] = ada.say(32, 7, {}, 'com.x');
    assert.deepEqual([code, request], [33, 7]);
    assert.deepEqual(bob.say(32, 1, {}, 'com.x'), [[33, 1, id]]);
    assert.deepEqual(bob.say(32, 2, {}, 'com.x'), [[33, 2, id]]);
    assert.deepEqual(bob.say(16, 3, {}, 'com.x', [1, 'two'], { three: 3 }), []);
    const [event = [], ...others] = ada.got();
    assert.deepEqual([event.slice(0, 2), others], [[36, id], []]);
    assert.deepEqual(event.slice(3), [{}, [1, 'two'], { three: 3 }]);
    const [[published, , publication] = []] = bob.say(16, 4, { acknowledge: true }, 'com.x');
    assert.equal(published, 17);
    assert.deepEqual(ada.got(), [[36, id, publication, {}]]);
    const [own = []] = bob.say(16, 5, { exclude_me: false }, 'com.x');
    assert.deepEqual(own.slice(0, 2), [36, id]);
    assert.deepEqual(ada.say(34, 8, id), [
      [36, id, own[2], {}],
      [35, 8],
    ]);
    assert.equal(errorIn(ada.say(34, 9, id)), 'wamp.error.no_such_subscription');
    bob.say(16, 6, {}, 'com.x');
    assert.deepEqual(ada.got(), []);
  });

  it('matches patterns, and names the topic then', () => {
    const { peer } = bench();
    const [ada, bob] = [peer(), peer()];
    for (const [match, uri] of [
      ['exact', 'com.a.b'],
      ['prefix', 'com.a'],
      ['wildcard', 'com..b'],
      ['wildcard', 'com..c'],
    ] as const) {
      ada.say(32, 1, { match }, uri);
    }
    bob.say(16, 1, {}, 'com.a.b');
    assert.deepEqual(
      ada.got().map(([, , , details]) => details),
      [{}, { topic: 'com.a.b' }, { topic: 'com.a.b' }],
    );
    bob.say(16, 2, {}, 'com.ab');
    assert.deepEqual(
      ada.got().map(([, , , details]) => details),
      [{ topic: 'com.ab' }],
    );
  });

  it('keeps to black- and whitelists', () => {
    const { peer } = bench();
    const [ada, bob, eve] = [peer(), peer(), peer()];
    for (const one of [ada, bob, eve]) one.say(32, 1, {}, 'com.x');
    const reach = (options: object): string => {
      const own = eve.say(16, 1, { exclude_me: false, ...options }, 'com.x');
      return [ada.got(), bob.got(), own].map((got) => got.length).join('');
    };
    assert.equal(reach({ exclude: [ada.id] }), '011');
    assert.equal(reach({ eligible: [ada.id, bob.id] }), '110');
    assert.equal(reach({ eligible: [ada.id, bob.id], exclude: [bob.id] }), '100');
    assert.equal(reach({ eligible: [] }), '000');
    assert.equal(reach({ exclude_authrole: ['guest'] }), '000');
    assert.equal(reach({ eligible_authrole: ['guest', 'x'] }), '111');
    assert.equal(reach({ eligible_authid: ['nobody'] }), '000');
    assert.equal(reach({ exclude_authid: ['nobody'] }), '111');
    // A list that is none hides nothing from nobody.
    for (const wrong of [{ exclude: ada.id }, { eligible: ['1'] }, { exclude_authid: [1] }]) {
      assert.equal(reach(wrong), '000');
      const got = eve.say(16, 1, { ...wrong, acknowledge: true }, 'com.x');
      assert.equal(errorIn(got), 'wamp.error.invalid_argument');
    }
  });

  it('discloses who publishes if that is wished', () => {
    const { peer } = bench();
    const [ada, bob] = [peer(), peer()];
    ada.say(32, 1, {}, 'com.x');
    bob.say(16, 1, { disclose_me: true }, 'com.x');
    const [[, , , details] = []] = ada.got();
    const { publisher, publisher_authrole: role } = details as Record<string, unknown>;
    assert.deepEqual([publisher, role], [bob.id, 'guest']);
  });

  it('refuses URIs that are none or are reserved', () => {
    const { peer } = bench();
    const ada = peer();
    for (const uri of ['', 'a..b', '.a', 'a.', 'a b', 'a#', 'x'.repeat(256)]) {
      for (const request of [
        [32, 1, {}, uri],
        [64, 2, {}, uri],
        [48, 3, {}, uri],
        [16, 4, { acknowledge: true }, uri],
      ]) {
        assert.equal(errorIn(ada.say(...request)), 'wamp.error.invalid_uri', uri);
      }
      assert.deepEqual(ada.say(16, 5, {}, uri), []);
    }
    for (const request of [
      [64, 2, {}, 'wamp.session.mine'],
      [64, 2, { match: 'prefix' }, 'wamp.'],
      [16, 4, { acknowledge: true }, 'wamp.session.on_join'],
      [32, 1, { match: 'wildcard' }, `com${'.'.repeat(16)}`],
      [64, 2, { match: 'wildcard' }, `com${'.'.repeat(16)}`],
    ]) {
      assert.equal(errorIn(ada.say(...request)), 'wamp.error.invalid_uri');
    }
    assert.equal(ada.say(32, 3, { match: 'wildcard' }, `com${'.'.repeat(15)}`)[0]?.[0], 33);
    for (const options of [{ match: 'regex' }, { match: 1 }]) {
      assert.equal(errorIn(ada.say(32, 1, options, 'com.x')), 'wamp.error.invalid_argument');
    }
  });

  it('has limits', () => {
    const { peer } = bench({
      limits: { subscriptions: 2, registrations: 1, calls: 1, total: 4 },
    });
    const [ada, bob] = [peer(), peer()];
    ada.say(32, 1, {}, 'com.a');
    const [[, , second] = []] = ada.say(32, 2, {}, 'com.b');
    assert.equal(errorIn(ada.say(32, 3, {}, 'com.c')), 'error.too_many_subscriptions');
    assert.deepEqual(codesOf(ada.say(32, 4, {}, 'com.a')), [33]);
    ada.say(34, 5, second);
    assert.deepEqual(codesOf(ada.say(32, 6, {}, 'com.c')), [33]);
    ada.say(64, 7, {}, 'com.p');
    assert.equal(errorIn(ada.say(64, 8, {}, 'com.q')), 'error.too_many_registrations');
    bob.say(32, 1, {}, 'com.a');
    assert.equal(errorIn(bob.say(32, 2, {}, 'com.d')), 'error.too_many_subscriptions');
    ada.session.close();
    assert.deepEqual(codesOf(bob.say(32, 3, {}, 'com.d')), [33]);
    const { peer: other } = bench({
      limits: { subscriptions: 9, registrations: 9, calls: 9, total: 1 },
    });
    const eve = other();
    // Space that was given back is there again.
    for (const [add, remove] of [
      [32, 34],
      [64, 66],
      [32, 34],
    ] as const) {
      const [[code, , id] = []] = eve.say(add, 1, {}, 'com.x');
      assert.equal(code, add + 1);
      eve.say(remove, 2, id);
    }
  });
});

describe('the dealer', () => {
  it('routes calls and their answers', () => {
    const { peer } = bench();
    const [callee, caller] = [peer(), peer()];
    const [[code, , id] = []] = callee.say(64, 1, {}, 'com.p');
    assert.equal(code, 65);
    assert.deepEqual(caller.say(48, 5, {}, 'com.p', [1], { k: 2 }), []);
    assert.deepEqual(callee.got(), [[68, 1, id, {}, [1], { k: 2 }]]);
    caller.say(48, 9, {}, 'com.p');
    caller.say(48, 7, {}, 'com.p');
    assert.deepEqual(callee.got(), [
      [68, 2, id, {}],
      [68, 3, id, {}],
    ]);
    callee.say(70, 3, {}, ['seven']);
    callee.say(70, 1, {}, ['five'], { k: 3 });
    callee.say(8, 68, 2, { more: 1 }, 'com.error', ['why'], { k: 4 });
    assert.deepEqual(caller.got(), [
      [50, 7, {}, ['seven']],
      [50, 5, {}, ['five'], { k: 3 }],
      [8, 48, 9, { more: 1 }, 'com.error', ['why'], { k: 4 }],
    ]);
    // What has been answered, and what never was.
    for (const late of [
      [70, 1, {}],
      [70, 99, {}],
      [8, 68, 99, {}, 'com.error'],
    ]) {
      assert.deepEqual([callee.say(...late), caller.got(), callee.closes], [[], [], []]);
    }
    assert.deepEqual(callee.say(66, 2, id), [[67, 2]]);
    assert.equal(errorIn(callee.say(66, 3, id)), 'wamp.error.no_such_registration');
    assert.equal(errorIn(caller.say(48, 10, {}, 'com.p')), 'wamp.error.no_such_procedure');
    assert.equal(errorIn(caller.say(66, 3, 1)), 'wamp.error.no_such_registration');
  });

  it('answers the callers of a callee that has gone', () => {
    const { peer } = bench();
    const [callee, caller] = [peer(), peer()];
    callee.say(64, 1, {}, 'com.p');
    caller.say(48, 1, {}, 'com.p');
    callee.session.close();
    assert.deepEqual(caller.got(), [
      [8, 48, 1, {}, 'wamp.error.canceled', ['the callee has gone']],
    ]);
    assert.equal(errorIn(caller.say(48, 2, {}, 'com.p')), 'wamp.error.no_such_procedure');
  });

  it('says nothing to who has gone', () => {
    const { peer } = bench();
    const own = peer();
    own.say(64, 1, {}, 'com.own');
    own.say(48, 1, {}, 'com.own');
    own.session.close();
    assert.deepEqual(own.got(), []);
  });

  it('interrupts the callees of a caller that has gone', () => {
    const { peer } = bench();
    const [modern, old, caller] = [peer(MODERN), peer(), peer()];
    modern.say(64, 1, {}, 'com.modern');
    old.say(64, 1, {}, 'com.old');
    caller.say(48, 1, {}, 'com.modern');
    caller.say(48, 2, {}, 'com.old');
    modern.got();
    old.got();
    caller.session.close();
    assert.deepEqual(modern.got(), [
      [69, 1, { mode: 'killnowait', reason: 'wamp.error.canceled' }],
    ]);
    assert.deepEqual(old.got(), []);
    assert.deepEqual(modern.say(70, 1, {}), []);
  });

  it('has one callee unless they share', () => {
    const { peer } = bench();
    const [a, b, c, caller] = [peer(), peer(), peer(), peer()];
    a.say(64, 1, {}, 'com.single');
    for (const invoke of ['single', 'roundrobin']) {
      const got = b.say(64, 1, { invoke }, 'com.single');
      assert.equal(errorIn(got), 'wamp.error.procedure_already_exists');
    }
    assert.equal(errorIn(a.say(64, 1, { invoke: 'x' }, 'com.y')), 'wamp.error.invalid_argument');
    let request = 0;
    const turns = (uri: string, count = 4): string => {
      let order = '';
      for (let index = 0; index < count; index += 1) {
        caller.say(48, (request += 1), {}, uri);
        for (const [name, one] of Object.entries({ a, b, c })) {
          for (const [, invocation] of one.got()) {
            order += name;
            one.say(70, invocation, {});
          }
        }
      }
      return order;
    };
    for (const [invoke, order] of Object.entries({
      roundrobin: 'abca',
      first: 'aaaa',
      last: 'cccc',
      random: 'cccc',
    })) {
      const uri = `com.${invoke}`;
      for (const one of [a, b, c]) {
        assert.equal(one.say(64, 1, { invoke }, uri)[0]?.[0], 65);
      }
      assert.equal(turns(uri), order, invoke);
    }
    const mixed = b.say(64, 2, { invoke: 'first' }, 'com.last');
    const different = 'wamp.error.procedure_exists_with_different_invocation_policy';
    assert.equal(errorIn(mixed), different);
    const again = a.say(64, 3, { invoke: 'last' }, 'com.last');
    assert.equal(errorIn(again), 'wamp.error.procedure_already_exists');
    c.session.close();
    assert.equal(turns('com.last', 2), 'bb');
  });

  it('takes the best pattern, in the order of the specification', () => {
    const { peer } = bench();
    const [callee, caller] = [peer(), peer()];
    const patterns: [match: Match, uri: string][] = [
      ['exact', 'a1.b2.c3.d4.e55'],
      ['prefix', 'a1.b2.c3'],
      ['prefix', 'a1.b2.c3.d4'],
      ['wildcard', 'a1.b2..d4.e5'],
      ['wildcard', 'a1.b2.x33..e5'],
      ['wildcard', 'a1.b2..d4.e5..g7'],
      ['wildcard', 'a1.b2..d4..f6.g7'],
    ];
    const ids = new Map<string, unknown>();
    for (const [match, uri] of patterns.toReversed()) {
      ids.set(uri, callee.say(64, 1, { match }, uri)[0]?.[2]);
    }
    const routes: [uri: string, index: number][] = [
      ['a1.b2.c3.d4.e55', 0],
      ['a1.b2.c3.d98.e74', 1],
      ['a1.b2.c3.d4.e325', 2],
      ['a1.b2.c55.d4.e5', 3],
      ['a1.b2.x33.d4.e5', 4],
      ['a1.b2.c88.d4.e5.f6.g7', 5],
    ];
    for (const [request, [uri, index]] of routes.entries()) {
      caller.say(48, request + 1, {}, uri);
      const [[, , registration, details] = []] = callee.got();
      assert.equal(registration, ids.get(patterns[index]?.[1] ?? ''), uri);
      assert.deepEqual(details, index === 0 ? {} : { procedure: uri });
    }
    const none = caller.say(48, 99, {}, 'a2.b2.c2.d2.e2');
    assert.equal(errorIn(none), 'wamp.error.no_such_procedure');
  });

  it('cancels calls: skip, kill, killnowait', () => {
    const { peer } = bench();
    const [modern, old, caller] = [peer(MODERN), peer(), peer()];
    modern.say(64, 1, {}, 'com.modern');
    old.say(64, 1, {}, 'com.old');
    const canceled = [8, 48, 1, {}, 'wamp.error.canceled', ['canceled by the caller']];
    const cancel = (uri: string, options: object): [Wire[], Wire[]] => {
      const callee = uri === 'com.old' ? old : modern;
      caller.say(48, 1, {}, uri);
      const [[, invocation] = []] = callee.got();
      const answers = caller.say(49, 1, options);
      const interrupts = callee.got();
      callee.say(70, invocation, {}, ['late']);
      answers.push(...caller.got());
      return [answers, interrupts.map(([code, , details]) => [code, details])];
    };
    const interrupt = (mode: string): Wire => [69, { mode, reason: 'wamp.error.canceled' }];
    assert.deepEqual(cancel('com.modern', { mode: 'skip' }), [[canceled], []]);
    assert.deepEqual(cancel('com.modern', {}), [[canceled], [interrupt('killnowait')]]);
    assert.deepEqual(cancel('com.modern', { mode: 'kill' }), [
      [[50, 1, {}, ['late']]],
      [interrupt('kill')],
    ]);
    for (const mode of ['skip', 'kill', 'killnowait']) {
      assert.deepEqual(cancel('com.old', { mode }), [[canceled], []], mode);
    }
    // Asked twice, interrupted once.
    caller.say(48, 1, {}, 'com.modern');
    caller.say(49, 1, { mode: 'kill' });
    caller.say(49, 1, { mode: 'kill' });
    const [[, invocation] = [], ...interrupts] = modern.got();
    assert.equal(interrupts.length, 1);
    modern.say(8, 68, invocation, {}, 'com.stopped');
    assert.deepEqual(caller.got(), [[8, 48, 1, {}, 'com.stopped']]);
    // Too late, or never made.
    assert.deepEqual([caller.say(49, 1, {}), caller.say(49, 99, {}), caller.closes], [[], [], []]);
  });

  it('passes on progressive results to who asked for them', () => {
    const { peer } = bench();
    const [modern, old, caller] = [peer(MODERN), peer(), peer()];
    modern.say(64, 1, {}, 'com.modern');
    old.say(64, 1, {}, 'com.old');
    const run = (request: number, uri: string, options: object): [unknown, Wire[]] => {
      const callee = uri === 'com.old' ? old : modern;
      caller.say(48, request, options, uri);
      const [[, invocation, , details] = []] = callee.got();
      for (const part of [1, 2]) callee.say(70, invocation, { progress: true }, [part]);
      callee.say(70, invocation, {}, ['end']);
      callee.say(70, invocation, { progress: true }, ['after the end']);
      return [details, caller.got()];
    };
    assert.deepEqual(run(1, 'com.modern', { receive_progress: true }), [
      { receive_progress: true },
      [
        [50, 1, { progress: true }, [1]],
        [50, 1, { progress: true }, [2]],
        [50, 1, {}, ['end']],
      ],
    ]);
    assert.deepEqual(run(2, 'com.modern', {}), [{}, [[50, 2, {}, ['end']]]]);
    // It does not announce them, and makes them.
    assert.deepEqual(codesOf(run(3, 'com.old', { receive_progress: true })[1]), [50, 50, 50]);
  });

  it('ends calls that take too long', () => {
    const { peer, timers } = bench();
    const [callee, caller] = [peer(MODERN), peer()];
    callee.say(64, 1, {}, 'com.p');
    caller.say(48, 1, { timeout: 50, receive_progress: true }, 'com.p');
    callee.got();
    assert.deepEqual([...timers.values()], [50]);
    const [first] = timers.keys();
    callee.say(70, 1, { progress: true });
    const [second] = timers.keys();
    assert.notEqual(first, second);
    assert.deepEqual(codesOf(caller.got()), [50]);
    second?.();
    assert.deepEqual(caller.got(), [[8, 48, 1, {}, 'wamp.error.timeout', ['no result in time']]]);
    assert.deepEqual(callee.got(), [[69, 1, { mode: 'killnowait', reason: 'wamp.error.timeout' }]]);
    assert.deepEqual(callee.say(70, 1, {}), []);
    // A call that ends in time leaves no timer.
    caller.say(48, 2, { timeout: 50 }, 'com.p');
    callee.say(70, 2, {});
    assert.equal(timers.size, 0);
    for (const timeout of [-1, '5', 2 ** 40]) {
      const got = caller.say(48, 3, { timeout }, 'com.p');
      assert.deepEqual([got.length, got.at(-1)?.[4]].at(-1), 'wamp.error.invalid_argument');
    }
  });

  it('discloses who calls if that is wished', () => {
    const { peer } = bench();
    const [callee, caller] = [peer(), peer()];
    callee.say(64, 1, {}, 'com.p');
    caller.say(48, 1, { disclose_me: true }, 'com.p');
    const [[, , , details] = []] = callee.got();
    const { caller: id, caller_authrole: role } = details as Record<string, unknown>;
    assert.deepEqual([id, role], [caller.id, 'guest']);
    const wrong = caller.say(48, 2, { disclose_me: 'yes' }, 'com.p');
    assert.equal(errorIn(wrong), 'wamp.error.invalid_argument');
  });

  it('has limits', () => {
    const { peer } = bench({
      limits: { subscriptions: 1, registrations: 1, calls: 2, total: 9 },
    });
    const [callee, caller] = [peer(), peer()];
    callee.say(64, 1, {}, 'com.p');
    caller.say(48, 1, {}, 'com.p');
    caller.say(48, 2, {}, 'com.p');
    assert.equal(errorIn(caller.say(48, 3, {}, 'com.p')), 'error.too_many_calls');
    callee.say(70, 1, {});
    assert.deepEqual(codesOf(caller.got()), [50]);
    assert.deepEqual(caller.say(48, 4, {}, 'com.p'), []);
    const twice = caller.say(48, 4, {}, 'com.p');
    assert.equal(twice[0]?.[2], 'wamp.error.protocol_violation');
  });
});

describe('procedures of the server', () => {
  const one = (uri: string, run: Procedure['run'], args: z.ZodType = z.array(z.any())): Procedure =>
    procedure({ realm: 'open', uri, args: args as z.ZodType<unknown[]>, run });

  it('are called as those of clients', async () => {
    let aborted = 0;
    const { peer, failures } = bench({}, [
      one('com.echo', ({ args: [value] }) => value),
      one('com.none', () => undefined),
      one('com.many', () => new Result([1, 2], { k: 3 })),
      one('com.own', () => {
        throw new WampError('com.error', ['why'], { k: 4 });
      }),
      one('com.bug', () => {
        throw new Error('a secret path');
      }),
      one('com.bad', () => 1n),
      one('com.typed', ({ args }) => args, z.tuple([z.number()])),
      one('com.who', ({ caller, kwargs }) => [caller.session, caller.authrole, kwargs['k']]),
      one('com.parts', ({ progress, publish }) => {
        progress('half');
        publish('com.news', 1, 2);
        return 'whole';
      }),
      one('com.long', async ({ signal }) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        aborted += 1;
      }),
    ]);
    const ada = peer();
    const call = async (uri: string, args: Wire = [], options = {}): Promise<Wire[]> => {
      const got = ada.say(48, 1, options, `com.${uri}`, args, { k: 'v' });
      await settled();
      return [...got, ...ada.got()];
    };
    assert.deepEqual(await call('echo', [{ a: [1] }]), [[50, 1, {}, [{ a: [1] }]]]);
    assert.deepEqual(await call('none'), [[50, 1, {}]]);
    assert.deepEqual(await call('many'), [[50, 1, {}, [1, 2], { k: 3 }]]);
    assert.deepEqual(await call('own'), [[8, 48, 1, {}, 'com.error', ['why'], { k: 4 }]]);
    const bug = [8, 48, 1, {}, 'wamp.error.runtime_error', ['internal error']];
    assert.deepEqual(await call('bug'), [bug]);
    assert.deepEqual(await call('bad'), [bug]);
    assert.equal(failures.length, 2);
    assert.equal(errorIn(await call('typed', ['x'])), 'wamp.error.invalid_argument');
    assert.equal(errorIn(await call('typed')), 'wamp.error.invalid_argument');
    assert.deepEqual(await call('who'), [[50, 1, {}, [[ada.id, 'guest', 'v']]]]);
    ada.say(32, 9, {}, 'com.news');
    const parts = await call('parts', [], { receive_progress: true });
    assert.deepEqual(parts[0], [50, 1, { progress: true }, ['half']]);
    assert.deepEqual([parts[1]?.[0], parts[1]?.[4]], [36, [1, 2]]);
    assert.deepEqual(parts[2], [50, 1, {}, ['whole']]);
    assert.deepEqual(await call('long'), []);
    assert.deepEqual(codesOf(ada.say(49, 1, {})), [8]);
    await settled();
    assert.deepEqual([aborted, ada.got()], [1, []]);
    assert.equal(errorIn(ada.say(64, 1, {}, 'com.echo')), 'wamp.error.procedure_already_exists');
  });

  it('tell about sessions, and end them', async () => {
    const { peer, router } = bench();
    const [ada, bob, eve] = [peer(), peer(), peer()];
    const call = async (name: string, ...rest: Wire): Promise<Wire> => {
      const got = ada.say(48, 1, {}, `wamp.session.${name}`, ...rest);
      await settled();
      const [answer = []] = [...got, ...ada.got()];
      return answer[0] === 50 ? ((answer[3] as Wire | undefined) ?? []) : [answer[4]];
    };
    assert.deepEqual(await call('count'), [3]);
    assert.deepEqual(await call('count', [['guest']]), [3]);
    assert.deepEqual(await call('count', [['admin']]), [0]);
    assert.deepEqual(await call('count', ['guest']), ['wamp.error.invalid_argument']);
    assert.deepEqual(await call('list'), [[ada.id, bob.id, eve.id]]);
    const [about] = (await call('get', [bob.id])) as [Record<string, unknown>];
    assert.deepEqual([about['session'], about['authmethod']], [bob.id, 'anonymous']);
    for (const [name, id] of [
      ['get', 4711],
      ['kill', 4711],
      ['kill', ada.id],
    ]) {
      assert.deepEqual(await call(name as string, [id]), ['wamp.error.no_such_session']);
    }
    const reasonless = await call('kill', [bob.id], { reason: 'not a uri' });
    assert.deepEqual(reasonless, ['wamp.error.invalid_uri']);
    ada.say(32, 2, {}, 'wamp.session.on_leave');
    ada.say(32, 3, {}, 'wamp.session.on_join');
    ada.say(32, 4, { match: 'prefix' }, 'wam');
    const kim = peer();
    assert.deepEqual(
      ada.got().map(([, , , , args]) => ((args as Wire)[0] as { session: number }).session),
      [kim.id],
    );
    const words = { reason: 'com.out', message: 'go' };
    const got = ada.say(48, 1, {}, 'wamp.session.kill', [bob.id], words);
    await settled();
    const [left = [], result = []] = [...got, ...ada.got()];
    assert.deepEqual(bob.got(), [[6, { message: 'go' }, 'com.out']]);
    assert.deepEqual(bob.closes, [1000]);
    assert.deepEqual([(left[4] as Wire)[0], result], [bob.id, [50, 1, {}]]);
    assert.deepEqual(bob.say(16, 1, {}, 'com.x'), []);
    const [eveAbout] = (await call('get', [eve.id])) as [{ authid: string }];
    ada.say(6, {}, 'wamp.close.normal');
    ada.join();
    assert.deepEqual(await call('kill_by_authid', [eveAbout.authid]), [[eve.id]]);
    assert.deepEqual(await call('kill_by_authrole', ['guest']), [1]);
    assert.deepEqual(await call('kill_all'), [0]);
    assert.deepEqual([...(router.realms.get('open')?.members.keys() ?? [])], [ada.id]);
  });
});

describe('URIs', () => {
  it('stand for what their pattern says, also when looked up', () => {
    const patterns: [uri: string, match: Match][] = [
      ['a.b', 'exact'],
      ['a', 'prefix'],
      ['a.b', 'prefix'],
      ['a.', 'wildcard'],
      ['.b', 'wildcard'],
      ['a..c', 'wildcard'],
    ];
    const uris = ['a', 'ab', 'a.b', 'a.c', 'b.b', 'a.b.c', 'a.x.c', 'b.x.c', 'constructor'];
    const tree = new Patterns<string>();
    for (const [uri, match] of patterns) {
      assert.ok(isUri(uri, match), uri);
      tree.set(uri, match, `${match} ${uri}`);
      assert.equal(tree.get(uri, match), `${match} ${uri}`);
    }
    for (const uri of uris) {
      const expected = patterns
        .filter(([pattern, by]) => covers(pattern, by, uri, 'exact'))
        .map(([pattern, by]) => `${by} ${pattern}`);
      assert.deepEqual(tree.matching(uri).sort(), expected.sort(), uri);
    }
    for (const [uri, match] of patterns) {
      tree.delete(uri, match);
      assert.equal(tree.get(uri, match), undefined);
    }
    assert.deepEqual(
      uris.flatMap((uri) => tree.matching(uri)),
      [],
    );
    assert.ok(!isUri('a.', 'exact') && isUri('a.', 'prefix') && !isUri('.a', 'prefix'));
  });
});

describe('the file of realms', () => {
  const WRONG: readonly [text: string, fault: RegExp][] = [
    ['one: { roles: {}, anonymous: guest }', /one.anonymous: there is no role guest/],
    ['one: { roles: {}, anonymous: __proto__ }', /one.anonymous: there is no role/],
    ['one: { roles: { a: [{ uri: "a b", allow: [call] }] } }', /one.roles.a.0.uri: not a URI/],
    ['one: { roles: { a: [{ uri: a, allow: [fly] }] } }', /one.roles.a.0.allow.0/],
    ['one: { roles: {}, user: {} }', /one: .*user/],
    ['one: { roles: { a: [] }, users: { b: { role: a } } }', /users.b: .*ticket or secret/],
    ['one: { roles: { a: [] }, users: { b: { role: a, ticket: NO_T } } }', /NO_T is not set/],
    ['one: { roles: { a: [] }, users: { b: { role: x, ticket: TICKET } } }', /no role x/],
    ['one: [', /./],
    ['', /./],
  ];
  for (const [text, fault] of WRONG) {
    it(`is refused when it is ${JSON.stringify(text)}`, () => {
      assert.throws(() => realmsOf(text, ENV), fault);
    });
  }
});
