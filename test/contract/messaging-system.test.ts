import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as chatApplication from '../../processes/chat-application.ts';
import * as liveUpdates from '../../processes/live-updates.ts';
import * as realTimeFeatures from '../../processes/real-time-features.ts';
import * as messagingSystem from '../../processes/realtime-messaging-system.ts';
import { process as websocketClient } from '../../processes/websocket-client.ts';
import { runProcess } from '../../src/operations/run/run.ts';
import { context } from '../support/note-runs.ts';
import { fakeContext, passing } from '../support/process-context.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = messagingSystem.process;

const STEPS = [
  'websocket/generate-server',
  'websocket/generate-client',
  'websocket/validate-handshake',
  'websocket/test',
  'websocket/test',
  'websocket/benchmark',
  'websocket/report',
];

describe('realtime-messaging-system', () => {
  it('generates, tests and loads a server and a client, and writes a page', async () => {
    const { ctx, requests } = fakeContext((id) =>
      id === 'websocket/report' ? { success: true, page: '/runs/report.html' } : passing(id),
    );
    const features = { pubSub: true, presence: true, history: true, scaling: false };
    const inputs = { projectName: 'Team Chat', language: 'Node.js', features } as object;
    const output = await run({ ...inputs, thresholds: 'p99<50ms, errors<0.1%' }, ctx);
    expect(requests.map(([id]) => id)).toEqual(STEPS);
    const [server, client, handshake, tested, clientTested, load, page] = requests.map(
      ([, args]) => args,
    );
    expect(server).toMatchObject({
      language: 'nodejs',
      type: 'chat',
      features: ['rooms', 'presence', 'history'],
      name: 'team-chat-server',
      output: 'team-chat/server',
    });
    const made = '/out/websocket/generate-server';
    expect(client).toMatchObject({ server: made, output: 'team-chat/client', react: false });
    expect(handshake).toEqual({ project: made });
    expect(tested).toEqual({ project: made, ownTests: true });
    expect(clientTested).toEqual({
      role: 'client',
      project: '/out/websocket/generate-client',
      ownTests: true,
    });
    expect(load).toEqual({
      project: made,
      output: 'team-chat/load',
      thresholds: ['p99<50ms', 'errors<0.1%'],
    });
    expect(page).toEqual({ output: 'team-chat/report.html' });
    expect(Object.keys(output)).toEqual([
      'success',
      'projectName',
      'systemConfig',
      'implementation',
      'testResults',
      'artifacts',
      'duration',
      'metadata',
    ]);
    expect(output).toMatchObject({
      success: true,
      projectName: 'Team Chat',
      implementation: { page: '/runs/report.html' },
      testResults: { handshake: true, server: true, client: true },
    });
  });

  it.each([0, 1, 2, 3, 4, 5, 6])('is unsuccessful when step %i is', async (failing) => {
    let at = -1;
    const { ctx, requests } = fakeContext((id) => {
      at += 1;
      return at === failing ? { success: false } : passing(id);
    });
    expect(await run({}, ctx)).toMatchObject({ success: false });
    expect(requests).toHaveLength(STEPS.length);
  });

  it.each([null, 'done', 7, [], {}, { checks: 'none', rules: [null, 1], measured: 7, files: {} }])(
    'is unsuccessful, and does not fail, when tasks resolve to %j',
    async (result) => {
      const { ctx } = fakeContext(() => result);
      expect(await run({ customHandlers: 'sing' }, ctx)).toMatchObject({ success: false });
    },
  );

  it('asks an agent and a person only where the inputs do', async () => {
    const { ctx, requests } = fakeContext((id) =>
      id === 'breakpoint' ? { approved: true } : passing(id),
    );
    const output = await run({ customHandlers: 'answer /dice', review: true }, ctx);
    expect(output).toMatchObject({ success: true, metadata: { approved: true } });
    expect(requests.map(([id]) => id)).toEqual([
      ...STEPS.slice(0, 2),
      'websocket/custom-handlers',
      ...STEPS.slice(2),
    ]);
  });

  it('starts nothing that a reviewer did not approve, and still shows it', async () => {
    const { ctx, requests } = fakeContext((id) => (id === 'breakpoint' ? {} : passing(id)));
    const output = await run({ review: true }, ctx);
    expect(output).toMatchObject({ success: false, metadata: { approved: false } });
    expect(requests.map(([id]) => id)).toEqual([...STEPS.slice(0, 2), 'websocket/report']);
  });

  it('leaves out the client and the load where the inputs do', async () => {
    const { ctx, requests } = fakeContext(passing);
    const output = await run({ client: false, benchmark: false }, ctx);
    expect(output).toMatchObject({
      success: true,
      testResults: { client: null, performance: null },
    });
    expect(requests.map(([id]) => id)).toEqual([STEPS[0], STEPS[2], STEPS[3], STEPS[6]]);
  });

  it.each([
    [{ features: { pubSub: true, presence: true } }, 'chat', ['rooms', 'presence']],
    [{ features: { presence: false } }, 'pubsub', ['history', 'resume']],
    [{ features: { scaling: 'memory' } }, 'chat', ['rooms', 'presence', 'history', 'resume']],
    [
      { features: { scaling: 'Redis' } },
      'chat',
      ['rooms', 'presence', 'history', 'resume', 'redis'],
    ],
    [{ features: { scaling: true, presence: true } }, 'chat', ['presence', 'redis']],
    [{ features: ['rooms', 'scaling'] }, 'chat', ['rooms', 'redis']],
    [{ features: { pubSub: true, redis: true, scaling: 'redis' } }, 'pubsub', ['redis']],
    [{ features: 'Rooms,HISTORY' }, 'chat', ['rooms', 'history']],
    [{ features: ['auto-reconnect', 'rooms'] }, 'chat', ['rooms']],
  ])('takes %j as a %s server with %j', async (inputs, type, features) => {
    const { ctx, requests } = fakeContext(passing);
    await run(inputs, ctx);
    expect(requests[0]?.[1]).toMatchObject({ type, features });
  });

  it.each([
    [{ features: { scaling: 'kafka' } }, 'features.scaling is "kafka", which is not there'],
    [{ features: { scaling: 2 } }, 'features.scaling is 2, which is not there'],
    [{ features: { scaling: 'memory', redis: true } }, 'but features.redis is true'],
    [{ features: { pubsubs: true } }, 'features holds "pubsubs", expected one of'],
    [{ features: { presence: 'yes' } }, 'features.presence is "yes", expected true or false'],
    [{ features: { autoReconnect: false } }, 'features.auto-reconnect is false, but every client'],
    [{ type: 'echo' }, 'type is "echo", expected one of chat, pubsub, live-updates'],
    [{ type: 'live-updates', features: { pubSub: true } }, 'has documents, not topics'],
    [{ type: 'pubsub', features: { presence: true } }, 'a pubsub server has no feature presence'],
    [{ thresholds: ['p99<10'] }, 'thresholds holds "p99<10"'],
    [{ thresholds: ['p99<10ms'], benchmark: false }, 'thresholds are given, but benchmark is'],
    [{ benchmark: { conections: 5 } }, 'unknown argument "benchmark.conections"'],
    [{ client: 'yes' }, 'client is "yes", expected true, false or an object with react'],
    [{ featurs: [] }, 'unknown argument "featurs"'],
    [7, 'the inputs are 7, expected an object'],
  ])('refuses %j before it asks for a task', async (inputs, message) => {
    const { ctx, requests } = fakeContext(passing);
    await expect(run(inputs as object, ctx)).rejects.toThrow(message);
    expect(requests).toEqual([]);
  });

  it('creates no run for inputs that are refused', async () => {
    const cwd = temporaryFolder();
    const inputs = path.join(cwd, 'inputs.json');
    writeFileSync(inputs, JSON.stringify({ features: { scaling: 'kafka' } }));
    const input = { process: 'realtime-messaging-system', inputs, runsDir: 'runs', runId: 'r1' };
    await expect(runProcess(input, context({ cwd }))).rejects.toMatchObject({
      name: 'UsageError',
      hint: 'give scaling redis, memory, true or false',
    });
    expect(existsSync(path.join(cwd, 'runs'))).toBe(false);
  });
});

