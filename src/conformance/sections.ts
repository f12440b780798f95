/** What each section is about, by the first number of its ids. */
const SECTION_TITLES: Readonly<Record<string, string>> = {
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

/**
 * Orders case ids as people count: 2.9 before 2.10, Autobahn's own before the extended `x.` ones.
 */
export function compareCaseIds(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = comparePart(left[index] ?? '', right[index] ?? '');
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function comparePart(a: string, b: string): number {
  const [x, y] = [Number.parseInt(a, 10), Number.parseInt(b, 10)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  if (!Number.isNaN(x) && x !== y) return x - y;
  return a === b ? 0 : a < b ? -1 : 1;
}
