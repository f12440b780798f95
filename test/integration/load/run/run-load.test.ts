import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import type { ServerOptions, WebSocket } from 'ws';
import { runLoad, runScenario } from '../../../../src/load/run/index.ts';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import type { LoadResult, SecondSample } from '../../../../src/load/result.ts';
import { parseScenario } from '../../../../src/load/scenario/index.ts';
import { summarize } from '../../../../src/load/stats/index.ts';
import { createCertificate } from '../../../support/certificates.ts';
import { loadControl, loadPlan } from '../../../support/load-results.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** How late the thread that wakes a worker starts, in milliseconds. */
const pacer = vi.hoisted(() => ({ lateMs: 0 }));
vi.mock(import('../../../../src/load/run/thread-sources.ts'), async (original) => {
  const { threadSources } = await original();
  return {
    threadSources: () => {
      const sources = threadSources();
      if (pacer.lateMs === 0) return sources;
      const late = `setTimeout(() => import('${sources.pacer}'), ${String(pacer.lateMs)})`;
      return { ...sources, pacer: late };
    },
  };
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
  pacer.lateMs = 0;
});

/** A server of the `ws` package; `serve` is called for each connection. */
async function listen(
  serve: (socket: WebSocket, server: WebSocketServer) => void,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: false, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    serve(socket, server);
  });
  closers.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  if (options.server === undefined) await once(server, 'listening');
  const { port } = (options.server ?? server).address() as AddressInfo;
  return { server, url: `ws://127.0.0.1:${port}/` };
}

const echo = (socket: WebSocket): void => {
  socket.on('message', (data, binary) => {
    socket.send(data, { binary });
  });
};

type Changes = Omit<Partial<LoadPlan>, 'target' | 'phases'> & {
  readonly target?: Partial<LoadPlan['target']>;
  readonly phases?: Partial<LoadPlan['phases']>;
};

function planFor(url: string, { target, phases, ...changes }: Changes = {}): LoadPlan {
  const plan = loadPlan(changes);
  return {
    ...plan,
    target: { ...plan.target, url, ...target },
    phases: {
      ...plan.phases,
      durationMs: 400,
      drainMs: 10_000,
      connectTimeoutMs: 20_000,
      ...phases,
    },
  };
}

function expectToAddUp({ messages }: LoadResult): void {
  expect(messages.received + messages.lost + messages.inFlight).toBe(messages.sent);
}

