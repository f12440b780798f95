import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BenchmarkReport } from '../../../../src/load/metrics.ts';
import { writeReports, type NamedHistograms } from '../../../../src/load/report/index.ts';
import {
  browserRequirement,
  launchChromium,
  openPage,
  PHONE_WIDTH,
  phoneFaults,
} from '../../../support/chromium.ts';
import {
  comparedRuns,
  hostileReport,
  named,
  reportOf,
  sampleRun,
} from '../../../support/load-reports.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

interface Sample {
  readonly report: BenchmarkReport;
  readonly histograms: NamedHistograms;
}

function plainRun(own: Partial<BenchmarkReport> = {}): Sample {
  const run = sampleRun();
  return { report: reportOf(run, own), histograms: named(run) };
}

browserRequirement('the load report page')('the page of a benchmark', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
  });

  /** Opens the page; an error, a line on the console or a request for anything else fails the test. */
  async function open(
    { report, histograms }: Sample,
    options: { colorScheme?: 'light' | 'dark'; width?: number } = {},
  ): Promise<Page> {
    const folder = temporaryFolder();
    await writeReports(report, histograms, folder);
    const { colorScheme = 'light', width = 1400 } = options;
    const url = pathToFileURL(path.join(folder, 'index.html')).href;
    return openPage(browser, url, { colorScheme, viewport: { width, height: 900 } });
  }

  const chartIds = (page: Page): Promise<string[]> =>
    page.evaluate('[...document.querySelectorAll("[data-chart]")].map((one) => one.dataset.chart)');
  const figure = (page: Page, id: string): Locator => page.locator(`#figure-${id}`);

  /** How many pixels inside the axes of a chart have the colour of a series, or one near it. */
  function inked(page: Page, id: string, tone: string): Promise<number> {
    return page.evaluate(`(() => {
      const canvas = document.querySelector('#figure-${id} canvas');
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const [r, g, b] = colour('var(--tone-${tone})').match(/[\\d.]+/g).map(Number);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const near = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
        if (data[at + 3] > 200 && near < 40) count += 1;
      }
      return count;
    })()`);
  }

  it('draws every chart', async () => {
    const page = await open(plainRun());
    const ids = await chartIds(page);
    expect(ids).toHaveLength(10);
    for (const id of ids) expect(await inked(page, id, 'a'), id).toBeGreaterThan(100);
    for (const id of ['latency', 'percentiles', 'histogram', 'cpu', 'memory']) {
      expect(await inked(page, id, 'a-soft'), id).toBeGreaterThan(50);
    }
  });

  it('draws both runs of a comparison in each chart', async () => {
    const page = await open(comparedRuns());
    for (const id of await chartIds(page)) {
      expect(await inked(page, id, 'b'), id).toBeGreaterThan(100);
    }
    // Where both do the same, the second covers the first.
    for (const id of ['latency', 'percentiles', 'histogram', 'cpu']) {
      expect(await inked(page, id, 'a'), id).toBeGreaterThan(100);
    }
    expect(await page.locator('#comparison .conclusion').innerText()).toBe(
      'A is better in: Response p50. B is better in: Generator CPU per message.',
    );
    expect(await page.locator('#comparison tbody tr').count()).toBe(4);
  });

  it('draws the levels of a search and the spread of repeats', async () => {
    const levels = [1000, 2000, 4000, 3000].map((rate) => ({
      rate,
      held: rate < 4000,
      detail: 'p99 1.2 ms',
    }));
    const page = await open(
      plainRun({
        search: { slo: 'p99<50ms', best: 3000, levels },
        repeats: { p99: { median: 1.1, low: 1, high: 1.4, runs: [1.1, 1, 1.4] } },
      }),
    );
    expect(await inked(page, 'search', 'good')).toBeGreaterThan(100);
    expect(await inked(page, 'search', 'bad')).toBeGreaterThan(20);
    expect(await page.locator('#repeats .dot').count()).toBe(3);
  });

  it('is light or dark as the system is, until it is told, charts and all', async () => {
    const page = await open(plainRun(), { colorScheme: 'dark' });
    const background = (): Promise<string> =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const dark = await background();
    const theme = page.locator('#theme');
    await theme.click();
    expect(await theme.innerText()).toBe('Light');
    expect(await background()).not.toBe(dark);
    expect(await inked(page, 'latency', 'a')).toBeGreaterThan(100);
    await page.reload();
    expect(await theme.innerText()).toBe('Light');
    await theme.click();
    expect(await background()).toBe(dark);
    expect(await inked(page, 'latency', 'a')).toBeGreaterThan(100);
  });

  it('follows the system when that changes', async () => {
    const page = await open(plainRun(), { colorScheme: 'light' });
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => inked(page, 'latency', 'a')).toBeGreaterThan(100);
  });

  it('reads the points of a chart with the keys', async () => {
    const page = await open(plainRun());
    const latency = figure(page, 'latency');
    await latency.locator('.plot').focus();
    await page.keyboard.press('Home');
    expect(await latency.locator('.position').innerText()).toBe('0 s');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await latency.locator('.position').innerText()).toBe('2 s');
    expect(await latency.locator('output').innerText()).toMatch(
      /^2 s: p50 0\.\d+ ms, p99 1\.\d+ ms, highest \d/,
    );
    await page.keyboard.press('End');
    expect(await latency.locator('.position').innerText()).toBe('66 s');
    await page.keyboard.press('Escape');
    expect(await latency.locator('.position').innerText()).toBe('');
    const curve = figure(page, 'percentiles');
    await curve.locator('.plot').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('PageUp');
    expect(await curve.locator('.position').innerText()).toMatch(/^p99\.9/);
  });

  it('shows all charts over time at the second under the pointer', async () => {
    const page = await open(plainRun());
    await figure(page, 'latency')
      .locator('.u-over')
      .hover({ position: { x: 300, y: 80 } });
    const at = await figure(page, 'latency').locator('.position').innerText();
    expect(at).toMatch(/^\d+ s$/);
    expect(await figure(page, 'cpu').locator('.position').innerText()).toBe(at);
  });

  it('hides a series and changes the scale from the keyboard', async () => {
    const page = await open(plainRun());
    const latency = figure(page, 'latency');
    const key = latency.getByRole('button', { name: 'p99' });
    await key.focus();
    await page.keyboard.press('Space');
    expect(await key.getAttribute('aria-pressed')).toBe('false');
    expect(await inked(page, 'latency', 'a')).toBe(0);
    await page.keyboard.press('Space');
    expect(await inked(page, 'latency', 'a')).toBeGreaterThan(100);
    await latency.getByRole('button', { name: 'Linear scale' }).press('Enter');
    expect(await latency.getByRole('button', { name: 'Logarithmic scale' }).isVisible()).toBe(true);
    expect(await inked(page, 'latency', 'a')).toBeGreaterThan(100);
  });

  it('shows the focus', async () => {
    const page = await open(plainRun());
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the figures');
    await page.keyboard.press('Tab');
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    expect(outline).toBe('solid');
  });

  it('holds the figures of each chart as a table', async () => {
    const page = await open(plainRun());
    const percentiles = figure(page, 'percentiles');
    expect(await percentiles.locator('table').isVisible()).toBe(false);
    await percentiles.locator('summary').press('Enter');
    const rows = await percentiles.locator('tbody th').allInnerTexts();
    expect(rows.slice(0, 4)).toEqual(['0%', '50%', '75%', '90%']);
    expect(rows.at(-1)).toBe('highest');
    expect(await figure(page, 'latency').locator('tbody tr').count()).toBeLessThanOrEqual(60);
  });

  it('copies the command as it is', async () => {
    const page = await open(plainRun());
    await page.evaluate(
      'navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }',
    );
    await page.getByRole('button', { name: 'Copy' }).press('Enter');
    expect(await page.locator('#copied').textContent()).toBe('The command was copied.');
    expect(await page.evaluate('window.copied')).toContain('--threshold "errors<0.1%"');
  });

  it('tells loudly that the generator was the limit', async () => {
    const run = sampleRun();
    const generator = {
      ...run.measured.generator,
      saturated: true,
      heldRate: 18_400,
      reasons: ['lateness p99 was 45 ms'],
    };
    const measured = { ...run.measured, generator };
    const report = reportOf({ ...run, measured }, { status: 'invalid', success: false });
    const page = await open({ report, histograms: named(run) });
    const alert = page.getByRole('alert');
    expect(await alert.innerText()).toContain('GENERATOR SATURATED');
    expect(await alert.innerText()).toContain('lateness p99 was 45 ms');
  });

  it('is inert against servers and command lines with markup', async () => {
    const page = await open(hostileReport(), { width: 400 });
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(await page.locator('#command').innerText()).toContain('<img src=x onerror');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
  });

  it.each([400, 768, 1400])('fits a window of %i pixels', async (width) => {
    const page = await open(comparedRuns(), { width });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const plot = await figure(page, 'latency').locator('canvas').boundingBox();
    expect(plot?.width).toBeLessThan(width);
    expect(plot?.width).toBeGreaterThan(width * 0.75);
  });

  it('grows and shrinks its charts with the window', async () => {
    const page = await open(plainRun(), { width: 1400 });
    await page.setViewportSize({ width: 500, height: 800 });
    const width = async (): Promise<number> =>
      (await figure(page, 'latency').locator('canvas').boundingBox())?.width ?? 0;
    await expect.poll(width).toBeLessThan(500);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(500);
  });

  /** Labels of the axes that do not fit on their canvas or into the space of their axis. */
  function clippedLabels(page: Page): Promise<string[]> {
    return page.evaluate(`charts.flatMap(({ chart, plot }) => {
      const { ctx, bbox, width, axes: [x, y] } = plot;
      ctx.save();
      ctx.font = FONT;
      const widthOf = (text) => ctx.measureText(text).width;
      const across = x._splits.flatMap((split, at) => {
        const text = x._values[at] ?? '';
        const middle = bbox.left / devicePixelRatio + plot.valToPos(split, 'x');
        const half = widthOf(text) / 2;
        return middle - half < 0 || middle + half > width ? [text] : [];
      });
      const up = y._values.filter((text) => text && widthOf(text) + y.gap > y._size);
      ctx.restore();
      return [...across, ...up].map((text) => chart.id + ' ' + text);
    })`);
  }

  const searched = (): Sample => {
    const level = { rate: 250_000, held: true, detail: 'p99 1.2 ms, 3 errors' };
    return plainRun({
      search: { slo: 'p99<50ms', best: 250_000, levels: Array.from({ length: 20 }, () => level) },
      notes: ['other programs used 20 % of the cores'],
    });
  };

  /** A run of which every kind of text is long. */
  const worded = (): Sample => {
    const { report, histograms } = plainRun();
    const first = 'the connection was gone: closed with 1006 (abnormal closure)';
    const target = 'ws://192.168.100.200:36317/a/very/long/path/that/does/not/break?token=***';
    const errors = [{ kind: 'lost', detail: 'connection gone', count: 12_345, first }];
    const thresholds = report.thresholds.map((one) => ({ ...one, unit: 'count' as const }));
    const measured = { ...report.measured, target, errors };
    return { report: { ...report, target, measured, thresholds }, histograms };
  };

  it.each([
    ['a run', plainRun],
    ['a comparison', comparedRuns],
    ['a search', searched],
    ['long texts', worded],
  ])('fits a telephone: %s', async (_, sample) => {
    const page = await open(sample(), { width: PHONE_WIDTH });
    expect(await phoneFaults(page)).toEqual([]);
    expect(await clippedLabels(page)).toEqual([]);
    const contents = await page.evaluate(`(() => {
      const { scrollWidth, clientWidth } = document.querySelector('.contents');
      const { overflowX } = getComputedStyle(document.querySelector('.contents'));
      return { isWider: scrollWidth > clientWidth, overflowX };
    })()`);
    expect(contents).toEqual({ isWider: true, overflowX: 'auto' });
  });

  it('names what each axis shows, with its unit, and begins time at 0', async () => {
    const page = await open(searched());
    const axes = await page.evaluate<[string, string, string][]>(
      `[...document.querySelectorAll('[data-chart]')].map((one) => [
        one.dataset.chart,
        ...[...one.querySelectorAll('.axis')].map(({ textContent }) => textContent),
      ])`,
    );
    const time = 'time since the start (s)';
    expect(axes).toEqual(
      [
        ['search', 'messages per second', 'step of the search'],
        ['latency', 'response time (ms)', time],
        ['percentiles', 'time (ms)', 'percentile (%)'],
        ['histogram', 'share (%)', 'latency (ms)'],
        ['throughput', 'messages per second', time],
        ['errors', 'number of errors', time],
        ['connections', 'number of connections', time],
        ['connect-time', 'share (%)', 'time to connect (ms)'],
        ['lateness', 'lateness (ms)', time],
        ['cpu', 'processor cores', time],
        ['memory', 'memory (bytes)', time],
        ['descriptors', 'number of descriptors', time],
      ].filter(([id]) => axes.some(([there]) => there === id)),
    );
    const starts = await page.evaluate<number[]>(
      `charts.filter(({ chart }) => chart.x.kind === 'time').map(({ plot }) => plot.scales.x.min)`,
    );
    expect(new Set(starts)).toEqual(new Set([0]));
    // A part of the run that the reader zooms to begins where it was cut.
    const zoomed = await page.evaluate<number>(`(() => {
      const { plot } = charts.find(({ chart }) => chart.x.kind === 'time');
      plot.setScale('x', { min: 2, max: 4 });
      return new Promise((resolve) => setTimeout(() => resolve(plot.scales.x.min)));
    })()`);
    expect(zoomed).toBe(2);
  });

  it('keeps remarks apart from warnings', async () => {
    const page = await open(searched());
    const colours = await page.evaluate<{ remark: string; warning: string }>(`({
      remark: getComputedStyle(document.querySelector('.remark')).color,
      warning: colour('var(--warn)'),
    })`);
    expect(colours.remark).not.toBe(colours.warning);
  });

  it('prints light, with charts that fit the paper', async () => {
    const page = await open(plainRun(), { colorScheme: 'dark' });
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))');
    await page.emulateMedia({ media: 'print' });
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('light');
    const plot = await figure(page, 'latency').locator('canvas').boundingBox();
    const card = await figure(page, 'latency').boundingBox();
    expect(plot?.width).toBeGreaterThan((card?.width ?? 0) * 0.9);
    expect(plot?.width).toBeLessThan(card?.width ?? 0);
    expect(await inked(page, 'latency', 'a')).toBeGreaterThan(100);
    expect(await page.locator('.contents').isVisible()).toBe(false);
    await page.evaluate('window.dispatchEvent(new Event("afterprint"))');
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('');
  });

  it('is a page also for a run that opened nothing', async () => {
    const run = sampleRun({ seconds: 0 });
    const measured = { ...run.measured, seconds: [] };
    const report = reportOf({ ...run, measured }, { status: 'failed', success: false });
    const page = await open({ report, histograms: [] });
    expect(await page.locator('.status').innerText()).toContain('Failed');
    expect(await page.locator('[data-chart]').count()).toBe(0);
  });
});
