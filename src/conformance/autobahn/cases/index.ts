import type { CaseDefinition } from '../../case.ts';
import { closingCases } from './closing.ts';
import { compressionCases } from './compression.ts';
import { fragmentationCases } from './fragmentation.ts';
import { framingCases } from './framing.ts';
import { limitCases, miscCases } from './limits.ts';
import { opcodeCases } from './opcodes.ts';
import { pingCases } from './pings.ts';
import { reservedBitCases } from './reserved-bits.ts';
import { utf8Cases } from './utf8.ts';

let cases: readonly CaseDefinition[] | undefined;

/** All 517 cases in the order of their ids; made when first asked for. */
export function allCases(): readonly CaseDefinition[] {
  cases ??= [
    ...framingCases(),
    ...pingCases(),
    ...reservedBitCases(),
    ...opcodeCases(),
    ...fragmentationCases(),
    ...utf8Cases(),
    ...closingCases(),
    ...limitCases(),
    ...miscCases(),
    ...compressionCases(),
  ];
  return cases;
}

/** What each section is about, by the first number of its ids. */
export const SECTION_TITLES: Readonly<Record<string, string>> = {
  '1': 'Framing',
  '2': 'Pings and pongs',
  '3': 'Reserved bits',
  '4': 'Opcodes',
  '5': 'Fragmentation',
  '6': 'UTF-8',
  '7': 'Closing',
  '9': 'Limits and performance',
  '10': 'Miscellaneous',
  '12': 'Compression: kinds of data',
  '13': 'Compression: negotiation',
};
