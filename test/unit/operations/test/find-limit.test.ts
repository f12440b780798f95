import { expect, it } from 'vitest';
import { SEARCH_BYTES, searchLimit } from '../../../../src/operations/test/find-limit.ts';
import type { Answer } from '../../../../src/operations/test/find-limit.ts';

const REFUSED: Answer = { code: 1009, reason: '' };

/** Asks a server that takes messages of up to `limit` bytes; `asked` lists all that were sent. */
async function search(limit: number, { goesOn = (): boolean => true, refusal = REFUSED } = {}) {
  const asked: number[] = [];
  const ask = (bytes: number): Promise<Answer> => {
    asked.push(bytes);
    return Promise.resolve(bytes <= limit ? 'taken' : refusal);
  };
  const found = await searchLimit({ ask, from: 0, to: SEARCH_BYTES, goesOn });
  return { found, asked };
}

it.each([
  0, 1, 100, 1023, 1024, 1025, 10_000, 16_384, 65_535, 65_536, 99_999, 100_000, 131_071, 123_457,
  1_000_000, 1_048_576, 4_194_303, 5_000_000, 8_388_608, 16_777_215,
])('finds a limit of %i bytes to the byte', async (limit) => {
  const { found, asked } = await search(limit);
  expect(found).toEqual({ taken: limit, refused: { bytes: limit + 1, answer: REFUSED } });
  expect(asked.length).toBeLessThanOrEqual(36);
});

it.each([1024, 65_536, 100_000, 1_000_000, 1_048_576, 10_000_000])(
  'finds the round limit %i with few messages',
  async (limit) => {
    expect((await search(limit)).asked.length).toBeLessThanOrEqual(14);
  },
);

it('says that there is no limit up to the largest message, and sends no more', async () => {
  const { found, asked } = await search(Infinity);
  expect(found).toEqual({ taken: SEARCH_BYTES });
  expect(Math.max(...asked)).toBe(SEARCH_BYTES);
  expect(asked.length).toBeLessThan(10);
});

it('sends a bounded number of bytes: of a large odd limit it finds the range', async () => {
  const { found, asked } = await search(12_345_678);
  expect(found.taken).toBeLessThanOrEqual(12_345_678);
  expect(found.refused?.bytes).toBeGreaterThan(12_345_678);
  expect(asked.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(160 * 1024 * 1024);
});

it('ends with what it knows when the time is over', async () => {
  let left = 3;
  const { found } = await search(Infinity, { goesOn: () => left-- > 0 });
  expect(found).toEqual({ taken: 16_384 });
});

it('does not search below a message that was not answered: each would take a timeout', async () => {
  const { found, asked } = await search(10_000, { refusal: 'silent' });
  expect(found).toEqual({ taken: 4096, refused: { bytes: 16_384, answer: 'silent' } });
  expect(asked).toEqual([1024, 4096, 16_384]);
});
