import { Opcode } from '../../../protocol/index.ts';
import type { CaseDefinition, Step } from '../../case.ts';
import { HELLO, binary, byPeer, frame, gotText, kill, ping, text } from './builders.ts';

/** Section 3: reserved bits that no extension gave a meaning. RSV1 is 4, RSV2 is 2, RSV3 is 1. */

interface Row {
  readonly what: string;
  readonly send: readonly Step[];
  /** A legal text goes before, which may come back or not. */
  readonly textFirst: boolean;
}

const ROWS: readonly Row[] = [
  { what: 'a text with RSV3', send: [text(HELLO, { rsv: 1 })], textFirst: false },
  {
    what: 'a legal text, a text with RSV2, a ping',
    send: [text(HELLO), text(HELLO, { rsv: 2 }), ping('')],
    textFirst: true,
  },
  {
    what: 'a legal text, a text with RSV2 and RSV3, a ping, each on its own',
    send: [
      text(HELLO, { sync: true }),
      text(HELLO, { rsv: 3, sync: true }),
      ping('', { sync: true }),
    ],
    textFirst: true,
  },
  {
    what: 'a legal text, a text with RSV1, a ping, octet by octet',
    send: [
      text(HELLO, { chopBytes: 1 }),
      text(HELLO, { rsv: 4, chopBytes: 1 }),
      ping('', { chopBytes: 1 }),
    ],
    textFirst: true,
  },
  {
    what: 'a binary message with RSV1 and RSV3',
    send: [binary('0x00fffefdfcfb00ff', { rsv: 5 })],
    textFirst: false,
  },
  {
    what: 'a binary message with RSV1 and RSV2',
    send: [binary(HELLO, { rsv: 6 })],
    textFirst: false,
  },
  // Sent as a frame, not as a closing handshake: the tester stays open and waits.
  {
    what: 'a close frame with all three reserved bits',
    send: [frame(Opcode.close, '', { rsv: 7 })],
    textFirst: false,
  },
];

export function reservedBitCases(): CaseDefinition[] {
  return ROWS.map(({ what, send, textFirst }, index) => ({
    id: `3.${index + 1}`,
    title: what.replace(/^a /, ''),
    rfc: '6455#5.2',
    description: `Sends ${what}, without an extension that defines the bits.`,
    expectation: textFirst
      ? 'The legal text comes back, then the peer fails the connection: close 1002, or TCP is dropped.'
      : 'The peer fails the connection: close 1002, or TCP is dropped.',
    script: {
      kind: 'events',
      send: [...send, kill(1)],
      expect: textFirst ? { OK: [gotText(HELLO)], 'NON-STRICT': [] } : { OK: [] },
      close: byPeer(1002),
    },
  }));
}
