import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Presence } from '../src/presence.ts';
import type { PresenceChange } from '../src/presence.ts';
import { connect, startServer } from './support.ts';
import type { TestServer } from './support.ts';

describe('presence', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({ PRESENCE_GRACE: '100' });
  });
  after(() => host.stop());

  it('sends who is there on joining, and every change after that', async () => {
    const ada = await connect(host.port, 'ada');
    const first = await ada.request({ type: 'join', room: 'one' });
    assert.deepEqual(first['members'], ['ada']);
    const bob = await connect(host.port, 'bob');
    const second = await bob.request({ type: 'join', room: 'one' });
    assert.deepEqual(second['members'], ['ada', 'bob']);
    assert.equal((await ada.nextOf('member-joined'))['user'], 'bob');
    bob.socket.terminate();
    assert.equal((await ada.nextOf('member-left'))['user'], 'bob');
    const members = await ada.request({ type: 'members', room: 'one' });
    assert.deepEqual(members['members'], ['ada']);
    ada.socket.terminate();
  });

  it('counts a user once however many connections there are', () => {
    const changes: PresenceChange[] = [];
    const presence = new Presence(0, 10, (change) => changes.push(change));
    presence.enter('ada');
    presence.enter('ada');
    presence.exit('ada', true);
    assert.deepEqual(presence.list(), ['ada']);
    presence.exit('ada', false);
    assert.deepEqual(changes, [
      { type: 'member-joined', user: 'ada' },
      { type: 'member-left', user: 'ada' },
    ]);
  });

  it('does not announce a user who comes back within the grace time', async () => {
    const changes: PresenceChange[] = [];
    const presence = new Presence(20, 10, (change) => changes.push(change));
    presence.enter('ada');
    presence.exit('ada', true);
    presence.enter('ada');
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.deepEqual(changes, [{ type: 'member-joined', user: 'ada' }]);
    presence.dispose();
  });
});
