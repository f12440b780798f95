import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Feature } from '../../src/generate/answers.ts';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { newSecrets } from '../../src/contract/index.ts';
import { runTest } from '../support/endpoint.ts';
import { goRequirement } from '../support/go.ts';
import { AUTH_PACKAGES, installPackages, pythonRequirement } from '../support/python.ts';
import { redisRequirement, startRedis } from '../support/redis.ts';
import type { RedisServer } from '../support/redis.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import { userToken } from '../../src/contract/token.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 600_000;

/** Servers of these serve one room together. */
const LANGUAGES = ['nodejs', 'go', 'python'] as const;

const SERVERS: readonly {
  readonly type: 'chat' | 'pubsub' | 'live-updates';
  readonly features: readonly Feature[];
}[] = [
  { type: 'chat', features: ['presence', 'auth', 'rate-limit', 'metrics', 'redis'] },
  { type: 'pubsub', features: ['redis'] },
  { type: 'live-updates', features: ['redis'] },
];

const { AUTH_SECRET = '', ...TOKENS } = newSecrets().settings;
const ADMIN_TOKEN = TOKENS['ADMIN_TOKEN'] ?? '';

async function connect(port: number, user: string): Promise<TestClient> {
  const client = await openClient(port, { headers: { Authorization: bearer(user) } });
  await client.match({ type: 'welcome' });
  return client;
}

function bearer(user: string): string {
  return `Bearer ${userToken(user, AUTH_SECRET)}`;
}