describe('runLoad', () => {
  it('sends the headers, subprotocols and tokens of the plan, a token for each connection', async () => {
    const seen: string[] = [];
    const { server, url } = await listen(echo, { handleProtocols: () => 'chat' });
    server.on('connection', (_socket, { headers }) => {
      const { authorization = '', 'x-run': run, 'sec-websocket-protocol': offered } = headers;
      seen.push(`${authorization} ${String(run)} ${String(offered)}`);
    });
    const target = {
      headers: [['X-Run', 'a']] as const,
      subprotocols: ['chat'],
      tokens: ['t', 'u'],
    };
    const result = await runLoad(planFor(url, { connections: 4, target }), loadControl());
    expect(result.connections.opened).toBe(4);
    expect(seen.toSorted()).toEqual([
      'Bearer t a chat',
      'Bearer t a chat',
      'Bearer u a chat',
      'Bearer u a chat',
    ]);
  });

  it('leaves the warm-up out of every figure', async () => {
    const { url } = await listen(echo);
    const result = await runLoad(planFor(url, { phases: { warmupMs: 300 } }), loadControl());
    expect(result.messages.intended).toBe(40);
    expect(result.phases.warmupMs).toBe(300);
    expect(result.latency.lateness?.count).toBe(40);
    expect(result.seconds.reduce((sum, { sent }) => sum + sent, 0)).toBe(70);
  });

  it('leaves replies that come in the drain out of the throughput', async () => {
    const { url } = await listen((socket) => {
      socket.on('message', (data) => setTimeout(() => socket.send(data), 300));
    });
    const result = await runLoad(planFor(url), loadControl());
    expect(result.messages).toMatchObject({ sent: 40, received: 40, lost: 0 });
    // Of 400 ms, replies to the first 100 ms can come within them.
    expect(result.messages.inWindow).toBeLessThanOrEqual(11);
    expect(summarize(result, planFor(url), null).rate.received).toBeLessThanOrEqual(27.5);
  });

  it('tells each second as it passes', async () => {
    const { url } = await listen(echo);
    const seconds: SecondSample[] = [];
    const plan = planFor(url, { phases: { durationMs: 1500 } });
    const result = await runLoad(plan, loadControl({ onSecond: (row) => seconds.push(row) }));
    expect(seconds).toEqual(result.seconds);
    expect(seconds.length).toBeGreaterThanOrEqual(2);
    expect(seconds.map(({ second }) => second)).toEqual(seconds.map((_, index) => index + 1));
    expect(seconds.some(({ response }) => response !== null && response.p50 > 0)).toBe(true);
    expect(seconds[0]?.rssBytes).toBeGreaterThan(1_000_000);
  });

  it('begins to measure at the time that was agreed on', async () => {
    const firsts: number[] = [];
    const { url } = await listen((socket) => {
      socket.once('message', () => firsts.push(Date.now()));
      echo(socket);
    });
    const startAt = Date.now() + 1500;
    const plan = planFor(url, { phases: { warmupMs: 200 } });
    await runLoad(plan, loadControl({ startAt }));
    expect(Math.min(...firsts)).toBeGreaterThanOrEqual(startAt - 202);
  });

  it.each([
    ['binary', { opcode: 2, size: { kind: 'uniform', min: 0, max: 300 } }],
    ['text', { opcode: 1, size: { kind: 'fixed', bytes: 70_000 } }],
    ['sample', { opcode: 1, size: { kind: 'sample', base64: 'eyJhIjoxfQ==' } }],
  ] as const)('sends and checks %s payloads of other sizes', async (_what, message) => {
    const { url } = await listen(echo);
    const result = await runLoad(planFor(url, { message, workers: 2 }), loadControl());
    expect(result.messages).toMatchObject({ sent: 40, received: 40, wrong: 0, lost: 0 });
    expect(result.errors).toEqual([]);
  });

  it('keeps what is in flight apart from what is lost when it is interrupted', async () => {
    const abort = new AbortController();
    const { url } = await listen((socket) => {
      socket.on('message', () => abort.abort());
    });
    const plan = planFor(url, { phases: { durationMs: 60_000 } });
    const result = await runLoad(plan, loadControl({ signal: abort.signal }));
    expect(result.interrupted).toBe(true);
    expect(result.messages.inFlight).toBeGreaterThan(0);
    expect(result.messages.lost).toBe(0);
    expectToAddUp(result);
  });

  it('can be interrupted while it connects', async () => {
    const abort = new AbortController();
    // A listener of ws that takes a second argument answers by calling it: this one never does.
    const verifyClient = (info: unknown, answer: unknown): void => abort.abort([info, answer]);
    const { url } = await listen(echo, { verifyClient });
    const result = await runLoad(planFor(url), loadControl({ signal: abort.signal }));
    expect(result).toMatchObject({ interrupted: true, connections: { opened: 0, dropped: 0 } });
  });

  it('ends connections with a closing handshake', async () => {
    const codes: number[] = [];
    const { url } = await listen((socket) => {
      echo(socket);
      socket.on('close', (code) => codes.push(code));
    });
    await runLoad(planFor(url, { connections: 3 }), loadControl());
    // The server sees an end after the generator.
    await expect.poll(() => codes).toEqual([1000, 1000, 1000]);
  });

  it('throws the error of the endpoint when nothing listens', async () => {
    const { server, url } = await listen(echo);
    server.close();
    await once(server, 'close');
    await expect(runLoad(planFor(url), loadControl())).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'WSK_ERR_REFUSED',
    });
  });

  it.each([
    ['echo', 'WSK_ERR_HTTP_STATUS'],
    ['connect', 'WSK_ERR_HTTP_STATUS'],
  ] as const)('throws when all handshakes are refused, in the mode %s', async (mode, code) => {
    const { url } = await listen(echo, { verifyClient: () => false });
    await expect(runLoad(planFor(url, { mode }), loadControl())).rejects.toMatchObject({ code });
  });

  it('counts handshakes that some clients are refused', async () => {
    let count = 0;
    const { url } = await listen(echo, { verifyClient: () => count++ % 5 !== 0 });
    const result = await runLoad(planFor(url, { connections: 10 }), loadControl());
    expect(result.connections).toMatchObject({ opened: 8, failed: 2 });
    expect(result.errors).toEqual([
      { kind: 'status', detail: '401', count: 2, first: 'answered HTTP 401 Unauthorized' },
    ]);
    expect(result.messages).toMatchObject({ sent: 40, received: 40 });
  });

  it.each([
    ['at once, of a known length', ['Content-Length: 26\r\n\r\nover MAX_CONNECTIONS_PER_IP']],
    ['later', ['Content-Length: 26\r\n\r\n', 'over MAX_CONNECTIONS_PER_IP']],
    ['until the end of the connection', ['\r\nover MAX_CONNECTIONS', '_PER_IP', null]],
    ['and no end', ['\r\nover MAX_CONNECTIONS_PER_IP']],
    [
      'in chunks',
      [
        'Transfer-Encoding: chunked\r\n\r\n4\r\nover\r\n',
        '17\r\n MAX_CONNECTIONS_PER_IP\r\n0\r\n\r\n',
      ],
    ],
  ])('says why the server refused: a body %s', async (_, pieces) => {
    const http = createServer();
    const server = new WebSocketServer({ noServer: true });
    let count = 0;
    http.on('upgrade', (request, socket: Socket, head) => {
      if (count++ === 0) {
        server.handleUpgrade(request, socket, head, (client) => echo(client));
        return;
      }
      socket.on('error', () => undefined).setNoDelay(true);
      socket.write('HTTP/1.1 429 Too Many Requests\r\n');
      for (const [i, piece] of pieces.entries()) {
        setTimeout(() => (piece === null ? socket.end() : socket.write(piece)), i * 20);
      }
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    closers.push(() => {
      for (const client of server.clients) client.terminate();
      http.close();
    });
    const { port } = http.address() as AddressInfo;
    const load = { ...loadPlan().load, perConnection: true } as LoadPlan['load'];
    const plan = planFor(`ws://127.0.0.1:${port}/`, { connections: 4, load });
    const result = await runLoad(plan, loadControl());
    expect(result.errors).toEqual([
      {
        kind: 'status',
        detail: '429',
        count: 3,
        first: 'answered HTTP 429 Too Many Requests: "over MAX_CONNECTIONS_PER_IP"',
      },
    ]);
    // Of 100 messages per second over 4 connections, for 400 ms, one connection has a quarter.
    expect(result.messages).toMatchObject({ intended: 10, sent: 10, received: 10 });
  });

  it('gives up on handshakes that take too long', async () => {
    let count = 0;
    const { url } = await listen(echo, {
      verifyClient: (_info, accept) => {
        if (count++ > 0) accept(true);
      },
    });
    const phases = { connectTimeoutMs: 700 };
    const result = await runLoad(planFor(url, { connections: 2, phases }), loadControl());
    expect(result.connections).toMatchObject({ opened: 1, failed: 1 });
    expect(result.errors).toMatchObject([{ kind: 'timeout', detail: 'handshake', count: 1 }]);
  });

  it('reports a worker that crashes, with its share, and goes on with the others', async () => {
    const { url } = await listen(echo);
    // No header can hold this token, and it is the second worker that would send it.
    const target = { tokens: ['good', 'bad\r\nX: y'] };
    const plan = planFor(url, { connections: 4, workers: 2, target });
    const result = await runLoad(plan, loadControl());
    expect(result.errors).toMatchObject([{ kind: 'worker', detail: 'worker 2', count: 1 }]);
    expect(result.errors[0]?.first).toContain('cannot be sent');
    expect(result.connections.opened).toBe(2);
    expect(result.messages.received).toBeGreaterThan(0);
    expect(result.notes.join()).toContain('worker 2 of 2 ended early');
  });

  it('survives a limit of descriptors, which it names', async () => {
    const { url } = await listen(echo);
    const engine = new URL('../../../../dist/src/load/run/index.js', import.meta.url);
    const plan = planFor(url, { connections: 200 });
    const script = `
      const { runLoad } = await import(${JSON.stringify(fileURLToPath(engine))});
      const control = { signal: new AbortController().signal, onSecond() {}, startAt: null };
      const { connections, errors } = await runLoad(${JSON.stringify(plan)}, control);
      console.log(JSON.stringify({ connections, errors }));`;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -n 120 && exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    const { connections, errors } = JSON.parse(stdout) as LoadResult;
    expect(connections.opened + connections.failed).toBe(200);
    expect(connections.failed).toBeGreaterThan(0);
    expect(errors).toMatchObject([{ kind: 'descriptors', detail: 'EMFILE' }]);
  });

  it('takes its own ports on each source address, and others where those are taken', async () => {
    const peers: string[] = [];
    const { server, url } = await listen(echo);
    server.on('connection', (_socket, { socket }) => {
      peers.push(`${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`);
    });
    const target = { sourceAddresses: ['127.0.0.1'] };
    const plan = planFor(url, { connections: 6, workers: 2, target });
    const results = await Promise.all([runLoad(plan, loadControl()), runLoad(plan, loadControl())]);
    expect(results.map(({ connections }) => connections.opened)).toEqual([6, 6]);
    expect(new Set(peers).size).toBe(12);
    expect(peers.every((peer) => peer.includes('127.0.0.1:'))).toBe(true);
  });
});

