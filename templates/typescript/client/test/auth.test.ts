import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Connection } from '../src/connection.ts';
import type { State } from '../src/connection.ts';
import { Emitter } from '../src/emitter.ts';
import { FAST, reach, settle, startServer } from './support.ts';
import type { TestServer } from './support.ts';

class Tested extends Emitter<{ state: State }> {
  readonly connection: Connection;
  readonly errors: { code: string }[] = [];

  constructor(url: string, getToken: () => string | Promise<string>) {
    super();
    this.connection = new Connection(
      { url, ...FAST, getToken },
      {
        state: (state) => this.emit('state', state),
        welcome: () => this.connection.setResumed(true),
        message: () => undefined,
        down: () => undefined,
        error: (error) => void this.errors.push(error),
      },
    );
    running.add(this);
    this.connection.connect();
  }

  get state(): State {
    return this.connection.state;
  }
}

const running = new Set<Tested>();
afterEach(() => {
  for (const tested of running) tested.connection.close();
  running.clear();
});

/** Gives t1, t2 and so on. */
function tokens(): { getToken: () => Promise<string>; count: () => number } {
  let count = 0;
  return { getToken: () => Promise.resolve(`t${++count}`), count: () => count };
}

async function started(): Promise<{ server: TestServer; tested: Tested; count: () => number }> {
  const server = await startServer();
  const { getToken, count } = tokens();
  return { server, tested: new Tested(server.url, getToken), count };
}

const REQUIRED = { type: 'auth-required', timeoutMs: 10_000 };

describe('a token', () => {
  it('is sent when the server asks for it, and kept for the next connection', async () => {
    const { server, tested, count } = await started();
    for (let connection = 0; connection < 2; connection++) {
      const peer = await server.accept();
      peer.send(REQUIRED);
      assert.equal((await peer.next('auth'))['token'], 't1');
      peer.welcome();
      await reach(tested, 'open');
      peer.socket.terminate();
      await reach(tested, 'waiting');
    }
    assert.equal(count(), 1);
  });

  it('is not fetched when the server does not ask', async () => {
    const { server, tested, count } = await started();
    (await server.accept()).welcome();
    await reach(tested, 'open');
    assert.equal(count(), 0);
  });

  it('is replaced when the server says that it expires', async () => {
    const { server, tested, count } = await started();
    const peer = await server.accept();
    peer.send(REQUIRED);
    await peer.next('auth');
    peer.welcome();
    await reach(tested, 'open');
    peer.send({ type: 'token-expiring', expiresInMs: 5000 });
    peer.send({ type: 'token-expiring', expiresInMs: 5000 });
    assert.equal((await peer.next('auth'))['token'], 't2');
    peer.send({ type: 'authenticated', expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    await settle();
    assert.equal(count(), 2);
    assert.equal(tested.state.name, 'open');
  });

  it('is replaced before it expires, once, even if the server does not say so', async () => {
    const { server, count } = await started();
    const peer = await server.accept();
    peer.send(REQUIRED);
    await peer.next('auth');
    const expiresAt = new Date(Date.now() + 500).toISOString();
    peer.welcome([], { expiresAt });
    assert.equal((await peer.next('auth'))['token'], 't2');
    peer.send({ type: 'authenticated', expiresAt });
    await settle();
    assert.equal(count(), 2);
  });

  it('is new after it has expired', async () => {
    const { server } = await started();
    const first = await server.accept();
    first.send(REQUIRED);
    await first.next('auth');
    first.welcome();
    first.socket.close(4401);
    const second = await server.accept();
    second.send(REQUIRED);
    assert.equal((await second.next('auth'))['token'], 't2');
  });

  it('is new once after it was refused', async () => {
    const { server, tested } = await started();
    for (const token of ['t1', 't2']) {
      const peer = await server.accept();
      peer.send(REQUIRED);
      const auth = await peer.next('auth');
      assert.equal(auth['token'], token);
      peer.send({ type: 'error', id: auth['id'], code: 'bad_token', message: 'no' });
      peer.socket.close(4501);
    }
    assert.equal((await reach(tested, 'closed')).code, 4501);
    assert.deepEqual(
      tested.errors.map(({ code }) => code),
      ['bad_token', 'bad_token'],
    );
  });

  it('is kept and sent again when the server cannot check it at the moment', async () => {
    const { server, tested, count } = await started();
    const unavailable = { type: 'error', code: 'unavailable', message: 'later', retryAfterMs: 20 };
    const first = await server.accept();
    first.send(REQUIRED);
    first.send({ ...unavailable, id: (await first.next('auth'))['id'] });
    first.socket.close(1013);
    assert.ok(((await reach(tested, 'waiting')).retryInMs ?? 0) >= 20);
    const peer = await server.accept();
    peer.send(REQUIRED);
    assert.equal((await peer.next('auth'))['token'], 't1');
    peer.welcome();
    await reach(tested, 'open');
    peer.send({ type: 'token-expiring', expiresInMs: 5000 });
    for (let attempt = 0; attempt < 2; attempt++) {
      const auth = await peer.next('auth');
      assert.equal(auth['token'], 't2');
      peer.send({ ...unavailable, id: auth['id'] });
    }
    assert.equal((await peer.next('auth'))['token'], 't2');
    assert.deepEqual([tested.state.name, count()], ['open', 2]);
  });

  it('is new once after 401', async () => {
    const server = await startServer();
    server.refuse({ status: 401 }, { status: 401 });
    const { getToken } = tokens();
    const tested = new Tested(server.url, getToken);
    await reach(tested, 'closed');
    assert.equal(server.attempts(), 2);
  });

  it('is fetched once, however many ask for it', async () => {
    const server = await startServer();
    const waiting: ((token: string) => void)[] = [];
    new Tested(server.url, () => new Promise((resolve) => waiting.push(resolve)));
    const first = await server.accept();
    first.send(REQUIRED);
    await settle();
    first.socket.terminate();
    const second = await server.accept();
    second.send(REQUIRED);
    await settle();
    assert.equal(waiting.length, 1);
    waiting[0]?.('t1');
    assert.equal((await second.next('auth'))['token'], 't1');
  });

  it('that cannot be fetched is tried again with the next connection', async () => {
    const server = await startServer();
    let calls = 0;
    const tested = new Tested(server.url, () => {
      if (++calls === 1) throw new Error('no network');
      return 't1';
    });
    (await server.accept()).send(REQUIRED);
    const second = await server.accept();
    second.send(REQUIRED);
    await second.next('auth');
    assert.deepEqual(
      tested.errors.map(({ code }) => code),
      ['token'],
    );
  });

  it('that takes too long ends the attempt before the server does', async () => {
    const server = await startServer();
    const tested = new Tested(server.url, () => new Promise(() => undefined));
    (await server.accept()).send({ ...REQUIRED, timeoutMs: 20 });
    const { code } = await reach(tested, 'waiting');
    assert.equal(code, 1006);
  });
});
