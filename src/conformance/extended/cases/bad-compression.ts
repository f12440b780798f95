import type { DeflateTerms } from '../../script.ts';
import {
  binary,
  close,
  continuation,
  fails,
  gotBinary,
  hex,
  nonStrict,
  ok,
  ping,
  pong,
  send,
  text,
} from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';
import {
  ANY_CODE,
  HELLO,
  ORDINARY,
  RSV1,
  deflated,
  emptyBlocks,
  fragments,
  zeroBomb,
} from './deflate-samples.ts';

/** x.6.2, x.6.3 and x.6.5: compressed messages that are illegal, or hostile. */

interface Broken {
  readonly id: string;
  readonly title: string;
  readonly sends: string;
  readonly payload: Buffer;
}

const BROKEN: readonly Broken[] = [
  {
    id: 'x.6.2.1',
    title: 'a reserved block type',
    sends: 'Sends a block of type 3, which DEFLATE reserves.',
    payload: hex('06 00 00'),
  },
  {
    id: 'x.6.2.2',
    title: 'a stored block with a wrong length',
    sends: 'Sends a block without compression whose length and its complement differ.',
    payload: hex('00 0500 0000 48656c6c6f 00'),
  },
  {
    id: 'x.6.2.3',
    title: 'a reference to nothing',
    sends: 'Sends, as the first message, one that refers to a message before it.',
    payload: hex('f2 00 11 00 00'),
  },
  {
    id: 'x.6.2.4',
    title: 'code lengths that are none',
    sends: 'Sends a block whose dynamic Huffman codes are over-subscribed.',
    payload: hex('fc ff ff ff ff ff ff ff'),
  },
  {
    id: 'x.6.2.5',
    title: 'octets that are not compressed',
    sends: 'Sends the letters of a text with RSV1, as if they were compressed.',
    payload: Buffer.from('this is not compressed at all'),
  },
  {
    id: 'x.6.2.6',
    title: 'a gzip header',
    sends: 'Sends "Hello" compressed with a header of zlib around it.',
    payload: hex('78 9c f2 48 cd c9 c9 07 00'),
  },
];

const ILLEGAL: readonly Row[] = [
  ...BROKEN.map(({ payload, ...row }): Row => ({
    rfc: '7692#7.2.2',
    ...row,
    send: [send(text(payload, RSV1))],
    expect: fails(ANY_CODE),
  })),
  {
    id: 'x.6.2.7',
    title: 'a stream that is cut off',
    rfc: '7692#7.2.2',
    sends: 'Sends the first three of the seven octets of a compressed "Hello".',
    send: [send(text(HELLO.subarray(0, 3), RSV1))],
    ending: 'greet',
    expect: [
      ...fails(ANY_CODE),
      nonStrict(
        { is: 'open', received: 'any' },
        'the peer took a stream that ends inside a symbol for a message',
      ),
    ],
  },
  {
    id: 'x.6.2.8',
    title: 'compressed text that is not UTF-8',
    rfc: '6455#8.1',
    sends: 'Sends a compressed text of octets that are not UTF-8.',
    send: [send(text(deflated(hex('48 ff fe 6c')), RSV1))],
    expect: fails([1007]),
  },
  {
    id: 'x.6.2.9',
    title: 'compressed text that ends in a character',
    rfc: '6455#8.1',
    sends: 'Sends a compressed text that ends after two of the three octets of a character.',
    send: [send(text(deflated(hex('48 e2 82')), RSV1))],
    expect: fails([1007]),
  },
  {
    id: 'x.6.3.1',
    title: 'RSV1 on a continuation',
    rfc: '7692#6.1',
    sends: 'Sends a compressed message with RSV1 on its second fragment, too.',
    send: [
      send(
        text(HELLO.subarray(0, 3), { ...RSV1, fin: false }),
        continuation(HELLO.subarray(3), RSV1),
      ),
    ],
    expect: fails([1002]),
  },
  {
    id: 'x.6.3.2',
    title: 'RSV1 on the second fragment only',
    rfc: '7692#6.1',
    sends: 'Sends a message without compression that has RSV1 on its second fragment.',
    send: [send(text('Hel', { fin: false }), continuation('lo', RSV1))],
    expect: fails([1002]),
  },
  {
    id: 'x.6.3.3',
    title: 'RSV1 on a ping',
    rfc: '7692#6.1',
    sends: 'Sends a ping with RSV1.',
    send: [send(ping(HELLO, RSV1))],
    expect: fails([1002]),
  },
  {
    id: 'x.6.3.4',
    title: 'RSV1 on a pong',
    rfc: '7692#6.1',
    sends: 'Sends a pong with RSV1.',
    send: [send(pong(HELLO, RSV1))],
    expect: fails([1002]),
  },
  {
    id: 'x.6.3.5',
    title: 'RSV1 on a close frame',
    rfc: '7692#6.1',
    sends: 'Sends a close frame with RSV1.',
    send: [send(close(1000, '', RSV1))],
    expect: [
      ok({ is: 'closed', codes: [1002] }),
      ok({ is: 'dropped' }),
      nonStrict({ is: 'closed', codes: [1000] }, 'the peer took the frame for a close frame'),
      nonStrict({ is: 'failed', codes: [1002] }, 'the code for this is 1002'),
    ],
  },
  {
    id: 'x.6.3.6',
    title: 'RSV1 and RSV2',
    rfc: '6455#5.2',
    sends: 'Sends a compressed text with RSV1 and RSV2.',
    send: [send(text(HELLO, { ...RSV1, rsv2: true }))],
    expect: fails([1002]),
  },
];

