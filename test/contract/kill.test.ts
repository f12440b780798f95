import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NoteRun, notesFile, requestFirst } from '../support/note-runs.ts';
import { runNode } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { sampleMark, testsAll } from '../support/test-all.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/babysitter/${name}`, import.meta.url));

/** Runs the runner in a process of its own, with what `kill-at.mjs` reads in `env`. */
async function runWatched(
  notes: NoteRun,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ killed: boolean }> {
  const preload = pathToFileURL(fixture('kill-at.mjs')).href;
  const { signal, code, stderr } = await runNode(
    ['--import', preload, fixture('run-notes.mjs'), ...args],
    {
      env: {
        ...env,
        KILL_BELOW: notes.runsDir,
        BABYSITTER_LOG_DIR: path.join(notes.root, 'logs'),
      },
    },
  );
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return { killed: signal === 'SIGKILL' };
}

/** Runs the runner in a process that dies before its n-th change below the runs folder. */
async function runKilledAt(notes: NoteRun, at: number, args: readonly string[]): Promise<boolean> {
  return (await runWatched(notes, args, { KILL_AT: String(at) })).killed;
}

function runArguments({ inputsFile, runsDir }: NoteRun): string[] {
  return ['run', notesFile, inputsFile, runsDir, 'r1'];
}

/** Goes on after a kill as a person would: the same run, or once more where there is none yet. */
async function goOn(notes: NoteRun): Promise<Awaited<ReturnType<NoteRun['resume']>>> {
  return existsSync(path.join(notes.runDir, 'run.json')) ? await notes.resume() : await notes.run();
}

function committed(notes: NoteRun): string[] {
  if (!existsSync(path.join(notes.runDir, 'journal'))) return [];
  return notes
    .journal()
    .filter(({ type }) => type === 'EFFECT_RESOLVED')
    .map(({ data }) => String(data['effectId']));
}

function count(names: readonly string[], name: string): number {
  return names.filter((candidate) => candidate === name).length;
}

type Leftover = [string, (notes: NoteRun) => void];

const NAMES = ['one', 'two'];

/** Kills one run at its n-th change and resumes it; false once the run got through untouched. */
async function killAndResume(at: number): Promise<boolean> {
  const notes = new NoteRun({ names: NAMES });
  const killed = await runKilledAt(notes, at, runArguments(notes));
  await expectToResume(notes, `killed before change ${at}`);
  return killed;
}

/** Goes on with a run that a kill has ended: no effect is executed again after its commit. */
async function expectToResume(notes: NoteRun, where: string): Promise<void> {
  const doneBefore = committed(notes);
  const executedBefore = notes.executions();
  const report = await goOn(notes);
  const executed = notes.executions();

  expect(report, where).toMatchObject({ status: 'passed', runStatus: 'completed', runId: 'r1' });
  for (const [index, name] of NAMES.entries()) {
    // Once more at most than the one time that it takes, and never again after its commit.
    expect(count(executed, name), where).toBeGreaterThanOrEqual(1);
    expect(count(executed, name), where).toBeLessThanOrEqual(2);
    if (index < doneBefore.length) {
      expect(count(executed, name), where).toBe(count(executedBefore, name));
    }
  }
  expectSound(notes, where);
}

/** The journal of an untouched run, and nothing left of the killed one. */
function expectSound(notes: NoteRun, where: string): void {
  expect(
    notes.journal().map(({ type }) => type),
    where,
  ).toEqual([
    'RUN_CREATED',
    ...NAMES.flatMap(() => ['EFFECT_REQUESTED', 'EFFECT_RESOLVED']),
    'RUN_COMPLETED',
  ]);
  const files = readdirSync(path.join(notes.runDir, 'journal')).sort();
  expect(
    files.map((file) => Number(file.split('.')[0])),
    where,
  ).toEqual(files.map((_, index) => index + 1));
  const left = readdirSync(notes.runsDir, { recursive: true, encoding: 'utf8' });
  expect(
    left.filter((file) => /\.lock$|journal.*\.tmp/.test(file)),
    where,
  ).toEqual([]);
}

/** Every which change is killed at by a real signal: all of them take a minute and a half. */
const STRIDE = testsAll ? 1 : 16;

describe('kill -9', () => {
  // Every change, as one test for each half: it has to end in time on a busy machine, too.
  it.each([1, 2])(
    'at every second change below the runs folder from %i, resume ends it',
    async (first) => {
      const notes = new NoteRun({ names: NAMES });
      const snapshots = temporaryFolder();
      await runWatched(notes, runArguments(notes), {
        SNAPSHOT: notes.root,
        SNAPSHOTS_TO: snapshots,
      });
      const changes = readdirSync(snapshots).length;
      // A run of two tasks makes about 160 changes; far fewer would mean that some were missed.
      expect(changes).toBeGreaterThan(120);
      for (let at = first; at <= changes; at += 2) {
        rmSync(notes.root, { recursive: true });
        renameSync(path.join(snapshots, String(at)), notes.root);
        await expectToResume(notes, `as it was before change ${at}`);
      }
    },
    120_000,
  );

  it(`with a real signal${sampleMark}, resume ends the same run`, async () => {
    let at = 1 - STRIDE;
    const lane = async (): Promise<void> => {
      while (await killAndResume((at += STRIDE)));
    };
    // Two at a time: most of it is waiting for programs to start.
    await Promise.all([lane(), lane()]);
    expect(at).toBeGreaterThan(120);
  }, 600_000);

  it('again and again, the run still ends, each try getting further', async () => {
    const notes = new NoteRun({ names: NAMES });
    let tries = 1;
    let killed = await runKilledAt(notes, 35, runArguments(notes));
    while (killed && tries < 50) {
      tries += 1;
      killed = await runKilledAt(notes, 35, ['resume', notes.runDir]);
    }
    expect(killed).toBe(false);
    expect(tries).toBeGreaterThan(2);
    expectSound(notes, `after ${tries} tries`);
  }, 120_000);
});

