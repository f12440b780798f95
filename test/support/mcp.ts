import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import * as v1 from '@modelcontextprotocol/sdk/types.js';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { fileURLToPath } from 'node:url';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Transport as TransportV2 } from '@modelcontextprotocol/client';

/** The command of a server with every primitive, on a line of the SDK. */
export function everythingCommand(line: 1 | 2): string {
  const file = fileURLToPath(new URL('../fixtures/mcp-everything.mjs', import.meta.url));
  return `"${process.execPath}" "${file}" ${line}`;
}

const INFO = { name: 'test', version: '1.0.0' };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: {} };

/** What a test does with a client of either line, and what it was told. */
export interface TestClient extends AsyncDisposable {
  readonly call: (
    tool: string,
    args?: object,
    options?: { onprogress?: (progress: { progress: number }) => void; signal?: AbortSignal },
  ) => Promise<string>;
  readonly client: ClientV1 | ClientV2;
  readonly logged: unknown[];
  readonly updated: string[];
  readonly close: () => Promise<void>;
}

function textOf(result: object): string {
  const { content, isError } = result as { content: { text: string }[]; isError?: boolean };
  if (isError === true) throw new Error(content[0]?.text);
  return content[0]?.text ?? '';
}

/** A client of version 1; `name` is in its answers to the server's requests. */
export async function connectV1(transport: TransportV1, name = 'client'): Promise<TestClient> {
  const client = new ClientV1(INFO, { capabilities: CAPABILITIES });
  client.setRequestHandler(v1.CreateMessageRequestSchema, ({ params }) => ({
    model: name,
    role: 'assistant' as const,
    content: {
      type: 'text' as const,
      text: `${name} ${JSON.stringify(params.messages[0]?.content)}`,
    },
  }));
  client.setRequestHandler(v1.ElicitRequestSchema, ({ params }) => ({
    action: 'accept' as const,
    content: { name: `${name} ${params.message}` },
  }));
  client.setRequestHandler(v1.ListRootsRequestSchema, () => ({
    roots: [{ uri: `file:///${name}` }],
  }));
  const logged: unknown[] = [];
  const updated: string[] = [];
  client.setNotificationHandler(v1.LoggingMessageNotificationSchema, ({ params }) => {
    logged.push(params.data);
  });
  client.setNotificationHandler(v1.ResourceUpdatedNotificationSchema, ({ params }) => {
    updated.push(params.uri);
  });
  await client.connect(transport);
  const close = () => client.close();
  return {
    client,
    logged,
    updated,
    close,
    call: async (tool, args, options) =>
      textOf(
        await client.callTool({ name: tool, arguments: { ...args } }, undefined, { ...options }),
      ),
    [Symbol.asyncDispose]: close,
  };
}

/** A client of version 2: of the legacy era, or of the modern one. */
export async function connectV2(
  transport: TransportV2,
  era: 'legacy' | 'auto' | { pin: string },
  name = 'client',
): Promise<TestClient> {
  const client = new ClientV2(INFO, {
    capabilities: CAPABILITIES,
    ...(era !== 'legacy' && { versionNegotiation: { mode: era } }),
  });
  client.setRequestHandler('sampling/createMessage', ({ params }) => ({
    model: name,
    role: 'assistant' as const,
    content: {
      type: 'text' as const,
      text: `${name} ${JSON.stringify(params.messages[0]?.content)}`,
    },
  }));
  client.setRequestHandler('elicitation/create', ({ params }) => ({
    action: 'accept' as const,
    content: { name: `${name} ${params.message}` },
  }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: `file:///${name}` }] }));
  const logged: unknown[] = [];
  const updated: string[] = [];
  client.setNotificationHandler('notifications/message', ({ params }) => {
    logged.push(params.data);
  });
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    updated.push(params.uri);
  });
  await client.connect(transport);
  const close = () => client.close();
  return {
    client,
    logged,
    updated,
    close,
    call: async (tool, args, options) =>
      textOf(await client.callTool({ name: tool, arguments: { ...args } }, { ...options })),
    [Symbol.asyncDispose]: close,
  };
}

/** A promise and what settles it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Resolves when `condition` holds, which is looked at in every turn of the event loop. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Uses every primitive that both eras have, and returns what came out. */
export async function usePrimitives({ client, call }: TestClient): Promise<object> {
  const progress: number[] = [];
  return {
    tools: (await client.listTools()).tools.length,
    echo: await call('echo', { message: 'ä' }),
    progress: await call(
      'progress',
      { steps: 3 },
      { onprogress: (p) => progress.push(p.progress) },
    ),
    steps: progress,
    elicit: await call('elicit', { message: 'who?' }),
    resources: (await client.listResources()).resources.map(({ uri }) => uri),
    read: (await client.readResource({ uri: 'test://a' })).contents,
    prompts: (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: (await client.getPrompt({ name: 'greet', arguments: { who: 'Ann' } })).messages[0]
      ?.content,
    completion: (
      await client.complete({
        ref: { type: 'ref/prompt', name: 'greet' },
        argument: { name: 'who', value: 'par' },
      })
    ).completion.values,
  };
}

export const PRIMITIVES = {
  tools: 18,
  echo: 'ä',
  progress: 'done',
  steps: [1, 2, 3],
  elicit: 'client who?',
  resources: ['test://a', 'test://b'],
  read: [{ uri: 'test://a', text: 'text of test://a' }],
  prompts: ['greet'],
  prompt: { type: 'text', text: 'Hello Ann' },
  completion: ['paris', 'park'],
};

/** Uses what only the legacy era has: requests of the server, subscriptions, log level. */
export async function useLegacy({ client, call, updated, logged }: TestClient): Promise<object> {
  await client.subscribeResource({ uri: 'test://a' });
  await call('touch', { uri: 'test://a' });
  await client.setLoggingLevel('info');
  await call('log', { message: 'hello' });
  const controller = new AbortController();
  const waiting = call('wait', {}, { signal: controller.signal }).catch(() => 'aborted');
  await until(() => logged.includes('waiting'));
  controller.abort();
  const outcome = await waiting;
  await until(async () => (await call('cancelled')) !== '0');
  return {
    sample: await call('sample', { message: 'hi' }),
    roots: await call('roots'),
    level: await call('level'),
    updated,
    logged,
    outcome,
    cancelled: await call('cancelled'),
  };
}

export const LEGACY = {
  sample: 'client {"type":"text","text":"hi"}',
  roots: 'file:///client',
  level: 'info',
  updated: ['test://a'],
  logged: ['hello', 'waiting'],
  outcome: 'aborted',
  cancelled: '1',
};
