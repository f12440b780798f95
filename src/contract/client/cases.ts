import { PUBLISHING } from '../row.ts';
import type { Action, ClientCase, Fault } from './case.ts';

const AT_TITLES = {
  'cut-before': 'before',
  'cut-inside': 'inside',
  'cut-after': 'after',
} as const;
type Cut = keyof typeof AT_TITLES;

function cutAt(on: Fault['on'], what: string, more: Partial<ClientCase> = {}): ClientCase[] {
  return (Object.keys(AT_TITLES) as Cut[]).map((does) => ({
    id: `cut.${on}.${AT_TITLES[does]}`,
    title: `TCP breaks off ${AT_TITLES[does]} ${what}`,
    faults: [{ on, does }],
    expect: {},
    ...more,
  }));
}

function on(does: Action, where: Fault['on'] = 'event', more: Partial<Fault> = {}): Fault[] {
  return [{ on: where, does, ...more }];
}

const CUTS: readonly ClientCase[] = [
  {
    id: 'cut.connect',
    title: 'TCP breaks off before an answer',
    faults: on('cut-before', 'connect'),
    expect: {},
  },
  ...cutAt('handshake', 'the 101'),
  ...cutAt('welcome', 'welcome'),
  ...cutAt('joined', 'the answer to the first command'),
  ...cutAt('event', 'a message'),
  ...cutAt('ack', 'an ack', { types: PUBLISHING }),
  ...(Object.keys(AT_TITLES) as Cut[]).map((does): ClientCase => ({
    id: `cut.resume.${AT_TITLES[does]}`,
    title: `TCP breaks off again ${AT_TITLES[does]} the answer that resumes`,
    faults: [
      { on: 'event', does: 'cut-after' },
      { on: 'joined', connection: 1, does },
    ],
    expect: {},
  })),
  {
    id: 'cut.replay',
    title: 'TCP breaks off in the first message after a resume',
    faults: [
      { on: 'joined', does: 'cut-after' },
      { on: 'event', connection: 1, does: 'cut-inside' },
    ],
    expect: {},
  },
  {
    id: 'cut.often',
    title: 'TCP breaks off five times, each time after a message',
    faults: [0, 1, 2, 3, 4].map((connection) => ({ on: 'event', connection, does: 'cut-after' })),
    expect: { connections: 6 },
  },
  {
    id: 'cut.first',
    title: 'TCP breaks off three times before the client has seen anything',
    faults: [0, 1, 2].map((connection) => ({ on: 'joined', connection, does: 'cut-before' })),
    expect: { connections: 4 },
  },
];

const HISTORY: readonly ClientCase[] = [
  {
    id: 'epoch.restart',
    title: 'the server restarts and has lost everything',
    faults: on('restart', 'event', { nth: 1 }),
    expect: { gap: 'yes', publish: 'any' },
  },
  {
    id: 'epoch.restart-before-ack',
    title: 'the server restarts before it acknowledges a message',
    types: PUBLISHING,
    faults: on('restart', 'ack'),
    expect: { gap: 'yes', publish: 'unknown' },
  },
  {
    id: 'epoch.lies',
    title: 'the server restarts and says that nothing was lost',
    faults: [
      { on: 'event', nth: 1, does: 'restart' },
      { on: 'joined', connection: 1, does: { change: { recovered: true } } },
    ],
    types: PUBLISHING,
    expect: { gap: 'yes', publish: 'any' },
  },
  {
    id: 'epoch.lies-later',
    title: 'the server restarts, publishes more than before, and says that nothing was lost',
    faults: [
      { on: 'event', nth: 1, does: 'restart' },
      { on: 'joined', connection: 1, does: { change: { recovered: true } } },
    ],
    types: PUBLISHING,
    away: 10,
    expect: { gap: 'yes', publish: 'any' },
  },
  {
    id: 'gap.history',
    title: 'the server has not kept everything that was missed',
    faults: on('cut-after'),
    kept: 2,
    away: 5,
    expect: { gap: 'yes' },
  },
  {
    id: 'gap.lies',
    title: 'the server has not kept everything and says that it has',
    faults: [
      { on: 'event', does: 'cut-after' },
      { on: 'joined', connection: 1, does: { change: { recovered: true } } },
    ],
    types: PUBLISHING,
    kept: 2,
    away: 5,
    expect: { gap: 'yes' },
  },
  {
    id: 'gap.live',
    title: 'a message never comes, and the next one does',
    faults: on('drop'),
    expect: {},
  },
  {
    id: 'gap.no-resume',
    title: 'the server cannot resume',
    types: PUBLISHING,
    faults: on('cut-after'),
    without: ['resume'],
    expect: { gap: 'yes', publish: 'any' },
  },
  {
    id: 'gap.no-resume-before-ack',
    title: 'the server cannot resume, and the connection is lost before an ack',
    types: PUBLISHING,
    faults: on('cut-before', 'ack'),
    without: ['resume'],
    expect: { gap: 'yes', publish: 'unknown' },
  },
  {
    id: 'gap.resume-ends',
    title: 'the connection is lost before an ack, and the server comes back without resume',
    types: PUBLISHING,
    faults: [
      { on: 'ack', does: 'cut-before' },
      { on: 'welcome', connection: 1, does: { change: { features: ['rooms', 'history'] } } },
    ],
    expect: { gap: 'yes', publish: 'unknown' },
  },
];

