import { isUtf8 } from 'node:buffer';
import { Opcode } from '../../../protocol/index.ts';
import type { CaseDefinition, Step } from '../../case.ts';
import { UTF8_PAYLOADS } from './utf8-payloads.ts';
import {
  BY_PEER_FATAL,
  BY_TESTER,
  closeAfter,
  continuation,
  gotText,
  kill,
  message,
  octets,
  text,
  timedOut,
  wait,
} from './builders.ts';

/** Section 6: text that is UTF-8, text that is not, and how soon the peer notices. */

const MORE = { fin: false };

const GREETING = octets('0x48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121');
const KOSME = octets('0xcebae1bdb9cf83cebcceb5');
const SURROGATE_INSIDE = octets('0xcebae1bdb9cf83cebcceb5eda080656469746564');
const BEYOND_INSIDE = octets('0xcebae1bdb9cf83cebcceb5f4908080656469746564');

const ECHOED = 'The message comes back unchanged, then both sides close with 1000.';
const REFUSED = 'The peer fails the connection: close 1007, or TCP is dropped.';

interface Row {
  readonly id: string;
  readonly title: string;
  readonly send: readonly Step[];
  readonly payload: Buffer;
}

const VALID_FRAGMENTED: readonly Row[] = [
  { id: '6.1.1', title: 'empty text', send: [message('')], payload: octets('') },
  {
    id: '6.1.2',
    title: 'three empty fragments of a text',
    send: [text('', MORE), continuation('', MORE), continuation('')],
    payload: octets(''),
  },
  {
    id: '6.1.3',
    title: 'text between two empty fragments',
    send: [text('', MORE), continuation('middle frame payload', MORE), continuation('')],
    payload: octets('middle frame payload'),
  },
  { id: '6.2.1', title: 'UTF-8 in one frame', send: [message(GREETING)], payload: GREETING },
  {
    id: '6.2.2',
    title: 'UTF-8 in two fragments, cut between characters',
    send: [text(GREETING.subarray(0, 15), MORE), continuation(GREETING.subarray(15))],
    payload: GREETING,
  },
  {
    id: '6.2.3',
    title: 'UTF-8 in fragments of one octet',
    send: [message(GREETING, { fragmentBytes: 1 })],
    payload: GREETING,
  },
  {
    id: '6.2.4',
    title: 'Greek in fragments of one octet',
    send: [message(KOSME, { fragmentBytes: 1 })],
    payload: KOSME,
  },
];

const INVALID: readonly Row[] = [
  {
    id: '6.3.1',
    title: 'surrogate in one frame',
    send: [message(SURROGATE_INSIDE)],
    payload: SURROGATE_INSIDE,
  },
  {
    id: '6.3.2',
    title: 'surrogate in fragments of one octet',
    send: [message(SURROGATE_INSIDE, { fragmentBytes: 1 })],
    payload: SURROGATE_INSIDE,
  },
];

/** Where 6.4.1 and 6.4.2 (and 6.4.3 and 6.4.4) cut their payload: before or inside the bad octets. */
const FAIL_FAST_CUTS: readonly (readonly [number, number])[] = [
  [11, 15],
  [12, 13],
];

function failFastInFragments([first, second]: readonly [number, number]): Step[] {
  return [
    text(BEYOND_INSIDE.subarray(0, first), MORE),
    wait(1, 'A', true),
    continuation(BEYOND_INSIDE.subarray(first, second), MORE),
    wait(1, 'B', true),
    continuation(BEYOND_INSIDE.subarray(second)),
    kill(1),
  ];
}

function failFastInOneFrame([first, second]: readonly [number, number]): Step[] {
  return [
    { do: 'header', opcode: Opcode.text, fin: false, length: BEYOND_INSIDE.length },
    { do: 'payload', payload: BEYOND_INSIDE.subarray(0, first) },
    wait(1, 'A', true),
    { do: 'payload', payload: BEYOND_INSIDE.subarray(first, second) },
    wait(1, 'B', true),
    { do: 'payload', payload: BEYOND_INSIDE.subarray(second) },
    continuation(''),
    kill(1),
  ];
}

function failFastCases(): CaseDefinition[] {
  return [failFastInFragments, failFastInOneFrame].flatMap((steps, way) =>
    FAIL_FAST_CUTS.map((cuts, index) => ({
      id: `6.4.${way * 2 + index + 1}`,
      title:
        `invalid UTF-8 noticed early: cut ${index === 0 ? 'before' : 'inside'} the bad sequence, ` +
        (way === 0 ? 'in three fragments' : 'in three pieces of one frame'),
      rfc: '6455#8.1',
      description:
        'Sends text that is valid so far, waits a second, sends what makes it invalid, waits a ' +
        `second, sends the rest, ${way === 0 ? 'as three fragments' : 'as one frame in three pieces'}.`,
      expectation:
        'The peer fails the connection (close 1007, or TCP is dropped) as soon as the text is ' +
        'invalid; to do so only at the end of the message is non-strict.',
      script: {
        kind: 'events',
        send: steps(cuts),
        expect: { OK: [timedOut('A')], 'NON-STRICT': [timedOut('A'), timedOut('B')] },
        close: BY_PEER_FATAL,
      },
    })),
  );
}

function textCase(row: Row, timer: Step): CaseDefinition {
  const valid = isUtf8(row.payload);
  const words = row.payload.length === 0 ? 'no octets' : row.payload.toString('hex');
  return {
    id: row.id,
    title: row.title,
    rfc: '6455#8.1',
    description: `Sends a text of ${words}, which is ${valid ? '' : 'not '}valid UTF-8.`,
    expectation: valid ? ECHOED : REFUSED,
    script: {
      kind: 'events',
      send: [...row.send, timer],
      expect: { OK: valid ? [gotText(row.payload)] : [] },
      close: valid ? BY_TESTER : BY_PEER_FATAL,
    },
  };
}

/** 6.5 to 6.23: one unfragmented text each, with half a second to react. */
function payloadCases(): CaseDefinition[] {
  return UTF8_PAYLOADS.flatMap(({ section, title, payloads }) =>
    payloads.map((hex, index) => {
      const payload = Buffer.from(hex, 'hex');
      return textCase(
        {
          id: `${section}.${index + 1}`,
          title: payloads.length === 1 ? title : `${title}: ${hex}`,
          send: [text(payload)],
          payload,
        },
        kill(0.5),
      );
    }),
  );
}

export function utf8Cases(): CaseDefinition[] {
  return [
    ...VALID_FRAGMENTED.map((row) => textCase(row, closeAfter(1))),
    ...INVALID.map((row) => textCase(row, kill(1))),
    ...failFastCases(),
    ...payloadCases(),
  ];
}
