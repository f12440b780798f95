import type { CaseDefinition, Step } from '../../case.ts';
import { HELLO, byPeer, frame, gotText, kill, ping, text } from './builders.ts';

/** Section 4: opcodes that have no meaning yet. */

/** The same five ways to send a reserved opcode, for data opcodes and for control opcodes. */
const WAYS: readonly ((opcode: number) => {
  readonly what: string;
  readonly send: readonly Step[];
})[] = [
  (opcode) => ({ what: `opcode ${opcode} without payload`, send: [frame(opcode, '')] }),
  (opcode) => ({
    what: `opcode ${opcode} with payload`,
    send: [frame(opcode, 'reserved opcode payload')],
  }),
  (opcode) => ({
    what: `a text, opcode ${opcode} without payload, a ping`,
    send: [text(HELLO), frame(opcode, ''), ping('')],
  }),
  (opcode) => ({
    what: `a text, opcode ${opcode} with payload, a ping`,
    send: [text(HELLO), frame(opcode, HELLO), ping('')],
  }),
  (opcode) => ({
    what: `a text, opcode ${opcode} with payload, a ping, octet by octet`,
    send: [
      text(HELLO, { chopBytes: 1 }),
      frame(opcode, HELLO, { chopBytes: 1 }),
      ping('', { chopBytes: 1 }),
    ],
  }),
];

const FIRST_DATA = 3;
const FIRST_CONTROL = 11;

export function opcodeCases(): CaseDefinition[] {
  return [FIRST_DATA, FIRST_CONTROL].flatMap((first, group) =>
    WAYS.map((way, index) => {
      const { what, send } = way(first + index);
      const textFirst = index >= 2;
      return {
        id: `4.${group + 1}.${index + 1}`,
        title: what,
        rfc: '6455#5.2',
        description: `Sends ${what}; the opcode is reserved.`,
        expectation: textFirst
          ? 'The text comes back, then the peer fails the connection: close 1002, or TCP is dropped.'
          : 'The peer fails the connection: close 1002, or TCP is dropped.',
        script: {
          kind: 'events',
          send: [...send, kill(1)],
          expect: textFirst ? { OK: [gotText(HELLO)], 'NON-STRICT': [] } : { OK: [] },
          close: byPeer(1002),
        },
      };
    }),
  );
}
