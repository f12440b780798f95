import type { ExpectedOutcome } from '../../script.ts';
import {
  ACCEPTED,
  REFUSED,
  SERVERS,
  informational,
  mayRefuse,
  nonStrict,
  ok,
  set,
} from '../builders.ts';
import type { Row } from '../builders.ts';

/** x.2: offers of permessage-deflate that a server has to decline, answer or pass over. */

const DECLINED: readonly ExpectedOutcome[] = [
  ok({ is: 'accepted', declined: true }),
  // 7692#7.1 wants the offer declined; 6455#9.1 lets a server fail the handshake over bad syntax.
  ...REFUSED,
];

const LEFT_OUT = informational(
  { is: 'accepted', declined: true },
  'the server declined the offer, as it may',
);

/** A legal offer may be declined; the handshake over it need not be lost. */
const TAKEN: readonly ExpectedOutcome[] = [
  LEFT_OUT,
  ...ACCEPTED,
  ...mayRefuse('the server could have declined the offer and gone on without it'),
];

type Offer = readonly [
  id: string,
  title: string,
  rfc: string,
  offer: string,
  expect: readonly ExpectedOutcome[],
];

const OFFERS: readonly Offer[] = [
  ['x.2.1.1', 'an unknown parameter', '7692#7.1', 'permessage-deflate; wsk_unknown', DECLINED],
  [
    'x.2.1.2',
    'a window of 16 bits',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits=16',
    DECLINED,
  ],
  [
    'x.2.1.3',
    'a window of 7 bits',
    '7692#7.1.2.2',
    'permessage-deflate; client_max_window_bits=7',
    DECLINED,
  ],
  [
    'x.2.1.4',
    'a window with a leading zero',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits=010',
    DECLINED,
  ],
  [
    'x.2.1.5',
    'a window without a value',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits',
    DECLINED,
  ],
  [
    'x.2.1.6',
    'a value where there is none',
    '7692#7.1.1.1',
    'permessage-deflate; server_no_context_takeover=1',
    DECLINED,
  ],
  [
    'x.2.1.7',
    'a parameter twice',
    '7692#7.1',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    DECLINED,
  ],
  [
    'x.2.1.8',
    'a second offer behind an illegal one',
    '7692#5.1',
    'permessage-deflate; wsk_unknown, permessage-deflate; server_no_context_takeover',
    [LEFT_OUT, ...ACCEPTED, ...mayRefuse('there was an offer in order behind the illegal one')],
  ],
  [
    'x.2.1.9',
    'a header that breaks its grammar',
    '6455#9.1',
    'permessage-deflate; =10; ;',
    [
      ...REFUSED,
      nonStrict(
        { is: 'accepted', declined: true },
        '9.1 wants the connection failed over a header that breaks the grammar',
      ),
    ],
  ],
  [
    'x.2.2.1',
    'server_no_context_takeover',
    '7692#7.1.1.1',
    'permessage-deflate; server_no_context_takeover',
    TAKEN,
  ],
  [
    'x.2.2.2',
    'server_max_window_bits',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits=10',
    TAKEN,
  ],
  ['x.2.2.3', 'no client_max_window_bits', '7692#7.1.2.2', 'permessage-deflate', TAKEN],
  [
    'x.2.2.4',
    'client_max_window_bits of 10',
    '7692#7.1.2.2',
    'permessage-deflate; client_max_window_bits=10',
    TAKEN,
  ],
  [
    'x.2.2.5',
    'a quoted value',
    '6455#9.1',
    'permessage-deflate; server_max_window_bits="10"',
    TAKEN,
  ],
  [
    'x.2.2.6',
    'the smallest window',
    '7692#7.1.2.1',
    'permessage-deflate; server_max_window_bits=8',
    TAKEN,
  ],
];

export const DEFLATE_OFFERS: readonly Row[] = OFFERS.map(([id, title, rfc, offer, expect]) => ({
  id,
  title,
  rfc,
  expect,
  sends: `Offers ${offer}.`,
  opening: { edits: [set('Sec-WebSocket-Extensions', offer)] },
  ending: 'opening',
  peers: SERVERS,
}));
