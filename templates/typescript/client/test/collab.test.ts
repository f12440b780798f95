import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from 'yjs';
import { CollabProvider } from '../src/collab.ts';
import type { CollabOptions } from '../src/collab.ts';
import type { ClientError } from '../src/messages.ts';
import { FAST, Inbox, reach, settle, soon, startServer } from './support.ts';
import type { Peer, TestServer } from './support.ts';

const SYNC_STEP_1 = [0, 0];
const SYNC_STEP_2 = [0, 1];
const UPDATE = [0, 2];

const providers = new Set<CollabProvider>();
afterEach(() => {
  for (const provider of providers) provider.destroy();
  providers.clear();
});

function edit(url: string, options: CollabOptions = {}): CollabProvider {
  const provider = new CollabProvider(`${url}collab?x=1`, 'notes', new Doc(), {
    ...FAST,
    ...options,
  });
  providers.add(provider);
  return provider;
}

/** A message of less than 16 KiB. */
function message(head: readonly number[], content: Uint8Array): Uint8Array {
  const length = content.length;
  return Uint8Array.of(...head, (length & 127) | 128, length >> 7, ...content);
}

/** The server's end: what comes in, by the first numbers of each message. */
class Binary {
  readonly peer: Peer;
  readonly #inbox = new Inbox<Buffer>();

  constructor(peer: Peer) {
    this.peer = peer;
    peer.socket.removeAllListeners('message');
    peer.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#inbox.put(data);
    });
  }

  send(head: readonly number[], content: Uint8Array): void {
    this.peer.socket.send(message(head, content));
  }

  /** The content of the next message that begins with `head`. */
  async next(head: readonly number[]): Promise<Buffer> {
    for (;;) {
      const data = await this.#inbox.take(head.join());
      if (!head.every((number, index) => data[index] === number)) continue;
      const isLong = (data[head.length] ?? 0) > 127;
      return data.subarray(head.length + (isLong ? 2 : 1));
    }
  }
}

async function welcome(server: TestServer): Promise<Binary> {
  const peer = await server.accept();
  const binary = new Binary(peer);
  peer.welcome([]);
  return binary;
}

function textOf({ doc }: { doc: Doc }): string {
  return doc.getText('text').toJSON();
}

