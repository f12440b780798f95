import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConfig } from '../src/config.ts';
import { MemoryStore, storeLimits } from '../src/store.ts';
import type { StoreLimits } from '../src/store.ts';

const silent = { onEntry: () => undefined };

function storeWith(limits: Partial<StoreLimits> = {}): MemoryStore {
  return new MemoryStore({ ...storeLimits(readConfig({})), ...limits });
}

async function offsets(store: MemoryStore, channel: string): Promise<number[]> {
  return (await store.recover(channel)).entries.map(({ offset }) => offset);
}

describe('MemoryStore', () => {
  it('recovers exactly what came after a position', async () => {
    const store = storeWith({ entries: 3 });
    const { epoch } = await store.position('a');
    for (let count = 0; count < 5; count += 1) await store.publish('a', '{}');
    const recovery = async (offset: number, of = epoch): Promise<unknown> => {
      const { recovered, entries } = await store.recover('a', { offset, epoch: of });
      return [recovered, entries.map((entry) => entry.offset)];
    };
    assert.deepEqual(await recovery(1), [false, [3, 4, 5]]);
    assert.deepEqual(await recovery(2), [true, [3, 4, 5]]);
    assert.deepEqual(await recovery(4), [true, [5]]);
    assert.deepEqual(await recovery(5), [true, []]);
    assert.deepEqual(await recovery(6), [false, [3, 4, 5]]);
    assert.deepEqual(await recovery(4, 'another'), [false, [3, 4, 5]]);
  });

  it('is bounded in entries and bytes of a channel', async () => {
    const store = storeWith({ entries: 3, bytes: 1000 });
    for (let count = 0; count < 5; count += 1) await store.publish('a', '{}');
    assert.deepEqual(await offsets(store, 'a'), [3, 4, 5]);
    await store.publish('a', `"${'x'.repeat(997)}"`);
    assert.deepEqual(await offsets(store, 'a'), [6]);
    await store.publish('a', `"${'é'.repeat(500)}"`);
    assert.deepEqual(await offsets(store, 'a'), []);
  });

  it('has a budget: the channels longest without an entry lose theirs first', async () => {
    let space = 100_000;
    const store = storeWith({ space: () => space });
    const fill = async (channel: string): Promise<void> => {
      for (let count = 0; count < 10; count += 1) await store.publish(channel, 'x'.repeat(1000));
    };
    for (const channel of ['a', 'b', 'c']) await fill(channel);
    await store.publish('a', 'x');
    space = store.bytes - 3000;
    store.trim();
    const kept = async (): Promise<number[]> => {
      const lists = await Promise.all(['a', 'b', 'c'].map((channel) => offsets(store, channel)));
      return lists.map(({ length }) => length);
    };
    assert.deepEqual(await kept(), [11, 8, 10]);
    for (let count = 0; count < 50; count += 1) {
      await fill('c');
      assert.ok(store.bytes <= space, String(store.bytes));
    }
  });

  it('forgets channels without listeners, those of the same owner before others', async () => {
    const store = storeWith({ channels: 3 });
    for (const [channel, owner] of [
      ['mine', 'me'],
      ['theirs', 'they'],
      ['also theirs', 'they'],
      ['last', 'they'],
    ] as const) {
      const end = await store.subscribe(channel, silent, owner);
      await store.publish(channel, '{}');
      end();
    }
    for (const channel of ['mine', 'also theirs', 'last']) {
      assert.equal((await store.position(channel)).offset, 1, channel);
    }
  });

  it('has another epoch once it has forgotten a channel', async () => {
    const store = storeWith({ idleMs: 5 });
    const end = await store.subscribe('a', silent);
    await store.publish('a', '{}');
    const before = await store.position('a');
    end();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const after = await store.position('a');
    assert.equal(after.offset, 0);
    assert.notEqual(after.epoch, before.epoch);
  });
  // #if resume

  it('knows an id of a user for a while', async () => {
    const store = storeWith({ resumeWindowMs: 30 });
    const origin = { user: 'ada', id: '1' };
    const publish = async (of: object = {}): Promise<unknown> => {
      const { offset, duplicate } = await store.publish('a', '{}', { ...origin, ...of });
      return [offset, duplicate];
    };
    assert.deepEqual(await publish(), [1, false]);
    assert.deepEqual(await publish(), [1, true]);
    assert.deepEqual(await publish({ user: 'bob' }), [2, false]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.deepEqual(await publish(), [3, false]);
  });

  it('knows the ids of a user however many another one uses', async () => {
    const store = storeWith();
    const publish = async (user: string, id: number): Promise<boolean> =>
      (await store.publish('a', '{}', { user, id: String(id) })).duplicate;
    for (let id = 0; id < 100; id += 1) await publish('ada', id);
    for (let id = 0; id < 12_000; id += 1) await publish('bob', id);
    assert.deepEqual(await Promise.all([0, 99].map((id) => publish('ada', id))), [true, true]);
    // His own oldest ones have given way.
    assert.deepEqual(await Promise.all([11_999, 0].map((id) => publish('bob', id))), [true, false]);
  });

  it('gives the space of ids back, too', async () => {
    const store = storeWith({ space: () => 100_000 });
    for (let id = 0; id < 12_000; id += 1) {
      await store.publish('a', '{}', { user: 'ada', id: String(id) });
    }
    assert.ok(store.bytes <= 100_000, String(store.bytes));
  });
  // #endif
  // #if presence

  it('counts a user once however many connections there are', async () => {
    const store = storeWith({ graceMs: 0 });
    const changes: string[] = [];
    const onPresence = ({ type, user }: { type: string; user: string }): void => {
      changes.push(`${type} ${user}`);
    };
    await store.subscribe('a', { ...silent, onPresence });
    await store.enter('a', 'ada');
    await store.enter('a', 'ada');
    await store.exit('a', 'ada', true);
    assert.deepEqual(await store.list('a'), ['ada']);
    await store.exit('a', 'ada', false);
    assert.deepEqual(changes, ['member-joined ada', 'member-left ada']);
  });

  it('does not announce a user who comes back within the grace time', async () => {
    const store = storeWith({ graceMs: 20 });
    const changes: string[] = [];
    await store.subscribe('a', { ...silent, onPresence: ({ type }) => changes.push(type) });
    await store.enter('a', 'ada');
    await store.exit('a', 'ada', true);
    await store.enter('a', 'ada');
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.deepEqual(changes, ['member-joined']);
  });
  // #endif
});
