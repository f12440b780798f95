import { describe, expect, it, onTestFinished } from 'vitest';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import type { LoadResult, SecondSample } from '../../../../src/load/result.ts';
import { runScenario } from '../../../../src/load/run/index.ts';
import { JSON_RPC } from '../../../../src/load/scenario/built-in/json-rpc.ts';
import { loadScenario, parseScenario } from '../../../../src/load/scenario/index.ts';
import { generateForTest } from '../../../templates/generated.ts';
import { loadControl, loadPlan } from '../../../support/load-results.ts';
import { startWsServer } from '../../../support/peers/ws-server.ts';
import type { WsServerCounts, WsServerOptions } from '../../../support/peers/ws-server.ts';

const CLOSED = { model: 'closed', depth: 1, seed: 1 } as const;

function planFor(url: string, changes: Partial<LoadPlan> = {}): LoadPlan {
  const plan = loadPlan({ load: CLOSED, ...changes });
  return {
    ...plan,
    target: { ...plan.target, url },
    phases: { rampMs: 0, warmupMs: 0, durationMs: 1000, drainMs: 2000, connectTimeoutMs: 20_000 },
  };
}

interface Run {
  readonly result: LoadResult;
  readonly server: WsServerCounts;
}

/** Runs the scenario of that name, or with those steps, and checks that its counts add up. */
async function run(
  scenario: string,
  { plan = {}, ...options }: WsServerOptions & { plan?: Partial<LoadPlan> } = {},
): Promise<Run> {
  const parsed = scenario.includes('\n')
    ? parseScenario(scenario, 'test.yaml')
    : loadScenario(scenario, '.');
  await using server = await startWsServer({ jsonRpc: true, ...options });
  const result = await runScenario(parsed, planFor(server.url, plan), loadControl());
  const { intended, sent, received, lost, inFlight, unsent } = result.messages;
  expect(received + lost + inFlight).toBe(sent);
  expect(sent + unsent).toBe(intended);
  expect(result.latency.service?.count).toBe(received);
  const counts = await server.counts();
  // What the last connections still sent us when we had closed them is theirs alone.
  expect(result.scenario?.total.sent).toBe(counts.received);
  return { result, server: counts };
}

/** One request after the other, 20 ms apart, each given up after a second. */
const CALLS = `
steps:
  - connect
  - loop:
      forever: true
      every: 20ms
      steps:
        - send: { json: { id: '{{pass}}', method: add, params: [1, 2] } }
        - expect: { json: { id: '{{pass}}' }, check: { json: { result: 3 } }, label: add, timeout: 1s }
`;

function errorsOf(result: LoadResult): Record<string, number> {
  return Object.fromEntries(
    result.errors.map(({ kind, detail, count }) => [`${kind} ${detail}`, count]),
  );
}

