import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { CaseFiles } from '../../../../src/conformance/report/case-files.ts';
import { renderHtml } from '../../../../src/conformance/report/html.ts';
import type { PageData } from '../../../../src/conformance/report/page-data.ts';
import { reportAssets } from '../../../../src/conformance/report/report-assets.ts';
import type { ConformanceRun } from '../../../../src/conformance/result.ts';
import { knownVerdicts, resultsOf, runOf } from '../../../support/conformance-run.ts';
import { sampleFailures } from '../../../support/conformance-samples.ts';
import { INJECTION, runWithInjection } from '../../../support/malformed-input.ts';

const page = (run: ConformanceRun): string => renderHtml(run, new CaseFiles(run));

function dataOf(html: string): PageData {
  const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html) ?? [];
  return JSON.parse(json ?? '') as PageData;
}

it('allows its own style and script by their hashes, and nothing else', () => {
  const html = page(runOf(sampleFailures()));
  const { css, js } = reportAssets();
  const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
  expect(html).toContain(
    `content="default-src 'none'; img-src data:; style-src 'sha256-${hash(css)}'; script-src 'sha256-${hash(js)}'; base-uri 'none'; form-action 'none'"`,
  );
  expect(html).not.toContain('style="');
  expect(html.replace(/https:\/\/www\.rfc-editor\.org/g, '')).not.toMatch(/(src|href)="?http/);
});

it('needs parts that cannot end the element they stand in', () => {
  const { css, js } = reportAssets();
  expect(css).not.toContain('</style');
  expect(js).not.toMatch(/<\/script|<!--/);
});

it('stays markup of its own, whatever a peer says', () => {
  const html = page(runWithInjection());
  const calm = page(
    runOf(
      runWithInjection()
        .agents.flatMap(({ cases }) => cases)
        .slice(0, 0),
    ),
  );
  expect(html).not.toContain('<img');
  expect(html).not.toContain('<svg/');
  expect(html.match(/<\/script>/g)).toHaveLength(calm.match(/<\/script>/g)?.length ?? 0);
  expect(dataOf(html).agents[0]).toContain('</script></style><img src=x');
  expect(html).not.toContain('\u202e');
});

it('looks for placeholders in the template only', () => {
  const html = page(runWithInjection());
  expect(html.match(/id="data"/g)).toHaveLength(1);
  expect(dataOf(html).agents[0]).toContain('{{data}}<!--script-->');
  expect(INJECTION).toContain('$&');
  expect(dataOf(html).agents[0]).toContain('$&');
});

it('keeps the details of what is no pass, and of passes nothing but the verdict', () => {
  const { cases, results } = dataOf(page(runOf(sampleFailures())));
  const at = cases.findIndex(({ id }) => id === '3.1');
  expect(results[0]?.[at]?.detail).toMatchObject({
    advice: [{ title: 'A reserved bit was accepted' }],
    file: 'peer_case_3_1.json',
  });
  const passed = dataOf(page(runOf(resultsOf({ ws: { '1.1.1': ['OK', 'OK', 1000, 4] } }))));
  expect(passed.results[0]?.[0]).toEqual({
    verdict: 'pass',
    behavior: 'OK',
    close: 'OK',
    code: 1000,
    ms: 4,
  });
});

it('orders cases as people count and leaves a gap where an agent has no result', () => {
  const { cases, results } = dataOf(
    page(
      runOf(
        resultsOf({
          a: { '2.10': ['OK', 'OK', 1000, 1], '2.9': ['OK', 'OK', 1000, 1] },
          b: { '10.1.1': ['OK', 'OK', 1000, 1] },
        }),
      ),
    ),
  );
  expect(cases.map(({ id }) => id)).toEqual(['2.9', '2.10', '10.1.1']);
  expect(results.map((row) => row.map((result) => result !== null))).toEqual([
    [true, true, false],
    [false, false, true],
  ]);
});

it('stays below three megabytes with 517 failing cases and long logs', () => {
  const [sample] = sampleFailures();
  if (sample === undefined) throw new Error('there are no samples');
  const ids = Object.keys(knownVerdicts().whole['ws-plain'] ?? {});
  const log = Array.from({ length: 40 }, () => sample.log).flat();
  const html = page(runOf(ids.map((id) => ({ ...sample, id, log }))));
  expect(html.length).toBeLessThan(3_000_000);
  const logs = dataOf(html).results[0]?.map((result) => result?.detail?.log ?? null) ?? [];
  expect(logs[0]).not.toBeNull();
  expect(logs.at(-1)).toBeNull();
});

it('says what failed to readers without scripts', () => {
  expect(page(runOf(sampleFailures()))).toMatch(
    /<noscript><p>The 5 cases that fail;.*<th scope="row">3\.1<\/th>/s,
  );
});