async function post(port: number, path: string, token: string, body?: object): Promise<Response> {
  return await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { Authorization: token },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

redisRequirement('servers of several languages')('servers of several languages', () => {
  const needs = [goRequirement('servers in Go'), pythonRequirement('servers in Python')];
  const describeAll = needs.find((one) => one === describe.skip) ?? describe;
  describeAll('with one Redis', () => {
    let redis: RedisServer;
    let folder: string;
    beforeAll(async () => {
      redis = await startRedis();
      folder = mkdtempSync(path.join(tmpdir(), 'websocket-skill-'));
      await installPackages(folder, [...AUTH_PACKAGES, 'redis']);
    }, COMPILE_MS);
    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await redis[Symbol.asyncDispose]();
    });

    describe.each(SERVERS)('of type $type', ({ type, features }) => {
      const generated: GeneratedServer[] = [];
      beforeAll(async () => {
        for (const language of LANGUAGES) {
          generated.push(await generateForTest({ language, type, features: [...features] }));
        }
      }, COMPILE_MS);
      afterAll(() => {
        for (const server of generated) server.dispose();
      });

      async function boot(prefix: string): Promise<{ readonly ports: readonly number[] }> {
        const env = { ...ENVIRONMENTS['standard'], ...TOKENS, AUTH_SECRET, AUTH_AUDIENCE: '' };
        const own = { ...env, REDIS_URL: redis.url, REDIS_PREFIX: prefix, POSITION_CHECK: '1000' };
        const started = generated.map((server) => {
          const modules = [path.join(server.folder, 'src'), folder];
          return server.boot({ ...own, PYTHONPATH: modules.join(path.delimiter) });
        });
        const servers = await Promise.all(started);
        return { ports: servers.map(({ port }) => port) };
      }

      it('hold their contract together, for clients of all', { timeout: 240_000 }, async () => {
        const { ports } = await boot(`${type}-contract`);
        const [url, ...alsoUrls] = ports.map((port) => `ws://127.0.0.1:${port}/`);
        const report = await runTest({
          ...{ url, alsoUrls, contract: type, messages: 5, timeoutMs: 5000 },
          ...{ publishToken: TOKENS['PUBLISH_TOKEN'], adminToken: ADMIN_TOKEN },
          ...(features.includes('auth') && { authSecret: AUTH_SECRET }),
        });
        const failed = report.checks.filter(({ verdict }) => verdict === 'fail');
        expect(failed.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([]);
        const passed = report.checks.filter(({ verdict }) => verdict === 'pass');
        expect(passed.length).toBeGreaterThan(60);
      });

      if (type === 'live-updates') {
        it('change one document', { timeout: 60_000 }, async () => {
          const { ports } = await boot('document');
          const call = async (port: number, method: string, body?: unknown): Promise<unknown> => {
            const kind = method === 'PATCH' ? 'application/json-patch+json' : 'application/json';
            const Authorization = `Bearer ${TOKENS['PUBLISH_TOKEN'] ?? ''}`;
            const response = await fetch(`http://127.0.0.1:${port}/documents/list`, {
              ...{ method, headers: { Authorization, 'Content-Type': kind } },
              ...(body !== undefined && { body: JSON.stringify(body) }),
            });
            expect(response.status).toBe(200);
            return ((await response.json()) as { data: unknown }).data;
          };
          await call(ports[0] ?? 0, 'PUT', []);
          const clients = await Promise.all(ports.map((port) => openClient(port)));
          for (const client of clients) {
            const watching = await client.request({ type: 'watch', document: 'list' });
            expect(watching['data']).toEqual([]);
          }
          // What several add at the same time is all there, everywhere in the same order.
          const numbers = Array.from({ length: 10 * ports.length }, (_, n) => n);
          const patch = (value: number): object[] => [{ op: 'add', path: '/-', value }];
          await Promise.all(
            numbers.map((n) => call(ports[n % ports.length] ?? 0, 'PATCH', patch(n))),
          );
          const lists = await Promise.all(ports.map((port) => call(port, 'GET')));
          expect([...(lists[0] as number[])].sort((a, b) => a - b)).toEqual(numbers);
          for (const list of lists) expect(list).toEqual(lists[0]);
          // Who watches gets the whole when Redis has lost its position, and hears of the end.
          await redis.client.del('document:{list}:meta');
          for (const client of clients) {
            const offset = 0;
            for (;;) {
              const { position, data } = await client.match({ type: 'snapshot' });
              if ((position as { offset: number }).offset !== offset) continue;
              expect(data).toEqual(lists[0]);
              break;
            }
          }
          await call(ports.at(-1) ?? 0, 'DELETE');
          for (const client of clients) await client.match({ type: 'removed', document: 'list' });
        });
      }
      if (type !== 'chat') return;

      it('serve one room', { timeout: 60_000 }, async () => {
        const { ports } = await boot('room');
        const clients = await Promise.all(ports.map((port, n) => connect(port, `user${n}`)));
        for (const client of clients) await client.request({ type: 'join', room: 'one' });
        const texts: string[] = [];
        for (const [from, client] of clients.entries()) {
          const text = `Wie geht’s, ${from} \u{1F600} "\\ <&>`;
          const ack = await client.request({ type: 'message', room: 'one', text });
          texts.push(text);
          for (const other of clients) {
            const heard = await other.match({ type: 'message' });
            expect(heard).toMatchObject({ from: `user${from}`, text, offset: ack['offset'] });
          }
        }
        // Whoever comes back to a server of another language has missed what it has missed, no more.
        for (const [n, port] of ports.entries()) {
          const late = await connect(port, `late${n}`);
          const { position } = await late.request({ type: 'join', room: 'one' });
          const { epoch } = position as { epoch: string };
          for (const other of ports) {
            const again = await connect(other, `late${n}`);
            const since = { offset: 1, epoch };
            const joined = await again.request({ type: 'join', room: 'one', since });
            expect(joined).toMatchObject({ recovered: true, position });
            const missed = joined['messages'] as { text: string; offset: number }[];
            expect(missed.map(({ text, offset }) => [text, offset])).toEqual(
              texts.slice(1).map((text, index) => [text, index + 2]),
            );
          }
        }
      });

      it('know what was said, who is there, and who may not be', { timeout: 60_000 }, async () => {
        const { ports } = await boot('users');
        for (const [n, port] of ports.entries()) {
          const room = `room${n}`;
          const message = { type: 'message', room, text: 'once', id: 'mine' };
          const users = ports.map((_, other) => `user${n}-${other}`);
          for (const [index, other] of ports.entries()) {
            const client = await connect(other, users[index] ?? '');
            const joined = await client.request({ type: 'join', room });
            expect(joined['members']).toEqual(users.slice(0, index + 1));
            const ada = await connect(other, 'ada');
            await ada.request({ type: 'join', room });
            ada.send(message);
            const ack = await ada.match({ type: 'ack' });
            expect(ack['duplicate']).toBe(index === 0 ? undefined : true);
            await ada.request({ type: 'leave', room });
          }
          // A ticket is good everywhere, once; what is revoked at one is refused by all.
          const user = `gone${n}`;
          for (const other of ports) {
            const answer = await post(port, '/ticket', bearer(user));
            const { ticket } = (await answer.json()) as { ticket: string };
            const path = `/?ticket=${ticket}`;
            const client = await openClient(other, { path });
            await client.match({ type: 'welcome', user });
            await expect(openClient(port, { path })).rejects.toThrow('401');
          }
          const token = bearer(user);
          const headers = { Authorization: token };
          const there = await Promise.all(ports.map((other) => openClient(other, { headers })));
          expect((await post(port, '/revoke', `Bearer ${ADMIN_TOKEN}`, { user })).status).toBe(204);
          for (const client of there) expect(await client.closed).toBe(4502);
          for (const other of ports) {
            await expect(openClient(other, { headers })).rejects.toThrow('401');
          }
        }
      });
    });
  });
});
