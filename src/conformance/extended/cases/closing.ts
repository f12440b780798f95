import { Opcode } from '../../../protocol/index.ts';
import {
  ACCEPTED,
  OTHER_CODE,
  SERVERS,
  close,
  continuation,
  fails,
  frame,
  gotText,
  hex,
  nonStrict,
  ok,
  ping,
  send,
  slowly,
  text,
  wait,
} from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';

/** x.7: closing, above all when the peer closes first, and TCP that ends otherwise. */

/** A frame that makes every peer close first: its opcode is reserved. */
const PROVOKE = frame(3, '');

const REGISTERED = [1012, 1013, 1014] as const;

/** 1012 to 1014 are in the registry of RFC 6455 11.7, though not in its text. */
const CODES: readonly Row[] = [
  ...REGISTERED.map((code, index): Row => ({
    id: `x.7.1.${index + 1}`,
    title: `close with ${code}`,
    rfc: '6455#11.7',
    sends: `Sends a close frame with the code ${code}, registered after the RFC.`,
    send: [send(close(code))],
    expect: [
      ok({ is: 'closed', codes: [code, 1000] }),
      nonStrict(
        { is: 'failed', codes: [1002] },
        'the code is in the registry, but not in the text of the RFC',
      ),
    ],
  })),
  {
    id: 'x.7.1.4',
    title: 'close with 1015',
    rfc: '6455#7.4.1',
    sends: 'Sends a close frame with the code 1015, which must not be sent.',
    send: [send(close(1015))],
    expect: [
      ok({ is: 'closed', codes: [1002] }),
      ok({ is: 'dropped' }),
      nonStrict({ is: 'closed', codes: [1000] }, 'the peer took the code as one that may be sent'),
      nonStrict({ is: 'failed', codes: [1002] }, 'the code for this is 1002'),
    ],
  },
  {
    id: 'x.7.1.5',
    title: 'close without a code',
    rfc: '6455#7.1.5',
    sends: 'Sends an empty close frame: the peer has to think of 1005, and not to send it.',
    send: [send(frame(Opcode.close, ''))],
    expect: [ok({ is: 'closed', codes: [1000] }), OTHER_CODE],
  },
];

const REASONS: readonly Row[] = [
  {
    id: 'x.7.2.1',
    title: 'a reason that ends in a character',
    rfc: '6455#8.1',
    sends: 'Sends a close frame whose reason ends after two of the three octets of a character.',
    send: [send(close(1000, hex('e2 82')))],
    expect: fails([1007, 1002]),
  },
  {
    id: 'x.7.2.2',
    title: 'a reason with an overlong form',
    rfc: '6455#8.1',
    sends: 'Sends a close frame whose reason writes "/" in two octets.',
    send: [send(close(1000, hex('c0 af')))],
    expect: fails([1007, 1002]),
  },
  {
    id: 'x.7.2.3',
    title: 'a reason of 123 octets in characters of three',
    rfc: '6455#5.5',
    sends: 'Sends a close frame with 41 times the euro sign.',
    send: [send(close(1000, '€'.repeat(41)))],
    expect: [ok({ is: 'closed', codes: [1000] }), OTHER_CODE],
  },
  {
    id: 'x.7.2.4',
    title: 'a character of the reason in two packets',
    rfc: '6455#5.5.1',
    sends: 'Sends a close frame in packets of 9 octets, 100 ms apart, which cut its euro signs.',
    send: [slowly({ bytes: 9, gapMs: 100 }, close(1000, '€€€€'))],
    expect: [ok({ is: 'closed', codes: [1000] }), OTHER_CODE],
  },
  {
    id: 'x.7.2.5',
    title: 'a broken reason in two packets',
    rfc: '6455#8.1',
    sends: 'Sends a close frame in two packets; the reason is not UTF-8 in the second one.',
    send: [slowly({ bytes: 10, gapMs: 100 }, close(1000, hex('e282ac e282ac e228ac')))],
    expect: fails([1007, 1002]),
  },
  {
    id: 'x.7.2.6',
    title: 'a reason in two frames',
    rfc: '6455#5.5',
    sends: 'Sends a close frame without FIN that ends in a character, and a continuation.',
    send: [send(close(1000, hex('e2 82'), { fin: false }), continuation(hex('ac')))],
    expect: fails([1002, 1007]),
  },
];

/** The peer closes first, because it has to. */
const PEER_FIRST: readonly Row[] = [
  {
    id: 'x.7.3.1',
    title: 'the peer closes, the tester answers',
    rfc: '6455#7.1.1',
    sends: 'Makes the peer close, answers, and waits for it to drop TCP.',
    send: [send(PROVOKE)],
    expect: fails([1002]),
  },
  {
    id: 'x.7.3.2',
    title: 'the peer closes, the tester goes on',
    rfc: '6455#5.5.1',
    sends: 'Makes the peer close, then sends a text before it answers.',
    send: [
      send(PROVOKE),
      { do: 'until-closed' },
      send(text('too late')),
      wait(300),
      send(close(1000)),
      wait(300),
    ],
    ownReply: true,
    expect: fails([1002]),
  },
  {
    id: 'x.7.3.3',
    title: 'the peer closes, much is on its way',
    rfc: '6455#7.1.7',
    sends: 'Sends an illegal frame with ten texts behind it in one write.',
    send: [send(PROVOKE, ...Array.from({ length: 10 }, (_, n) => text(`message ${n}`)))],
    // 7.1.7: "MUST NOT continue to attempt to process data from the remote endpoint".
    expect: fails([1002]),
  },
  {
    id: 'x.7.3.4',
    title: 'the peer closes, the tester says nothing',
    rfc: '6455#7.1.7',
    sends: 'Makes the peer close and does not answer.',
    send: [send(PROVOKE), { do: 'until-closed' }, wait(500)],
    ownReply: true,
    thenServes: true,
    expect: fails([1002]),
  },
  {
    id: 'x.7.3.5',
    title: 'the peer closes, the tester answers with 1005',
    rfc: '6455#7.1.7',
    sends: 'Makes the peer close and answers with a code that must not be sent.',
    send: [send(PROVOKE), { do: 'until-closed' }, send(close(1005)), wait(300)],
    ownReply: true,
    thenServes: true,
    expect: fails([1002]),
  },
];

