import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resumeRun } from '../../src/operations/resume/resume.ts';
import { runProcess } from '../../src/operations/run/run.ts';
import { RunReport } from '../../src/babysitter/schema.ts';
import { process as websocketServer } from '../../processes/websocket-server.ts';
import { context } from '../support/note-runs.ts';
import { fakeContext, passing } from '../support/process-context.ts';
import { runNode, websocketSkill } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const bin = fileURLToPath(new URL('../../dist/src/cli/bin.js', import.meta.url));

describe('the process, without a host', () => {
  it('returns an object from no inputs, a bare context and empty results', async () => {
    const { ctx } = fakeContext(() => ({}));
    expect(await websocketServer({}, ctx)).toMatchObject({
      success: false,
      projectName: 'websocket-server',
      testResults: { totalTests: 0, passedTests: 0 },
      artifacts: [],
      duration: 0,
    });
  });

  it('generates, validates the handshake, tests: three tasks, nothing else', async () => {
    const { ctx, requests } = fakeContext(passing);
    expect(await websocketServer({ projectName: 'My Chat!' }, ctx)).toMatchObject({
      success: true,
      metadata: { approved: null },
    });
    expect(requests.map(([id]) => id)).toEqual([
      'websocket/generate-server',
      'websocket/validate-handshake',
      'websocket/test',
    ]);
    expect(requests[0]?.[1]).toMatchObject({
      name: 'my-chat',
      output: 'my-chat',
      type: 'chat',
      features: ['rooms', 'presence', 'history'],
    });
    expect(requests[2]?.[1]).toEqual({
      project: '/out/websocket/generate-server',
      ownTests: true,
    });
  });

  it.each([
    [['rooms'], ['rooms']],
    ['rooms, history', ['rooms', 'history']],
    [{ rooms: true, presence: false }, ['rooms']],
    [{ Rooms: true, HISTORY: true }, ['rooms', 'history']],
    ['Rooms, Resume', ['rooms', 'resume']],
  ])('takes features as %j', async (features, expected) => {
    const { ctx, requests } = fakeContext(passing);
    await websocketServer({ features }, ctx);
    expect(requests[0]?.[1]['features']).toEqual(expected);
  });

  it.each(['Node.js', 'NODEJS', 'node', 'TypeScript'])('takes %s as nodejs', async (language) => {
    const { ctx, requests } = fakeContext(passing);
    await websocketServer({ language }, ctx);
    expect(requests[0]?.[1]['language']).toBe('nodejs');
  });

  it.each(['Python', 'py'])('says of %s that it has no such server', async (language) => {
    const { ctx, requests } = fakeContext(passing);
    const refused = websocketServer({ language, type: 'collab' }, ctx);
    await expect(refused).rejects.toThrow('there is no collab server in python');
    expect(requests).toEqual([]);
  });

  it.each([null, 'done', 7, [], { checks: 'none', rules: [null, 1, {}], measured: {}, files: {} }])(
    'is unsuccessful, and does not fail, when tasks resolve to %j',
    async (result) => {
      const { ctx } = fakeContext(() => result);
      const inputs = { benchmark: true, customHandlers: 'sing' };
      expect(await websocketServer(inputs, ctx)).toMatchObject({ success: false, artifacts: [] });
    },
  );

  it('takes the folder that it asked for where a host posts no other', async () => {
    const { ctx } = fakeContext(() => ({
      output: 7,
      files: [{ path: 'a', bytes: 1 }],
      commands: 7,
    }));
    expect(await websocketServer({ outputDir: 'out' }, ctx)).toMatchObject({
      implementation: { outputDir: 'out', files: ['a'], commands: [] },
      artifacts: [{ path: 'out/a', bytes: 1 }],
    });
  });

  it.each(['websocket/validate-handshake', 'websocket/test'])(
    'is unsuccessful when %s is, though every task was executed',
    async (failing) => {
      const { ctx, requests } = fakeContext((id) => ({ success: id !== failing }));
      expect(await websocketServer({}, ctx)).toMatchObject({ success: false });
      expect(requests).toHaveLength(3);
    },
  );

  it('benchmarks last, with the load and the thresholds it was given', async () => {
    const row = { threshold: 'p99<20ms', verdict: 'fail', value: 31, metric: 'p99' };
    const { ctx, requests } = fakeContext((id) =>
      id === 'websocket/benchmark' ? { success: false, thresholds: [row] } : passing(id),
    );
    const benchmark = { connections: 50, duration: '3s', thresholds: ['p99<20ms'] };
    expect(await websocketServer({ type: 'echo', autobahn: false, benchmark }, ctx)).toMatchObject({
      success: false,
      compliance: { rfc6455: true },
      performance: {
        success: false,
        p99: null,
        thresholds: [{ threshold: 'p99<20ms', verdict: 'fail', value: 31 }],
      },
    });
    expect(requests.at(-1)).toEqual([
      'websocket/benchmark',
      {
        project: '/out/websocket/generate-server',
        connections: 50,
        durationMs: '3s',
        thresholds: ['p99<20ms'],
      },
    ]);
  });

  it('says what a benchmark measured, and nothing where none was asked for', async () => {
    const measured = {
      messages: { sent: 10, received: 9 },
      rate: { received: 3 },
      latency: { response: { p50: 1, p99: 2 } },
      generator: { reasons: ['late'] },
    };
    const { ctx } = fakeContext(() => ({ success: true, measured, thresholds: [] }));
    expect(await websocketServer({ benchmark: true }, ctx)).toMatchObject({
      success: true,
      performance: { sent: 10, received: 9, rate: 3, p50: 1, p99: 2, saturated: ['late'] },
    });
    expect(await websocketServer({ benchmark: false }, ctx)).toMatchObject({ performance: null });
  });

  it('is unsuccessful when the agent could not do its part', async () => {
    const { ctx } = fakeContext((id) => ({ success: id !== 'websocket/custom-handlers' }));
    expect(await websocketServer({ customHandlers: 'sing' }, ctx)).toMatchObject({
      success: false,
    });
  });

  it.each([{ approved: false }, {}, null, { approved: 'no' }, 'yes'])(
    'starts nothing that a reviewer did not approve: %j',
    async (answer) => {
      const { ctx, requests } = fakeContext((id) => (id === 'breakpoint' ? answer : passing(id)));
      const output = await websocketServer({ review: true }, ctx);
      expect(output).toMatchObject({ success: false, metadata: { approved: false } });
      expect(requests.map(([id]) => id)).toEqual(['websocket/generate-server']);
    },
  );

  it.each([
    [{ revue: true }, 'unknown argument "revue"', 'did you mean review?'],
    [{ review: 'yes' }, 'review is "yes", expected true or false', undefined],
    [{ review: 1 }, 'review is 1, expected', undefined],
    [{ review: 'false' }, 'review is "false", expected', undefined],
    [{ review: null }, 'review is null, expected', undefined],
    [{ force: 'yes' }, 'force is "yes", expected true or false', undefined],
    [{ messages: '20' }, 'messages is "20", expected a whole number', undefined],
    [{ port: '8080' }, 'port is "8080", expected a whole number', undefined],
    [{ type: 'ehco' }, 'type is "ehco", expected one of echo, chat', 'did you mean echo?'],
    [{ language: 'cobol' }, 'language is "cobol", expected one of nodejs', undefined],
    [{ language: 'Go', type: 'collab' }, 'there is no collab server in go', 'or --type'],
    [{ features: { rooms: true, Rooms: false } }, 'features holds rooms twice', undefined],
    [{ type: 'echo', features: ['rooms'] }, 'an echo server has no feature rooms', undefined],
    [{ projectName: ['x'] }, 'projectName is ["x"], expected text', undefined],
    [{ features: 7 }, 'features is 7, expected names of features', undefined],
    [{ features: ['rooms', 'roms'] }, 'features holds "roms"', 'did you mean rooms?'],
    [{ features: 'rooms,roms' }, 'features holds "roms"', 'did you mean rooms?'],
    [{ features: { maxConnections: 9 } }, 'features holds "maxConnections"', undefined],
    [{ features: { rooms: 'yes' } }, 'features.rooms is "yes", expected true or false', undefined],
    [{ features: { subprotocols: [''] } }, 'features.subprotocols holds ""', undefined],
    [
      { features: { compression: true }, compression: false },
      'compression is given twice: in features and beside it',
      undefined,
    ],
    [{ benchmark: 'yes' }, 'benchmark is "yes", expected true, false or an object', undefined],
    [
      { benchmark: { conections: 5 } },
      'unknown argument "benchmark.conections"',
      'did you mean connections?',
    ],
    [
      { benchmark: { thresholds: ['p99<10'] } },
      'benchmark.thresholds holds "p99<10", column 7: no unit, p99 takes us, ms, or s',
      undefined,
    ],
    [
      { benchmark: { thresholds: ['p99<10ms', 'eror<1%'] } },
      'benchmark.thresholds holds "eror<1%", column 1: unknown metric "eror"',
      'did you mean errors?',
    ],
    [
      { benchmark: { duration: '60' } },
      'benchmark.duration is "60", expected a time',
      'give it a unit: benchmark.duration 60s',
    ],
    [
      { type: 'echo', autobahn: { quick: 1 } },
      'autobahn.quick is 1, expected true or false',
      undefined,
    ],
    [{ autobahn: true }, "Autobahn's cases need a server that echoes", 'give type echo, or'],
  ])('refuses %j before it asks for a task', async (inputs, message, hint) => {
    const { ctx, requests } = fakeContext(passing);
    await expect(websocketServer(inputs as object, ctx)).rejects.toMatchObject({
      message: expect.stringContaining(message) as string,
      ...(hint !== undefined && { hint: expect.stringContaining(hint) as string }),
    });
    expect(requests).toEqual([]);
  });

  it('takes the inputs of the seed documents', async () => {
    const { ctx, requests } = fakeContext(passing);
    const features = { compression: true, subprotocols: ['graphql-ws'], 'ping-pong': true };
    await websocketServer({ projectName: 'A "b"', language: 'Node.js', features }, ctx);
    expect(requests[0]?.[1]).toEqual({
      language: 'nodejs',
      type: 'chat',
      features: ['ping-pong'],
      compression: true,
      subprotocols: ['graphql-ws'],
      name: 'a-b',
      output: 'a-b',
      force: false,
    });
  });

  it.each([
    ['../../etc', 'etc', 'etc'],
    ['--force', 'force', 'force'],
    ['a b; rm -rf $(x)\n\u001b[2J', 'a-b-rm--rf-x-2j', 'a-b-rm--rf-x-2j'],
    ['App.js', 'app.js', 'app.js/'],
    ['..', 'websocket-server', 'websocket-server'],
    ['x'.repeat(300), 'x'.repeat(100), 'x'.repeat(100)],
  ])('makes one plain folder of the project name %j', async (projectName, name, output) => {
    const { ctx, requests } = fakeContext(passing);
    await websocketServer({ projectName }, ctx);
    expect(requests[0]?.[1]).toMatchObject({ name, output });
  });

  it('counts rules and checks together and names what failed', async () => {
    const { ctx } = fakeContext((id) =>
      id === 'websocket/test'
        ? {
            success: false,
            checks: [
              { id: 'ping', rfc: '6455#5.5.2', verdict: 'pass', detail: 'pong' },
              { id: 'over-limit', rfc: '6455#7.4.1', verdict: 'fail', detail: 'got 1011' },
              { id: 'own-tests', rfc: '', verdict: 'fail', detail: 'joins' },
              { id: 'tls', rfc: '', verdict: 'skip', detail: '' },
            ],
          }
        : { success: true, rules: [{ id: 'r', verdict: 'pass', rule: 'is 101', seen: '101' }] },
    );
    expect((await websocketServer({}, ctx)).testResults).toEqual({
      totalTests: 4,
      passedTests: 2,
      skippedTests: 1,
      failures: ['over-limit (RFC 6455#7.4.1): got 1011', 'own-tests: joins'],
      metrics: null,
    });
  });
});

