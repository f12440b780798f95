import {
  binary,
  continuation,
  goesOn,
  goesOnInAnyOrder,
  gotBinary,
  gotPong,
  gotText,
  hex,
  ping,
  send,
  text,
} from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';
import {
  HELLO,
  ORDINARY,
  RSV1,
  deflated,
  farMessage,
  farText,
  fragments,
  noise,
} from './deflate-samples.ts';

/** x.6.1 and x.6.4: permessage-deflate in its unusual forms, and as it was agreed on. */

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

export const COMPRESSION: readonly Row[] = [...LEGAL, ...AGREED].map((row) => ({
  opening: { deflate: ORDINARY },
  ...row,
}));