describe('a provider', () => {
  it('is open and synced when it has what the server has, and sends what it has itself', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const synced: boolean[] = [];
    provider.on('synced', (isSynced) => synced.push(isSynced));
    provider.doc.getText('text').insert(0, 'mine');
    const binary = await welcome(server);
    assert.deepEqual(await binary.next(SYNC_STEP_1), Buffer.from(encodeStateVector(provider.doc)));
    assert.equal(provider.synced, false);
    const theirs = new Doc();
    theirs.getText('other').insert(0, 'theirs');
    binary.send(SYNC_STEP_1, encodeStateVector(theirs));
    applyUpdate(theirs, await binary.next(SYNC_STEP_2));
    assert.equal(textOf({ doc: theirs }), 'mine');
    binary.send(SYNC_STEP_2, encodeStateAsUpdate(theirs));
    await reach(provider, 'open');
    assert.equal(provider.synced, true);
    assert.equal(provider.doc.getText('other').toJSON(), 'theirs');
    provider.doc.getText('text').insert(4, '!');
    applyUpdate(theirs, await binary.next(UPDATE));
    assert.equal(textOf({ doc: theirs }), 'mine!');
    binary.peer.socket.terminate();
    await reach(provider, 'waiting');
    assert.deepEqual(synced, [true, false]);
  });

  it('sends nothing back of what it gets', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const binary = await welcome(server);
    const theirs = new Doc();
    theirs.getText('text').insert(0, 'theirs');
    binary.send(SYNC_STEP_2, encodeStateAsUpdate(theirs));
    await reach(provider, 'open');
    const before = encodeStateVector(provider.doc);
    provider.doc.getText('text').insert(0, 'mine ');
    // The first update is its own.
    assert.deepEqual(
      await binary.next(UPDATE),
      Buffer.from(encodeStateAsUpdate(provider.doc, before)),
    );
  });

  it('says anew who is here after each connection, and forgets the others without one', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const { awareness, doc } = provider;
    awareness.setLocalState({ name: 'ada' });
    const first = await welcome(server);
    const state = await first.next([1]);
    const other = edit(server.url, { connect: false });
    other.awareness.setLocalState({ name: 'bob' });
    const tellOf = async (binary: Binary): Promise<void> => {
      const changed = new Promise((resolve) => awareness.once('change', resolve));
      binary.send([1], encodeAwarenessUpdate(other.awareness, [other.doc.clientID]));
      await soon(changed, 'the other');
      assert.deepEqual(awareness.getStates().get(other.doc.clientID), { name: 'bob' });
    };
    await tellOf(first);
    first.peer.socket.terminate();
    await reach(provider, 'waiting');
    assert.deepEqual([...awareness.getStates().keys()], [doc.clientID]);
    // Its clock is another: who has seen it go takes it.
    const second = await welcome(server);
    assert.notDeepEqual(await second.next([1]), state);
    // The clock of the other, which was there all the time, is the same.
    await tellOf(second);
  });

  it('says who is here of an awareness that is of another document, and keeps that', async () => {
    const server = await startServer();
    const awareness = new Awareness(new Doc());
    awareness.setLocalState({ name: 'ada' });
    const provider = edit(server.url, { awareness });
    const binary = await welcome(server);
    assert.match(String(await binary.next([1])), /ada/);
    binary.peer.socket.terminate();
    await reach(provider, 'waiting');
    assert.deepEqual(awareness.getLocalState(), { name: 'ada' });
    awareness.destroy();
  });

  it('makes another connection after a message that it cannot read', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const binary = await welcome(server);
    const failed = new Promise<ClientError>((resolve) => provider.on('error', resolve));
    binary.peer.socket.send(Uint8Array.of(0, 2, 100, 1));
    await welcome(server);
    assert.equal(textOf(provider), '');
    assert.equal((await soon(failed, 'error')).code, 'bad_message');
  });

  it('says what handlers of the document have thrown', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const binary = await welcome(server);
    const failed = new Promise<ClientError>((resolve) => provider.on('error', resolve));
    const thrown = new Error('thrown by the program');
    provider.doc.getText('text').observe(() => {
      throw thrown;
    });
    const theirs = new Doc();
    theirs.getText('text').insert(0, 'theirs');
    binary.send(SYNC_STEP_2, encodeStateAsUpdate(theirs));
    assert.equal((await soon(failed, 'error')).cause, thrown);
  });

  it('may be ended by each of its handlers', async () => {
    const server = await startServer();
    for (const name of ['authenticating', 'resuming', 'open', 'waiting', 'lost'] as const) {
      const provider = edit(server.url);
      const synced: boolean[] = [];
      provider.on('synced', (isSynced) => {
        synced.push(isSynced);
        if (name === 'lost' && !isSynced) provider.destroy();
      });
      const after: string[] = [];
      provider.on('state', (state) => {
        if (provider.state.name === 'closed') after.push(state.name);
        else if (state.name === name) provider.destroy();
      });
      const peer = await server.accept();
      const binary = new Binary(peer);
      if (name !== 'authenticating') peer.welcome([]);
      binary.send(SYNC_STEP_2, encodeStateAsUpdate(new Doc()));
      if (name === 'waiting' || name === 'lost') {
        await reach(provider, 'open');
        peer.socket.terminate();
      }
      await reach(provider, 'closed');
      await settle();
      assert.deepEqual([provider.state.name, after], ['closed', ['closed']], name);
      const wasSynced = name === 'waiting' || name === 'lost';
      assert.deepEqual(synced, wasSynced ? [true, false] : [], name);
      assert.equal(provider.synced, false);
    }
    assert.equal(server.attempts(), 5);
  });

  it('tells what was denied', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    const binary = await welcome(server);
    const denied = new Promise((resolve) => provider.on('denied', resolve));
    binary.peer.socket.send(Uint8Array.of(2, 0, 2, 0x6e, 0x6f));
    assert.equal(await denied, 'no');
  });

  it('lets go of the document', async () => {
    const server = await startServer();
    const provider = edit(server.url);
    await welcome(server);
    provider.destroy();
    provider.doc.getText('text').insert(0, 'x');
    provider.awareness.setLocalState({ name: 'ada' });
    await settle();
    assert.equal(provider.state.name, 'closed');
    assert.equal(server.attempts(), 1);
  });
});