describe('the process, for real', () => {
  /** A folder with the inputs of an echo project, which is quick to install, and a low limit. */
  function desk(inputs: object): string {
    const cwd = temporaryFolder();
    const config = path.join(cwd, '.babysitter', 'skills', 'websocket.yaml');
    mkdirSync(path.dirname(config), { recursive: true });
    writeFileSync(config, 'websocket:\n  maxPayload: 65536\n');
    const all = { projectName: 'echo', type: 'echo', messages: 20, autobahn: false, ...inputs };
    writeFileSync(path.join(cwd, 'inputs.json'), JSON.stringify(all));
    return cwd;
  }
  const input = {
    process: 'websocket-server',
    inputs: 'inputs.json',
    runsDir: 'runs',
    runId: 'r1',
  };

  /** An echo server with the limit of the defaults, which the Autobahn cases need. */
  function deskWithAutobahn(): string {
    const cwd = desk({ autobahn: true });
    rmSync(path.join(cwd, '.babysitter'), { recursive: true });
    return cwd;
  }

  it('generates a server that passes, and says where everything is', async () => {
    const cwd = desk({ type: 'chat', projectName: 'Chat' });
    const report = await runProcess(input, context({ cwd }));
    expect(report.error).toBeNull();
    expect(report.status).toBe('passed');
    expect(report.output).toMatchObject({
      success: true,
      projectName: 'Chat',
      serverConfig: {
        language: 'nodejs',
        type: 'chat',
        features: ['rooms', 'presence', 'history'],
      },
      implementation: { outputDir: path.join(cwd, 'chat') },
      testResults: { failures: [], metrics: { lost: 0 } },
      metadata: { processId: 'specializations/network-programming/websocket-server' },
    });
    const output = report.output as Awaited<ReturnType<typeof websocketServer>>;
    expect(output.testResults.passedTests).toBe(output.testResults.totalTests);
    expect(output.testResults.totalTests).toBeGreaterThan(20);
    expect(output.duration).toBeGreaterThan(0);
    for (const { path: file, bytes } of output.artifacts) {
      expect(readFileSync(file).byteLength).toBe(bytes);
    }
  }, 240_000);

  it('refuses wrong inputs by name and creates no run', async () => {
    const cwd = desk({ revue: true });
    await expect(runProcess(input, context({ cwd }))).rejects.toMatchObject({
      name: 'UsageError',
      code: 'WSK_ERR_UNKNOWN_FLAG',
      message: expect.stringContaining('unknown argument "revue"') as string,
      hint: 'did you mean review?',
    });
    expect(existsSync(path.join(cwd, 'runs'))).toBe(false);
    const inputs = ['--inputs', 'inputs.json'];
    const ended = await websocketSkill(['run', 'websocket-server', ...inputs], { cwd });
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('unknown argument "revue"');
  });

  it('fails with the reason of an environment error', async () => {
    const cwd = desk({ outputDir: 'file/below' });
    writeFileSync(path.join(cwd, 'file'), '');
    const report = await runProcess(input, context({ cwd }));
    expect(report).toMatchObject({ status: 'failed', runStatus: 'failed' });
    expect(report.error).toMatchObject({ code: 'WSK_ERR_OUTPUT_NOT_WRITABLE' });
  });

  it('stops upon Ctrl-C with exit 130 and nothing committed, and goes on when resumed', async () => {
    const cwd = desk({});
    const journal = path.join(cwd, 'runs', 'r1', 'journal');
    const args = ['run', 'websocket-server', '--inputs', 'inputs.json', '--json'];
    const ended = await runNode(
      [bin, ...args, '--runs-dir', 'runs', '--run-id', 'r1'],
      { cwd },
      (child) => {
        // The fourth event is the request for the handshake's validation, which installs first.
        const timer = setInterval(() => {
          if (!existsSync(journal) || readdirSync(journal).length < 4) return;
          clearInterval(timer);
          child.kill('SIGINT');
        }, 20);
      },
    );
    expect(ended.code, ended.stderr).toBe(130);
    const report = RunReport.parse(JSON.parse(ended.stdout));
    expect(report).toMatchObject({ status: 'interrupted', runStatus: 'waiting' });
    expect(readdirSync(journal)).toHaveLength(4);
    expect(await resumeRun({ runDir: report.runDir }, context({ cwd }))).toMatchObject({
      status: 'passed',
    });
  });

  it('installs again what a killed installation has left half installed', async () => {
    const cwd = deskWithAutobahn();
    const controller = new AbortController();
    const emit = ({ stage }: { stage: string }): void => {
      if (stage === 'validate-handshake') controller.abort();
    };
    const first = await runProcess(input, context({ cwd, signal: controller.signal, emit }));
    expect(first).toMatchObject({ status: 'interrupted', effects: [{ status: 'passed' }] });
    mkdirSync(path.join(cwd, 'echo', 'node_modules', 'ws'), { recursive: true });
    expect(await resumeRun({ runDir: first.runDir }, context({ cwd }))).toMatchObject({
      status: 'passed',
    });
  });

  it.each([
    [3, 300],
    [4, 300],
    // The last steps take less than an installation and a build.
    [5, 20],
    [6, 20],
  ])('survives kill -9 after its event %i', async (events, delayMs) => {
    const cwd = desk({});
    const journal = path.join(cwd, 'runs', 'r1', 'journal');
    const args = ['run', 'websocket-server', '--inputs', 'inputs.json', '--runs-dir', 'runs'];
    const ended = await runNode([bin, ...args, '--run-id', 'r1'], { cwd }, (child) => {
      const timer = setInterval(() => {
        if (!existsSync(journal) || readdirSync(journal).length < events) return;
        clearInterval(timer);
        // Into the middle of what follows the event: an installation, a build, a test.
        setTimeout(() => child.kill('SIGKILL'), delayMs);
      }, 10);
    });
    expect(ended.signal).toBe('SIGKILL');
    const resumed = await websocketSkill(['resume', 'runs/r1', '--json'], { cwd });
    expect(resumed.code, resumed.stdout).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      status: 'passed',
      output: { success: true },
    });
  });
});
