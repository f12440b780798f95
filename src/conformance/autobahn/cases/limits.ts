import type { CaseDefinition, FrameStep, MessageStep } from '../../case.ts';
import { BY_TESTER, binary, gotText, kill, message, octets, text } from './builders.ts';

/** Section 9: large messages, many fragments, small pieces, many round trips. Section 10.1. */

const KIB = 1024;
const MIB = 1024 * KIB;

const TEXT_UNIT = octets('BAsd7&jh23');
const BINARY_UNIT = octets('0x00fe23faf0');
const STAR = octets('*');

/** [octets, seconds] of 9.1 (text) and 9.2 (binary). */
const SIZES: readonly (readonly [size: number, textS: number, binaryS: number])[] = [
  [64 * KIB, 10, 10],
  [256 * KIB, 10, 10],
  [MIB, 100, 10],
  [4 * MIB, 100, 10],
  [8 * MIB, 100, 100],
  [16 * MIB, 100, 100],
];

const FRAGMENTS = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
const CHOPS = [64, 128, 256, 512, 1024, 2048];

/** [octets, seconds] of 9.7 and 9.8. */
const ROUNDS: readonly (readonly [size: number, waitS: number])[] = [
  [0, 60],
  [16, 60],
  [64, 60],
  [256, 120],
  [KIB, 240],
  [4 * KIB, 480],
];

interface Row {
  readonly id: string;
  readonly what: string;
  readonly isBinary: boolean;
  readonly length: number;
  readonly waitS: number;
  readonly send: FrameStep | MessageStep;
}

function formatBytes(bytes: number): string {
  if (bytes >= MIB) return `${bytes / MIB} MiB`;
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} octets`;
}

/** One frame of each size, of each type. */
function sizeRows(): Row[] {
  return [false, true].flatMap((isBinary, type) =>
    SIZES.map(([length, textS, binaryS], index) => ({
      id: `9.${type + 1}.${index + 1}`,
      what: 'in one frame',
      isBinary,
      length,
      waitS: isBinary ? binaryS : textS,
      send: isBinary
        ? binary(BINARY_UNIT, { repeatTo: length })
        : text(TEXT_UNIT, { repeatTo: length }),
    })),
  );
}

function fragmentRows(): Row[] {
  return [false, true].flatMap((isBinary, type) =>
    FRAGMENTS.map((fragmentBytes, index) => ({
      id: `9.${type + 3}.${index + 1}`,
      what: `in fragments of ${formatBytes(fragmentBytes)}`,
      isBinary,
      length: 4 * MIB,
      waitS: 100,
      send: message(isBinary && index === 0 ? octets('0xfe') : STAR, {
        binary: isBinary,
        repeatTo: 4 * MIB,
        fragmentBytes,
      }),
    })),
  );
}

function chopRows(): Row[] {
  return [false, true].flatMap((isBinary, type) =>
    CHOPS.map((chopBytes, index) => ({
      id: `9.${type + 5}.${index + 1}`,
      what: `written in pieces of ${chopBytes} octets`,
      isBinary,
      length: MIB,
      waitS: 1000,
      send: isBinary
        ? binary(BINARY_UNIT, { repeatTo: MIB, chopBytes })
        : text(TEXT_UNIT, { repeatTo: MIB, chopBytes }),
    })),
  );
}

function lengthCase({ id, what, isBinary, length, waitS, send }: Row): CaseDefinition {
  const type = isBinary ? 'binary' : 'text';
  return {
    id,
    title: `${type} message of ${formatBytes(length)}, ${what}`,
    rfc: '6455#5.4',
    description: `Sends a ${type} message of ${formatBytes(length)}, ${what}.`,
    expectation: `A ${type} message of the same length comes back within ${waitS} seconds.`,
    script: { kind: 'length', send, binary: isBinary, length, waitS },
  };
}

function roundCases(rounds: number): CaseDefinition[] {
  return [false, true].flatMap((isBinary, type) =>
    ROUNDS.map(([length, waitS], index) => {
      const name = isBinary ? 'binary' : 'text';
      return {
        id: `9.${type + 7}.${index + 1}`,
        title: `${rounds} round trips of ${name} messages of ${formatBytes(length)}`,
        rfc: '6455#5.6',
        description: `Sends ${rounds} ${name} messages of ${length} octets, each after the echo of the one before.`,
        expectation: `All of them come back within ${waitS} seconds.`,
        script: {
          kind: 'rounds',
          binary: isBinary,
          unit: isBinary ? octets('0xfe') : STAR,
          length,
          rounds,
          waitS,
        },
      };
    }),
  );
}

const ROUND_TRIPS = 1000;

export function limitCases(): CaseDefinition[] {
  return [
    ...[...sizeRows(), ...fragmentRows(), ...chopRows()].map(lengthCase),
    ...roundCases(ROUND_TRIPS),
  ];
}

export function miscCases(): CaseDefinition[] {
  return [
    {
      id: '10.1.1',
      title: 'automatic fragmentation',
      rfc: '6455#5.4',
      description: 'Sends a text of 65536 octets in fragments of 1300.',
      expectation: 'The message comes back unchanged, then both sides close with 1000.',
      script: {
        kind: 'events',
        send: [message(STAR, { repeatTo: 65_536, fragmentBytes: 1300 }), kill(10)],
        expect: { OK: [gotText(Buffer.alloc(65_536, STAR))] },
        close: BY_TESTER,
        ruling: 'fragments',
      },
    },
  ];
}
