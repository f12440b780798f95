import { requireThat } from '../../client.ts';
import type { Lab } from '../../lab.ts';
import { connect, errorIn, facts, legacy, needs, pages, plainTool } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { INVALID_PARAMS, NO_METHOD } from '../../rpc-peer.ts';
import { isObject, same, show } from '../../shape.ts';
import type { Message } from '../../shape.ts';
import { RowSkip } from '../../terms.ts';
import { firstResource, requireTexts, TYPES } from './support.ts';

const tools = rowsOf('MCP: Tools', TYPES, { reference: 'MCP#server/tools' });

const resources = rowsOf('MCP: Resources', TYPES, { reference: 'MCP#server/resources' });

const prompts = rowsOf('MCP: Prompts and completion', TYPES, { reference: 'MCP#server/prompts' });

function requireDistinct(all: readonly Message[], key: string): void {
  const names = all.map((one) => one[key]);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  requireThat(twice === undefined, `${show(twice)} is listed twice`);
}

/** A prompt with arguments for all that it needs. */
async function promptCall(lab: Lab): Promise<Message> {
  await needs(lab, 'prompts');
  const { prompts: all } = await facts(lab);
  const required = (prompt: Message): readonly Message[] => {
    const list = prompt['arguments'];
    return Array.isArray(list)
      ? list.filter(isObject).filter((one) => one['required'] === true)
      : [];
  };
  const [first] = [...all].sort((one, other) => required(one).length - required(other).length);
  if (first === undefined) throw new RowSkip('the server lists no prompt');
  const given = required(first).map(({ name }) => [String(name), 'Paris'] as const);
  return {
    name: first['name'],
    ...(given.length > 0 && { arguments: Object.fromEntries(given) }),
  };
}