describe('its variants', () => {
  it.each([
    [chatApplication, 'chat', ['rooms', 'presence', 'history', 'resume']],
    [realTimeFeatures, 'pubsub', ['history', 'resume']],
    [liveUpdates, 'live-updates', ['resume']],
  ])('%# have defaults of their own', (variant, type, features) => {
    expect(variant.checkInputs({})).toMatchObject({ type, features });
  });
});

describe('websocket-client', () => {
  const inputs = {
    projectName: 'Chat Client',
    language: 'TypeScript',
    features: { autoReconnect: true, heartbeat: true, messageQueue: true },
  } as object;

  it('generates a client and holds it to its promises: two tasks, nothing else', async () => {
    const { ctx, requests } = fakeContext(passing);
    const output = await websocketClient(inputs, ctx);
    expect(requests).toEqual([
      [
        'websocket/generate-client',
        {
          language: 'typescript',
          features: ['auto-reconnect', 'heartbeat', 'message-queue'],
          react: false,
          name: 'chat-client',
          output: 'chat-client',
          force: false,
        },
      ],
      [
        'websocket/test',
        { role: 'client', project: '/out/websocket/generate-client', ownTests: true },
      ],
    ]);
    expect(Object.keys(output)).toEqual([
      'success',
      'projectName',
      'clientConfig',
      'implementation',
      'testResults',
      'artifacts',
      'duration',
      'metadata',
    ]);
    expect(output).toMatchObject({ success: true, testResults: { totalTests: 0, autobahn: null } });
  });

  it("runs Autobahn's cases against a command that echoes", async () => {
    const { ctx, requests } = fakeContext((id) =>
      id === 'websocket/autobahn-test'
        ? { success: false, compliance: { autobahnPassed: 3 } }
        : passing(id),
    );
    const autobahn = { spawn: 'node echo.js', cases: ['1.*'] };
    expect(await websocketClient({ ...inputs, autobahn }, ctx)).toMatchObject({
      success: false,
      testResults: { autobahn: { success: false, passed: 3 } },
    });
    expect(requests.at(-1)?.[1]).toEqual({ role: 'client', ...autobahn });
  });

  it.each([null, 'done', 7, [], {}, { checks: [null, 1] }])(
    'is unsuccessful, and does not fail, when tasks resolve to %j',
    async (result) => {
      const { ctx } = fakeContext(() => result);
      const output = await websocketClient({ autobahn: { spawn: 'x' } }, ctx);
      expect(output).toMatchObject({ success: false });
    },
  );

  it('starts nothing that a reviewer did not approve', async () => {
    const { ctx, requests } = fakeContext((id) => (id === 'breakpoint' ? null : passing(id)));
    expect(await websocketClient({ review: true }, ctx)).toMatchObject({ success: false });
    expect(requests).toHaveLength(1);
  });

  it.each([
    [{ language: 'Rust' }, 'language is "Rust", expected one of typescript, '],
    [{ features: { heartbeat: false } }, 'features.heartbeat is false, but every client has it'],
    [{ features: ['heartbeet'] }, 'features holds "heartbeet", expected one of'],
    [{ type: 'pubsub', features: ['presence'] }, 'a pubsub server has no feature presence'],
    [{ autobahn: true }, 'autobahn is true, expected false, or an object with spawn'],
    [{ autobahn: {} }, 'autobahn.spawn is missing'],
    [{ url: 'http://x' }, 'url is "http://x", expected a ws:// or wss:// URL'],
    [{ sever: 'x' }, 'unknown argument "sever"'],
  ])('refuses %j before it asks for a task', async (wrong, message) => {
    const { ctx, requests } = fakeContext(passing);
    await expect(websocketClient(wrong as object, ctx)).rejects.toThrow(message);
    expect(requests).toEqual([]);
  });
});
