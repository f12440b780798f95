import type { CaseDefinition } from '../../case.ts';
import { toCase } from '../words.ts';
import type { Row } from '../words.ts';
import { CLOSING } from './closing.ts';
import { COMPRESSION } from './compression.ts';
import { DELIVERY } from './delivery.ts';
import { FRAMES } from './frames.ts';
import { DEFLATE_OFFERS } from './offers.ts';
import { REQUESTS } from './requests.ts';
import { RESPONSES } from './responses.ts';

const ROWS: readonly Row[] = [
  ...REQUESTS,
  ...DEFLATE_OFFERS,
  ...RESPONSES,
  ...FRAMES,
  ...DELIVERY,
  ...COMPRESSION,
  ...CLOSING,
];

let cases: readonly CaseDefinition[] | undefined;

/** The cases beyond Autobahn for peers of one kind, in the order of their ids. */
export function extendedCases(peer: 'server' | 'client'): readonly CaseDefinition[] {
  cases ??= ROWS.map(toCase);
  return cases.filter(({ peers }) => peers === undefined || peers.includes(peer));
}
