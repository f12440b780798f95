import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareRuns, writeReports } from '../../../../src/conformance/report/index.ts';
import type { ConformanceRun } from '../../../../src/conformance/result.ts';
import {
  browserRequirement,
  launchChromium,
  openPage,
  PHONE_WIDTH,
  phoneFaults,
} from '../../../support/chromium.ts';
import { caseResult, knownVerdicts, resultsOf, runOf } from '../../../support/conformance-run.ts';
import { sampleFailures } from '../../../support/conformance-samples.ts';
import { runWithInjection } from '../../../support/malformed-input.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** The 517 verdicts of a known peer, with failures of our own among them. */
function mixedRun(): ConformanceRun {
  const failures = new Map(sampleFailures().map((result) => [result.id, result]));
  const { whole } = knownVerdicts();
  const results = resultsOf({ peer: whole['ws-pmd'] ?? {} });
  return runOf(
    results.map((result) => failures.get(result.id) ?? result),
    {
      expectedFailures: [
        { case: '9.3.1', reason: 'a limit on fragments', outcome: 'failed as expected' },
      ],
    },
  );
}

browserRequirement('the report page')('the page of a run', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
  });

  /** Opens the page of `run`; an error or a request for anything else fails the test. */
  async function open(
    run: ConformanceRun,
    options: { hash?: string; colorScheme?: 'light' | 'dark'; width?: number } = {},
    comparison?: ReturnType<typeof compareRuns>,
  ): Promise<Page> {
    const folder = temporaryFolder();
    await writeReports(run, folder, comparison);
    const { hash = '', colorScheme = 'light', width = 1440 } = options;
    const url = pathToFileURL(path.join(folder, 'index.html')).href;
    return openPage(browser, url, { hash, colorScheme, viewport: { width, height: 900 } });
  }

  const rows = (page: Page): Locator => page.locator('#grid tr.case');
  const ids = (page: Page): Promise<string[]> => page.locator('#grid tr.case .id').allInnerTexts();
  const heading = (page: Page): Promise<string> => page.locator('#detail h2').innerText();
  const focused = (page: Page): Promise<string | null> =>
    page.evaluate('document.activeElement.getAttribute("aria-label")');

  it('folds passes, and shows what failed with its reason', async () => {
    const page = await open(mixedRun());
    expect(await page.locator('#count').innerText()).toBe('517 cases');
    expect(await rows(page).count()).toBeLessThan(40);
    expect(await page.locator('tr[data-case="3.1"]').innerText()).toContain(
      'the peer did not fail the connection',
    );
    expect(await page.locator('#grid .band').count()).toBe(11);
    await page.getByLabel('Fold passes').uncheck();
    expect(await rows(page).count()).toBe(517);
  });

  it('filters by verdict, section and words, and says so when nothing is left', async () => {
    const page = await open(mixedRun());
    await page.getByRole('button', { name: /Failed \d/ }).click();
    expect(await ids(page)).toEqual([
      '1.1.2',
      '1.2.2',
      '2.1',
      '3.1',
      '6.3.1',
      '9.3.1',
      '9.3.2',
      '9.4.1',
      '9.4.2',
    ]);
    await page.getByLabel('Section').selectOption('9');
    expect(await page.locator('#count').innerText()).toBe('4 of 517 cases');
    await page.getByRole('button', { name: /Failed \d/ }).click();
    await page.getByRole('button', { name: /Expected \d/ }).click();
    expect(await ids(page)).toEqual(['9.3.1']);
    await page.getByRole('searchbox').fill('nothing like this');
    expect(await page.locator('#none').isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Show all' }).click();
    expect(await page.locator('#count').innerText()).toBe('517 cases');
  });

  it('finds ids from their start and words anywhere', async () => {
    const page = await open(mixedRun());
    await page.getByRole('searchbox').fill('7.1.');
    expect(await ids(page)).toEqual(['7.1.1', '7.1.2', '7.1.3', '7.1.4', '7.1.5', '7.1.6']);
    await page.getByRole('searchbox').fill('SURROGATE text');
    expect(await ids(page)).toEqual(['6.3.1']);
  });

  it('is walked through with keys', async () => {
    const page = await open(mixedRun());
    await page.keyboard.press('n');
    expect(await focused(page)).toBe('1.1.2, peer: failed, close code 1000');
    await page.keyboard.press('j');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('7 passed');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    expect(await heading(page)).toContain('1.1.2');
    await page.keyboard.press('n');
    expect(await heading(page)).toContain('1.2.2');
    await page.keyboard.press('Escape');
    expect(await page.locator('#detail').isVisible()).toBe(false);
    expect(await focused(page)).toBe('1.2.2, peer: failed');
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('1 Framing');
    await page.keyboard.press('Enter');
    expect(await page.locator('tr[data-case="1.1.2"]').count()).toBe(0);
    await page.keyboard.press('/');
    await page.keyboard.type('3.1');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('3.1, peer: failed, close code 1001');
  });

  it('shows the focus, and lets Tab reach the matrix in one stop', async () => {
    const page = await open(mixedRun());
    expect(await page.locator('#grid button[tabindex="0"]').count()).toBe(1);
    await page.keyboard.press('n');
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    expect(outline).toBe('solid');
  });

  it('marks the offending byte of a failing case, with the RFC and a remedy', async () => {
    const page = await open(mixedRun(), { hash: '#case=6.3.1' });
    expect(await page.locator('#detail mark').allInnerTexts()).toEqual(['a0']);
    expect(await page.locator('#detail .why').innerText()).toContain('not UTF-8 from this byte');
    expect(await page.locator('#detail .fix').innerText()).toContain('Invalid UTF-8 was accepted');
    const link = page.locator('#detail a');
    expect(await link.getAttribute('href')).toBe(
      'https://www.rfc-editor.org/rfc/rfc6455#section-8.1',
    );
    expect(await page.locator('tr[data-case="6.3.1"]').getAttribute('aria-selected')).toBe('true');
  });

  it('shows heads where the handshake failed', async () => {
    const page = await open(mixedRun(), { hash: '#case=2.1' });
    expect(await page.locator('.head-text').allInnerTexts()).toEqual([
      'GET / HTTP/1.1\nHost: localhost:9001',
      'HTTP/1.1 400 Bad Request\nServer: nothing',
    ]);
  });

  it('has a column for each agent, walked through sideways', async () => {
    const page = await open(runOf(resultsOf(knownVerdicts().wrong)), { hash: '#case=3.1@6' });
    expect(await page.locator('#detail .of').innerText()).toBe('lax-rsv');
    await page.keyboard.press('ArrowRight');
    await page.locator('tr[data-case="3.1"] .cell').nth(6).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#detail .of').innerText()).toBe('mask');
  });

  it('is light or dark as the system is, until it is told', async () => {
    const page = await open(mixedRun(), { colorScheme: 'dark' });
    const background = (): Promise<string> =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const dark = await background();
    const theme = page.locator('#theme');
    await theme.click();
    expect(await theme.innerText()).toBe('Light');
    expect(await background()).not.toBe(dark);
    await page.reload();
    expect(await theme.innerText()).toBe('Light');
    await theme.click();
    expect(await background()).toBe(dark);
  });

  it('is inert against peers that send markup', async () => {
    const page = await open(runWithInjection());
    await page.keyboard.press('n');
    await page.keyboard.press('Enter');
    await page.keyboard.press('n');
    expect(await page.locator('img, svg:not(.bar svg)').count()).toBe(0);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(await page.locator('#detail').innerText()).toContain('<img src=x onerror');
  });

  it('has nothing to run for an address that somebody else wrote', async () => {
    const page = await open(mixedRun(), { hash: '#case=%3Cimg%20src=x%3E@__proto__' });
    expect(await page.locator('#detail').isVisible()).toBe(false);
  });

  it('fits a telephone: the detail covers the matrix, nothing scrolls sideways', async () => {
    const page = await open(mixedRun(), { width: 390, hash: '#case=3.1' });
    const box = await page.locator('#detail').boundingBox();
    expect(box).toMatchObject({ x: 0, y: 0, width: 390 });
    await page.getByRole('button', { name: 'Close Esc' }).click();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  it('wraps titles, reasons and bytes on a telephone', async () => {
    const page = await open(mixedRun(), { width: PHONE_WIDTH });
    const folded = page.locator('#grid .band button[aria-expanded="false"]');
    while ((await folded.count()) > 0) await folded.first().click();
    expect(await phoneFaults(page)).toEqual([]);
    await page.locator('tr[data-case="3.1"]').click();
    expect(await phoneFaults(page)).toEqual([]);
    const wider = `[...document.querySelectorAll('.list, .dump, .card')].filter(
      ({ scrollWidth, clientWidth }) => scrollWidth > clientWidth,
    ).map(({ className }) => className)`;
    expect(await page.evaluate(wider)).toEqual([]);
  });

  it('prints the rows and the details of what failed', async () => {
    const page = await open(mixedRun());
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))');
    expect(await page.locator('#print article h2').allInnerTexts()).toHaveLength(9);
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('.toolbar').isVisible()).toBe(false);
    expect(await page.locator('#print article').first().isVisible()).toBe(true);
  });

  it('marks what changed against another run', async () => {
    const run = mixedRun();
    const before = runOf(
      resultsOf({ peer: { '3.1': ['OK', 'OK', 1002, 1], '1.1.1': ['FAILED', 'OK', 1000, 1] } }),
    );
    const agents = new Map([
      ['peer', new Map(before.agents.flatMap(({ cases }) => cases.map((one) => [one.id, one])))],
    ]);
    const page = await open(run, {}, compareRuns(run, { file: 'before.json', agents }));
    expect(await page.locator('.comparison').innerText()).toContain('1 better, 1 worse');
    await page.getByRole('button', { name: /Changed 2/ }).click();
    expect(await ids(page)).toEqual(['1.1.1', '3.1']);
    expect(await page.locator('.cell.change-worse').getAttribute('aria-label')).toContain(
      'worse than before',
    );
  });

  it('is a page also for a run that came to nothing', async () => {
    const page = await open(runOf([], { interrupted: true }));
    expect(await page.locator('h1').innerText()).toBe('ws://localhost:9001');
    expect(await page.locator('.note').innerText()).toContain('interrupted');
    expect(await page.locator('#none').isVisible()).toBe(true);
    await page.keyboard.press('n');
    await page.keyboard.press('j');
  });

  it('opens a pass with its definition', async () => {
    const page = await open(runOf([caseResult({ id: '1.1.1' }), caseResult({ id: '1.1.2' })]));
    await page.getByRole('button', { name: /1 Framing/ }).click();
    await page.locator('tr[data-case="1.1.2"]').click();
    expect(await heading(page)).toContain('1.1.2');
    expect(await page.locator('#detail').innerText()).toContain('The message comes back.');
  });
});
