import { expect, it } from 'vitest';
import { didYouMean, nearest } from '../../../src/core/did-you-mean.ts';

it.each([
  ['ehco', ['echo', 'chat'], 'echo'],
  ['chatt', ['echo', 'chat'], 'chat'],
  ['generate-sever', ['test', 'generate-server'], 'generate-server'],
  ['lang', ['port', 'language', 'auth'], 'language'],
  ['maxPayloat', ['maxPayload', 'pingInterval'], 'maxPayload'],
])('finds for %j among %j the word %j', (word, candidates, match) => {
  expect(nearest(word, candidates)).toBe(match);
  expect(didYouMean(word, candidates)).toBe(`did you mean ${match}?`);
});

it.each([
  ['completely-else', ['echo', 'chat']],
  ['lang', ['ca', 'url', 'echo']],
  ['rf', ['json', 'input']],
  ['users', ['url', 'expect']],
])('lists what is valid when nothing is near %j', (word, candidates) => {
  expect(didYouMean(word, candidates)).toBe(`valid: ${candidates.join(', ')}`);
});
