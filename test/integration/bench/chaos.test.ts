import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FEATURES } from '../../../src/generate/answers.ts';
import { judge } from '../../../bench/chaos/judge.mjs';
import type { Log } from '../../../bench/chaos/judge.mjs';
import { generateClientIn } from '../../support/generate-client.ts';
import { runNode } from '../../support/programs.ts';
import { redisRequirement } from '../../support/redis.ts';
import { installDebian, program, requirement } from '../../support/requirement.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { compile, generateForTest, root } from '../../templates/generated.ts';
import type { GeneratedServer } from '../../templates/generated.ts';

const run = fileURLToPath(new URL('../../../bench/chaos/run.mjs', import.meta.url));

type Events = Log['streams'][number]['events'];

/** Messages `a1`, `a2` … at offsets `from` to `to` of an epoch. */
function messages(from: number, to: number, epoch = 'e1'): Events {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const offset = from + index;
    return ['message', offset, epoch, offset, `a${String(offset)}`];
  });
}

const joined = (offset: number, epoch = 'e1'): Events => [['joined', offset, epoch, offset]];
const told = (recovered: boolean, at = 0): Events => [['recovered', at, recovered]];

/** What `ada` and `bob` saw of one room; the broken promises. */
function judged(
  seen: Record<string, Events>,
  final = { epoch: 'e1', offset: 6 },
  more: Partial<Log> = {},
): string[] {
  const { verdict, violations } = judge({
    streams: Object.entries(seen).map(([client, events]) => ({ client, room: 'lobby', events })),
    clients: Object.keys(seen).map((name) => ({ name, states: [[0, 'open']] })),
    shared: { lobby: [['e1', 'e2'], ['e3']] },
    final: { lobby: final },
    historyMessages: 100,
    problems: [],
    ...more,
  });
  expect(verdict).toBe(violations.length === 0 ? 'pass' : 'fail');
  return violations.map(({ kind, client = '' }) => `${kind} ${client}`);
}

const COMPLETE: Events = [...joined(0), ...messages(1, 6)];

