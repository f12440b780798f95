import {
  CLIENTS,
  UNOPENED,
  add,
  drop,
  goesOn,
  gotText,
  headRow,
  line,
  nonStrict,
  ok,
  ping,
  send,
  set,
  start,
  text,
} from '../builders.ts';
import type { HeadRow, Row } from '../builders.ts';

/** x.3: responses that a client has to refuse or take. */

const ACCEPT = 'Sec-WebSocket-Accept';
const EXTENSIONS = 'Sec-WebSocket-Extensions';

/** 4.1: of each of these "the client MUST _Fail the WebSocket Connection_". */
const WRONG: readonly HeadRow[] = [
  [
    'x.3.1.2',
    'a list in Upgrade',
    'Answers with Upgrade: websocket, h2c.',
    [set('Upgrade', 'websocket, h2c')],
  ],
  ['x.3.1.3', 'no Upgrade', 'Answers without Upgrade.', [drop('Upgrade')]],
  ['x.3.1.4', 'another Upgrade', 'Answers with Upgrade: h2c.', [set('Upgrade', 'h2c')]],
  ['x.3.1.5', 'no Connection', 'Answers without Connection.', [drop('Connection')]],
  [
    'x.3.1.6',
    'Connection without Upgrade',
    'Answers with Connection: keep-alive.',
    [set('Connection', 'keep-alive')],
  ],
  ['x.3.1.7', 'no accept', `Answers without ${ACCEPT}.`, [drop(ACCEPT)]],
  [
    'x.3.1.8',
    'a wrong accept',
    `Answers with a ${ACCEPT} of another key.`,
    [set(ACCEPT, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')],
  ],
  [
    'x.3.1.9',
    'the key as accept',
    `Answers with the key itself in ${ACCEPT}.`,
    [set(ACCEPT, '{key}')],
  ],
  [
    'x.3.1.10',
    'an accept in other letters',
    `Answers with the right ${ACCEPT} in lower case, which base64 makes another one.`,
    [set(ACCEPT, '{accept in lower case}')],
  ],
  [
    'x.3.1.11',
    'an accept in a folded line',
    `Answers with ${ACCEPT} in a continuation line of another field, hence without it.`,
    [drop(ACCEPT), line('X-Folded: a'), line(` ${ACCEPT}: {accept}`)],
  ],
  [
    'x.3.1.12',
    'a subprotocol that was not offered',
    'Answers with the subprotocol wsk.unknown.v0.',
    [set('Sec-WebSocket-Protocol', 'wsk.unknown.v0')],
  ],
  [
    'x.3.1.13',
    'an extension that was not offered',
    'Answers with the extension x-wsk-unknown.',
    [set(EXTENSIONS, 'x-wsk-unknown')],
  ],
  [
    'x.3.1.14',
    'permessage-deflate with an unknown parameter',
    'Answers with permessage-deflate and a parameter that does not exist.',
    [set(EXTENSIONS, 'permessage-deflate; wsk_unknown')],
    '7692#7.1',
  ],
  [
    'x.3.1.15',
    'permessage-deflate with a window of 16 bits',
    'Answers with permessage-deflate; server_max_window_bits=16.',
    [set(EXTENSIONS, 'permessage-deflate; server_max_window_bits=16')],
    '7692#7.1.2.1',
  ],
  [
    'x.3.1.16',
    'permessage-deflate twice',
    'Answers with permessage-deflate two times, which both would claim RSV1.',
    [set(EXTENSIONS, 'permessage-deflate, permessage-deflate')],
    '7692#5',
  ],
];

/** What a client has to take. */
const RIGHT: readonly HeadRow[] = [
  ['x.3.2.1', 'an ordinary response', 'Answers as everybody does.', []],
  [
    'x.3.2.2',
    'names in lower case',
    'Answers with the names of all fields in lower case.',
    [{ edit: 'letters', to: 'lower' }],
  ],
  [
    'x.3.2.3',
    'values in other letters',
    'Answers with Upgrade: WebSocket and Connection: upgrade.',
    [set('Upgrade', 'WebSocket'), set('Connection', 'upgrade')],
  ],
  [
    'x.3.2.4',
    'a list in Connection',
    'Answers with Connection: keep-alive, Upgrade.',
    [set('Connection', 'keep-alive, Upgrade')],
  ],
  [
    'x.3.2.5',
    'another reason phrase',
    'Answers 101 with the reason phrase "Sure, why not".',
    [start('HTTP/1.1 101 Sure, why not')],
  ],
  [
    'x.3.2.6',
    'fields the other way round',
    'Answers with the fields in reverse order.',
    [{ edit: 'reverse' }],
  ],
];

const EDGES: readonly Row[] = [
  {
    id: 'x.3.3.1',
    title: 'a text behind the response',
    rfc: '6455#4.2.2',
    sends: 'Sends a text in the packet of the response.',
    opening: { edits: [], early: [text('at once')] },
    ending: 'greet',
    expect: goesOn(gotText('at once')),
  },
  {
    id: 'x.3.3.2',
    title: 'half a frame behind the response',
    rfc: '6455#4.2.2',
    sends: 'Sends a first fragment in the packet of the response, the last one later.',
    opening: { edits: [], early: [text('at ', { fin: false })] },
    send: [{ do: 'wait', ms: 100 }, send({ opcode: 0, payload: Buffer.from('once') })],
    ending: 'greet',
    expect: goesOn(gotText('at once')),
  },
  {
    id: 'x.3.3.3',
    title: 'a response octet by octet',
    rfc: '6455#4.1',
    sends: 'Sends the response octet by octet, one every two milliseconds.',
    opening: { edits: [], pieces: { bytes: 1, gapMs: 2 } },
    ending: 'greet',
    expect: goesOn(),
  },
  {
    id: 'x.3.3.4',
    title: 'a response without an end',
    rfc: '6455#10.4',
    sends: 'Begins a response and goes on with 4 MiB of fields, but never ends it.',
    opening: {
      edits: [],
      endless: { line: `X-Filler: ${'a'.repeat(100)}`, bytes: 4 * 1024 * 1024 },
    },
    expect: [
      ok({ is: 'dropped' }),
      nonStrict({ is: 'quiet' }, 'the client takes 4 MiB of a head that has no end'),
    ],
  },
];

const ARE_YOU_OPEN = send(ping('is this open?'), text('is this open?'));

export const RESPONSES: readonly Row[] = [
  ...WRONG.map((row) => headRow(row, { rfc: '6455#4.1', send: [ARE_YOU_OPEN], expect: UNOPENED })),
  {
    id: 'x.3.1.1',
    title: 'status 200',
    rfc: '6455#4.1',
    sends: 'Answers 200 in place of 101, with everything else in order.',
    opening: { edits: [start('HTTP/1.1 200 OK'), add('Content-Length', '0')] },
    send: [ARE_YOU_OPEN],
    expect: [
      ok({ is: 'dropped' }),
      // 4.1 leaves other statuses to HTTP, which may keep the connection for another request.
      ok({ is: 'quiet' }),
    ],
  },
  {
    id: 'x.3.1.17',
    title: 'two accepts',
    rfc: '6455#11.3.3',
    sends: `Answers with two ${ACCEPT} fields, a wrong one behind the right one.`,
    opening: { edits: [add(ACCEPT, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')] },
    send: [ARE_YOU_OPEN],
    expect: UNOPENED,
  },
  ...RIGHT.map((row) => headRow(row, { rfc: '6455#4.1', ending: 'greet', expect: goesOn() })),
  ...EDGES,
].map((row) => ({ ...row, peers: CLIENTS }));
