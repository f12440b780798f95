import type { ExpectedOutcome } from '../../script.ts';
import {
  ACCEPTED,
  DROPPED,
  REFUSED,
  UNANSWERED,
  SERVERS,
  add,
  drop,
  goesOn,
  gotPong,
  gotText,
  informational,
  line,
  mayRefuse,
  nonStrict,
  ok,
  ping,
  send,
  set,
  text,
} from '../builders.ts';
import type { Row } from '../builders.ts';

/** x.1.4 and x.1.5: requests at the edge of what HTTP allows, and names nobody knows. */

/** What HTTP leaves open, and limits (RFC 6455 10.4; RFC 9110 5.4). */
const EDGES: readonly Row[] = [
  {
    id: 'x.1.4.1',
    title: 'a list in Upgrade',
    rfc: '6455#4.2.1',
    sends: 'Asks with Upgrade: wsk-unknown, websocket.',
    opening: { edits: [set('Upgrade', 'wsk-unknown, websocket')] },
    ending: 'greet',
    expect: [
      ...goesOn(),
      ...mayRefuse('the field holds websocket, and a list is what HTTP makes it'),
    ],
  },
  {
    id: 'x.1.4.2',
    title: 'a folded field',
    rfc: '6455#4.1',
    sends: 'Asks with a field whose value goes on in the next line (RFC 9112 section 5.2).',
    opening: { edits: [line('X-Folded: a'), line(' b')] },
    ending: 'greet',
    expect: [
      ok({ is: 'refused', status: [400] }),
      ...goesOn(),
      ...mayRefuse('the status for this is 400 (RFC 9112 section 5.2)'),
    ],
  },
  {
    id: 'x.1.4.3',
    title: 'a subprotocol in a folded line',
    rfc: '6455#4.2.2',
    sends: 'Asks with Sec-WebSocket-Protocol in a continuation line of another field.',
    opening: { edits: [line('X-Folded: a'), line(' Sec-WebSocket-Protocol: chat')] },
    ending: 'opening',
    expect: [...REFUSED, ...ACCEPTED],
  },
  {
    id: 'x.1.4.4',
    title: 'a field of 8 KiB',
    rfc: '6455#4.2.1',
    sends: 'Asks with a field of 8 KiB beside the others.',
    opening: { edits: [add('X-Filler', 'a'.repeat(8192))] },
    ending: 'greet',
    expect: [
      ...goesOn(),
      informational({ is: 'refused' }, 'the server has a limit, and no RFC sets one'),
      DROPPED,
      UNANSWERED,
    ],
  },
  {
    id: 'x.1.4.5',
    title: 'a field of 1 MiB',
    rfc: '6455#10.4',
    sends: 'Asks with a field of 1 MiB beside the others.',
    opening: { edits: [add('X-Filler', 'a'.repeat(1024 * 1024))] },
    ending: 'greet',
    thenServes: true,
    expect: [
      ok({ is: 'refused', status: [400, 413, 414, 431] }),
      nonStrict({ is: 'refused' }, 'RFC 6585 section 5 has 431 for this'),
      nonStrict({ is: 'hung-up' }, 'an answer of 4xx is what RFC 9110 section 5.4 asks for'),
      informational({ is: 'open' }, 'the server has no limit below 1 MiB, and no RFC sets one'),
      UNANSWERED,
    ],
  },
  {
    id: 'x.1.4.6',
    title: '80 fields',
    rfc: '6455#4.2.1',
    sends: 'Asks with 80 fields beside the others.',
    opening: { edits: Array.from({ length: 80 }, (_, n) => add(`X-Filler-${n}`, 'a')) },
    ending: 'greet',
    expect: [
      ...goesOn(),
      informational({ is: 'refused' }, 'the server has a limit, and no RFC sets one'),
      DROPPED,
      UNANSWERED,
    ],
  },
  {
    id: 'x.1.4.7',
    title: 'a head without an end',
    rfc: '6455#10.4',
    sends: 'Begins a request and goes on with 4 MiB of fields, but never ends it.',
    opening: {
      edits: [],
      endless: { line: `X-Filler: ${'a'.repeat(100)}`, bytes: 4 * 1024 * 1024 },
    },
    ending: 'opening',
    thenServes: true,
    expect: [
      ok({ is: 'refused' }),
      ok({ is: 'hung-up' }),
      nonStrict({ is: 'unanswered' }, 'the server takes 4 MiB of a head that has no end'),
      nonStrict(
        { is: 'accepted', anyhow: true },
        'the server did not wait for the end of the head',
      ),
    ],
  },
  {
    id: 'x.1.4.8',
    title: 'a request in three packets',
    rfc: '6455#4.2.1',
    sends: 'Sends the request in pieces of 100 octets, 50 ms apart.',
    opening: { edits: [], pieces: { bytes: 100, gapMs: 50 } },
    ending: 'greet',
    expect: goesOn(),
  },
  {
    id: 'x.1.4.9',
    title: 'a request octet by octet',
    rfc: '6455#4.2.1',
    sends: 'Sends the request octet by octet, one every two milliseconds.',
    opening: { edits: [], pieces: { bytes: 1, gapMs: 2 } },
    ending: 'greet',
    expect: [
      ...goesOn(),
      nonStrict({ is: 'hung-up' }, 'the server takes so many small packets for an attack'),
    ],
  },
  {
    id: 'x.1.4.10',
    title: 'a ping behind the request',
    rfc: '6455#4.1',
    sends: 'Sends a ping in the packet of the request, too early for a client.',
    opening: { edits: [], early: [ping('early')] },
    ending: 'greet',
    expect: [ok({ is: 'open', received: [gotPong('early')] }), ...early()],
  },
  {
    id: 'x.1.4.11',
    title: 'half a frame behind the request',
    rfc: '6455#4.1',
    sends: 'Sends the first fragment in the packet of the request, the last one after the answer.',
    opening: { edits: [], early: [text('behind the ', { fin: false })] },
    send: [send({ opcode: 0, payload: Buffer.from('request') })],
    ending: 'greet',
    expect: [ok({ is: 'open', received: [gotText('behind the request')] }), ...early()],
  },
];