/** The tester closes while there is something else to do. */
const TESTER_FIRST: readonly Row[] = [
  {
    id: 'x.7.4.1',
    title: 'close behind ten texts',
    rfc: '6455#5.5.1',
    sends: 'Sends ten texts and a close frame in one write.',
    send: [send(...Array.from({ length: 10 }, (_, n) => text(`message ${n}`)), close(1000))],
    expect: [
      ok({
        is: 'closed',
        codes: [1000],
        received: Array.from({ length: 10 }, (_, n) => gotText(`message ${n}`)),
      }),
      nonStrict(
        { is: 'closed', codes: [1000], received: 'any' },
        'not all of what came before the close frame was answered',
      ),
    ],
  },
  {
    id: 'x.7.4.2',
    title: 'data behind the close frame',
    rfc: '6455#5.5.1',
    sends: 'Sends a close frame, a ping, a text and octets that are not a frame in one write.',
    send: [send(close(1000), ping('late'), text('late'), frame(15, 'late', { rsv3: true }))],
    expect: [
      ok({ is: 'closed', codes: [1000] }),
      OTHER_CODE,
      nonStrict({ is: 'dropped' }, 'nothing may follow a close frame, but it was to be answered'),
    ],
  },
  {
    id: 'x.7.4.3',
    title: 'close and the end of TCP',
    rfc: '6455#7.1.1',
    sends: 'Sends a close frame and ends its half of TCP, as 7.1.1 does not ask it to.',
    send: [send(close(1000)), { do: 'end' }],
    expect: [
      ok({ is: 'closed', codes: [1000] }),
      nonStrict({ is: 'dropped' }, 'there was still a way back for the answer'),
    ],
  },
];

const HALF_OPEN = 'the peer keeps the connection, and no RFC says for how long it may';

/** TCP ends, in order or not, and nobody sent a close frame. */
const TCP: readonly Row[] = [
  {
    id: 'x.7.5.1',
    title: 'the end of TCP',
    rfc: '6455#7.1.4',
    sends: 'Ends its half of TCP without a close frame.',
    send: [{ do: 'end' }],
    thenServes: true,
    expect: gone(),
  },
  {
    id: 'x.7.5.2',
    title: 'the end of TCP inside a frame',
    rfc: '6455#7.1.4',
    sends: 'Ends its half of TCP after three octets of a text of five.',
    send: [send(text('Hel', { declaredLength: 5 })), { do: 'end' }],
    thenServes: true,
    expect: gone(),
  },
  {
    id: 'x.7.5.3',
    title: 'the end of TCP inside a message',
    rfc: '6455#7.1.4',
    sends: 'Ends its half of TCP after the first fragment of a text.',
    send: [send(text('Hel', { fin: false })), { do: 'end' }],
    thenServes: true,
    expect: gone(),
  },
  {
    id: 'x.7.5.4',
    title: 'the end of TCP behind a text',
    rfc: '6455#7.1.4',
    sends: 'Sends a text and ends its half of TCP.',
    send: [send(text('Hello')), { do: 'end' }],
    thenServes: true,
    expect: [
      ok({ is: 'failed', codes: [1000, 1001, 1006], received: [gotText('Hello')] }),
      ok({ is: 'failed', codes: [1000, 1001, 1006] }),
      nonStrict({ is: 'quiet', received: 'any' }, HALF_OPEN),
    ],
  },
  {
    id: 'x.7.5.5',
    title: 'a reset of TCP',
    rfc: '6455#7.1.4',
    sends: 'Resets TCP after a text.',
    peers: SERVERS,
    send: [send(text('Hello')), { do: 'reset' }],
    ending: 'leave',
    thenServes: true,
    // What counts is `thenServes`: that it was the end of one connection only.
    expect: ACCEPTED,
  },
  {
    id: 'x.7.5.6',
    title: 'a reset of TCP inside a message',
    rfc: '6455#7.1.4',
    sends: 'Resets TCP after the first fragment of a text.',
    peers: SERVERS,
    send: [send(text('Hel', { fin: false })), { do: 'reset' }],
    ending: 'leave',
    thenServes: true,
    // What counts is `thenServes`: that it was the end of one connection only.
    expect: ACCEPTED,
  },
];

function gone(): Row['expect'] {
  return [
    ok({ is: 'failed', codes: [1000, 1001, 1002, 1006] }),
    nonStrict({ is: 'quiet' }, HALF_OPEN),
  ];
}

export const CLOSING: readonly Row[] = [
  ...CODES,
  ...REASONS,
  ...PEER_FIRST,
  ...TESTER_FIRST,
  ...TCP,
];
