import type { ExpectedOutcome } from '../../script.ts';
import {
  DROPPED,
  REFUSED,
  SERVERS,
  add,
  drop,
  goesOn,
  headRow,
  informational,
  line,
  mayRefuse,
  nonStrict,
  ok,
  set,
  start,
} from '../builders.ts';
import type { HeadRow, Row } from '../builders.ts';

/** x.1.1 to x.1.3: opening handshakes that a server has to refuse or take. */

const KEY = 'Sec-WebSocket-Key';
const VERSION = 'Sec-WebSocket-Version';

const REQUEST = '6455#4.2.1';

/** Requests a server has to refuse: 4.2.1 wants each of these parts to be there and in order. */
const REFUSALS: readonly HeadRow[] = [
  ['x.1.1.1', 'no Upgrade', 'Asks without Upgrade.', [drop('Upgrade')]],
  [
    'x.1.1.2',
    'another Upgrade',
    'Asks for an upgrade to wsk-unknown, which is no protocol.',
    [set('Upgrade', 'wsk-unknown')],
  ],
  ['x.1.1.3', 'no Connection', 'Asks without Connection.', [drop('Connection')]],
  [
    'x.1.1.4',
    'Connection without Upgrade',
    'Asks with Connection: keep-alive.',
    [set('Connection', 'keep-alive')],
  ],
  ['x.1.1.5', 'no key', 'Asks without a key.', [drop(KEY)]],
  ['x.1.1.6', 'an empty key', 'Asks with a key of no characters.', [set(KEY, '')]],
  [
    'x.1.1.7',
    'a key of 15 bytes',
    'Asks with a key that decodes to 15 bytes.',
    [set(KEY, Buffer.alloc(15, 'k').toString('base64'))],
  ],
  [
    'x.1.1.8',
    'a key of 17 bytes',
    'Asks with a key that decodes to 17 bytes.',
    [set(KEY, Buffer.alloc(17, 'k').toString('base64'))],
  ],
  [
    'x.1.1.9',
    'a key that is not base64',
    'Asks with a key of 24 characters, of which 22 are exclamation marks.',
    [set(KEY, `${'!'.repeat(22)}==`)],
  ],
  [
    'x.1.1.10',
    'two keys',
    'Asks with two Sec-WebSocket-Key fields.',
    [add(KEY, Buffer.alloc(16, 'k').toString('base64'))],
    '6455#11.3.1',
  ],
  ['x.1.1.11', 'no version', 'Asks without a version.', [drop(VERSION)]],
  [
    'x.1.1.12',
    'two versions',
    'Asks with two Sec-WebSocket-Version fields, 13 and 12.',
    [add(VERSION, '12')],
    '6455#11.3.5',
  ],
  ['x.1.1.13', 'HTTP/1.0', 'Asks in HTTP/1.0.', [start('GET {path} HTTP/1.0')]],
  [
    'x.1.1.14',
    'POST',
    'Asks with the method POST.',
    [start('POST {path} HTTP/1.1'), add('Content-Length', '0')],
  ],
  ['x.1.1.15', 'no Host', 'Asks without Host.', [drop('Host')]],
  [
    'x.1.1.16',
    'two Hosts',
    'Asks with two Host fields, of which HTTP allows one.',
    [add('Host', 'example.com')],
  ],
  [
    'x.1.1.17',
    'white space before a colon',
    'Asks with "Upgrade : websocket", which is not a header field (RFC 9112 section 5.1).',
    [drop('Upgrade'), line('Upgrade : websocket')],
  ],
  [
    'x.1.1.18',
    'a key in a folded line',
    'Asks with the key in a continuation line of another field, hence without one.',
    [drop(KEY), line('X-Folded: a'), line(` ${KEY}: {key}`)],
  ],
];

const NOT_DECODED =
  '4.2.2 says that a server need not decode the key, though a careful one looks at it';
const ONE_OF_TWO = 'a client must not send two, and no RFC says what a server makes of them';
const FOR_ITS_CLIENT = 'the request asks for websocket in Upgrade, and proxies set Connection anew';

/**
 * Flaws that a careful server refuses, while the request still asks for a WebSocket and has all that
 * its answer needs: a server has to refuse what it finds (4.2.1), but no MUST makes it look for these.
 */
const TOLERABLE: Readonly<Record<string, string>> = {
  'x.1.1.3': FOR_ITS_CLIENT,
  'x.1.1.4': FOR_ITS_CLIENT,
  'x.1.1.6': NOT_DECODED,
  'x.1.1.7': NOT_DECODED,
  'x.1.1.8': NOT_DECODED,
  'x.1.1.9': NOT_DECODED,
  'x.1.1.10': ONE_OF_TWO,
  'x.1.1.12': ONE_OF_TWO,
  'x.1.1.13': 'what is behind such a request may know no more than HTTP/1.0 (9110#7.8)',
  'x.1.1.14': 'a client has to ask with GET, though all else was there',
  'x.1.1.15': 'HTTP/1.1 asks for a Host, but the answer does without (9112#3.2)',
  'x.1.1.16': 'HTTP/1.1 allows one Host, but the answer does without (9112#3.2)',
  'x.1.1.17': 'RFC 2616, on which 6455 stands, allowed white space here; 9112#5.1 does not',
  'x.1.1.18': 'the server takes a continuation line for a field of its own (9112#5.2)',
};

