import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyPatch } from '../src/json-patch.ts';
import type { Json, PatchOperation } from '../src/json-patch.ts';

interface Row {
  readonly name: string;
  readonly before: Json;
  readonly patch: readonly PatchOperation[];
  /** Absent: it must not apply. */
  readonly after?: Json;
}

const rows: readonly Row[] = [
  // RFC 6902, appendix A
  {
    name: 'adds a member',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/baz', value: 'qux' }],
    after: { foo: 'bar', baz: 'qux' },
  },
  {
    name: 'adds an element',
    before: { foo: ['bar', 'baz'] },
    patch: [{ op: 'add', path: '/foo/1', value: 'qux' }],
    after: { foo: ['bar', 'qux', 'baz'] },
  },
  {
    name: 'removes a member',
    before: { baz: 'qux', foo: 'bar' },
    patch: [{ op: 'remove', path: '/baz' }],
    after: { foo: 'bar' },
  },
  {
    name: 'removes an element',
    before: { foo: ['bar', 'qux', 'baz'] },
    patch: [{ op: 'remove', path: '/foo/1' }],
    after: { foo: ['bar', 'baz'] },
  },
  {
    name: 'replaces a value',
    before: { baz: 'qux', foo: 'bar' },
    patch: [{ op: 'replace', path: '/baz', value: 'boo' }],
    after: { baz: 'boo', foo: 'bar' },
  },
  {
    name: 'moves a value',
    before: { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
    patch: [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    after: { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
  },
  {
    name: 'moves an element',
    before: { foo: ['all', 'grass', 'cows', 'eat'] },
    patch: [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    after: { foo: ['all', 'cows', 'eat', 'grass'] },
  },
  {
    name: 'tests values',
    before: { baz: 'qux', foo: ['a', 2, 'c'] },
    patch: [
      { op: 'test', path: '/baz', value: 'qux' },
      { op: 'test', path: '/foo/1', value: 2 },
    ],
    after: { baz: 'qux', foo: ['a', 2, 'c'] },
  },
  {
    name: 'fails with a test',
    before: { baz: 'qux' },
    patch: [{ op: 'test', path: '/baz', value: 'bar' }],
  },
  {
    name: 'adds a nested member',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/child', value: { grandchild: {} } }],
    after: { foo: 'bar', child: { grandchild: {} } },
  },
  {
    name: 'adds nothing below what is not there',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/baz/bat', value: 'qux' }],
  },
  {
    name: 'unescapes ~01 once',
    before: { '/': 9, '~1': 10 },
    patch: [{ op: 'test', path: '/~01', value: 10 }],
    after: { '/': 9, '~1': 10 },
  },
  {
    name: 'tells a text from a number',
    before: { '/': 9, '~1': 10 },
    patch: [{ op: 'test', path: '/~01', value: '10' }],
  },
  {
    name: 'adds an array at the end',
    before: { foo: ['bar'] },
    patch: [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
    after: { foo: ['bar', ['abc', 'def']] },
  },
  // beyond the appendix
  {
    name: 'copies a value',
    before: { a: { b: 1 } },
    patch: [
      { op: 'copy', from: '/a', path: '/c' },
      { op: 'replace', path: '/c/b', value: 2 },
    ],
    after: { a: { b: 1 }, c: { b: 2 } },
  },
  {
    name: 'replaces the whole document',
    before: { a: 1 },
    patch: [{ op: 'replace', path: '', value: [1] }],
    after: [1],
  },
  {
    name: 'adds the whole document',
    before: 1,
    patch: [{ op: 'add', path: '', value: null }],
    after: null,
  },
  {
    name: 'has null values',
    before: { a: 1 },
    patch: [{ op: 'add', path: '/a', value: null }],
    after: { a: null },
  },
  {
    name: 'edits below arrays',
    before: [{ a: [1, 2] }],
    patch: [{ op: 'remove', path: '/0/a/0' }],
    after: [{ a: [2] }],
  },
  {
    name: 'knows the empty key',
    before: { '': 1 },
    patch: [{ op: 'replace', path: '/', value: 2 }],
    after: { '': 2 },
  },
  {
    name: 'compares objects in any order',
    before: { a: 1, b: [{ c: null }] },
    patch: [{ op: 'test', path: '', value: { b: [{ c: null }], a: 1 } }],
    after: { a: 1, b: [{ c: null }] },
  },
  {
    name: 'has members named as those that objects inherit',
    before: { constructor: 1 },
    patch: [
      { op: 'replace', path: '/constructor', value: 2 },
      { op: 'add', path: '/toString', value: 3 },
    ],
    after: { constructor: 2, toString: 3 },
  },
  { name: 'no index with a zero before', before: [1, 2], patch: [{ op: 'remove', path: '/01' }] },
  { name: 'no index beyond', before: [1], patch: [{ op: 'add', path: '/2', value: 1 }] },
  { name: 'no removal at -', before: [1], patch: [{ op: 'remove', path: '/-' }] },
  { name: 'no removal of the document', before: [1], patch: [{ op: 'remove', path: '' }] },
  {
    name: 'no replacement of nothing',
    before: {},
    patch: [{ op: 'replace', path: '/a', value: 1 }],
  },
  { name: 'no removal of nothing', before: {}, patch: [{ op: 'remove', path: '/a' }] },
  { name: 'no pointer without a slash', before: {}, patch: [{ op: 'add', path: 'a', value: 1 }] },
  { name: 'no stray tilde', before: {}, patch: [{ op: 'add', path: '/~2', value: 1 }] },
  { name: 'no missing value', before: {}, patch: [{ op: 'add', path: '/a' }] },
  { name: 'no other operation', before: {}, patch: [{ op: 'merge', path: '/a', value: 1 }] },
  { name: 'no missing from', before: { a: 1 }, patch: [{ op: 'copy', path: '/b' }] },
  {
    name: 'no move into itself',
    before: { a: { b: 1 } },
    patch: [{ op: 'move', from: '/a', path: '/a/c' }],
  },
  { name: 'nothing below a text', before: { a: 'x' }, patch: [{ op: 'remove', path: '/a/0' }] },
  {
    name: 'nothing that is inherited',
    before: {},
    patch: [{ op: 'copy', from: '/constructor', path: '/a' }],
  },
];

describe('JSON Patch', () => {
  for (const { name, before, patch, after } of rows) {
    it(name, () => {
      const original = structuredClone(before);
      if (after === undefined) assert.throws(() => applyPatch(before, patch));
      else assert.deepEqual(applyPatch(before, patch), after);
      assert.deepEqual(before, original);
    });
  }

  it('does all of a patch or nothing', () => {
    const before = { a: 1 };
    const patch = [
      { op: 'replace', path: '/a', value: 2 },
      { op: 'remove', path: '/b' },
    ];
    assert.throws(() => applyPatch(before, patch));
    assert.deepEqual(before, { a: 1 });
  });

  it('changes no prototype', () => {
    const evil = JSON.parse('{"admin":true}') as Json;
    const after = applyPatch({ a: {} }, [{ op: 'add', path: '/__proto__', value: evil }]);
    assert.equal(({} as { admin?: unknown }).admin, undefined);
    assert.equal((after as { admin?: unknown }).admin, undefined);
    assert.deepEqual(Object.keys(after as object), ['a', '__proto__']);
    for (const path of ['/__proto__/admin', '/constructor/prototype/admin', '/a/__proto__/admin']) {
      assert.throws(() => applyPatch({ a: {} }, [{ op: 'add', path, value: true }]));
    }
  });

  it('shares what did not change', () => {
    const before = { a: { b: 1 }, c: { d: 1 } };
    const after = applyPatch(before, [{ op: 'replace', path: '/a/b', value: 2 }]);
    assert.equal((after as typeof before).c, before.c);
  });
});