describe('the judge of the chaos run', () => {
  it('accepts what is complete, once and in order, over lost connections', () => {
    const bob = [...joined(0), ...messages(1, 2), ...told(true), ...messages(3, 4), ...joined(4)];
    expect(judged({ ada: COMPLETE, bob: [...bob, ...messages(5, 6)] })).toEqual([]);
  });

  it('notices a lost message', () => {
    const without = (offset: number) => COMPLETE.filter(([, at]) => at !== offset);
    expect(judged({ ada: COMPLETE, bob: without(3) })).toEqual(['lost bob']);
    // The last one.
    expect(judged({ ada: COMPLETE, bob: without(6) })).toEqual(['lost bob']);
    // While the client was away, though it was told that it has everything.
    const bob = [...joined(0), ...messages(1, 2), ...told(true), ...messages(4, 6), ...joined(6)];
    expect(judged({ ada: COMPLETE, bob })).toEqual(['lost bob']);
    // The reply says where the room is, and brings too little.
    const short = [...joined(0), ...messages(1, 2), ...told(true), ...messages(3, 4), ...joined(6)];
    expect(judged({ ada: COMPLETE, bob: short })).toEqual(['lost bob']);
  });

  it('accepts a gap of which the client was told', () => {
    const again = [...told(false), ...messages(1, 1, 'e3'), ...joined(1, 'e3')];
    const ada = [...COMPLETE, ...again];
    const bob = [...COMPLETE.slice(0, 4), ...again];
    expect(judged({ ada, bob }, { epoch: 'e3', offset: 1 })).toEqual([]);
  });

  it('notices messages that are gone though Redis kept its data', () => {
    const ada = [...COMPLETE, ...told(false), ...messages(1, 6, 'e2'), ...joined(6, 'e2')];
    const bob = [
      ...[...COMPLETE.slice(0, 3), ...told(false)],
      ...[...messages(5, 6, 'e2'), ...joined(6, 'e2')],
    ];
    const final = { epoch: 'e2', offset: 6 };
    expect(judged({ ada, bob }, final)).toEqual(['lost bob']);
    // As many as the server keeps.
    expect(judged({ ada, bob }, final, { historyMessages: 2 })).toEqual([]);
  });

  it('notices a duplicated message', () => {
    const again = [...COMPLETE.slice(0, 4), ...messages(3, 3), ...COMPLETE.slice(4)];
    expect(judged({ ada: COMPLETE, bob: again })).toEqual(['duplicate bob']);
    // Published twice: everybody sees it at two offsets.
    const twice: Events = [...COMPLETE, ['message', 7, 'e1', 7, 'a2']];
    const final = { epoch: 'e1', offset: 7 };
    expect(judged({ ada: twice }, final)).toEqual(['duplicate ada', 'duplicate ada']);
  });

  it('notices reordered messages', () => {
    const swapped = [
      ...COMPLETE.slice(0, 2),
      ...COMPLETE.slice(2, 4).reverse(),
      ...COMPLETE.slice(4),
    ];
    expect(judged({ ada: COMPLETE, bob: swapped })).toContain('reordered bob');
    // With offsets that look as if all were well.
    const bob = COMPLETE.with(2, ['message', 2, 'e1', 2, 'a3']).with(3, [
      'message',
      3,
      'e1',
      3,
      'a2',
    ]);
    expect(judged({ ada: COMPLETE, bob })).toEqual(['reordered bob', 'reordered bob']);
    // Of one sender.
    const answers: Events = [
      ...[['sent', 0, 'a4'] as const, ['sent', 0, 'a3'] as const],
      ...[['ack', 5, 'a4', 4] as const, ['ack', 5, 'a3', 3] as const],
    ];
    expect(judged({ ada: [...COMPLETE, ...answers] })).toEqual(['reordered ada']);
  });

  it('notices a missing recovered: false', () => {
    const after = [...messages(1, 1, 'e3'), ...joined(1, 'e3')];
    const ada = [...COMPLETE, ...told(false), ...after];
    const final = { epoch: 'e3', offset: 1 };
    expect(judged({ ada, bob: [...COMPLETE, ...after] }, final)).toEqual(['unsaid bob']);
    expect(judged({ ada, bob: [...COMPLETE, ...told(true), ...after] }, final)).toEqual([
      'unsaid bob',
    ]);
  });

  it('notices acknowledged messages that nobody saw, unless the sender was told', () => {
    const publish: Events = [
      ['sent', 6, 'gone'],
      ['ack', 7, 'gone', 7],
    ];
    expect(judged({ ada: [...COMPLETE, ...publish] })).toEqual(['lost ada']);
    const again = [...told(false, 8), ...joined(0, 'e3')];
    const ada = [...COMPLETE, ...publish, ...again];
    expect(judged({ ada }, { epoch: 'e3', offset: 0 })).toEqual([]);
    // Redis kept its data, and has another message at that place.
    const ids: Events = [...messages(1, 7, 'e2'), ...joined(7, 'e2')];
    const kept = [...COMPLETE, ...publish, ...told(false, 8), ...ids];
    expect(judged({ ada: kept }, { epoch: 'e2', offset: 7 })).toEqual(['lost ada']);
    // Redis lost its data, after what bob saw at that place or before: it may have been in either.
    const wiped = [...COMPLETE, ...publish, ...told(false, 8), ...joined(0, 'e3')];
    const bob = [...COMPLETE, ...messages(7, 7), ...told(false, 8), ...joined(0, 'e3')];
    expect(judged({ ada: wiped, bob }, { epoch: 'e3', offset: 0 })).toEqual([]);
    // Before it was sent does not count.
    const before = [...COMPLETE, ...told(false, 5), ...joined(0, 'e3'), ...publish];
    expect(judged({ ada: before }, { epoch: 'e3', offset: 0 })).toEqual(['lost ada']);
  });

  it('notices wrong outcomes of publications', () => {
    const sent: Events = [
      ['sent', 0, 'a1'],
      ['ack', 1, 'a1', 1],
      ['sent', 1, 'a2'],
    ];
    const outcome = (...events: Events) => judged({ ada: [...COMPLETE, ...sent, ...events] });
    expect(outcome(['ack', 2, 'a2', 2])).toEqual([]);
    expect(outcome(['ack', 2, 'a2', 5])).toEqual(['reordered ada']);
    expect(outcome()).toEqual(['trouble ada']);
    expect(outcome(['refused', 2, 'a2', 'unknown_outcome'])).toEqual([]);
    expect(outcome(['refused', 2, 'a2', 'expired'])).toEqual(['trouble ada']);
    expect(outcome(['refused', 2, 'a2', 'forbidden'])).toEqual(['trouble ada']);
  });

  it('does not accept a run in which nothing was acknowledged, or whose end is not known', () => {
    const ada: Events = [...joined(0), ['sent', 1, 'a1'], ['refused', 2, 'a1', 'timeout']];
    expect(judged({ ada }, { epoch: 'e1', offset: 0 })).toEqual(['trouble ']);
    expect(judged({ ada: COMPLETE }, undefined, { final: {} })).toEqual(['trouble ada']);
  });

  it('notices clients that are away at the end, and what servers say', () => {
    const clients: Log['clients'] = [{ name: 'ada', states: [[9, 'waiting']] }];
    const problems = [{ at: 1, text: 'node-1 ended by itself' }];
    const final = { epoch: 'e1', offset: 6 };
    expect(judged({ ada: COMPLETE }, final, { clients, problems })).toEqual([
      'trouble ',
      'away ada',
    ]);
  });
});

