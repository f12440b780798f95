import type { CaseDefinition } from '../../case.ts';
import { compareCaseIds } from '../../sections.ts';
import { toCase } from '../../handshake/builders.ts';
import type { Row } from '../../handshake/builders.ts';
import { BAD_COMPRESSION } from './bad-compression.ts';
import { CLOSING } from './closing.ts';
import { COMPRESSION } from './compression.ts';
import { DELIVERY } from './delivery.ts';
import { FRAMES } from './frames.ts';
import { LENGTHS } from './lengths.ts';
import { SERVER_HANDSHAKES } from '../../handshake/catalogue.ts';
import { RESPONSES } from '../../handshake/cases/responses.ts';

const ROWS: readonly Row[] = [
  ...SERVER_HANDSHAKES,
  ...RESPONSES,
  ...LENGTHS,
  ...FRAMES,
  ...DELIVERY,
  ...COMPRESSION,
  ...BAD_COMPRESSION,
  ...CLOSING,
];

let cases: readonly CaseDefinition[] | undefined;

/** The cases beyond Autobahn for peers of one kind, in the order of their ids. */
export function extendedCases(peer: 'server' | 'client'): readonly CaseDefinition[] {
  cases ??= ROWS.map(toCase).sort((a, b) => compareCaseIds(a.id, b.id));
  return cases.filter(({ peers }) => peers === undefined || peers.includes(peer));
}
