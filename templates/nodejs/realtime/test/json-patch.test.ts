import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyPatch, faultOf, patchBetween, PatchError, readPatch } from '../src/json-patch.ts';
import type { Json } from '../src/json-patch.ts';

const LIMIT = 10_000;

function apply(document: Json, operations: unknown): Json {
  return applyPatch(document, readPatch(operations, 1000), LIMIT);
}

function whyOf(document: Json, operations: unknown): string | undefined {
  try {
    apply(document, operations);
    return undefined;
  } catch (error) {
    return error instanceof PatchError ? error.why : String(error);
  }
}

describe('patches', () => {
  // RFC 6902 appendix A and what it leaves open.
  const APPLIED: readonly [document: Json, patch: unknown, result: Json][] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    [
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'q' }],
      { foo: ['bar', 'q', 'baz'] },
    ],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: [1, 2, 3] }, [{ op: 'remove', path: '/foo/1' }], { foo: [1, 3] }],
    [{ baz: 1, foo: 2 }, [{ op: 'replace', path: '/baz', value: null }], { baz: null, foo: 2 }],
    [{ a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    [{ a: [1, 2, 3] }, [{ op: 'move', from: '/a/0', path: '/a/2' }], { a: [2, 3, 1] }],
    [{ a: [1] }, [{ op: 'copy', from: '/a', path: '/a/-' }], { a: [1, [1]] }],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: 1 }], { a: 1 }],
    [
      { a: { b: 1, c: 2 } },
      [{ op: 'test', path: '/a', value: { c: 2, b: 1 } }],
      { a: { b: 1, c: 2 } },
    ],
    [
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/m~0n' },
      ],
      {},
    ],
    [{ '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '~1': 10 }],
    [{ '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
    [1, [{ op: 'replace', path: '', value: [] }], []],
    [{ a: 1 }, [{ op: 'add', path: '/b', value: 2, more: 3 }], { a: 1, b: 2 }],
    [{}, [{ op: 'add', path: '/constructor', value: 1 }], { constructor: 1 }],
  ];

  it('apply as RFC 6902 says', () => {
    for (const [document, patch, result] of APPLIED) {
      const before = JSON.stringify(document);
      assert.deepEqual(apply(document, patch), result, JSON.stringify(patch));
      assert.equal(JSON.stringify(document), before);
    }
  });

  const REFUSED: readonly [why: string, document: Json, patch: unknown][] = [
    ['conflict', { a: 1 }, [{ op: 'test', path: '/a', value: '1' }]],
    ['conflict', { a: 1 }, [{ op: 'remove', path: '/b' }]],
    ['conflict', { a: 1 }, [{ op: 'replace', path: '/b', value: 1 }]],
    ['conflict', { a: 1 }, [{ op: 'add', path: '/b/c', value: 1 }]],
    ['conflict', { a: [1] }, [{ op: 'add', path: '/a/2', value: 1 }]],
    ['conflict', { a: [1] }, [{ op: 'add', path: '/a/01', value: 1 }]],
    ['conflict', { a: [1] }, [{ op: 'remove', path: '/a/-' }]],
    ['conflict', { a: [1] }, [{ op: 'remove', path: '/a/length' }]],
    ['conflict', { a: {} }, [{ op: 'move', from: '/a', path: '/a/b' }]],
    ['conflict', {}, [{ op: 'copy', from: '/toString', path: '/a' }]],
    ['conflict', {}, [{ op: 'test', path: '/constructor/name', value: 'Object' }]],
    ['conflict', 'text', [{ op: 'test', path: '/0', value: 't' }]],
    ['conflict', {}, [{ op: 'remove', path: '' }]],
    ['invalid', {}, {}],
    ['invalid', {}, [null]],
    ['invalid', {}, [{ op: 'add', path: '/a' }]],
    ['invalid', {}, [{ op: 'add', path: 'a', value: 1 }]],
    ['invalid', {}, [{ op: 'add', path: '/~2', value: 1 }]],
    ['invalid', {}, [{ op: 'spam', path: '/a' }]],
    ['invalid', {}, [{ op: 'move', path: '/a' }]],
    ['invalid', {}, [{ op: 'add', path: '/__proto__/x', value: 1 }]],
    ['invalid', {}, JSON.parse('[{"op":"add","path":"/a","value":{"__proto__":{"x":1}}}]')],
    ['invalid', {}, [{ op: 'add', path: '/a'.repeat(65), value: 1 }]],
    ['tooLarge', {}, Array(1001).fill({ op: 'test', path: '', value: {} })],
  ];

  it('are refused whole', () => {
    for (const [why, document, patch] of REFUSED) {
      assert.equal(whyOf(document, patch), why, JSON.stringify(patch).slice(0, 80));
    }
    const document = { a: 1 };
    const patch = [
      { op: 'replace', path: '/a', value: 2 },
      { op: 'test', path: '/a', value: 1 },
    ];
    assert.equal(whyOf(document, patch), 'conflict');
    assert.deepEqual(document, { a: 1 });
    assert.equal('x' in {}, false);
  });

  it('do not grow without end', () => {
    const doubling = Array(40).fill({ op: 'copy', from: '', path: '/-' });
    assert.equal(whyOf([1], doubling), 'tooLarge');
  });

  it('change what they copied in one place alone', () => {
    const values = [{ op: 'add', path: '/a/x', value: [1] }];
    const patch = [
      ...values,
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/a/x/-', value: 2 },
      { op: 'move', from: '/a', path: '/c' },
      { op: 'add', path: '/c/x/0', value: 0 },
      { op: 'remove', path: '/b/y' },
    ];
    const before = { a: { y: 1 } };
    assert.deepEqual(apply(before, patch), { b: { x: [1] }, c: { y: 1, x: [0, 1, 2] } });
    assert.deepEqual([before, values[0]?.value], [{ a: { y: 1 } }, [1]]);
  });

  it('take time for what they change, and not for each operation as much as for the whole', () => {
    const keys = Array.from({ length: 30_000 }, (_, index) => `k${String(index)}`);
    const document = Object.fromEntries(keys.map((key) => [key, 0]));
    const removed = keys.slice(0, 1000).map((key) => ({ op: 'remove', path: `/${key}` }));
    const time = (patch: unknown): number => {
      const start = performance.now();
      apply(document, patch);
      return performance.now() - start;
    };
    const one = time(removed.slice(0, 1));
    assert.ok(time(removed) < 50 * Math.max(one, 5));
  });

  it('are made of the difference of two documents', () => {
    const documents: Json[] = [
      { a: 1, b: [1, 2, 3], c: { d: null } },
      { b: [1, 3], c: { d: 'x', 'e/~': 1 } },
      { b: [0, 1, 3, 4], c: [] },
      [],
      [[1], [2], { a: 1 }],
      [[1], { a: 2 }],
      'text',
      null,
    ];
    for (const before of documents) {
      for (const after of documents) {
        assert.deepEqual(apply(before, patchBetween(before, after, 1000)), after);
      }
    }
    const long = { text: 'x'.repeat(1000), n: 1 };
    const patch = [{ op: 'replace', path: '/n', value: 2 }];
    assert.deepEqual(patchBetween(long, { ...long, n: 2 }, 1000), patch);
    // Many small changes are one.
    const zeros = Array<Json>(2000).fill(0);
    const ones = Array<Json>(2000).fill(1);
    assert.equal(patchBetween(zeros, ones, 1000).length, 1);
  });

  it('find what is no document', () => {
    const nested = (levels: number): Json =>
      Array.from({ length: levels }).reduce<Json>((inner) => [inner], 0);
    assert.equal(faultOf(nested(64)), undefined);
    assert.match(faultOf(nested(65)) ?? '', /64 levels/);
    for (const number of [Infinity, -Infinity, NaN])
      assert.match(faultOf({ a: [number] }) ?? '', /double/);
    assert.match(faultOf(JSON.parse('{"a":[{"__proto__":1}]}')) ?? '', /__proto__/);
  });
});
