import { describe, expect, it } from 'vitest';
import { renderTemplate } from '../../../src/generate/template.ts';

function template(files: Record<string, string>, manifest: object = {}): Map<string, string> {
  const complete = { features: [], files: {}, rename: {}, values: {} };
  const json = JSON.stringify({ ...complete, ...manifest });
  return new Map(Object.entries({ 'template.json': json, ...files }));
}

const off = (): boolean => false;

describe('renderTemplate', () => {
  it('leaves out template.json and files of features that are off', () => {
    const files = template(
      { 'a.ts': 'a', 'b.ts': 'b', 'c.ts': 'c' },
      { features: ['x'], files: { 'b.ts': 'x', 'c.ts': '!x' } },
    );
    expect([...renderTemplate(files, off, {}).keys()]).toEqual(['a.ts', 'c.ts']);
    expect([...renderTemplate(files, () => true, {}).keys()]).toEqual(['a.ts', 'b.ts']);
  });

  it('gives files back the names that npm would not publish', () => {
    const files = template(
      { 'gitignore.txt': 'dist' },
      { rename: { 'gitignore.txt': '.gitignore' } },
    );
    expect(renderTemplate(files, off, {})).toEqual(new Map([['.gitignore', 'dist']]));
  });

  it('replaces each token once, not what a value brought in', () => {
    const values = { 'a.ts': { one: '{first}', two: '{second}' } };
    const files = template({ 'a.ts': 'one two one' }, { values });
    const rendered = renderTemplate(files, off, { first: 'two', second: '$&' });
    expect(rendered.get('a.ts')).toBe('two $& two');
  });

  it.each([
    ['a token that is gone', { values: { 'a.ts': { gone: '{x}' } } }, /does not contain "gone"/],
    ['a value nobody has', { values: { 'a.ts': { text: '{y}' } } }, /no value y/],
    ['a file that is gone', { files: { 'gone.ts': 'x' }, features: ['x'] }, /names gone\.ts/],
    ['an unknown feature', { files: { 'a.ts': 'y' }, features: ['x'] }, /unknown feature/],
    ['an unknown key', { fiels: {} }, /fiels/],
  ])('refuses %s', (_, manifest, message) => {
    const files = template({ 'a.ts': 'text' }, manifest);
    expect(() => renderTemplate(files, off, { x: '1' })).toThrow(message);
  });
});
