import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { readConfig } from '../src/config.ts';
import { DiskPersistence } from '../src/disk-persistence.ts';
// #if auth
import type { Access } from '../src/hooks.ts';
// #endif
import { openLog } from '../src/log.ts';
import { MemoryPersistence } from '../src/persistence.ts';
import type { Persistence } from '../src/persistence.ts';
import { DocumentBroken, DocumentsFull, SharedDocument } from '../src/shared-document.ts';
import { awarenessOf, stepOne, updateOf } from '../src/yjs-messages.ts';
import { payloadOf } from '../src/frame.ts';
import { connect, refusalStatus, startServer } from './support.ts';
import type { TestClient, TestServer } from './support.ts';
// #if auth
import { tokenFor } from './support.ts';
// #endif

/** An editor with the provider that everybody has. */
class Editor {
  readonly content = new Y.Doc();
  readonly text = this.content.getText('text');
  readonly provider: WebsocketProvider;

  constructor(port: number, name: string, protocols: string[] = []) {
    this.provider = new WebsocketProvider(
      `ws://localhost:${String(port)}/collab`,
      name,
      this.content,
      {
        WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
        disableBc: true,
        protocols,
      },
    );
    editors.add(this);
  }

  /** Resolves when `holds` does. */
  async until(holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
      };
      this.content.on('update', look);
      this.provider.awareness.on('change', look);
      this.provider.on('status', look);
      this.provider.on('sync', look);
      look();
    });
  }

  async reads(text: string): Promise<void> {
    await this.until(() => this.text.toJSON() === text);
  }
}

const editors = new Set<Editor>();
after(() => {
  for (const { provider } of editors) provider.destroy();
  for (const { provider } of editors) provider.awareness.destroy();
});

/** An update that inserts `text`. */
function insertion(text: string): Uint8Array {
  const content = new Y.Doc();
  content.getText('text').insert(0, text);
  return Y.encodeStateAsUpdate(content);
}

/** The log, from now on. */
function logLines(): string[] {
  const lines: string[] = [];
  openLog(
    new Writable({
      write(line: Buffer, _, done) {
        lines.push(line.toString());
        done();
      },
    }),
  );
  return lines;
}

