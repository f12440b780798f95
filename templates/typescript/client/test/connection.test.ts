import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { afterClose, afterStatus } from '../src/close-codes.ts';
import { Connection } from '../src/connection.ts';
import type { ConnectionOptions, State } from '../src/connection.ts';
import { Emitter } from '../src/emitter.ts';
import { FAST, Inbox, reach, settle, soon, startServer } from './support.ts';
import type { TestServer } from './support.ts';

/** A connection with the interface of a client. */
class Tested extends Emitter<{ state: State }> {
  readonly connection: Connection;
  readonly states: string[] = [];
  readonly messages = new Inbox<unknown>();
  readonly errors: Error[] = [];
  downs = 0;

  constructor(url: string, options: Partial<ConnectionOptions> = {}) {
    super();
    this.connection = new Connection(
      { url, ...FAST, ...options },
      {
        state: (state) => {
          this.states.push(state.name);
          this.emit('state', state);
        },
        welcome: () => this.connection.setResumed(true),
        message: (message) => this.messages.put(message),
        down: () => {
          this.downs++;
        },
        error: (error) => void this.errors.push(error),
      },
    );
    running.add(this);
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

async function connected(
  options: Partial<ConnectionOptions> = {},
): Promise<{ server: TestServer; tested: Tested }> {
  const server = await startServer();
  const tested = new Tested(server.url, options);
  tested.connection.connect();
  return { server, tested };
}

describe('states', () => {
  it('go from idle over connecting and authenticating to open, and to closed', async () => {
    const { server, tested } = await connected();
    (await server.accept()).welcome();
    await reach(tested, 'open');
    tested.connection.close();
    assert.deepEqual(tested.states, ['connecting', 'authenticating', 'open', 'closed']);
    assert.equal(tested.state.code, 1000);
  });

  it('say why it waits and for how long', async () => {
    const { server, tested } = await connected({ backoff: { baseMs: 60_000, maxMs: 60_000 } });
    (await server.accept()).socket.close(1011, 'sorry');
    const { code, reason, retryInMs } = await reach(tested, 'waiting');
    assert.deepEqual({ code, reason }, { code: 1011, reason: 'sorry' });
    assert.ok(retryInMs !== undefined && retryInMs <= 60_000);
  });

  it('connects again after close', async () => {
    const { server, tested } = await connected();
    (await server.accept()).welcome();
    await reach(tested, 'open');
    tested.connection.close();
    tested.connection.connect();
    (await server.accept()).welcome();
    await reach(tested, 'open');
  });

  it('stays closed when a handler closes it while it connects', async () => {
    const server = await startServer();
    const tested = new Tested(server.url);
    tested.on('state', ({ name }) => {
      if (name === 'connecting') tested.connection.close();
    });
    tested.connection.connect();
    await settle();
    assert.deepEqual([tested.state.name, server.attempts()], ['closed', 0]);
  });

  it('are not reached with options that are no limits', () => {
    const bad: Partial<ConnectionOptions>[] = [
      { backoff: { baseMs: -1 } },
      { backoff: { maxMs: NaN } },
      { stableMs: 'soon' as never },
    ];
    for (const options of bad) {
      const [name = ''] = Object.keys(options.backoff ?? options);
      assert.throws(() => new Tested('ws://localhost/', options), {
        name: 'TypeError',
        message: name,
      });
    }
  });

  it('is closed by a malformed url', async () => {
    const tested = new Tested('http//nothing');
    tested.connection.connect();
    await reach(tested, 'closed');
  });
});

describe('close codes', () => {
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 4500, 4501, 4502, 4999]) {
    it(`${code} closes for good`, async () => {
      const { server, tested } = await connected();
      const peer = await server.accept();
      peer.welcome();
      peer.socket.close(code);
      assert.equal((await reach(tested, 'closed')).code, code);
      assert.equal(server.attempts(), 1);
    });
  }

  for (const code of [1001, 1011, 1012, 1013, 3000, 4000, 4401, 4408, 4409, 4429, 4499]) {
    it(`${code} is followed by another attempt`, async () => {
      const { server } = await connected();
      const peer = await server.accept();
      peer.welcome();
      peer.socket.close(code);
      await server.accept();
    });
  }

  it('no code, and no close frame, are followed by another attempt', async () => {
    const { server } = await connected();
    (await server.accept()).socket.close();
    (await server.accept()).socket.terminate();
    await server.accept();
  });

  it('are not waited for when the server asks for a token and there is none', async () => {
    const { server, tested } = await connected();
    const peer = await server.accept();
    peer.send({ type: 'auth-required', timeoutMs: 10_000 });
    const { code, reason } = await reach(tested, 'closed');
    // #if auth
    const remedy = 'no getToken';
    // #else
    //~ const remedy = 'generate the client with the feature auth';
    // #endif
    assert.deepEqual([code, reason], [4500, `the server asks for a token: ${remedy}`]);
    assert.deepEqual(
      tested.errors.map(({ message }) => message),
      [reason],
    );
    assert.equal(server.attempts(), 1);
  });

  it('are in one table', () => {
    assert.equal(afterClose(4401), 'token');
    assert.equal(afterClose(4409), 'now');
    assert.equal(afterClose(4777), 'no');
    assert.equal(afterStatus(401), 'token-once');
    assert.equal(afterStatus(502), 'delay');
    assert.equal(afterStatus(302), 'no');
  });
});

