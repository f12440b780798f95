import { constants, deflateRawSync } from 'node:zlib';
import type { Opening } from '../script.ts';
import {
  binary,
  close,
  continuation,
  fails,
  goesOn,
  goesOnInAnyOrder,
  gotBinary,
  gotPong,
  gotText,
  hex,
  nonStrict,
  ok,
  ping,
  pong,
  send,
  text,
} from '../words.ts';
import type { Row } from '../words.ts';
import { emptyBlocks, fragments, zeroBomb } from './deflate-samples.ts';

/** x.6: permessage-deflate, legal in unusual forms, illegal, and hostile. */

type Deflate = NonNullable<Opening['deflate']>;

/** What most clients offer; a server of ours has no wishes of its own. */
const ORDINARY: Deflate = { offer: { clientMaxWindowBits: true }, answer: {} };

/** "Hello" with a fixed Huffman code: 7692#7.2.3.1. */
const HELLO = hex('f2 48 cd c9 c9 07 00');

const RSV1 = { rsv1: true } as const;

const LEGAL: readonly Row[] = [
  {
    id: 'x.6.1.1',
    title: 'fixed codes',
    rfc: '7692#7.2.3.1',
    sends: 'Sends "Hello" compressed with fixed Huffman codes.',
    send: [send(text(HELLO, RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('Hello')),
  },
  {
    id: 'x.6.1.2',
    title: 'a stored block',
    rfc: '7692#7.2.3.3',
    sends: 'Sends "Hello" in a block without compression.',
    send: [send(text(hex('00 0500 faff 48656c6c6f 00'), RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('Hello')),
  },
  {
    id: 'x.6.1.3',
    title: 'a final block',
    rfc: '7692#7.2.3.4',
    sends: 'Sends "Hello" in a block with BFINAL, and an empty one behind it.',
    send: [send(text(hex('f3 48 cd c9 c9 07 00 00'), RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('Hello')),
  },
  {
    id: 'x.6.1.4',
    title: 'two blocks',
    rfc: '7692#7.2.3.5',
    sends: 'Sends "Hello" in two blocks with an empty one between them.',
    send: [send(text(hex('f2 48 05 00 0000 ffff ca c9 c9 07 00'), RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('Hello')),
  },
  {
    id: 'x.6.1.5',
    title: 'an empty message',
    rfc: '7692#7.2.3.6',
    sends: 'Sends an empty text, compressed to one octet.',
    send: [send(text(hex('00'), RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('')),
  },
  {
    id: 'x.6.1.6',
    title: 'compressed and not',
    rfc: '7692#6',
    sends: 'Sends a text without RSV1, one with it, one without it.',
    send: [send(text('plain'), text(HELLO, RSV1), text('plain'))],
    ending: 'greet',
    expect: goesOn(gotText('plain'), gotText('Hello'), gotText('plain')),
  },
  {
    id: 'x.6.1.7',
    title: 'a reference to the message before',
    rfc: '7692#7.2.3.2',
    sends: 'Sends "Hello" two times, the second time by reference to the first.',
    opening: { deflate: { ...ORDINARY, needs: { takeover: true } } },
    send: [send(text(HELLO, RSV1), text(hex('f2 00 11 00 00'), RSV1))],
    ending: 'greet',
    expect: goesOn(gotText('Hello'), gotText('Hello')),
  },
  {
    id: 'x.6.1.8',
    title: 'a reference that reaches far',
    rfc: '7692#7.1.2',
    sends: 'Sends a binary message whose end is a reference to what lies 32 000 octets before it.',
    opening: { deflate: { ...ORDINARY, needs: { windowBits: 15 } } },
    send: [send(binary(deflated(farMessage()), RSV1))],
    ending: 'greet',
    expect: goesOn(gotBinary(farMessage())),
  },
  {
    id: 'x.6.1.9',
    title: 'a compressed message in fragments',
    rfc: '7692#6.1',
    sends: 'Sends "Hello" compressed, an octet in each frame, with a ping inside.',
    send: [
      send(
        text(HELLO.subarray(0, 1), { ...RSV1, fin: false }),
        ping('inside'),
        ...fragments(HELLO.subarray(1), 1),
      ),
    ],
    ending: 'greet',
    expect: goesOnInAnyOrder(gotPong('inside'), gotText('Hello')),
  },
  {
    id: 'x.6.1.10',
    title: 'an empty first fragment',
    rfc: '7692#6.1',
    sends: 'Sends an empty first fragment with RSV1, the compressed "Hello" in the second.',
    send: [send(text('', { ...RSV1, fin: false }), continuation(HELLO))],
    ending: 'greet',
    expect: goesOn(gotText('Hello')),
  },
  {
    id: 'x.6.1.11',
    title: 'a character across two fragments',
    rfc: '7692#6.2',
    sends: 'Sends a compressed euro sign, cut into fragments of one octet.',
    send: [
      send(
        text(deflated('€').subarray(0, 1), { ...RSV1, fin: false }),
        ...fragments(deflated('€').subarray(1), 1),
      ),
    ],
    ending: 'greet',
    expect: goesOn(gotText('€')),
  },
];

/** Of what no RFC names a code for, any code that is not "all is well" will do. */
const ANY_CODE = [1002, 1003, 1007, 1008, 1009, 1011];

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
        { is: 'open', heard: 'any' },
        'the peer took a stream that ends inside a symbol for a message',
      ),
    ],
  },
  {
    id: 'x.6.2.8',
    title: 'compressed text that is no UTF-8',
    rfc: '6455#8.1',
    sends: 'Sends a compressed text of octets that are no UTF-8.',
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

/** A text that repeats itself after 2 KiB, out of reach of a small window. */
const REPEATING = `${noise(2048)}${noise(2048)}`;

/** What the peer agreed to holds for what it sends. */
const AGREED: readonly Row[] = [
  {
    id: 'x.6.4.1',
    title: 'no context takeover',
    rfc: '7692#7.1.1',
    sends: 'Asks the peer to forget its window after each message, and sends a text two times.',
    opening: {
      deflate: {
        offer: { clientMaxWindowBits: true, serverNoContextTakeover: true },
        answer: { clientNoContextTakeover: true },
      },
    },
    send: [send(text(REPEATING), text(REPEATING))],
    ending: 'greet',
    expect: goesOn(gotText(REPEATING), gotText(REPEATING)),
  },
  ...[9, 12].map((bits, index): Row => ({
    id: `x.6.4.${index + 2}`,
    title: `a window of ${bits} bits`,
    rfc: '7692#7.1.2',
    sends: `Asks for a window of ${1 << bits} octets, and sends a text that repeats itself later.`,
    opening: {
      deflate: {
        offer: {
          clientMaxWindowBits: true,
          serverNoContextTakeover: true,
          serverMaxWindowBits: bits,
        },
        answer: { clientNoContextTakeover: true, clientMaxWindowBits: bits },
      },
    },
    windowBits: bits,
    send: [send(text(farText(bits)))],
    ending: 'greet',
    expect: goesOn(gotText(farText(bits))),
  })),
];

/** Nobody keeps a window that a bomb went through. */
const FORGETFUL: Deflate = {
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
    expect: [ok({ is: 'failed', codes: ANY_CODE }), ok({ is: 'open', heard: [gotBinary('')] })],
  },
];

function bombGrades(): Row['expect'] {
  return [
    // 7.4.1: 1009 is for a message that is too big to process.
    ok({ is: 'failed', codes: ANY_CODE }),
    nonStrict({ is: 'open', heard: 'any' }, NO_LIMIT),
  ];
}

function deflated(data: Buffer | string): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** Letters that look random, and are the same in every run. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return String.fromCharCode(97 + (state % 26));
  }).join('');
}

function farMessage(): Buffer {
  return Buffer.concat([Buffer.from(noise(300)), Buffer.alloc(31_700), Buffer.from(noise(300))]);
}

/** A text whose second half is the first, four windows later. */
function farText(bits: number): string {
  return `${noise(4 << bits)}${noise(4 << bits)}`;
}

export const COMPRESSION: readonly Row[] = [
  ...[...LEGAL, ...ILLEGAL, ...AGREED].map((row): Row => ({
    opening: { deflate: ORDINARY },
    ...row,
  })),
  ...BOMBS.map((row): Row => ({
    ...row,
    opening: { deflate: FORGETFUL },
    ending: 'greet',
    // Who inflates it all needs time for that.
    waitMs: 10_000,
    thenServes: true,
  })),
];
