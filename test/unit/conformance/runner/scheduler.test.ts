import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../../../src/core/errors.ts';
import type { CaseResult } from '../../../../src/conformance/result.ts';
import { runCases } from '../../../../src/conformance/runner/scheduler.ts';
import type { CaseTask } from '../../../../src/conformance/case.ts';
import { allCases } from '../../../../src/conformance/autobahn/cases/index.ts';
import { caseResult } from '../../../support/conformance-run.ts';

const tasks: CaseTask[] = allCases()
  .slice(0, 60)
  .map((definition, index) => ({ definition, number: index + 1, quick: false }));

const FAILED = { behavior: 'FAILED', opened: true } as const;

interface Peer {
  /** What the peer makes of a case; `active` others run beside it. */
  play(id: string, active: number): Partial<CaseResult> | Error;
}

interface Options {
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly isBehind?: boolean;
}

async function run(peer: Peer, options: Options = {}) {
  const calls: { readonly id: string; readonly active: number }[] = [];
  let active = 0;
  const { results, notes } = await runCases({
    tasks,
    concurrency: options.concurrency ?? 8,
    signal: options.signal ?? new AbortController().signal,
    isBehind: () => options.isBehind ?? false,
    onDone: () => undefined,
    run: async ({ definition: { id } }) => {
      const beside = active++;
      calls.push({ id, active: beside });
      await new Promise((resolve) => setImmediate(resolve));
      const played = peer.play(id, beside);
      active--;
      if (played instanceof Error) throw played;
      return caseResult({ id, opened: true, ...played });
    },
  });
  const byId = new Map(results.map((result) => [result.id, result]));
  return { results, notes, calls, byId };
}

const refused = (): EnvironmentError =>
  new EnvironmentError('WSK_ERR_REFUSED', 'refused', { cause: new Error() });

const silent = (): Partial<CaseResult> => {
  const { close } = caseResult({ id: '1.1.1' });
  return {
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    opened: false,
    close: { ...close, wasOpenHandshakeTimeout: true },
  };
};

describe('a peer without fault', () => {
  it('gets every case once, the first one alone, the others side by side', async () => {
    const { results, calls, notes } = await run({ play: () => ({}) });
    expect(results.map(({ id }) => id)).toEqual(tasks.map(({ definition }) => definition.id));
    expect(calls).toHaveLength(tasks.length);
    expect(calls[0]).toEqual({ id: '1.1.1', active: 0 });
    expect(Math.max(...calls.map(({ active }) => active))).toBe(7);
    expect(notes).toEqual([]);
  });

  it('gets one case at a time with a concurrency of 1', async () => {
    const { calls } = await run({ play: () => ({}) }, { concurrency: 1 });
    expect(Math.max(...calls.map(({ active }) => active))).toBe(0);
  });
});

describe('a case that fails beside others', () => {
  it('is run again alone, and that is what counts', async () => {
    const { byId, calls } = await run({
      play: (id, active) => (id === '4.1.1' && active > 0 ? FAILED : {}),
    });
    expect(byId.get('4.1.1')).toMatchObject({ behavior: 'OK', retry: 'alone' });
    expect(calls.at(-1)).toEqual({ id: '4.1.1', active: 0 });
  });

  it('is believed when three that failed like it have been confirmed alone', async () => {
    const failing = (id: string): boolean => id.startsWith('5.');
    const { results, calls } = await run({ play: (id) => (failing(id) ? FAILED : {}) });
    const retries = results.filter(({ id }) => failing(id)).map(({ retry }) => retry);
    expect(retries.filter((retry) => retry === 'alone')).toHaveLength(3);
    expect(retries.filter((retry) => retry === 'sampled')).toHaveLength(retries.length - 3);
    expect(calls).toHaveLength(tasks.length + 3);
  });

  it('is not believed when one that failed like it passes alone', async () => {
    const failing = (id: string): boolean => id.startsWith('5.');
    const { results } = await run({
      play: (id, active) => (failing(id) && active > 0 ? FAILED : {}),
    });
    expect(results.every(({ behavior }) => behavior === 'OK')).toBe(true);
  });

  it('is not run again when it ran alone in the first place', async () => {
    const { calls, byId } = await run({ play: () => FAILED }, { concurrency: 1 });
    expect(calls).toHaveLength(tasks.length);
    expect(byId.get('5.1')?.retry).toBe('not needed');
  });
});

