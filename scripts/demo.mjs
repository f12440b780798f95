// The main job from end to end, with the babysitter SDK and without an LLM: generates a multi-room
// chat server into a temporary folder, holds its handshake against RFC 6455, installs, builds and
// starts it and tests it. The same as `websocket-skill run websocket-server --inputs inputs.json`.
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
  type: 'chat',
  features: ['rooms', 'presence', 'history'],
  outputDir: 'chat-server',
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
        process: 'websocket-server',
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
  const { metrics, failures = [] } = testResults ?? {};
  const ms = (value) => (value == null ? 'none measured' : `${value.toFixed(2)} ms`);
  return {
    title: `a chat server with rooms, generated and verified in ${(durationMs / 1000).toFixed(1)} s`,
    facts: [
      ...(output === null
        ? []
        : [
            ['files', `${implementation.files.length} generated`],
            [
              'tests',
              `${testResults.passedTests} of ${testResults.totalTests} passed, ${testResults.skippedTests} skipped`,
            ],
            ['latency', `p50 ${ms(metrics?.p50Ms)}, p99 ${ms(metrics?.p99Ms)}`],
            ['server', implementation.outputDir],
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
      ...(output === null ? [] : [`try it: cd ${implementation.outputDir} && npm start`]),
    ],
  };
}