describe('the plan of a chaos run', () => {
  interface Fault {
    readonly kind: string;
    readonly at: number;
    readonly lastsMs: number;
    readonly targets: readonly string[];
  }
  let plan: (seed: number, seconds: number) => Fault[];
  let kinds: string[];
  beforeAll(async () => {
    const { planOf, FAULTS } = (await import(path.join(run, '../plan.mjs'))) as {
      planOf: typeof plan;
      FAULTS: object;
    };
    plan = planOf;
    kinds = Object.keys(FAULTS);
  });

  it('is that of its seed', () => {
    expect(plan(7, 180)).toEqual(plan(7, 180));
    expect(plan(8, 180)).not.toEqual(plan(7, 180));
  });

  it('has every kind in three minutes, and the worst ones in half a minute', () => {
    for (let seed = 0; seed < 50; seed++) {
      const used = (seconds: number) => new Set(plan(seed, seconds).map(({ kind }) => kind));
      expect([...used(180)].sort()).toEqual([...kinds].sort());
      const worst = ['kill-node', 'restart-redis', 'pause-redis-long', 'cut-clients', 'wipe-redis'];
      expect([...used(30)]).toEqual(expect.arrayContaining(worst));
    }
  });

  it('does one thing at a time to each target', () => {
    for (let seed = 0; seed < 50; seed++) {
      const freeAt = new Map<string, number>();
      for (const { at, lastsMs, targets } of plan(seed, 180)) {
        for (const target of targets) {
          expect(at).toBeGreaterThan(freeAt.get(target) ?? 0);
          freeAt.set(target, at + lastsMs);
        }
      }
    }
  });
});

const withRedis = redisRequirement('chaos');
const withNginx = requirement('nginx', program('nginx', ['-v']), () => installDebian('nginx'));

withRedis('two nodes with a Redis', () => {
  withNginx('behind nginx', () => {
    const limit = { timeout: 240_000 };
    const built: string[] = [];
    let server: GeneratedServer | undefined;
    beforeAll(async () => {
      server = await generateForTest({ type: 'chat', features: [...FEATURES] });
      const client = await generateClientIn(server.folder, {
        server: server.folder,
        output: 'client/',
      });
      symlinkSync(path.join(root, 'node_modules'), path.join(client.output, 'node_modules'));
      compile(client.output);
      built.push('--server', server.folder, '--client', client.output);
    });
    afterAll(() => server?.dispose());

    it('keep their promises to 200 clients while all of them fail', limit, async () => {
      const output = temporaryFolder();
      const flags = ['--seconds', '30', '--seed', '11', '--output', output];
      const { code, stdout, stderr } = await runNode([run, ...built, ...flags]);
      expect(stderr).toBe('');
      expect(stdout).toContain('pass: 0 broken promises');
      expect(code).toBe(0);
      const page = readFileSync(path.join(output, 'chaos.html'), 'utf8');
      expect(page).toContain('every promise was kept');
    });

    it('end with the run on Ctrl-C', limit, async () => {
      const flags = ['--clients', '20', '--seed', '11', '--output', temporaryFolder()];
      let started: readonly number[] = [];
      const { code } = await runNode([run, ...built, ...flags], {}, (child) => {
        let said = '';
        child.stdout.on('data', (text: string) => {
          said += text;
          if (!said.includes('20 clients are connected') || started.length > 0) return;
          started = processesOf(child.pid ?? 0);
          child.kill('SIGINT');
        });
      });
      expect(code).toBe(130);
      // Two nodes, Redis, nginx and its workers, the clients.
      expect(started.length).toBeGreaterThanOrEqual(9);
      await vi.waitFor(() => expect(started.filter(isRunning)).toEqual([]), 10_000);
    });
  });
});

/** What a process has started, and what that has started. */
function processesOf(pid: number): number[] {
  const lists = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'),
  );
  const children = lists.join(' ').split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...processesOf(child)]);
}

/** One that has ended may still be listed, until its parent asks for its exit code. */
function isRunning(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'));
}

describe('the chaos run', () => {
  it('says what it cannot do without', async () => {
    const { code, stderr } = await runNode([run], { env: { PATH: temporaryFolder() } });
    expect(stderr).toMatch(/^not installed: redis-server\b/);
    expect(code).toBe(3);
  });

  it('refuses flags that it cannot follow', async () => {
    for (const flags of [
      ['--seconds', '1'],
      ['--type', 'echo'],
      ['--seed', 'x'],
      ['--sed', '1'],
    ]) {
      const { code, stderr } = await runNode([run, ...flags]);
      expect(stderr).toContain(flags[0] === '--type' ? 'echo' : '--se');
      expect(code).toBe(2);
    }
  });
});
