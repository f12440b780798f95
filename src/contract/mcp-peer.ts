import type { ConnectionEvent } from '../protocol/index.ts';
import { fieldValue } from '../protocol/index.ts';
import { EnvironmentError } from '../core/errors.ts';
import { toolCallOf } from '../core/calls.ts';
import { requireThat } from './client.ts';
import type { ConnectOptions, Lab } from './lab.ts';
import { describeClose } from './exchange.ts';
import { RpcPeer, VALUES } from './rpc-peer.ts';
import { RowFailure, RowSkip } from './terms.ts';
import { isObject, same, show } from './shape.ts';
import type { Message } from './shape.ts';

/** The subprotocol by which the SDKs ask for MCP. */
export const MCP = 'mcp';
/** The last revision that begins with `initialize`, and the one that has no handshake. */
export const LEGACY = '2025-11-25';
export const MODERN = '2026-07-28';

const META = 'io.modelcontextprotocol/';
const CLIENT = { name: 'websocket-skill', version: '1.0.0' };
export const SUBSCRIPTION = `${META}subscriptionId`;

let lastNumber = 0;

/** A number, as the SDKs give: what a server does with texts is a row of its own. */
export function nextId(): number {
  lastNumber += 1;
  return lastNumber;
}

/** The `_meta` with which each request of the modern revision comes. */
export function envelope(capabilities: Message = {}, version = MODERN): Message {
  return {
    [`${META}protocolVersion`]: version,
    [`${META}clientInfo`]: CLIENT,
    [`${META}clientCapabilities`]: capabilities,
  };
}

/** One connection that speaks MCP, of either era. */
export class McpPeer extends RpcPeer {
  /** Sent with each request of the modern era; absent in the legacy one. */
  envelope: Message | undefined;
  /** What the server says that it has. */
  capabilities: Message = {};
  /** Messages that came. */
  received = 0;

  get isModern(): boolean {
    return this.envelope !== undefined;
  }

  /** The session that the answer to the handshake names. */
  get session(): string | undefined {
    return fieldValue(this.channel.handshake.responseHead, 'mcp-session-id');
  }

