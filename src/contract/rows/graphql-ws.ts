import { OBJECTS, newId, requireSame, requireThat } from '../client.ts';
import { Exchange } from '../exchange.ts';
import type { ConnectOptions, Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { isObject, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { survive } from '../survive.ts';
import { RowFailure, RowSkip, SUBPROTOCOLS } from '../terms.ts';

/*
 * PROTOCOL.md of the library graphql-ws: its messages go under the name graphql-transport-ws. A query
 * for `__typename` is valid in every schema; which subscriptions there are is found by introspection.
 */

const NAME = SUBPROTOCOLS['graphql-ws'];
const TYPES = ['graphql-ws'] as const;
const QUERY = '{ __typename }';

/** How long a row waits for a server that gets no connection_init, in milliseconds. */
const INIT_WAIT_MS = 12_000;

/** How long a row waits for an event that must not come, in milliseconds. */
const MOST_GAP_MS = 2000;

const communication = rowsOf('graphql-ws: Communication', TYPES, {
  reference: 'graphql-ws#Communication',
});
const init = rowsOf('graphql-ws: ConnectionInit', TYPES, {
  reference: 'graphql-ws#ConnectionInit',
});
const ping = rowsOf('graphql-ws: Ping and Pong', TYPES, { reference: 'graphql-ws#Ping' });
const subscribe = rowsOf('graphql-ws: Subscribe', TYPES, { reference: 'graphql-ws#Subscribe' });
const next = rowsOf('graphql-ws: Next', TYPES, { reference: 'graphql-ws#Next' });
const error = rowsOf('graphql-ws: Error', TYPES, { reference: 'graphql-ws#Error' });
const complete = rowsOf('graphql-ws: Complete', TYPES, { reference: 'graphql-ws#Complete' });
const invalid = rowsOf('graphql-ws: Invalid message', TYPES, {
  reference: 'graphql-ws#Invalid-message',
});
const hostile = rowsOf('graphql-ws: hostile clients', TYPES, { isAlone: true });

/** What `subscribe` carries. */
type Operation = string | Message;

class Peer extends Exchange<Message> {
  /** Asks for the connection that the protocol speaks of, and gets it. */
  async init(payload?: unknown): Promise<Message> {
    this.send({ type: 'connection_init', ...(payload !== undefined && { payload }) });
    return await this.takeType('connection_ack');
  }

  async takeType(type: string): Promise<Message> {
    return await this.take(JSON.stringify(type), (message) => message['type'] === type);
  }

  start(operation: Operation, id = newId()): string {
    const payload = typeof operation === 'string' ? { query: operation } : operation;
    this.send({ id, type: 'subscribe', payload });
    return id;
  }

  /** The next message about an operation. */
  async about(id: string, what = 'an answer'): Promise<Message> {
    return await this.take(`${what} with id ${show(id)}`, (message) => message['id'] === id);
  }

  /** The next event of a subscription. */
  async event(id: string): Promise<Message> {
    const message = await this.about(id, '"next"');
    requireSame(message['type'], 'next', `the type of ${show(message)}`);
    return message;
  }

  /** The one result of an operation: `next`, then `complete`. */
  async result(operation: Operation, givenId?: string): Promise<Message> {
    const id = this.start(operation, givenId);
    const { payload } = await this.event(id);
    const last = await this.about(id, '"complete"');
    requireSame(last['type'], 'complete', `the message after "next", ${show(last)}`);
    requireThat(isObject(payload), `the payload of "next" is ${show(payload)}, expected an object`);
    return payload;
  }

  /** The data of the one result, which has no errors. */
  async data(operation: Operation, id?: string): Promise<unknown> {
    const { data, errors } = await this.result(operation, id);
    requireThat(errors === undefined, `the result has the errors ${show(errors)}`);
    return data;
  }

  /** An operation is refused: by `error`, or if `mayRun` by a result that has errors. */
  async refused(operation: Operation, mayRun = false): Promise<string> {
    const id = this.start(operation);
    const { type, payload } = await this.about(id);
    const errors = mayRun && type === 'next' && isObject(payload) ? payload['errors'] : payload;
    const expected = mayRun ? '"error", or a result with errors' : '"error"';
    requireThat(
      type === 'error' || (mayRun && type === 'next'),
      `it was answered with ${show(type)}, expected ${expected}`,
    );
    requireThat(
      Array.isArray(errors) &&
        errors.length > 0 &&
        errors.every((one: unknown) => isObject(one) && typeof one['message'] === 'string'),
      `the errors are ${show(errors)}, expected a list of errors, each with a message`,
    );
    return id;
  }

  async lives(): Promise<void> {
    const data = await this.data(QUERY);
    const name = isObject(data) ? data['__typename'] : undefined;
    requireThat(typeof name === 'string', `{ __typename } brought ${show(data)}`);
  }

  /** No message about an operation came before the result of another one. */
  async nothingMore(id: string, types?: readonly string[]): Promise<void> {
    await this.lives();
    const more = this.unread.find(
      (message) => message['id'] === id && types?.includes(String(message['type'])) !== false,
    );
    if (more !== undefined) throw new RowFailure(`got ${show(more)}, expected nothing more`);
  }

  /** Whatever was received and not asked for. */
  drop(): void {
    this.unread.splice(0);
  }
}

async function open(lab: Lab, options: ConnectOptions = {}): Promise<Peer> {
  const protocols = options.protocols ?? [NAME];
  return await lab.speak({ ...options, protocols }, (channel, leftMs) => {
    return new Peer(channel, leftMs, OBJECTS);
  });
}

/** What a server may want to know of who connects; a project learns it from a header, too. */
function credentials({ subject: { secrets } }: Lab): Message | undefined {
  const { user } = secrets;
  return user === undefined ? undefined : { token: user, Authorization: `Bearer ${user}` };
}

async function connect(lab: Lab): Promise<Peer> {
  const peer = await open(lab);
  await peer.init(credentials(lab));
  return peer;
}

interface Stream {
  readonly query: string;
  /** How many events came while it was watched. */
  readonly events: number;
  readonly isOver: boolean;
}

const STREAMS = `{ __schema { subscriptionType { fields { name
  type { ...Type }
  args { defaultValue type { kind } } } } } }
  fragment Type on __Type { kind ofType { kind ofType { kind ofType { kind } } } }`;

/** How many subscriptions are watched, and for how long in milliseconds. */
const WATCHED = 8;
const WATCH_MS = 3000;

function needsFields(type: unknown): boolean {
  if (!isObject(type)) return false;
  const { kind, ofType } = type;
  return ['OBJECT', 'INTERFACE', 'UNION'].includes(String(kind)) || needsFields(ofType);
}

/** Subscriptions without required arguments. */
async function introspect(peer: Peer): Promise<readonly string[]> {
  const { data } = await peer.result(STREAMS);
  const found = data as {
    __schema?: {
      subscriptionType?: {
        fields: {
          name: string;
          type: unknown;
          args: { defaultValue: unknown; type: { kind: string } }[];
        }[];
      } | null;
    };
  } | null;
  const fields = found?.__schema?.subscriptionType?.fields ?? [];
  return fields
    .filter(({ args }) =>
      args.every(({ defaultValue, type }) => type.kind !== 'NON_NULL' || defaultValue != null),
    )
    .map(({ name, type }) => `subscription { ${name}${needsFields(type) ? ` ${QUERY}` : ''} }`);
}

async function findStreams(lab: Lab): Promise<readonly Stream[]> {
  const peer = await connect(lab);
  const { subscription } = lab.subject.known;
  const queries = subscription === undefined ? await introspect(peer) : [subscription];
  const watched = queries.slice(0, WATCHED).map((query) => ({ query, id: peer.start(query) }));
  const of = (all: readonly Message[], id: string, ...types: readonly string[]): number =>
    all.filter((one) => one['id'] === id && types.includes(String(one['type']))).length;
  const seen = await peer.gather(WATCH_MS, (all) =>
    watched.every(({ id }) => of(all, id, 'next') > 1 || of(all, id, 'complete', 'error') > 0),
  );
  return watched
    .filter(({ id }) => of(seen, id, 'error') === 0)
    .map(({ query, id }) => ({
      query,
      events: of(seen, id, 'next'),
      isOver: of(seen, id, 'complete') > 0,
    }));
}

/** A subscription that brings at least so many events. */
async function stream(lab: Lab, least: number, end: 'lasts' | 'ends' | 'any'): Promise<string> {
  const streams = await lab.once('streams', () => findStreams(lab));
  const fits = streams
    .filter(
      ({ events, isOver }) => events >= least && (end === 'any' || isOver === (end === 'ends')),
    )
    .sort((one, other) => other.events - one.events);
  if (fits[0] !== undefined) return fits[0].query;
  const what = [
    end !== 'any' && (end === 'ends' ? 'ends' : 'goes on'),
    least > 0 && `brings ${least} event${least > 1 ? 's' : ''}`,
  ];
  const wanted = what.filter((words) => words !== false).join(' and ');
  throw new RowSkip(
    `no subscription was found that ${wanted} within ${WATCH_MS / 1000} s: --subscription gives one`,
  );
}

/** Acknowledged, and subscribed to what goes on. */
async function subscriber(lab: Lab, least = 0): Promise<{ peer: Peer; id: string; query: string }> {
  const query = await stream(lab, least, 'lasts');
  const peer = await connect(lab);
  return { peer, id: peer.start(query), query };
}

/** How many events come after the server has got `complete`. */
async function eventsAfterComplete(lab: Lab): Promise<number> {
  const { peer, id } = await subscriber(lab, 2);
  await peer.event(id);
  const from = performance.now();
  await peer.event(id);
  const gapMs = performance.now() - from;
  peer.send({ id, type: 'complete' });
  await peer.lives();
  peer.drop();
  await lab.elapse(Math.min(3 * gapMs + 50, MOST_GAP_MS));
  await peer.lives();
  const more = await peer.gather(0);
  return more.filter((message) => message['id'] === id && message['type'] === 'next').length;
}

const VARIABLES =
  'query ($on: Boolean!) { a: __typename @include(if: $on) b: __typename @skip(if: $on) }';

/** Fields of the data of a result, by name. */
function requireKeys(data: unknown, keys: readonly string[]): void {
  requireSame(isObject(data) ? Object.keys(data) : data, keys, 'the fields of the data');
}

/** Something in the payload of a query for `__typename` that changes nothing. */
function accepted(id: string, title: string, more: Message): Row {
  return subscribe(`graphql-ws.subscribe.${id}`, title, async (lab) => {
    const peer = await connect(lab);
    requireKeys(await peer.data({ query: QUERY, ...more }), ['__typename']);
  });
}

/** What is no message of the protocol ends the connection. */
function refused(id: string, title: string, message: unknown, isAdvice = false): Row {
  return invalid(
    `graphql-ws.invalid.${id}`,
    `${title} closes with 4400`,
    async (lab) => {
      const peer = await connect(lab);
      peer.send(message);
      await peer.closed(4400);
    },
    { isAdvice },
  );
}

const started = (more: Message): Message => ({
  id: 'a',
  type: 'subscribe',
  payload: { query: QUERY },
  ...more,
});
const asked = (more: Message): Message => started({ payload: { query: QUERY, ...more } });

/** Whatever a client sends, others are served. */
function survived(id: string, title: string, attack: (peer: Peer) => void): Row {
  return hostile(`graphql-ws.hostile.${id}`, `${title}: others are served`, async (lab) => {
    await survive(lab, connect, async (attacker) => {
      attack(attacker);
      attacker.send({ type: 'ping' });
      await attacker.gather(lab.leftMs(), (all) => all.some(({ type }) => type === 'pong'));
    });
  });
}

function nested(depth: number): string {
  return '{ __schema { types '.concat(
    '{ fields { type '.repeat(depth),
    '{ name }',
    ' } }'.repeat(depth),
    ' } }',
  );
}

export const GRAPHQL_WS: readonly Row[] = [
  communication(
    'graphql-ws.handshake.selected',
    'the subprotocol graphql-transport-ws is selected',
    async (lab) => {
      const { channel } = await open(lab);
      requireSame(channel.handshake.protocol, NAME, 'the subprotocol');
    },
  ),
  communication(
    'graphql-ws.handshake.among',
    'graphql-transport-ws is selected behind a name that is not known',
    async (lab) => {
      const { channel } = await open(lab, { protocols: ['wsk.unknown.v0', NAME] });
      requireSame(channel.handshake.protocol, NAME, 'the subprotocol');
    },
  ),
  communication(
    'graphql-ws.handshake.unknown',
    'only a name that is not known: the handshake is refused, no name selected, or closed with 4406',
    async (lab) => {
      const outcome = await lab.attempt({ protocols: ['wsk.unknown.v0'] });
      if ('status' in outcome || outcome.channel.handshake.protocol === null) return;
      await outcome.closed(4406);
    },
  ),
  communication(
    'graphql-ws.handshake.legacy',
    'the name graphql-ws alone is not accepted for these messages: it is of another protocol',
    async (lab) => {
      const outcome = await lab.attempt({ protocols: ['graphql-ws'] });
      if ('status' in outcome || outcome.channel.handshake.protocol === null) return;
      const { channel } = outcome;
      const peer = new Peer(channel, () => lab.leftMs(), OBJECTS);
      await peer.init(credentials(lab));
      peer.send({ id: 'a', type: 'start', payload: { query: QUERY } });
      const { type } = await peer.about('a');
      requireThat(
        type === 'data' || type === 'error',
        `"start" was answered with ${show(type)}, expected "data"`,
      );
    },
  ),
  communication('graphql-ws.messages.fragments', 'a message may come in fragments', async (lab) => {
    const peer = await connect(lab);
    const message = JSON.stringify(started({}));
    void peer.channel.sendText(message.slice(0, 9), { fin: false });
    void peer.channel.sendContinuation(message.slice(9));
    requireSame((await peer.about('a'))['type'], 'next', 'the answer');
  }),

  init('graphql-ws.init.ack', 'connection_init is answered with connection_ack', async (lab) => {
    const peer = await open(lab);
    const { payload } = await peer.init(credentials(lab));
    requireThat(
      payload === undefined || payload === null || isObject(payload),
      `the payload of "connection_ack" is ${show(payload)}, expected an object`,
    );
  }),
  init(
    'graphql-ws.init.first',
    'nothing but pings comes before connection_ack',
    async (lab) => {
      const peer = await open(lab);
      peer.send({ type: 'connection_init', payload: credentials(lab) });
      const first = await peer.take('"connection_ack"', ({ type }) => type !== 'ping');
      requireSame(first['type'], 'connection_ack', 'the first message');
    },
    { reference: 'graphql-ws#ConnectionAck' },
  ),
  init(
    'graphql-ws.init.payload',
    'connection_init may carry an object: it is acknowledged, or closed with 4403',
    async (lab) => {
      const peer = await open(lab);
      peer.send({ type: 'connection_init', payload: { ...credentials(lab), wsk: [1, null] } });
      const [first] = await peer.gather(lab.leftMs(), (all) =>
        all.some(({ type }) => type === 'connection_ack'),
      );
      if (first?.['type'] !== 'connection_ack') await peer.closed(4403);
    },
  ),
  ...[['text', 'text'] as const, ['array', []] as const, ['number', 1] as const].map(
    ([id, payload]) =>
      init(
        `graphql-ws.init.payload-${id}`,
        `connection_init whose payload is ${show(payload)} closes with 4400`,
        async (lab) => {
          const peer = await open(lab);
          peer.send({ type: 'connection_init', payload });
          await peer.closed(4400);
        },
      ),
  ),
  init(
    'graphql-ws.init.token',
    'the payload of connection_init may hold the token of a user',
    async (lab) => {
      const peer = await open(lab, { token: null });
      await peer.init({ token: lab.token('ada') });
      await peer.lives();
    },
    { needs: ['auth', 'signing', 'project'] },
  ),
  init(
    'graphql-ws.init.forbidden',
    'connection_init with a bad token closes with 4403',
    async (lab) => {
      const peer = await open(lab, { token: null });
      peer.send({ type: 'connection_init', payload: { token: 'bad' } });
      await peer.closed(4403);
    },
    { needs: ['auth', 'project'] },
  ),
  init('graphql-ws.init.twice', 'a second connection_init closes with 4429', async (lab) => {
    const peer = await connect(lab);
    peer.send({ type: 'connection_init' });
    await peer.closed(4429);
  }),
  init(
    'graphql-ws.init.twice-at-once',
    'two connection_init at the same time close with 4429',
    async (lab) => {
      const peer = await open(lab);
      peer.send({ type: 'connection_init', payload: credentials(lab) });
      peer.send({ type: 'connection_init', payload: credentials(lab) });
      await peer.closed(4429);
    },
  ),
  init('graphql-ws.init.timeout', 'no connection_init in time closes with 4408', async (lab) => {
    const peer = await open(lab, { waitMs: INIT_WAIT_MS });
    const { code } = await peer.ended().catch((cause: unknown) => {
      if (!(cause instanceof RowFailure) || peer.isOver) throw cause;
      throw new RowSkip(`the server waits for more than ${INIT_WAIT_MS / 1000} s`);
    });
    requireSame(code, 4408, 'the close code');
  }),

  ping('graphql-ws.ping.pong', 'ping is answered with pong', async (lab) => {
    const peer = await connect(lab);
    peer.send({ type: 'ping' });
    await peer.takeType('pong');
  }),
  ping('graphql-ws.ping.payload', 'ping with a payload is answered with pong', async (lab) => {
    const peer = await connect(lab);
    peer.send({ type: 'ping', payload: { at: 1 } });
    await peer.takeType('pong');
  }),
  ping(
    'graphql-ws.ping.echo',
    'pong has the payload of the ping (no must: the reference does so)',
    async (lab) => {
      const peer = await connect(lab);
      peer.send({ type: 'ping', payload: { at: 1 } });
      requireSame((await peer.takeType('pong'))['payload'], { at: 1 }, 'the payload of the pong');
    },
    { isAdvice: true },
  ),
  ping(
    'graphql-ws.ping.before-init',
    'ping is answered at any time, also before connection_init',
    async (lab) => {
      const peer = await open(lab);
      peer.send({ type: 'ping' });
      await peer.takeType('pong');
      await peer.init(credentials(lab));
    },
  ),
  ping('graphql-ws.ping.many', 'each ping is answered', async (lab) => {
    const peer = await connect(lab);
    for (let sent = 0; sent < 20; sent++) peer.send({ type: 'ping' });
    for (let seen = 0; seen < 20; seen++) await peer.takeType('pong');
  }),
  ping('graphql-ws.ping.during', 'ping is answered while a subscription is open', async (lab) => {
    const { peer } = await subscriber(lab);
    peer.send({ type: 'ping' });
    await peer.takeType('pong');
  }),
  ...[undefined, { beat: 1 }].map((payload) =>
    ping(
      `graphql-ws.pong.${payload === undefined ? 'alone' : 'payload'}`,
      `pong may come unasked${payload === undefined ? '' : ', with a payload'}, and is not answered`,
      async (lab) => {
        const peer = await connect(lab);
        peer.send({ type: 'pong', payload });
        await peer.lives();
        const answer = await peer.gather(0);
        requireThat(answer.length === 0, `got ${show(answer[0])}, expected nothing`);
      },
      { reference: 'graphql-ws#Pong' },
    ),
  ),

  subscribe(
    'graphql-ws.subscribe.before-init',
    'subscribe before connection_init closes with 4401',
    async (lab) => {
      const peer = await open(lab);
      peer.start(QUERY);
      await peer.closed(4401);
    },
  ),
  subscribe('graphql-ws.subscribe.query', 'a query has a result', async (lab) => {
    await (await connect(lab)).lives();
  }),
  accepted('name-null', 'operationName may be null', { operationName: null }),
  accepted('variables-null', 'variables may be null', { variables: null }),
  accepted('variables-empty', 'variables may be empty', { variables: {} }),
  accepted('variables-more', 'variables that the query does not declare change nothing', {
    variables: { wsk: 1 },
  }),
  accepted('extensions', 'extensions may be an object', { extensions: { wsk: { a: 1 } } }),
  accepted('extensions-null', 'extensions may be null', { extensions: null }),
  subscribe('graphql-ws.subscribe.name', 'operationName chooses the operation', async (lab) => {
    const peer = await connect(lab);
    const query = 'query A { a: __typename } query B { b: __typename }';
    requireKeys(await peer.data({ query, operationName: 'B' }), ['b']);
  }),
  subscribe('graphql-ws.subscribe.variables', 'variables have their values', async (lab) => {
    const peer = await connect(lab);
    const query = VARIABLES;
    requireKeys(await peer.data({ query, variables: { on: true } }), ['a']);
    requireKeys(await peer.data({ query, variables: { on: false } }), ['b']);
  }),
  subscribe('graphql-ws.subscribe.reuse', 'an id is free again after complete', async (lab) => {
    const peer = await connect(lab);
    for (let time = 0; time < 3; time++) await peer.data(QUERY, 'same');
  }),
  subscribe('graphql-ws.subscribe.reuse-error', 'an id is free again after error', async (lab) => {
    const peer = await connect(lab);
    const id = await peer.refused('{ wskNoSuchField }');
    await peer.data(QUERY, id);
  }),
  subscribe(
    'graphql-ws.subscribe.reuse-stopped',
    'an id is free again as soon as the client has completed it',
    async (lab) => {
      const { peer, id } = await subscriber(lab);
      peer.send({ id, type: 'complete' });
      // Of the subscription there may be events on their way; of the query there is exactly one result.
      peer.start('{ second: __typename }', id);
      await peer.take('the result of the query', ({ id: of, payload }) => {
        const data = isObject(payload) ? payload['data'] : undefined;
        return of === id && isObject(data) && Object.hasOwn(data, 'second');
      });
    },
  ),
  subscribe(
    'graphql-ws.subscribe.taken',
    'the id of a subscription that is open closes with 4409',
    async (lab) => {
      const { peer, id, query } = await subscriber(lab);
      peer.start(query, id);
      await peer.closed(4409);
    },
  ),
  subscribe(
    'graphql-ws.subscribe.taken-query',
    'the id of a subscription that is open closes with 4409 for a query, too',
    async (lab) => {
      const { peer, id } = await subscriber(lab);
      peer.start(QUERY, id);
      await peer.closed(4409);
    },
  ),
  subscribe(
    'graphql-ws.subscribe.others',
    'an id that is taken on one connection is free on another',
    async (lab) => {
      const { id } = await subscriber(lab);
      await (await connect(lab)).data(QUERY, id);
    },
  ),
  subscribe('graphql-ws.subscribe.ids', 'an id is any text', async (lab) => {
    const peer = await connect(lab);
    for (const id of ['0', ' ', 'ключ €𝄞', '"\\\n', 'a'.repeat(200)]) await peer.data(QUERY, id);
  }),
  subscribe(
    'graphql-ws.subscribe.ids-of-objects',
    'an id may be a name that objects have: constructor, __proto__',
    async (lab) => {
      const peer = await connect(lab);
      for (const id of ['constructor', 'toString', '__proto__']) await peer.data(QUERY, id);
    },
  ),
  subscribe('graphql-ws.subscribe.at-once', 'operations that run together', async (lab) => {
    const peer = await connect(lab);
    const ids = Array.from({ length: 50 }, (_, at) => peer.start(`{ f${at}: __typename }`));
    for (const [at, id] of ids.entries()) {
      const { payload } = await peer.event(id);
      requireKeys(isObject(payload) ? payload['data'] : payload, [`f${at}`]);
      requireSame((await peer.about(id))['type'], 'complete', 'the message after "next"');
    }
  }),

  next('graphql-ws.next.result', 'next carries a result with data', async (lab) => {
    const payload = await (await connect(lab)).result(QUERY);
    requireThat(isObject(payload['data']), `the result is ${show(payload)}, expected data`);
  }),
  next('graphql-ws.next.one', 'a query has one next, then complete, then nothing', async (lab) => {
    const peer = await connect(lab);
    const id = newId();
    await peer.data(QUERY, id);
    await peer.nothingMore(id);
  }),
  next('graphql-ws.next.events', 'a subscription brings its events with its id', async (lab) => {
    const query = await stream(lab, 1, 'any');
    const peer = await connect(lab);
    const { payload } = await peer.event(peer.start(query));
    requireThat(isObject(payload), `the payload of "next" is ${show(payload)}, expected an object`);
  }),
  next('graphql-ws.next.end', 'complete follows the last event, and nothing it', async (lab) => {
    const query = await stream(lab, 0, 'ends');
    const peer = await connect(lab);
    const id = peer.start(query);
    await peer.take('"complete"', ({ id: of, type }) => of === id && type === 'complete');
    peer.drop();
    await peer.nothingMore(id);
  }),
  next(
    'graphql-ws.next.together',
    'two subscriptions on one connection bring events, each with its id',
    async (lab) => {
      const { peer, id, query } = await subscriber(lab, 1);
      const other = peer.start(query);
      await peer.event(id);
      await peer.event(other);
    },
  ),

  error('graphql-ws.error.validation', 'a query that is not valid has an error', async (lab) => {
    const peer = await connect(lab);
    await peer.refused('{ wskNoSuchField }');
    await peer.lives();
  }),
  error('graphql-ws.error.last', 'nothing comes after error, no complete either', async (lab) => {
    const peer = await connect(lab);
    const id = await peer.refused('{ wskNoSuchField }');
    await peer.nothingMore(id);
  }),
  error(
    'graphql-ws.error.syntax',
    'a query that cannot be parsed has an error (no must: a server may close)',
    async (lab) => {
      const peer = await connect(lab);
      await peer.refused('{', true);
      await peer.lives();
    },
    { isAdvice: true },
  ),
  error('graphql-ws.error.operation', 'an operationName that is not there', async (lab) => {
    const peer = await connect(lab);
    await peer.refused({ query: 'query A { __typename }', operationName: 'B' }, true);
    await peer.lives();
  }),
  error('graphql-ws.error.variables', 'a variable that is missing has errors', async (lab) => {
    const peer = await connect(lab);
    await peer.refused({ query: VARIABLES }, true);
    await peer.lives();
  }),
  error('graphql-ws.error.variable-type', 'a variable of a wrong type has errors', async (lab) => {
    const peer = await connect(lab);
    await peer.refused({ query: VARIABLES, variables: { on: { a: 1 } } }, true);
    await peer.lives();
  }),
  error('graphql-ws.error.subscription', 'a subscription that is not there', async (lab) => {
    const peer = await connect(lab);
    const id = await peer.refused('subscription { wskNoSuchField }', true);
    await peer.nothingMore(id, ['next', 'error']);
  }),
  error('graphql-ws.error.others', 'an error of one operation leaves others alone', async (lab) => {
    const { peer, id } = await subscriber(lab, 2);
    await peer.event(id);
    await peer.refused('{ wskNoSuchField }');
    await peer.event(id);
  }),

  complete(
    'graphql-ws.complete.stops',
    'a subscription that the client has completed ends',
    async (lab) => {
      const events = await eventsAfterComplete(lab);
      requireThat(events < 2, `${events} events came after "complete", expected that they end`);
    },
  ),
  complete(
    'graphql-ws.complete.none',
    'no event comes after the client has completed a subscription, not even one that was awaited',
    async (lab) => {
      requireSame(await eventsAfterComplete(lab), 0, 'the number of events after "complete"');
    },
    { isAdvice: true },
  ),
  complete(
    'graphql-ws.complete.silent',
    'complete of the client is not answered (no must: clients ignore what they have completed)',
    async (lab) => {
      const { peer, id } = await subscriber(lab);
      await peer.lives();
      peer.drop();
      peer.send({ id, type: 'complete' });
      await peer.nothingMore(id, ['complete', 'error']);
    },
    { isAdvice: true },
  ),
  complete('graphql-ws.complete.unknown', 'complete of an unknown id is ignored', async (lab) => {
    const peer = await connect(lab);
    peer.send({ id: newId(), type: 'complete' });
    await peer.lives();
  }),
  complete('graphql-ws.complete.again', 'complete of what has ended is ignored', async (lab) => {
    const peer = await connect(lab);
    await peer.data(QUERY, 'done');
    peer.send({ id: 'done', type: 'complete' });
    peer.send({ id: 'done', type: 'complete' });
    await peer.lives();
  }),
  complete('graphql-ws.complete.early', 'a query may be completed at once', async (lab) => {
    const peer = await connect(lab);
    const id = peer.start(QUERY);
    peer.send({ id, type: 'complete' });
    await peer.lives();
  }),
  complete(
    'graphql-ws.complete.own',
    'a client completes its own subscriptions, not those of others with the same id',
    async (lab) => {
      const { peer, id, query } = await subscriber(lab, 2);
      const other = await connect(lab);
      other.start(query, id);
      other.send({ id, type: 'complete' });
      await other.lives();
      peer.drop();
      await peer.event(id);
    },
  ),

  refused('not-json', 'a text that is no JSON', '{'),
  refused('empty', 'an empty text', ''),
  refused('null', 'null', null),
  refused('array', 'a list', [started({})]),
  refused('number', 'a number', 1),
  refused('text', 'a JSON text', '"ping"'),
  refused('no-type', 'a message without type', { id: 'a', payload: { query: QUERY } }),
  refused('type-null', 'a type that is null', { type: null }),
  refused('type-number', 'a type that is a number', { type: 1 }),
  refused('type-unknown', 'a type that is not known', { type: 'wsk' }),
  refused('type-legacy', 'start, of the older protocol,', started({ type: 'start' })),
  refused('type-server', 'next, of the server,', { id: 'a', type: 'next', payload: {} }, true),
  refused('no-id', 'subscribe without id', started({ id: undefined })),
  refused('id-null', 'an id that is null', started({ id: null })),
  refused('id-number', 'an id that is a number', started({ id: 1 })),
  refused('id-empty', 'an id that is empty', started({ id: '' }), true),
  refused('no-payload', 'subscribe without payload', started({ payload: undefined })),
  refused('payload-null', 'a payload that is null', started({ payload: null })),
  refused('payload-text', 'a payload that is a text', started({ payload: QUERY })),
  refused('no-query', 'a payload without query', asked({ query: undefined })),
  refused('query-null', 'a query that is null', asked({ query: null })),
  refused('query-number', 'a query that is a number', asked({ query: 1 })),
  refused('variables-text', 'variables that are a text', asked({ variables: '{}' })),
  refused('variables-array', 'variables that are a list', asked({ variables: [1] })),
  refused('name-number', 'an operationName that is a number', asked({ operationName: 1 })),
  refused('extensions-text', 'extensions that are a text', asked({ extensions: 'a' })),
  refused('complete-no-id', 'complete without id', { type: 'complete' }),
  refused('complete-id', 'complete whose id is a number', { type: 'complete', id: 1 }),
  refused('ping-payload', 'ping whose payload is a text', { type: 'ping', payload: 'a' }),
  invalid(
    'graphql-ws.invalid.before-init',
    'no JSON closes with 4400 before connection_init, too',
    async (lab) => {
      const peer = await open(lab);
      peer.send('{');
      await peer.closed(4400);
    },
  ),

  survived('nested', 'a payload of 10,000 lists in each other', (peer) => {
    peer.send(
      `{"id":"a","type":"subscribe","payload":{"query":"${QUERY}","variables":{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}}}`,
    );
  }),
  survived('brackets', '50,000 open brackets', (peer) => {
    peer.send('['.repeat(50_000));
  }),
  survived('deep-query', 'a query 1,000 levels deep', (peer) => peer.start(nested(1000))),
  survived('braces', 'a query of 30,000 open braces', (peer) => peer.start('{a'.repeat(15_000))),
  survived('aliases', 'a query of 3,000 aliases', (peer) =>
    peer.start(`{${Array.from({ length: 3000 }, (_, at) => ` f${at}: __typename`).join('')} }`),
  ),
  survived('cycle', 'fragments that spread each other', (peer) =>
    peer.start('{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'),
  ),
  survived('long-id', 'an id of 60,000 characters', (peer) => {
    peer.start(QUERY, 'a'.repeat(60_000));
  }),
  survived('proto', 'keys with which objects are made', (peer) => {
    peer.send(
      `{"id":"__proto__","type":"subscribe","payload":{"query":"${QUERY}","variables":{"__proto__":{"a":1}},"__proto__":{"query":1}},"__proto__":{"type":"ping"}}`,
    );
  }),
  survived('surrogate', 'half a character, and NUL', (peer) => {
    peer.send(
      '{"id":"\\ud800\\u0000","type":"subscribe","payload":{"query":"{ __typename } # \\udfff"}}',
    );
  }),
  survived('numbers', 'numbers that are too large', (peer) => {
    peer.send(`{"type":"ping","payload":{"a":1e400,"b":${'9'.repeat(5000)}}}`);
  }),
  survived('binary', 'a binary message', (peer) => {
    void peer.channel.sendBinary(Buffer.from([0xc1, 0, 0xff]));
  }),
  survived('subscribes', '1,000 operations, and a lost connection', (peer) => {
    for (let at = 0; at < 1000; at++) peer.start(QUERY, `q${at}`);
    peer.channel.terminate();
  }),
  survived('mixed', 'values of every type where texts belong', (peer) => {
    for (const odd of [null, 1, true, [], {}]) peer.send({ type: odd, id: odd, payload: odd });
  }),
];
