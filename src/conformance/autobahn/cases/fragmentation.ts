import type { CaseDefinition, EventScript, FrameStep, Step } from '../../case.ts';
import {
  BY_TESTER,
  byPeer,
  closeAfter,
  continuation,
  gotPong,
  gotText,
  kill,
  ping,
  pong,
  text,
  wait,
} from './builders.ts';

/** Section 5: fragments in order, out of order, and with control frames between them. */

const MORE = { fin: false };

/** The three ways in which a series of frames is written. */
const WAYS: readonly {
  readonly words: string;
  readonly traits: Pick<FrameStep, 'chopBytes' | 'sync'>;
}[] = [
  { words: '', traits: {} },
  { words: ', each frame on its own', traits: { sync: true } },
  { words: ', octet by octet', traits: { chopBytes: 1 } },
];

interface Row {
  readonly what: string;
  readonly send: readonly FrameStep[];
  /** Undefined: the peer has to fail the connection. */
  readonly reply?: { readonly events: EventScript['expect']['OK']; readonly words: string };
}

/** Rows that come in all three ways. */
const TRIPLES: readonly Row[] = [
  {
    what: 'a text in two fragments',
    send: [text('fragment1', MORE), continuation('fragment2')],
    reply: { events: [gotText('fragment1fragment2')], words: 'The message comes back whole' },
  },
  {
    what: 'a text in two fragments with a ping between them',
    send: [text('fragment1', MORE), ping('ping payload'), continuation('fragment2')],
    reply: {
      events: [gotPong('ping payload'), gotText('fragment1fragment2')],
      words: 'The pong comes first, then the message whole',
    },
  },
  {
    what: 'a continuation that ends no message, then a text',
    send: [continuation('non-continuation payload'), text('Hello, world!')],
  },
  {
    what: 'a continuation that goes on with no message, then a text',
    send: [continuation('non-continuation payload', MORE), text('Hello, world!')],
  },
];

const FIRST_PAIR: readonly Row[] = [
  { what: 'a ping in two fragments', send: [ping('fragment1', MORE), continuation('fragment2')] },
  { what: 'a pong in two fragments', send: [pong('fragment1', MORE), continuation('fragment2')] },
];

function twice(fin: boolean): FrameStep[] {
  const round = [
    continuation('fragment1', { fin }),
    text('fragment2', MORE),
    continuation('fragment3'),
  ];
  return [...round, ...round];
}

const LAST: readonly (Row & { readonly nonStrict?: boolean })[] = [
  {
    what: 'a text in two fragments, then a continuation of nothing, then a text',
    send: [
      text('fragment1', MORE),
      continuation('fragment2'),
      continuation('fragment3', MORE),
      text('fragment4'),
    ],
    reply: { events: [gotText('fragment1fragment2')], words: 'The first message may come back' },
    nonStrict: true,
  },
  {
    what: 'twice a continuation of nothing (FIN clear) and a text in two fragments',
    send: twice(false),
  },
  {
    what: 'twice a continuation of nothing (FIN set) and a text in two fragments',
    send: twice(true),
  },
  {
    what: 'a text inside an unfinished text',
    send: [text('fragment1', MORE), text('fragment2')],
  },
];

/** 5.19 and 5.20: five fragments with two pings, and a second of silence in the middle. */
function slowFragments(traits: FrameStep | object): Step[] {
  const more = { ...MORE, ...traits };
  return [
    text('fragment1', more),
    continuation('fragment2', more),
    ping('pongme 1!', traits),
    wait(1, 'A', false),
    continuation('fragment3', more),
    continuation('fragment4', more),
    ping('pongme 2!', traits),
    continuation('fragment5', traits),
    closeAfter(1),
  ];
}

const REFUSED = 'The peer fails the connection: close 1002, or TCP is dropped.';

function legalOrRefused({ what, send, reply }: Row): Omit<CaseDefinition, 'id'> {
  return {
    title: what.replace(/^an? /, ''),
    rfc: '6455#5.4',
    description: `Sends ${what}.`,
    expectation: reply === undefined ? REFUSED : `${reply.words}, then both sides close with 1000.`,
    script: {
      kind: 'events',
      send: [...send, reply === undefined ? kill(1) : closeAfter(1)],
      expect: { OK: reply?.events ?? [] },
      close: reply === undefined ? byPeer(1002) : BY_TESTER,
    },
  };
}

function inAllWays(row: Row): Omit<CaseDefinition, 'id'>[] {
  return WAYS.map(({ words, traits }) =>
    legalOrRefused({
      ...row,
      what: row.what + words,
      send: row.send.map((step) => ({ ...step, ...traits })),
    }),
  );
}

function possiblyAnswered(row: Row & { readonly nonStrict?: boolean }): Omit<CaseDefinition, 'id'> {
  const { reply, ...refused } = row;
  const definition = legalOrRefused(refused);
  if (reply === undefined || definition.script.kind !== 'events') return definition;
  return {
    ...definition,
    expectation: `${reply.words}, then the peer fails the connection: close 1002, or TCP is dropped.`,
    script: { ...definition.script, expect: { OK: reply.events ?? [], 'NON-STRICT': [] } },
  };
}

function slow(): Omit<CaseDefinition, 'id'>[] {
  return WAYS.slice(0, 2).map(({ words, traits }) => ({
    title: `text in five fragments with two pings and a pause${words}`,
    rfc: '6455#5.4',
    description:
      'Sends two fragments and a ping, waits a second, sends two more fragments, a ping and the ' +
      `last fragment${words}.`,
    expectation: 'Each ping is answered at once, then the message comes back whole.',
    script: {
      kind: 'events',
      send: slowFragments(traits),
      expect: {
        OK: [
          gotPong('pongme 1!'),
          gotPong('pongme 2!'),
          gotText('fragment1fragment2fragment3fragment4fragment5'),
        ],
      },
      close: BY_TESTER,
    },
  }));
}

export function fragmentationCases(): CaseDefinition[] {
  return [
    ...FIRST_PAIR.map(legalOrRefused),
    ...TRIPLES.flatMap(inAllWays),
    ...LAST.map(possiblyAnswered),
    ...slow(),
  ].map((definition, index) => ({ id: `5.${index + 1}`, ...definition }));
}
