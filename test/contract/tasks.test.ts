import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { operations } from '../../src/operations/index.ts';
import * as taskModule from '../../tasks/index.ts';
import { generateServer, tasks, testEndpoint, validateHandshake } from '../../tasks/index.ts';
import { NoteRun, requestFirst } from '../support/note-runs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

type Task = { id: string; build: (args: never, effect: never) => unknown };

/** Asks a task for its definition as the SDK does when a process reaches it for the first time. */
async function request(task: Task, args: unknown, folder = temporaryFolder()) {
  const effect = { effectId: '01KX', runDir: folder };
  const definition = await task.build(args as never, effect as never);
  const file = path.join(folder, 'tasks', '01KX', 'input.json');
  return { definition, folder, file, stored: JSON.parse(readFileSync(file, 'utf8')) as unknown };
}

describe('the tasks', () => {
  it('are one per operation, by name and as exports', () => {
    expect(Object.keys(tasks)).toEqual(Object.keys(operations));
    const ids = Object.values(tasks).map(({ id }) => id);
    expect(ids).toEqual(Object.keys(operations).map((name) => `websocket/${name}`));
    const exported = Object.values(taskModule as unknown as Record<string, Partial<Task>>);
    expect(
      exported
        .map(({ id }) => id)
        .filter(Boolean)
        .sort(),
    ).toEqual([...ids, 'websocket/any', 'websocket/custom-handlers'].sort());
  });

  it('describe themselves so that the title alone is enough', async () => {
    const { definition, folder } = await request(generateServer, { output: 'out' });
    expect(definition).toMatchObject({
      kind: 'skill',
      title: `Generate a WebSocket server as one file or as a project. This command does it and posts the result: websocket-skill run-task ${folder} 01KX`,
      io: { inputJsonPath: 'tasks/01KX/input.json', outputJsonPath: 'tasks/01KX/result.json' },
      skill: { name: 'websocket', context: { operation: 'generate-server' } },
    });
  });

  it.each([
    [generateServer, { output: 'out' }],
    [testEndpoint, { url: 'ws://127.0.0.1:1', timeoutMs: '2s' }],
    [validateHandshake, { project: 'out' }],
  ] as [Task, object][])('store an input that reads back as it is (%#)', async (task, args) => {
    const { stored } = await request(task, args);
    const { input, operation: name } = stored as {
      input: object;
      operation: keyof typeof operations;
    };
    const again = (await operations[name].load()).input.parse(input);
    expect(JSON.parse(JSON.stringify(again))).toEqual(input);
  });

  it('refuse a wrong argument by name and write nothing', async () => {
    const folder = temporaryFolder();
    await expect(request(generateServer, { port: 0 }, folder)).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining('port is 0') as string,
    });
    await expect(request(testEndpoint, { ulr: 'ws://x' }, folder)).rejects.toMatchObject({
      name: 'UsageError',
      hint: expect.stringContaining('url') as string,
    });
  });
});

describe('the input of a task', () => {
  afterEach(() => {
    delete process.env['WS_MAX_PAYLOAD'];
  });

  /** A run folder whose working folder has a configuration file. */
  function configured(): string {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, '.babysitter', 'skills'), { recursive: true });
    writeFileSync(
      path.join(cwd, '.babysitter', 'skills', 'websocket.yaml'),
      'websocket:\n  maxPayload: 2000\n  pingInterval: 2000\n  defaultPort: 2000\n',
    );
    writeFileSync(path.join(cwd, 'run.json'), JSON.stringify({ cwd }));
    return cwd;
  }

  it('is resolved from arguments > WS_* > websocket.yaml > defaults', async () => {
    process.env['WS_MAX_PAYLOAD'] = '3000';
    const folder = configured();
    const { stored } = await request(generateServer, { output: 'out', port: 4000 }, folder);
    expect(stored).toMatchObject({
      cwd: folder,
      input: { port: 4000, maxPayload: 3000, pingInterval: 2000, language: 'nodejs' },
    });
  });

  it('of an update has what is given alone, as the project has its answers', async () => {
    const args = { update: 'chat', features: ['rooms'] };
    const { stored } = await request(generateServer, args, configured());
    const rest = { force: false, dryRun: false, diff: false };
    expect((stored as { input: unknown }).input).toEqual({ ...args, ...rest });
  });

  it('is not written again when it is there', async () => {
    const { folder, file } = await request(generateServer, { output: 'out' });
    const before = readFileSync(file, 'utf8');
    process.env['WS_MAX_PAYLOAD'] = '3000';
    await request(generateServer, { output: 'other' }, folder);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('stays what it was when the environment changes before the run is resumed', async () => {
    process.env['WS_MAX_PAYLOAD'] = '3000';
    const notes = new NoteRun({ names: ['one', 'two'] });
    await requestFirst(notes);
    process.env['WS_MAX_PAYLOAD'] = '4000';
    const report = await notes.resume({ cwd: temporaryFolder() });
    const cwd = process.cwd();
    // The second task is requested only now; it still works in the folder the run began in.
    expect(report.output).toMatchObject({
      reports: [
        { limit: 3000, cwd },
        { limit: 4000, cwd },
      ],
    });
  });
});

describe('two copies of the package in one process', () => {
  it('share the tasks instead of clashing', () => {
    const copy = path.join(temporaryFolder(), 'copy');
    for (const name of ['dist', 'package.json', 'templates']) {
      cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
    }
    execFileSync('ln', ['-s', path.join(root, 'node_modules'), path.join(copy, 'node_modules')]);
    const [first, second] = [root, copy].map((folder) =>
      JSON.stringify(pathToFileURL(path.join(folder, 'dist/tasks/index.js')).href),
    );
    const script = `
      const [a, b] = [await import(${first}), await import(${second})];
      if (a === b) throw new Error('one copy');
      console.log(a.generateServer === b.generateServer, b.tasks.test === a.testEndpoint);
    `;
    const args = ['--input-type=module', '--eval', script];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('true true\n');
  });
});