/** It is the client that has to wait for the response (4.1): no server owes it anything before. */
function early(): ExpectedOutcome[] {
  return [
    ok({ is: 'refused' }, 'a client that does not wait may be refused'),
    nonStrict({ is: 'not-http' }, 'the server answered a frame before it had answered the request'),
    ok({ is: 'hung-up' }, 'a client that does not wait may be dropped'),
    ok({ is: 'open', received: 'any' }, 'what came with the request was lost, as it may be'),
    ok(
      { is: 'failed', codes: [1002], received: 'any' },
      'a client that does not wait may be dropped',
    ),
  ];
}

/** Subprotocols and extensions. */
const NAMES: readonly Row[] = [
  {
    id: 'x.1.5.1',
    title: 'an unknown subprotocol',
    rfc: '6455#4.2.2',
    sends: 'Offers the subprotocol wsk.unknown.v0.',
    opening: { edits: [set('Sec-WebSocket-Protocol', 'wsk.unknown.v0')] },
    ending: 'opening',
    expect: [
      ...ACCEPTED,
      informational({ is: 'refused' }, 'the server takes its own subprotocols only, as it may'),
    ],
  },
  {
    id: 'x.1.5.2',
    title: 'subprotocols in two fields',
    rfc: '6455#11.3.4',
    sends: 'Offers two unknown subprotocols in two fields, as 11.3.4 allows.',
    opening: {
      edits: [
        drop('Sec-WebSocket-Protocol'),
        add('Sec-WebSocket-Protocol', 'wsk.unknown.v0'),
        add('Sec-WebSocket-Protocol', 'wsk.unknown.v1'),
      ],
    },
    ending: 'opening',
    expect: [
      ...ACCEPTED,
      informational({ is: 'refused' }, 'the server takes its own subprotocols only, as it may'),
    ],
  },
  {
    id: 'x.1.5.3',
    title: 'an unknown extension',
    rfc: '6455#9.1',
    sends: 'Offers the extension x-wsk-unknown.',
    opening: { edits: [set('Sec-WebSocket-Extensions', 'x-wsk-unknown; level=1')] },
    ending: 'greet',
    expect: goesOn(),
  },
  {
    id: 'x.1.5.4',
    title: 'extensions in two fields',
    rfc: '6455#9.1',
    sends: 'Offers two unknown extensions in two fields.',
    opening: {
      edits: [
        add('Sec-WebSocket-Extensions', 'x-wsk-unknown'),
        add('Sec-WebSocket-Extensions', 'x-wsk-other'),
      ],
    },
    ending: 'greet',
    expect: [...goesOn(), ...mayRefuse('several fields are one list (9.1)')],
  },
];

export const REQUEST_EDGES: readonly Row[] = [...EDGES, ...NAMES].map((row) => ({
  ...row,
  peers: SERVERS,
}));
