import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Chart } from '../../../../src/load/report/chart.ts';
import { renderHtml } from '../../../../src/load/report/html.ts';
import { reportAssets } from '../../../../src/load/report/report-assets.ts';
import { generatorNotes } from '../../../../src/load/stats/index.ts';
import {
  comparedRuns,
  hostileReport,
  named,
  reportOf,
  sampleRun,
} from '../../../support/load-reports.ts';

const run = sampleRun();
const plain = renderHtml(reportOf(run), named(run));

function dataOf(html: string): { axis: { seconds: number[]; step: number }; charts: Chart[] } {
  const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html) ?? [];
  return JSON.parse(json ?? '') as ReturnType<typeof dataOf>;
}

/** The body without its script, on one line. */
function bodyOf(html: string): string {
  return html.replace(/^.*<body>|<script.*$/gs, '').replace(/\s+/g, ' ');
}

function chart(html: string, id: string): Chart | undefined {
  return dataOf(html).charts.find((one) => one.id === id);
}

it('allows its own style and script by their hashes, and nothing else', () => {
  const { css, js } = reportAssets();
  const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
  expect(plain).toContain(
    `content="default-src 'none'; img-src data:; style-src 'sha256-${hash(css)}'; script-src 'sha256-${hash(js)}'; base-uri 'none'; form-action 'none'"`,
  );
  expect(plain).not.toContain('style="');
});