describe('over TLS', () => {
  async function listenSecure(requestCert: boolean) {
    const folder = temporaryFolder();
    const certificate = createCertificate(folder, { name: 'IP:127.0.0.1' });
    const { key, cert } = certificate;
    const server = createHttpsServer({ key, cert, requestCert, ca: requestCert ? [cert] : [] });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const { url } = await listen(echo, { server, port: undefined });
    return { url: url.replace('ws:', 'wss:'), key, cert };
  }

  it.each([
    ['small', 32],
    ['large', 40_000],
  ])('%s messages come back', async (_what, bytes) => {
    const { url, cert } = await listenSecure(false);
    const load = { model: 'closed', depth: 4, seed: 1 } as const;
    const message = { opcode: 2, size: { kind: 'fixed', bytes } } as const;
    const plan = planFor(url, { connections: 3, load, message, target: { ca: cert } });
    const result = await runLoad(plan, loadControl());
    expect(result.messages.received).toBeGreaterThan(10);
    expect(result.messages.received).toBe(result.messages.sent);
    expect(result.errors).toEqual([]);
  });

  it('the client has a certificate of its own', async () => {
    const { url, key, cert } = await listenSecure(true);
    const result = await runLoad(planFor(url, { target: { ca: cert, key, cert } }), loadControl());
    expect(result.messages).toMatchObject({ sent: 40, received: 40 });
  });

  it('a certificate that is not trusted is an error, unless any will do', async () => {
    const { url } = await listenSecure(false);
    await expect(runLoad(planFor(url), loadControl())).rejects.toMatchObject({
      code: 'WSK_ERR_TLS',
    });
    const result = await runLoad(planFor(url, { target: { insecure: true } }), loadControl());
    expect(result.messages.received).toBe(40);
  });
});