describe('what a kill leaves, planted', () => {
  const leftovers: Leftover[] = [
    ['an empty run.lock', ({ runDir }) => writeFileSync(path.join(runDir, 'run.lock'), '')],
    ['half a run.lock', ({ runDir }) => writeFileSync(path.join(runDir, 'run.lock'), '{"pid":')],
    [
      "a run.lock with this process's own number",
      ({ runDir }) =>
        writeFileSync(path.join(runDir, 'run.lock'), sdkLock(process.pid, new Date())),
    ],
    ...linuxOnly<Leftover>([
      'a run.lock with the number of a process that is younger than the lock',
      ({ runDir }) =>
        writeFileSync(path.join(runDir, 'run.lock'), sdkLock(process.ppid, new Date(0))),
    ]),
    [
      'an event that was never moved into place',
      ({ runDir }) =>
        writeFileSync(path.join(runDir, 'journal', '000003.01KX.json.tmp-99-1'), '{"type":'),
    ],
    [
      'an empty lock of ours',
      ({ runDir }) => writeFileSync(path.join(runDir, 'websocket-skill.lock'), ''),
    ],
    [
      'the folder of an effect that was never requested',
      ({ runDir }) => mkdirSync(path.join(runDir, 'tasks', '01KX')),
    ],
  ];

  it.each(leftovers)('%s: resume goes on', async (_, plant) => {
    const notes = new NoteRun();
    await requestFirst(notes);
    plant(notes);
    expect(await notes.resume()).toMatchObject({
      status: 'passed',
      effects: [{ how: 'executed' }],
    });
    expect(notes.journal().map(({ type }) => type)).toEqual([
      'RUN_CREATED',
      'EFFECT_REQUESTED',
      'EFFECT_RESOLVED',
      'RUN_COMPLETED',
    ]);
  });

  it('commits a result that was computed but not committed, without executing again', async () => {
    const notes = new NoteRun();
    await requestFirst(notes);
    const [effectId = ''] = notes.effectIds();
    const value = {
      operation: 'note',
      status: 'failed',
      success: false,
      name: 'planted',
      limit: 1,
      cwd: '/',
    };
    writeFileSync(notes.taskFile(effectId, 'output.json'), JSON.stringify(value));
    const report = await notes.resume();
    expect(report.effects).toMatchObject([{ how: 'recovered', status: 'failed' }]);
    expect(report.output).toMatchObject({ reports: [{ name: 'planted' }] });
    expect(notes.executions()).toEqual([]);
  });

  /** Plants the result.json that a killed `task:post` leaves, with `changes`, and resumes. */
  async function resumeAfterPost(changes: Record<string, unknown>) {
    const notes = new NoteRun();
    await requestFirst(notes);
    const [effectId = ''] = notes.effectIds();
    const value = { success: true, name: 'posted' };
    const posted = {
      schemaVersion: '2026.01.results-v1',
      effectId,
      taskId: 'websocket/note',
      invocationKey: notes.journal().at(-1)?.data['invocationKey'],
      status: 'ok',
      result: value,
      value,
      ...changes,
    };
    writeFileSync(notes.taskFile(effectId, 'result.json'), JSON.stringify(posted));
    return { notes, report: await notes.resume() };
  }

  it('commits the result.json of a killed task:post', async () => {
    const { notes, report } = await resumeAfterPost({});
    expect(report.effects).toMatchObject([{ how: 'recovered', status: 'passed' }]);
    expect(report.output).toMatchObject({ reports: [{ name: 'posted' }] });
    expect(notes.executions()).toEqual([]);
  });

  it('commits it as the error that it is', async () => {
    const error = { name: 'Error', message: 'posted', data: { code: null } };
    const { report } = await resumeAfterPost({ status: 'error', error });
    expect(report).toMatchObject({ runStatus: 'failed', error: { message: 'posted' } });
  });

  it.each([{ schemaVersion: 'v9' }, { effectId: '01KX' }, { invocationKey: 'x' }, { status: '?' }])(
    'executes again where result.json is not one of this effect: %j',
    async (changes) => {
      const { notes, report } = await resumeAfterPost(changes);
      expect(report.effects).toMatchObject([{ how: 'executed' }]);
      expect(notes.executions()).toEqual(['one']);
    },
  );

  it.each(['{"operation":"no', '{"operation":"note"}', '{"operation":"other"}'])(
    'executes again where the computed result is unsound: %s',
    async (content) => {
      const notes = new NoteRun();
      await requestFirst(notes);
      const [effectId = ''] = notes.effectIds();
      writeFileSync(notes.taskFile(effectId, 'output.json'), content);
      writeFileSync(notes.taskFile(effectId, 'result.json'), content);
      expect(await notes.resume()).toMatchObject({ effects: [{ how: 'executed' }] });
      expect(notes.executions()).toEqual(['one']);
    },
  );
});

function sdkLock(pid: number, acquiredAt: Date): string {
  return JSON.stringify({ pid, owner: 'killed', acquiredAt });
}

/** Elsewhere the system does not tell when a process began. */
function linuxOnly<Row>(row: Row): Row[] {
  return process.platform === 'linux' ? [row] : [];
}
