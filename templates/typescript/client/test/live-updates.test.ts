import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Json } from '../src/json-patch.ts';
import { LiveUpdatesClient } from '../src/live-updates.ts';
import type { LiveDocument } from '../src/live-updates.ts';
import { FAST, Inbox, startServer, take } from './support.ts';
import type { Message, Peer, TestServer } from './support.ts';

interface Documents {
  score: { goals: number };
}

const running = new Set<{ close: () => void }>();
afterEach(() => {
  for (const client of running) client.close();
  running.clear();
});

interface Session {
  readonly server: TestServer;
  readonly document: LiveDocument<Documents['score']>;
  /** `1: {"goals":0}` for each change, `recovered: …` and `removed`. */
  readonly seen: Inbox<string>;
}

async function session(): Promise<Session> {
  const server = await startServer();
  const client = new LiveUpdatesClient<Documents>({ url: server.url, ...FAST });
  running.add(client);
  const document = client.watch('score');
  const seen = new Inbox<string>();
  document.on('change', ({ data, offset }) => seen.put(`${offset}: ${JSON.stringify(data)}`));
  document.on('recovered', ({ recovered }) => seen.put(`recovered: ${recovered}`));
  document.on('removed', () => seen.put('removed'));
  client.connect().catch(() => undefined);
  return { server, document, seen };
}

function patch(offset: number, value: Json = offset, path = '/goals'): Message {
  return {
    ...{ type: 'patch', document: 'score', offset },
    patch: [{ op: 'replace', path, value }],
  };
}

async function admit(peer: Peer, more: Message): Promise<Message> {
  const command = await peer.next('watch');
  peer.send({ type: 'watching', id: command['id'], document: 'score', ...more });
  return command;
}

function snapshot(offset: number, epoch = 'e1'): Message {
  return { position: { offset, epoch }, recovered: false, data: { goals: offset } };
}

/** A client that has version 1, and the server's end. */
async function watching(): Promise<Session & { peer: Peer }> {
  const made = await session();
  const peer = await made.server.accept();
  peer.welcome(['resume']);
  await admit(peer, snapshot(1));
  assert.deepEqual(await take(made.seen, 1), ['1: {"goals":1}']);
  return { ...made, peer };
}

describe('a document', () => {
  it('changes with each patch, once and in order', async () => {
    const { document, peer, seen } = await watching();
    const before = document.data;
    peer.send(patch(2), patch(2), patch(3));
    assert.deepEqual(await take(seen, 2), ['2: {"goals":2}', '3: {"goals":3}']);
    assert.deepEqual([before, document.data], [{ goals: 1 }, { goals: 3 }]);
  });

  it('continues after a lost connection', async () => {
    const { server, peer, seen } = await watching();
    peer.socket.terminate();
    const second = await server.accept();
    second.welcome(['resume']);
    const patches = [patch(2), patch(3)];
    const reply = { position: { offset: 3, epoch: 'e1' }, recovered: true, patches };
    assert.deepEqual((await admit(second, reply))['since'], { offset: 1, epoch: 'e1' });
    assert.deepEqual(await take(seen, 3), ['recovered: true', '2: {"goals":2}', '3: {"goals":3}']);
  });

  it('is replaced when the server has not kept the patches', async () => {
    const { server, peer, seen } = await watching();
    peer.socket.terminate();
    const second = await server.accept();
    second.welcome(['resume']);
    await admit(second, snapshot(1, 'e2'));
    second.send(patch(2));
    assert.deepEqual(await take(seen, 3), ['recovered: false', '1: {"goals":1}', '2: {"goals":2}']);
  });

  it('is asked for as a whole when a patch does not apply', async () => {
    const { peer, seen } = await watching();
    peer.send(patch(2, 1, '/none'), patch(3));
    assert.equal('since' in (await admit(peer, snapshot(3))), false);
    peer.send(patch(4));
    assert.deepEqual(await take(seen, 3), ['recovered: false', '3: {"goals":3}', '4: {"goals":4}']);
  });

  it('asks from where it is when a patch is missing', async () => {
    const { peer, seen } = await watching();
    peer.send(patch(3));
    const patches = [patch(2), patch(3)];
    const reply = { position: { offset: 3, epoch: 'e1' }, recovered: true, patches };
    assert.deepEqual((await admit(peer, reply))['since'], { offset: 1, epoch: 'e1' });
    assert.deepEqual(await take(seen, 3), ['recovered: true', '2: {"goals":2}', '3: {"goals":3}']);
  });

  it('is asked for as a whole when the answer has a gap', async () => {
    const { server, peer, seen } = await watching();
    peer.socket.terminate();
    const second = await server.accept();
    second.welcome(['resume']);
    const reply = { position: { offset: 3, epoch: 'e1' }, recovered: true, patches: [patch(3)] };
    await admit(second, reply);
    assert.equal('since' in (await admit(second, snapshot(3))), false);
    assert.deepEqual((await take(seen, 3)).slice(1), ['recovered: false', '3: {"goals":3}']);
  });

  it('connects again to a server that never sends it', async () => {
    const { server } = await session();
    const peer = await server.accept();
    peer.welcome(['resume']);
    await admit(peer, { position: { offset: 1, epoch: 'e1' }, recovered: true, patches: [] });
    await server.accept();
  });

  it('is replaced by a newer snapshot, and by no older one', async () => {
    const { peer, seen } = await watching();
    peer.send(patch(2), { type: 'snapshot', document: 'score', ...snapshot(1) });
    peer.send({ type: 'snapshot', document: 'score', ...snapshot(9) }, patch(10));
    assert.deepEqual(await take(seen, 3), ['2: {"goals":2}', '9: {"goals":9}', '10: {"goals":10}']);
  });

  it('starts anew with a snapshot of another epoch', async () => {
    const { peer, seen } = await watching();
    peer.send({ type: 'snapshot', document: 'score', ...snapshot(0, 'e2') }, patch(1));
    assert.deepEqual(await take(seen, 3), ['recovered: false', '0: {"goals":0}', '1: {"goals":1}']);
  });

  it('is undefined after it was removed, and comes back', async () => {
    const { document, peer, seen } = await watching();
    peer.send({ type: 'removed', document: 'score' });
    assert.deepEqual(await take(seen, 1), ['removed']);
    assert.equal(document.data, undefined);
    peer.send(patch(2));
    assert.equal('since' in (await admit(peer, snapshot(2))), false);
    assert.deepEqual(await take(seen, 2), ['recovered: false', '2: {"goals":2}']);
  });
});
