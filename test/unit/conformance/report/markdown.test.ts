import { expect, it } from 'vitest';
import { renderMarkdown } from '../../../../src/conformance/report/markdown.ts';
import { caseResult, runOf } from '../../../support/conformance-run.ts';
import { lateUtf8Check, reservedBitAccepted } from '../../../support/conformance-samples.ts';
import { runWithInjection } from '../../../support/malformed-input.ts';

it('counts verdicts and tells what failed, with the RFC', () => {
  const run = runOf([caseResult({ id: '1.1.1' }), reservedBitAccepted(), lateUtf8Check()]);
  expect(renderMarkdown(run)).toBe(`# WebSocket conformance: 1 failed

Failed: 1 of 3 cases failed.

3 results for the server at \`ws://localhost:9001\` on 2026-11-21 in 2.8 s, by websocket-skill 0.1.0.

| Agent | Failed | Non-strict | Unimplemented | Informational | Passed | Cases |
| --- | --- | --- | --- | --- | --- | --- |
| \`peer\` | 1 | 1 | 0 | 0 | 1 | 3 |

## What failed

| Case | Title | Reason | RFC |
| --- | --- | --- | --- |
| 3.1 | text with RSV 1 | \`the peer did not fail the connection; expected nothing, received text "Hello, world!" (13 bytes)\` | [RFC 6455 section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2) |
`);
});

it('names expected failures with their reasons, and rows to remove', () => {
  const text = renderMarkdown(
    runOf([reservedBitAccepted(), caseResult({ id: '1.1.1' })], {
      interrupted: true,
      expectedFailures: [
        { case: '3.1', reason: 'the parser is old', outcome: 'failed as expected' },
        { case: '1.1.1', reason: 'once broken', outcome: 'stale' },
      ],
    }),
  );
  expect(text).toContain('# WebSocket conformance: 1 no longer failing');
  expect(text).toContain('**Interrupted**');
  expect(text).not.toContain('## What failed');
  expect(text).toContain('## Expected failures\n\n| Case | Why it is expected | RFC |');
  expect(text).toContain('| `1.1.1` | `any` | `once broken` |');
});

it('tells what changed, the worst first', () => {
  const comparison = {
    file: 'before.json',
    pairs: [{ agent: 'peer', other: 'peer' }],
    changes: [
      {
        agent: 'peer',
        id: '1.1.1',
        before: { behavior: 'FAILED', behaviorClose: 'OK' },
        after: { behavior: 'OK', behaviorClose: 'OK' },
        direction: 'better',
      },
      {
        agent: 'peer',
        id: '3.1',
        before: { behavior: 'OK', behaviorClose: 'OK' },
        after: { behavior: 'FAILED', behaviorClose: 'FAILED' },
        direction: 'worse',
      },
    ],
    same: 3,
    added: 0,
    removed: 0,
    unpaired: [],
  } as const;
  expect(renderMarkdown(runOf([reservedBitAccepted()]), comparison)).toContain(
    [
      '## Compared with `before.json`',
      '',
      '1 better, 1 worse, 3 as before.',
      '',
      '|  | Case | Before | Now |',
      '| --- | --- | --- | --- |',
      '| worse | 3.1 | OK | FAILED |',
      '| better | 1.1.1 | FAILED / OK | OK |',
    ].join('\n'),
  );
});

it('stays short enough for a comment', () => {
  const many = Array.from({ length: 517 }, (_, index) => ({
    ...reservedBitAccepted(),
    id: `3.${index}`,
    result: 'x'.repeat(9000),
  }));
  const text = renderMarkdown(runOf(many));
  expect(text).toContain('… and 457 more in `index.html`.');
  expect(text.length).toBeLessThan(65_536);
});

it('shows what a peer says as code, in cells that hold it', () => {
  const text = renderMarkdown(runWithInjection());
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && line.includes('img'));
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    // Outside of code spans nothing of it is left.
    expect(row.replace(/(`+)(?!`).*?[^`]\1(?!`)/g, '')).not.toContain('<');
    // And no pipe ends a cell inside of them.
    expect(row.replace(/(`+)(?!`).*?[^`]\1(?!`)/g, (span) => span.replaceAll('\\|', ''))).toBe(
      row.replaceAll('\\|', ''),
    );
  }
  expect(text).not.toContain('\u202e');
});
