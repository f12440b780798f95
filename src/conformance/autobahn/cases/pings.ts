import type { CaseDefinition, ExpectedEvent, Step } from '../../case.ts';
import type { ExpectedClose } from '../../result.ts';
import {
  BY_TESTER,
  byPeer,
  close,
  closeAfter,
  gotPong,
  kill,
  octets,
  ping,
  pong,
} from './builders.ts';

/** Section 2: pings, pongs, and pongs nobody asked for. */

interface Row {
  readonly title: string;
  readonly rfc: string;
  readonly description: string;
  readonly expectation: string;
  readonly send: readonly Step[];
  readonly OK: readonly ExpectedEvent[];
  readonly close: ExpectedClose;
}

const ANSWERED = 'A pong with the same payload comes back, then both sides close with 1000.';
const UNANSWERED = 'Nothing comes back but the answer to the close frame.';

const LONGEST = Buffer.alloc(125, 0xfe);
const TOO_LONG = Buffer.alloc(126, 0xfe);
const ODD = octets('0x00fffefdfcfb00ff');
const UNSOLICITED = 'unsolicited pong payload';
const TEN = Array.from({ length: 10 }, (_, index) => `payload-${index}`);

const ROWS: readonly Row[] = [
  {
    title: 'ping without payload',
    rfc: '6455#5.5.2',
    description: 'Sends a ping without payload.',
    expectation: ANSWERED,
    send: [ping(''), closeAfter(1)],
    OK: [gotPong('')],
    close: BY_TESTER,
  },
  {
    title: 'ping with text',
    rfc: '6455#5.5.2',
    description: 'Sends a ping with a short text.',
    expectation: ANSWERED,
    send: [ping('Hello, world!'), closeAfter(1)],
    OK: [gotPong('Hello, world!')],
    close: BY_TESTER,
  },
  {
    title: 'ping with octets that are not text',
    rfc: '6455#5.5.2',
    description: 'Sends a ping with eight octets that are not UTF-8.',
    expectation: ANSWERED,
    send: [ping(ODD), closeAfter(1)],
    OK: [{ type: 'pong', payload: ODD }],
    close: BY_TESTER,
  },
  {
    title: 'ping of 125 octets',
    rfc: '6455#5.5',
    description: 'Sends a ping with 125 octets, the most a control frame may carry.',
    expectation: ANSWERED,
    send: [ping(LONGEST), closeAfter(1)],
    OK: [{ type: 'pong', payload: LONGEST }],
    close: BY_TESTER,
  },
  {
    title: 'ping of 126 octets',
    rfc: '6455#5.5',
    description: 'Sends a ping with 126 octets, one more than a control frame may carry.',
    expectation: 'The peer fails the connection: close 1002, or TCP is dropped.',
    send: [ping(TOO_LONG), kill(1)],
    OK: [],
    close: byPeer(1002),
  },
  {
    title: 'ping of 125 octets, octet by octet',
    rfc: '6455#5.5.2',
    description: 'Sends a ping with 125 octets, written in pieces of one octet.',
    expectation: ANSWERED,
    send: [ping(LONGEST, { chopBytes: 1 }), closeAfter(2)],
    OK: [{ type: 'pong', payload: LONGEST }],
    close: BY_TESTER,
  },
  {
    title: 'unsolicited pong without payload',
    rfc: '6455#5.5.3',
    description: 'Sends an unsolicited pong, without payload, and closes.',
    expectation: UNANSWERED,
    send: [pong(''), close(1000), closeAfter(1)],
    OK: [],
    close: BY_TESTER,
  },
  {
    title: 'unsolicited pong with payload',
    rfc: '6455#5.5.3',
    description: 'Sends an unsolicited pong, with payload, and closes.',
    expectation: UNANSWERED,
    send: [pong(UNSOLICITED), close(1000), closeAfter(1)],
    OK: [],
    close: BY_TESTER,
  },
  {
    title: 'unsolicited pong, then a ping',
    rfc: '6455#5.5.3',
    description: 'Sends an unsolicited pong, then a ping.',
    expectation: 'The ping is answered with its payload, the pong with nothing.',
    send: [pong(UNSOLICITED), ping('ping payload'), closeAfter(1)],
    OK: [gotPong('ping payload')],
    close: BY_TESTER,
  },
  {
    title: 'ten pings at once',
    rfc: '6455#5.5.3',
    description: 'Sends ten pings with different payloads without waiting for answers.',
    expectation: 'Ten pongs come back in order (RFC 6455 asks for the last one alone).',
    send: [...TEN.map((payload) => ping(payload)), closeAfter(3)],
    OK: TEN.map(gotPong),
    close: BY_TESTER,
  },
  {
    title: 'ten pings at once, octet by octet',
    rfc: '6455#5.5.3',
    description: 'Sends ten pings with different payloads, written in pieces of one octet.',
    expectation: 'Ten pongs come back in order (RFC 6455 asks for the last one alone).',
    send: [...TEN.map((payload) => ping(payload, { chopBytes: 1 })), closeAfter(3)],
    OK: TEN.map(gotPong),
    close: BY_TESTER,
  },
];

export function pingCases(): CaseDefinition[] {
  return ROWS.map(({ send, OK, close: expectedClose, ...words }, index) => ({
    id: `2.${index + 1}`,
    ...words,
    script: { kind: 'events', send, expect: { OK }, close: expectedClose },
  }));
}
