import type { ReceivedEvent, WireFrame } from '../../script.ts';
import {
  OTHER_CODE,
  close,
  continuation,
  fails,
  goesOn,
  gotBinary,
  gotPong,
  gotText,
  hex,
  nonStrict,
  ok,
  ping,
  pong,
  send,
  slowly,
  text,
  wait,
} from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';

/** x.5: the same octets in other pieces, slower or more of them. */

const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

/** One octet every ten milliseconds. */
const DRIP = { bytes: 1, gapMs: 10 };

const MIXED = many(100, (n): [WireFrame, ReceivedEvent] =>
  n % 2 === 0
    ? [text(`message ${n}`), gotText(`message ${n}`)]
    : [ping(`ping ${n}`), gotPong(`ping ${n}`)],
);

function messages(event: ReceivedEvent): ReceivedEvent[] {
  return event.type === 'pong' ? [] : [event];
}

export const DELIVERY: readonly Row[] = [
  {
    id: 'x.5.1.1',
    title: 'a text octet by octet',
    rfc: '6455#5.2',
    sends: 'Sends a text, an octet every ten milliseconds.',
    send: [slowly(DRIP, text('slow drip'))],
    ending: 'greet',
    expect: goesOn(gotText('slow drip')),
  },
  {
    id: 'x.5.1.2',
    title: 'a long header octet by octet',
    rfc: '6455#5.2',
    sends: 'Sends a message of 200 octets, whose length has 16 bits, in pieces of one octet.',
    send: [slowly({ bytes: 1, gapMs: 2 }, { opcode: 2, payload: Buffer.alloc(200, 7) })],
    ending: 'greet',
    expect: goesOn(gotBinary(Buffer.alloc(200, 7))),
  },
  {
    id: 'x.5.1.3',
    title: 'a ping octet by octet',
    rfc: '6455#5.5.2',
    sends: 'Sends a ping, an octet every ten milliseconds.',
    send: [slowly(DRIP, ping('slow drip'))],
    ending: 'greet',
    expect: goesOn(gotPong('slow drip')),
  },
  {
    id: 'x.5.1.4',
    title: 'fragments with a pause',
    rfc: '6455#5.4',
    sends: 'Sends two fragments of a text half a second apart, and a ping in between.',
    send: [
      send(text('first half, ', { fin: false })),
      wait(250),
      send(ping('meanwhile')),
      wait(250),
      send(continuation('second half')),
    ],
    ending: 'greet',
    expect: [
      ...goesOn(gotPong('meanwhile'), gotText('first half, second half')),
      nonStrict(
        { is: 'open', received: [gotText('first half, second half'), gotPong('meanwhile')] },
        'a ping is to be answered as soon as is practical, and there was time',
      ),
    ],
  },
  {
    id: 'x.5.1.5',
    title: 'a close frame octet by octet',
    rfc: '6455#5.5.1',
    sends: 'Sends a close frame with a reason, an octet every ten milliseconds.',
    send: [slowly(DRIP, close(1000, 'slow drip'))],
    expect: [ok({ is: 'closed', codes: [1000] }), OTHER_CODE],
  },
  {
    id: 'x.5.1.6',
    title: 'an illegal text octet by octet',
    rfc: '6455#8.1',
    sends: 'Sends a text whose second octet is not UTF-8, an octet every ten milliseconds.',
    send: [slowly(DRIP, text(hex('48 ff 6c6c6f')))],
    expect: fails([1007]),
  },
  {
    id: 'x.5.2.1',
    title: '100 frames at once',
    rfc: '6455#5.4',
    sends: 'Sends 50 texts and 50 pings in one write.',
    send: [send(...MIXED.map(([frame]) => frame))],
    ending: 'greet',
    // 5.5.2: pongs need not keep the order of data frames, and only the last ping needs one.
    expect: [
      ok({ is: 'open', received: { messages: MIXED.flatMap(([, event]) => messages(event)) } }),
    ],
  },
  {
    id: 'x.5.2.2',
    title: '1000 pings at once',
    rfc: '6455#5.5.2',
    sends: 'Sends 1000 pings in one write.',
    send: [
      send(...many(1000, (n) => ping(`ping ${n}`))),
      { do: 'until-pong', payload: Buffer.from('ping 999') },
    ],
    ending: 'greet',
    expect: [
      // 5.5.2: with several pings unanswered, a pong "for only the most recently processed" will do.
      ok({ is: 'open', received: { last: gotPong('ping 999') } }),
      nonStrict(
        { is: 'failed', codes: [1008], received: 'any' },
        'the peer has a limit on pings, where it need only answer the last of them',
      ),
    ],
  },
  {
    id: 'x.5.2.3',
    title: '1000 pongs at once',
    rfc: '6455#5.5.3',
    sends: 'Sends 1000 unsolicited pongs.',
    send: [send(...many(1000, (n) => pong(`pong ${n}`)))],
    ending: 'greet',
    expect: [
      ...goesOn(),
      nonStrict({ is: 'closed', codes: [1008] }, 'the peer has a limit on control frames'),
    ],
  },
  {
    id: 'x.5.2.4',
    title: 'a message of 4096 empty fragments',
    rfc: '6455#5.4',
    sends: 'Sends a text of 4096 empty fragments, and its five octets in the last one.',
    send: [
      send(
        text('', { fin: false }),
        ...many(4096, () => continuation('', { fin: false })),
        continuation('Hello'),
      ),
    ],
    ending: 'greet',
    expect: [
      ...goesOn(gotText('Hello')),
      nonStrict(
        { is: 'closed', codes: [1008, 1009] },
        'the peer has a limit on fragments, as 6455#10.4 lets it',
      ),
    ],
  },
  {
    id: 'x.5.2.5',
    title: 'two texts cut in the middle',
    rfc: '6455#5.2',
    sends: 'Sends two texts in two writes, the second of which starts in the second header.',
    send: [slowly({ bytes: 12, gapMs: 100 }, text('first'), text('second'))],
    ending: 'greet',
    expect: goesOn(gotText('first'), gotText('second')),
  },
];
