/**
 * The five corpora, synthesised: of the same types as the files Autobahn uses, as long to a hundredth
 * or two, and with about the same compressibility, which is all that a duration depends on.
 *
 * Each length is an odd multiple of 4096, so that messages of 4096 units or more repeat after some
 * dozens and not after thousands: the tester compresses each but once, and the peer all of them.
 */
const BLOCK = 4096;

type Random = () => number;

function pick<Item>(items: ArrayLike<Item>, random: Random): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

function digits(random: Random, count: number): string {
  return String(Math.floor(random() * 10 ** count)).padStart(count, '0');
}

/** Lines from `next` until there are `length` octets of ASCII. */
function fill(length: number, next: () => string): string {
  const lines: string[] = [];
  for (let size = 0; size < length;) {
    const line = next();
    lines.push(line);
    size += line.length;
  }
  return lines.join('').slice(0, length);
}

/** 47 blocks of ASCII: records that differ in a few numbers. */
export function makeJson(): Buffer {
  const random = seededRandom(1);
  let number = 0;
  return Buffer.from(
    fill(47 * BLOCK, () => {
      number++;
      const id = `${1 + Math.floor(number / 90)}.${1 + (Math.floor(number / 10) % 9)}.${1 + (number % 10)}`;
      const behavior = random() < 0.93 ? 'OK' : 'NON-STRICT';
      const duration = Math.floor(random() ** 4 * 900);
      return (
        `      "${id}": {\n         "behavior": "${behavior}",\n         "behaviorClose": "OK",\n` +
        `         "duration": ${duration},\n         "remoteCloseCode": 1000,\n` +
        `         "reportfile": "peer_case_${id.replaceAll('.', '_')}.json"\n      },\n`
      );
    }),
  );
}

/** 65 blocks: a header and 512 columns of grey values, smooth with noise in the low bits. */
export function makeImage(): Buffer {
  const random = seededRandom(2);
  const width = 512;
  const header = Buffer.alloc(1078, 'header of an image');
  const pixels = Buffer.alloc(65 * BLOCK - header.length);
  for (const at of pixels.keys()) {
    const x = at % width;
    const y = Math.floor(at / width);
    const shape = 118 + 60 * Math.sin(x / 71) * Math.cos(y / 53) + 30 * Math.sin((x + y) / 29);
    const noise = (random() + random() + random() + random() - 2) * 8.2;
    pixels[at] = Math.max(0, Math.min(255, Math.round(shape + noise)));
  }
  return Buffer.concat([header, pixels]);
}

/** Letters as often as they are in a language, more or less. */
const VOWELS = 'eeeeeeeaaaiiiioouu';
const CONSONANTS = 'nnnnnrrrrssssttttddhhhllccggmmbbwwffkkzzpvj';

/** Words of which the first, the frequent ones, are short. */
function makeWords(random: Random, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const length = 2 + Math.floor(random() * (index < 60 ? 2.5 : 8));
    const letters = Array.from({ length }, (__, at) =>
      pick((at + index) % 2 === 0 || random() < 0.25 ? CONSONANTS : VOWELS, random),
    );
    return letters.join('');
  });
}

function sentence(words: readonly string[], random: Random): string {
  const length = 4 + Math.floor(random() * 7);
  const chosen = Array.from(
    { length },
    () => words[Math.floor(words.length * random() ** 6)] as string,
  );
  const text = chosen.join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${pick([',', '.', ';', '!', ''], random)}\n`;
}

/** 55 blocks of verse in UTF-8. */
export function makeProse(): Buffer {
  const random = seededRandom(3);
  const words = makeWords(random, 2400).map((word, index) =>
    index % 23 === 0 ? word.replace('a', '\u00e4').replace('u', '\u00fc') : word,
  );
  const length = 55 * BLOCK;
  const text = Buffer.from(fill(length, () => sentence(words, random)));
  return text.subarray(0, length);
}

/** Code points of more than one octet in `makeHtml`: 25 of two octets, one of three. */
const ACCENTS = [...Array.from({ length: 25 }, () => '\u00e9'), '\u20ac'];

/** 65 blocks of code points: rows of a table, with 26 code points beyond ASCII. */
export function makeHtml(): Buffer {
  const random = seededRandom(4);
  const words = makeWords(random, 300);
  const length = 65 * BLOCK;
  let row = 0;
  const text = fill(length, () => {
    row++;
    const id = `${1 + Math.floor(row / 80)}.${1 + (row % 80)}`;
    const note =
      random() < 0.3 ? sentence(words, random).trim() : 'Received the message as it was.';
    return (
      `         <tr class="agent_case_result_row">\n            <td class="case"><a href="#case_desc_${id.replace('.', '_')}">Case ${id}</a></td>\n` +
      `            <td class="case_ok"><a href="peer_case_${id.replace('.', '_')}.html">Pass</a><br/><span class="case_duration">${digits(random, 2)} ms</span></td>\n` +
      `            <td class="close">1000</td>\n            <td class="note">${note}</td>\n         </tr>\n`
    );
  });
  const characters = text.split('');
  const step = Math.floor(length / ACCENTS.length);
  for (const [index, accent] of ACCENTS.entries()) characters[index * step + 500] = accent;
  return Buffer.from(characters.join(''));
}

/** 255 blocks: streams that are compressed already, and the plain text between them. */
export function makeDocument(): Buffer {
  const random = seededRandom(5);
  const length = 255 * BLOCK;
  const parts: Buffer[] = [];
  let object = 0;
  for (let size = 0; size < length;) {
    object++;
    const plain = Array.from(
      { length: 40 },
      () => `${String(object).padStart(10, '0')} ${digits(random, 5)} 00000 n /F${object % 9} Tf\n`,
    ).join('');
    const stream = Buffer.alloc(3150);
    for (let index = 0; index < stream.length; index++) stream[index] = Math.floor(random() * 256);
    const part = Buffer.concat([
      Buffer.from(`${object} 0 obj\n<< /Length 3150 >>\nstream\n`),
      stream,
      Buffer.from(`\nendstream\nendobj\n${plain}`),
    ]);
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** A generator of numbers in [0, 1) that yields the same ones in every run (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
