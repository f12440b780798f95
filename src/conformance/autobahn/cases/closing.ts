import type { CaseDefinition, ExpectedEvent, Step } from '../../case.ts';
import { Opcode } from '../../../protocol/index.ts';
import type { ExpectedClose } from '../../result.ts';
import {
  BY_TESTER,
  close,
  continuation,
  frame,
  gotText,
  kill,
  octets,
  ping,
  text,
} from './builders.ts';

/** Section 7: closing handshakes, orderly and not. */

const HELLO_WORLD = 'Hello World!';
const ANSWERED = 'The peer answers the close frame, then TCP is closed.';
const NOTHING_MORE = 'The peer answers the close frame and nothing that comes after it.';
const REFUSED = 'The peer fails the connection: close 1002, or TCP is dropped.';

interface Row {
  readonly id: string;
  readonly title: string;
  readonly rfc: string;
  readonly description: string;
  readonly expectation: string;
  readonly send: readonly Step[];
  readonly close: ExpectedClose;
  readonly OK?: readonly ExpectedEvent[];
  readonly nonStrict?: boolean;
  readonly informational?: boolean;
  /** The finish rule closes. */
  readonly closesWhenDone?: boolean;
}

/** The tester closes; the peer answers with one of `codes` or without a code. */
function byTester(codes: readonly number[], requireClean: boolean): ExpectedClose {
  return { closedByMe: true, closeCode: codes, requireClean };
}

const REASON_WITH_SURROGATE = octets('0xcebae1bdb9cf83cebcceb5eda080656469746564');

const BASICS: readonly Row[] = [
  {
    id: '7.1.1',
    title: 'message and close',
    rfc: '6455#7.1.2',
    description: 'Sends a text and, after its echo, a close frame.',
    expectation: `The text comes back. ${ANSWERED}`,
    send: [text(HELLO_WORLD)],
    OK: [gotText(HELLO_WORLD)],
    close: BY_TESTER,
    closesWhenDone: true,
  },
  {
    id: '7.1.2',
    title: 'two close frames',
    rfc: '6455#5.5.1',
    description: 'Sends two close frames.',
    expectation: NOTHING_MORE,
    send: [close(1000), frame(Opcode.close, '')],
    close: BY_TESTER,
  },
  {
    id: '7.1.3',
    title: 'ping after close',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame, then a ping.',
    expectation: NOTHING_MORE,
    send: [close(1000), ping('')],
    close: BY_TESTER,
  },
  {
    id: '7.1.4',
    title: 'text after close',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame, then a text.',
    expectation: NOTHING_MORE,
    send: [close(1000), text(HELLO_WORLD)],
    close: BY_TESTER,
  },
  {
    id: '7.1.5',
    title: 'close inside a fragmented message',
    rfc: '6455#5.5.1',
    description: 'Sends the first fragment of a text, a close frame, then the last fragment.',
    expectation: NOTHING_MORE,
    send: [text('fragment1', { fin: false }), close(1000), continuation('fragment2')],
    close: BY_TESTER,
  },
  {
    id: '7.1.6',
    title: 'close behind a large message',
    rfc: '6455#7.1.2',
    description: 'Sends 256 KiB of text, a short text, a close frame, then a ping.',
    expectation: 'For information: how much of it the peer answers before it closes.',
    send: [text('BAsd7&jh23', { repeatTo: 262_144 }), text(HELLO_WORLD), close(1000), ping('')],
    OK: [gotText(HELLO_WORLD)],
    nonStrict: true,
    close: BY_TESTER,
    informational: true,
  },
];

const PAYLOADS: readonly Row[] = [
  {
    id: '7.3.1',
    title: 'close without payload',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame without payload.',
    expectation: ANSWERED,
    send: [close()],
    close: BY_TESTER,
  },
  {
    id: '7.3.2',
    title: 'close with one octet',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame with a payload of one octet, half a code.',
    expectation: REFUSED,
    send: [{ do: 'close', reason: octets('a') }],
    close: byTester([1002], false),
  },
  {
    id: '7.3.3',
    title: 'close with a code',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame with a code and no reason.',
    expectation: ANSWERED,
    send: [close(1000)],
    close: BY_TESTER,
  },
  {
    id: '7.3.4',
    title: 'close with code and reason',
    rfc: '6455#5.5.1',
    description: 'Sends a close frame with a code and a reason.',
    expectation: ANSWERED,
    send: [close(1000, octets(HELLO_WORLD))],
    close: BY_TESTER,
  },
  {
    id: '7.3.5',
    title: 'close with the longest reason',
    rfc: '6455#5.5',
    description: 'Sends a close frame with a reason of 123 octets, the most there can be.',
    expectation: ANSWERED,
    send: [close(1000, Buffer.alloc(123, '*'))],
    close: BY_TESTER,
  },
  {
    id: '7.3.6',
    title: 'close with too long a reason',
    rfc: '6455#5.5',
    description: 'Sends a close frame with a reason of 124 octets, one more than there can be.',
    expectation: REFUSED,
    send: [close(1000, Buffer.alloc(124, '*'))],
    close: byTester([1002], false),
  },
  {
    id: '7.5.1',
    title: 'close with a reason that is not UTF-8',
    rfc: '6455#8.1',
    description: 'Sends a close frame with a surrogate in the reason.',
    expectation: 'The peer fails the connection: close 1007 or 1002, or TCP is dropped.',
    send: [close(1000, REASON_WITH_SURROGATE)],
    close: byTester([1002, 1007], false),
  },
];

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
const UNDEFINED_CODES = [5000, 65535];

function codeRows(): Row[] {
  return [
    ...VALID_CODES.map((code, index) => ({
      id: `7.7.${index + 1}`,
      title: `close with ${code}`,
      rfc: '6455#7.4.1',
      description: `Sends a close frame with the code ${code}.`,
      expectation: `The peer answers with ${code}, 1000 or no code, then TCP is closed.`,
      send: [close(code)],
      close: byTester([1000, code], true),
    })),
    ...INVALID_CODES.map((code, index) => ({
      id: `7.9.${index + 1}`,
      title: `close with ${code}`,
      rfc: '6455#7.4.2',
      description: `Sends a close frame with the code ${code}, which must not be sent.`,
      expectation: REFUSED,
      send: [close(code)],
      close: byTester([1002], false),
    })),
    ...UNDEFINED_CODES.map((code, index) => ({
      id: `7.13.${index + 1}`,
      title: `close with ${code}`,
      rfc: '6455#7.4.2',
      description: `Sends a close frame with the code ${code}, of which RFC 6455 says nothing.`,
      expectation: 'For information: what the peer makes of it.',
      send: [close(code)],
      close: byTester([1000, code, 1002], true),
      informational: true,
    })),
  ];
}

export function closingCases(): CaseDefinition[] {
  return [...BASICS, ...PAYLOADS, ...codeRows()].map(
    ({
      send,
      close: expectedClose,
      OK = [],
      nonStrict,
      informational,
      closesWhenDone,
      ...words
    }) => ({
      ...words,
      script: {
        kind: 'events',
        send: [...send, kill(1)],
        expect: nonStrict === true ? { OK, 'NON-STRICT': [] } : { OK },
        close: expectedClose,
        suppressClose: closesWhenDone !== true,
        ruling: informational === true ? 'informational' : 'wrong-code-fails',
      },
    }),
  );
}
