import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { failedIds, runTest, runValidateHandshake } from '../../../support/endpoint.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { writeProject } from '../../../support/project-fixture.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const INPUT = { messages: 10, timeoutMs: 3000 };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('test --project', () => {
  it('starts the server, passes every check and stops it with 1001', async () => {
    const project = writeProject(temporaryFolder());
    const report = await runTest({ ...INPUT, project, compression: true });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report).toMatchObject({ target: project, success: true });
    expect(report.checks.find((row) => row.id === 'graceful-shutdown')).toMatchObject({
      verdict: 'pass',
      detail: 'closed with 1001 after SIGTERM, exit code 0',
    });
    expect(report.checks.find((row) => row.id === 'echo')?.detail).toMatch(
      /known from the project/,
    );
  });

  it('takes the limit from the contract, whatever the input says', async () => {
    const project = writeProject(temporaryFolder());
    const report = await runTest({ ...INPUT, project, maxPayload: 1_000_000 });
    expect(report.checks.find((row) => row.id === 'message-near-limit')).toMatchObject({
      verdict: 'pass',
      detail: '65535 bytes came back (limit of the project)',
    });
  });

  it.each([
    ['closes with 1000', /closed with 1000 \(normal closure\), expected 1001/],
    ['ends with exit code 7', /exit code 7, expected 0/],
    ['ignores SIGTERM', /nothing within \d+ ms, expected a close with 1001|dropped/],
  ] as const)('fails graceful-shutdown alone for a server that %s', async (server, detail) => {
    const project = writeProject(temporaryFolder(), { server });
    const report = await runTest({ ...INPUT, timeoutMs: 1000, project });
    expect(failedIds(report.checks)).toEqual(['graceful-shutdown']);
    expect(report.checks.find((row) => row.id === 'graceful-shutdown')?.detail).toMatch(detail);
  });

  it('waits for what the contract promises of a server that does not echo', async () => {
    const probe = { send: '{"type":"ping"}', expect: '"ping"' };
    const project = writeProject(temporaryFolder(), { contract: { echo: false, probe } });
    const report = await runTest({ ...INPUT, project });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'liveness')?.detail).toMatch(
      /it sent a message that contains/,
    );
  });

  it.each([
    ['passes', 'console.log("fine")', 'pass', /` passed$/],
    ['fails', 'console.log("not ok 3 - joins"); process.exit(1)', 'fail', /exit code 1: joins$/],
    // The runner of node:test would take the variable for its own and run nothing.
    [
      'is run inside node:test',
      'process.exit(process.env.NODE_TEST_CONTEXT ? 1 : 0)',
      'pass',
      /passed/,
    ],
  ] as const)(
    'runs the own tests of a project when asked: %s',
    async (_, source, verdict, detail) => {
      vi.stubEnv('NODE_TEST_CONTEXT', 'child-v8');
      onTestFinished(() => void vi.unstubAllEnvs());
      const commands = { test: [process.execPath, '-e', source] };
      const project = writeProject(temporaryFolder(), { commands });
      const report = await runTest({ ...INPUT, project, ownTests: true });
      expect(report.checks.at(-1)).toMatchObject({ id: 'own-tests', verdict });
      expect(report.checks.at(-1)?.detail).toMatch(detail);
      expect(report.success).toBe(verdict === 'pass');
    },
  );

  it('runs no own tests unasked, and none where there are none', async () => {
    const commands = { test: [process.execPath, '-e', 'process.exit(1)'] };
    const project = writeProject(temporaryFolder(), { commands });
    const unasked = await runTest({ ...INPUT, project });
    expect(unasked.checks.at(-1)?.detail).toBe('--own-tests runs them');
    const without = writeProject(temporaryFolder());
    const report = await runTest({ ...INPUT, project: without, ownTests: true });
    expect(report.checks.at(-1)?.detail).toBe('the project has no tests of its own');
  });

  it('is an environment error for a project that does not start', async () => {
    const project = writeProject(temporaryFolder(), { server: 'dies at once' });
    await expect(runTest({ ...INPUT, project })).rejects.toMatchObject({
      code: 'WSK_ERR_PROJECT_FAILED',
    });
  });
});

describe('validate-handshake --project', () => {
  it('starts the server and judges it', async () => {
    const project = writeProject(temporaryFolder());
    const report = await runValidateHandshake({ project, timeoutMs: 3000 });
    expect(report.target).toBe(project);
    expect(failedIds(report.rules)).toEqual(['probe-deflate-window-with-leading-zero']);
  });
});

/** The process of the fixture's server, as it wrote it down. */
function pidIn(folder: string): number {
  return Number(readFileSync(path.join(folder, 'pid'), 'utf8'));
}

describe('an interrupted test', () => {
  it('reports what it found out, with the server stopped', async () => {
    const controller = new AbortController();
    const folder = temporaryFolder();
    const project = writeProject(folder);
    const context = operationContext({
      signal: controller.signal,
      emit: ({ stage }) => {
        if (stage === 'message-64k') controller.abort();
      },
    });
    const report = await runTest({ ...INPUT, project }, context);
    expect(report).toMatchObject({ status: 'interrupted', success: false });
    expect(report.checks.map((row) => row.id).slice(0, 2)).toEqual(['handshake', 'subprotocol']);
    expect(report.checks.map((row) => row.id)).not.toContain('message-64k');
    expect(report.metrics.messagesReceived).toBe(10);
    expect(isAlive(pidIn(folder))).toBe(false);
  });

  it('is interrupted while the project still starts, and has nothing to report', async () => {
    const controller = new AbortController();
    const project = writeProject(temporaryFolder(), { server: 'never listens' });
    const context = operationContext({
      signal: controller.signal,
      emit: () => void setTimeout(() => controller.abort(), 300),
    });
    const report = await runTest({ ...INPUT, project }, context);
    expect(report).toMatchObject({ status: 'interrupted', success: false, checks: [] });
  });

  it('is killed with -9: the server it started ends too', async () => {
    const folder = temporaryFolder();
    const project = writeProject(folder);
    const program = path.join(folder, 'program.mjs');
    await build({
      stdin: {
        contents: `
          import { testEndpoint } from ${JSON.stringify(fileURLToPath(new URL('../../../../src/operations/test/test.ts', import.meta.url)))};
          import { TestInput } from ${JSON.stringify(fileURLToPath(new URL('../../../../src/operations/test/schema.ts', import.meta.url)))};
          await testEndpoint(TestInput.parse({ project: ${JSON.stringify(project)}, messages: 100000 }), {
            signal: new AbortController().signal,
            cwd: '.',
            now: () => 0,
            emit: (progress) => { if (progress.stage === 'echo' && progress.done === 1) console.log('busy'); },
          });`,
        resolveDir: fileURLToPath(new URL('../../../..', import.meta.url)),
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile: program,
    });
    const tester = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(createInterface(tester.stdout), 'line');
    const pid = pidIn(folder);
    expect(isAlive(pid)).toBe(true);
    tester.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});
