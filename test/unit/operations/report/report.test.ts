import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { reportRun } from '../../../../src/operations/report/report.ts';
import {
  browserRequirement,
  launchChromium,
  PHONE_WIDTH,
  phoneFaults,
} from '../../../support/chromium.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { NoteRun } from '../../../support/note-runs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)>';

/** A run of one task for each result, whose files are as the SDK writes them. */
async function runWith(results: readonly object[]): Promise<{ cwd: string; run: string }> {
  const notes = new NoteRun({ names: results.map((_, at) => `n${at}`) });
  await notes.run();
  for (const [at, effectId] of notes.effectIds().entries()) {
    const result = results[at];
    if (result === undefined) continue;
    const { operation, input = {}, ...value } = result as { operation?: string; input?: object };
    const folder = path.join(notes.runDir, 'tasks', effectId);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'input.json'), JSON.stringify({ operation, input }));
    const file = path.join(folder, 'result.json');
    const stored = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...stored, result: value }));
  }
  return { cwd: notes.root, run: notes.runDir };
}

/** Writes the page of such a run. */
async function pageOf(results: readonly object[], output = 'pages/page.html') {
  const { cwd, run } = await runWith(results);
  const report = await reportRun({ run, output }, operationContext({ cwd }));
  return { cwd, report, page: readFileSync(report.page, 'utf8') };
}

const SERVER = {
  operation: 'generate-server',
  input: { features: ['rooms', 'history'], port: 8080 },
  success: true,
  type: 'chat',
  language: 'nodejs',
  files: [{ path: 'src/a b#.ts', bytes: 2048 }],
  commands: ['cd x', 'npm start'],
};

describe('report', () => {
  it('shows what was built, every verdict, the figures and links from the page', async () => {
    const output = path.join(temporaryFolder(), 'server');
    const { report, page } = await pageOf([
      { ...SERVER, output },
      {
        operation: 'test',
        success: false,
        checks: [
          { id: 'echo', rfc: '6455#5.6', title: 'echoes', verdict: 'pass', detail: 'it did' },
          { id: 'drain', title: 'says goodbye', verdict: 'fail', detail: 'closed with 1006' },
          { id: 'tls', title: 'has TLS', verdict: 'skip', detail: '' },
          { id: 'mask', title: 'masks', verdict: 'warn', detail: 'it does not' },
        ],
      },
      {
        operation: 'benchmark',
        success: true,
        reports: [path.join(output, 'load', 'index.html')],
        thresholds: [{ threshold: 'p99<20ms', value: 3.25, unit: 'ms', verdict: 'pass' }],
        measured: { rate: { received: 1234 }, latency: { response: { p99: 3.25 } } },
      },
      {
        operation: 'autobahn-test',
        success: true,
        compliance: { autobahnPassed: 246, autobahnFailed: 1 },
      },
    ]);
    expect(report).toMatchObject({
      status: 'passed',
      verdict: 'fail',
      steps: [
        { title: 'Generate the server', verdict: 'pass' },
        { title: 'Server', verdict: 'fail', detail: '1 passed, 1 failed, 1 warning, 1 skipped' },
        { title: 'Load', verdict: 'pass', detail: '1,234/s received, 1 of 1 thresholds held' },
        { title: "Autobahn's cases", verdict: 'pass' },
      ],
    });
    for (const words of [
      'closed with 1006',
      'rooms, history',
      '3.25',
      'p99&lt;20ms',
      '1/2',
      'checks passed, 1 warning',
      '246/247',
      '<code>npm start</code>',
    ]) {
      expect(page).toContain(words);
    }
    const from = path.dirname(report.page);
    const links = [...page.matchAll(/href="(\.[^"]*)"/g)].map(([, href = '']) =>
      path.resolve(from, decodeURIComponent(href)),
    );
    expect(links).toEqual(
      expect.arrayContaining([
        output,
        path.join(output, 'src/a b#.ts'),
        path.join(output, 'load', 'index.html'),
      ]),
    );
  });

  it.each([
    [{ success: true }, 'pass'],
    [{}, 'fail'],
    [{ success: 'yes' }, 'fail'],
  ])('takes the result %j for %s', async (result, verdict) => {
    const { report } = await pageOf([{ operation: 'test', ...result }]);
    expect(report.verdict).toBe(verdict);
  });

  it('shows what a host posted as text, whatever it is', async () => {
    const checks = [
      { id: HOSTILE, title: HOSTILE, verdict: HOSTILE, detail: HOSTILE },
      { id: 'own', title: 'names of every object', verdict: 'constructor' },
      7,
      null,
    ];
    const files = [{ path: `../${HOSTILE}`, bytes: 1 }];
    const { page } = await pageOf([
      { operation: 'test', success: true, checks: checks.slice(0, 1), rules: 'none' },
      { operation: 'test', success: true, checks },
      { ...SERVER, output: 'javascript:alert(3)', files, notes: [HOSTILE] },
      { operation: 'benchmark', measured: { rate: 7 }, reports: [`/x/${HOSTILE}.html`] },
      { operation: HOSTILE, success: true, summary: HOSTILE },
      { operation: 'constructor', success: true },
    ]);
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('<img');
    expect(page).not.toMatch(/href="javascript/i);
  });

  it('names the tasks that have no result yet, and how to go on', async () => {
    const notes = new NoteRun({});
    const controller = new AbortController();
    await notes.run(undefined, {
      signal: controller.signal,
      emit: ({ stage }) => {
        if (stage === 'note') controller.abort();
      },
    });
    const input = { run: notes.runDir, output: 'page.html' };
    const report = await reportRun(input, operationContext({ cwd: notes.root }));
    expect(report).toMatchObject({ verdict: 'wait', steps: [{ verdict: 'wait' }] });
    expect(readFileSync(report.page, 'utf8')).toContain('resume');
  });

  it('refuses a folder that holds no run, and writes nothing', async () => {
    const cwd = temporaryFolder();
    const written = reportRun({ run: '.', output: 'page.html' }, operationContext({ cwd }));
    await expect(written).rejects.toMatchObject({ code: 'WSK_ERR_NOT_A_RUN' });
    expect(readdirSync(cwd)).toEqual([]);
  });
});

browserRequirement('the page about a run')('the page in a browser', () => {
  it('fits a telephone with every table open', async () => {
    const output = path.join(temporaryFolder(), 'server');
    const checks = [
      {
        id: 'drain',
        title: 'says goodbye',
        verdict: 'fail',
        detail: 'closed with 1006 '.repeat(9),
      },
      { id: 'echo', rfc: '6455#5.6', title: 'echoes', verdict: 'pass', detail: 'it did' },
    ];
    const { report } = await pageOf([
      { ...SERVER, output },
      { operation: 'test', success: false, checks },
      {
        operation: 'benchmark',
        success: true,
        load: 'open loop: 10 messages per second from 1 of 20 connections, 63 bytes of text',
        measured: { rate: { received: 1234 }, latency: { response: { p50: 1, p99: 3.25 } } },
      },
    ]);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: PHONE_WIDTH, height: 844 } });
      await page.goto(pathToFileURL(report.page).href);
      for (const summary of await page.locator('summary').all()) await summary.click();
      expect(await phoneFaults(page)).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
