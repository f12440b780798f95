import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../../../src/core/errors.ts';
import { readProject, startProject } from '../../../../src/target/project/index.ts';
import { formatHeader } from '../../../../src/target/project/manifest.ts';
import { writeProject } from '../../../support/project-fixture.ts';
import type { ProjectFixture } from '../../../support/project-fixture.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const signal = new AbortController().signal;

/** A command that runs a line of JavaScript. */
function script(source: string): string[] {
  return [process.execPath, '-e', source];
}

async function errorOf(fixture: ProjectFixture, options = {}): Promise<EnvironmentError> {
  const folder = writeProject(temporaryFolder(), fixture);
  const outcome = await startProject(folder, { signal, ...options }).catch((e: unknown) => e);
  if (outcome instanceof EnvironmentError) return outcome;
  throw new Error('the project started');
}

describe('startProject', () => {
  it('starts the server on a free port of the loopback and stops it with SIGTERM', async () => {
    const folder = writeProject(temporaryFolder());
    await using project = await startProject(folder, { signal });
    const { port } = new URL(project.url);
    expect(project.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/$/);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect(await project.stop()).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  it('takes a single file that starts with its manifest', async () => {
    const folder = writeProject(temporaryFolder());
    const manifest = JSON.parse(readFileSync(path.join(folder, '.wsgen.json'), 'utf8')) as object;
    const file = path.join(folder, 'server.mjs');
    const source = readFileSync(file, 'utf8');
    writeFileSync(file, `// websocket-skill: ${JSON.stringify(manifest)}\n${source}`);
    await using project = await startProject(file, { signal });
    expect(project.manifest.contract.maxPayload).toBe(65_536);
  });

  it('reads the manifest of a single file from a comment that starts with #', async () => {
    const folder = writeProject(temporaryFolder());
    const { manifest } = await readProject(folder);
    const file = path.join(folder, 'server.py');
    writeFileSync(file, `${formatHeader(manifest, '#')}import asyncio\n`);
    expect(await readProject(file)).toEqual({ root: folder, manifest, file: path.basename(file) });
  });

  it('says what is missing on the machine, before anything is installed', async () => {
    const commands = { install: script(`require('node:fs').writeFileSync('installed', '')`) };
    const lacks = async (command: string[], least: string): Promise<EnvironmentError> => {
      const error = await errorOf({ commands, manifest: { toolchain: { command, least } } });
      expect(error).toMatchObject({ code: 'WSK_ERR_TOOLCHAIN_MISSING' });
      return error;
    };
    const version = process.versions.node;
    expect((await lacks(['no-such-program', '--version'], '3.11')).message).toBe(
      'the project needs no-such-program >= 3.11, and there is none',
    );
    const node = [process.execPath, '--version'];
    const [major = '', minor] = version.split('.');
    for (const least of [`${Number(major) + 1}`, `${major}.${Number(minor) + 1}`]) {
      const message = `the project needs ${process.execPath} >= ${least}, and this is ${version}`;
      expect((await lacks(node, least)).message).toBe(message);
    }
    const toolchain = { command: node, least: `${Number(major) - 1}.99` };
    const folder = writeProject(temporaryFolder(), { manifest: { toolchain } });
    await using project = await startProject(folder, { signal });
    expect(project.manifest.toolchain).toEqual(toolchain);
  });

  it('stops own tests that do not end', async () => {
    const commands = { test: script(`console.log('busy'); setInterval(() => {}, 1000)`) };
    const folder = writeProject(temporaryFolder(), { commands });
    await using project = await startProject(folder, { signal, testsTimeoutMs: 500 });
    expect(await project.runTests()).toMatchObject({ exitCode: undefined });
  });

  it('installs once, but again when the first attempt was killed half-way', async () => {
    const folder = writeProject(temporaryFolder(), {
      commands: {
        install: script(`
          const fs = require('node:fs');
          fs.mkdirSync('node_modules', { recursive: true });
          fs.writeFileSync('node_modules/.package-lock.json', '{}');
          fs.appendFileSync('log', 'install ');`),
        build: script(`require('node:fs').appendFileSync('log', 'build ')`),
      },
    });
    const stages: string[] = [];
    const options = { signal, emit: ({ stage }: { stage: string }) => stages.push(stage) };
    mkdirSync(path.join(folder, 'node_modules', 'half'), { recursive: true });
    await (await startProject(folder, options)).stop();
    await (await startProject(folder, options)).stop();
    // Nothing is newer than the file that is started, so there is nothing to build.
    expect(readFileSync(path.join(folder, 'log'), 'utf8')).toBe('install ');
    expect(stages).toEqual(['install', 'start', 'start']);
  });

  it('asks the manifest what an installation leaves and what a listening server prints', async () => {
    const folder = writeProject(temporaryFolder(), {
      commands: { install: script(`require('node:fs').writeFileSync('modules.done', '')`) },
      manifest: { language: 'go', installed: ['modules.done'], listening: { msg: 'up' } },
    });
    const stages: string[] = [];
    const options = { signal, emit: ({ stage }: { stage: string }) => stages.push(stage) };
    await (await startProject(folder, options)).stop();
    await (await startProject(folder, options)).stop();
    expect(stages).toEqual(['install', 'start', 'start']);
  });

  it('ignores lines that do not match the listening line of the manifest', async () => {
    const error = await errorOf(
      { manifest: { listening: { event: 'ready' } } },
      { startTimeoutMs: 700 },
    );
    expect(error.message).toMatch(/printed no "listening" line within 700 ms/);
  });

  it('builds when the file that is started is not there', async () => {
    const folder = writeProject(temporaryFolder(), {
      commands: {
        build: script(`require('node:fs').copyFileSync('server.mjs', 'built.mjs')`),
        start: [process.execPath, 'built.mjs'],
      },
    });
    await using project = await startProject(folder, { signal });
    expect(existsSync(path.join(folder, 'built.mjs'))).toBe(true);
    expect(await project.stop()).toBe(0);
  });

  it('reports a command that fails, with its last lines', async () => {
    const error = await errorOf({
      commands: { install: script(`console.error('no network'); process.exit(3)`) },
    });
    expect(error.code).toBe('WSK_ERR_PROJECT_FAILED');
    expect(error.message).toMatch(
      /^install of the project: `.*` ended with exit code 3; it printed:\nno network$/s,
    );
    expect(error.hint).toMatch(/^for the full output: cd .+ && /);
  });

  it('reports a command that does not exist', async () => {
    const error = await errorOf({ commands: { start: ['no-such-program'] } });
    expect(error.message).toMatch(/ended with exit code 127 before it listened/);
    expect(error.message).toMatch(/ENOENT/);
  });

  it('reports a server that dies at once, with what it wrote to stderr', async () => {
    const error = await errorOf({ server: 'dies at once' });
    expect(error.message).toMatch(/ended with exit code 4 before it listened/);
    expect(error.message).toMatch(/it printed:\nno database$/);
  });

  it('reports a server that never listens', async () => {
    const error = await errorOf({ server: 'never listens' }, { startTimeoutMs: 700 });
    expect(error.message).toMatch(/printed no "listening" line within 700 ms/);
  });

  it('reports a server that is never ready', async () => {
    const error = await errorOf({ server: 'is never ready' }, { startTimeoutMs: 2500 });
    expect(error.message).toMatch(/\/readyz answers HTTP 503 instead of 200/);
  });

  it('kills a server that ignores SIGTERM', async () => {
    const folder = writeProject(temporaryFolder(), { server: 'ignores SIGTERM' });
    const project = await startProject(folder, { signal });
    expect(await project.stop(200)).toBe(137);
    await expect(fetch(project.url.replace('ws', 'http'))).rejects.toThrow();
  });

  it('stops what it has begun when the signal is aborted', async () => {
    const controller = new AbortController();
    const folder = writeProject(temporaryFolder(), {
      commands: { install: script(`setInterval(() => {}, 1000)`) },
    });
    const started = startProject(folder, {
      signal: controller.signal,
      emit: () => void setTimeout(() => controller.abort(new Error('Ctrl-C')), 200),
    });
    await expect(started).rejects.toThrow('Ctrl-C');
  });

  it('is a usage error for a folder that holds no project', async () => {
    await expect(startProject(temporaryFolder(), { signal })).rejects.toMatchObject({
      code: 'WSK_ERR_NOT_A_PROJECT',
    });
  });
});
