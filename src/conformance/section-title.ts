import { SECTION_TITLES } from './cases/index.ts';

/** What the section of a case is about, as progress shows it: `6 UTF-8`. */
export function sectionTitle(id: string): string {
  const section = id.split('.', 1)[0] ?? '';
  return `${section} ${SECTION_TITLES[section] ?? 'Beyond Autobahn'}`;
}