describe('the mode connect', () => {
  it('opens as many as are due, and closes each', async () => {
    let opened = 0;
    const { server, url } = await listen(() => opened++);
    const load = { model: 'open', rate: 100, arrivals: 'constant', seed: 1 } as const;
    const plan = planFor(url, { mode: 'connect', load, workers: 2 });
    const result = await runLoad(plan, loadControl());
    expect(result.messages).toMatchObject({ intended: 40, sent: 40, received: 40, lost: 0 });
    // One more asks first whether the server is there.
    expect(opened).toBe(41);
    expect(result.latency.response?.count).toBe(40);
    expect(result.latency.connect.count).toBe(40);
    expect(server.clients.size).toBe(0);
  });

  it.each([
    ['at rate 0', { model: 'open', rate: 0, arrivals: 'constant', seed: 1 }],
    ['in the closed model', { model: 'closed', depth: 2, seed: 1 }],
  ] as const)('opens as fast as the server lets it %s', async (_what, load) => {
    let opened = 0;
    const { url } = await listen(() => opened++);
    const phases = { durationMs: 1500 };
    const plan = planFor(url, { mode: 'connect', connections: 1, load, phases });
    const result = await runLoad(plan, loadControl());
    // More than there are places, so each is taken again.
    expect(result.messages.received).toBeGreaterThan(2);
    expect(result.messages.received).toBe(opened - 1);
    expect(result.latency.lateness).toBeNull();
    expectToAddUp(result);
  });

  it('counts what the server refuses as lost', async () => {
    let count = 0;
    const { url } = await listen(() => undefined, { verifyClient: () => count++ % 2 === 0 });
    const result = await runLoad(planFor(url, { mode: 'connect' }), loadControl());
    expect(result.messages.sent).toBe(40);
    expect(result.messages.lost).toBe(20);
    expect(result.errors).toMatchObject([{ kind: 'status', count: 20 }]);
    expectToAddUp(result);
  });
});

