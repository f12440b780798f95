import { isAscii, isUtf8 } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { corpus } from '../../../../../src/conformance/autobahn/corpus/corpus.ts';
import {
  makeDocument,
  makeHtml,
  makeImage,
  makeJson,
  makeProse,
} from '../../../../../src/conformance/autobahn/corpus/make-corpus.ts';

/** How much of 128 KiB is left by zlib at its default level. */
function ratio(data: Buffer): number {
  const deflated = deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  return deflated.length / data.length;
}

describe('the corpora', () => {
  it.each([
    ['json', makeJson, 194_056, 0.044],
    ['image', makeImage, 263_222, 0.85],
    ['prose', makeProse, 222_218, 0.39],
    ['html', makeHtml, 263_647, 0.057],
    ['document', makeDocument, 1_042_328, 0.76],
  ] as const)(
    '%s is as long and about as compressible as Autobahn’s',
    (name, make, length, wanted) => {
      expect(Math.abs(make().length - length) / length).toBeLessThan(0.015);
      const found = ratio(corpus(name).cut(131_072, 0));
      expect(Math.abs(found - wanted)).toBeLessThan(0.03);
    },
  );

  it('are the same in every run', () => {
    expect(makeImage().equals(makeImage())).toBe(true);
  });

  it('are ASCII for json, and 26 characters beyond it for html', () => {
    expect(isAscii(makeJson())).toBe(true);
    const html = makeHtml().toString();
    expect(Array.from(html)).toHaveLength(65 * 4096);
    expect(Array.from(html).filter((character) => character > '\u007f')).toHaveLength(26);
  });
});

describe('messages', () => {
  it('go around and around', () => {
    const json = makeJson().toString();
    const size = 65_536;
    const source = corpus('json');
    const third = source.cut(size, source.startOf(size, 2)).toString();
    expect(third).toBe(json.slice(2 * size) + json.slice(0, 3 * size - json.length));
  });

  it('are cut between code points, and counted in them', () => {
    const characters = Array.from(makeHtml().toString());
    for (let index = 0; index < 20; index++) {
      const html = corpus('html');
      const message = html.cut(16_384, html.startOf(16_384, index));
      expect(isUtf8(message)).toBe(true);
      const from = (index * 16_384) % characters.length;
      const wanted = [...characters, ...characters].slice(from, from + 16_384).join('');
      expect(message.toString()).toBe(wanted);
    }
  });

  it('of prose are binary though it is text', () => {
    expect(corpus('prose').binary).toBe(true);
    expect(corpus('html').binary).toBe(false);
  });
});