const ORDER: readonly ClientCase[] = [
  { id: 'twice.message', title: 'a message comes twice', faults: on('twice'), expect: {} },
  {
    id: 'twice.joined',
    title: 'an answer comes twice',
    faults: on('twice', 'joined'),
    expect: { connections: 1 },
  },
  {
    id: 'twice.welcome',
    title: 'welcome comes twice',
    faults: on('twice', 'welcome'),
    expect: { connections: 1 },
  },
  {
    id: 'twice.ack',
    title: 'an ack comes twice',
    types: PUBLISHING,
    faults: on('twice', 'ack'),
    expect: { connections: 1 },
  },
  {
    id: 'twice.resume',
    title: 'the answer that resumes repeats two messages from before',
    faults: on('cut-after', 'event', { nth: 1 }),
    repeated: 2,
    expect: { connections: 2 },
  },
  {
    id: 'twice.early',
    title: 'messages of an answer come before it, too',
    faults: on('early', 'joined'),
    expect: { connections: 1 },
  },
  { id: 'order.message', title: 'two messages change places', faults: on('swap'), expect: {} },
  {
    id: 'order.joined',
    title: 'a message comes before the answer',
    faults: on('swap', 'joined'),
    expect: {},
  },
  {
    id: 'late.joined',
    title: 'an answer is late',
    faults: on({ delayMs: 100 }, 'joined'),
    expect: {},
  },
  {
    id: 'late.never',
    title: 'an answer never comes',
    faults: on('drop', 'joined'),
    options: { joinTimeoutMs: 200 },
    expect: { connections: 2 },
  },
  {
    id: 'late.later',
    title:
      'the server answers with an error that says when to ask again, of a code that the client does not know',
    faults: on(
      { change: { type: 'error', code: 'busy', message: 'later', retryAfterMs: 50 } },
      'joined',
    ),
    expect: { connections: 1 },
  },
  {
    id: 'late.ack',
    title: 'an ack never comes, and the client learns that it does not know',
    types: PUBLISHING,
    faults: on('drop', 'ack'),
    options: { ackTimeoutMs: 200 },
    expect: { publish: 'unknown', connections: 1 },
  },
  {
    id: 'unknown.ids',
    title: 'answers come with ids that the client has not chosen',
    faults: on(
      {
        insert: [
          { type: 'ack', id: 'nobody', offset: 9 },
          { type: 'error', id: 'nobody', code: 'forbidden', message: 'no' },
          { type: 'joined', id: 'nobody', room: 'lobby', position: { offset: 90, epoch: 'x' } },
          { type: 'subscribed', id: 'nobody', topic: 'lobby.#' },
          { type: 'watching', id: 'nobody', document: 'lobby', data: {} },
        ],
      },
      'joined',
    ),
    expect: { connections: 1 },
  },
  {
    id: 'unknown.types',
    title: 'messages of types come that the client does not know',
    faults: on({
      insert: [
        { type: 'hologram', id: 1 },
        { type: '', room: 'lobby' },
      ],
    }),
    expect: { connections: 1 },
  },
  {
    id: 'garbage.json',
    title: 'a message is not JSON',
    faults: on({ insert: ['{"type":"mess'] }),
    expect: {},
  },
  {
    id: 'garbage.replaces',
    title: 'garbage comes in place of the last message',
    faults: [
      { on: 'event', does: { insert: ['\u0000'] } },
      { on: 'event', does: 'drop' },
    ],
    expect: {},
  },
  ...[PUBLISHING, ['live-updates'] as const].map((types, at): ClientCase => ({
    id: `garbage.last${at === 0 ? '' : '-change'}`,
    title: 'garbage comes in place of the newest message, and then nothing',
    types,
    faults: [
      { on: 'event', nth: 2 - at, does: { insert: ['{'] } },
      { on: 'event', nth: 2 - at, does: 'drop' },
    ],
    expect: { connections: 2 },
  })),
  {
    id: 'huge',
    title: 'a message of 4 MiB comes that the client does not know',
    faults: on({ insert: [{ type: 'hologram', data: 'x'.repeat(4 << 20) }] }),
    expect: {},
  },
];

function refused(status: number, more: Partial<ClientCase> = {}): ClientCase {
  return {
    id: `http.${status}`,
    title: `the handshake is answered with ${status}`,
    faults: on({ refuse: status }, 'handshake'),
    expect: {},
    ...more,
  };
}