describe('the mode idle', () => {
  it('answers pings, sends nothing and notices who is dropped', async () => {
    let pongs = 0;
    const { url } = await listen((socket, server) => {
      socket.on('pong', () => pongs++);
      socket.on('message', () => {
        throw new Error('a quiet connection sent a message');
      });
      setTimeout(() => {
        socket.ping('beat');
        socket.send('news');
      }, 150);
      if (server.clients.size === 5) setTimeout(() => socket.close(1001, 'bye'), 250);
    });
    const load = { model: 'open', rate: 0, arrivals: 'constant', seed: 1 } as const;
    const phases = { durationMs: 800 };
    const plan = planFor(url, { mode: 'idle', connections: 5, load, phases });
    const result = await runLoad(plan, loadControl());
    expect(pongs).toBe(5);
    expect(result.notes).toEqual(['answered 5 pings of the server']);
    expect(result.connections).toMatchObject({ opened: 5, dropped: 1 });
    expect(result.errors).toEqual([
      {
        kind: 'close',
        detail: '1001',
        count: 1,
        first: 'closed with 1001 (going away), reason "bye"',
      },
    ]);
    expect(result.messages).toMatchObject({ intended: 0, sent: 0, received: 0, wrong: 0 });
    expect(result.latency).toMatchObject({ response: null, service: null, lateness: null });
  });
});