  request(method: string, params: Message = {}, id: unknown = nextId()): Message {
    if (this.envelope === undefined) return { jsonrpc: '2.0', id, method, params };
    const { _meta: meta } = params;
    const _meta = { ...this.envelope, ...(isObject(meta) && meta) };
    return { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
  }

  /** The response to a request, which may be an error. */
  async call(method: string, params: Message = {}, id?: unknown): Promise<Message> {
    return await this.ask(this.request(method, params, id));
  }

  async result(method: string, params: Message = {}, id?: unknown): Promise<Message> {
    return resultIn(await this.call(method, params, id), method);
  }

  /** A call that has to fail, by an error; `codes`: with one of them. */
  async fails(method: string, params: Message, codes?: readonly number[]): Promise<Message> {
    return errorIn(await this.call(method, params), codes);
  }

  /** What is no request, or none that is served, is answered with one of the codes. */
  async refused(message: unknown, codes: readonly number[], id?: unknown): Promise<void> {
    this.send(message);
    const found = await this.answer(`error ${codes.join(' or ')}`);
    requireThat(isObject(found), `got ${show(found)}, expected a response object`);
    errorIn(found, codes);
    // Who cannot tell the id leaves it out, or says null.
    requireThat(
      found['id'] == null || same(found['id'], id),
      `the id of ${show(found)} is neither absent nor null nor that of the request`,
    );
  }

  notify(method: string, params?: Message): void {
    this.send({ jsonrpc: '2.0', method, ...(params !== undefined && { params }) });
  }

  /** The next request or notification of the server with a method. */
  async heard(method: string): Promise<Message> {
    const found = await this.take(
      `a message ${show(method)} of the server`,
      (seen) => isObject(seen) && seen['method'] === method,
    );
    return found as Message;
  }

  reply(message: Message, result: Message): void {
    this.send({ jsonrpc: '2.0', id: message['id'], result });
  }

  async lives(): Promise<void> {
    await this.result(this.isModern ? 'server/discover' : 'ping');
  }

  /** The payload of the next pong frame. */
  async ponged(): Promise<string> {
    for (;;) {
      const event = await this.next('a pong frame', 'pong');
      if (event.type === 'pong') return event.data.toString();
      if (event.type === 'message') this.unread.push(this.read(event));
      if (event.type === 'close') throw new RowFailure(`${describeClose(event)}, expected a pong`);
    }
  }

  /** Requests and notifications that came and were not asked for yet, with a method. */
  toldOf(method: string): readonly Message[] {
    return this.unread.filter(
      (seen): seen is Message => isObject(seen) && seen['method'] === method,
    );
  }

  /** Waits for a message that must not come. */
  async silent(waitMs: number, what: string, match: (seen: Message) => boolean): Promise<void> {
    const fits = (seen: unknown): boolean => isObject(seen) && match(seen);
    const seen = await this.gather(waitMs, (all) => all.some(fits));
    const found = seen.find(fits);
    if (found !== undefined) throw new RowFailure(`got ${show(found)}, expected ${what}`);
  }

  protected override read(event: Extract<ConnectionEvent, { type: 'message' }>): unknown {
    const message = super.read(event);
    this.received += 1;
    // Who does not answer pings is cut off.
    if (isObject(message) && message['method'] === 'ping') this.reply(message, {});
    return message;
  }
}

export function resultIn(message: Message, what: string): Message {
  const { result } = message;
  requireThat(isObject(result), `${what} was answered with ${show(message)}, expected a result`);
  return result;
}

export function errorIn(found: Message, codes?: readonly number[]): Message {
  const { error } = found;
  const fits =
    isObject(error) &&
    Number.isInteger(error['code']) &&
    typeof error['message'] === 'string' &&
    (codes === undefined || codes.includes(error['code'] as number));
  const expected = codes === undefined ? 'an error' : `error ${codes.join(' or ')}`;
  requireThat(fits, `got ${show(found)}, expected ${expected} with a message`);
  return error;
}

/** Opens a connection on which nothing was said. */
export async function open(lab: Lab, options: ConnectOptions = {}): Promise<McpPeer> {
  return await lab.speak(
    { protocols: [MCP], ...options },
    (channel, leftMs) => new McpPeer(channel, leftMs, VALUES),
  );
}

export function initialize(
  capabilities: Message = {},
  version: unknown = LEGACY,
): { params: Message } {
  return { params: { protocolVersion: version, capabilities, clientInfo: CLIENT } };
}

/** The handshake of the legacy era. */
export async function introduce(peer: McpPeer, capabilities: Message = {}): Promise<Message> {
  const result = await peer.result('initialize', initialize(capabilities).params);
  peer.capabilities = isObject(result['capabilities']) ? result['capabilities'] : {};
  peer.notify('notifications/initialized');
  return result;
}

/** All that a client can offer: some servers show tools only to those who can serve them. */
export const ABLE: Message = { sampling: {}, elicitation: {}, roots: {} };

/** What rows find out for each other. */
interface Facts {
  /** Why not; undefined where it is spoken. */
  readonly noLegacy: string | undefined;
  readonly noModern: string | undefined;
  readonly capabilities: Message;
  /** Lists of what the capabilities announce; empty where there is none. */
  readonly tools: readonly Message[];
  readonly resources: readonly Message[];
  readonly templates: readonly Message[];
  readonly prompts: readonly Message[];
}

async function why(spoken: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await spoken();
    return undefined;
  } catch (error) {
    if (!(error instanceof RowFailure || error instanceof EnvironmentError)) throw error;
    return error.message;
  }
}

const MAX_PAGES = 20;

/** A list that a method gives page by page, added to `all` as they come. */
export async function pages(
  peer: McpPeer,
  method: string,
  key: string,
  all: Message[] = [],
): Promise<readonly Message[]> {
  const cursors = new Set<unknown>();
  let cursor: unknown;
  do {
    const result = await peer.result(method, cursor === undefined ? {} : { cursor });
    const list = result[key];
    requireThat(Array.isArray(list), `got ${show(result)}, expected a list "${key}"`);
    for (const one of list) {
      requireThat(isObject(one), `"${key}" holds ${show(one)}, expected objects`);
      all.push(one);
    }
    cursor = result['nextCursor'];
    requireThat(
      cursor === undefined || (typeof cursor === 'string' && !cursors.has(cursor)),
      `nextCursor is ${show(cursor)}, expected a text that did not come before`,
    );
    cursors.add(cursor);
  } while (cursor !== undefined && cursors.size < MAX_PAGES);
  return all;
}

