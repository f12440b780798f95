import { SECTION_TITLES } from './autobahn/cases/index.ts';

/** The section of a case: what stands before the first dot of its id. */
export function sectionOf(caseId: string): string {
  return caseId.split('.', 1)[0] ?? '';
}

/** The heading of a section, its number included: `6 UTF-8`. */
export function sectionTitle(section: string): string {
  if (section === 'x') return 'Beyond Autobahn';
  const title = SECTION_TITLES[section];
  return title === undefined ? section : `${section} ${title}`;
}