describe('HTTP answers in place of a connection', () => {
  for (const status of [400, 401, 403, 404, 426]) {
    it(`${status} closes for good`, async () => {
      const server = await startServer();
      server.refuse({ status });
      const tested = new Tested(server.url);
      tested.connection.connect();
      assert.equal((await reach(tested, 'closed')).reason, `HTTP ${status}`);
      assert.equal(server.attempts(), 1);
    });
  }

  for (const status of [429, 503]) {
    it(`${status} is obeyed in its Retry-After`, async () => {
      const server = await startServer();
      server.refuse({ status, headers: { 'Retry-After': '30' } });
      const tested = new Tested(server.url);
      tested.connection.connect();
      const { retryInMs } = await reach(tested, 'waiting');
      assert.ok(retryInMs !== undefined && retryInMs >= 30_000 && retryInMs < 31_000);
    });
  }

  it('takes a Retry-After that is a date', async () => {
    const server = await startServer();
    const date = new Date(Date.now() + 60_000).toUTCString();
    server.refuse({ status: 503, headers: { 'Retry-After': date } });
    const tested = new Tested(server.url);
    tested.connection.connect();
    const { retryInMs = 0 } = await reach(tested, 'waiting');
    assert.ok(retryInMs > 50_000 && retryInMs < 61_000, String(retryInMs));
  });

  it('500 is followed by another attempt', async () => {
    const server = await startServer();
    server.refuse({ status: 500 }, { status: 502 });
    new Tested(server.url).connection.connect();
    await server.accept();
    assert.equal(server.attempts(), 3);
  });
});

describe('delays', () => {
  /** The waits before the attempts, when each of them ends before it is good. */
  async function waits(count: number, options: Partial<ConnectionOptions>): Promise<number[]> {
    const { server, tested } = await connected(options);
    const found: number[] = [];
    tested.on('state', ({ retryInMs }) => {
      if (retryInMs !== undefined) found.push(retryInMs);
    });
    for (let at = 0; at < count; at++) {
      const peer = await server.accept();
      peer.welcome();
      await reach(tested, 'open');
      peer.socket.terminate();
      await reach(tested, 'waiting');
    }
    return found;
  }

  it('grow to a limit, although each connection was opened', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    const found = await waits(6, { backoff: { baseMs: 2, maxMs: 20 } });
    assert.deepEqual(found, [2, 4, 8, 16, 20, 20]);
  });

  it('are random from 0', async (t) => {
    t.mock.method(Math, 'random', () => 0);
    assert.deepEqual(await waits(3, { backoff: { baseMs: 1000, maxMs: 2000 } }), [0, 0, 0]);
  });

  it('start anew after a connection that was good', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    assert.deepEqual(await waits(3, { backoff: { baseMs: 2, maxMs: 20 }, stableMs: 0 }), [2, 2, 2]);
  });

  it('follow the wish of a server that drains', async () => {
    const { server, tested } = await connected();
    const peer = await server.accept();
    peer.welcome();
    peer.send({ type: 'draining', retryAfterMs: 40_000 });
    peer.socket.close(1001);
    const { retryInMs } = await reach(tested, 'waiting');
    assert.ok(retryInMs !== undefined && retryInMs >= 40_000 && retryInMs < 40_010);
  });

  it('are none after a lost position, the first time', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    const { server, tested } = await connected({ backoff: { baseMs: 60_000, maxMs: 60_000 } });
    (await server.accept()).socket.close(4409);
    (await server.accept()).socket.close(4409);
    const found: unknown[] = [];
    tested.on('state', ({ retryInMs }) => found.push(retryInMs));
    await reach(tested, 'waiting');
    assert.equal(tested.state.retryInMs, 60_000);
  });
});

describe('time limits', () => {
  it('end an attempt without a welcome', async () => {
    const { server } = await connected({ connectTimeoutMs: 20 });
    await server.accept();
    await server.accept();
  });

  it('end a connection that is silent', async () => {
    const { server, tested } = await connected({ pongTimeoutMs: 20 });
    const peer = await server.accept();
    peer.welcome([], { pingIntervalMs: 20 });
    await peer.next('ping');
    await server.accept();
    assert.equal(tested.downs, 1);
  });

  it('keep a connection whose server answers', async () => {
    const { server } = await connected({ pongTimeoutMs: 2000 });
    const peer = await server.accept();
    peer.welcome([], { pingIntervalMs: 5 });
    for (let ping = 0; ping < 5; ping++) {
      await peer.next('ping');
      peer.send({ type: 'pong' });
    }
    assert.equal(server.attempts(), 1);
  });
});

