import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connect, startServer } from './support.ts';
import type { TestServer } from './support.ts';

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
});