describe('the scenario json-rpc', () => {
  it('counts what the server counts, and measures each request by its label', async () => {
    const load = { model: 'open', rate: 200, arrivals: 'constant', seed: 1 } as const;
    const { result, server } = await run('json-rpc', { plan: { load, workers: 2 } });
    expect(result.engine).toBe('scenario');
    expect(result.errors).toEqual([]);
    expect(result.messages).toMatchObject({ intended: 200, lost: 0, wrong: 0, inFlight: 0 });
    expect(result.messages.sent).toBe(server.received);
    expect(result.connections).toMatchObject({ requested: 10, opened: 10, failed: 0, dropped: 0 });
    const [label] = result.scenario?.labels ?? [];
    expect(label).toMatchObject({ label: 'add', count: result.messages.received, failed: 0 });
    expect(label?.response?.count).toBe(result.messages.received);
    expect(result.latency.response?.count).toBe(result.messages.received);
    expect(result.latency.lateness?.count).toBe(result.messages.sent);
  });

  it('runs against an echo server that generate-server writes', async () => {
    const generated = await generateForTest({ type: 'echo' });
    onTestFinished(generated.dispose);
    await using server = await generated.boot({});
    const load = { model: 'open', rate: 50, arrivals: 'constant', seed: 1 } as const;
    const plan = planFor(`ws://127.0.0.1:${server.port}/`, { load });
    const result = await runScenario(loadScenario('json-rpc', '.'), plan, loadControl());
    expect(result.errors).toEqual([]);
    expect(result.messages).toMatchObject({ intended: 50, lost: 0, wrong: 0 });
    expect(result.messages.received).toBeGreaterThan(0);
  });

  it.each([
    ['neither result nor method', '{ jsonrpc: "2.0", id: "{{pass}}", other: 1 }'],
    ['an error', '{ jsonrpc: "2.0", id: "{{pass}}", result: 1, error: { code: 1 } }'],
  ])('takes a reply with %s for an error', async (_, reply) => {
    // The echo of what is sent stands for the reply of a server.
    const text = JSON_RPC.replace(/json: \{ jsonrpc: '2.0', id.*$/m, `json: ${reply}`);
    const { result } = await run(text.replace(/every: 1s/, 'every: 100ms'), { jsonRpc: false });
    expect(result.errors).toMatchObject([
      { kind: 'scenario', detail: expect.stringMatching(/add/) as string },
    ]);
  });

  it('paces itself by its own schedule in the closed model', async () => {
    const { result } = await run(CALLS, { plan: { connections: 4 } });
    expect(result.messages.intended).toBe(4 * 50);
  });

  it('takes a wrong reply for an error of the step, with what was expected and what came', async () => {
    const { result, server } = await run(CALLS, { fault: 'error' });
    expect(server.faults).toBeGreaterThan(0);
    const [row] = result.errors;
    expect(row).toMatchObject({ kind: 'scenario', count: server.faults });
    expect(row?.detail).toBe('client 1: add (9:19)');
    expect(row?.first).toMatch(/^client 1: add \(9:19\): expected result = 3, got \{.*"error":/);
    expect(result.messages).toMatchObject({ wrong: server.faults, lost: 0 });
    expect(result.scenario?.labels[0]).toMatchObject({ failed: server.faults });
  });

  it('loses a message whose reply does not come in time, and goes on', async () => {
    const { result, server } = await run(CALLS, { fault: 'drop' });
    expect(server.faults).toBeGreaterThan(1);
    expect(result.messages.lost).toBe(server.faults);
    expect(errorsOf(result)).toMatchObject({
      'scenario client 1: add (9:19)': server.faults,
      'lost no reply': server.faults,
    });
    expect(result.errors.find(({ kind }) => kind === 'scenario')?.first).toMatch(
      /^client 1: add \(9:19\): expected id = "\{\{pass\}\}": nothing in 1000 ms/,
    );
    expect(result.connections.opened).toBe(10);
  });

  it('connects again when the server closes, and counts why', async () => {
    const { result, server } = await run(CALLS, {
      fault: 'close',
      every: 20,
      plan: { connections: 2 },
    });
    expect(server.faults).toBeGreaterThan(0);
    expect(result.connections.dropped).toBe(server.faults);
    expect(errorsOf(result)['close 1011']).toBe(server.faults);
    expect(result.errors.find(({ kind }) => kind === 'close')?.first).toContain('had enough');
    expect(result.scenario?.iterations.failed).toBe(server.faults);
    expect(result.messages.lost).toBe(server.faults);
    expect(result.messages.unsent).toBeGreaterThan(0);
  });

  it('counts what comes unasked and has a handler, without an error', async () => {
    const { result, server } = await run('json-rpc', {
      fault: 'notify',
      plan: { load: { model: 'open', rate: 200, arrivals: 'constant', seed: 1 } },
    });
    expect(result.errors).toEqual([]);
    expect(result.scenario?.unasked).toEqual([{ name: 'notification', count: server.faults }]);
  });

  it('takes what comes unasked and has no handler for an error', async () => {
    const { result, server } = await run(CALLS, { fault: 'not-json', every: 2 });
    expect(server.faults).toBeGreaterThan(0);
    expect(result.messages.wrong).toBe(server.faults);
    expect(result.errors[0]?.first).toBe('client 1 got a message that nothing expects: hm');
  });
});

describe('a scenario', () => {
  it('carries variables, captures, headers, subprotocols and binary messages to the server', async () => {
    const { result, server } = await run(
      `
data:
  user: { sequence: 100, per: client }
clients:
  - name: caller
    weight: 3
    steps:
      - connect: { path: /rpc, query: { as: '{{user}}' }, subprotocol: rpc.v1 }
      - send: { json: { id: 1, method: echo, params: [{ token: 'a "b"' }] } }
      - expect: { json: { id: 1 }, capture: { token: '$.result[0].token' } }
      - send: { json: { id: 2, method: echo, params: ['{{token}}'] } }
      - expect: { json: { id: 2, '$.result[0]': 'a "b"' }, label: echoed }
      - loop: { forever: true, steps: [think: 50ms] }
  - name: sender
    steps:
      - connect: { headers: { X-User: 'user {{user}}' } }
      - send: { binary: AAEC }
      - expect: { binary: AAEC, label: bytes }
      - loop: { forever: true, steps: [think: 50ms] }
`,
      { plan: { connections: 4 } },
    );
    expect(result.errors).toEqual([]);
    expect(server.users.map((user) => Number(/\d+$/.exec(user)?.[0])).toSorted()).toEqual([
      100, 101, 102, 103,
    ]);
    expect(server.users.filter((user) => user.startsWith('/rpc?as='))).toHaveLength(3);
    expect(server.subprotocols.filter((name) => name === 'rpc.v1')).toHaveLength(3);
    const labels = result.scenario?.labels.map(({ label, count }) => [label, count]);
    // Outside of loops a client comes by once, and is counted whatever the phase.
    expect(labels).toEqual([
      ['echoed', 3],
      ['bytes', 1],
    ]);
    expect(result.scenario?.total).toEqual({ sent: 7, received: 7 });
  });

  it('answers what the server asks', async () => {
    const { result, server } = await run(
      `
steps:
  - connect
  - loop: { forever: true, steps: [think: 50ms] }
on:
  - name: hello
    json: { method: hello }
    capture: { what: '$.params[0]' }
    answer: { json: { id: 9, method: echo, params: ['{{what}}'] } }
  - { name: answered, json: { id: 9 }, exists: '$.result[0]' }
`,
      { fault: 'greet', plan: { connections: 3 } },
    );
    expect(server.received).toBe(3);
    expect(result.scenario?.unasked).toEqual([
      { name: 'hello', count: 3 },
      { name: 'answered', count: 3 },
    ]);
  });

  it('keeps from its handlers what a later step of the pass expects, when both come at once', async () => {
    const { result, server } = await run(
      `
steps:
  - connect
  - loop:
      forever: true
      every: 20ms
      steps:
        - send: { json: { id: '{{pass}}', method: add, params: [1, 2] } }
        - expect: { json: { id: '{{pass}}' } }
        - expect: { json: { method: news, '$.params[0]': '{{pass}}' }, label: news, timeout: 2s }
on:
  - { name: any news, json: { method: news } }
`,
      { fault: 'reply-and-notify', every: 1, plan: { connections: 1 } },
    );
    expect(result.errors).toEqual([]);
    const [label] = result.scenario?.labels ?? [];
    expect(label).toMatchObject({ label: 'news', failed: 0 });
    expect(label?.count).toBeGreaterThanOrEqual(server.faults - 1);
    expect(label?.count).toBeGreaterThan(1);
  });

  it('runs its steps again when they have an end, at the rate of the open model', async () => {
    const steps = CALLS.replace('forever: true', 'times: 2').replace('every: 20ms', '');
    const load = { model: 'open', rate: 40, arrivals: 'constant', seed: 1 } as const;
    const { result, server } = await run(steps, { plan: { load, connections: 4 } });
    // Two messages in each iteration; every one has a connection of its own.
    expect(result.messages.intended).toBe(40);
    expect(server.connections).toBeGreaterThan(4);
    expect(result.errors).toEqual([]);
    expect(result.notes).toContain('the rate paces whole iterations, as no loop has an every');
  });

  it('hands over what it has when it is interrupted', async () => {
    await using server = await startWsServer({ jsonRpc: true });
    const controller = new AbortController();
    const plan = planFor(server.url);
    const phases = { ...plan.phases, durationMs: 60_000 };
    const onSecond = ({ sent }: SecondSample): void => {
      if (sent > 0) controller.abort();
    };
    const result = await runScenario(
      parseScenario(CALLS, 'test.yaml'),
      { ...plan, phases },
      loadControl({ signal: controller.signal, onSecond }),
    );
    const { sent, received, lost, inFlight } = result.messages;
    expect(result.interrupted).toBe(true);
    expect(sent).toBeGreaterThan(0);
    expect(received + lost + inFlight).toBe(sent);
  });

  it('fails when nobody could connect', async () => {
    const server = await startWsServer({ jsonRpc: true });
    const { url } = server;
    await server[Symbol.asyncDispose]();
    const running = runScenario(parseScenario(CALLS, 'test.yaml'), planFor(url), loadControl());
    await expect(running).rejects.toMatchObject({ code: 'WSK_ERR_REFUSED' });
  });
});