describe('what no server should send', () => {
  for (const garbage of ['{', '[]', '"text"', '{"no":"type"}', Buffer.from([1, 2])]) {
    it(`${JSON.stringify(garbage)} makes it connect again`, async () => {
      const { server, tested } = await connected();
      const peer = await server.accept();
      peer.welcome();
      await reach(tested, 'open');
      peer.socket.send(garbage);
      await server.accept();
    });
  }

  it('is ignored when it is of a type that nobody knows, or a second welcome', async () => {
    const { server, tested } = await connected();
    const peer = await server.accept();
    peer.send({ type: 'early' });
    peer.welcome();
    peer.welcome();
    peer.send({ type: 'later' });
    assert.deepEqual(await tested.messages.take('a message'), { type: 'later' });
  });

  it('is ignored after the connection was given up', async () => {
    const { server, tested } = await connected();
    const first = await server.accept();
    first.welcome();
    await reach(tested, 'open');
    tested.connection.restart('test');
    first.send({ type: 'late' });
    const second = await server.accept();
    second.welcome();
    second.send({ type: 'new' });
    assert.deepEqual(await tested.messages.take('a message'), { type: 'new' });
  });
});

describe('in a page', () => {
  const page = new EventTarget() as EventTarget & { visibilityState: string };

  function inPage(t: { after: (step: () => void) => void }): { setOnline: (is: boolean) => void } {
    const navigator = { onLine: true };
    const target = new EventTarget();
    const names = ['addEventListener', 'removeEventListener', 'navigator', 'document'] as const;
    const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
    const values = [
      target.addEventListener.bind(target),
      target.removeEventListener.bind(target),
      navigator,
      page,
    ];
    names.forEach((name, at) =>
      Object.defineProperty(globalThis, name, { value: values[at], configurable: true }),
    );
    t.after(() =>
      names.forEach((name, at) => {
        const descriptor = before[at];
        if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
        else Object.defineProperty(globalThis, name, descriptor);
      }),
    );
    return {
      setOnline: (isOnline) => {
        navigator.onLine = isOnline;
        target.dispatchEvent(new Event(isOnline ? 'online' : 'offline'));
      },
    };
  }

  const SLOW = { backoff: { baseMs: 600_000, maxMs: 600_000 } };

  it('waits without end while the computer is offline, and not at all when it is back', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    const { setOnline } = inPage(t);
    const { server, tested } = await connected(SLOW);
    const peer = await server.accept();
    peer.welcome();
    await reach(tested, 'open');
    setOnline(false);
    peer.socket.terminate();
    assert.equal((await reach(tested, 'waiting')).retryInMs, undefined);
    setOnline(true);
    await server.accept();
  });

  it('stops a wait when the computer goes offline', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    const { setOnline } = inPage(t);
    const { server, tested } = await connected(SLOW);
    (await server.accept()).socket.terminate();
    assert.equal((await reach(tested, 'waiting')).retryInMs, 600_000);
    setOnline(false);
    assert.equal(tested.state.retryInMs, undefined);
  });

  it('tries at once when somebody looks at it', async (t) => {
    t.mock.method(Math, 'random', () => 1);
    inPage(t);
    const { server, tested } = await connected(SLOW);
    (await server.accept()).socket.terminate();
    await reach(tested, 'waiting');
    page.visibilityState = 'hidden';
    page.dispatchEvent(new Event('visibilitychange'));
    assert.equal(tested.state.retryInMs, 600_000);
    page.visibilityState = 'visible';
    page.dispatchEvent(new Event('visibilitychange'));
    await server.accept();
  });

  it('obeys Retry-After even when the network comes back', async (t) => {
    const { setOnline } = inPage(t);
    const server = await startServer();
    server.refuse({ status: 503, headers: { 'Retry-After': '50' } });
    const tested = new Tested(server.url);
    tested.connection.connect();
    await reach(tested, 'waiting');
    setOnline(false);
    setOnline(true);
    const { retryInMs = 0 } = tested.state;
    assert.ok(retryInMs > 40_000, String(retryInMs));
  });

  it('asks whether the server is still there when somebody looks at it', async (t) => {
    inPage(t);
    const { server, tested } = await connected();
    const peer = await server.accept();
    peer.welcome();
    await reach(tested, 'open');
    page.dispatchEvent(new Event('visibilitychange'));
    await peer.next('ping');
  });
});

describe('the runtime', () => {
  it('needs no WebSocket of its own where ws is installed', async () => {
    const server = await startServer();
    const connection = new Connection(
      { url: server.url },
      {
        state: () => undefined,
        welcome: () => connection.setResumed(true),
        message: () => undefined,
        down: () => undefined,
        error: () => undefined,
      },
    );
    connection.connect();
    await server.accept();
    connection.close();
  });

  it('sends nothing without a connection', async () => {
    const { server, tested } = await connected();
    assert.equal(tested.connection.send('too early'), false);
    (await server.accept()).welcome();
    await reach(tested, 'open');
    assert.equal(tested.connection.send({ type: 'ping' }), true);
  });

  it('survives a server that is not there', async () => {
    const probe = new WebSocket('ws://127.0.0.1:1/');
    await soon(new Promise((resolve) => probe.once('error', resolve)), 'a refusal');
    const tested = new Tested('ws://127.0.0.1:1/');
    tested.connection.connect();
    await reach(tested, 'waiting');
    await reach(tested, 'connecting');
  });
});
