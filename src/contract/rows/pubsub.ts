import { newId, requireFields, requireSame, requireThat } from '../client.ts';
import type { Client } from '../client.ts';
import { expectJson } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { COUNT, TIME, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { RowSkip } from '../terms.ts';

const row = rowsOf('pubsub', ['pubsub']);
const http = rowsOf('pubsub', ['pubsub'], { needs: ['publish-token'] });

/** Whether it may be another server that publishes: each counts its own subscribers. */
function areSeveral({ subject: { alsoUrls = [] } }: Lab): boolean {
  return alsoUrls.length > 0;
}

const isEvent = ({ type }: Message): boolean => type === 'event';

async function subscribe(
  lab: Lab,
  topic: string,
  options?: Parameters<Lab['connect']>[0],
): Promise<Client> {
  const client = await lab.connect(options);
  await client.request({ type: 'subscribe', topic }, 'subscribed', { topic });
  return client;
}

async function publish(client: Client, topic: string, data: unknown): Promise<Message> {
  return await client.request({ type: 'publish', topic, data }, 'ack');
}

/** What so many events bring, in their order; one more of them must not come. */
async function dataOf(client: Client, count: number): Promise<readonly unknown[]> {
  return (await client.exactly(count, 'event', isEvent)).map(({ data }) => data);
}

/** Which of the topics, below a name of its own, a pattern brings. */
async function requireMatches(
  lab: Lab,
  pattern: string,
  expected: readonly string[],
  others: readonly string[],
): Promise<void> {
  const name = lab.name();
  const reader = await subscribe(lab, name + pattern);
  const author = await lab.connect();
  for (const topic of [...expected, ...others]) await publish(author, name + topic, topic);
  const seen = await dataOf(reader, expected.length);
  requireSame(seen, expected, `topics that ${pattern === '' ? 'a literal' : pattern} brings`);
}

function refusedTopic(
  id: string,
  title: string,
  topic: unknown,
  { code = 'bad_message', reference = 'OWASP input validation' } = {},
): Row {
  return row(
    `pubsub.subscribe.${id}`,
    `${title} is ${code}`,
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'subscribe', ...(topic !== undefined && { topic }) }, code);
      await client.lives();
    },
    { reference },
  );
}

const broad = { code: 'pattern_too_broad', reference: 'OWASP resources' };

async function post(
  lab: Lab,
  status: number | readonly number[],
  json: unknown,
): ReturnType<Lab['http']> {
  return await lab.answers(status, 'POST', '/publish', {
    token: lab.subject.secrets.publish,
    json,
  });
}

