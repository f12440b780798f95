import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { failedIds, runTest } from '../../../support/endpoint.ts';
import type { TestServer } from '../../../support/peers/servers.ts';

const MIB = 1024 * 1024;

let stop: (() => void) | undefined;
afterEach(() => stop?.());

async function startServer(onConnection: (socket: WebSocket) => void): Promise<TestServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong: false });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server in a process of its own that stands still for `busyMs` when it gets 16 MiB. */
async function startBusy(busyMs: number): Promise<string> {
  const source = `
    import { WebSocketServer } from ${JSON.stringify(import.meta.resolve('ws'))};
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    server.on('listening', () => console.log(server.address().port));
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('message', (data, binary) => {
        const until = Date.now() + (data.length < ${16 * MIB} ? 0 : ${busyMs});
        while (Date.now() < until);
        socket.send(data, { binary });
      });
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stop = () => child.kill('SIGKILL');
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  return `ws://127.0.0.1:${port}/`;
}

const INPUT = { messages: 2, timeoutMs: 1500 };

describe('test of a server that is legal and odd', () => {
  it('does not fail one for a greeting that is larger than what is read, nor pass it', async () => {
    await using server = await startServer((socket) => {
      socket.on('ping', (data) => {
        socket.pong(data);
      });
      socket.send(Buffer.alloc(20 * MIB));
    });
    const { checks, success } = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(checks)).toEqual([]);
    expect(success).toBe(false);
    expect(checks.find(({ id }) => id === 'ping-pong')).toMatchObject({
      verdict: 'warn',
      detail: expect.stringMatching(/^the server sent more than this test reads: /) as string,
    });
  });

  it('does not fail one that closes every connection of its own accord', async () => {
    await using server = await startServer((socket) => {
      socket.close(4401, 'log in first');
    });
    const { checks } = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(checks)).toEqual([]);
    expect(checks.find(({ id }) => id === 'ping-pong')).toMatchObject({
      verdict: 'warn',
      detail: expect.stringMatching(/4401.*log in first.* before anything was sent/) as string,
    });
  });

  it('does not fail one that drops a client over a message after it has answered a ping', async () => {
    await using server = await startServer((socket) => {
      let drops = false;
      socket.on('message', () => (drops = true));
      socket.on('ping', (data) => {
        socket.pong(data, false, () => {
          if (drops) setTimeout(() => socket.terminate(), 5);
        });
      });
    });
    const { checks } = await runTest({ ...INPUT, messages: 5000, url: server.url });
    expect(failedIds(checks)).toEqual([]);
    expect(checks.find(({ id }) => id === 'liveness')).toMatchObject({
      verdict: 'warn',
      detail: expect.stringMatching(
        /dropped .*after a legal message and \d+ of 5000 pings/,
      ) as string,
    });
  });

  it('fails one that closes over a ping', async () => {
    await using server = await startServer((socket) => {
      socket.on('ping', () => {
        socket.close(1008);
      });
    });
    const { checks } = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(checks)).toContain('ping-pong');
  });

  it('lets one finish what was too large to answer in time before it asks for more', async () => {
    const url = await startBusy(5500);
    const { checks } = await runTest({ ...INPUT, url });
    expect(failedIds(checks)).toEqual([]);
    expect(checks.find(({ id }) => id === 'message-near-limit')).toMatchObject({
      verdict: 'warn',
      detail: expect.stringMatching(/16777216 bytes were neither refused nor answered/) as string,
    });
  });

  it('says that a head has too many fields, and not that it is no HTTP', async () => {
    const fields = Array.from({ length: 150 }, (_, at) => `X-${at}: v\r\n`).join('');
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`));
    }).listen(0, '127.0.0.1');
    stop = () => server.close();
    await once(server, 'listening');
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await expect(runTest({ ...INPUT, url })).rejects.toMatchObject({
      code: 'WSK_ERR_HEAD_TOO_BIG',
      message: expect.stringMatching(/\d+ header fields, expected at most 100/) as string,
    });
  });
});
