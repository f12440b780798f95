import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
// #if auth
import { once } from 'node:events';
import { WebSocket } from 'ws';
// #endif
import type { Peer, Protocol } from '../src/protocol.ts';
// #if auth
import { TestClient, tokenFor } from './support.ts';
// #endif
import { converse, refusalStatus, startServer } from './support.ts';
import type { TestServer } from './support.ts';

/** Does what a text message says, with what follows it. */
const DEEDS: Readonly<Record<string, (peer: Peer, rest: string) => void | Promise<void>>> = {
  echo: (peer, rest) => {
    peer.send(JSON.stringify(rest), 'echo');
  },
  fail: () => Promise.reject(new Error('a bug')),
  throw: () => {
    throw new Error('a bug');
  },
  warn: (peer) => {
    peer.warn();
  },
  flood: (peer) => {
    peer.send(JSON.stringify('x'.repeat(100_000)), 'flood');
  },
  close: (peer, rest) => {
    peer.close(4321, rest);
  },
  who: (peer) => {
    peer.send(JSON.stringify(peer.identity?.user ?? null), 'who');
  },
  // #if auth
  token: async (peer, rest) => {
    const identity = await peer.authenticate(rest);
    peer.send(JSON.stringify(identity?.user ?? 'refused'), 'token');
  },
  // #endif
};

const TEST: Protocol = {
  subprotocol: 'test.v1',
  accept: (peer) => ({
    receive: (text) => {
      const [deed = '', ...rest] = text.split(' ');
      return DEEDS[deed]?.(peer, rest.join(' '));
    },
    drain: () => {
      peer.send('"goodbye"', 'goodbye');
    },
    close: () => undefined,
  }),
};

async function serve(t: TestContext, env: Record<string, string> = {}): Promise<TestServer> {
  const host = await startServer({ SUBPROTOCOLS: 'test.v1', ...env }, { protocols: [TEST] });
  t.after(() => host.stop());
  return host;
}

describe('a protocol', () => {
  it('talks to a client that has a user', async (t) => {
    const host = await serve(t);
    const client = await converse(host.port, 'test.v1');
    client.send('who');
    assert.equal(await client.next(), 'ada');
    client.socket.close();
    assert.equal(await refusalStatus(host.port, { protocols: ['other'] }), 400);
  });

  it('gets text messages only', async (t) => {
    const host = await serve(t);
    const client = await converse(host.port, 'test.v1');
    client.socket.send(Buffer.from('echo x'));
    assert.equal(await client.closed, 1003);
  });

  it('that fails ends one connection, and not the server', async (t) => {
    const host = await serve(t);
    for (const deed of ['fail', 'throw']) {
      const client = await converse(host.port, 'test.v1');
      client.send(deed);
      assert.equal(await client.closed, 1011);
    }
  });

  it('closes over too many invalid messages', async (t) => {
    const host = await serve(t);
    const client = await converse(host.port, 'test.v1');
    for (let sent = 0; sent < 30; sent += 1) client.send('warn');
    assert.equal(await client.closed, 1008);
  });

  it('closes with a code of its own, whatever the reason', async (t) => {
    const host = await serve(t);
    const client = await converse(host.port, 'test.v1');
    client.send(`close ${'é'.repeat(100)}`);
    assert.equal(await client.closed, 4321);
  });

  it('cannot fill the memory with what a client does not read', async (t) => {
    const host = await serve(t, { MAX_BUFFERED: '16384' });
    const client = await converse(host.port, 'test.v1');
    client.send('flood');
    assert.equal(await client.closed, 4408);
  });

  it('may say goodbye when the server leaves', async () => {
    const host = await startServer({ SUBPROTOCOLS: 'test.v1' }, { protocols: [TEST] });
    const client = await converse(host.port, 'test.v1');
    const stopped = host.stop();
    assert.equal(await client.next(), 'goodbye');
    assert.equal(await client.closed, 1001);
    await stopped;
  });
  // #if rate-limit

  it('gets later what a user sends too fast', async (t) => {
    const host = await serve(t, { USER_RATE_LIMIT: '50', USER_RATE_BURST: '1' });
    const client = await converse(host.port, 'test.v1');
    for (let sent = 0; sent < 10; sent += 1) client.send(`echo ${String(sent)}`);
    for (let sent = 0; sent < 10; sent += 1) assert.equal(await client.next(), String(sent));
  });
  // #endif
  // #if auth

  it('asks a client by itself who it is', async (t) => {
    const host = await serve(t);
    const socket = new WebSocket(`ws://localhost:${String(host.port)}/`, 'test.v1');
    const client = new TestClient(socket);
    await once(socket, 'open');
    client.send('who');
    client.send('token nonsense');
    client.send(`token ${await tokenFor('bob')}`);
    client.send('who');
    client.send(`token ${await tokenFor('eve')}`);
    for (const said of [null, 'refused', 'bob', 'bob', 'refused']) {
      assert.equal(await client.next(), said);
    }
    socket.close();
  });

  it('does not keep a client that never says who it is', async (t) => {
    const host = await serve(t, { AUTH_TIMEOUT: '50' });
    const client = new TestClient(new WebSocket(`ws://localhost:${String(host.port)}/`, 'test.v1'));
    assert.equal(await client.closed, 4500);
  });

  it('ends with the token', async (t) => {
    const host = await serve(t, { AUTH_CLOCK_TOLERANCE: '0' });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const Authorization = `Bearer ${await tokenFor('ada', { exp })}`;
    const client = await converse(host.port, 'test.v1', { headers: { Authorization } });
    assert.equal(await client.closed, 4401);
  });
  // #endif
});
