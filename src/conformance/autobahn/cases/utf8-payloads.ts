/** One group of section 6: texts that are valid or not by their octets alone. */
interface PayloadGroup {
  readonly section: string;
  readonly title: string;
  /** In hex. */
  readonly payloads: readonly string[];
}

/** The word "κόσμε" in UTF-8. */
const KOSME = 'cebae1bdb9cf83cebcceb5';

/** A sequence of each length, less its last octet; overlong first, then the highest. */
const CUT_SHORT = [
  'c0',
  'e080',
  'f08080',
  'f8808080',
  'fc80808080',
  'df',
  'efbf',
  'f7bfbf',
  'fbbfbfbf',
  'fdbfbfbfbf',
];

/** Octets from `first` to `last` in hex, each followed by `separator`. */
function range(first: number, last: number, separator = ''): string {
  const octets = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return octets.map((octet) => octet.toString(16) + separator).join('');
}

/** U+nFFFE and U+nFFFF of planes 1 to 16. */
const PLANE_ENDS = [
  ...['9f', 'af', 'bf'].map((second) => `f0${second}`),
  ...['f1', 'f2', 'f3'].flatMap((lead) => ['8f', '9f', 'af', 'bf'].map((second) => lead + second)),
  'f48f',
].flatMap((start) => [`${start}bfbe`, `${start}bfbf`]);

/** Sections 6.5 to 6.23. */
export const UTF8_PAYLOADS: readonly PayloadGroup[] = [
  {
    section: '6.5',
    title: 'valid sequence',
    payloads: [
      '68656c6c6f24776f726c64',
      '68656c6c6fc2a2776f726c64',
      '68656c6c6fe282ac776f726c64',
      '68656c6c6ff0a4ada2776f726c64',
      KOSME,
    ],
  },
  {
    section: '6.6',
    title: 'prefix of a valid text',
    payloads: Array.from({ length: 11 }, (_, index) => KOSME.slice(0, 2 * (index + 1))),
  },
  {
    section: '6.7',
    title: 'first sequence of its length',
    payloads: ['00', 'c280', 'e0a080', 'f0908080'],
  },
  {
    section: '6.8',
    title: 'first sequence of five or six octets',
    payloads: ['f888808080', 'fc8480808080'],
  },
  {
    section: '6.9',
    title: 'last sequence of its length',
    payloads: ['7f', 'dfbf', 'efbfbf', 'f48fbfbf'],
  },
  {
    section: '6.10',
    title: 'last sequence of four, five or six octets',
    payloads: ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'],
  },
  {
    section: '6.11',
    title: 'boundary of the code space',
    payloads: ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', 'f4908080'],
  },
  {
    section: '6.12',
    title: 'continuation octets alone',
    payloads: [
      '80',
      'bf',
      '80bf',
      '80bf80',
      '80bf80bf',
      '80bf80bf80',
      '80bf80bf80bf',
      range(0x80, 0xbe),
    ],
  },
  {
    section: '6.13',
    title: 'lead octets alone',
    payloads: [
      range(0xc0, 0xde, '20'),
      range(0xe0, 0xee, '20'),
      range(0xf0, 0xf6, '20'),
      range(0xf8, 0xfa, '20'),
      range(0xfc, 0xfc, '20'),
    ],
  },
  { section: '6.14', title: 'last octet missing', payloads: CUT_SHORT },
  {
    section: '6.15',
    title: 'sequences with the last octet missing',
    payloads: [CUT_SHORT.join('')],
  },
  { section: '6.16', title: 'octets that no UTF-8 has', payloads: ['fe', 'ff', 'fefeffff'] },
  {
    section: '6.17',
    title: 'overlong solidus',
    payloads: ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'],
  },
  {
    section: '6.18',
    title: 'highest overlong sequence',
    payloads: ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'],
  },
  {
    section: '6.19',
    title: 'overlong NUL',
    payloads: ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'],
  },
  {
    section: '6.20',
    title: 'surrogate',
    payloads: ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'],
  },
  {
    section: '6.21',
    title: 'surrogate pair',
    payloads: [
      'eda080edb080',
      'eda080edbfbf',
      'edadbfedb080',
      'edadbfedbfbf',
      'edae80edb080',
      'edae80edbfbf',
      'edafbfedb080',
      'edafbfedbfbf',
    ],
  },
  { section: '6.22', title: 'non-character', payloads: ['efbfbe', 'efbfbf', ...PLANE_ENDS] },
  {
    section: '6.23',
    title: 'special code point',
    payloads: ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf'],
  },
];
