import { createServer } from 'node:http';
import { decodeJwt, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  projectLoad,
  projectSettings,
  whileChanging,
} from '../../../../../src/operations/benchmark/plan/project.ts';
import { BenchmarkInput } from '../../../../../src/operations/benchmark/schema.ts';
import { generateServer } from '../../../../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../../../../src/operations/generate-server/schema.ts';
import { operationContext } from '../../../../support/operation-context.ts';
import { temporaryFolder } from '../../../../support/temporary-folder.ts';
import { readConfig } from '../../../../../templates/nodejs/realtime/src/config.ts';

it.each([1, 7700, 7800, 20_000, 200_000])(
  'lets a chat server take %s connections',
  (connections) => {
    const config = readConfig(projectSettings({ connections }, {}));
    expect(config.MAX_CONNECTIONS).toBeGreaterThan(connections);
    expect(config.MAX_CONNECTIONS_PER_IP).toBeGreaterThan(connections);
    expect(config.MAX_ROOM_MEMBERS).toBeGreaterThan(Math.min(99_999, connections));
    expect(config.HANDSHAKE_RATE).toBe(1_000_000);
  },
);

it('leaves variables that are set', () => {
  const settings = projectSettings({ connections: 1 }, { RATE_LIMIT: '5', MAX_CONNECTIONS: '' });
  expect(settings['RATE_LIMIT']).toBeUndefined();
  expect(settings['MAX_CONNECTIONS']).toBe('10000');
});

describe('the load of a project', () => {
  /** What a project of this kind is loaded with. */
  async function loadOf(
    kind: Parameters<typeof GenerateServerInput.parse>[0],
    given: object = {},
    env: NodeJS.ProcessEnv = {},
  ) {
    const cwd = temporaryFolder();
    const input = GenerateServerInput.parse({ ...(kind as object), output: 'server' });
    await generateServer(input, operationContext({ cwd }));
    return await projectLoad(BenchmarkInput.parse({ project: 'server', ...given }), cwd, env);
  }

  it('has tokens, signed by a key of the run or by the one that is set', async () => {
    const kind = { type: 'pubsub', features: ['auth'] };
    const { input, tokens, secrets } = await loadOf(kind, { connections: 3 });
    expect(input.scenario).toBeUndefined();
    expect(tokens.map((token) => decodeJwt(token).sub)).toEqual(['user-0', 'user-1', 'user-2']);
    const key = Buffer.from(secrets['AUTH_SECRET'] ?? '');
    await jwtVerify(tokens[0] ?? '', key);
    const set = 'x'.repeat(32);
    const own = { AUTH_SECRET: set, AUTH_ISSUER: 'me', AUTH_AUDIENCE: 'you' };
    const other = await loadOf(kind, { connections: 5000 }, own);
    expect(other.secrets).toEqual({ AUTH_SECRET: set });
    expect(other.tokens).toHaveLength(1000);
    const wanted = { issuer: 'me', audience: 'you' };
    await jwtVerify(other.tokens[999] ?? '', Buffer.from(set), wanted);
  });

  it('leaves tokens to who brings some, or signs them elsewhere', async () => {
    const kind = { type: 'chat', features: ['auth'] };
    const none = { tokens: [], secrets: {} };
    expect(await loadOf(kind, { headers: ['authorization: Bearer x'] })).toMatchObject(none);
    expect(await loadOf(kind, { tokenFile: 'tokens' })).toMatchObject(none);
    expect(await loadOf({ type: 'chat' })).toMatchObject(none);
    const elsewhere = { AUTH_JWKS_URL: 'https://example.org/keys' };
    await expect(loadOf(kind, {}, elsewhere)).rejects.toMatchObject({
      code: 'WSK_ERR_INVALID_INPUT',
      hint: 'give some of them with --token-file',
    });
  });

  it('is a scenario for live updates, unless a mode is given', async () => {
    const kind = { type: 'live-updates' };
    expect(await loadOf(kind)).toMatchObject({ input: { scenario: 'live-updates' } });
    expect((await loadOf(kind, { mode: 'connect' })).input.scenario).toBeUndefined();
    expect((await loadOf(kind, { scenario: 'own.yaml' })).input.scenario).toBe('own.yaml');
    expect((await loadOf(kind, {}, { PUBLISH_TOKEN: 'set' })).secrets).toEqual({
      PUBLISH_TOKEN: 'set',
    });
  });

  it('is calls for an MCP server, of the tool that it was generated with or of another', async () => {
    const kind = { type: 'mcp' };
    const tool = 'write-note {"text":"wsk"}';
    expect((await loadOf(kind)).input).toMatchObject({ scenario: 'mcp', tool });
    expect((await loadOf(kind, { tool: 'other' })).input.tool).toBe('other');
    expect((await loadOf(kind, { mode: 'connect' })).input.tool).toBeUndefined();
  });
});

describe('the document of a live-updates server', () => {
  it('changes until the run has ended', async () => {
    const seen: string[] = [];
    let reached: (() => void) | undefined;
    const server = createServer((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      expect(request.headers.authorization).toBe('Bearer secret');
      if (seen.length === 3) reached?.();
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const publisher = { url: `ws://127.0.0.1:${port}/`, token: 'secret' };
    const count = await whileChanging(publisher, async () => {
      await new Promise<void>((resolve) => (reached = resolve));
      return seen.length;
    });
    expect(count).toBe(3);
    const patch = 'PATCH /documents/benchmark';
    expect(seen.slice(0, 3)).toEqual(['PUT /documents/benchmark', patch, patch]);
    server.close();
  });

  it('is not waited for when the server no longer answers', async () => {
    let asked = (): void => undefined;
    const server = createServer((request, response) => {
      if (request.method === 'PUT') response.end();
      else asked();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const publisher = { url: `ws://127.0.0.1:${port}/`, token: 'secret' };
    await whileChanging(publisher, () => new Promise<void>((resolve) => (asked = resolve)));
    server.closeAllConnections();
    server.close();
  });

  it('has to be writable', async () => {
    const server = createServer((_, response) => response.writeHead(403).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const publisher = { url: `ws://127.0.0.1:${port}/`, token: 'secret' };
    const run = (): Promise<never> => Promise.reject(new Error('it ran'));
    await expect(whileChanging(publisher, run)).rejects.toThrow(/documents.benchmark got 403/);
    server.close();
  });
});
