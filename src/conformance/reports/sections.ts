/** The sections of the suite by the first part of a case id. */
const TITLES: Readonly<Record<string, string>> = {
  '1': 'Framing',
  '2': 'Pings and pongs',
  '3': 'Reserved bits',
  '4': 'Opcodes',
  '5': 'Fragmentation',
  '6': 'UTF-8 handling',
  '7': 'Close handling',
  '9': 'Limits and performance',
  '10': 'Miscellaneous',
  '12': 'Compression: payloads',
  '13': 'Compression: parameters',
  x: 'Beyond Autobahn',
};

/** The section of a case: what stands before the first dot of its id. */
export function sectionOf(caseId: string): string {
  return caseId.split('.', 1)[0] ?? '';
}

/** The heading of a section, its number included: `6 UTF-8 handling`. */
export function sectionTitle(section: string): string {
  const title = TITLES[section];
  return title === undefined ? section : `${section} ${title}`;
}