/** Of these the response cannot fit the request: which key or version it answers is left open. */
const ANSWERED_ANYHOW = ['x.1.1.6', 'x.1.1.10', 'x.1.1.12', 'x.1.1.13'];

/** Versions: 4.2.2 item 5 and 4.4. */
const VERSIONS: readonly Row[] = [
  {
    id: 'x.1.2.1',
    title: 'an unknown version',
    rfc: '6455#4.4',
    sends: 'Asks for version 12.',
    opening: { edits: [set(VERSION, '12')] },
    expect: [
      ok({ is: 'refused', status: [426], field: { name: VERSION, element: '13' } }),
      // 4.2.2 has 426 as an example, and the field as a MUST.
      ok({ is: 'refused', field: { name: VERSION, element: '13' } }),
      DROPPED,
    ],
  },
  {
    id: 'x.1.2.2',
    title: 'a version that is not a number',
    rfc: '6455#4.4',
    sends: 'Asks for version "thirteen".',
    opening: { edits: [set(VERSION, 'thirteen')] },
    expect: [
      ok({ is: 'refused', field: { name: VERSION, element: '13' } }),
      nonStrict({ is: 'refused' }, 'a version that is none may be refused as bad syntax'),
      DROPPED,
    ],
  },
  {
    id: 'x.1.2.3',
    title: 'the version of the draft',
    rfc: '6455#4.4',
    sends: 'Asks for version 8, that of the drafts before the RFC.',
    opening: { edits: [set(VERSION, '8')] },
    expect: [
      ok({ is: 'refused', field: { name: VERSION, element: '13' } }),
      DROPPED,
      informational(
        { is: 'accepted', anyhow: true },
        'a server may speak the draft, too; its frames are the same (6455#4.4)',
      ),
    ],
  },
];

/** Requests a server has to take, however they are written. */
const ACCEPTANCES: readonly HeadRow[] = [
  ['x.1.3.1', 'an ordinary request', 'Asks as everybody does.', []],
  [
    'x.1.3.2',
    'names in lower case',
    'Asks with the names of all fields in lower case.',
    [{ edit: 'letters', to: 'lower' }],
  ],
  [
    'x.1.3.3',
    'names in upper case',
    'Asks with the names of all fields in upper case.',
    [{ edit: 'letters', to: 'upper' }],
  ],
  [
    'x.1.3.4',
    'Upgrade in other letters',
    'Asks with Upgrade: WebSocket.',
    [set('Upgrade', 'WebSocket')],
  ],
  [
    'x.1.3.5',
    'Connection in other letters',
    'Asks with Connection: upgrade.',
    [set('Connection', 'upgrade')],
  ],
  [
    'x.1.3.6',
    'a list in Connection',
    'Asks with Connection: keep-alive, Upgrade.',
    [set('Connection', 'keep-alive, Upgrade')],
  ],
  [
    'x.1.3.7',
    'two Connection fields',
    'Asks with Connection: keep-alive and, in a field of its own, Connection: Upgrade.',
    [set('Connection', 'keep-alive'), add('Connection', 'Upgrade')],
  ],
  [
    'x.1.3.8',
    'fields the other way round',
    'Asks with the fields in reverse order.',
    [{ edit: 'reverse' }],
  ],
  [
    'x.1.3.9',
    'an absolute target',
    'Asks for http://host/path, which every server has to take (RFC 9112 section 3.2.2).',
    [start('GET http://{host}{path} HTTP/1.1')],
  ],
  [
    'x.1.3.10',
    'much white space',
    'Asks with spaces and tabs around the values.',
    [set('Upgrade', ' \t websocket \t'), set('Connection', '  Upgrade  ')],
  ],
];

function refusal(row: HeadRow): Row {
  const [id] = row;
  const why = TOLERABLE[id];
  const accepted = { is: 'accepted', anyhow: ANSWERED_ANYHOW.includes(id) } as const;
  const expect = why === undefined ? REFUSED : [...REFUSED, nonStrict(accepted, why)];
  return headRow(row, { rfc: REQUEST, ending: 'opening', expect });
}

/** Forms that HTTP has, but no browser sends. */
const REFUSABLE: Readonly<Record<string, readonly ExpectedOutcome[]>> = {
  'x.1.3.7': mayRefuse('two fields are one list (9110#5.3), though clients send one'),
  // 4.2.1 item 1: "should be interpreted as a resource name".
  'x.1.3.9': mayRefuse('only the client of a proxy writes its target so (9112#3.2.2)'),
  'x.1.3.10': mayRefuse(
    'white space is no part of a value (9110#5.5), though clients send one space',
  ),
};

function acceptance(row: HeadRow): Row {
  const expect = [...goesOn(), ...(REFUSABLE[row[0]] ?? [])];
  return headRow(row, { rfc: REQUEST, ending: 'greet', expect });
}

export const REQUESTS: readonly Row[] = [
  ...REFUSALS.map(refusal),
  ...VERSIONS.map((row): Row => ({ ...row, ending: 'opening' })),
  ...ACCEPTANCES.map(acceptance),
].map((row) => ({ ...row, peers: SERVERS }));
