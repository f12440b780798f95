import { describe, expect, it } from 'vitest';
import { formatJsonPath, parseJsonPath, valueAt } from '../../../../src/load/scenario/json-path.ts';
import {
  TemplateError,
  UnsetVariable,
  jsonTemplate,
  render,
  textTemplate,
} from '../../../../src/load/scenario/template.ts';

const VALUES: Record<string, unknown> = { n: 7, name: 'a "b"', user: { tags: ['x', 'y'] } };
const lookup = (name: string): unknown => VALUES[name];

describe('a template', () => {
  it('fills in texts as they are', () => {
    expect(render(textTemplate('{{n}}: {{ name }}, {{user.tags[-1]}}'), lookup)).toBe(
      '7: a "b", y',
    );
  });

  it('keeps the type of a value that stands alone in JSON, and escapes the others', () => {
    const value = { id: '{{n}}', text: 'hi {{name}}', all: ['{{user}}', 1, null, true] };
    expect(JSON.parse(render(jsonTemplate(value), lookup))).toEqual({
      id: 7,
      text: 'hi a "b"',
      all: [{ tags: ['x', 'y'] }, 1, null, true],
    });
  });

  it('fills in keys of JSON', () => {
    expect(render(jsonTemplate({ '{{name}}': 1 }), lookup)).toBe('{"a \\"b\\"":1}');
  });

  it('tells a variable without a value', () => {
    expect(() => render(textTemplate('{{none}}'), lookup)).toThrow(UnsetVariable);
    expect(() => render(textTemplate('{{user.name}}'), lookup)).toThrow(UnsetVariable);
  });

  it('is refused when it does not end or names nothing', () => {
    for (const text of ['{{n', '{{}}', '{{1}}', '{{n.}}']) {
      expect(() => textTemplate(text), text).toThrow(TemplateError);
    }
  });
});

describe('a path', () => {
  it.each([
    ['type', ['type']],
    ['$.user.roles[0]', ['user', 'roles', 0]],
    ["$['a key'][-1]", ['a key', -1]],
    ['$["q\\"uote"]', ['q"uote']],
    ['$', []],
  ])('%s is read', (text, path) => {
    expect(parseJsonPath(text)).toEqual(path);
  });

  it.each(['', 'a..b', '$.', '$[x]', '$.a[', '$.*', 'a b'])('%j is none', (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });

  it('finds own values alone', () => {
    expect(valueAt({ a: [1, { b: 2 }] }, ['a', -1, 'b'])).toBe(2);
    expect(valueAt({ a: 1 }, ['constructor'])).toBeUndefined();
    expect(valueAt([1], ['length'])).toBeUndefined();
  });

  it('is written as it is read', () => {
    expect(formatJsonPath(['user', 'a key', 0])).toBe('$.user["a key"][0]');
  });
});
