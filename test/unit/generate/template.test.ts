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
    expect([...renderTemplate(files, 'chat', off, {}).keys()]).toEqual(['a.ts', 'c.ts']);
    expect([...renderTemplate(files, 'chat', () => true, {}).keys()]).toEqual(['a.ts', 'b.ts']);
  });

  it('knows the type of the server by the name that the template gives it', () => {
    const files = template(
      { 'a.ts': '# #if live\nlive\n# #else\n#~ chat\n# #endif', 'b.ts': 'b' },
      { types: { live: 'echo', talk: 'chat' }, files: { 'b.ts': 'talk' } },
    );
    expect([...renderTemplate(files, 'chat', off, {})]).toEqual([
      ['a.ts', 'chat'],
      ['b.ts', 'b'],
    ]);
    expect([...renderTemplate(files, 'echo', off, {})]).toEqual([['a.ts', 'live']]);
  });

  it('gives files back the names that npm would not publish', () => {
    const files = template(
      { 'gitignore.txt': 'dist' },
      { rename: { 'gitignore.txt': '.gitignore' } },
    );
    expect(renderTemplate(files, 'chat', off, {})).toEqual(new Map([['.gitignore', 'dist']]));
  });

  it('leaves out entries of JSON files, and closes the gaps in their arrays', () => {
    const entries = { 'a.json': { '/list/2': 'x', '/list/1': '!x', '/list/0': 'x', '/y': 'x' } };
    const files = template({ 'a.json': '{"list":[0,1,2],"y":1}' }, { features: ['x'], entries });
    const rendered = renderTemplate(files, 'chat', off, {}).get('a.json') ?? '';
    expect(JSON.parse(rendered)).toEqual({ list: [1] });
  });

  it('replaces each token once, not what a value brought in', () => {
    const values = { 'a.ts': { one: '{first}', two: '{second}' } };
    const files = template({ 'a.ts': 'one two one' }, { values });
    const rendered = renderTemplate(files, 'chat', off, { first: 'two', second: '$&' });
    expect(rendered.get('a.ts')).toBe('two $& two');
  });

  it('replaces what all files of a kind may have, before what one has', () => {
    const values = { '*.ts': { 'x/app': '{long}' }, 'a.ts': { app: '{short}' } };
    const files = template({ 'a.ts': 'x/app app', 'b.ts': 'none', 'c.go': 'x/app' }, { values });
    const rendered = renderTemplate(files, 'chat', off, { long: '1', short: '2' });
    expect([...rendered.values()]).toEqual(['1 2', 'none', 'x/app']);
  });

  it.each([
    ['a token that is gone', { values: { 'a.ts': { gone: '{x}' } } }, /does not contain "gone"/],
    ['a value nobody has', { values: { 'a.ts': { text: '{y}' } } }, /no value y/],
    ['a file that is gone', { files: { 'gone.ts': 'x' }, features: ['x'] }, /names gone\.ts/],
    ['an unknown feature', { files: { 'a.ts': 'y' }, features: ['x'] }, /unknown feature/],
    ['an unknown key', { fiels: {} }, /fiels/],
  ])('refuses %s', (_, manifest, message) => {
    const files = template({ 'a.ts': 'text' }, manifest);
    expect(() => renderTemplate(files, 'chat', off, { x: '1' })).toThrow(message);
  });
});
