import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketClientTransport } from '../../src/mcp/index.ts';
import { validateHandshake } from '../../src/operations/validate-handshake/validate-handshake.ts';
import { ValidateHandshakeInput } from '../../src/operations/validate-handshake/schema.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { runBenchmark } from '../support/load-operation.ts';
import { connectV1, connectV2, until } from '../support/mcp.ts';
import type { TestClient } from '../support/mcp.ts';
import { operationContext } from '../support/operation-context.ts';
import { websocketSkill } from '../support/programs.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

const AUTH_SECRET = 'a secret of at least thirty-two bytes';
const NOTE = 'note://shared';

let generated: GeneratedServer;
let server: ServerProcess;
let url: string;

beforeAll(async () => {
  generated = await generateForTest({ type: 'mcp', features: ['auth', 'metrics'] });
  const env = { AUTH_SECRET };
  server = await startServerProcess(['dist/src/main.js'], { cwd: generated.folder, env });
  url = `ws://127.0.0.1:${server.port}/`;
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  generated.dispose();
});

async function tokenFor(user: string): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 600;
  return await new SignJWT({ sub: user, exp })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(AUTH_SECRET));
}

/** What the tool, the resource and the prompt of a new project give. */
async function use({ client, call }: TestClient, text: string): Promise<unknown[]> {
  await call('write-note', { text });
  const { contents } = await client.readResource({ uri: NOTE });
  const { messages } = await client.getPrompt({ name: 'summarize-note', arguments: {} });
  return [contents, messages[0]?.content];
}

describe('a generated MCP server', () => {
  it('holds to the contract', async () => {
    const known = { tool: 'write-note {"text":"wsk"}' };
    const results = await runContractRows(generated.project, undefined, 10_000, { known });
    const broken = results.filter(({ verdict }) => verdict === 'fail');
    expect(broken.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
    expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(100);
  }, 120_000);

  const transport = (by: 'header' | 'subprotocol' = 'header') =>
    new WebSocketClientTransport(url, { auth: { token: () => tokenFor('ada'), by } });

  it.each([
    ['version 1', () => connectV1(transport())],
    ['version 2', () => connectV2(transport('subprotocol'), 'legacy')],
    ['version 2, modern era', () => connectV2(transport(), { pin: '2026-07-28' })],
  ])('serves a client of %s over our transport', async (name, connect) => {
    await using client = await connect();
    expect(await use(client, name)).toEqual([
      [{ uri: NOTE, mimeType: 'text/plain', text: name }],
      { type: 'text', text: `Summarize this note of ada in English:\n\n${name}` },
    ]);
  });

  it('tells one client what another has changed, and no client what it has not asked for', async () => {
    await using listener = await connectV1(transport());
    await using deaf = await connectV1(transport());
    await using writer = await connectV2(transport(), 'legacy');
    await listener.client.subscribeResource({ uri: NOTE });
    await writer.call('write-note', { text: 'news' });
    await until(() => listener.updated.length > 0);
    await deaf.client.ping();
    expect([listener.updated, deaf.updated]).toEqual([[NOTE], []]);
  });

  it('is measured by calls of its tool, or by pings', async () => {
    const header = `Authorization: Bearer ${await tokenFor('ada')}`;
    const times = ['--duration', '1s', '--warmup', '0s', '--drain', '30s'];
    const load = ['--connections', '4', '--rate', '80', '--header', header, ...times];
    const measure = async (...more: string[]) =>
      await runBenchmark(['--url', url, '--scenario', 'mcp', ...load, ...more]);
    const { code, report } = await measure('--tool', 'write-note {"text":"note {{pass}}"}');
    expect(code).toBe(0);
    const labels = ({ measured: { scenario } }: typeof report) =>
      scenario?.labels.map(({ label, failed }) => [label, failed]);
    expect(labels(report)).toEqual([
      ['initialize', 0],
      ['tools/call', 0],
    ]);
    const { sent, received } = report.measured.messages;
    expect([sent > 0, received]).toEqual([true, sent]);
    const pings = await measure();
    expect(labels(pings.report)?.[1]).toEqual(['ping', 0]);
    const wrong = await measure('--tool', 'write-note {"text":5}');
    const { messages } = wrong.report.measured;
    expect([wrong.code, messages.wrong]).toEqual([1, messages.received]);
    const other = await websocketSkill(['benchmark', '--url', url, '--tool', 'a']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/--scenario mcp/)]);
  });

  it('is let into by validate-handshake, which signs a token for its project', async () => {
    const input = ValidateHandshakeInput.parse({ project: generated.project });
    const { status, summary } = await validateHandshake(input, operationContext());
    expect([status, summary.failed]).toEqual(['passed', 0]);
  });

  it('refuses who brings no token, and counts what it is asked', async () => {
    const refused = connectV1(new WebSocketClientTransport(url));
    await expect(refused).rejects.toThrow(/401/);
    const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    expect(metrics).toMatch(/ws_messages_received_total\{type="tools\/call"\} [1-9]/);
    expect(metrics).toMatch(/ws_handshakes_total\{result="401"\} 1/);
  });
});
