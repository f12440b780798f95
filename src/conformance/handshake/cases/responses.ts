import type { HeadEdit } from '../../script.ts';
import {
  CLIENTS,
  UNOPENED,
  add,
  drop,
  goesOn,
  gotText,
  line,
  nonStrict,
  ok,
  ping,
  send,
  set,
  start,
  text,
} from '../builders.ts';
import type { Row } from '../builders.ts';

/** x.3: responses that a client has to refuse or take. */

interface Response {
  readonly id: string;
  readonly title: string;
  readonly sends: string;
  readonly edits: readonly HeadEdit[];
  readonly rfc?: string;
}

const ACCEPT = 'Sec-WebSocket-Accept';
const EXTENSIONS = 'Sec-WebSocket-Extensions';

/** 4.1: of each of these "the client MUST _Fail the WebSocket Connection_". */
const WRONG: readonly Response[] = [
  {
    id: 'x.3.1.2',
    title: 'a list in Upgrade',
    sends: 'Answers with Upgrade: websocket, h2c.',
    edits: [set('Upgrade', 'websocket, h2c')],
  },
  {
    id: 'x.3.1.3',
    title: 'no Upgrade',
    sends: 'Answers without Upgrade.',
    edits: [drop('Upgrade')],
  },
  {
    id: 'x.3.1.4',
    title: 'another Upgrade',
    sends: 'Answers with Upgrade: h2c.',
    edits: [set('Upgrade', 'h2c')],
  },
  {
    id: 'x.3.1.5',
    title: 'no Connection',
    sends: 'Answers without Connection.',
    edits: [drop('Connection')],
  },
  {
    id: 'x.3.1.6',
    title: 'Connection without Upgrade',
    sends: 'Answers with Connection: keep-alive.',
    edits: [set('Connection', 'keep-alive')],
  },
  { id: 'x.3.1.7', title: 'no accept', sends: `Answers without ${ACCEPT}.`, edits: [drop(ACCEPT)] },
  {
    id: 'x.3.1.8',
    title: 'a wrong accept',
    sends: `Answers with a ${ACCEPT} of another key.`,
    edits: [set(ACCEPT, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')],
  },
  {
    id: 'x.3.1.9',
    title: 'the key as accept',
    sends: `Answers with the key itself in ${ACCEPT}.`,
    edits: [set(ACCEPT, '{key}')],
  },
  {
    id: 'x.3.1.10',
    title: 'an accept in other letters',
    sends: `Answers with the right ${ACCEPT} in lower case, which base64 makes another one.`,
    edits: [set(ACCEPT, '{accept in lower case}')],
  },
  {
    id: 'x.3.1.11',
    title: 'an accept in a folded line',
    sends: `Answers with ${ACCEPT} in a continuation line of another field, hence without it.`,
    edits: [drop(ACCEPT), line('X-Folded: a'), line(` ${ACCEPT}: {accept}`)],
  },
  {
    id: 'x.3.1.12',
    title: 'a subprotocol that was not offered',
    sends: 'Answers with the subprotocol wsk.unknown.v0.',
    edits: [set('Sec-WebSocket-Protocol', 'wsk.unknown.v0')],
  },
  {
    id: 'x.3.1.13',
    title: 'an extension that was not offered',
    sends: 'Answers with the extension x-wsk-unknown.',
    edits: [set(EXTENSIONS, 'x-wsk-unknown')],
  },
  {
    id: 'x.3.1.14',
    title: 'permessage-deflate with an unknown parameter',
    sends: 'Answers with permessage-deflate and a parameter that does not exist.',
    edits: [set(EXTENSIONS, 'permessage-deflate; wsk_unknown')],
    rfc: '7692#7.1',
  },
  {
    id: 'x.3.1.15',
    title: 'permessage-deflate with a window of 16 bits',
    sends: 'Answers with permessage-deflate; server_max_window_bits=16.',
    edits: [set(EXTENSIONS, 'permessage-deflate; server_max_window_bits=16')],
    rfc: '7692#7.1.2.1',
  },
  {
    id: 'x.3.1.16',
    title: 'permessage-deflate twice',
    sends: 'Answers with permessage-deflate two times, which both would claim RSV1.',
    edits: [set(EXTENSIONS, 'permessage-deflate, permessage-deflate')],
    rfc: '7692#5',
  },
];

/** What a client has to take. */
const RIGHT: readonly Response[] = [
  { id: 'x.3.2.1', title: 'an ordinary response', sends: 'Answers as everybody does.', edits: [] },
  {
    id: 'x.3.2.2',
    title: 'names in lower case',
    sends: 'Answers with the names of all fields in lower case.',
    edits: [{ edit: 'letters', to: 'lower' }],
  },
  {
    id: 'x.3.2.3',
    title: 'values in other letters',
    sends: 'Answers with Upgrade: WebSocket and Connection: upgrade.',
    edits: [set('Upgrade', 'WebSocket'), set('Connection', 'upgrade')],
  },
  {
    id: 'x.3.2.4',
    title: 'a list in Connection',
    sends: 'Answers with Connection: keep-alive, Upgrade.',
    edits: [set('Connection', 'keep-alive, Upgrade')],
  },
  {
    id: 'x.3.2.5',
    title: 'another reason phrase',
    sends: 'Answers 101 with the reason phrase "Sure, why not".',
    edits: [start('HTTP/1.1 101 Sure, why not')],
  },
  {
    id: 'x.3.2.6',
    title: 'fields the other way round',
    sends: 'Answers with the fields in reverse order.',
    edits: [{ edit: 'reverse' }],
  },
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
  ...WRONG.map(({ edits, ...response }): Row => ({
    rfc: '6455#4.1',
    ...response,
    opening: { edits },
    send: [ARE_YOU_OPEN],
    expect: UNOPENED,
  })),
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
  ...RIGHT.map(({ edits, ...response }): Row => ({
    rfc: '6455#4.1',
    ...response,
    opening: { edits },
    ending: 'greet',
    expect: goesOn(),
  })),
  ...EDGES,
].map((row) => ({ ...row, peers: CLIENTS }));
