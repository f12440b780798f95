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
