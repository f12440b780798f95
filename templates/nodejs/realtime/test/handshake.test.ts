import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect, PATH, refusalStatus, startServer } from './support.ts';
import type { TestServer } from './support.ts';

// #if chat || pubsub || live
const [FAVOURITE, OTHER] = ['chat.v2', 'chat.v1'];
// #else
//~ const [FAVOURITE, OTHER] = ['collab.v1', 'y-websocket'];
// #endif

describe('handshake', () => {
  let host: TestServer;
  before(async () => {
    host = await startServer({
      SUBPROTOCOLS: `${FAVOURITE},${OTHER}`,
      HANDSHAKE_TIMEOUT: '200',
      MAX_CONNECTIONS: '5',
      MAX_CONNECTIONS_PER_IP: '3',
      TRUST_PROXY: '1',
    });
  });
  after(() => host.stop());

  it('admits a page from this host and a client that is no page', async () => {
    const page = await connect(host.port, 'ada', {
      origin: `http://localhost:${String(host.port)}`,
    });
    const script = await connect(host.port, 'bob');
    page.socket.terminate();
    script.socket.terminate();
    await Promise.all([page.closed, script.closed]);
  });

  it('turns a page from elsewhere down with 403', async () => {
    for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example']) {
      assert.equal(await refusalStatus(host.port, { origin }), 403, origin);
    }
  });

  it('turns a page down whose host is no name of this server', async () => {
    const page = { origin: 'http://evil.example', headers: { Host: 'evil.example' } };
    assert.equal(await refusalStatus(host.port, page), 403);
    const named = await startServer({ ALLOWED_HOSTS: 'evil.example' });
    const client = await connect(named.port, 'ada', page);
    client.socket.terminate();
    await client.closed;
    await named.stop();
  });

  it('turns pages of localhost down in production', async () => {
    const page = { origin: 'http://localhost:5173' };
    (await connect(host.port, 'ada', page)).socket.terminate();
    const live = await startServer({ NODE_ENV: 'production' });
    assert.equal(await refusalStatus(live.port, page), 403);
    await live.stop();
  });

  it('picks its own favourite among the offered subprotocols', async () => {
    const client = await connect(host.port, 'ada', { protocols: [OTHER, FAVOURITE] });
    assert.equal(client.socket.protocol, FAVOURITE);
    client.socket.terminate();
  });

  it('turns down who offers unknown subprotocols only with 400', async () => {
    assert.equal(await refusalStatus(host.port, { protocols: ['mqtt'] }), 400);
  });

  it('names the version it speaks with 426', async () => {
    const response = await fetchUpgrade(host.port, { 'Sec-WebSocket-Version': '8' });
    assert.match(response, /^HTTP\/1\.1 426 /);
    assert.match(response, /\r\nSec-WebSocket-Version: 13\r\n/);
  });

  it('knows one path and refuses bad user names', async () => {
    assert.equal(await refusalStatus(host.port, { path: '/elsewhere' }), 404);
    // #if auth
    // #else
    //~ assert.equal(await refusalStatus(host.port, { path: `${PATH}?user=a%20b` }), 401);
    // #endif
  });

  it('limits connections per address and in total', async () => {
    const from = (address: string) => ({ headers: { 'X-Forwarded-For': `1.1.1.1, ${address}` } });
    const clients = [];
    for (const name of ['a', 'b', 'c'])
      clients.push(await connect(host.port, name, from('2.2.2.2')));
    assert.equal(await refusalStatus(host.port, from('2.2.2.2')), 429);
    for (const name of ['d', 'e']) clients.push(await connect(host.port, name, from('3.3.3.3')));
    assert.equal(await refusalStatus(host.port, from('4.4.4.4')), 503);
    for (const client of clients) client.socket.terminate();
    await Promise.all(clients.map((client) => client.closed));
  });

  it('drops a client that stays silent', async () => {
    const silent = connectTcp(host.port, 'localhost');
    silent.resume();
    await once(silent, 'close');
  });

  it('declines a compression offer that it cannot take', async () => {
    const offer = 'permessage-deflate; server_max_window_bits=8';
    const response = await fetchUpgrade(host.port, { 'Sec-WebSocket-Extensions': offer });
    assert.match(response, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(response, /Sec-WebSocket-Extensions/i);
  });
});

/** The head of the answer to a handshake with the given headers. */
async function fetchUpgrade(port: number, headers: Record<string, string>): Promise<string> {
  const all = {
    Host: `localhost:${String(port)}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connectTcp(port, 'localhost');
  socket.write(`GET ${PATH} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString('latin1');
}
