import type { HeadEdit } from '../../script.ts';
import {
  REFUSED,
  SERVERS,
  add,
  drop,
  goesOn,
  informational,
  line,
  nonStrict,
  ok,
  set,
  start,
} from '../builders.ts';
import type { Row } from '../builders.ts';

/** x.1.1 to x.1.3: opening handshakes that a server has to refuse or take. */

const KEY = 'Sec-WebSocket-Key';
const VERSION = 'Sec-WebSocket-Version';

const REQUEST = '6455#4.2.1';

interface Request {
  readonly id: string;
  readonly title: string;
  readonly sends: string;
  readonly edits: readonly HeadEdit[];
  readonly rfc?: string;
}

/** Requests a server has to refuse: 4.2.1 wants each of these parts to be there and in order. */
const REFUSALS: readonly Request[] = [
  {
    id: 'x.1.1.1',
    title: 'no Upgrade',
    sends: 'Asks without Upgrade.',
    edits: [drop('Upgrade')],
  },
  {
    id: 'x.1.1.2',
    title: 'another Upgrade',
    sends: 'Asks for an upgrade to h2c.',
    edits: [set('Upgrade', 'h2c')],
  },
  {
    id: 'x.1.1.3',
    title: 'no Connection',
    sends: 'Asks without Connection.',
    edits: [drop('Connection')],
  },
  {
    id: 'x.1.1.4',
    title: 'Connection without Upgrade',
    sends: 'Asks with Connection: keep-alive.',
    edits: [set('Connection', 'keep-alive')],
  },
  { id: 'x.1.1.5', title: 'no key', sends: 'Asks without a key.', edits: [drop(KEY)] },
  {
    id: 'x.1.1.6',
    title: 'an empty key',
    sends: 'Asks with a key of no characters.',
    edits: [set(KEY, '')],
  },
  {
    id: 'x.1.1.7',
    title: 'a key of 15 bytes',
    sends: 'Asks with a key that decodes to 15 bytes.',
    edits: [set(KEY, Buffer.alloc(15, 'k').toString('base64'))],
  },
  {
    id: 'x.1.1.8',
    title: 'a key of 17 bytes',
    sends: 'Asks with a key that decodes to 17 bytes.',
    edits: [set(KEY, Buffer.alloc(17, 'k').toString('base64'))],
  },
  {
    id: 'x.1.1.9',
    title: 'a key that is not base64',
    sends: 'Asks with a key of 24 characters, of which 22 are exclamation marks.',
    edits: [set(KEY, `${'!'.repeat(22)}==`)],
  },
  {
    id: 'x.1.1.10',
    title: 'two keys',
    sends: 'Asks with two Sec-WebSocket-Key fields.',
    edits: [add(KEY, Buffer.alloc(16, 'k').toString('base64'))],
    rfc: '6455#11.3.1',
  },
  { id: 'x.1.1.11', title: 'no version', sends: 'Asks without a version.', edits: [drop(VERSION)] },
  {
    id: 'x.1.1.12',
    title: 'two versions',
    sends: 'Asks with two Sec-WebSocket-Version fields, 13 and 12.',
    edits: [add(VERSION, '12')],
    rfc: '6455#11.3.5',
  },
  {
    id: 'x.1.1.13',
    title: 'HTTP/1.0',
    sends: 'Asks in HTTP/1.0.',
    edits: [start('GET {path} HTTP/1.0')],
  },
  {
    id: 'x.1.1.14',
    title: 'POST',
    sends: 'Asks with the method POST.',
    edits: [start('POST {path} HTTP/1.1'), add('Content-Length', '0')],
  },
  { id: 'x.1.1.15', title: 'no Host', sends: 'Asks without Host.', edits: [drop('Host')] },
  {
    id: 'x.1.1.16',
    title: 'two Hosts',
    sends: 'Asks with two Host fields, of which HTTP allows one.',
    edits: [add('Host', 'example.com')],
  },
  {
    id: 'x.1.1.17',
    title: 'white space before a colon',
    sends: 'Asks with "Upgrade : websocket", which is not a header field (RFC 9112 section 5.1).',
    edits: [drop('Upgrade'), line('Upgrade : websocket')],
  },
  {
    id: 'x.1.1.18',
    title: 'a key in a folded line',
    sends: 'Asks with the key in a continuation line of another field, hence without one.',
    edits: [drop(KEY), line('X-Folded: a'), line(` ${KEY}: {key}`)],
  },
];

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
      informational(
        { is: 'accepted', anyhow: true },
        'a server may speak the draft, too; its frames are the same (6455#4.4)',
      ),
    ],
  },
];

/** Requests a server has to take, however they are written. */
const ACCEPTANCES: readonly Request[] = [
  { id: 'x.1.3.1', title: 'an ordinary request', sends: 'Asks as everybody does.', edits: [] },
  {
    id: 'x.1.3.2',
    title: 'names in lower case',
    sends: 'Asks with the names of all fields in lower case.',
    edits: [{ edit: 'letters', to: 'lower' }],
  },
  {
    id: 'x.1.3.3',
    title: 'names in upper case',
    sends: 'Asks with the names of all fields in upper case.',
    edits: [{ edit: 'letters', to: 'upper' }],
  },
  {
    id: 'x.1.3.4',
    title: 'Upgrade in other letters',
    sends: 'Asks with Upgrade: WebSocket.',
    edits: [set('Upgrade', 'WebSocket')],
  },
  {
    id: 'x.1.3.5',
    title: 'Connection in other letters',
    sends: 'Asks with Connection: upgrade.',
    edits: [set('Connection', 'upgrade')],
  },
  {
    id: 'x.1.3.6',
    title: 'a list in Connection',
    sends: 'Asks with Connection: keep-alive, Upgrade.',
    edits: [set('Connection', 'keep-alive, Upgrade')],
  },
  {
    id: 'x.1.3.7',
    title: 'two Connection fields',
    sends: 'Asks with Connection: keep-alive and, in a field of its own, Connection: Upgrade.',
    edits: [set('Connection', 'keep-alive'), add('Connection', 'Upgrade')],
  },
  {
    id: 'x.1.3.8',
    title: 'fields the other way round',
    sends: 'Asks with the fields in reverse order.',
    edits: [{ edit: 'reverse' }],
  },
  {
    id: 'x.1.3.9',
    title: 'an absolute target',
    sends: 'Asks for http://host/path, which every server has to take (RFC 9112 section 3.2.2).',
    edits: [start('GET http://{host}{path} HTTP/1.1')],
  },
  {
    id: 'x.1.3.10',
    title: 'much white space',
    sends: 'Asks with spaces and tabs around the values.',
    edits: [set('Upgrade', ' \t websocket \t'), set('Connection', '  Upgrade  ')],
  },
];

function refusal({ edits, ...request }: Request): Row {
  return { rfc: REQUEST, ...request, opening: { edits }, ending: 'opening', expect: REFUSED };
}

function acceptance({ edits, ...request }: Request): Row {
  return { rfc: REQUEST, ...request, opening: { edits }, ending: 'greet', expect: goesOn() };
}

export const REQUESTS: readonly Row[] = [
  ...REFUSALS.map(refusal),
  ...VERSIONS.map((row): Row => ({ ...row, ending: 'opening' })),
  ...ACCEPTANCES.map(acceptance),
].map((row) => ({ ...row, peers: SERVERS }));
