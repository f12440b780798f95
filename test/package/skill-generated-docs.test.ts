import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Sections = Readonly<Record<string, (argument?: string) => string>>;

interface Docs {
  readonly rewriteSections: (text: string, sections: Sections) => string;
}

const script = fileURLToPath(new URL('../../scripts/docs.mjs', import.meta.url));
const { rewriteSections } = (await import(script)) as Docs;
const sections = { flags: (name?: string) => `table of ${name ?? ''}`, errors: () => 'codes' };

describe('the marked sections of a document', () => {
  it('are written anew between their markers, and the rest stays', () => {
    const text = 'a\n<!-- flags:test -->\nold\n<!-- /flags -->\nb <!-- note -->\n';
    expect(rewriteSections(text, sections)).toBe(
      'a\n<!-- flags:test -->\n\ntable of test\n\n<!-- /flags -->\nb <!-- note -->\n',
    );
  });

  it('are the same after a second time', () => {
    const once = rewriteSections('<!-- errors -->\n<!-- /errors -->\n', sections);
    expect(rewriteSections(once, sections)).toBe(once);
  });

  it.each([
    ['a start without an end', '<!-- errors -->\n'],
    ['an end without a start', '<!-- /errors -->\n'],
    ['a start inside another', '<!-- errors -->\n<!-- flags:test -->\n<!-- /flags -->\n'],
    ['the end of another', '<!-- errors -->\n<!-- /flags -->\n'],
  ])('refuse %s', (_, text) => {
    expect(() => rewriteSections(text, sections)).toThrow(/stands alone|has no end/);
  });
});

it('holds the documents to what the operations say', () => {
  const { status, stdout } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});
