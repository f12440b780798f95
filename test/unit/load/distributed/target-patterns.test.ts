import { expect, it } from 'vitest';
import {
  isAllowedTarget,
  TARGET_PATTERN,
} from '../../../../src/load/distributed/target-patterns.ts';

it.each([
  ['localhost', 'localhost:8080', true],
  ['localhost:8080', 'localhost:8080', true],
  ['localhost:8081', 'localhost:8080', false],
  ['LOCALHOST', 'localhost:8080', true],
  ['*.example.com', 'a.b.example.com:443', true],
  ['*.example.com', 'example.com:443', false],
  ['*.example.com', 'a.example.com.evil.org:443', false],
  ['*.example.com', 'aXexample.com:443', false],
  ['10.0.0.*:9000', '10.0.0.7:9000', true],
  ['10.0.0.*:9000', '10.0.0.7:9001', false],
  ['*', 'anything:1', true],
  ['[::1]', '[::1]:8080', true],
  ['[::1]:8081', '[::1]:8080', false],
])('pattern %s, target %s: %s', (pattern, host, allowed) => {
  expect(TARGET_PATTERN.test(pattern)).toBe(true);
  expect(isAllowedTarget(host, [pattern])).toBe(allowed);
});

it('allows what one of several patterns allows, and all without patterns', () => {
  expect(isAllowedTarget('b:1', ['a', 'b'])).toBe(true);
  expect(isAllowedTarget('b:1', [])).toBe(true);
});

it.each(['', 'ws://localhost', 'a b', 'a:b', 'a/b', 'a:123456', '(a|b)'])(
  'takes "%s" for no pattern',
  (text) => {
    expect(TARGET_PATTERN.test(text)).toBe(false);
  },
);
