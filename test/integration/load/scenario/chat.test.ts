import { afterAll, beforeAll, expect, it } from 'vitest';
import { runScenario } from '../../../../src/load/run/index.ts';
import { CHAT } from '../../../../src/load/scenario/built-in/chat.ts';
import { loadScenario, parseScenario } from '../../../../src/load/scenario/index.ts';
import { loadControl, loadPlan } from '../../../support/load-results.ts';
import { generateForTest } from '../../../templates/generated.ts';
import type { GeneratedServer } from '../../../templates/generated.ts';

const servers: GeneratedServer[] = [];

beforeAll(async () => {
  for (const features of [['rooms'], ['rooms', 'presence', 'history', 'resume']] as const) {
    servers.push(await generateForTest({ type: 'chat', features: [...features] }));
  }
});

afterAll(() => {
  for (const server of servers) server.dispose();
});

it.each([
  ['with rooms', 0],
  ['with rooms, presence, history and resume', 1],
])('joins, publishes and receives on a generated chat server %s', async (_, which) => {
  await using server = await (servers[which] as GeneratedServer).boot({});
  const plan = loadPlan({
    connections: 20,
    workers: 2,
    load: { model: 'open', rate: 40, arrivals: 'constant', seed: 1 },
    phases: { rampMs: 100, warmupMs: 0, durationMs: 1500, drainMs: 5000, connectTimeoutMs: 20_000 },
  });
  const url = `ws://127.0.0.1:${server.port}/`;
  const target = { ...plan.target, url, compression: true };
  const result = await runScenario(loadScenario('chat', '.'), { ...plan, target }, loadControl());
  expect(result.errors).toEqual([]);
  expect(result.connections).toMatchObject({ opened: 20, failed: 0, dropped: 0 });
  const { sent, unsent } = result.messages;
  expect(result.messages).toMatchObject({ intended: 60, received: sent, lost: 0, wrong: 0 });
  // A machine that is busy with something else does not come to all of it in time.
  expect(sent + unsent).toBe(60);
  expect(sent).toBeGreaterThan(0);
  const labels = new Map(result.scenario?.labels.map((row) => [row.label, row]));
  expect(labels.get('welcome')?.count).toBe(20);
  expect(labels.get('join')?.count).toBe(20);
  expect(labels.get('publish')?.count).toBe(sent);
  // It comes after the reply: those of the last messages may come when the run is over.
  expect(labels.get('receive')?.count).toBeGreaterThanOrEqual(sent - 2);
  const others = result.scenario?.unasked.find(({ name }) => name === 'message of others');
  expect(others?.count).toBeGreaterThan(0);
  expect(result.notes).toContain('permessage-deflate was in force');
});

it('counts what the server turns down', async () => {
  await using server = await (servers[0] as GeneratedServer).boot({});
  const plan = loadPlan({
    connections: 2,
    load: { model: 'open', rate: 20, arrivals: 'constant', seed: 1 },
  });
  const url = `ws://127.0.0.1:${server.port}/`;
  const target = { ...plan.target, url };
  const elsewhere = CHAT.replace(/(type: message, id: .*?, room: )'.*?'/, '$1nowhere');
  const scenario = parseScenario(elsewhere, 'chat.yaml');
  const result = await runScenario(scenario, { ...plan, target }, loadControl());
  const row = result.errors.find(({ detail }) => detail.startsWith('talker: publish'));
  expect(row).toMatchObject({ kind: 'scenario', count: result.messages.wrong });
  expect(row?.first).toContain('not_in_room');
  expect(result.messages.wrong).toBeGreaterThan(0);
  const { sent, received, lost, inFlight } = result.messages;
  expect(received + lost + inFlight).toBe(sent);
});
