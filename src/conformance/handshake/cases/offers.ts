import type { Grade } from '../../script.ts';
import { ACCEPTED, REFUSED, SERVERS, informational, nonStrict, ok, set } from '../builders.ts';
import type { Row } from '../builders.ts';

/** x.2: offers of permessage-deflate that a server has to decline, answer or pass over. */

const DECLINED: readonly Grade[] = [
  ok({ is: 'accepted', declined: true }),
  // 7692#7.1 wants the offer declined; 6455#9.1 lets a server fail the handshake over bad syntax.
  ok({ is: 'refused' }),
];

const LEFT_OUT = informational(
  { is: 'accepted', declined: true },
  'the server declined the offer, as it may',
);

interface Offer {
  readonly id: string;
  readonly title: string;
  readonly rfc: string;
  readonly offer: string;
  readonly expect: readonly Grade[];
}

const OFFERS: readonly Offer[] = [
  {
    id: 'x.2.1.1',
    title: 'an unknown parameter',
    rfc: '7692#7.1',
    offer: 'permessage-deflate; wsk_unknown',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.2',
    title: 'a window of 16 bits',
    rfc: '7692#7.1.2.1',
    offer: 'permessage-deflate; server_max_window_bits=16',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.3',
    title: 'a window of 7 bits',
    rfc: '7692#7.1.2.2',
    offer: 'permessage-deflate; client_max_window_bits=7',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.4',
    title: 'a window with a leading zero',
    rfc: '7692#7.1.2.1',
    offer: 'permessage-deflate; server_max_window_bits=010',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.5',
    title: 'a window without a value',
    rfc: '7692#7.1.2.1',
    offer: 'permessage-deflate; server_max_window_bits',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.6',
    title: 'a value where there is none',
    rfc: '7692#7.1.1.1',
    offer: 'permessage-deflate; server_no_context_takeover=1',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.7',
    title: 'a parameter twice',
    rfc: '7692#7.1',
    offer: 'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    expect: DECLINED,
  },
  {
    id: 'x.2.1.8',
    title: 'a second offer behind an illegal one',
    rfc: '7692#5.1',
    offer: 'permessage-deflate; wsk_unknown, permessage-deflate; server_no_context_takeover',
    expect: [
      LEFT_OUT,
      ...ACCEPTED,
      nonStrict({ is: 'refused' }, 'there was an offer in order behind the illegal one'),
    ],
  },
  {
    id: 'x.2.1.9',
    title: 'a header that breaks its grammar',
    rfc: '6455#9.1',
    offer: 'permessage-deflate; =10; ;',
    expect: [
      ...REFUSED,
      nonStrict(
        { is: 'accepted', declined: true },
        '9.1 wants the connection failed over a header that breaks the grammar',
      ),
    ],
  },
  {
    id: 'x.2.2.1',
    title: 'server_no_context_takeover',
    rfc: '7692#7.1.1.1',
    offer: 'permessage-deflate; server_no_context_takeover',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
  {
    id: 'x.2.2.2',
    title: 'server_max_window_bits',
    rfc: '7692#7.1.2.1',
    offer: 'permessage-deflate; server_max_window_bits=10',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
  {
    id: 'x.2.2.3',
    title: 'no client_max_window_bits',
    rfc: '7692#7.1.2.2',
    offer: 'permessage-deflate',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
  {
    id: 'x.2.2.4',
    title: 'client_max_window_bits of 10',
    rfc: '7692#7.1.2.2',
    offer: 'permessage-deflate; client_max_window_bits=10',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
  {
    id: 'x.2.2.5',
    title: 'a quoted value',
    rfc: '6455#9.1',
    offer: 'permessage-deflate; server_max_window_bits="10"',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
  {
    id: 'x.2.2.6',
    title: 'the smallest window',
    rfc: '7692#7.1.2.1',
    offer: 'permessage-deflate; server_max_window_bits=8',
    expect: [LEFT_OUT, ...ACCEPTED],
  },
];

export const DEFLATE_OFFERS: readonly Row[] = OFFERS.map(({ offer, ...row }) => ({
  ...row,
  sends: `Offers ${offer}.`,
  opening: { edits: [set('Sec-WebSocket-Extensions', offer)] },
  ending: 'opening',
  peers: SERVERS,
}));
