import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { POSITION, TIME, difference, same, show } from '../../../src/contract/shape.ts';
import { applyPatch } from '../../../src/contract/json-patch.ts';
import { signToken } from '../../../src/contract/token.ts';

describe('shapes', () => {
  it('name the first field that differs', () => {
    expect(
      difference({ a: 1, b: [1, { c: null }] }, { a: 1, b: [1, { c: null }] }),
    ).toBeUndefined();
    expect(difference({ a: 1 }, { a: 2 })).toBe('"a" is 1, expected 2');
    expect(difference({ a: 1 }, { b: 2 })).toBe('"b" is absent, expected 2');
    expect(difference({ a: 1 }, { a: undefined })).toBe('"a" is 1, expected absent');
    expect(difference({ at: 'now' }, { at: TIME })).toBe(
      '"at" is "now", expected a time of ISO 8601',
    );
    expect(difference('x', {})).toBe('it is "x", expected an object');
  });

  it('compare JSON values, whatever the order of their keys', () => {
    expect(same({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
    expect(same([1, 2], [2, 1])).toBe(false);
    expect(same({}, [])).toBe(false);
    expect(same({ a: undefined }, { b: undefined })).toBe(false);
  });

  it.each([
    [{ offset: 0, epoch: 'x' }, true],
    [{ offset: -1, epoch: 'x' }, false],
    [{ offset: 1.5, epoch: 'x' }, false],
    [{ offset: 1, epoch: '' }, false],
    [{ offset: 1, epoch: 'x', more: 1 }, false],
  ])('know a position: %j', (value, holds) => {
    expect(POSITION.holds(value)).toBe(holds);
  });

  it('show no tokens', () => {
    const token = signToken({ sub: 'ada' }, 'secret');
    expect(show({ type: 'auth', token })).toBe('{"type":"auth","token":"***"}');
    expect(show({ type: 'auth', token: signToken({}, 'secret', 'none') })).not.toContain('eyJ');
  });

  it('cut long values', () => {
    expect(show('x'.repeat(1000)).length).toBeLessThan(200);
  });
});

describe('patches of RFC 6902', () => {
  it.each([
    [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    [{ a: [1] }, [{ op: 'add', path: '/a/0', value: 2 }], { a: [2, 1] }],
    [{ a: 1 }, [{ op: 'remove', path: '/a' }], {}],
    [{ 'a/b': 1, 'm~n': 2 }, [{ op: 'replace', path: '/a~1b', value: 3 }], { 'a/b': 3, 'm~n': 2 }],
    [{ a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: 1 }],
    [{ a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
    [{ a: 1 }, [{ op: 'test', path: '', value: { a: 1 } }], { a: 1 }],
    [1, [{ op: 'replace', path: '', value: [] }], []],
  ])('%j and %j', (document, patch, result) => {
    const before = JSON.stringify(document);
    expect(applyPatch(document, patch)).toEqual(result);
    expect(JSON.stringify(document)).toBe(before);
  });

  it.each([
    [{ op: 'remove', path: '/b' }],
    [{ op: 'replace', path: '/b', value: 1 }],
    [{ op: 'test', path: '/a', value: 2 }],
    [{ op: 'add', path: 'a', value: 2 }],
    [{ op: 'jump', path: '/a' }],
  ])('refuses %j', (operation) => {
    expect(() => applyPatch({ a: 1 }, [operation])).toThrow();
  });
});

it('signs tokens with HMAC over their first two parts', () => {
  const [head = '', body = '', signature] = signToken({ sub: 'ada' }, 'secret').split('.');
  const decoded = [head, body].map((part) => Buffer.from(part, 'base64url').toString());
  expect(decoded).toEqual(['{"alg":"HS256","typ":"JWT"}', '{"sub":"ada"}']);
  const mac = createHmac('sha256', 'secret').update(`${head}.${body}`).digest('base64url');
  expect(signature).toBe(mac);
  expect(signToken({ sub: 'ada' }, 'secret', 'none')).toMatch(/^[\w-]+\.[\w-]+\.$/);
});