describe('a case that is not strict beside others', () => {
  const play = (id: string, active: number): Partial<CaseResult> =>
    id === '4.1.1' && active > 0 ? { behavior: 'NON-STRICT' } : {};

  it('is run again alone on a machine that is behind', async () => {
    const { byId } = await run({ play }, { isBehind: true });
    expect(byId.get('4.1.1')).toMatchObject({ behavior: 'OK', retry: 'alone' });
  });

  it('is believed on any other: its wait is a second or two', async () => {
    const { byId, calls } = await run({ play });
    expect(byId.get('4.1.1')).toMatchObject({ behavior: 'NON-STRICT', retry: 'not needed' });
    expect(calls).toHaveLength(tasks.length);
  });
});

describe('a peer that serves one connection at a time', () => {
  it.each([
    ['refuses the others', refused],
    ['leaves the others without a handshake', silent],
  ])('and %s gets all cases, one at a time, and the report says so', async (_how, other) => {
    const { results, notes } = await run({ play: (_id, active) => (active > 0 ? other() : {}) });
    expect(results).toHaveLength(tasks.length);
    expect(results.every(({ behavior }) => behavior === 'OK')).toBe(true);
    expect(notes).toEqual([expect.stringContaining('one at a time')]);
  });
});

describe('a peer that goes away', () => {
  it('before the first case is an error', async () => {
    await expect(run({ play: refused })).rejects.toMatchObject({ code: 'WSK_ERR_REFUSED' });
  });

  it('in the middle leaves the rest not run, with the reason and the last cases', async () => {
    let left = 20;
    const { results, notes } = await run({ play: () => (left-- > 0 ? {} : refused()) });
    expect(results).toHaveLength(tasks.length);
    const missing = results.filter(({ notRun }) => notRun !== null);
    expect(missing.length).toBe(tasks.length - 20);
    expect(missing.every(({ behavior }) => behavior === 'FAILED')).toBe(true);
    expect(notes).toEqual([expect.stringMatching(/no longer accepts connections.*last cases/)]);
  }, 20_000);

  it('and comes back is waited for', async () => {
    let calls = 0;
    const { results } = await run({ play: () => (++calls === 20 ? refused() : {}) });
    expect(results.every(({ behavior }) => behavior === 'OK')).toBe(true);
  });

  it('without saying so, but answers no more handshakes, ends the run', async () => {
    const { results, calls } = await run({ play: silent });
    expect(results).toHaveLength(tasks.length);
    expect(calls.length).toBeLessThan(20);
    expect(results.at(-1)?.notRun).toContain('answered 4 opening handshakes in a row with nothing');
  });
});

describe('an aborted run', () => {
  /** Case 3.* fails; the signal is aborted in the 30th case. */
  async function abortedRun(concurrency: number) {
    const controller = new AbortController();
    let left = 30;
    const play = (id: string): Partial<CaseResult> => {
      if (left-- === 0) controller.abort();
      return id.startsWith('3.') ? FAILED : {};
    };
    return run({ play }, { concurrency, signal: controller.signal });
  }

  it('returns what there is', async () => {
    const { results } = await abortedRun(1);
    expect(results.length).toBeGreaterThanOrEqual(30);
    expect(results.length).toBeLessThan(tasks.length);
  });

  it('leaves out what failed beside others, and says so', async () => {
    const { results, notes } = await abortedRun(8);
    expect(results.length).toBeGreaterThan(15);
    expect(results.filter(({ behavior }) => behavior === 'FAILED')).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(/^Left out, .* not run again alone: 3\.1, 3\.2/)]);
  });

  it('keeps what failed alone', async () => {
    const { results, notes } = await abortedRun(1);
    expect(results.filter(({ behavior }) => behavior === 'FAILED').length).toBeGreaterThan(0);
    expect(notes).toEqual([]);
  });
});
