import type { CaseDefinition, CorpusName, DeflateWish } from '../../case.ts';

/** Section 12: five kinds of data. Section 13: seven ways to negotiate. 18 patterns each. */

/** [octets or code points, octets of each frame (0: one frame), seconds]. */
const PATTERNS: readonly (readonly [size: number, fragmentBytes: number, waitS: number])[] = [
  [16, 0, 60],
  [64, 0, 60],
  [256, 0, 120],
  [1024, 0, 240],
  [4096, 0, 480],
  [8192, 0, 480],
  [16_384, 0, 480],
  [32_768, 0, 480],
  [65_536, 0, 480],
  [131_072, 0, 480],
  [8192, 256, 480],
  [16_384, 256, 480],
  [32_768, 256, 480],
  [65_536, 256, 480],
  [131_072, 256, 480],
  [131_072, 1024, 480],
  [131_072, 4096, 480],
  [131_072, 32_768, 480],
];

const CORPORA: readonly CorpusName[] = ['json', 'image', 'prose', 'html', 'document'];

const PLAIN: DeflateWish = { noContextTakeover: false, maxWindowBits: undefined };
const FORGETFUL: DeflateWish = { noContextTakeover: true, maxWindowBits: undefined };
const SMALL: DeflateWish = { noContextTakeover: false, maxWindowBits: 9 };
const LARGE: DeflateWish = { noContextTakeover: false, maxWindowBits: 15 };
const SMALL_FORGETFUL: DeflateWish = { noContextTakeover: true, maxWindowBits: 9 };
const LARGE_FORGETFUL: DeflateWish = { noContextTakeover: true, maxWindowBits: 15 };

const NEGOTIATIONS: readonly { readonly offers: readonly DeflateWish[]; readonly words: string }[] =
  [
    { offers: [PLAIN], words: 'nothing asked of the peer' },
    { offers: [FORGETFUL], words: 'no context takeover asked of the peer' },
    { offers: [SMALL], words: 'a window of 9 bits asked of the peer' },
    { offers: [LARGE], words: 'a window of 15 bits asked of the peer' },
    { offers: [SMALL_FORGETFUL], words: 'no context takeover and a window of 9 bits asked' },
    { offers: [LARGE_FORGETFUL], words: 'no context takeover and a window of 15 bits asked' },
    { offers: [SMALL_FORGETFUL, FORGETFUL, PLAIN], words: 'three offers, from much to nothing' },
  ];

const ROUNDS = 1000;

interface Family {
  readonly id: string;
  readonly corpus: CorpusName;
  readonly words: string;
  readonly offers: readonly DeflateWish[];
}

function families(): Family[] {
  return [
    ...CORPORA.map((corpus, index) => ({
      id: `12.${index + 1}`,
      corpus,
      words: `data like ${WORDS[corpus]}`,
      offers: [PLAIN],
    })),
    ...NEGOTIATIONS.map(({ offers, words }, index) => ({
      id: `13.${index + 1}`,
      corpus: 'json' as const,
      words,
      offers,
    })),
  ];
}

const WORDS: Readonly<Record<CorpusName, string>> = {
  json: 'a JSON file',
  image: 'an image without compression',
  prose: 'prose, sent as binary',
  html: 'an HTML page',
  document: 'a document that is compressed already',
};

export function compressionCases(): CaseDefinition[] {
  return families().flatMap(({ id, corpus, words, offers }) =>
    PATTERNS.map(([size, fragmentBytes, waitS], index) => {
      const frames = fragmentBytes === 0 ? 'one frame each' : `frames of ${fragmentBytes} octets`;
      return {
        id: `${id}.${index + 1}`,
        title: `${ROUNDS} compressed messages of ${size}, ${frames}: ${words}`,
        rfc: id.startsWith('12') ? '7692#6' : '7692#7.1',
        description: `Sends ${ROUNDS} compressed messages of ${size} ${corpus === 'json' || corpus === 'html' ? 'characters' : 'octets'} of ${WORDS[corpus]} in ${frames}, each after the echo of the one before; ${words}.`,
        expectation: `All of them come back unchanged within ${waitS} seconds.`,
        script: { kind: 'compression', corpus, size, fragmentBytes, rounds: ROUNDS, waitS, offers },
      };
    }),
  );
}