describe('documents that clients edit together', { timeout: 60_000 }, () => {
  let host: TestServer;
  // #if auth
  const authorize = ({ identity, action, name, allowed }: Access): boolean => {
    if (name !== 'read-only' || identity.user === 'owner') return allowed;
    return action === 'read';
  };
  // #else
  //~ const authorize = ({ action, name }: { action: string; name: string }): boolean =>
  //~   !name.startsWith('private-') && (name !== 'read-only' || action === 'read');
  // #endif
  before(async () => {
    host = await startServer(
      {
        MAX_STATE_BYTES: '20000',
        MAX_AWARENESS_BYTES: '100',
        SUBPROTOCOLS: 'collab.v1,y-websocket',
        RATE_LIMIT: '100000',
        RATE_BURST: '100000',
      },
      { authorize },
    );
  });
  after(() => host.stop());

  const edit = async (name: string, user = 'ada', port = host.port): Promise<Editor> => {
    // #if auth
    return new Editor(port, name, ['y-websocket', `bearer.${await tokenFor(user)}`]);
    // #else
    //~ return await Promise.resolve(new Editor(port, name, user === '' ? ['y-websocket'] : []));
    // #endif
  };
  const enter = async (name: string, user = 'ada'): Promise<TestClient> =>
    await connect(host.port, user, { path: `/collab/${name}` });

  it('bring what each does to all, with the provider that everybody has', async () => {
    const [first, second] = [await edit('both'), await edit('both', 'bob')];
    first.text.insert(0, 'Hello');
    await second.reads('Hello');
    second.text.insert(5, ' world');
    await first.reads('Hello world');
    const third = await edit('both');
    await third.reads('Hello world');
  });

  it('hold what was done without a connection', async () => {
    const [first, second] = [await edit('offline'), await edit('offline')];
    first.text.insert(0, 'base');
    await second.reads('base');
    second.provider.disconnect();
    await second.until(() => !second.provider.wsconnected);
    second.text.insert(4, ' two');
    first.text.insert(0, 'one ');
    second.provider.connect();
    await first.reads('one base two');
    await second.reads('one base two');
  });

  it('are kept while nobody has them open', async () => {
    const first = await edit('kept');
    first.text.insert(0, 'still there');
    await (await edit('kept')).reads('still there');
    for (const { provider } of editors) if (provider.roomname === 'kept') provider.disconnect();
    await (await edit('kept')).reads('still there');
  });

  it('say who is there, until the connection ends', async () => {
    const [first, second] = [await edit('presence'), await edit('presence')];
    first.provider.awareness.setLocalStateField('name', 'Ada');
    const id = first.content.clientID;
    await second.until(() => second.provider.awareness.getStates().get(id)?.['name'] === 'Ada');
    const raw = await enter('presence');
    const seen = new Promise<Buffer>((resolve) => {
      raw.onBinary = (data) => {
        if (data[0] === 1) resolve(data);
      };
    });
    raw.socket.send(Buffer.of(3));
    assert.match((await seen).toString(), /Ada/);
    first.provider.ws?.close();
    first.provider.shouldConnect = false;
    await second.until(() => !second.provider.awareness.getStates().has(id));
    raw.socket.terminate();
  });

  it('give their own awareness back, so that y-websocket knows that the connection lives', async () => {
    const client = await enter('echo');
    const back = new Promise<Buffer>((resolve) => {
      client.onBinary = (data) => {
        if (data[0] === 1) resolve(data);
      };
    });
    const mine = payloadOf(awarenessOf([{ id: 7, clock: 1, json: '{"a":1}' }]));
    client.socket.send(mine);
    assert.deepEqual(await back, mine);
    client.socket.terminate();
  });

  it('take nothing from who may only read', async () => {
    const reader = await enter('read-only');
    const denied = new Promise<Buffer>((resolve) => {
      reader.onBinary = (data) => {
        if (data[0] === 2) resolve(data);
      };
    });
    reader.socket.send(payloadOf(updateOf(insertion('x'))));
    assert.match((await denied).toString(), /read only/);
    const asked = new Promise<Buffer>((resolve) => {
      reader.onBinary = (data) => {
        if (data[0] === 0) resolve(data);
      };
    });
    reader.socket.send(payloadOf(stepOne(Y.encodeStateVector(new Y.Doc()))));
    assert.deepEqual([...(await asked)], [0, 1, 2, 0, 0]);
    reader.socket.terminate();
  });

  it('are closed to who may not read them', async () => {
    const client = await enter('private-plans');
    assert.equal(await client.closed, 4503);
    const editor = await edit('private-plans');
    const code = await new Promise<number>((resolve) => {
      editor.provider.on('closed', (closed) => {
        resolve(closed.code);
      });
    });
    assert.equal(code, 4403);
  });

  it('refuse what is no message of the protocol, and go on', async () => {
    const update = payloadOf(updateOf(insertion('some text')));
    for (const [bytes, code] of [
      [Buffer.of(), 1007],
      [Buffer.of(0), 1007],
      [Buffer.of(0, 2, 200), 1007],
      [Buffer.of(0, 0, 1, 255), 1007],
      [Buffer.of(1, 1, 5), 1007],
      [payloadOf(awarenessOf([{ id: 1, clock: 1, json: 'no json' }])), 1007],
      [payloadOf(awarenessOf([{ id: 1, clock: 1, json: `"${'x'.repeat(100)}"` }])), 1007],
      [update.subarray(0, -1), 1007],
      [Buffer.concat([Buffer.of(0, 2, update.length - 4), update.subarray(3, -1)]), 1007],
      [Buffer.of(0, 3, 0), 1003],
      [Buffer.of(9), 1003],
      [Buffer.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 1), 1007],
    ] as const) {
      const client = await enter('malformed');
      client.socket.send(bytes);
      assert.equal(await client.closed, code, [...bytes].join());
    }
    const editor = await edit('malformed');
    await editor.until(() => editor.provider.synced);
    assert.equal(editor.text.toJSON(), '');
  });

  it('live on, whatever of an update was changed on its way', async () => {
    const source = new Y.Doc();
    source.getText('text').insert(0, 'abc');
    source.getMap('map').set('key', { a: [1, 'two', null] });
    source.getText('text').delete(1, 1);
    const whole = Y.encodeStateAsUpdate(source);
    const kept = await edit('changed');
    kept.text.insert(0, 'kept');
    for (let at = 0; at < whole.length; at += 1) {
      const client = await enter('changed');
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      client.socket.send(payloadOf(updateOf(changed)));
      client.send({ type: 'ping' });
      await Promise.race([client.nextOf('pong'), client.closed]).catch(() => undefined);
      client.socket.terminate();
    }
    const last = await edit('changed');
    await last.until(() => last.text.toJSON().includes('kept'));
  });

  it('do not grow beyond their limit, and become smaller again', async () => {
    const [owner, other] = [await edit('large'), await edit('large')];
    owner.text.insert(0, 'x'.repeat(15_000));
    await other.reads('x'.repeat(15_000));
    const client = await enter('large');
    client.socket.send(payloadOf(updateOf(insertion('y'.repeat(6000)))));
    assert.equal(await client.closed, 1009);
    owner.text.delete(0, 15_000);
    await other.reads('');
    owner.text.insert(0, 'z'.repeat(15_000));
    await other.reads('z'.repeat(15_000));
  });

  it('are no place for updates that build upon unknown ones', async () => {
    const source = new Y.Doc();
    const updates: Uint8Array[] = [];
    source.on('update', (update: Uint8Array) => updates.push(update));
    for (const letter of ['a', 'b']) source.getText('text').insert(0, letter);
    const client = await enter('gap');
    const [first = new Uint8Array(), second = new Uint8Array()] = updates;
    let steps = 0;
    const asked = new Promise<void>((resolve) => {
      client.onBinary = (data) => {
        if (data[0] === 0 && data[1] === 0) steps += 1;
        if (steps === 1) resolve();
      };
    });
    client.socket.send(payloadOf(updateOf(second)));
    await asked;
    client.socket.send(payloadOf(updateOf(first)));
    await (await edit('gap')).reads('ba');
    client.socket.terminate();
  });

  it('bring what they took of an update to all, though they dropped the rest', async () => {
    const source = new Y.Doc();
    const updates: Uint8Array[] = [];
    source.on('update', (update: Uint8Array) => updates.push(update));
    const text = source.getText('text');
    for (const part of ['a', '-', ...Array<string>(5).fill('x'.repeat(15_000))]) {
      text.insert(text.length, part);
    }
    const [first = new Uint8Array(), , ...others] = updates;
    const last = others.pop() ?? first;
    const other = await edit('dropped');
    await other.until(() => other.provider.synced);
    const client = await enter('dropped');
    for (const update of [...others, Y.mergeUpdates([first, last])]) {
      client.socket.send(payloadOf(updateOf(update)));
    }
    assert.equal(await client.closed, 1007);
    await other.reads('a');
  });

  it('are opened as far as there is space, and the limit is named', async () => {
    const { port, stop } = await startServer({ MAX_DOCUMENTS: '1', SUBPROTOCOLS: 'collab.v1' });
    const lines = logLines();
    const first = await connect(port, 'ada', { path: '/collab/first' });
    // What it is answered comes when it is in.
    const isIn = once(first.socket, 'message');
    first.socket.send(Buffer.of(3));
    await isIn;
    const second = await connect(port, 'ada', { path: '/collab/second' });
    assert.equal(await second.closed, 1013);
    const refused = lines.filter((line) => line.includes('document-refused'));
    assert.match(refused.join(), /"document":"second","limit":"MAX_DOCUMENTS"/);
    await stop();
    const document = new SharedDocument('notes', {
      config: readConfig({}),
      persistence: new MemoryPersistence(readConfig({})),
      space: { limit: 200, bytes: 0 },
    });
    const source = new Y.Doc();
    source.on('update', (update: Uint8Array) => document.apply(update));
    // Together they take much less than each of them.
    for (let length = 0; length < 100; length += 1) source.getText('text').insert(length, 'x');
    assert.throws(() => document.apply(insertion('x'.repeat(100))), DocumentsFull);
  });
  // #if rate-limit

  it('take no more of a user who has several connections', async () => {
    const env = { USER_RATE_LIMIT: '20', USER_RATE_BURST: '1', SUBPROTOCOLS: 'collab.v1' };
    const { port, stop } = await startServer(env);
    const path = '/collab/notes';
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => connect(port, 'ada', { path })),
    );
    const since = performance.now();
    await Promise.all(
      clients.map(
        (client) =>
          new Promise<void>((resolve) => {
            let answers = 0;
            client.onBinary = (data) => {
              if (data[0] === 1) answers += 1;
              if (answers === 4) resolve();
            };
            for (let count = 0; count < 4; count += 1) client.socket.send(Buffer.of(3));
          }),
      ),
    );
    // The first is taken at once, the others in 1/20 s each.
    assert.ok(performance.now() - since > 900);
    await stop();
  });
  // #endif

  it('have names', async () => {
    for (const path of ['/collab', '/collab/', '/collab/-', '/collab/a/b', '/collab/a%20b']) {
      assert.equal(await refusalStatus(host.port, { path }), 404, path);
    }
    const response = await fetch(`http://localhost:${String(host.port)}/collab/a`);
    assert.equal(response.status, 426);
  });

  it('survive the end of the process on a disk, but for an update that was being written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collab-'));
    const file = join(folder, 'notes.yjs');
    const serve = (): Promise<TestServer> =>
      startServer({ PERSISTENCE_DIR: folder, SUBPROTOCOLS: 'collab.v1,y-websocket' });
    try {
      const first = await serve();
      const writer = await edit('notes', 'ada', first.port);
      writer.text.insert(0, 'kept');
      await (await edit('notes', 'ada', first.port)).reads('kept');
      await first.stop();
      const whole = readFileSync(file);
      const second = await serve();
      await (await edit('notes', 'bob', second.port)).reads('kept');
      await second.stop();
      for (const torn of [whole.subarray(0, 5), whole, Buffer.from('x'.repeat(whole.length))]) {
        writeFileSync(file, Buffer.concat([whole, torn.subarray(0, -1)]));
        const next = await serve();
        const reader = await edit('notes', 'bob', next.port);
        await reader.reads('kept');
        reader.text.insert(4, '!');
        await (await edit('notes', 'bob', next.port)).reads('kept!');
        await next.stop();
        const again = await serve();
        await (await edit('notes', 'bob', again.port)).reads('kept!');
        await again.stop();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('lose nothing for good when a file of theirs was damaged', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collab-'));
    const file = join(folder, 'notes.yjs');
    try {
      const updates = ['first', 'second', 'third'].map((text) => Buffer.from(insertion(text)));
      const disk = new DiskPersistence(folder);
      for (const update of updates) await disk.append('notes', update);
      const whole = readFileSync(file);
      // What is flipped: of the length, the digest and the content of the first.
      for (const [at, good] of [
        [0, []],
        [5, updates.slice(1)],
        [9, updates.slice(1)],
      ] as const) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        writeFileSync(file, damaged);
        assert.deepEqual(await disk.load('notes'), good);
        assert.deepEqual(await disk.load('notes'), good);
        const copies = readdirSync(folder).filter((name) => name.includes('.damaged-'));
        assert.equal(copies.length, 1);
        for (const copy of copies) {
          assert.deepEqual(readFileSync(join(folder, copy)), damaged);
          rmSync(join(folder, copy));
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are not begun where nothing can be kept', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collab-'));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    try {
      await assert.rejects(startServer({ PERSISTENCE_DIR: file }), (error: Error) =>
        /^PERSISTENCE_DIR cannot be used: .*EEXIST/.test(error.message),
      );
      if (existsSync('/proc/self')) {
        await assert.rejects(startServer({ PERSISTENCE_DIR: '/proc/none/here' }), /ENOENT/);
      }
      const PERSISTENCE_DIR = join(folder, 'made/when/missing');
      await (await startServer({ PERSISTENCE_DIR })).stop();
      assert.ok(existsSync(PERSISTENCE_DIR));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are compacted where they are kept, and kept as a whole after a failure', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collab-'));
    try {
      const disk = new DiskPersistence(folder);
      let failures = 2;
      const persistence: Persistence = {
        load: (name) => disk.load(name),
        append: async (name, update) => {
          failures -= 1;
          if (failures >= 0) throw new Error('no space');
          await disk.append(name, update);
        },
        replace: (name, state) => disk.replace(name, state),
        release: () => disk.release(),
      };
      const config = readConfig({});
      const parts = { config, persistence, space: { limit: 1e9, bytes: 0 } };
      const document = new SharedDocument('notes', parts);
      await document.load();
      const source = new Y.Doc();
      const text = source.getText('text');
      source.on('update', (update: Uint8Array) => document.apply(update));
      for (let count = 0; count < 100; count += 1) {
        text.delete(0, text.length);
        text.insert(0, 'x'.repeat(2000));
        await document.flush();
      }
      const { size } = statSync(join(folder, 'notes.yjs'));
      assert.ok(size < 100_000, String(size));
      const again = new SharedDocument('notes', parts);
      await again.load();
      assert.deepEqual(again.vector, document.vector);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('wait no longer to be kept when an update breaks them', async () => {
    const persistence: Persistence = {
      load: () => Promise.resolve([]),
      append: () => Promise.reject(new Error('no space')),
      replace: () => Promise.reject(new Error('no space')),
      release: () => Promise.resolve(),
    };
    const parts = { config: readConfig({}), persistence, space: { limit: 1e9, bytes: 0 } };
    const document = new SharedDocument('notes', parts);
    await document.load();
    const [source, other] = [new Y.Doc(), new Y.Doc()];
    source.getText('text').insert(0, 'a');
    document.apply(Y.encodeStateAsUpdate(source));
    // By then it has been tried once.
    await new Promise((resolve) => setImmediate(resolve));
    other.clientID = 1;
    other.getText('text').insert(0, 'abc');
    other.getText('text').insert(1, 'x');
    const update = Y.encodeStateAsUpdate(other);
    update[4] = 1;
    const lines = logLines();
    assert.throws(() => document.apply(update), DocumentBroken);
    await document.flush();
    assert.match(lines.join(), /document-not-kept/);
  });
  // #if auth

  it('are closed to who brings no token, or a bad one', async () => {
    const plain = new WebSocket(`ws://localhost:${String(host.port)}/collab/a`);
    assert.equal((await once(plain, 'close'))[0], 4401);
    const protocols = ['y-websocket', 'bearer.nonsense'];
    assert.equal(await refusalStatus(host.port, { path: '/collab/a', protocols }), 401);
    const url = `ws://localhost:${String(host.port)}/collab/a`;
    const asked = new WebSocket(url, ['collab.v1']);
    const [question] = (await once(asked, 'message')) as [Buffer];
    assert.match(question.toString(), /auth-required/);
    asked.send(JSON.stringify({ type: 'auth', token: await tokenFor('ada') }));
    const [welcome] = (await once(asked, 'message')) as [Buffer];
    assert.match(welcome.toString(), /"welcome"/);
    asked.terminate();
  });

  it('close to who shows a token with which they are closed', async () => {
    const path = '/collab/private-plans';
    const headers = {
      Authorization: `Bearer ${await tokenFor('ada', { rooms: ['private-plans'] })}`,
    };
    const client = await connect(host.port, 'ada', { path, headers });
    client.send({ type: 'auth', token: await tokenFor('ada') });
    assert.equal(await client.closed, 4503);
  });
  // #endif
});