it('refers to nothing outside itself', () => {
  expect(plain).not.toMatch(/(src|href)\s*=\s*["']?(?:https?:|\/\/)/);
  expect(plain).not.toMatch(/@import|url\(/);
});

it('carries uPlot with its licence', () => {
  expect(plain).toContain('uPlot (v1.6.32)');
  expect(plain).toContain('Copyright (c) 2022 Leon Sorokin');
  expect(plain).toContain('Permission is hereby granted');
});

it('needs parts that cannot end the element they stand in', () => {
  const { css, js } = reportAssets();
  expect(css).not.toContain('</style');
  expect(js).not.toMatch(/<\/script|<!--/);
});

it('stays markup of its own, whatever a server or a command line says', () => {
  const { report, histograms } = hostileReport();
  const html = renderHtml(report, histograms);
  expect(html).not.toContain('<img');
  expect(html).not.toContain('<svg/');
  expect(html.match(/<\/script>/g)).toHaveLength(2);
  expect(html.match(/id="data"/g)).toHaveLength(1);
  expect(html).not.toMatch(/[\0\u202e]/);
  expect(html).toContain('&lt;img src=x onerror=&quot;window.pwned=1&quot;&gt;');
  expect(html).toContain('{{data}}&lt;!--script--&gt;\\0\\u202e$&amp;');
});

it('draws response and service in one percentile curve, with the gap between them', () => {
  const stalled = sampleRun({ stallMs: 900 });
  const curve = chart(renderHtml(reportOf(stalled), named(stalled)), 'percentiles');
  expect(curve?.series.map(({ label }) => label)).toEqual(['response', 'service', 'lateness']);
  expect(curve?.gap).toEqual([0, 1]);
  const at = curve?.x.kind === 'scale' ? curve.x.names.indexOf('p99') : -1;
  const [response, service] = curve?.series.map(({ values }) => values[at] ?? 0) ?? [];
  expect(response).toBeGreaterThan(100);
  expect(service).toBeLessThan(1);
});

it('draws one curve in a closed loop, where response and service are the same', () => {
  const { response } = run.histograms;
  const closed = { ...run, histograms: { ...run.histograms, service: response.clone() } };
  const html = renderHtml(reportOf(closed), named(closed));
  const labels = (id: string): string[] | undefined =>
    chart(html, id)?.series.map(({ label }) => label);
  expect(labels('percentiles')).toEqual(['response', 'lateness']);
  expect(labels('histogram')).toEqual(['response']);
  expect(bodyOf(html)).toContain(
    'This load has no schedule, so times count from when a message was sent',
  );
});

it('says why a run failed that no threshold failed, and doubts one that passed saturated', () => {
  const body = bodyOf(renderHtml(reportOf(run, { status: 'failed', success: false }), []));
  expect(body).toContain('no threshold failed: see the notes and errors');
  for (const [state, words] of [
    ['saturated', 'the generator was the limit'],
    ['disturbed', 'the generator was disturbed'],
  ] as const) {
    const generator = { ...run.measured.generator, [state]: true };
    const measured = { ...run.measured, generator };
    const page = bodyOf(renderHtml(reportOf({ ...run, measured }), []));
    expect(page).toContain(words);
    expect(page).toContain('In doubt');
    expect(page).not.toContain('Passed');
  }
  expect(plain).toContain('Passed');
});

it('shows a note as a remark, and what is said of the generator once', () => {
  const generator = { ...run.measured.generator, disturbed: true, reasons: ['late by 45 ms'] };
  const measured = { ...run.measured, generator, notes: [] };
  const notes = [...generatorNotes(generator), 'answered 5 pings of the server'];
  const page = bodyOf(renderHtml(reportOf({ ...run, measured }, { notes }), []));
  expect(page).toContain('<p class="remark">answered 5 pings of the server</p>');
  expect(page.split('GENERATOR DISTURBED')).toHaveLength(2);
  expect(page.split('late by 45 ms')).toHaveLength(2);
});

it('takes service for the response where nothing was due', () => {
  const latency = { ...run.measured.latency, response: null, lateness: null };
  const rate = { ...run.measured.rate, requested: null, reached: null };
  const measured = { ...run.measured, latency, rate };
  const histograms = named(run).filter(({ name }) => name === 'service' || name === 'connect');
  const html = renderHtml(reportOf({ ...run, measured }, { mode: 'scenario' }), histograms);
  expect(bodyOf(html)).toContain('Service p99');
  expect(bodyOf(html)).toContain('no rate was set');
  expect(chart(html, 'percentiles')?.series).toMatchObject([{ label: 'service', tone: 'a' }]);
  expect(chart(html, 'histogram')?.series).toMatchObject([
    { label: 'service', style: 'step-area' },
  ]);
});

it('counts deliveries in the mode fanout', () => {
  const body = bodyOf(renderHtml(reportOf(run, { mode: 'fanout' }), named(run)));
  expect(body).toContain('deliveries lost');
  expect(body).toContain('<h3>Deliveries</h3>');
});

it('calls handshakes what the mode connect sends', () => {
  const rate = { ...run.measured.rate, requested: 0, reached: null };
  const measured = { ...run.measured, rate };
  const body = bodyOf(renderHtml(reportOf({ ...run, measured }, { mode: 'connect' }), named(run)));
  expect(body).toContain('as fast as possible');
  expect(body).toContain('handshakes lost');
  expect(body).toContain('from its due time until it is open');
  expect(body).not.toContain('from its due time to its reply');
});

it('has charts for what was measured and none for what was not', () => {
  expect(dataOf(plain).charts.map(({ id }) => id)).toEqual([
    'latency',
    'throughput',
    'connections',
    'lateness',
    'cpu',
    'memory',
    'descriptors',
    'percentiles',
    'histogram',
    'connect-time',
  ]);
  const seconds = run.measured.seconds.map((row) => ({
    ...row,
    intended: 0,
    sent: 0,
    received: 0,
    p50: null,
    p99: null,
    max: null,
    latenessP99: null,
    serverCpu: null,
    serverRssBytes: null,
    serverDescriptors: null,
  }));
  const latency = { ...run.measured.latency, response: null, service: null, lateness: null };
  const messages = { ...run.measured.messages, intended: 0, sent: 0, received: 0, lost: 0 };
  const measured = { ...run.measured, seconds, latency, messages, server: null, fairness: null };
  const histograms = named(run).filter(({ name }) => name === 'connect');
  const idle = renderHtml(reportOf({ ...run, measured }, { mode: 'connect' }), histograms);
  expect(dataOf(idle).charts.map(({ id }) => id)).toEqual([
    'connections',
    'cpu',
    'memory',
    'connect-time',
  ]);
  expect(idle).toContain('Handshakes');
  expect(idle).not.toContain('Fairness');
});

it('holds a day in less than a megabyte and loses no spike', () => {
  const day = sampleRun({ seconds: 86_400, rate: 100 });
  const seconds = day.measured.seconds.map((row) =>
    row.second === 40_001 ? { ...row, max: 7777 } : row,
  );
  const report = reportOf({ ...day, measured: { ...day.measured, seconds } }, { mode: 'soak' });
  const html = renderHtml(report, named(day));
  expect(html.length).toBeLessThan(1_000_000);
  const { axis } = dataOf(html);
  expect(axis.seconds.length).toBeLessThanOrEqual(3600);
  expect(axis.step).toBe(25);
  const highest = chart(html, 'latency')?.series.find(({ label }) => label === 'highest');
  expect(highest?.values[axis.seconds.indexOf(40_000)]).toBe(7777);
  expect(html).toContain('Each point covers 25 seconds');
});

it('keeps every second of an hour', () => {
  const hour = sampleRun({ seconds: 3590, rate: 100 });
  const { axis } = dataOf(renderHtml(reportOf(hour), named(hour)));
  expect(axis.step).toBe(1);
  expect(axis.seconds).toHaveLength(3597);
});

it('shows both runs of a comparison in each chart, with ratios and a verdict', () => {
  const { report, histograms } = comparedRuns();
  const html = renderHtml(report, histograms);
  for (const { series } of dataOf(html).charts) {
    const sides = new Set(series.map(({ label }) => label.slice(0, 2)));
    expect(sides).toEqual(new Set([...sides, 'A ', 'B ']));
  }
  expect(bodyOf(html)).toContain(
    'A is better in: Response p50. B is better in: Generator CPU per message.',
  );
  expect(bodyOf(html)).toContain('0.740 to 0.810');
});

it('says in clear words that the generator was the limit', () => {
  const generator = {
    ...run.measured.generator,
    saturated: true,
    heldRate: 18_400,
    reasons: ['sent 96.2 % of what was due'],
  };
  const measured = { ...run.measured, generator };
  const html = renderHtml(reportOf({ ...run, measured }, { status: 'invalid' }), named(run));
  expect(bodyOf(html)).toContain('GENERATOR SATURATED');
  expect(bodyOf(html)).toContain('sent 96.2 % of what was due');
  expect(bodyOf(html)).toContain('about 18,400 messages per second');
  expect(plain).not.toContain('GENERATOR SATURATED');
});

it('shows Little’s law, repeats and the levels of a search where there are any', () => {
  const measured = {
    ...run.measured,
    littlesLaw: { expectedMs: 3.1, measuredMs: 0.7, holds: false },
  };
  const html = renderHtml(
    reportOf(
      { ...run, measured },
      {
        repeats: { p99: { median: 1.09, low: 0.98, high: 1.4, runs: [1.09, 0.98, 1.4] } },
        search: {
          slo: 'p99<50ms',
          best: 24_000,
          levels: [
            { rate: 24_000, held: true, detail: 'p99 1.2 ms' },
            { rate: 32_000, held: false, detail: 'p99 81 ms' },
          ],
        },
      },
    ),
    named(run),
  );
  expect(bodyOf(html)).toContain('does not hold');
  expect(bodyOf(html)).toContain('expected 3.10 ms, measured 0.700 ms');
  expect(bodyOf(html)).toContain('id="repeats"');
  expect(bodyOf(html)).toContain('24,000 messages per second is the highest rate that held');
  expect(chart(html, 'search')?.series.map(({ values }) => values)).toEqual([
    [24_000, 24_000],
    [24_000, null],
    [null, 32_000],
  ]);
  expect(bodyOf(plain)).not.toContain('Little');
});

it('is a page also for a run that opened nothing', () => {
  const empty = sampleRun({ seconds: 0 });
  const measured = {
    ...empty.measured,
    seconds: [],
    latency: { connect: null, response: null, service: null, lateness: null, lastDelivery: null },
    errors: [{ kind: 'refused', detail: '', count: 10, first: 'connect ECONNREFUSED' }],
  };
  const html = renderHtml(reportOf({ ...empty, measured }, { status: 'interrupted' }), []);
  expect(bodyOf(html)).toContain('Interrupted');
  expect(bodyOf(html)).toContain('connect ECONNREFUSED');
  expect(dataOf(html).charts).toEqual([]);
});
