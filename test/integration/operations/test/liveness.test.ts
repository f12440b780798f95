import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { ServerOptions, WebSocket } from 'ws';
import type { AddressInfo } from 'node:net';
import type { TestServer } from '../../../support/peers/servers.ts';
import { failedIds, runTest } from '../../../support/endpoint.ts';

/** A server that answers in its own way. */
async function startServer(
  onText: (socket: WebSocket, text: string) => void,
  options: ServerOptions = { maxPayload: 1024 },
): Promise<TestServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => onText(socket, data.toString()));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const INPUT = { maxPayload: 1024, messages: 5, timeoutMs: 1500 };

describe('test of a server that does not echo', () => {
  it('passes one that answers what it likes, and says how that was found out', async () => {
    await using server = await startServer((socket) => socket.send('{"error":"unknown type"}'));
    const report = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'echo')).toMatchObject({
      verdict: 'skip',
      detail: 'the server does not echo: the first message did not come back',
    });
    expect(report.metrics).toMatchObject({ roundTrip: 'ping', messagesSent: 5, lost: 0 });
  });

  it('passes one that refuses messages with a code that says so', async () => {
    await using server = await startServer((socket) => socket.close(1008, 'log in first'));
    const report = await runTest({ ...INPUT, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'text')?.detail).toMatch(
      /closed with 1008 \(policy violation\), reason "log in first", which is a valid refusal/,
    );
  });

  it('warns of one that closes with 1011', async () => {
    await using server = await startServer((socket) => socket.close(1011));
    const report = await runTest({ ...INPUT, url: server.url });
    expect(report.success).toBe(true);
    expect(report.checks.find((row) => row.id === 'liveness')).toMatchObject({
      verdict: 'warn',
      detail: 'the server closed with 1011 (internal error) after a legal message',
    });
  });

  it('fails one that is told to echo with --echo', async () => {
    await using server = await startServer((socket) => socket.send('no'));
    const report = await runTest({ ...INPUT, timeoutMs: 500, echo: true, url: server.url });
    expect(failedIds(report.checks)).toContain('echo');
  });

  it('is not held to its echo with --no-echo', async () => {
    await using server = await startServer((socket, text) => socket.send(text));
    const report = await runTest({ ...INPUT, echo: false, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'echo')?.detail).toBe(
      'the server does not echo: set by --no-echo',
    );
  });
});

describe('--send and --expect', () => {
  const greet = (socket: WebSocket, text: string): void =>
    socket.send(text === 'knock' ? 'who is there?' : 'what?');

  it('pass when the answer holds the text', async () => {
    await using server = await startServer(greet);
    const report = await runTest({ ...INPUT, url: server.url, send: 'knock', expect: 'who is' });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'liveness')?.detail).toMatch(
      /^it sent a message that contains "who is"/,
    );
  });

  it('fail when no answer does, and say what came instead', async () => {
    await using server = await startServer(greet);
    const report = await runTest({
      ...INPUT,
      timeoutMs: 500,
      url: server.url,
      send: 'ring',
      expect: 'who is',
    });
    expect(failedIds(report.checks)).toEqual(['liveness']);
    expect(report.checks.find((row) => row.id === 'liveness')?.detail).toMatch(
      /nothing within \d+ ms, expected a message that contains "who is"; it sent text of 5 bytes starting "what\?"/,
    );
  });
});

describe('--compression with a server that does not echo', () => {
  it('measures what is sent and claims nothing about what the server sends', async () => {
    await using server = await startServer((socket) => socket.send('ok'), {
      maxPayload: 65_536,
      perMessageDeflate: true,
    });
    const input = { ...INPUT, maxPayload: 65_536, compression: true };
    const report = await runTest({ ...input, url: server.url });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.find((row) => row.id === 'compression')?.detail).toMatch(
      /^permessage-deflate; 16384 bytes went as \d+; the server does not echo/,
    );
    expect(report.metrics.compressionRatioReceived).toBeNull();
    expect(report.metrics.compressionRatioSent).toBeLessThan(0.3);
  });
});

describe('an echo server that also speaks unasked', () => {
  it('passes with a greeting, heartbeats in texts, and pongs that nobody asked for', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 1024 });
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.send('welcome');
      socket.pong('hb');
      socket.on('message', (data, binary) => {
        socket.send('heartbeat');
        socket.pong('hb');
        socket.send(data, { binary });
      });
      socket.on('ping', () => {
        socket.pong('hb');
        socket.send('heartbeat');
      });
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const report = await runTest({ ...INPUT, url, echo: true });
    expect(report.checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')).toEqual(
      [],
    );
    expect(report.metrics).toMatchObject({ messagesSent: 5, lost: 0 });
    await new Promise((resolve) => server.close(resolve));
  });

  it('fails for an echo that comes twice', async () => {
    await using server = await startServer((socket, text) => {
      socket.send(text);
      socket.send(text);
    });
    const report = await runTest({ ...INPUT, echo: true, url: server.url });
    expect(failedIds(report.checks)).toContain('echo');
    expect(report.checks.find((row) => row.id === 'echo')?.detail).toMatch(/ twice$/);
  });
});

describe('an echo server that refuses what is legal', () => {
  it.each([
    ['binary messages with 1003', 1003, true],
    ['messages of 64 KiB with 1009, as nobody stated a limit', 1009, false],
  ] as const)('is no failure: %s', async (_, code, ofBinary) => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 0 });
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('message', (data: Buffer, binary) => {
        if (ofBinary ? binary : data.length > 32_768) socket.close(code);
        else socket.send(data, { binary });
      });
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const report = await runTest({ messages: 5, timeoutMs: 1500, url });
    expect(failedIds(report.checks)).toEqual([]);
    const row = report.checks.find(({ id }) => id === (ofBinary ? 'binary' : 'message-64k'));
    expect(row).toMatchObject({ verdict: 'info' });
    expect(row?.detail).toMatch(new RegExp(`closed with ${code}`));
    await new Promise((resolve) => server.close(resolve));
  });
});
