import type { CaseDefinition } from '../../case.ts';
import { BY_TESTER, binary, gotBinary, gotText, kill, octets, text } from './builders.ts';

/** Section 1: the three forms of the length field, and a frame in many pieces. */

interface Size {
  readonly bytes: number;
  readonly killS: number;
  readonly chopBytes?: number;
}

const SIZES: readonly Size[] = [
  { bytes: 0, killS: 1 },
  { bytes: 125, killS: 1 },
  { bytes: 126, killS: 1 },
  { bytes: 127, killS: 1 },
  { bytes: 128, killS: 1 },
  { bytes: 65535, killS: 10 },
  { bytes: 65536, killS: 10 },
  { bytes: 65536, killS: 10, chopBytes: 997 },
];

const TYPES = [
  { name: 'text', unit: octets('*'), send: text, got: gotText },
  { name: 'binary', unit: octets('0xfe'), send: binary, got: gotBinary },
];

export function framingCases(): CaseDefinition[] {
  return TYPES.flatMap(({ name, unit, send, got }, type) =>
    SIZES.map(({ bytes, killS, chopBytes }, index) => ({
      id: `1.${type + 1}.${index + 1}`,
      title: `${name} message of ${bytes} octets${chopBytes === undefined ? '' : `, in pieces of ${chopBytes}`}`,
      rfc: '6455#5.2',
      description:
        `Sends one ${name} frame with ${bytes} octets of payload` +
        (chopBytes === undefined ? '.' : `, written in pieces of ${chopBytes} octets.`),
      expectation: 'The message comes back unchanged, then both sides close with 1000.',
      script: {
        kind: 'events',
        send: [
          send(bytes === 0 ? '' : unit, {
            repeatTo: bytes,
            ...(chopBytes === undefined ? {} : { chopBytes }),
          }),
          kill(killS),
        ],
        expect: { OK: [got(Buffer.alloc(bytes, unit))] },
        close: BY_TESTER,
      },
    })),
  );
}
