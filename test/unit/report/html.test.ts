import { expect, it } from 'vitest';
import { html } from '../../../src/report/html.ts';
import { numeric, table } from '../../../src/report/table.ts';

it('escapes what is put in, but not what it made itself', () => {
  const inner = html`<b title="${'"'}">${'<&\u202e'}</b>`;
  expect(html`<p>${inner}${[inner]}${false}${undefined}${7}</p>`.markup).toBe(
    '<p><b title="&quot;">&lt;&amp;\\u202e</b><b title="&quot;">&lt;&amp;\\u202e</b>7</p>',
  );
});

it('makes a heading of the first cell of each row and aligns figures', () => {
  const { markup } = table(
    ['Name', ...numeric('ms')],
    [
      ['<p50>', '1.5'],
      ['p99', '20'],
    ],
    'Percentiles',
  );
  expect(markup).toContain('<th scope="row" class="text">&lt;p50&gt;</th>');
  expect(markup).toContain('<td class="number">20\u2008\u2007</td>');
  expect(markup).toContain('aria-label="Percentiles"');
});