/** Nobody keeps a window that a bomb went through. */
const FORGETFUL: DeflateTerms = {
  offer: {
    clientMaxWindowBits: true,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
  },
  answer: { serverNoContextTakeover: true, clientNoContextTakeover: true },
};

const BOMB_MIB = 256;

const NO_LIMIT = 'the peer inflated it all; 6455#10.4 asks for limits, but sets none';

const BOMBS: readonly Row[] = [
  {
    id: 'x.6.5.1',
    title: 'a bomb',
    rfc: '6455#10.4',
    sends: `Sends a message of 256 KiB that inflates to ${BOMB_MIB} MiB.`,
    send: [send(binary(zeroBomb(BOMB_MIB), RSV1))],
    expect: bombGrades(),
  },
  {
    id: 'x.6.5.2',
    title: 'a bomb in fragments',
    rfc: '6455#10.4',
    sends: `Sends ${BOMB_MIB} fragments of 1 KiB that inflate to ${BOMB_MIB} MiB.`,
    send: [
      send(
        binary('', { ...RSV1, fin: false }),
        ...fragments(zeroBomb(BOMB_MIB), Math.ceil(zeroBomb(BOMB_MIB).length / BOMB_MIB)),
      ),
    ],
    expect: bombGrades(),
  },
  {
    id: 'x.6.5.3',
    title: '100 000 empty blocks',
    rfc: '6455#10.4',
    sends: 'Sends a message of 500 KB that inflates to nothing.',
    send: [send(binary(emptyBlocks(100_000), RSV1))],
    expect: [ok({ is: 'failed', codes: ANY_CODE }), ok({ is: 'open', received: [gotBinary('')] })],
  },
];

function bombGrades(): Row['expect'] {
  return [
    // 7.4.1: 1009 is for a message that is too big to process.
    ok({ is: 'failed', codes: ANY_CODE }),
    nonStrict({ is: 'open', received: 'any' }, NO_LIMIT),
  ];
}

export const BAD_COMPRESSION: readonly Row[] = [
  ...ILLEGAL.map((row): Row => ({ ...row, opening: { deflate: ORDINARY } })),
  ...BOMBS.map((row): Row => ({
    ...row,
    opening: { deflate: FORGETFUL },
    ending: 'greet',
    // Who inflates it all needs time for that.
    waitMs: 10_000,
    thenServes: true,
  })),
];
