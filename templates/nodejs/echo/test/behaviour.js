import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once as onceEver } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';

/** Waits for an event, but not for ever: a server that hangs has to fail its tests. */
const once = (emitter, name) => onceEver(emitter, name, { signal: AbortSignal.timeout(10_000) });

/** Servers that a failed test has left running would keep the process from ending. */
const running = new Set();
after(() => running.forEach((child) => child.kill('SIGKILL')));

/** Starts the server as it will run, on a port of the system's choice. */
async function startServer(env = {}) {
  const child = spawn(process.execPath, ['echo-server.js'], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { port } = JSON.parse(line);
  return { child, port, exited: onceEver(child, 'exit') };
}

async function open(port, protocols = [], options = {}) {
  const socket = new WebSocket(`ws://localhost:${port}/`, protocols, options);
  await once(socket, 'open');
  return socket;
}

async function refusalStatus(port, options) {
  const socket = new WebSocket(`ws://localhost:${port}/`, [], options);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  response.destroy();
  return response.statusCode;
}

describe('echo server', () => {
  let server;
  before(async () => {
    server = await startServer({
      MAX_PAYLOAD: '1000',
      MAX_CONNECTIONS_PER_IP: '2',
      PING_INTERVAL: '100',
      HANDSHAKE_TIMEOUT: '200',
      MESSAGE_TIMEOUT: '200',
      SUBPROTOCOLS: 'b,a',
    });
  });
  after(async () => {
    server.child.kill();
    await server.exited;
  });

  it('echoes text as text and binary as binary', async () => {
    const socket = await open(server.port);
    for (const [data, isBinary] of [
      ['Grüße', false],
      [Buffer.from([0, 255]), true],
      ['', false],
    ]) {
      socket.send(data);
      const [echo, binary] = await once(socket, 'message');
      assert.deepEqual([Buffer.from(data), isBinary], [echo, binary]);
    }
    socket.close(1000, 'bye');
    assert.equal((await once(socket, 'close'))[0], 1000);
  });

  it('picks its own favourite among the offered subprotocols', async () => {
    const socket = await open(server.port, ['a', 'b']);
    assert.equal(socket.protocol, 'b');
    socket.terminate();
    await once(socket, 'close');
  });

  it('closes with 1009 over a message above MAX_PAYLOAD', async () => {
    const socket = await open(server.port);
    socket.send('x'.repeat(1001));
    assert.equal((await once(socket, 'close'))[0], 1009);
  });

  it('turns down foreign pages and too many connections', async () => {
    assert.equal(await refusalStatus(server.port, { origin: 'http://evil.example' }), 403);
    const sockets = [await open(server.port), await open(server.port)];
    assert.equal(await refusalStatus(server.port), 429);
    for (const socket of sockets) {
      socket.terminate();
      await once(socket, 'close');
    }
  });

  it('drops who says nothing and who answers no pings', async () => {
    const silent = connect(server.port, 'localhost').resume();
    await once(silent, 'close');
    const dead = await open(server.port, [], { autoPong: false });
    assert.equal((await once(dead, 'close'))[0], 1006);
  });

  it('drops a message that rests and reads no further from who floods it with pongs', async () => {
    const resting = await open(server.port);
    resting.send('unfinished', { fin: false });
    const flooding = await open(server.port);
    for (let sent = 0; sent < 10_000; sent += 1) flooding.pong();
    flooding.send('late');
    assert.equal((await once(resting, 'close'))[0], 1008);
    const socket = await open(server.port);
    socket.send('soon');
    assert.equal(String((await once(socket, 'message'))[0]), 'soon');
    for (const client of [flooding, socket]) client.terminate();
    await once(socket, 'close');
  });

  it('tells how it is', async () => {
    for (const [path, status] of [
      ['healthz', 200],
      ['readyz', 200],
      ['', 426],
      ['elsewhere', 404],
    ]) {
      assert.equal((await fetch(`http://localhost:${server.port}/${path}`)).status, status);
    }
  });
});

it('closes everybody with 1001 on SIGTERM and exits with 0', async () => {
  const { child, port, exited } = await startServer();
  const socket = await open(port);
  child.kill('SIGTERM');
  assert.equal((await once(socket, 'close'))[0], 1001);
  assert.deepEqual(await exited, [0, null]);
});

it('refuses to start with a wrong setting', async () => {
  const child = spawn(process.execPath, ['echo-server.js'], {
    env: { ...process.env, PORT: '70000' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[text], [code]] = await Promise.all([once(child.stderr, 'data'), once(child, 'exit')]);
  assert.match(String(text), /PORT is "70000", expected an integer from 0 to 65535/);
  assert.equal(code, 2);
});

it('refuses to start with limits that contradict each other', async () => {
  const child = spawn(process.execPath, ['echo-server.js'], {
    env: { ...process.env, MAX_PAYLOAD: '65536', MEMORY_BUDGET: '100000' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[text], [code]] = await Promise.all([once(child.stderr, 'data'), once(child, 'exit')]);
  assert.match(String(text), /MAX_PAYLOAD is "65536", expected at most 50000, as MEMORY_BUDGET/);
  assert.equal(code, 2);
});

it('has every setting in the README', () => {
  const readme = readFileSync('README.md', 'utf8');
  const source = readFileSync('echo-server.js', 'utf8');
  for (const [, name] of source.matchAll(/(?:integer|oneOf|list)\('([A-Z_]+)'/g)) {
    assert.ok(readme.includes(`\`${name}\``), `README.md does not mention ${name}`);
  }
});
