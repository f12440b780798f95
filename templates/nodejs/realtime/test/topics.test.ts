import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPattern, isTooBroad, isTopic, matches, Topics } from '../src/topics.ts';

const LONG = Array<string>(8).fill('x'.repeat(64)).join('.');

describe('topics', () => {
  it('are segments, and patterns of them', () => {
    const topics = ['a', 'a.b', 'a-1.B_2', 'a.b.c.d.e.f.g.h', '__proto__', 'constructor.x'];
    for (const topic of topics) assert.ok(isTopic(topic) && isPattern(topic), topic);
    const none = ['', '.', 'a.', '.a', 'a..b', 'a b', 'a/b', 'é', 'a.b.c.d.e.f.g.h.i', LONG];
    for (const text of [...none, 'x'.repeat(65), 'a\n']) {
      assert.ok(!isTopic(text) && !isPattern(text), text);
    }
    for (const pattern of ['a.*', 'a.#', 'a.*.c.#', '*', '#', '*.a']) {
      assert.ok(isPattern(pattern) && !isTopic(pattern), pattern);
    }
    for (const text of ['a.#.b', 'a.b*', 'a.**', '#.a', 'a#']) assert.ok(!isPattern(text), text);
  });

  it('are too broad without a first segment', () => {
    assert.deepEqual(['#', '*', '*.a', '*.#', 'a', 'a.#'].filter(isTooBroad), [
      '#',
      '*',
      '*.a',
      '*.#',
    ]);
  });

  const CASES: readonly [pattern: string, matching: string[], others: string[]][] = [
    ['a', ['a'], ['b', 'a.b']],
    ['a.b', ['a.b'], ['a', 'a.c', 'a.b.c']],
    ['a.*', ['a.b', 'a.c'], ['a', 'a.b.c', 'b.c']],
    ['a.#', ['a', 'a.b', 'a.b.c.d.e.f.g.h'], ['b', 'ab.c']],
    ['a.*.c', ['a.b.c'], ['a.c', 'a.b.d', 'a.b.b.c']],
    ['a.*.#', ['a.b', 'a.b.c'], ['a', 'b.c']],
    ['a.*.*.#', ['a.b.c', 'a.b.c.d'], ['a.b']],
    ['constructor.*', ['constructor.x'], ['constructor']],
  ];

  it('match as a tree as each pattern does alone', () => {
    const all = [...new Set(CASES.flatMap(([, matching, others]) => [...matching, ...others]))];
    const topics = new Topics<string>();
    for (const [pattern, matching, others] of CASES) {
      topics.add(pattern, pattern);
      for (const topic of matching) assert.ok(matches(pattern, topic), `${pattern} ${topic}`);
      for (const topic of others) assert.ok(!matches(pattern, topic), `${pattern} ${topic}`);
    }
    for (const topic of all) {
      const expected = CASES.map(([pattern]) => pattern).filter((one) => matches(one, topic));
      assert.deepEqual([...topics.match(topic)].sort(), expected.sort(), topic);
    }
    topics.delete('a.*', 'a.*');
    assert.ok(!topics.match('a.b').has('a.*') && topics.match('a.b').has('a.#'));
    for (const [pattern] of CASES) topics.delete(pattern, pattern);
    assert.deepEqual(
      all.flatMap((topic) => [...topics.match(topic)]),
      [],
    );
  });

  it('name a subscriber once', () => {
    const topics = new Topics<string>();
    for (const pattern of ['a.#', 'a.*', 'a.b', 'a.b.#']) topics.add(pattern, 'ada');
    topics.add('a.*', 'bob');
    assert.deepEqual([...topics.match('a.b')].sort(), ['ada', 'bob']);
  });

  it('take few steps, however many patterns there are', (t) => {
    const topics = new Topics<object>();
    const topic = 'a.b.c.d.e.f.g.h';
    const segments = topic.split('.');
    // All patterns that match: two ways at each segment but the first, and each end.
    for (let bits = 0; bits < 128; bits += 1) {
      const parts = segments.map((one, index) =>
        index > 0 && (bits >> (index - 1)) & 1 ? '*' : one,
      );
      topics.add(parts.join('.'), {});
      topics.add([...parts.slice(0, 7), '#'].join('.'), {});
    }
    for (let index = 0; index < 10_000; index += 1) topics.add(`a.other${String(index)}.#`, {});
    const lookups = t.mock.method(Map.prototype, 'get');
    topics.match(topic);
    const steps = lookups.mock.callCount();
    lookups.mock.restore();
    assert.ok(steps <= 2 * 2 ** 8, String(steps));
    assert.equal(topics.match(topic).size, 128 + 128);
  });
});
