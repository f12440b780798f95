import { expect, it } from 'vitest';
import { exitCodeOf, exitCodeOfError } from '../../../src/cli/exit-code.ts';
import { errorDocument, renderError, renderJson, renderView } from '../../../src/cli/render.ts';
import { EnvironmentError, UsageError } from '../../../src/core/errors.ts';

it('draws facts, a table, a text and notes', () => {
  const text = renderView(
    {
      title: 'sample',
      facts: [
        ['target', 'ws://localhost'],
        ['lost', '0'],
      ],
      table: {
        columns: ['check', 'verdict', 'detail'],
        rows: [
          ['ping', 'pass', 'came back'],
          ['utf8', 'fail', 'still open'],
        ],
      },
      text: ' same\n-old\n+new\n',
      notes: ['done'],
    },
    { operation: 'sample', status: 'failed', success: false },
  );
  expect(text).toBe(
    [
      '✘ sample',
      '',
      '  target  ws://localhost',
      '  lost    0',
      '',
      '  check  verdict  detail',
      '  ping   pass     came back',
      '  utf8   fail     still open',
      '',
      ' same',
      '-old',
      '+new',
      '',
      '  · done',
      '',
    ].join('\n'),
  );
});

const HOSTILE = '\u001b]0;owned\u0007\u001b[2J\u009b2J\u202e';
const SECRET = 'ws://bob:s3cr3t@host/';

it('escapes what a terminal obeys and masks secrets, wherever it comes from', () => {
  const text = `${HOSTILE}${SECRET}`;
  const table = { columns: ['a', 'b'], rows: [[text, text]] };
  const report = { operation: 'x', status: 'failed', success: false } as const;
  const view = { title: text, facts: [[text, text] as const], table, text, notes: [text] };
  const error = new UsageError('WSK_ERR_INVALID_INPUT', text, { hint: text });
  const printed = [
    renderView({ ...view, moreTables: [table] }, report),
    renderError(error),
    renderError(new Error(text)),
    renderJson(errorDocument(error)),
    renderJson({ ...report, seen: text }),
  ];
  for (const one of printed) {
    expect(one).not.toMatch(/[^\P{C}\n]/u);
    expect(one).not.toContain('s3cr3t');
    expect(one).toContain('ws://***@host/');
  }
  expect(JSON.parse(renderJson({ seen: HOSTILE }))).toEqual({ seen: HOSTILE });
});

it('shows a hint for a known error, and a stack only for our own bug', () => {
  const refused = new EnvironmentError('WSK_ERR_REFUSED', 'nothing listens', {
    cause: new Error('ECONNREFUSED'),
    hint: 'is it running?',
  });
  expect(renderError(refused)).toBe(
    'error nothing listens [WSK_ERR_REFUSED]\n  hint is it running?\n',
  );
  expect(renderError(new TypeError('oops'))).toMatch(
    /TypeError: oops\n\s+at .*\n[^]*bug in websocket-skill/,
  );
  expect(errorDocument(refused)).toEqual({
    error: {
      name: 'EnvironmentError',
      code: 'WSK_ERR_REFUSED',
      message: 'nothing listens',
      hint: 'is it running?',
    },
  });
});

it('maps every outcome to its exit code', () => {
  const report = { operation: 'x', success: false };
  expect(exitCodeOf({ ...report, status: 'passed' })).toBe(0);
  expect(exitCodeOf({ ...report, status: 'waiting' })).toBe(0);
  expect(exitCodeOf({ ...report, status: 'failed' })).toBe(1);
  expect(exitCodeOf({ ...report, status: 'invalid' })).toBe(4);
  expect(exitCodeOf({ ...report, status: 'interrupted' })).toBe(130);
  expect(exitCodeOfError(new UsageError('WSK_ERR_INVALID_INPUT', 'x'))).toBe(2);
  expect(exitCodeOfError(new EnvironmentError('WSK_ERR_DNS', 'x', { cause: 1 }))).toBe(3);
  expect(exitCodeOfError(new Error('x'))).toBe(70);
});

it('breaks a wide cell into lines below each other', () => {
  const text = renderView(
    {
      title: 'wide',
      table: {
        columns: ['rule', 'seen'],
        rows: [['accept', `${'word '.repeat(12)}${'x'.repeat(60)}`]],
      },
    },
    { operation: 'sample', status: 'passed', success: true },
    40,
  );
  expect(text.split('\n').slice(2, -1)).toEqual([
    '  rule    seen',
    `  accept  ${'word '.repeat(8)}word`,
    '          word word word',
    `          ${'x'.repeat(44)}`,
    `          ${'x'.repeat(16)}`,
  ]);
});

it('gives the last column what the terminal has left', () => {
  const view = {
    title: 'wide',
    table: { columns: ['id', 'detail'], rows: [['a', 'x'.repeat(80)]] },
  };
  const report = { operation: 'sample', status: 'passed', success: true } as const;
  expect(renderView(view, report, 90)).toContain(`  a   ${'x'.repeat(80)}\n`);
  expect(renderView(view, report, 70)).toContain(
    `  a   ${'x'.repeat(64)}\n      ${'x'.repeat(16)}\n`,
  );
});
