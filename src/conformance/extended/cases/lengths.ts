import type { ReceivedEvent, WireFrame } from '../../script.ts';
import {
  binary,
  continuation,
  fails,
  gotBinary,
  gotPong,
  gotText,
  illegal,
  nonStrict,
  ok,
  ping,
  send,
  text,
} from '../../handshake/builders.ts';
import type { IllegalRow, Row } from '../../handshake/builders.ts';

/** x.4.1 and x.4.2: lengths that are not in their shortest form, and those nobody can hold. */

const HELLO = 'Hello';

interface LongLength {
  readonly id: string;
  readonly title: string;
  readonly sends: string;
  readonly frames: readonly WireFrame[];
  readonly echo: ReceivedEvent;
}

/** 5.2: "the minimal number of bytes MUST be used to encode the length", which binds the sender. */
const LONG_LENGTHS: readonly LongLength[] = [
  {
    id: 'x.4.1.1',
    title: '5 octets in 16 bits',
    sends: 'Sends a text of 5 octets with a length of 16 bits.',
    frames: [text(HELLO, { lengthBytes: 2 })],
    echo: gotText(HELLO),
  },
  {
    id: 'x.4.1.2',
    title: '5 octets in 64 bits',
    sends: 'Sends a text of 5 octets with a length of 64 bits.',
    frames: [text(HELLO, { lengthBytes: 8 })],
    echo: gotText(HELLO),
  },
  {
    id: 'x.4.1.3',
    title: '1000 octets in 64 bits',
    sends: 'Sends a binary message of 1000 octets with a length of 64 bits.',
    frames: [binary(Buffer.alloc(1000, 0xfe), { lengthBytes: 8 })],
    echo: gotBinary(Buffer.alloc(1000, 0xfe)),
  },
  {
    id: 'x.4.1.4',
    title: '0 octets in 16 bits',
    sends: 'Sends an empty text with a length of 16 bits.',
    frames: [text('', { lengthBytes: 2 })],
    echo: gotText(''),
  },
  {
    id: 'x.4.1.5',
    title: 'a ping of 5 octets in 16 bits',
    sends: 'Sends a ping of 5 octets with a length of 16 bits.',
    frames: [ping(HELLO, { lengthBytes: 2 })],
    echo: gotPong(HELLO),
  },
  {
    id: 'x.4.1.6',
    title: 'a last fragment of 5 octets in 16 bits',
    sends: 'Sends a message whose last fragment has 5 octets and a length of 16 bits.',
    frames: [text(HELLO, { fin: false }), continuation(HELLO, { lengthBytes: 2 })],
    echo: gotText(HELLO + HELLO),
  },
];

function longLength({ frames, echo, ...row }: LongLength): Row {
  return {
    rfc: '6455#5.2',
    ...row,
    send: [send(...frames)],
    ending: 'greet',
    expect: [
      ...fails([1002]),
      nonStrict(
        { is: 'open', received: [echo] },
        'the length is not in its shortest form, but no RFC says that a receiver has to refuse it',
      ),
    ],
  };
}

/** 5.2: of a 64-bit length "the most significant bit MUST be 0". */
const TOP_BIT: readonly IllegalRow[] = [
  [
    'x.4.2.1',
    '2^63 + 5 octets',
    'Announces 2^63 + 5 octets and sends 5.',
    [text(HELLO, { declaredLength: 2n ** 63n + 5n, lengthBytes: 8 })],
  ],
  [
    'x.4.2.2',
    '2^64 - 1 octets',
    'Announces 2^64 - 1 octets and sends 5.',
    [text(HELLO, { declaredLength: 2n ** 64n - 1n, lengthBytes: 8 })],
  ],
];

/** Legal lengths that nobody can hold: 10.4 wants limits, and no code for them is a MUST. */
const HUGE: readonly Row[] = [
  huge('x.4.2.3', '2^62 octets', 2n ** 62n),
  huge('x.4.2.4', '2^32 + 5 octets', 2n ** 32n + 5n),
];

function huge(id: string, title: string, declaredLength: bigint): Row {
  return {
    id,
    title,
    rfc: '6455#10.4',
    sends: `Announces ${title} and sends 5.`,
    send: [send(text(HELLO, { declaredLength, lengthBytes: 8 }))],
    thenServes: true,
    expect: [
      // 7.4.1: 1009 is for a message that is too big to process; 1002 or 1008 say less.
      ok({ is: 'failed', codes: [1009, 1002, 1008] }),
      nonStrict({ is: 'quiet' }, 'the peer waits for the rest, which it has no room for'),
    ],
  };
}

export const LENGTHS: readonly Row[] = [
  ...LONG_LENGTHS.map(longLength),
  ...TOP_BIT.map((row): Row => ({
    ...illegal('6455#5.2')(row),
    // A peer that sees a length it cannot hold may say so before it looks at the bit.
    expect: fails([1002, 1009]),
  })),
  ...HUGE,
];