const REFUSALS: readonly ClientCase[] = [
  ...[400, 403, 404].map((status) =>
    refused(status, {
      faults: on({ refuse: status }, 'handshake', { connection: 'all' }),
      expect: { closedAfter: [1], publish: 'any' },
    }),
  ),
  refused(401, {
    title: 'every handshake is answered with 401: one new token, if it has any, and no more',
    faults: on({ refuse: 401 }, 'handshake', { connection: 'all' }),
    expect: { closedAfter: [1, 2], publish: 'any' },
  }),
  refused(500),
  refused(502),
  ...[429, 503].map((status) =>
    refused(status, {
      title: `the handshake is answered with ${status} and Retry-After: 1`,
      faults: on({ refuse: status, retryAfter: 1 }, 'handshake'),
      expect: { waitsMs: 1000, connections: 2 },
    }),
  ),
];

const CODES: readonly ClientCase[] = [
  ...[1000, 1002, 1003, 1007, 1008, 1009, 4500, 4502, 4998].map((code): ClientCase => ({
    id: `close.${code}`,
    title: `the server closes with ${code}: no other attempt`,
    faults: on({ close: code }),
    expect: { closedAfter: [1], publish: 'any' },
  })),
  ...[1001, 1011, 1012, 1013, 3999, 4321, 4401, 4408, 4409, 4429].map((code): ClientCase => ({
    id: `close.${code}`,
    title: `the server closes with ${code}: the client resumes`,
    faults: on({ close: code }),
    expect: { connections: 2 },
  })),
  {
    id: 'close.4501',
    title: 'the server closes with 4501: one new token, if it has any, and no more',
    faults: on({ close: 4501 }, 'welcome', { connection: 'all' }),
    expect: { closedAfter: [1, 2], publish: 'any' },
  },
  {
    id: 'draining',
    title: 'the server shuts down and says when to come back',
    faults: on({ close: 1001, drainingMs: 400 }),
    expect: { waitsMs: 400, connections: 2 },
  },
  {
    id: 'silence',
    title: 'the server is silent and keeps the connection',
    faults: on('silence'),
    pingIntervalMs: 100,
    options: { pongTimeoutMs: 200 },
    expect: {},
  },
  {
    id: 'silence.welcome',
    title: 'the server accepts the connection and says nothing',
    faults: on('silence', 'welcome'),
    options: { connectTimeoutMs: 300 },
    expect: { connections: 2 },
  },
];

/** Failed connections; the waits after them have the limits 2, 4 … 1024 ms. */
const FAILURES = 10;

/** Random waits that do not grow are together 20 ms at most; that those that do are below 40 ms is 1 of 10 million. */
const BACKOFF: readonly ClientCase[] = (
  [
    ['refused', 'the handshake is refused ten times: the waits grow', 'handshake', { refuse: 503 }],
    ['brief', 'ten connections work, but only briefly: the waits grow', 'joined', 'cut-after'],
  ] as const
).map(([id, title, where, does]) => ({
  id: `backoff.${id}`,
  title,
  faults: Array.from({ length: FAILURES }, (_, connection) => ({ on: where, connection, does })),
  options: { backoff: { baseMs: 2, maxMs: 2 ** FAILURES } },
  expect: { growsToMs: 40, connections: FAILURES + 1 },
}));

const TOKENS: readonly ClientCase[] = [
  {
    id: 'token.asked',
    title: 'the server asks for a token',
    tokens: { given: ['t1'], valid: ['t1'] },
    faults: on('cut-after'),
    expect: { connections: 2 },
  },
  {
    id: 'token.refused-once',
    title: 'the first token is refused, the second is taken',
    tokens: { given: ['bad', 't1'], valid: ['t1'] },
    faults: [],
    expect: { connections: 2 },
  },
  {
    id: 'token.refused',
    title: 'every token is refused',
    tokens: { given: ['bad', 'worse', 'worst'], valid: [] },
    faults: [],
    expect: { closedAfter: [2], publish: 'any' },
  },
  {
    id: 'token.expired',
    title: 'the token expires, and the client comes with another',
    tokens: { given: ['t1', 't2'], valid: ['t1', 't2'] },
    faults: on({ close: 4401 }),
    expect: { connections: 2 },
  },
  {
    id: 'token.expiring',
    title: 'the server warns that the token expires, and the client replaces it',
    tokens: { given: ['t1', 't2'], valid: ['t1', 't2'] },
    faults: on({ insert: [{ type: 'token-expiring', expiresInMs: 5000 }] }),
    expect: { connections: 1, tokensTaken: 2 },
  },
];

export const CLIENT_CASES: readonly ClientCase[] = [
  ...CUTS,
  ...HISTORY,
  ...ORDER,
  ...REFUSALS,
  ...CODES,
  ...BACKOFF,
  ...TOKENS,
];
