import { Opcode } from '../../../protocol/index.ts';
import {
  SERVERS,
  close,
  continuation,
  frame,
  goesOn,
  goesOnInAnyOrder,
  gotPong,
  gotText,
  hex,
  illegal,
  nonStrict,
  ok,
  ping,
  pong,
  send,
  text,
} from '../../handshake/builders.ts';
import type { IllegalRow, Row } from '../../handshake/builders.ts';

/** x.4.3 to x.4.5: masks, reserved bits and opcodes, and what is legal though unusual. */

const HELLO = 'Hello';

/** 5.1: "a server MUST NOT mask", "a client MUST mask"; who receives it otherwise closes. */
const WRONG_MASKS: readonly IllegalRow[] = [
  [
    'x.4.3.1',
    'a text with the wrong masking',
    'Sends a text as only the other side may send it.',
    [text(HELLO, { masking: 'wrong' })],
  ],
  [
    'x.4.3.2',
    'an empty text with the wrong masking',
    'Sends an empty text as only the other side may send it.',
    [text('', { masking: 'wrong' })],
  ],
  [
    'x.4.3.3',
    'a ping with the wrong masking',
    'Sends a ping as only the other side may send it.',
    [ping(HELLO, { masking: 'wrong' })],
  ],
  [
    'x.4.3.4',
    'a pong with the wrong masking',
    'Sends a pong as only the other side may send it.',
    [pong(HELLO, { masking: 'wrong' })],
  ],
  [
    'x.4.3.5',
    'a last fragment with the wrong masking',
    'Sends a message whose last fragment is masked as only the other side may do.',
    [text(HELLO, { fin: false }), continuation(HELLO, { masking: 'wrong' })],
  ],
];

const MASKS: readonly Row[] = [
  {
    id: 'x.4.3.6',
    title: 'a close frame with the wrong masking',
    rfc: '6455#5.1',
    sends: 'Sends a close frame as only the other side may send it.',
    send: [send(close(1000, '', { masking: 'wrong' }))],
    expect: [
      ok({ is: 'closed', codes: [1002] }),
      ok({ is: 'dropped' }),
      // The connection ends either way, and the wrong masking does no harm any more.
      nonStrict({ is: 'closed', codes: [1000] }, 'the peer took the frame for a close frame'),
      nonStrict({ is: 'failed', codes: [1002] }, 'the code for this is 1002'),
    ],
  },
  {
    id: 'x.4.3.7',
    title: 'a masking key of zeros',
    rfc: '6455#5.3',
    sends: 'Sends a text with a masking key of four zeros, as unlikely as any other.',
    peers: SERVERS,
    send: [send(text(HELLO, { masking: 'zeros' }))],
    ending: 'greet',
    expect: goesOn(gotText(HELLO)),
  },
  {
    id: 'x.4.3.8',
    title: 'a key for each fragment',
    rfc: '6455#5.3',
    sends: 'Sends a message in fragments of 1, 2, 3 and 4 octets, each with a key of its own.',
    peers: SERVERS,
    send: [
      send(
        text('1', { fin: false }),
        continuation('22', { fin: false }),
        continuation('333', { fin: false }),
        continuation('4444'),
      ),
    ],
    ending: 'greet',
    expect: goesOn(gotText('1223334444')),
  },
];

/** Reserved bits and opcodes in the middle of a message, and where no extension is in force. */
const RESERVED: readonly IllegalRow[] = [
  [
    'x.4.4.1',
    'RSV1 on a continuation',
    'Sends a message whose last fragment has RSV1, without an extension.',
    [text(HELLO, { fin: false }), continuation(HELLO, { rsv1: true })],
  ],
  [
    'x.4.4.2',
    'RSV2 on a continuation',
    'Sends a message whose last fragment has RSV2.',
    [text(HELLO, { fin: false }), continuation(HELLO, { rsv2: true })],
  ],
  [
    'x.4.4.3',
    'RSV1 on a ping',
    'Sends a ping with RSV1, without an extension.',
    [ping(HELLO, { rsv1: true })],
  ],
  ['x.4.4.4', 'RSV3 on a pong', 'Sends a pong with RSV3.', [pong(HELLO, { rsv3: true })]],
  [
    'x.4.4.5',
    'a reserved opcode inside a message',
    'Sends a first fragment, a frame with opcode 3, the last fragment.',
    [text(HELLO, { fin: false }), frame(3, HELLO), continuation(HELLO)],
  ],
  [
    'x.4.4.6',
    'a reserved control opcode inside a message',
    'Sends a first fragment, a frame with opcode 11, the last fragment.',
    [text(HELLO, { fin: false }), frame(11, ''), continuation(HELLO)],
  ],
  [
    'x.4.4.7',
    'a ping inside a message that is too long',
    'Sends a first fragment, a ping of 126 octets, the last fragment.',
    [text(HELLO, { fin: false }), ping(Buffer.alloc(126)), continuation(HELLO)],
  ],
];

/** Legal, and easy to get wrong. */
const LEGAL: readonly Row[] = [
  {
    id: 'x.4.5.1',
    title: 'a character in four fragments',
    rfc: '6455#5.6',
    sends: 'Sends a character of four octets in four fragments, with a ping between them.',
    send: [
      send(
        text(hex('f0'), { fin: false }),
        continuation(hex('9f'), { fin: false }),
        ping('inside'),
        continuation(hex('98'), { fin: false }),
        continuation(hex('80')),
      ),
    ],
    ending: 'greet',
    expect: goesOnInAnyOrder(gotPong('inside'), gotText(hex('f09f9880'))),
  },
  {
    id: 'x.4.5.2',
    title: 'a byte order mark',
    rfc: '6455#8.1',
    sends: 'Sends a text that starts with U+FEFF, which is a character like any other.',
    send: [send(text(hex('efbbbf 48656c6c6f')))],
    ending: 'greet',
    expect: goesOn(gotText(hex('efbbbf 48656c6c6f'))),
  },
  {
    id: 'x.4.5.3',
    title: 'a text with U+0000',
    rfc: '6455#5.6',
    sends: 'Sends a text with a zero octet in the middle.',
    send: [send(text('before\0after'))],
    ending: 'greet',
    expect: goesOn(gotText('before\0after')),
  },
  {
    id: 'x.4.5.4',
    title: 'a fragmented message of each type',
    rfc: '6455#5.4',
    sends: 'Sends a text and a binary message in two fragments each, of the same octets.',
    send: [
      send(
        text(HELLO, { fin: false }),
        continuation(''),
        frame(Opcode.binary, HELLO, { fin: false }),
        continuation(''),
      ),
    ],
    ending: 'greet',
    expect: goesOn(gotText(HELLO), { type: 'binary', payload: Buffer.from(HELLO) }),
  },
];

export const FRAMES: readonly Row[] = [
  ...WRONG_MASKS.map(illegal('6455#5.1')),
  ...MASKS,
  ...RESERVED.map(illegal('6455#5.2')),
  ...LEGAL,
];