async function listed(peer: McpPeer, method: string, key: string): Promise<readonly Message[]> {
  const all: Message[] = [];
  // The rows of the list say what is wrong with it.
  await why(() => pages(peer, method, key, all));
  return all;
}

async function findFacts(lab: Lab): Promise<Facts> {
  let peer: McpPeer | undefined;
  // One after the other: a server may be of the era in which it is spoken to first.
  const noLegacy = await why(async () => {
    const one = await open(lab);
    await introduce(one, ABLE);
    peer = one;
  });
  const noModern = await why(async () => {
    const other = await open(lab);
    other.envelope = envelope(ABLE);
    const { supportedVersions, capabilities } = await other.result('server/discover');
    requireThat(
      Array.isArray(supportedVersions) && supportedVersions.includes(MODERN),
      `server/discover names ${show(supportedVersions)}, without ${MODERN}`,
    );
    other.capabilities = isObject(capabilities) ? capabilities : {};
    peer ??= other;
  });
  const capabilities = peer?.capabilities ?? {};
  const list = async (capability: string, method: string, key = capability) =>
    peer === undefined || capabilities[capability] === undefined
      ? []
      : await listed(peer, method, key);
  return {
    ...{ noLegacy, noModern, capabilities },
    tools: await list('tools', 'tools/list'),
    resources: await list('resources', 'resources/list'),
    templates: await list('resources', 'resources/templates/list', 'resourceTemplates'),
    prompts: await list('prompts', 'prompts/list'),
  };
}

export async function facts(lab: Lab): Promise<Facts> {
  return await lab.once('mcp', () => findFacts(lab));
}

/** A connection of the legacy era, initialized. */
export async function legacy(
  lab: Lab,
  capabilities: Message = {},
  options: ConnectOptions = {},
): Promise<McpPeer> {
  const { noLegacy } = await facts(lab);
  if (noLegacy !== undefined) {
    throw new RowSkip(
      `the server does not speak revisions that begin with initialize: ${noLegacy}`,
    );
  }
  const peer = await open(lab, options);
  await introduce(peer, capabilities);
  return peer;
}

/** A connection of the modern era. */
export async function modern(
  lab: Lab,
  capabilities: Message = {},
  options: ConnectOptions = {},
): Promise<McpPeer> {
  const found = await facts(lab);
  if (found.noModern !== undefined) {
    throw new RowSkip(`the server does not speak ${MODERN}: ${found.noModern}`);
  }
  const peer = await open(lab, options);
  peer.envelope = envelope(capabilities);
  peer.capabilities = found.capabilities;
  return peer;
}

/** A connection of an era that the server speaks. */
export async function connect(
  lab: Lab,
  capabilities: Message = {},
  options: ConnectOptions = {},
): Promise<McpPeer> {
  const { noLegacy, noModern } = await facts(lab);
  if (noLegacy !== undefined && noModern !== undefined) {
    throw new RowSkip(`not judged: the server answers in neither era: ${noLegacy}`);
  }
  return await (noLegacy === undefined ? legacy : modern)(lab, capabilities, options);
}

/** Throws `RowSkip` where the server does not announce a capability: a path as `resources.subscribe`. */
export async function needs(lab: Lab, capability: string): Promise<void> {
  const { capabilities } = await facts(lab);
  const [first = '', second] = capability.split('.');
  const found = capabilities[first];
  if (found !== undefined && second === undefined) return;
  if (isObject(found) && second !== undefined && found[second] === true) return;
  throw new RowSkip(`the server does not announce ${capability}`);
}

/** A call of a tool: the parameters of `tools/call`. */
export type ToolCall = Message & { readonly name: string };

/**
 * Tools that may be called whenever, by what they are good for: those of the reference server (of its present
 * and its first names) and of the server of the official conformance suite. Nothing else is called that
 * no flag names, unless it says itself that it only reads.
 */
