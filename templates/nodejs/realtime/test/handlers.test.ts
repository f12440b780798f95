import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, startServer } from './support.ts';

// #if rooms
const WHERE = { room: 'lobby' };
// #else
//~ const WHERE = {};
// #endif

it('changes and refuses messages as src/handlers/messages.ts says', async (t) => {
  const host = await startServer(
    {},
    {
      onMessage: async ({ text }) => {
        await Promise.resolve();
        return text === 'bad' ? { refuse: 'no such words' } : { text: text.toUpperCase() };
      },
    },
  );
  t.after(() => host.stop());
  const ada = await connect(host.port, 'ada');
  // #if rooms
  await ada.request({ type: 'join', ...WHERE });
  // #endif
  // They stay in their order, however long a hook takes.
  ada.send({ type: 'message', ...WHERE, text: 'bad', id: '1' });
  ada.send({ type: 'message', ...WHERE, text: 'good', id: '2' });
  const { code, message, id } = await ada.nextOf('error');
  assert.deepEqual({ code, message, id }, { code: 'forbidden', message: 'no such words', id: '1' });
  assert.equal((await ada.nextOf('message'))['text'], 'GOOD');
  ada.socket.terminate();
});
// #if rooms

it('lets into rooms whom src/handlers/authorize.ts lets', async (t) => {
  const host = await startServer(
    {},
    {
      authorize: ({ identity, action, name }) =>
        `${identity.user} ${action} ${name}` === 'ada join a',
    },
  );
  t.after(() => host.stop());
  const ada = await connect(host.port, 'ada');
  assert.equal((await ada.request({ type: 'join', room: 'a' })).type, 'joined');
  const refused = await ada.request({ type: 'join', room: 'b' });
  assert.equal(refused['code'], 'forbidden');
  const message = await ada.request({ type: 'message', room: 'b', text: 'x' });
  assert.equal(message['code'], 'not_in_room');
  ada.socket.terminate();
});
// #endif
