import { describe, expect, it } from 'vitest';
import { preprocess } from '../../../src/generate/preprocess.ts';
import { readTemplate, templateManifest } from '../../../src/generate/template.ts';
import { CLIENT_LANGUAGES, LANGUAGES } from '../../../src/generate/languages/index.ts';
import type { Language } from '../../../src/generate/languages/language.ts';

function process(lines: readonly string[], features: Record<string, boolean>): string[] {
  return preprocess(lines.join('\n'), features, 'file.ts').split('\n');
}

describe('preprocess', () => {
  it.each([
    ['// #if a', 'on', '// #endif'],
    ['  // #if a', 'on', '  // #endif'],
    ['# #if a', 'on', '# #endif'],
    ['<!-- #if a -->', 'on', '<!-- #endif -->'],
  ])('keeps or drops what stands between %s and its end', (...lines) => {
    expect(process(lines, { a: true })).toEqual(['on']);
    expect(process(lines, { a: false })).toEqual(['']);
  });

  it.each([
    ['//~ ', '  //~ off();', '  off();'],
    ['#~ ', '#~ off: 1', 'off: 1'],
    ['<!--~ ', '<!--~ off | b -->', 'off | b'],
    ['an empty line', '//~', ''],
  ])('uncomments %s after #else', (_, alternative, off) => {
    const lines = ['before', '// #if a', 'on', '// #else', alternative, '// #endif', 'after'];
    expect(process(lines, { a: true })).toEqual(['before', 'on', 'after']);
    expect(process(lines, { a: false })).toEqual(['before', off, 'after']);
  });

  it('understands !a, a && b and nesting', () => {
    const lines = ['// #if !a', '1', '// #endif', '// #if a && !b', '2', '// #endif'];
    const nested = ['// #if a', '3', '// #if b', '4', '// #endif', '// #endif'];
    const at = (a: boolean, b: boolean): string =>
      process([...lines, ...nested], { a, b }).join('');
    expect([at(false, false), at(false, true), at(true, false), at(true, true)]).toEqual([
      '1',
      '1',
      '23',
      '34',
    ]);
  });

  it('understands a || b && c, in which && comes first', () => {
    const lines = ['// #if a || !b && rate-limit', 'on', '// #endif'];
    const on = [];
    for (let bits = 0; bits < 8; bits += 1) {
      const [a, b, c] = [(bits & 4) !== 0, (bits & 2) !== 0, (bits & 1) !== 0];
      if (process(lines, { a, b, 'rate-limit': c }).join('') === 'on') on.push(bits);
    }
    expect(on).toEqual([1, 4, 5, 6, 7]);
  });

  it('leaves one blank line where a removal would leave two', () => {
    expect(process(['x', '', '// #if a', '', 'y', '// #endif', '', 'z'], { a: false })).toEqual([
      'x',
      '',
      'z',
    ]);
    expect(process(['x', '', '', 'y'], {})).toEqual(['x', '', '', 'y']);
  });

  it.each([
    ['an unknown feature', ['// #if rom', '// #endif'], /file\.ts:1: unknown feature/],
    ['an unknown feature that does not matter', ['// #if a || rom', '// #endif'], /unknown/],
    ['half a condition', ['// #if a ||', '// #endif'], /unknown/],
    ['no condition', ['// #if', '// #endif'], /file\.ts:1: unknown feature/],
    ['a feature that objects have by nature', ['// #if constructor', '// #endif'], /unknown/],
    ['a missing end', ['x', '// #if a'], /file\.ts:2: #if without #endif/],
    ['a stray end', ['// #endif'], /file\.ts:1: stray #endif/],
    ['a stray else', ['// #else'], /file\.ts:1: stray #else/],
    ['a second else', ['// #if a', '// #else', '// #else'], /file\.ts:3: stray #else/],
    ['an unknown marker', ['// #elif a'], /file\.ts:1: unknown marker #elif/],
    ['live code after else', ['// #if a', '// #else', 'x()'], /file\.ts:3: .* commented out/],
    ['commented code outside of else', ['//~ x()'], /file\.ts:1: a ~ comment outside/],
  ])('refuses %s', (_, lines, message) => {
    expect(() => process(lines, { a: true })).toThrow(message);
    expect(() => process(lines, { a: false })).toThrow(message);
  });

  it('agrees with a tree of random blocks', () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const random = mulberry32(seed);
      const features = { a: random() < 0.5, b: random() < 0.5, c: random() < 0.5 };
      const { source, expected } = randomBlock(random, features, 3);
      expect(preprocess(source.join('\n'), features, 'random').split('\n'), `seed ${seed}`).toEqual(
        expected.length === 0 ? [''] : expected,
      );
    }
  });
});

/** Lines with markers, and what has to be left of them. */
interface Block {
  source: string[];
  expected: string[];
}

function randomBlock(
  random: () => number,
  features: Readonly<Record<string, boolean>>,
  depth: number,
): Block {
  const block: Block = { source: [], expected: [] };
  const count = Math.floor(random() * 4);
  for (let index = 0; index < count; index += 1) {
    if (depth === 0 || random() < 0.4) {
      const line = `line ${Math.floor(random() * 1000)}`;
      block.source.push(line);
      block.expected.push(line);
      continue;
    }
    const names = Object.keys(features);
    const name = names[Math.floor(random() * names.length)] ?? '';
    const negated = random() < 0.5;
    const isOn = features[name] !== negated;
    const inner = randomBlock(random, features, depth - 1);
    block.source.push(`// #if ${negated ? '!' : ''}${name}`, ...inner.source);
    const otherwise = random() < 0.5 ? [`other ${Math.floor(random() * 1000)}`] : undefined;
    if (otherwise !== undefined) block.source.push('// #else', ...otherwise.map((l) => `//~ ${l}`));
    block.source.push('// #endif');
    block.expected.push(...(isOn ? inner.expected : (otherwise ?? [])));
  }
  return block;
}

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const TEMPLATES = [
  ...new Set(
    Object.entries<Language>(LANGUAGES).flatMap(([language, { servers }]) =>
      Object.values(servers).map(({ template }) => `${language}/${template}`),
    ),
  ),
  ...Object.keys(CLIENT_LANGUAGES).map((language) => `${language}/client`),
];

const MARKER = /^\s*(?:\/\/|#|<!--)(?:~| ?#\w)/;

describe.each(TEMPLATES)('the template %s', (name) => {
  const template = readTemplate(name);
  const { features, types } = templateManifest(template);
  const named = Object.entries(types).map(([name, of]) => [name, [of].flat()] as const);
  const ofType = (isOn: (of: readonly string[]) => boolean): [string, boolean][] =>
    named.map(([name, of]) => [name, isOn(of)]);
  const files = [...template].filter(([path]) => path !== 'template.json');
  const withAll = (isOn: boolean): Record<string, boolean> =>
    Object.fromEntries([
      ...features.map((feature) => [feature, isOn] as const),
      ...ofType(() => isOn),
    ]);

  it('with every feature is itself without the markers', () => {
    for (const [path, text] of files) {
      const lines = preprocess(text, withAll(true), path).split('\n');
      const kept = text.split('\n').filter((line) => !MARKER.test(line));
      expect(
        lines.filter((line) => line !== ''),
        path,
      ).toEqual(kept.filter((line) => line !== ''));
    }
  });

  it.each(named.length > 0 ? [...new Set(named.flatMap(([, of]) => of))] : ['only'])(
    'is balanced and settled in every combination of features with the type %s',
    (only: string) => {
      for (const [path, text] of files) {
        const conditions = text.split('\n').filter((line) => MARKER.test(line));
        const used = features.filter((name) =>
          conditions.some((line) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(line)),
        );
        for (let bits = 0; bits < 2 ** used.length; bits += 1) {
          const chosen = Object.fromEntries([
            ...features.map((feature) => [feature, false] as const),
            ...used.map((feature, index) => [feature, (bits & (1 << index)) !== 0] as const),
            ...ofType((of) => of.some((type) => type === only)),
          ]);
          const output = preprocess(text, chosen, path);
          expect(
            output.split('\n').filter((line) => MARKER.test(line)),
            path,
          ).toEqual([]);
          expect(preprocess(output, chosen, path)).toBe(output);
        }
      }
    },
  );

  it('has no line that ends in a blank', () => {
    for (const [path, text] of files) {
      const bad = text.split('\n').filter((line) => / $/.test(line));
      expect(bad, path).toEqual([]);
    }
  });
});