describe('the mode fanout', () => {
  const RATE = 50;
  const load = { model: 'open', rate: RATE, arrivals: 'constant', seed: 1 } as const;
  const message = { opcode: 1, size: { kind: 'fixed', bytes: 0 } } as const;
  const fanout = {
    publishers: 2,
    join: ['{"join":"room"}'],
    publish: '{"say":"{{id}}"}',
    toSelf: true,
  };

  /** A room: what is said goes to all who joined, as `spread` has it. */
  function room(spread: (say: string, send: (text: string) => void, to: number) => void) {
    const said: string[] = [];
    return listen((socket, server) => {
      socket.on('message', (data) => {
        const message = JSON.parse((data as Buffer).toString()) as Record<string, string>;
        if (message['join'] !== undefined) Object.assign(socket, { joined: true });
        if (message['say'] !== undefined) said.push(message['say']);
        const members = [...server.clients].filter((client) => 'joined' in client);
        // The first to speak may be ahead of another connection's request to join.
        if (members.length < server.clients.size) return;
        for (const say of said.splice(0)) {
          for (const [to, member] of members.entries()) {
            // Its length varies, and so does the place of what is looked for.
            const send = (text: string): void =>
              member.send(JSON.stringify({ at: 'x'.repeat(to), time: Date.now(), text }));
            spread(say, send, to);
          }
        }
      });
    });
  }

  function plan(url: string, changes: Changes = {}): LoadPlan {
    return planFor(url, { mode: 'fanout', load, message, fanout, workers: 2, ...changes });
  }

  it('counts each delivery to each receiver, whichever worker has it', async () => {
    const { url } = await room((say, send) => send(say));
    const result = await runLoad(plan(url), loadControl());
    const published = (RATE * 400) / 1000;
    expect(result.messages).toMatchObject({
      intended: published * 10,
      sent: published * 10,
      received: published * 10,
      lost: 0,
      wrong: 0,
      duplicated: 0,
    });
    expect(result.latency.response?.count).toBe(published * 10);
    expect(result.latency.lastDelivery?.count).toBe(published);
    expect(result.latency.lateness?.count).toBe(published);
    expect(result.fairness).toEqual({ min: published, median: published, max: published });
    expect(result.errors).toEqual([]);
  });

  it('knows what was not delivered, what came twice, and what is none of its own', async () => {
    const { url } = await room((say, send, to) => {
      send('somebody else is here');
      send(`${say.slice(0, 5)}99999999999`);
      if (to === 3) return;
      send(say);
      if (to === 4) send(say);
    });
    const result = await runLoad(plan(url, { phases: { drainMs: 1500 } }), loadControl());
    expect(result.messages).toMatchObject({
      sent: 200,
      received: 180,
      lost: 20,
      duplicated: 20,
      wrong: 200,
    });
    expect(result.errors.map(({ kind, count }) => [kind, count])).toEqual([
      ['wrong', 200],
      ['lost', 20],
      ['duplicated', 20],
    ]);
    expect(result.latency.lastDelivery?.count).toBe(0);
  });

  it('publishes anew in the closed model when all have it', async () => {
    const { url } = await room((say, send) => send(say));
    const closed = { model: 'closed', depth: 2, seed: 1 } as const;
    const result = await runLoad(plan(url, { load: closed }), loadControl());
    expect(result.messages.received).toBeGreaterThan(40);
    expect(result.messages.lost).toBe(0);
    expectToAddUp(result);
  });
});

describe('a pacer that starts late', () => {
  const load = { model: 'open', rate: 100, arrivals: 'constant', seed: 1 } as const;

  it('holds up no handshake that is due', async () => {
    pacer.lateMs = 3000;
    const { url } = await listen(() => undefined);
    const { latency } = await runLoad(planFor(url, { mode: 'connect', load }), loadControl());
    // Late by the pacer, each would have taken at least 2.6 s.
    expect((latency.response?.percentile(50) ?? Infinity) / 1e6).toBeLessThan(2500);
  });

  it('is waited for before the connections of a scenario', async () => {
    pacer.lateMs = 1000;
    const openedMs: number[] = [];
    const { url } = await listen((socket) => {
      openedMs.push(performance.now());
      echo(socket);
    });
    const steps =
      '{ loop: { times: 1, every: 1s, steps: [send: { text: a }, expect: { text: a }] } }';
    const scenario = parseScenario(`steps: [connect, ${steps}]\n`, 'test.yaml');
    const startedMs = performance.now();
    await runScenario(scenario, planFor(url, { load }), loadControl());
    expect(Math.min(...openedMs) - startedMs).toBeGreaterThan(1000);
  });
});
