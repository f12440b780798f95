import { createHmac, pbkdf2Sync } from 'node:crypto';
import { requireSame, requireThat } from '../client.ts';
import { WAMP_USERS } from '../wamp-users.ts';
import type { Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { isObject, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { RowFailure } from '../terms.ts';
import {
  ABORT,
  AUTHENTICATE,
  CALL,
  CHALLENGE,
  HELLO,
  PROTOCOL_VIOLATION,
  PUBLISH,
  REGISTER,
  ROLES,
  SUBSCRIBE,
  WELCOME,
  join,
  open,
  realmOf,
  requireAbort,
} from '../wamp-peer.ts';
import type { Session, Tuple } from '../wamp-peer.ts';

/*
 * Authentication of the advanced profile, by ticket and by WAMP-CRA. A project is started with users of its
 * own; of other routers, one has to be given for each method.
 */

const TYPES = ['wamp'] as const;
const common = { environment: 'users' };
const ticket = rowsOf('WAMP: Authentication', TYPES, {
  ...common,
  reference: 'WAMP#Ticket-based-Authentication',
  needs: ['ticket'],
});
const cra = rowsOf('WAMP: Authentication', TYPES, {
  ...common,
  reference: 'WAMP#Challenge-Response-Authentication',
  needs: ['cra'],
});
const unasked = rowsOf('WAMP: Authentication', TYPES, { reference: 'WAMP#Protocol-errors' });

const DENIED = 'wamp.error.authentication_denied';

/** How long a row waits for what must not come, in milliseconds. */
const BRIEF_MS = 500;

/** Most iterations of PBKDF2, and most bytes of a key, that a row works for. */
const MAX_ITERATIONS = 1_000_000;
const MAX_KEY = 1024;

type Method = 'ticket' | 'wampcra';

interface User {
  readonly authid: string;
  readonly secret: string;
}

function userOf({ subject }: Lab, method: Method): User {
  const given = (method === 'ticket' ? subject.secrets.ticket : subject.secrets.cra) ?? '';
  const at = given.indexOf(':');
  return { authid: given.slice(0, at), secret: given.slice(at + 1) };
}

function hello(lab: Lab, details: Message): Tuple {
  return [HELLO, realmOf(lab), { roles: ROLES, ...details }];
}

/** What a client is asked for that says who it is. */
async function challenged(
  lab: Lab,
  method: Method,
  authid: string,
): Promise<{ session: Session; extra: Message }> {
  const session = await open(lab);
  session.send(hello(lab, { authmethods: [method], authid }));
  const asked = await session.take('CHALLENGE', () => true);
  const [type, name, extra] = asked;
  requireSame([type, name], [CHALLENGE, method], `type and method of ${show(asked)}`);
  if (!isObject(extra)) throw new RowFailure(`got ${show(asked)}: extra is no dictionary`);
  return { session, extra };
}

/** The object that is signed. */
function signedIn({ challenge }: Message): Message {
  requireThat(typeof challenge === 'string', `the challenge is ${show(challenge)}, expected text`);
  let value: unknown;
  try {
    value = JSON.parse(challenge);
  } catch {
    // As below.
  }
  if (isObject(value)) return value;
  throw new RowFailure(`the challenge is ${show(challenge)}, expected an object as JSON`);
}

function hmac(key: string, { challenge }: Message): Buffer {
  return createHmac('sha256', key).update(String(challenge)).digest();
}

/** The signature of a challenge, with a key of the password if that is salted. */
function sign(extra: Message, secret: string): string {
  const { salt, iterations, keylen } = extra;
  if (salt === undefined) return hmac(secret, extra).toString('base64');
  requireThat(
    typeof salt === 'string' &&
      Number.isInteger(iterations) &&
      Number(iterations) >= 1 &&
      Number(iterations) <= MAX_ITERATIONS &&
      Number.isInteger(keylen) &&
      Number(keylen) >= 1 &&
      Number(keylen) <= MAX_KEY,
    `got ${show(extra)}, expected a salt with iterations and keylen`,
  );
  const key = pbkdf2Sync(secret, salt, Number(iterations), Number(keylen), 'sha256');
  return hmac(key.toString('base64'), extra).toString('base64');
}

/** WELCOME, whose details say who the client was authenticated as. */
async function welcomed(session: Session, authid: string, method: Method): Promise<Tuple> {
  const welcome = await session.take('WELCOME', () => true);
  requireSame(welcome[0], WELCOME, `the type of ${show(welcome)}`);
  const details = isObject(welcome[2]) ? welcome[2] : {};
  requireSame(details['authid'], authid, 'authid in WELCOME');
  requireSame(details['authmethod'], method, 'authmethod in WELCOME');
  for (const name of ['authrole', 'authprovider']) {
    const value = details[name];
    requireThat(typeof value === 'string', `${name} in WELCOME is ${show(value)}, expected text`);
  }
  return welcome;
}

async function enter(lab: Lab, method: Method): Promise<{ session: Session; welcome: Tuple }> {
  const { authid, secret } = userOf(lab, method);
  const { session, extra } = await challenged(lab, method, authid);
  session.send([AUTHENTICATE, method === 'ticket' ? secret : sign(extra, secret), {}]);
  return { session, welcome: await welcomed(session, authid, method) };
}

/** ABORT, and nothing else. */
async function refused(session: Session, ...reasons: readonly string[]): Promise<void> {
  requireAbort(await session.take('ABORT', () => true), ...reasons);
}

/** Answers that do not let a client in, each on a connection of its own. */
async function refusesEach(
  lab: Lab,
  method: Method,
  answersTo: (extra: Message, user: User) => readonly string[],
): Promise<void> {
  const user = userOf(lab, method);
  const count = answersTo({ challenge: '' }, user).length;
  for (let at = 0; at < count; at++) {
    const { session, extra } = await challenged(lab, method, user.authid);
    session.send([AUTHENTICATE, answersTo(extra, user)[at], {}]);
    await refused(session);
  }
}

/** Somebody whom the router does not know is refused, at once or after an answer. */
function refusesUnknown(method: Method): Row['run'] {
  return async (lab) => {
    const { secret } = userOf(lab, method);
    const session = await open(lab);
    session.send(hello(lab, { authmethods: [method], authid: lab.name('nobody') }));
    const first = await session.take('CHALLENGE or ABORT', () => true);
    if (first[0] !== CHALLENGE) {
      requireAbort(first);
      return;
    }
    const extra = isObject(first[2]) ? first[2] : {};
    session.send([AUTHENTICATE, method === 'ticket' ? secret : sign(extra, secret), {}]);
    await refused(session);
  };
}

/** What comes in place of AUTHENTICATE is a violation, and has no effect. */
function early(id: string, title: string, message: Tuple): Row {
  return ticket(
    `wamp.auth.early-${id}`,
    `${title} in place of AUTHENTICATE is a protocol violation: ABORT`,
    async (lab) => {
      const { authid } = userOf(lab, 'ticket');
      const { session } = await challenged(lab, 'ticket', authid);
      session.send(message);
      await refused(session, PROTOCOL_VIOLATION);
    },
    { reference: 'WAMP#Protocol-errors' },
  );
}

/** What is no AUTHENTICATE. */
function malformed(id: string, title: string, message: Tuple): Row {
  return ticket(
    `wamp.auth.${id}`,
    `AUTHENTICATE ${title} is a protocol violation: ABORT`,
    async (lab) => {
      const { authid } = userOf(lab, 'ticket');
      const { session } = await challenged(lab, 'ticket', authid);
      session.send(message);
      await refused(session, PROTOCOL_VIOLATION);
    },
    { reference: 'WAMP#Protocol-errors' },
  );
}

export const WAMP_AUTHENTICATION: readonly Row[] = [
  ticket('wamp.ticket.welcome', 'the right ticket is welcome, and may act', async (lab) => {
    const { session } = await enter(lab, 'ticket');
    await session.lives();
  }),
  ticket('wamp.ticket.wrong', 'a wrong ticket is refused with ABORT', async (lab) => {
    await refusesEach(lab, 'ticket', (_, { secret }) => [
      `${secret}x`,
      secret.slice(0, -1),
      '',
      `${secret}\u0000`,
    ]);
  }),
  ticket('wamp.ticket.unknown', 'a ticket does not let in somebody else', refusesUnknown('ticket')),
  ticket(
    'wamp.ticket.once',
    'a wrong ticket is the end: the right one behind it comes too late',
    async (lab) => {
      const { authid, secret } = userOf(lab, 'ticket');
      const { session } = await challenged(lab, 'ticket', authid);
      session.send([AUTHENTICATE, `${secret}x`, {}]);
      session.send([AUTHENTICATE, secret, {}]);
      await refused(session);
      const more = await session.gather(BRIEF_MS, (all) => all.some(([type]) => type === WELCOME));
      const late = more.find(([type]) => type === WELCOME);
      requireThat(late === undefined, `got ${show(late)} after ABORT`);
    },
  ),
  ticket(
    'wamp.ticket.reason',
    'the reason of ABORT is wamp.error.authentication_denied',
    async (lab) => {
      const { authid, secret } = userOf(lab, 'ticket');
      const { session } = await challenged(lab, 'ticket', authid);
      session.send([AUTHENTICATE, `${secret}x`, {}]);
      await refused(session, DENIED);
    },
    { isAdvice: true, reference: 'WAMP#ap-uris' },
  ),

  cra(
    'wamp.cra.challenge',
    'the challenge is a JSON object with all that the text names',
    async (lab) => {
      const { authid } = userOf(lab, 'wampcra');
      const signed = signedIn((await challenged(lab, 'wampcra', authid)).extra);
      requireSame(signed['authid'], authid, 'authid in the challenge');
      requireSame(signed['authmethod'], 'wampcra', 'authmethod in the challenge');
      for (const name of ['authrole', 'authprovider', 'nonce', 'timestamp']) {
        const value = signed[name];
        requireThat(
          typeof value === 'string' && value !== '',
          `${name} in the challenge is ${show(value)}, expected text`,
        );
      }
      const { timestamp, session } = signed;
      requireThat(
        /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(String(timestamp)) &&
          !Number.isNaN(Date.parse(String(timestamp))),
        `timestamp in the challenge is ${show(timestamp)}, expected ISO 8601`,
      );
      requireThat(Number.isInteger(session), `session is ${show(session)}, expected an id`);
    },
  ),
  cra('wamp.cra.welcome', 'the right signature is welcome, and may act', async (lab) => {
    const { session } = await enter(lab, 'wampcra');
    await session.lives();
  }),
  cra(
    'wamp.cra.session',
    'session in the challenge is the id that the session gets, authrole its role',
    async (lab) => {
      const { authid, secret } = userOf(lab, 'wampcra');
      const { session, extra } = await challenged(lab, 'wampcra', authid);
      session.send([AUTHENTICATE, sign(extra, secret), {}]);
      const [, id, details] = await welcomed(session, authid, 'wampcra');
      const signed = signedIn(extra);
      requireSame(id, signed['session'], 'the id in WELCOME');
      for (const name of ['authrole', 'authprovider']) {
        requireSame(isObject(details) && details[name], signed[name], `${name} in WELCOME`);
      }
    },
  ),
  cra('wamp.cra.nonce', 'each challenge has another nonce', async (lab) => {
    const { authid } = userOf(lab, 'wampcra');
    const nonces: unknown[] = [];
    for (let at = 0; at < 3; at++) {
      nonces.push(signedIn((await challenged(lab, 'wampcra', authid)).extra)['nonce']);
    }
    requireSame(new Set(nonces).size, 3, `the number of different nonces in ${show(nonces)}`);
  }),
  cra('wamp.cra.replay', 'the signature of another challenge is refused', async (lab) => {
    const { authid, secret } = userOf(lab, 'wampcra');
    const { extra } = await challenged(lab, 'wampcra', authid);
    const { session } = await challenged(lab, 'wampcra', authid);
    session.send([AUTHENTICATE, sign(extra, secret), {}]);
    await refused(session);
  }),
  cra('wamp.cra.wrong', 'a wrong signature is refused with ABORT', async (lab) => {
    await refusesEach(lab, 'wampcra', (extra, { secret }) => {
      const right = sign(extra, secret);
      return [
        sign(extra, `${secret}x`),
        hmac('', extra).toString('base64'),
        Buffer.from(right, 'base64').toString('hex'),
        right.slice(0, -4),
        secret,
        '',
      ];
    });
  }),
  cra('wamp.cra.unknown', 'a signature does not let in somebody else', refusesUnknown('wampcra')),
  cra(
    'wamp.cra.salted',
    'a salted password comes with its salt, iterations and keylen, and the derived key signs',
    async (lab) => {
      const { secret } = userOf(lab, 'wampcra');
      const { session, extra } = await challenged(lab, 'wampcra', WAMP_USERS.salted);
      requireThat(extra['salt'] !== undefined, `got ${show(extra)}: no salt`);
      session.send([AUTHENTICATE, sign(extra, secret), {}]);
      await welcomed(session, WAMP_USERS.salted, 'wampcra');
      const other = await challenged(lab, 'wampcra', WAMP_USERS.salted);
      // Without the salt.
      other.session.send([AUTHENTICATE, hmac(secret, other.extra).toString('base64'), {}]);
      await refused(other.session);
    },
    { needs: ['project'], reference: 'WAMP#Password-Salting' },
  ),

  early('subscribe', 'SUBSCRIBE', [SUBSCRIBE, 1, {}, 'com.example.wsk.early']),
  early('publish', 'PUBLISH', [PUBLISH, 1, { acknowledge: true }, 'com.example.wsk.early', [1]]),
  early('call', 'CALL', [CALL, 1, {}, 'com.example.wsk.early']),
  early('register', 'REGISTER', [REGISTER, 1, {}, 'com.example.wsk.early']),
  early('hello', 'a second HELLO', [HELLO, 'realm1', { roles: ROLES }]),
  malformed('number', 'with a number for the signature', [AUTHENTICATE, 1, {}]),
  malformed('short', 'without its elements', [AUTHENTICATE]),
  malformed('extra', 'whose extra is a list', [AUTHENTICATE, 'a', []]),
  ticket(
    'wamp.auth.method',
    'a client whose methods nobody knows is refused with ABORT',
    async (lab) => {
      const session = await open(lab);
      session.send(hello(lab, { authmethods: ['wsk'], authid: userOf(lab, 'ticket').authid }));
      await refused(session);
    },
    { reference: 'WAMP#ap-uris' },
  ),
  ticket('wamp.auth.skip', 'a method that is not known is skipped, or ABORT', async (lab) => {
    const session = await open(lab);
    const { authid } = userOf(lab, 'ticket');
    session.send(hello(lab, { authmethods: ['wsk', 'ticket'], authid }));
    const first = await session.take('CHALLENGE or ABORT', () => true);
    if (first[0] === ABORT) requireAbort(first);
    else requireSame(first.slice(0, 2), [CHALLENGE, 'ticket'], `type and method of ${show(first)}`);
  }),
  ticket(
    'wamp.auth.required',
    'where nobody may be anonymous: wamp.error.authentication_required',
    async (lab) => {
      for (const more of [{}, { authmethods: ['anonymous'] }]) {
        const session = await open(lab);
        session.send([HELLO, WAMP_USERS.closedRealm, { roles: ROLES, ...more }]);
        await refused(session, 'wamp.error.authentication_required');
      }
    },
    { needs: ['project'], reference: 'WAMP#ap-uris' },
  ),
  unasked('wamp.auth.first', 'AUTHENTICATE before HELLO: ABORT', async (lab) => {
    const session = await open(lab);
    session.send([AUTHENTICATE, 'wsk', {}]);
    await refused(session, PROTOCOL_VIOLATION);
  }),
  unasked('wamp.auth.late', 'AUTHENTICATE in an open session: ABORT', async (lab) => {
    const session = await join(lab);
    session.send([AUTHENTICATE, 'wsk', {}]);
    await session.aborted(PROTOCOL_VIOLATION);
  }),
];
