import { requireSame, requireThat } from '../client.ts';
import type { Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { isObject, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { survive } from '../survive.ts';
import { RowSkip } from '../terms.ts';
import {
  ABORT,
  CALL,
  CANCEL,
  CHALLENGE,
  ERROR,
  EVENT,
  GOODBYE,
  HELLO,
  INTERRUPT,
  INVALID_URI,
  INVOCATION,
  NAME,
  NO_SUCH_PROCEDURE,
  PROTOCOL_VIOLATION,
  PUBLISH,
  PUBLISHED,
  REGISTER,
  REGISTERED,
  RESULT,
  ROLES,
  SUBSCRIBE,
  SUBSCRIBED,
  UNREGISTER,
  UNSUBSCRIBE,
  WELCOME,
  YIELD,
  isId,
  join,
  open,
  realmOf,
  requireAbort,
  uri,
} from '../wamp-peer.ts';
import type { Session, Tuple } from '../wamp-peer.ts';

/*
 * The WAMP specification, basic profile, and what a router announces of the advanced one. Sessions join
 * one realm, and use names of their own below `com.example.wsk`. Where routers do as they like, and the
 * specification lets them, rows do not mind: ids of requests with gaps, YIELD of an unknown invocation.
 */

const TYPES = ['wamp'] as const;
const transports = rowsOf('WAMP: Transports', TYPES, { reference: 'WAMP#Transports' });
const opening = rowsOf('WAMP: Session Establishment', TYPES, {
  reference: 'WAMP#Session-Establishment',
});
const closing = rowsOf('WAMP: Session Closing', TYPES, { reference: 'WAMP#Session-Closing' });
const violation = rowsOf('WAMP: Protocol errors', TYPES, { reference: 'WAMP#Protocol-errors' });
const identifiers = rowsOf('WAMP: Identifiers', TYPES, { reference: 'WAMP#URIs' });
const subscribing = rowsOf('WAMP: Subscribing and Unsubscribing', TYPES, {
  reference: 'WAMP#Subscribing-and-Unsubscribing',
});
const publishing = rowsOf('WAMP: Publishing and Events', TYPES, {
  reference: 'WAMP#Publishing-and-Events',
});
const registering = rowsOf('WAMP: Registering and Unregistering', TYPES, {
  reference: 'WAMP#Registering-and-Unregistering',
});
const calling = rowsOf('WAMP: Calling and Invocations', TYPES, {
  reference: 'WAMP#Calling-and-Invocations',
});
const ordering = rowsOf('WAMP: Ordering Guarantees', TYPES, {
  reference: 'WAMP#Ordering-Guarantees',
});
const advanced = rowsOf('WAMP: Advanced Profile', TYPES, { reference: 'WAMP#Advanced-Profile' });
const hostile = rowsOf('WAMP: hostile clients', TYPES, { isAlone: true });

/** How long a row waits for what must not come, in milliseconds; and between two attempts. */
const BRIEF_MS = 500;
const RETRY_MS = 25;

/** Waits until something is so that the server does in its own time. */
async function until(lab: Lab, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + lab.leftMs();
  while (!(await isSo())) {
    requireThat(performance.now() < deadline, 'the session that ended still has its registration');
    await lab.elapse(RETRY_MS);
  }
}

/** A callee with one procedure, and somebody who calls it. */
async function rpc(lab: Lab): Promise<{ callee: Session; caller: Session; procedure: string }> {
  const [callee, caller] = [await join(lab), await join(lab)];
  const procedure = uri(lab);
  await callee.register(procedure);
  return { callee, caller, procedure };
}

/** A subscriber of one topic, and somebody who publishes. */
async function pubsub(lab: Lab): Promise<{
  subscriber: Session;
  publisher: Session;
  topic: string;
  subscription: unknown;
}> {
  const [subscriber, publisher] = [await join(lab), await join(lab)];
  const topic = uri(lab);
  const subscription = await subscriber.subscribe(topic);
  return { subscriber, publisher, topic, subscription };
}

/** Skips unless the router has announced a feature of a role. */
function requireFeature(session: Session, role: 'broker' | 'dealer', feature: string): void {
  const { roles } = session.details;
  const announced = isObject(roles) ? roles[role] : undefined;
  const features = isObject(announced) ? announced['features'] : undefined;
  if (!isObject(features) || features[feature] !== true) {
    throw new RowSkip(`the ${role} does not announce ${feature}`);
  }
}

/** A message that breaks the protocol once a session is established. */
function violates(id: string, title: string, message: unknown): Row {
  return violation(
    `wamp.violation.${id}`,
    `${title} is a protocol violation: ABORT`,
    async (lab) => {
      const session = await join(lab);
      session.send(message);
      await session.aborted(PROTOCOL_VIOLATION);
    },
  );
}

/** A message that breaks the protocol before there is a session. */
function violatesBefore(id: string, title: string, message: unknown): Row {
  return violation(`wamp.violation.${id}-first`, `${title} before HELLO: ABORT`, async (lab) => {
    const session = await open(lab);
    session.send(message);
    await session.aborted(PROTOCOL_VIOLATION);
  });
}

const WRONG_URIS = ['com..wsk', '.com', 'com.', 'com.#', 'com.w sk', ''];

function wrongUri(id: string, type: number, options: Message): Row {
  return identifiers(
    `wamp.uri.${id}`,
    `${id} with a URI that is none is wamp.error.invalid_uri`,
    async (lab) => {
      const session = await join(lab);
      for (const wrong of WRONG_URIS) await session.refused([INVALID_URI], type, options, wrong);
    },
  );
}

function reserved(id: string, type: number, options: Message): Row {
  return identifiers(
    `wamp.uri.reserved-${id}`,
    `${id} of a URI that begins with wamp. is refused`,
    async (lab) => {
      await (await join(lab)).refused([], type, options, `wamp.wsk.${lab.name('x').slice(2)}`);
    },
  );
}

/** A row about a feature that the router announces. */
function feature(
  role: 'broker' | 'dealer',
  name: string,
  id: string,
  title: string,
  run: (lab: Lab, session: Session) => Promise<void>,
): Row {
  return advanced(`wamp.advanced.${id}`, title, async (lab) => {
    const session = await join(lab);
    requireFeature(session, role, name);
    await run(lab, session);
  });
}

/** Whatever a client sends, others are served. */
function survived(id: string, title: string, attack: (session: Session) => void): Row {
  return hostile(`wamp.hostile.${id}`, `${title}: others are served`, async (lab) => {
    await survive(lab, join, async (attacker) => {
      attack(attacker);
      const last = attacker.start(CALL, {}, 'com.example.wsk.no_such_procedure');
      await attacker.gather(lab.leftMs(), (all) =>
        all.some(([type, , id]) => type === ABORT || (type === ERROR && id === last)),
      );
    });
  });
}

/** The payload of EVENT, INVOCATION or RESULT: an empty one may be left out. */
function requirePayload(message: Tuple, at: number, args: Tuple, named: Message = {}): void {
  requireSame(message[at] ?? [], args, `the arguments of ${show(message)}`);
  requireSame(message[at + 1] ?? {}, named, `the keyword arguments of ${show(message)}`);
}

const PAYLOAD: Tuple = ['€𝄞 "\\\n', null, true, -1.5, 2 ** 53 - 1, [[], {}], { a: { b: [1] } }, ''];
const NAMED: Message = { 'a b': 1, c: null, d: [{}] };

export const WAMP: readonly Row[] = [
  transports('wamp.transport.selected', 'the subprotocol wamp.2.json is selected', async (lab) => {
    const { channel } = await open(lab);
    requireSame(channel.handshake.protocol, NAME, 'the subprotocol');
  }),
  transports(
    'wamp.transport.among',
    'wamp.2.json is selected behind a name that is not known',
    async (lab) => {
      const { channel } = await open(lab, { protocols: ['wamp.2.wsk', NAME] });
      requireSame(channel.handshake.protocol, NAME, 'the subprotocol');
    },
  ),
  transports('wamp.transport.unknown', 'a name that is not known is not selected', async (lab) => {
    const outcome = await lab.attempt({ protocols: ['wamp.2.wsk'] });
    if ('status' in outcome) return;
    requireSame(outcome.channel.handshake.protocol, null, 'the subprotocol');
  }),
  transports(
    'wamp.transport.binary',
    'a binary message ends the session: all messages are text',
    async (lab) => {
      const session = await join(lab);
      void session.channel.sendBinary(Buffer.from('[32,1,{},"com.example.wsk.binary"]'));
      const seen = await session.gather(lab.leftMs(), (all) => all.length > 0);
      const [first] = seen;
      if (first === undefined && session.isOver) return;
      requireSame(first?.[0], ABORT, `the type of the answer, ${show(first)}`);
    },
  ),
  transports('wamp.transport.fragments', 'a message may come in fragments', async (lab) => {
    const session = await open(lab);
    const message = JSON.stringify([HELLO, realmOf(lab), { roles: ROLES }]);
    void session.channel.sendText(message.slice(0, 9), { fin: false });
    void session.channel.sendContinuation(message.slice(9));
    await session.takeType(WELCOME);
  }),

  opening('wamp.hello.welcome', 'HELLO is answered with WELCOME, first', async (lab) => {
    const session = await open(lab);
    const [, id, details] = await session.join(realmOf(lab));
    requireThat(isId(id), `the session id is ${show(id)}, expected one from 1 to 2^53`);
    requireThat(isObject(details), `the details are ${show(details)}, expected a dictionary`);
  }),
  opening('wamp.hello.roles', 'WELCOME announces a role: broker or dealer', async (lab) => {
    const { roles } = (await join(lab)).details;
    requireThat(
      isObject(roles) && (isObject(roles['broker']) || isObject(roles['dealer'])),
      `the roles are ${show(roles)}, expected broker or dealer with a dictionary`,
    );
  }),
  opening(
    'wamp.hello.random',
    'ids of sessions are random, from 1 to 2^53',
    async (lab) => {
      const ids: unknown[] = [];
      for (let at = 0; at < 4; at++) ids.push((await join(lab)).id);
      requireSame(new Set(ids).size, 4, 'the number of different ids');
      requireThat(
        ids.some((id) => Number(id) > 2 ** 32),
        `the ids are ${show(ids)}, expected some above 2^32`,
      );
    },
    { reference: 'WAMP#IDs' },
  ),
  opening(
    'wamp.hello.realm',
    'a realm that is not there is refused with ABORT, or made',
    async (lab) => {
      const session = await open(lab);
      session.send([HELLO, `${uri(lab)}.realm`, { roles: ROLES }]);
      const first = await session.take('ABORT', () => true);
      if (first[0] === WELCOME) return;
      requireAbort(first, 'wamp.error.no_such_realm', 'wamp.error.not_authorized');
    },
  ),
  opening('wamp.hello.realm-uri', 'a realm that is no URI is refused with ABORT', async (lab) => {
    const session = await open(lab);
    session.send([HELLO, 'no realm..', { roles: ROLES }]);
    await session.aborted();
  }),
  opening(
    'wamp.hello.no-roles',
    'a client without a role is refused with ABORT',
    async (lab) => {
      const session = await open(lab);
      session.send([HELLO, realmOf(lab), {}]);
      await session.aborted();
    },
    { isAdvice: true },
  ),
  opening('wamp.hello.twice', 'a second HELLO is a protocol violation: ABORT', async (lab) => {
    const session = await join(lab);
    session.send([HELLO, realmOf(lab), { roles: ROLES }]);
    await session.aborted(PROTOCOL_VIOLATION);
  }),
  opening(
    'wamp.hello.abort-closes',
    'after ABORT the connection is closed (no must)',
    async (lab) => {
      const session = await join(lab);
      session.send([HELLO, realmOf(lab), { roles: ROLES }]);
      await session.aborted(PROTOCOL_VIOLATION);
      await session.ended();
    },
    { isAdvice: true, reference: 'WAMP#Protocol-errors' },
  ),

  closing('wamp.goodbye.reply', 'GOODBYE is answered with goodbye_and_out', async (lab) => {
    const session = await join(lab);
    session.send([GOODBYE, {}, 'wamp.close.close_realm']);
    const [, details, reason] = await session.takeType(GOODBYE);
    requireThat(isObject(details), `the details are ${show(details)}, expected a dictionary`);
    requireThat(
      reason === 'wamp.close.goodbye_and_out' || reason === 'wamp.error.goodbye_and_out',
      `the reason is ${show(reason)}, expected wamp.close.goodbye_and_out`,
    );
  }),
  closing('wamp.goodbye.releases', 'GOODBYE ends the registrations of a session', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    callee.send([GOODBYE, {}, 'wamp.close.close_realm']);
    await callee.takeType(GOODBYE);
    await caller.register(procedure);
  }),
  closing('wamp.goodbye.silence', 'GOODBYE ends the subscriptions of a session', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    subscriber.send([GOODBYE, {}, 'wamp.close.close_realm']);
    await subscriber.takeType(GOODBYE);
    await publisher.publish(topic, [1]);
    const more = await subscriber.gather(BRIEF_MS, (all) => all.length > 0);
    requireThat(more.length === 0, `got ${show(more[0])} after GOODBYE, expected nothing`);
  }),
  closing(
    'wamp.goodbye.again',
    'after GOODBYE there is another session on the connection, or it is closed',
    async (lab) => {
      const session = await join(lab);
      session.send([GOODBYE, {}, 'wamp.close.close_realm']);
      await session.takeType(GOODBYE);
      session.send([HELLO, realmOf(lab), { roles: ROLES }]);
      const seen = await session.gather(lab.leftMs(), (all) => all.length > 0);
      if (seen.length === 0 && session.isOver) return;
      requireSame(seen[0]?.[0], WELCOME, 'the type of the answer to HELLO');
    },
  ),
  closing(
    'wamp.abort.silent',
    'ABORT of the client is not answered',
    async (lab) => {
      const session = await open(lab);
      session.send([ABORT, {}, 'wamp.close.normal']);
      const more = await session.gather(BRIEF_MS, (all) => all.length > 0);
      requireThat(more.length === 0, `got ${show(more[0])}, expected nothing`);
    },
    { isAdvice: true },
  ),

  violatesBefore('subscribe', 'SUBSCRIBE', [SUBSCRIBE, 1, {}, 'com.example.wsk.a']),
  violatesBefore('goodbye', 'GOODBYE', [GOODBYE, {}, 'wamp.close.close_realm']),
  violatesBefore('result', 'RESULT', [RESULT, 1, {}]),
  violatesBefore('json', 'a text that is no JSON', 'not json'),
  violatesBefore('realm', 'HELLO whose realm is a number,', [HELLO, 1, { roles: ROLES }]),
  violatesBefore('short', 'HELLO without details,', [HELLO, 'realm1']),
  violates('welcome', 'WELCOME of a client', [WELCOME, 1, { roles: {} }]),
  violates('challenge', 'CHALLENGE of a client', [CHALLENGE, 'ticket', {}]),
  violates('json', 'a text that is no JSON', 'not json'),
  violates('empty', 'an empty text', ''),
  violates('object', 'an object', {}),
  violates('number', 'a number', '1'),
  violates('null', 'null', 'null'),
  violates('list', 'an empty list', []),
  violates('type', 'a type that is not known', [999, 1, {}]),
  violates('type-text', 'a type that is a text', ['32', 1, {}, 'com.example.wsk.a']),
  violates('type-fraction', 'a type that is a fraction', [32.5, 1, {}, 'com.example.wsk.a']),
  violates('short', 'SUBSCRIBE without its elements', [SUBSCRIBE]),
  violates('id-text', 'a request id that is a text', [SUBSCRIBE, 'a', {}, 'com.example.wsk.a']),
  violates('id-zero', 'a request id of 0', [SUBSCRIBE, 0, {}, 'com.example.wsk.a']),
  violates('id-negative', 'a negative request id', [SUBSCRIBE, -1, {}, 'com.example.wsk.a']),
  violates('id-fraction', 'a request id that is a fraction', [
    SUBSCRIBE,
    1.5,
    {},
    'com.example.wsk.a',
  ]),
  violates(
    'id-large',
    'a request id above 2^53',
    `[${SUBSCRIBE},9007199254740994,{},"com.example.wsk.a"]`,
  ),
  violates('options', 'options that are a list', [SUBSCRIBE, 1, [], 'com.example.wsk.a']),
  violates('topic', 'a topic that is a number', [SUBSCRIBE, 1, {}, 1]),
  violates('arguments', 'arguments that are an object', [PUBLISH, 1, {}, 'com.example.wsk.a', {}]),
  violates('keywords', 'keyword arguments that are a list', [
    PUBLISH,
    1,
    {},
    'com.example.wsk.a',
    [],
    [],
  ]),
  violates('error-type', 'ERROR of what is no request', [
    ERROR,
    999,
    1,
    {},
    'com.example.wsk.error',
  ]),
  violation(
    'wamp.violation.releases',
    'a protocol violation ends the registrations of a session',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      callee.send('not json');
      await callee.gather(BRIEF_MS, (all) => all.some(([type]) => type === ABORT));
      await until(lab, async () => {
        const reply = await caller.reply(CALL, caller.start(CALL, {}, procedure));
        return reply[4] === NO_SUCH_PROCEDURE;
      });
    },
  ),

  wrongUri('subscribe', SUBSCRIBE, {}),
  wrongUri('publish', PUBLISH, { acknowledge: true }),
  wrongUri('register', REGISTER, {}),
  wrongUri('call', CALL, {}),
  reserved('publish', PUBLISH, { acknowledge: true }),
  reserved('register', REGISTER, {}),
  identifiers(
    'wamp.uri.loose',
    'URIs of any letters are right (strict ones are a should)',
    async (lab) => {
      const session = await join(lab);
      for (const end of ['Ünï', 'a-b', 'A/b:c', '__proto__', 'constructor']) {
        await session.subscribe(`${uri(lab)}.${end}`);
      }
    },
  ),

  subscribing('wamp.subscribe.reply', 'SUBSCRIBE is answered with SUBSCRIBED', async (lab) => {
    const id = await (await join(lab)).subscribe(uri(lab));
    requireThat(isId(id), `the subscription is ${show(id)}, expected an id`);
  }),
  subscribing('wamp.subscribe.again', 'subscribing again brings the same id', async (lab) => {
    const { subscriber, publisher, topic, subscription } = await pubsub(lab);
    requireSame(await subscriber.subscribe(topic), subscription, 'the subscription');
    await publisher.publish(topic, [1]);
    await subscriber.event();
    await subscriber.none(EVENT);
  }),
  subscribing('wamp.subscribe.other', 'another topic is another subscription', async (lab) => {
    const { subscriber, subscription } = await pubsub(lab);
    requireThat((await subscriber.subscribe(uri(lab))) !== subscription, 'both have the same id');
  }),
  subscribing('wamp.unsubscribe.reply', 'UNSUBSCRIBE is answered, and ends events', async (lab) => {
    const { subscriber, publisher, topic, subscription } = await pubsub(lab);
    await subscriber.request(UNSUBSCRIBE, subscription);
    await publisher.publish(topic, [1]);
    await subscriber.none(EVENT);
  }),
  subscribing('wamp.unsubscribe.unknown', 'an unknown subscription is an error', async (lab) => {
    await (await join(lab)).refused(['wamp.error.no_such_subscription'], UNSUBSCRIBE, 123_456_789);
  }),
  subscribing('wamp.unsubscribe.twice', 'a subscription ends once', async (lab) => {
    const { subscriber, subscription } = await pubsub(lab);
    await subscriber.request(UNSUBSCRIBE, subscription);
    await subscriber.refused(['wamp.error.no_such_subscription'], UNSUBSCRIBE, subscription);
  }),
  subscribing('wamp.unsubscribe.foreign', 'nobody ends the subscription of others', async (lab) => {
    const { subscriber, publisher, topic, subscription } = await pubsub(lab);
    await publisher.refused(['wamp.error.no_such_subscription'], UNSUBSCRIBE, subscription);
    await publisher.publish(topic, [1]);
    await subscriber.event();
  }),

  publishing('wamp.publish.silent', 'PUBLISH is not acknowledged by itself', async (lab) => {
    const session = await join(lab);
    session.start(PUBLISH, {}, uri(lab), [1]);
    session.start(PUBLISH, { acknowledge: false }, uri(lab), [1]);
    await session.none(PUBLISHED);
  }),
  publishing('wamp.publish.acknowledge', 'with acknowledge it is, with an id', async (lab) => {
    const id = await (await join(lab)).publish(uri(lab));
    requireThat(isId(id), `the publication is ${show(id)}, expected an id`);
  }),
  publishing('wamp.event.payload', 'EVENT has what was published', async (lab) => {
    const { subscriber, publisher, topic, subscription } = await pubsub(lab);
    publisher.start(PUBLISH, {}, topic, PAYLOAD, NAMED);
    const event = await subscriber.event();
    requireSame(event[1], subscription, 'the subscription of the event');
    requireThat(isId(event[2]) && isObject(event[3]), `got ${show(event)}: no id, or no details`);
    requirePayload(event, 4, PAYLOAD, NAMED);
  }),
  publishing('wamp.event.empty', 'an event may have no payload', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    publisher.start(PUBLISH, {}, topic);
    requirePayload(await subscriber.event(), 4, []);
  }),
  publishing('wamp.event.publication', 'EVENT and PUBLISHED have the same id', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    const id = await publisher.publish(topic);
    requireSame((await subscriber.event())[2], id, 'the publication');
  }),
  publishing('wamp.event.all', 'each subscriber gets an event once', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    const other = await join(lab);
    await other.subscribe(topic);
    await publisher.publish(topic, [1]);
    for (const session of [subscriber, other]) {
      await session.event();
      await session.none(EVENT);
    }
  }),
  publishing('wamp.event.topic', 'events of other topics do not come', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    for (const other of [`${topic}.a`, `${topic}x`, topic.slice(0, -1)]) {
      await publisher.publish(other);
    }
    await subscriber.none(EVENT);
  }),
  publishing('wamp.event.own', 'the publisher does not get its own event', async (lab) => {
    const { subscriber, topic } = await pubsub(lab);
    await subscriber.publish(topic);
    await subscriber.none(EVENT);
  }),
  publishing('wamp.event.gone', 'subscriptions end with the connection', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    subscriber.channel.terminate();
    await publisher.publish(topic, [1]);
    await publisher.lives();
  }),

  registering('wamp.register.reply', 'REGISTER is answered with REGISTERED', async (lab) => {
    const id = await (await join(lab)).register(uri(lab));
    requireThat(isId(id), `the registration is ${show(id)}, expected an id`);
  }),
  registering('wamp.register.taken', 'a procedure that is there is an error', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    for (const session of [caller, callee]) {
      await session.refused(['wamp.error.procedure_already_exists'], REGISTER, {}, procedure);
    }
  }),
  registering('wamp.unregister.reply', 'UNREGISTER ends the procedure', async (lab) => {
    const { caller } = await rpc(lab);
    const procedure = uri(lab);
    await caller.request(UNREGISTER, await caller.register(procedure));
    await caller.refused([NO_SUCH_PROCEDURE], CALL, {}, procedure);
    await caller.register(procedure);
  }),
  registering('wamp.unregister.unknown', 'an unknown registration is an error', async (lab) => {
    await (await join(lab)).refused(['wamp.error.no_such_registration'], UNREGISTER, 123_456_789);
  }),
  registering('wamp.unregister.foreign', 'nobody ends the registration of others', async (lab) => {
    const [callee, other] = [await join(lab), await join(lab)];
    const registration = await callee.register(uri(lab));
    await other.refused(['wamp.error.no_such_registration'], UNREGISTER, registration);
  }),

  calling('wamp.call.unknown', 'a procedure that is not there is an error', async (lab) => {
    await (await join(lab)).refused([NO_SUCH_PROCEDURE], CALL, {}, uri(lab));
  }),
  calling(
    'wamp.call.result',
    'CALL, INVOCATION, YIELD and RESULT have the payload',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      const id = caller.start(CALL, {}, procedure, PAYLOAD, NAMED);
      const invocation = await callee.invocation();
      requireThat(isId(invocation[1]) && isObject(invocation[3]), `got ${show(invocation)}`);
      requirePayload(invocation, 4, PAYLOAD, NAMED);
      callee.send([YIELD, invocation[1], {}, PAYLOAD, NAMED]);
      const result = await caller.reply(CALL, id);
      requireSame(result[0], RESULT, `the type of ${show(result)}`);
      requireThat(isObject(result[2]), `got ${show(result)}: no details`);
      requirePayload(result, 3, PAYLOAD, NAMED);
    },
  ),
  calling('wamp.call.empty', 'a call may have no arguments and no result', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    const id = caller.start(CALL, {}, procedure);
    const invocation = await callee.invocation();
    requirePayload(invocation, 4, []);
    callee.send([YIELD, invocation[1], {}]);
    requirePayload(await caller.reply(CALL, id), 3, []);
  }),
  calling('wamp.call.registration', 'INVOCATION names the registration', async (lab) => {
    const [callee, caller] = [await join(lab), await join(lab)];
    const [one, two] = [uri(lab), uri(lab)];
    const ids = [await callee.register(one), await callee.register(two)];
    caller.start(CALL, {}, two);
    caller.start(CALL, {}, one);
    const seen = [(await callee.invocation())[2], (await callee.invocation())[2]];
    requireSame(seen, [ids[1], ids[0]], 'the registrations');
  }),
  calling('wamp.call.error', 'ERROR of the callee reaches the caller', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    const id = caller.start(CALL, {}, procedure);
    const invocation = await callee.invocation();
    callee.send([
      ERROR,
      INVOCATION,
      invocation[1],
      {},
      'com.example.wsk.error',
      [1, 'a'],
      { b: 2 },
    ]);
    const error = await caller.reply(CALL, id);
    requireSame(
      [error[0], error[4]],
      [ERROR, 'com.example.wsk.error'],
      `type and URI of ${show(error)}`,
    );
    requirePayload(error, 5, [1, 'a'], { b: 2 });
  }),
  calling('wamp.call.own', 'a session calls its own procedure', async (lab) => {
    const session = await join(lab);
    const procedure = uri(lab);
    await session.register(procedure);
    const id = session.start(CALL, {}, procedure, [1]);
    const invocation = await session.invocation();
    session.send([YIELD, invocation[1], {}, [2]]);
    requirePayload(await session.reply(CALL, id), 3, [2]);
  }),
  calling(
    'wamp.call.order',
    'results reach their callers in whatever order they come',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      const other = await join(lab);
      const calls = [caller, other, caller, other].map((session, at) => ({
        session,
        at,
        id: session.start(CALL, {}, procedure, [at]),
      }));
      const invocations: Tuple[] = [];
      while (invocations.length < calls.length) invocations.push(await callee.invocation());
      for (const [, request, , , args] of invocations.reverse())
        callee.send([YIELD, request, {}, args]);
      for (const { session, at, id } of calls)
        requirePayload(await session.reply(CALL, id), 3, [at]);
    },
  ),
  calling(
    'wamp.call.ids',
    'ids of invocations begin with 1, and go up by 1 (a must of the text; many routers have others)',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      for (let at = 0; at < 3; at++) caller.start(CALL, {}, procedure);
      const ids = [await callee.invocation(), await callee.invocation(), await callee.invocation()];
      requireSame(
        ids.map(([, id]) => id),
        [1, 2, 3],
        'the ids',
      );
    },
    { isAdvice: true, reference: 'WAMP#IDs' },
  ),
  calling(
    'wamp.call.callee-lost',
    'a callee that is lost in a call: the caller gets ERROR',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      const id = caller.start(CALL, {}, procedure);
      await callee.invocation();
      callee.channel.terminate();
      requireSame((await caller.reply(CALL, id))[0], ERROR, 'the type of the answer');
    },
  ),
  calling(
    'wamp.call.callee-left',
    'a callee that says GOODBYE in a call: ERROR, too',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      const id = caller.start(CALL, {}, procedure);
      await callee.invocation();
      callee.send([GOODBYE, {}, 'wamp.close.close_realm']);
      requireSame((await caller.reply(CALL, id))[0], ERROR, 'the type of the answer');
    },
  ),
  calling('wamp.call.released', 'the procedure of a lost callee is free', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    callee.channel.terminate();
    await until(lab, async () => {
      const reply = await caller.reply(REGISTER, caller.start(REGISTER, {}, procedure));
      return reply[0] === REGISTERED;
    });
  }),
  calling(
    'wamp.call.caller-lost',
    'a result for a caller that is gone harms nobody',
    async (lab) => {
      const { callee, caller, procedure } = await rpc(lab);
      caller.start(CALL, {}, procedure);
      const invocation = await callee.invocation();
      caller.channel.terminate();
      callee.send([YIELD, invocation[1], {}]);
      await callee.lives();
    },
  ),

  ordering('wamp.order.events', 'events come in the order of their publishing', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    for (let at = 0; at < 100; at++) publisher.start(PUBLISH, {}, topic, [at]);
    for (let at = 0; at < 100; at++) requirePayload(await subscriber.event(), 4, [at]);
  }),
  ordering('wamp.order.topics', 'events of two topics do, too', async (lab) => {
    const { subscriber, publisher, topic } = await pubsub(lab);
    const other = uri(lab);
    await subscriber.subscribe(other);
    for (let at = 0; at < 50; at++)
      publisher.start(PUBLISH, {}, at % 2 === 0 ? topic : other, [at]);
    for (let at = 0; at < 50; at++) requirePayload(await subscriber.event(), 4, [at]);
  }),
  ordering('wamp.order.calls', 'a callee gets calls in their order', async (lab) => {
    const { callee, caller, procedure } = await rpc(lab);
    for (let at = 0; at < 50; at++) caller.start(CALL, {}, procedure, [at]);
    for (let at = 0; at < 50; at++) requirePayload(await callee.invocation(), 4, [at]);
  }),
  ordering('wamp.order.subscribed', 'no event comes before SUBSCRIBED', async (lab) => {
    const [subscriber, publisher] = [await join(lab), await join(lab)];
    const topic = uri(lab);
    const id = subscriber.start(SUBSCRIBE, {}, topic);
    for (let at = 0; at < 20; at++) publisher.start(PUBLISH, {}, topic, [at]);
    const first = await subscriber.take('SUBSCRIBED', () => true);
    requireSame(first.slice(0, 2), [SUBSCRIBED, id], 'the first message');
  }),

  feature(
    'broker',
    'publisher_exclusion',
    'exclude-me',
    'exclude_me false: the publisher gets it, too',
    async (lab, session) => {
      const topic = uri(lab);
      await session.subscribe(topic);
      await session.publish(topic, [1], { exclude_me: false });
      requirePayload(await session.event(), 4, [1]);
    },
  ),
  feature(
    'broker',
    'subscriber_blackwhite_listing',
    'exclude',
    'who is excluded gets no event',
    async (lab, session) => {
      const { subscriber, topic } = await pubsub(lab);
      await session.publish(topic, [1], { exclude: [subscriber.id] });
      await subscriber.none(EVENT);
    },
  ),
  feature(
    'broker',
    'subscriber_blackwhite_listing',
    'eligible',
    'only who is eligible gets an event',
    async (lab, session) => {
      const { subscriber, publisher, topic } = await pubsub(lab);
      await publisher.subscribe(topic);
      await session.publish(topic, [1], { eligible: [publisher.id] });
      await publisher.event();
      await subscriber.none(EVENT);
    },
  ),
  feature(
    'broker',
    'publisher_identification',
    'disclose-publisher',
    'disclose_me: events name the publisher',
    async (lab, session) => {
      const { subscriber, topic } = await pubsub(lab);
      await session.publish(topic, [1], { disclose_me: true });
      const [, , , details] = await subscriber.event();
      requireSame(isObject(details) && details['publisher'], session.id, 'the publisher');
    },
  ),
  feature(
    'broker',
    'pattern_based_subscription',
    'prefix',
    'match prefix: topics that begin so',
    async (lab, session) => {
      const topic = uri(lab);
      await session.subscribe(topic, { match: 'prefix' });
      const publisher = await join(lab);
      await publisher.publish(`${topic}.a.b`, [1]);
      await publisher.publish(topic.slice(0, -1), [2]);
      const event = await session.event();
      requirePayload(event, 4, [1]);
      requireSame(
        isObject(event[3]) && event[3]['topic'],
        `${topic}.a.b`,
        'the topic in the details',
      );
      await session.none(EVENT);
    },
  ),
  feature(
    'broker',
    'pattern_based_subscription',
    'wildcard',
    'match wildcard: an empty component is any',
    async (lab, session) => {
      const topic = uri(lab);
      await session.subscribe(`${topic}..c`, { match: 'wildcard' });
      const publisher = await join(lab);
      for (const [at, end] of ['.a.c', '.b.c', '.a.d', '.a.b.c', '.c'].entries()) {
        await publisher.publish(topic + end, [at]);
      }
      requirePayload(await session.event(), 4, [0]);
      requirePayload(await session.event(), 4, [1]);
      await session.none(EVENT);
    },
  ),
  feature(
    'dealer',
    'pattern_based_registration',
    'prefix-call',
    'match prefix: calls of what begins so',
    async (lab, session) => {
      const procedure = uri(lab);
      await session.register(procedure, { match: 'prefix' });
      (await join(lab)).start(CALL, {}, `${procedure}.a.b`);
      const [, , , details] = await session.invocation();
      requireSame(isObject(details) && details['procedure'], `${procedure}.a.b`, 'the procedure');
    },
  ),
  feature(
    'dealer',
    'pattern_based_registration',
    'exact-first',
    'an exact registration goes before a pattern',
    async (lab, session) => {
      const procedure = uri(lab);
      await session.register(procedure, { match: 'prefix' });
      const exact = await join(lab);
      await exact.register(`${procedure}.a`);
      (await join(lab)).start(CALL, {}, `${procedure}.a`);
      await exact.invocation();
      await session.none(INVOCATION);
    },
  ),
  feature(
    'dealer',
    'caller_identification',
    'disclose-caller',
    'disclose_me: invocations name the caller',
    async (lab, session) => {
      const { callee, procedure } = await rpc(lab);
      session.start(CALL, { disclose_me: true }, procedure);
      const [, , , details] = await callee.invocation();
      requireSame(isObject(details) && details['caller'], session.id, 'the caller');
    },
  ),
  feature(
    'dealer',
    'shared_registration',
    'roundrobin',
    'invoke roundrobin: callees take turns',
    async (lab, session) => {
      const other = await join(lab);
      const procedure = uri(lab);
      for (const callee of [session, other])
        await callee.register(procedure, { invoke: 'roundrobin' });
      const caller = await join(lab);
      for (let at = 0; at < 4; at++) caller.start(CALL, {}, procedure, [at]);
      for (const callee of [session, session, other, other]) await callee.invocation();
    },
  ),
  feature(
    'dealer',
    'progressive_call_results',
    'progress',
    'progressive results come before the last one',
    async (lab, session) => {
      const { callee, procedure } = await rpc(lab);
      const id = session.start(CALL, { receive_progress: true }, procedure);
      const [, request, , details] = await callee.invocation();
      requireSame(isObject(details) && details['receive_progress'], true, 'receive_progress');
      callee.send([YIELD, request, { progress: true }, [1]]);
      callee.send([YIELD, request, {}, [2]]);
      const first = await session.reply(CALL, id);
      requireSame(isObject(first[2]) && first[2]['progress'], true, `progress of ${show(first)}`);
      requirePayload(first, 3, [1]);
      requirePayload(await session.reply(CALL, id), 3, [2]);
    },
  ),
  feature(
    'dealer',
    'call_canceling',
    'cancel',
    'CANCEL: the caller gets ERROR, the callee INTERRUPT',
    async (lab, session) => {
      const { callee, procedure } = await rpc(lab);
      const id = session.start(CALL, {}, procedure);
      const [, request] = await callee.invocation();
      session.send([CANCEL, id, { mode: 'killnowait' }]);
      const error = await session.reply(CALL, id);
      requireSame(
        [error[0], error[4]],
        [ERROR, 'wamp.error.canceled'],
        `the answer ${show(error)}`,
      );
      await callee.takeType(INTERRUPT, (message) => message[1] === request);
    },
  ),
  feature(
    'dealer',
    'call_timeout',
    'timeout',
    'a call with a timeout that has passed is an error',
    async (lab, session) => {
      const { callee, procedure } = await rpc(lab);
      const id = session.start(CALL, { timeout: 100 }, procedure);
      await callee.invocation();
      requireSame((await session.reply(CALL, id))[0], ERROR, 'the type of the answer');
    },
  ),
  feature(
    'dealer',
    'session_meta_api',
    'sessions',
    'wamp.session.count and wamp.session.get',
    async (_, session) => {
      const count = await session.request(CALL, {}, 'wamp.session.count');
      const [number] = (count[3] ?? []) as Tuple;
      requireThat(Number(number) >= 1, `the count is ${show(number)}, expected 1 or more`);
      const found = await session.request(CALL, {}, 'wamp.session.get', [session.id]);
      const [details] = (found[3] ?? []) as Tuple;
      requireSame(
        isObject(details) && details['session'],
        session.id,
        `the session in ${show(found)}`,
      );
      await session.refused(['wamp.error.no_such_session'], CALL, {}, 'wamp.session.get', [1]);
    },
  ),

  survived('nested', 'arguments of 10,000 lists in each other', (session) =>
    session.send(`[16,1,{},"com.example.wsk.a",${'['.repeat(10_000)}${']'.repeat(10_000)}]`),
  ),
  survived('brackets', '50,000 open brackets', (session) => session.send('['.repeat(50_000))),
  survived('long-uri', 'a URI of 60,000 characters', (session) =>
    session.start(SUBSCRIBE, {}, `com.example.wsk.${'a'.repeat(60_000)}`),
  ),
  survived('components', 'a URI of 20,000 components', (session) =>
    session.start(SUBSCRIBE, { match: 'wildcard' }, `com.example.wsk${'.a'.repeat(20_000)}`),
  ),
  survived('proto', 'keys with which objects are made', (session) => {
    session.send('[32,1,{"__proto__":{"match":"prefix"},"constructor":1},"__proto__"]');
    session.send('[16,2,{"__proto__":{}},"constructor",[],{"__proto__":{"a":1}}]');
    session.send('[48,3,{},"toString"]');
  }),
  survived('numbers', 'ids that are too large', (session) =>
    session.send(`[32,${'9'.repeat(5000)},{},"com.example.wsk.a"]`),
  ),
  survived('infinite', 'a number that no double holds', (session) =>
    session.send('[16,1,{},"com.example.wsk.a",[1e400]]'),
  ),
  survived('surrogate', 'half a character, and NUL', (session) =>
    session.send('[32,1,{},"com.example.wsk.\\ud800\\u0000"]'),
  ),
  survived('binary', 'a binary message', (session) => {
    void session.channel.sendBinary(Buffer.from([0xc1, 0, 0xff]));
  }),
  survived('null', 'null where everything else belongs', (session) =>
    session.send([null, null, null, null]),
  ),
  survived('options', 'options of wrong types', (session) => {
    session.send([SUBSCRIBE, 1, { match: [1] }, 'com.example.wsk.a']);
    session.send([
      PUBLISH,
      2,
      { exclude: 'a', eligible: {}, acknowledge: 'yes' },
      'com.example.wsk.a',
    ]);
    session.send([REGISTER, 3, { match: {}, invoke: 7 }, 'com.example.wsk.b']);
    session.send([CALL, 4, { timeout: 'a', receive_progress: [] }, 'com.example.wsk.c']);
  }),
  survived('yield', 'answers to what was never asked', (session) => {
    session.send([YIELD, 123, {}, [1]]);
    session.send([ERROR, INVOCATION, 124, {}, 'com.example.wsk.error']);
  }),
  survived('subscriptions', '10,000 subscriptions', (session) => {
    for (let at = 0; at < 10_000; at++) session.start(SUBSCRIBE, {}, `com.example.wsk.many.t${at}`);
  }),
];