const TOOLS = {
  sampling: [
    { name: 'trigger-sampling-request', arguments: { prompt: 'wsk', maxTokens: 10 } },
    { name: 'sampleLLM', arguments: { prompt: 'wsk', maxTokens: 10 } },
    { name: 'test_sampling', arguments: { prompt: 'wsk' } },
  ],
  elicitation: [
    { name: 'trigger-elicitation-request', arguments: {} },
    { name: 'startElicitation', arguments: {} },
    { name: 'test_elicitation', arguments: { message: 'wsk' } },
  ],
  input: [{ name: 'test_input_required_result_elicitation', arguments: {} }],
  logging: [{ name: 'test_tool_with_logging', arguments: {} }],
  slow: [
    { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 5 } },
    { name: 'longRunningOperation', arguments: { duration: 1, steps: 5 } },
  ],
  plain: [{ name: 'test_simple_text', arguments: {} }],
} as const satisfies Readonly<Record<string, readonly ToolCall[]>>;

function flagged(lab: Lab, flag: 'tool' | 'slowTool' | 'crashTool'): ToolCall | undefined {
  const text = lab.subject.known[flag];
  if (text === undefined) return undefined;
  const call = toolCallOf(text);
  if (call !== undefined) return { ...call };
  throw new RowSkip(`the arguments of the tool are no JSON object: ${show(text)}`);
}

async function knownTool(lab: Lab, use: keyof typeof TOOLS): Promise<ToolCall | undefined> {
  const { tools } = await facts(lab);
  return TOOLS[use].find(({ name }) => tools.some((tool) => tool['name'] === name));
}

export async function toolFor(
  lab: Lab,
  use: 'sampling' | 'elicitation' | 'input' | 'logging',
): Promise<ToolCall> {
  const found = await knownTool(lab, use);
  if (found !== undefined) return found;
  throw new RowSkip(`no tool is known that is for ${use}: ${TOOLS[use][0].name} is`);
}

/** A tool that runs for a second or so and reports its progress. */
export async function slowTool(lab: Lab): Promise<ToolCall> {
  const found = flagged(lab, 'slowTool') ?? (await knownTool(lab, 'slow'));
  if (found !== undefined) return found;
  throw new RowSkip('no tool is known that takes a while: --slow-tool gives one');
}

export function crashTool(lab: Lab): ToolCall {
  const found = flagged(lab, 'crashTool');
  if (found !== undefined) return found;
  throw new RowSkip('no tool is known that ends the process of the server: --crash-tool gives one');
}

/** A tool that says a text back; undefined where there is none. */
async function echoTool(lab: Lab): Promise<((text: string) => ToolCall) | undefined> {
  const { tools } = await facts(lab);
  const echo = tools.find(({ name }) => name === 'echo');
  if (echo === undefined) return undefined;
  const schema = isObject(echo['inputSchema']) ? echo['inputSchema'] : {};
  const properties = isObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  const [only = 'message', ...more] = properties;
  const key = more.length === 0 ? only : 'message';
  return (text) => ({ name: 'echo', arguments: { [key]: text } });
}

/** A call that says a text back. */
export async function echo(lab: Lab): Promise<(text: string) => ToolCall> {
  const found = await echoTool(lab);
  if (found !== undefined) return found;
  throw new RowSkip('the server has no tool "echo"');
}

/** A tool that can be called at any time. */
export async function plainTool(lab: Lab): Promise<ToolCall> {
  await needs(lab, 'tools');
  const call = flagged(lab, 'tool') ?? (await echoTool(lab))?.('wsk');
  const found = call ?? (await knownTool(lab, 'plain'));
  if (found !== undefined) return found;
  const { tools } = await facts(lab);
  const reads = tools.find(({ annotations, inputSchema }) => {
    const required = isObject(inputSchema) ? inputSchema['required'] : undefined;
    const isFree = required === undefined || (Array.isArray(required) && required.length === 0);
    return isObject(annotations) && annotations['readOnlyHint'] === true && isFree;
  });
  if (reads !== undefined) return { name: String(reads['name']), arguments: {} };
  throw new RowSkip('no tool is known that may be called: --tool gives one');
}
