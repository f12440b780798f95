import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import type { ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
// #if auth
import { WebSocket } from 'ws';
// #endif
import { z } from 'zod';
import { NOTE_URI } from '../src/handlers/resources.ts';
import { DEFINITIONS } from '../src/mcp-servers.ts';
import type { Define } from '../src/mcp-servers.ts';
import { SocketTransport } from './socket-transport.ts';
// #if auth
import { refusalStatus, tokenFor } from './support.ts';
// #endif
import { converse, startServer } from './support.ts';
import type { TestServer } from './support.ts';

/** What the tools of the tests were told. */
const seen: string[] = [];
/** Ends the calls of `deaf`. */
const awake: (() => void)[] = [];

const testTools: Define = (server, { client }) => {
  server.registerTool('who', {}, () => {
    seen.push(client.identity?.user ?? 'nobody');
    return { content: [] };
  });
  server.registerTool('wait', {}, async ({ mcpReq: { signal } }) => {
    seen.push('waiting');
    await once(signal, 'abort');
    seen.push('aborted');
    return { content: [] };
  });
  server.registerTool('deaf', {}, async () => {
    await new Promise<void>((resolve) => {
      awake.push(resolve);
    });
    return { content: [] };
  });
  server.registerTool('fail', {}, () => {
    throw new Error('out of paper');
  });
  const inputSchema = z.object({ length: z.number() });
  server.registerTool('fill', { inputSchema }, ({ length }) => ({
    content: [{ type: 'text', text: 'x'.repeat(length) }],
  }));
};

const ERAS = ['legacy', 'modern'] as const;
type Era = (typeof ERAS)[number];

const LATEST: ClientOptions = { versionNegotiation: { mode: { pin: '2026-07-28' } } };
const INFO = { name: 'test', version: '0.1.0' };

const request = (id: unknown, method: string, params: object = {}): object => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

describe('MCP', () => {
  let host: TestServer;
  before(async () => {
    const env = { SUBPROTOCOLS: 'mcp', MAX_CALLS_PER_CLIENT: '3', MAX_BUFFERED: '65536' };
    const limits = { MAX_SUBSCRIPTIONS_PER_CLIENT: '2', MAX_PAYLOAD: '65536' };
    host = await startServer({ ...env, ...limits }, { definitions: [...DEFINITIONS, testTools] });
  });
  after(() => host.stop());

  /** Connects as ada. */
  async function open(era: Era): Promise<Client> {
    const client = new Client(INFO, era === 'modern' ? LATEST : {});
    // #if auth
    const url = `ws://localhost:${String(host.port)}/`;
    await client.connect(new SocketTransport(url, await tokenFor('ada')));
    // #else
    //~ await client.connect(new SocketTransport(`ws://localhost:${String(host.port)}/?user=ada`));
    // #endif
    return client;
  }

  /** What a client hears of resources. */
  async function listen(client: Client, era: Era): Promise<AsyncIterator<string>> {
    const queue: string[] = [];
    let wake = (): void => undefined;
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      queue.push(params.uri);
      wake();
    });
    if (era === 'modern') await client.listen({ resourceSubscriptions: [NOTE_URI] });
    else await client.subscribeResource({ uri: NOTE_URI });
    return (async function* () {
      for (;;) {
        while (queue.length > 0) yield queue.shift() as string;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    })();
  }

  for (const era of ERAS) {
    it(`has tools, resources and prompts (${era})`, async () => {
      const client = await open(era);
      const { tools } = await client.listTools();
      assert.deepEqual(tools[0]?.name, 'write-note');
      const args = { name: 'write-note', arguments: { text: `of ${era}` } };
      const { structuredContent } = await client.callTool(args);
      assert.deepEqual(structuredContent, { length: 3 + era.length });
      const { contents } = await client.readResource({ uri: NOTE_URI });
      assert.deepEqual(contents, [{ uri: NOTE_URI, mimeType: 'text/plain', text: `of ${era}` }]);
      const prompt = { name: 'summarize-note', arguments: { language: 'German' } };
      const { messages } = await client.getPrompt(prompt);
      const content = messages[0]?.content as { text: string };
      assert.equal(content.text, `Summarize this note of ada in German:\n\nof ${era}`);
      await client.close();
    });

    it(`tells who has subscribed what others change (${era})`, async () => {
      const [listener, writer] = [await open(era), await open('legacy')];
      const news = await listen(listener, era);
      const args = { name: 'write-note', arguments: { text: 'news' } };
      await writer.callTool(args);
      assert.deepEqual(await news.next(), { value: NOTE_URI, done: false });
      await Promise.all([listener.close(), writer.close()]);
    });

    it(`aborts what a client cancels, or leaves behind (${era})`, async () => {
      seen.length = 0;
      const client = await open(era);
      const controller = new AbortController();
      const { signal } = controller;
      const cancelled = client.callTool({ name: 'wait' }, { signal });
      const left = client.callTool({ name: 'wait' });
      while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await assert.rejects(cancelled);
      while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve));
      await client.close();
      await assert.rejects(left);
      while (seen.length < 4) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(seen, ['waiting', 'waiting', 'aborted', 'aborted']);
    });
  }

  it('knows who calls, and says what a tool throws', async () => {
    seen.length = 0;
    const client = await open('legacy');
    await client.callTool({ name: 'who' });
    assert.deepEqual(seen, ['ada']);
    const { isError, content } = await client.callTool({ name: 'fail' });
    assert.deepEqual([isError, content], [true, [{ type: 'text', text: 'out of paper' }]]);
    const wrong = await client.callTool({ name: 'write-note', arguments: { text: 5 } });
    assert.equal(wrong.isError, true);
    await client.close();
  });

  it('says what is no message', async () => {
    const client = await converse(host.port, 'mcp');
    for (const [sent, code] of [
      ['{"jsonrpc": "2.0", "id": 1,', -32700],
      ['null', -32600],
      ['5', -32600],
      ['{}', -32600],
      ['{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600],
      ['{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32600],
      ['[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600],
    ] as const) {
      client.send(sent);
      const received = await client.next();
      const { code: given } = received['error'] as { code: number };
      assert.deepEqual([received['id'], given], [null, code], sent);
    }
    client.send(request('a', 'ping'));
    assert.deepEqual(await client.next(), { jsonrpc: '2.0', id: 'a', result: {} });
    client.socket.close();
  });

  it('closes over invalid messages without end', async () => {
    const client = await converse(host.port, 'mcp');
    for (let sent = 0; sent < 30; sent += 1) client.send('x');
    assert.equal(await client.closed, 1008);
  });

  it('has limits for what one client has in progress', async () => {
    const client = await converse(host.port, 'mcp');
    const codeOf = async (): Promise<unknown> => {
      const { id, error } = (await client.next()) as unknown as {
        id: unknown;
        error?: { code: number };
      };
      return [id, error?.code];
    };
    client.send(
      request(0, 'initialize', {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: INFO,
      }),
    );
    assert.deepEqual(await codeOf(), [0, undefined]);
    for (const id of [1, 2, 3]) client.send(request(id, 'tools/call', { name: 'wait' }));
    client.send(request(1, 'ping'));
    assert.deepEqual(await codeOf(), [null, -32600]);
    client.send(request(4, 'ping'));
    assert.deepEqual(await codeOf(), [4, -32000]);
    seen.length = 0;
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const [id, uri] of ['a:', 'b:', 'b:', 'c:', `d:${'x'.repeat(3000)}`].entries()) {
      client.send(request(10 + id, 'resources/subscribe', { uri }));
      assert.deepEqual(await codeOf(), [10 + id, id < 3 ? undefined : -32602], uri);
    }
    client.send(request(20, 'resources/unsubscribe', { uri: 'a:' }));
    assert.deepEqual(await codeOf(), [20, undefined]);
    client.send(request(21, 'resources/subscribe', { uri: 'c:' }));
    assert.deepEqual(await codeOf(), [21, undefined]);
    client.socket.close();
  });

  it('counts calls that were cancelled until they have ended', async () => {
    const client = await open('legacy');
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [1, 2, 3].map(() => client.callTool({ name: 'deaf' }, { signal }));
    while (awake.length < 3) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await Promise.all(calls.map((call) => assert.rejects(call)));
    await assert.rejects(client.ping(), { code: -32000 });
    for (const wake of awake.splice(0)) wake();
    await client.ping();
    await client.close();
  });

  it('does not count for ever what has no handler', async () => {
    const client = await converse(host.port, 'mcp');
    const capabilities = {};
    const hello = { protocolVersion: '2025-11-25', capabilities, clientInfo: INFO };
    client.send(request(0, 'initialize', hello));
    await client.next();
    for (const requestId of [1, 2, 3]) {
      client.send(request(requestId, 'tools/call', { name: 5 }));
      client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
    }
    for (let id = 10; ; id += 1) {
      client.send(request(id, 'ping'));
      let answer = await client.next();
      while (answer['id'] !== id) answer = await client.next();
      if ('result' in answer) break;
    }
    client.socket.close();
  });

  it('has the same limits for clients that listen', async () => {
    const client = await open('modern');
    const listened = await client.listen({ resourceSubscriptions: ['a:'] });
    await assert.rejects(client.listen({ resourceSubscriptions: ['b:'] }), /subscriptions/);
    await listened.close();
    const long = `d:${'x'.repeat(3000)}`;
    await assert.rejects(client.listen({ resourceSubscriptions: [long] }), /subscriptions/);
    await client.listen({ resourceSubscriptions: ['b:'] });
    await client.close();
  });

  it('answers in place of a result that may not be sent', async () => {
    const client = await open('legacy');
    await assert.rejects(
      client.callTool({ name: 'fill', arguments: { length: 70_000 } }),
      /larger/,
    );
    const { content } = await client.callTool({ name: 'fill', arguments: { length: 7 } });
    assert.deepEqual(content, [{ type: 'text', text: 'xxxxxxx' }]);
    await client.close();
  });

  it('tells clients that the server leaves', async () => {
    const leaving = await startServer({ SUBPROTOCOLS: 'mcp' });
    const client = await converse(leaving.port, 'mcp');
    const stopped = leaving.stop();
    assert.equal(await client.closed, 1001);
    await stopped;
  });

  for (const era of ERAS) {
    it(`is the same over stdio (${era})`, async () => {
      const args = [path.join(import.meta.dirname, '../src/stdio.js')];
      const options = { command: process.execPath, args, stderr: 'ignore' } as const;
      const client = new Client(INFO, era === 'modern' ? LATEST : {});
      await client.connect(new StdioClientTransport(options));
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name }) => name),
        ['write-note'],
      );
      const news = await listen(client, era);
      await client.callTool({ name: 'write-note', arguments: { text: 'x' } });
      assert.deepEqual(await news.next(), { value: NOTE_URI, done: false });
      await client.close();
    });
  }
  // #if auth

  it('wants a token before the connection', async () => {
    const protocols = ['mcp'];
    assert.equal(await refusalStatus(host.port, { path: '/', protocols }), 401);
    const headers = { Authorization: 'Bearer nonsense' };
    assert.equal(await refusalStatus(host.port, { path: '/', protocols, headers }), 401);
    const bad = ['mcp', 'mcp.auth.nonsense'];
    assert.equal(await refusalStatus(host.port, { path: '/', protocols: bad }), 401);
    const url = `ws://localhost:${String(host.port)}/`;
    const socket = new WebSocket(url, ['mcp', `mcp.auth.${await tokenFor('ada')}`]);
    await once(socket, 'open');
    assert.equal(socket.protocol, 'mcp');
    socket.close();
  });
  // #endif
});
