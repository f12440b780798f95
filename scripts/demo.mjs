// The main job from end to end, with the babysitter SDK and without an LLM: generates a chat server that
// resumes and its client into a temporary folder, holds the server's handshake to RFC 6455 and both to their
// contract, puts the server under load, and writes one page with every verdict. The same as
// `websocket-skill run realtime-messaging-system --inputs inputs.json`.
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exitCodeOf, exitCodeOfError } from '../dist/src/cli/exit-code.js';
import { ProgressPrinter } from '../dist/src/cli/progress.js';
import { renderError, renderView } from '../dist/src/cli/render.js';
import { runProcess } from '../dist/src/operations/run/run.js';

const inputs = {
  projectName: 'demo-chat',
  language: 'nodejs',
  features: { pubSub: true, presence: true, history: true, resume: true },
  outputDir: 'demo-chat',
  benchmark: { connections: 20, messagesPerSecond: 5, duration: '2s' },
};

process.exitCode = await demo();

async function demo() {
  const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-demo-'));
  const file = path.join(folder, 'inputs.json');
  writeFileSync(file, `${JSON.stringify(inputs, null, 2)}\n`);
  const progress = new ProgressPrinter(process.stderr, () => performance.now());
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => controller.abort());
  const started = performance.now();
  try {
    const report = await runProcess(
      {
        process: 'realtime-messaging-system',
        inputs: file,
        runsDir: path.join(folder, '.a5c', 'runs'),
        runId: 'demo',
      },
      {
        signal: controller.signal,
        emit: progress.emit,
        cwd: folder,
        now: () => performance.now(),
      },
    );
    progress.end();
    process.stdout.write(renderView(viewDemo(report, performance.now() - started), report));
    return exitCodeOf(report);
  } catch (error) {
    progress.end();
    process.stderr.write(renderError(error));
    return exitCodeOfError(error);
  }
}

/** The report in short: what was done, how it was judged, where to look. */
function viewDemo({ output, effects, error, runDir }, durationMs) {
  const { implementation, testResults } = output ?? {};
  const { performance, failures = [] } = testResults ?? {};
  const passed = (verdict) => (verdict === null ? 'not asked for' : verdict ? 'passed' : 'failed');
  const ms = (value) => (value == null ? 'none measured' : `${value.toFixed(2)} ms`);
  const server = implementation?.server.outputDir;
  return {
    title: `a messaging system, generated and verified in ${(durationMs / 1000).toFixed(1)} s`,
    facts: [
      ...(output === null
        ? []
        : [
            ['server', `${server}, ${implementation.server.files.length} files`],
            [
              'client',
              `${implementation.client.outputDir}, ${implementation.client.files.length} files`,
            ],
            [
              'tests',
              `${testResults.passedTests} of ${testResults.totalTests} passed, ${testResults.skippedTests} skipped`,
            ],
            [
              'verdicts',
              `handshake ${passed(testResults.handshake)}, server ${passed(testResults.server)}, client ${passed(testResults.client)}`,
            ],
            [
              'load',
              performance === null
                ? 'none'
                : `p50 ${ms(performance.p50)}, p99 ${ms(performance.p99)}, ${passed(performance.success)}`,
            ],
            ['page', implementation.page],
          ]),
      ['run folder', runDir],
    ],
    table: {
      columns: ['task', 'result', 'seconds'],
      rows: effects.map(({ taskId, status, durationMs: taskMs }) => [
        taskId,
        status === 'passed' ? 'pass' : 'fail',
        (taskMs / 1000).toFixed(1),
      ]),
    },
    notes: [
      ...(error === null ? [] : [`${error.code ?? error.name}: ${error.message}`]),
      ...failures,
      ...(output === null ? [] : [`watch it resume: cd ${server} && npm run demo`]),
    ],
  };
}
