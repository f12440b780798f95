import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { failedIds, runTest, runValidateHandshake } from '../../../support/endpoint.ts';
import { startWs } from '../../../support/peers/servers.ts';
import type { TestServer } from '../../../support/peers/servers.ts';

let stop: (() => void) | undefined;
afterEach(() => stop?.());

/** An echo server in a process of its own that ends with exit code 1 when `dies` says so. */
async function startMortal(dies: string): Promise<string> {
  const ws = import.meta.resolve('ws');
  const source = `
    import { createServer } from 'node:http';
    import { WebSocketServer } from ${JSON.stringify(ws)};
    let badOpcodes = 0;
    let open = 0;
    let over = false;
    const http = createServer({ maxHeaderSize: 64 * 1024 });
    const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 70_000 });
    http.on('connection', (socket) => {
      open++;
      socket.on('close', () => --open === 0 && over && process.exit(1));
    });
    http.on('upgrade', (request, socket, head) => {
      if (${dies === 'upon POST'} && request.method === 'POST') process.exit(1);
      if (${dies === 'silently, upon POST'} && request.method === 'POST') for (;;);
      const offer = request.headers['sec-websocket-extensions'] ?? '';
      if (${dies === 'after the last probe'} && offer.endsWith('server_max_window_bits=8')) over = true;
      server.handleUpgrade(request, socket, head, (peer) => {
        peer.on('error', (error) => {
          if (error.code === 'WS_ERR_INVALID_OPCODE' && ++badOpcodes === 2) {
            if (${dies === 'after close-by-server'}) peer.on('close', () => process.exit(1));
          }
          if (${dies === 'upon invalid UTF-8'} && error.code === 'WS_ERR_INVALID_UTF8') process.exit(1);
        });
        peer.on('message', (data, binary) => peer.send(data, { binary }));
      });
    });
    http.listen(0, '127.0.0.1', () => console.log(http.address().port));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stop = () => child.kill('SIGKILL');
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  return `ws://127.0.0.1:${port}/`;
}

it('blames the last check if a server did not outlive that', async () => {
  const url = await startMortal('after close-by-server');
  const { checks, success } = await runTest({ url, messages: 2, timeoutMs: 1000 });
  expect(success).toBe(false);
  expect(failedIds(checks)).toEqual(['close-by-server']);
});

it('blames the check that a server did not outlive, and skips the rest', async () => {
  const url = await startMortal('upon invalid UTF-8');
  const { checks } = await runTest({ url, messages: 2, timeoutMs: 1000, maxPayload: 70_000 });
  const at = checks.findIndex(({ id }) => id === 'invalid-utf8');
  expect(checks.filter(({ verdict }) => verdict === 'fail')).toEqual([checks[at]]);
  expect(checks[at]?.detail).toMatch(
    /^the server is gone since: .* \(a text with the bytes ed a0 80/,
  );
  for (const { id, verdict, detail } of checks.slice(at + 1)) {
    expect(verdict).toBe('skip');
    if (id !== 'compression' && id !== 'graceful-shutdown') {
      expect(detail).toBe('the server is gone since invalid-utf8');
    }
  }
});

it('reports the probe that a server did not outlive, and all that came before', async () => {
  const url = await startMortal('upon POST');
  const { rules, success } = await runValidateHandshake({ url, timeoutMs: 1000 });
  expect(success).toBe(false);
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.seen).toMatch(/^the server is gone since: /);
  expect(
    rules.filter(({ seen }) => seen.startsWith('the server is gone since probe-')).length,
  ).toBeGreaterThan(20);
  expect(rules.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(5);
});

it('notices that a server did not outlive the last probe', async () => {
  const url = await startMortal('after the last probe');
  const { rules, success } = await runValidateHandshake({ url, timeoutMs: 1000 });
  expect(success).toBe(false);
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.seen).toMatch(/^the server is gone since: .*ECONNREFUSED/);
});

it('tells a server that hangs from its probes, which are skipped', async () => {
  const url = await startMortal('silently, upon POST');
  const { rules } = await runValidateHandshake({ url, timeoutMs: 300 });
  // Only a probe that asks for others afterwards, and the next ones, can tell that nobody answers.
  const skipped = rules.filter(({ seen }) =>
    /^the server answers nobody since probe-[\w-]+; it may ban or limit/.test(seen),
  );
  expect(skipped.length).toBeGreaterThan(10);
  expect(failedIds(rules)).toEqual([]);
  const silent = rules.filter(({ seen }) => seen.includes('did not answer the handshake in time'));
  expect(silent.map(({ id }) => id)).not.toContain('probe-deflate-smallest-window');
});

/** A proxy before `url` that answers `refusal`, if there is one, or else 502 when nobody is there. */
async function startProxy(url: string, refusal: (open: number) => string | undefined) {
  const { hostname, port } = new URL(url);
  let count = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const refuse = (status: string): void => {
      socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`));
    };
    const status = refusal(++count);
    if (status !== undefined) {
      refuse(status);
      return;
    }
    const upstream = connect(Number(port), hostname, () => {
      socket.pipe(upstream).pipe(socket);
      upstream.on('close', () => socket.destroy());
    });
    upstream.on('error', () => {
      refuse('502 Bad Gateway');
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  } satisfies TestServer;
}

it('blames the check that a server behind a proxy did not outlive', async () => {
  const url = await startMortal('upon invalid UTF-8');
  await using proxy = await startProxy(url, () => undefined);
  const { checks, success } = await runTest({
    url: proxy.url,
    messages: 2,
    timeoutMs: 1000,
    maxPayload: 70_000,
  });
  expect(success).toBe(false);
  expect(failedIds(checks)).toEqual(['invalid-utf8']);
  const at = checks.findIndex(({ id }) => id === 'invalid-utf8');
  expect(checks[at]?.detail).toMatch(/^the server is gone since: /);
  expect(checks[at + 1]?.detail).toBe('the server is gone since invalid-utf8');
});

it.each(['429 Too Many Requests', '503 Service Unavailable'])(
  'skips what a limit of connections leaves no room for, without success: %s',
  async (status) => {
    await using server = await startWs();
    await using proxy = await startProxy(server.url, (count) => (count > 5 ? status : undefined));
    const { checks, success } = await runTest({ url: proxy.url, messages: 2, timeoutMs: 1000 });
    expect(success).toBe(false);
    expect(failedIds(checks)).toEqual([]);
    const limited = checks.filter(({ detail }) =>
      detail.startsWith(`the server limits connections: ${proxy.url} answered HTTP ${status}`),
    );
    expect(limited.length).toBeGreaterThan(8);
    expect(new Set(limited.map(({ verdict }) => verdict))).toEqual(new Set(['skip']));
  },
);

it('does not take a limit of connections for the refusal of an unknown subprotocol', async () => {
  await using server = await startWs();
  await using proxy = await startProxy(server.url, (count) =>
    count > 1 ? '503 Service Unavailable' : undefined,
  );
  const { checks } = await runTest({ url: proxy.url, messages: 2, timeoutMs: 1000 });
  expect(checks.find(({ id }) => id === 'subprotocol-not-invented')).toMatchObject({
    verdict: 'skip',
    detail: expect.stringMatching(/^the server limits connections/) as string,
  });
});