/** Something that can be completed. */
async function completion(lab: Lab): Promise<Message> {
  await needs(lab, 'completions');
  const { prompts: all, templates } = await facts(lab);
  for (const { name, arguments: list } of all) {
    const [first] = Array.isArray(list) ? list.filter(isObject) : [];
    if (first === undefined) continue;
    return { ref: { type: 'ref/prompt', name }, argument: { name: first['name'], value: '' } };
  }
  for (const { uriTemplate } of templates) {
    const name = /\{[+#./;?&]?(\w+)/.exec(String(uriTemplate))?.[1];
    if (name === undefined) continue;
    return { ref: { type: 'ref/resource', uri: uriTemplate }, argument: { name, value: '' } };
  }
  throw new RowSkip('the server lists no prompt with arguments and no template');
}

/** Tools, resources, prompts and completion. */
export const FEATURES: readonly Row[] = [
  tools('mcp.tools.list', 'tools have names and schemas of objects', async (lab) => {
    await needs(lab, 'tools');
    const all = await pages(await connect(lab), 'tools/list', 'tools');
    requireTexts(all, 'name');
    requireDistinct(all, 'name');
    for (const one of all) {
      const { inputSchema } = one;
      requireThat(
        isObject(inputSchema) && inputSchema['type'] === 'object',
        `the inputSchema of ${show(one['name'])} is ${show(inputSchema)}, expected one of an object`,
      );
    }
  }),
  tools(
    'mcp.tools.cursor',
    'a cursor that the server did not give is an error',
    async (lab) => {
      await needs(lab, 'tools');
      await (await connect(lab)).fails('tools/list', { cursor: 'wsk-no-cursor' }, [INVALID_PARAMS]);
    },
    { reference: 'MCP#server/utilities/pagination', isAdvice: true },
  ),
  tools('mcp.tools.call', 'a call has a list of content', async (lab) => {
    const call = await plainTool(lab);
    const { content } = await (await connect(lab)).result('tools/call', call);
    requireThat(
      Array.isArray(content) &&
        content.every((block) => isObject(block) && typeof block['type'] === 'string'),
      `content is ${show(content)}, expected a list of blocks with types`,
    );
  }),
  tools('mcp.tools.unknown', 'a tool that is not there is an error', async (lab) => {
    await needs(lab, 'tools');
    const response = await (await connect(lab)).call('tools/call', { name: 'wsk_no_such_tool' });
    const { result } = response;
    if (isObject(result) && result['isError'] === true) return;
    errorIn(response);
  }),
  tools(
    'mcp.tools.unknown-code',
    'a tool that is not there is -32602',
    async (lab) => {
      await needs(lab, 'tools');
      await (
        await connect(lab)
      ).fails('tools/call', { name: 'wsk_no_such_tool' }, [INVALID_PARAMS]);
    },
    { isAdvice: true },
  ),
  tools('mcp.tools.no-name', 'a call without a name is an error', async (lab) => {
    await needs(lab, 'tools');
    const peer = await connect(lab);
    const response = await peer.call('tools/call', { arguments: {} });
    const { result } = response;
    if (!(isObject(result) && result['isError'] === true)) errorIn(response);
    await peer.lives();
  }),

  resources('mcp.resources.list', 'resources have URIs and names', async (lab) => {
    await needs(lab, 'resources');
    const all = await pages(await connect(lab), 'resources/list', 'resources');
    requireTexts(all, 'uri', 'name');
    requireDistinct(all, 'uri');
  }),
  resources('mcp.resources.templates', 'templates have URI templates and names', async (lab) => {
    await needs(lab, 'resources');
    const peer = await connect(lab);
    const method = 'resources/templates/list';
    const response = await peer.call(method);
    const { error } = response;
    if (isObject(error) && error['code'] === NO_METHOD) throw new RowSkip(`it has no ${method}`);
    requireTexts(await pages(peer, method, 'resourceTemplates'), 'uriTemplate', 'name');
  }),
  resources('mcp.resources.read', 'a resource is read as text or blob', async (lab) => {
    const uri = await firstResource(lab);
    const { contents } = await (await connect(lab)).result('resources/read', { uri });
    requireThat(
      Array.isArray(contents) && contents.length > 0 && contents.every(isObject),
      `contents are ${show(contents)}, expected a list`,
    );
    for (const one of contents) {
      requireTexts([one], 'uri');
      requireThat(
        typeof one['text'] === 'string' || typeof one['blob'] === 'string',
        `${show(one)} has neither text nor blob`,
      );
    }
  }),
  resources('mcp.resources.unknown', 'a resource that is not there is an error', async (lab) => {
    await firstResource(lab);
    await (await connect(lab)).fails('resources/read', { uri: 'wsk://no/such' });
  }),
  resources(
    'mcp.resources.unknown-code',
    'a resource that is not there is -32002, or -32602 since 2026-07-28',
    async (lab) => {
      await firstResource(lab);
      const codes = [-32002, INVALID_PARAMS];
      await (await connect(lab)).fails('resources/read', { uri: 'wsk://no/such' }, codes);
    },
    { isAdvice: true },
  ),
  resources('mcp.resources.subscribe', 'subscribe and unsubscribe have results', async (lab) => {
    const uri = await firstResource(lab);
    await needs(lab, 'resources.subscribe');
    const peer = await legacy(lab);
    await peer.result('resources/subscribe', { uri });
    await peer.result('resources/unsubscribe', { uri });
  }),

  prompts('mcp.prompts.list', 'prompts have names', async (lab) => {
    await needs(lab, 'prompts');
    const all = await pages(await connect(lab), 'prompts/list', 'prompts');
    requireTexts(all, 'name');
    requireDistinct(all, 'name');
  }),
  prompts('mcp.prompts.get', 'a prompt has messages with roles and content', async (lab) => {
    const call = await promptCall(lab);
    const { messages } = await (await connect(lab)).result('prompts/get', call);
    requireThat(
      Array.isArray(messages) && messages.every(isObject),
      `messages are ${show(messages)}, expected a list`,
    );
    for (const one of messages) {
      const isRole = one['role'] === 'user' || one['role'] === 'assistant';
      requireThat(
        isRole && isObject(one['content']),
        `got ${show(one)}, expected role and content`,
      );
    }
  }),
  prompts('mcp.prompts.unknown', 'a prompt that is not there is an error', async (lab) => {
    await needs(lab, 'prompts');
    await (await connect(lab)).fails('prompts/get', { name: 'wsk_no_such_prompt' });
  }),
  prompts(
    'mcp.prompts.unknown-code',
    'a prompt that is not there is -32602',
    async (lab) => {
      await needs(lab, 'prompts');
      const peer = await connect(lab);
      await peer.fails('prompts/get', { name: 'wsk_no_such_prompt' }, [INVALID_PARAMS]);
    },
    { isAdvice: true },
  ),
  prompts(
    'mcp.prompts.completion',
    'a completion has at most 100 values',
    async (lab) => {
      const params = await completion(lab);
      const { completion: found } = await (
        await connect(lab)
      ).result('completion/complete', params);
      const values = isObject(found) ? found['values'] : undefined;
      requireThat(
        Array.isArray(values) &&
          values.length <= 100 &&
          values.every((value) => typeof value === 'string'),
        `completion is ${show(found)}, expected at most 100 texts`,
      );
    },
    { reference: 'MCP#server/utilities/completion' },
  ),
  prompts(
    'mcp.prompts.completion-unknown',
    'a completion for a prompt that is not there is an error, or empty',
    async (lab) => {
      await needs(lab, 'completions');
      const response = await (
        await connect(lab)
      ).call('completion/complete', {
        ref: { type: 'ref/prompt', name: 'wsk_no_such_prompt' },
        argument: { name: 'wsk', value: 'w' },
      });
      const { result } = response;
      const found = isObject(result) ? result['completion'] : undefined;
      if (isObject(found) && same(found['values'], [])) return;
      errorIn(response);
    },
    { reference: 'MCP#server/utilities/completion', isAdvice: true },
  ),
];