export const PUBSUB: readonly Row[] = [
  row(
    'pubsub.subscribe.reply',
    'subscribe is answered with subscribed and the topic',
    async (lab) => {
      const client = await lab.connect();
      const topic = `${lab.name()}.a`;
      const reply = await client.request({ type: 'subscribe', topic }, 'subscribed', { topic });
      requireFields(reply, [
        ...['id', 'topic', 'type'],
        lab.has('history') && 'messages',
        lab.has('resume') && 'position',
        lab.has('resume') && 'recovered',
      ]);
    },
  ),
  row('pubsub.subscribe.no-id', 'subscribe without id is answered without id', async (lab) => {
    const client = await lab.connect();
    const topic = lab.name();
    client.send({ type: 'subscribe', topic });
    await client.expect('subscribed', { topic, id: undefined });
  }),
  row(
    'pubsub.subscribe.again',
    'subscribing again is allowed, and events still come once',
    async (lab) => {
      const topic = lab.name();
      const client = await subscribe(lab, topic);
      await client.request({ type: 'subscribe', topic }, 'subscribed');
      await publish(client, topic, 1);
      await client.exactly(1, 'event', isEvent);
    },
  ),
  row('pubsub.match.literal', 'a literal topic brings itself alone', (lab) =>
    requireMatches(lab, '.a.b', ['.a.b'], ['', '.a', '.b', '.a.b.c', '.A.b', '.ab', '.a.bb']),
  ),
  row('pubsub.match.one', '* stands for exactly one segment', (lab) =>
    requireMatches(lab, '.*', ['.a', '.b-1_X'], ['', '.a.b']),
  ),
  row('pubsub.match.middle', '* may stand in the middle', (lab) =>
    requireMatches(lab, '.*.c', ['.a.c', '.b.c'], ['.c', '.a.b.c', '.a.d', '']),
  ),
  row('pubsub.match.several', '* may stand more than once', (lab) =>
    requireMatches(lab, '.*.x.*', ['.a.x.b'], ['.a.x', '.x.b', '.a.y.b', '.a.x.b.c']),
  ),
  row('pubsub.match.rest', '# stands for zero or more segments', (lab) =>
    requireMatches(lab, '.#', ['', '.a', '.a.b', '.a.b.c.d.e.f.g'], []),
  ),
  row('pubsub.match.rest-below', '# below a segment includes that segment', (lab) =>
    requireMatches(lab, '.a.#', ['.a', '.a.b', '.a.b.c'], ['', '.b', '.ab', '.b.a']),
  ),
  row('pubsub.match.star-rest', '* and # go together', (lab) =>
    requireMatches(lab, '.*.#', ['.a', '.a.b', '.a.b.c'], ['']),
  ),
  row('pubsub.match.other', 'another first segment is another stream', async (lab) => {
    const name = lab.name();
    const reader = await subscribe(lab, `${name}.#`);
    const author = await lab.connect();
    await publish(author, `${name}x`, 1);
    await publish(author, `x${name}.a`, 1);
    await reader.none('event', isEvent);
  }),
  row('pubsub.match.once', 'an event comes once, however many patterns match', async (lab) => {
    const name = lab.name();
    const client = await subscribe(lab, `${name}.#`);
    for (const pattern of ['.a', '.*', '.a.#']) {
      await client.request({ type: 'subscribe', topic: name + pattern }, 'subscribed');
    }
    await publish(client, `${name}.a`, 1);
    await client.exactly(1, 'event', isEvent);
    await client.request({ type: 'unsubscribe', topic: `${name}.*` }, 'unsubscribed');
    await publish(client, `${name}.a`, 2);
    await client.exactly(1, 'event after unsubscribing one', isEvent);
  }),
  refusedTopic('any', 'a pattern that begins with *', '*', broad),
  refusedTopic('everything', 'a pattern that matches everything (#)', '#', broad),
  refusedTopic('any-rest', 'the pattern *.#', '*.#', broad),
  refusedTopic('any-literal', 'the pattern *.a', '*.a', broad),
  refusedTopic('rest-inside', '# before the end', 'a.#.b'),
  refusedTopic('part-star', '* as a part of a segment', 'a.b*'),
  refusedTopic('part-rest', '# as a part of a segment', 'a.b#'),
  refusedTopic('empty', 'an empty topic', ''),
  refusedTopic('empty-segment', 'an empty segment', 'a..b'),
  refusedTopic('first-dot', 'a topic that begins with a dot', '.a'),
  refusedTopic('last-dot', 'a topic that ends with a dot', 'a.'),
  refusedTopic('segments', 'a topic of 9 segments', 'a.b.c.d.e.f.g.h.i'),
  refusedTopic('segment-long', 'a segment of 65 characters', `a.${'x'.repeat(65)}`),
  refusedTopic(
    'long',
    'a topic of 256 characters',
    [64, 64, 64, 61].map((n) => 'x'.repeat(n)).join('.'),
  ),
  refusedTopic('letters', 'a letter outside ASCII', 'a.ä'),
  refusedTopic('space', 'a space', 'a b'),
  refusedTopic('newline', 'a line end', 'a\n'),
  refusedTopic('number', 'a topic that is a number', 1),
  refusedTopic('list', 'a list of topics', ['a', 'b']),
  refusedTopic('absent', 'subscribe without a topic', undefined),
  row(
    'pubsub.subscribe.longest',
    'a topic may have 8 segments, 64 characters each, 255 in all',
    async (lab) => {
      const client = await lab.connect();
      const name = lab.name();
      const long = [64, 64, 64, 60].map((n, at) =>
        at === 0 ? name.padEnd(n, 'x') : 'x'.repeat(n),
      );
      for (const topic of [`${name}.b.c.d.e.f.g.h`, long.join('.')]) {
        await client.request({ type: 'subscribe', topic }, 'subscribed', { topic });
        await publish(client, topic, 1);
        await client.expect('event', { topic });
      }
    },
  ),
  row('pubsub.unsubscribe.reply', 'unsubscribe is answered with unsubscribed', async (lab) => {
    const topic = lab.name();
    const client = await subscribe(lab, topic);
    const reply = await client.request({ type: 'unsubscribe', topic }, 'unsubscribed', { topic });
    requireFields(reply, ['id', 'topic', 'type']);
    await publish(client, topic, 1);
    await client.none('event', isEvent);
  }),
  row(
    'pubsub.unsubscribe.not',
    'unsubscribing what was not subscribed is not_subscribed',
    async (lab) => {
      const name = lab.name();
      const client = await subscribe(lab, `${name}.#`);
      await client.refused({ type: 'unsubscribe', topic: name }, 'not_subscribed');
      await client.refused({ type: 'unsubscribe', topic: `${name}.*` }, 'not_subscribed');
      await publish(client, name, 1);
      await client.expect('event', { topic: name });
    },
  ),
  row('pubsub.publish.fields', 'an event holds topic, data, at and from', async (lab) => {
    const topic = `${lab.name()}.a`;
    const reader = await subscribe(lab, topic);
    const author = await lab.connect();
    await publish(author, topic, { n: 1 });
    const event = await reader.expect('event', { topic, data: { n: 1 }, at: TIME });
    requireSame(event['from'], author.welcome['user'], '"from"');
    requireFields(event, [
      ...['at', 'data', 'from', 'topic', 'type'],
      lab.has('history') && 'offset',
      lab.has('resume') && 'id',
    ]);
  }),
  row('pubsub.publish.data', 'any JSON value is data, and arrives unchanged', async (lab) => {
    const topic = lab.name();
    const client = await subscribe(lab, topic);
    const values = [
      null,
      false,
      0,
      -1.5e-7,
      '',
      'é\u2028\u0000',
      [],
      {},
      [[null, [1]]],
      { a: { b: [] } },
    ];
    for (const data of values) {
      await publish(client, topic, data);
      await client.expect('event', { data });
    }
  }),
  row(
    'pubsub.publish.proto',
    'a key named __proto__ in data is data',
    async (lab) => {
      const topic = lab.name();
      const client = await subscribe(lab, topic);
      client.send(`{"type":"publish","topic":"${topic}","data":{"__proto__":{"admin":true}}}`);
      const event = await client.expect('event', { topic });
      requireSame(JSON.stringify(event['data']), '{"__proto__":{"admin":true}}', '"data"');
    },
    { reference: 'OWASP input validation' },
  ),
  row('pubsub.publish.no-data', 'publish without data is bad_message', async (lab) => {
    const client = await lab.connect();
    await client.refused({ type: 'publish', topic: lab.name() }, 'bad_message');
  }),
  row(
    'pubsub.publish.pattern',
    'publishing to a pattern is refused',
    async (lab) => {
      const name = lab.name();
      const client = await subscribe(lab, `${name}.#`);
      for (const topic of [`${name}.*`, `${name}.#`, '*', '#', '', `${name}.`]) {
        await client.refused(
          { type: 'publish', topic, data: 1 },
          'bad_message',
          'pattern_too_broad',
        );
      }
      await client.none('event', isEvent);
    },
    { reference: 'OWASP input validation' },
  ),
  row(
    'pubsub.publish.forged',
    'nobody publishes for another: from is an unknown key',
    async (lab) => {
      const client = await lab.connect();
      for (const key of ['from', 'at', 'offset']) {
        await client.refused(
          { type: 'publish', topic: lab.name(), data: 1, [key]: 'root' },
          'bad_message',
        );
      }
    },
    { reference: 'OWASP authorization' },
  ),
  row(
    'pubsub.publish.unsubscribed',
    'publishing needs no subscription, and gives none',
    async (lab) => {
      const topic = lab.name();
      const author = await lab.connect();
      await publish(author, topic, 1);
      await author.none('event', isEvent);
    },
  ),
  row('pubsub.publish.own', 'who publishes and has subscribed gets the event, too', async (lab) => {
    const topic = lab.name();
    const client = await subscribe(lab, topic);
    await publish(client, topic, 'mine');
    await client.expect('event', { data: 'mine', from: client.welcome['user'] });
  }),
  row('pubsub.publish.no-ack', 'publish without id is not acknowledged', async (lab) => {
    const topic = lab.name();
    const client = await subscribe(lab, topic);
    client.send({ type: 'publish', topic, data: 1 });
    const event = await client.expect('event', { topic });
    requireThat(!Object.hasOwn(event, 'id'), 'the event holds an id that nobody gave');
    await client.none('ack', ({ type }) => type === 'ack');
  }),
  row('pubsub.order.sender', 'events of one publisher arrive in their order', async (lab) => {
    const topic = lab.name();
    const [author, reader] = await Promise.all([lab.connect(), subscribe(lab, topic)]);
    const sent = Array.from({ length: 100 }, (_, n) => n);
    for (const data of sent) author.send({ type: 'publish', topic, data });
    requireSame(await dataOf(reader, sent.length), sent, 'data');
  }),
  row('pubsub.order.same', 'all see the events of a stream in the same order', async (lab) => {
    const name = lab.name();
    const clients = await Promise.all([1, 2, 3, 4].map(() => subscribe(lab, `${name}.#`)));
    for (let n = 0; n < 25; n++) {
      for (const [at, client] of clients.entries()) {
        client.send({ type: 'publish', topic: `${name}.t${at}`, data: `${at}-${n}` });
      }
    }
    const orders = await Promise.all(clients.map((client) => dataOf(client, 100)));
    for (const order of orders) requireSame(order, orders[0], 'the order of the first');
  }),
  row(
    'pubsub.history.pattern',
    'what was missed is what the pattern matches',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      for (const topic of ['.a', '.b', '.a.c', '']) await publish(author, name + topic, topic);
      const reply = await author.request({ type: 'subscribe', topic: `${name}.*` }, 'subscribed');
      requireSame(
        (reply['messages'] as Message[]).map(({ data }) => data),
        ['.a', '.b'],
        'messages',
      );
      requireSame(
        (reply['messages'] as Message[]).map(({ topic }) => topic),
        [`${name}.a`, `${name}.b`],
        'topics',
      );
    },
    { needs: ['history'] },
  ),
  row(
    'pubsub.history.stream',
    'topics with the same first segment share one position',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      const offsets = [];
      for (const topic of ['.a', '.b', '', '.c.d']) {
        offsets.push(Number((await publish(author, name + topic, 1))['offset']));
      }
      const [first = 0] = offsets;
      requireSame(
        offsets,
        [0, 1, 2, 3].map((n) => first + n),
        'offsets',
      );
    },
    { needs: ['history'] },
  ),
  row(
    'pubsub.resume.pattern',
    'recovered is about the stream, messages about the pattern',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      const reply = await author.request({ type: 'subscribe', topic: `${name}.a` }, 'subscribed');
      for (const topic of ['.b', '.a', '.b']) await publish(author, name + topic, topic);
      const late = await lab.connect();
      const again = await late.request(
        { type: 'subscribe', topic: `${name}.a`, since: reply['position'] },
        'subscribed',
        { recovered: true },
      );
      requireSame(
        (again['messages'] as Message[]).map(({ data }) => data),
        ['.a'],
        'messages',
      );
      const { offset, epoch } = reply['position'] as { offset: number; epoch: string };
      requireSame(again['position'], { offset: offset + 3, epoch }, 'the position');
    },
    { needs: ['history', 'resume'] },
  ),
  row(
    'pubsub.private.subscribe',
    'every pattern below a private segment is private',
    async (lab) => {
      const name = lab.name('private');
      const member = await subscribe(lab, `${name}.#`, { claims: { rooms: [name] } });
      const stranger = await lab.connect();
      for (const pattern of ['', '.a', '.*', '.#', '.*.b.#']) {
        await stranger.refused({ type: 'subscribe', topic: name + pattern }, 'forbidden');
      }
      await publish(member, `${name}.a`, 'secret');
      await stranger.none('event', isEvent);
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),
  row(
    'pubsub.private.publish',
    'publishing to a private topic is forbidden, too',
    async (lab) => {
      const name = lab.name('private');
      const member = await subscribe(lab, `${name}.#`, { claims: { rooms: [name] } });
      const stranger = await lab.connect();
      await stranger.refused({ type: 'publish', topic: `${name}.a`, data: 1 }, 'forbidden');
      await member.none('event', isEvent);
      await publish(member, `${name}.a`, 1);
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),

  http('pubsub.http.publish', 'POST /publish publishes', async (lab) => {
    const topic = `${lab.name()}.a`;
    const reader = await subscribe(lab, topic);
    const answer = await post(lab, 200, { topic, data: { n: 1 } });
    const shape = {
      subscribers: areSeveral(lab) ? COUNT : 1,
      ...(lab.has('history') && { offset: COUNT }),
    };
    const body = expectJson(answer, shape);
    const event = await reader.expect('event', { topic, data: { n: 1 }, at: TIME });
    requireThat(!Object.hasOwn(event, 'from'), 'the event holds "from"');
    if (lab.has('history')) requireSame(event['offset'], body['offset'], '"offset" of the event');
    if (lab.has('history'))
      requireThat(typeof body['epoch'] === 'string', 'the body has no "epoch"');
  }),
  http('pubsub.http.subscribers', 'the answer counts connections, each once', async (lab) => {
    if (areSeveral(lab)) throw new RowSkip('each server counts its own subscribers');
    const name = lab.name();
    const two = await subscribe(lab, `${name}.#`);
    await two.request({ type: 'subscribe', topic: `${name}.a` }, 'subscribed');
    await subscribe(lab, `${name}.a`);
    await subscribe(lab, `${name}.b`);
    expectJson(await post(lab, 200, { topic: `${name}.a`, data: 1 }), { subscribers: 2 });
    expectJson(await post(lab, 200, { topic: `${name}.c.d`, data: 1 }), { subscribers: 1 });
    expectJson(await post(lab, 200, { topic: lab.name(), data: 1 }), { subscribers: 0 });
  }),
  http(
    'pubsub.http.private',
    'the server publishes to private topics',
    async (lab) => {
      const name = lab.name('private');
      const member = await subscribe(lab, `${name}.#`, { claims: { rooms: [name] } });
      await post(lab, 200, { topic: `${name}.a`, data: 'secret' });
      await member.expect('event', { data: 'secret' });
    },
    { needs: ['auth', 'signing'] },
  ),
  http(
    'pubsub.http.no-token',
    'POST /publish without the token is 401',
    async (lab) => {
      const topic = lab.name();
      const reader = await subscribe(lab, topic);
      const json = { topic, data: 1 };
      await lab.answers(401, 'POST', '/publish', { json });
      await lab.answers(401, 'POST', '/publish', { json, token: '' });
      await lab.answers(401, 'POST', '/publish', { json, token: 'x'.repeat(48) });
      const token = lab.subject.secrets.publish ?? '';
      await lab.answers(401, 'POST', '/publish', { json, token: `${token}x` });
      await lab.answers(401, 'POST', '/publish', { json, token: token.slice(0, -1) });
      await lab.answers(401, 'POST', '/publish', {
        json,
        headers: { Authorization: `Basic ${token}` },
      });
      await reader.none('event', isEvent);
    },
    { reference: 'OWASP authorization' },
  ),
  http(
    'pubsub.http.user-token',
    'the token of a user does not publish',
    async (lab) => {
      const json = { topic: lab.name(), data: 1 };
      await lab.answers(401, 'POST', '/publish', { json, token: lab.token('ada') });
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),
  http(
    'pubsub.http.bad-topic',
    'a topic that is none is 400, with the reason',
    async (lab) => {
      for (const topic of ['', 'a.*', '#', 'a..b', 'ä', 1, null, undefined, 'a.b.c.d.e.f.g.h.i']) {
        const { text } = await post(lab, 400, { topic, data: 1 });
        requireThat(text !== '', `the answer to topic ${show(topic)} gives no reason`);
      }
    },
    { reference: 'OWASP input validation' },
  ),
  http(
    'pubsub.http.bad-body',
    'a body that is no such object is 400',
    async (lab) => {
      const token = lab.subject.secrets.publish;
      for (const body of [
        '',
        '{',
        '[]',
        'null',
        '"x"',
        '{"topic":"a"}',
        '{"topic":"a","data":1,"admin":true}',
      ]) {
        await lab.answers(400, 'POST', '/publish', { token, body });
      }
      await lab.answers(200, 'GET', '/healthz');
    },
    { reference: 'OWASP input validation' },
  ),
  http(
    'pubsub.http.too-big',
    'a body above 64 KiB is 413',
    async (lab) => {
      await post(lab, 413, { topic: lab.name(), data: 'x'.repeat(70_000) });
      await lab.answers(200, 'GET', '/healthz');
    },
    { reference: 'OWASP message size' },
  ),
  http('pubsub.http.get', 'GET /publish publishes nothing', async (lab) => {
    await lab.answers([404, 405], 'GET', '/publish', { token: lab.subject.secrets.publish });
  }),
  http(
    'pubsub.http.duplicate',
    'an id that was used is not published again',
    async (lab) => {
      const topic = lab.name();
      const reader = await subscribe(lab, topic);
      const id = newId();
      const first = expectJson(await post(lab, 200, { topic, data: 1, id }), { offset: COUNT });
      requireThat(first['duplicate'] !== true, 'the first answer says that it is a duplicate');
      expectJson(await post(lab, 200, { topic, data: 1, id }), {
        duplicate: true,
        offset: first['offset'],
      });
      await reader.exactly(1, 'event', isEvent);
    },
    { needs: ['history', 'resume'] },
  ),
  http('pubsub.http.order', 'HTTP and clients publish into one order', async (lab) => {
    const topic = lab.name();
    const client = await subscribe(lab, topic);
    for (let n = 0; n < 10; n++) {
      if (n % 2 === 0) await post(lab, 200, { topic, data: n });
      else await publish(client, topic, n);
    }
    requireSame(await dataOf(client, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'data');
  }),
  row(
    'pubsub.closed.http',
    'without PUBLISH_TOKEN, /publish is 404',
    async (lab) => {
      const json = { topic: lab.name(), data: 1 };
      await lab.answers(404, 'POST', '/publish', { json });
      await lab.answers(404, 'POST', '/publish', { json, token: '' });
      await lab.answers(404, 'POST', '/publish', { json, token: 'undefined' });
    },
    { environment: 'closed', reference: 'OWASP authorization' },
  ),
  row(
    'pubsub.closed.publish',
    'with CLIENT_PUBLISH=false, publish is forbidden',
    async (lab) => {
      const topic = lab.name();
      const client = await subscribe(lab, topic);
      await client.refused({ type: 'publish', topic, data: 1 }, 'forbidden');
      await client.none('event', isEvent);
    },
    { environment: 'closed', reference: 'OWASP authorization' },
  ),
];
