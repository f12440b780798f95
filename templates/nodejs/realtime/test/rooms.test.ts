import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
// #if history
import { MemoryStore } from '../src/store.ts';
// #endif
import { connect, startServer } from './support.ts';
import type { TestClient, TestServer } from './support.ts';

describe('rooms', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ MAX_ROOMS: '2', MAX_ROOM_MEMBERS: '2', MAX_ROOMS_PER_CLIENT: '2' });
  });
  after(() => host.stop());

  it('keeps messages inside of their room', async () => {
    const ada = await connect(host.port, 'ada');
    const bob = await connect(host.port, 'bob');
    await ada.request({ type: 'join', room: 'one' });
    await bob.request({ type: 'join', room: 'two' });
    await ada.request({ type: 'message', room: 'one', text: 'only here' });
    assert.equal((await bob.request({ type: 'ping' })).type, 'pong');
    assert.equal((await ada.nextOf('message'))['room'], 'one');
    for (const client of [ada, bob]) {
      client.socket.close();
      await client.closed;
    }
  });

  it('takes no message from outside of a room', async () => {
    const client = await connect(host.port);
    for (const type of ['message', 'leave'] as const) {
      const text = type === 'message' ? { text: 'hello' } : {};
      const error = await client.request({ type, room: 'one', ...text });
      assert.equal(error['code'], 'not_in_room');
    }
    await client.request({ type: 'join', room: 'one' });
    assert.equal((await client.request({ type: 'leave', room: 'one' })).type, 'left');
    const error = await client.request({ type: 'message', room: 'one', text: 'hello' });
    assert.equal(error['code'], 'not_in_room');
    client.socket.close();
    await client.closed;
  });

  it('refuses room names that are none', async () => {
    const client = await connect(host.port);
    for (const room of ['', '__proto__', 'a b', 'x'.repeat(65), 7]) {
      const error = await client.request({ type: 'join', room });
      assert.equal(error['code'], 'bad_message', String(room));
    }
    // A name that objects have by nature is a room like any other.
    assert.equal((await client.request({ type: 'join', room: 'constructor' })).type, 'joined');
    await client.request({ type: 'leave', room: 'constructor' });
    client.socket.close();
    await client.closed;
  });

  it('limits rooms, rooms per client and members per room', async () => {
    const clients = [];
    for (const user of ['ada', 'bob', 'eve']) clients.push(await connect(host.port, user));
    const [ada, bob, eve] = clients as [
      (typeof clients)[0],
      (typeof clients)[0],
      (typeof clients)[0],
    ];
    for (const room of ['one', 'two']) await ada.request({ type: 'join', room });
    assert.equal((await ada.request({ type: 'join', room: 'three' }))['code'], 'too_many_rooms');
    assert.equal((await bob.request({ type: 'join', room: 'three' }))['code'], 'too_many_rooms');
    assert.equal((await bob.request({ type: 'join', room: 'one' })).type, 'joined');
    assert.equal((await eve.request({ type: 'join', room: 'one' }))['code'], 'room_full');
    for (const client of clients) {
      client.socket.close();
      await client.closed;
    }
  });

  // #if history
  it('answer who is put out on its way in', async (test) => {
    const env = { MAX_ROOMS: '2', MAX_ROOMS_PER_IP: '1', TRUST_PROXY: '1' };
    const shared = await startServer(env);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its store
    const { recover } = MemoryStore.prototype;
    let hasLast = (): void => undefined;
    const last = new Promise<void>((resolve) => (hasLast = resolve));
    const asked = new Promise<void>((resolve) => {
      test.mock.method(
        MemoryStore.prototype,
        'recover',
        async function (this: MemoryStore, ...args: Parameters<typeof recover>) {
          if (args[0] === 'last') hasLast();
          if (args[0] === 'slow') {
            resolve();
            await last;
          }
          return await recover.apply(this, args);
        },
      );
    });
    const from = async (address: string): Promise<TestClient> =>
      await connect(shared.port, 'ada', { headers: { 'X-Forwarded-For': address } });
    const clients = await Promise.all(['192.0.2.1', '192.0.2.1', '192.0.2.2'].map(from));
    const [also, ada, bob] = clients as [TestClient, TestClient, TestClient];
    await also.request({ type: 'join', room: 'first' });
    ada.send({ type: 'join', room: 'slow', id: '1' });
    await asked;
    await bob.request({ type: 'join', room: 'last' });
    const { id, code } = await ada.next();
    assert.deepEqual([id, code], ['1', 'too_many_rooms']);
    for (const { socket } of clients) socket.terminate();
    await shared.stop();
  });

  // #endif
  describe('of an address', () => {
    let shared: TestServer;
    before(async () => {
      shared = await startServer({ MAX_ROOMS: '4', MAX_ROOMS_PER_IP: '2', TRUST_PROXY: '1' });
    });
    after(() => shared.stop());

    const from = async (address: string): Promise<TestClient> =>
      await connect(shared.port, 'ada', { headers: { 'X-Forwarded-For': address } });
    const ask = async (client: TestClient, type: string, rooms: string[]): Promise<unknown[]> => {
      const answers = [];
      for (const room of rooms) {
        const { type: answer, code } = await client.request({ type, room });
        answers.push(code ?? answer);
      }
      return answers;
    };
    const end = async (clients: TestClient[]): Promise<void> => {
      for (const client of clients) {
        client.socket.close();
        await client.closed;
      }
    };

    it('stop counting once it has left, and count for who is still there', async () => {
      const first = await from('192.0.2.1');
      const neighbour = await from('192.0.2.1');
      const other = await from('192.0.2.2');
      assert.deepEqual(await ask(first, 'join', ['a', 'b', 'c']), [
        'joined',
        'joined',
        'too_many_rooms',
      ]);
      await ask(other, 'join', ['a', 'b']);
      await ask(neighbour, 'join', ['b']);
      await ask(first, 'leave', ['a', 'b']);
      // Of the two, b still counts for the address, on account of the neighbour.
      assert.deepEqual(await ask(first, 'join', ['c', 'd']), ['joined', 'too_many_rooms']);
      assert.deepEqual(await ask(neighbour, 'join', ['d']), ['too_many_rooms']);
      await ask(neighbour, 'leave', ['b']);
      assert.deepEqual(await ask(other, 'join', ['d']), ['too_many_rooms']);
      assert.deepEqual(await ask(first, 'join', ['d']), ['joined']);
      await end([first, neighbour, other]);
    });

    it('cannot be kept from others by handing them on', async () => {
      const opener = await from('192.0.2.3');
      const keeper = await from('192.0.2.4');
      for (const rooms of [
        ['a', 'b'],
        ['c', 'd'],
      ]) {
        assert.deepEqual(await ask(opener, 'join', rooms), ['joined', 'joined']);
        assert.deepEqual(await ask(keeper, 'join', rooms), ['joined', 'joined']);
        await ask(opener, 'leave', rooms);
      }
      // The keeper has all rooms that there are: those above its share make space.
      assert.deepEqual(await ask(opener, 'join', ['e', 'f']), ['joined', 'joined']);
      assert.deepEqual(
        [await keeper.nextOf('left'), await keeper.nextOf('left')],
        ['d', 'c'].map((room) => ({ type: 'left', room, code: 'too_many_rooms' })),
      );
      assert.equal((await keeper.request({ type: 'leave', room: 'd' }))['code'], 'not_in_room');
      assert.equal((await keeper.request({ type: 'leave', room: 'a' })).type, 'left');
      await end([opener, keeper]);
    });
  });
});
