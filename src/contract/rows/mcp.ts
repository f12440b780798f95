import { EnvironmentError } from '../../core/errors.ts';
import { requireSame, requireThat } from '../client.ts';
import { expectStatus } from '../lab.ts';
import type { ConnectOptions, Lab } from '../lab.ts';
import {
  ABLE,
  LEGACY,
  MCP,
  MODERN,
  SUBSCRIPTION,
  connect,
  crashTool,
  echo,
  envelope,
  errorIn,
  facts,
  initialize,
  introduce,
  legacy,
  modern,
  needs,
  nextId,
  open,
  plainTool,
  resultIn,
  slowTool,
  toolFor,
} from '../mcp-peer.ts';
import type { McpPeer } from '../mcp-peer.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import {
  INVALID_PARAMS,
  INVALID_REQUEST,
  NO_METHOD,
  PARSE_ERROR,
  UNKNOWN,
  isAnswer,
  responseIn,
} from '../rpc-peer.ts';
import { isObject, same, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { survive } from '../survive.ts';
import { RowFailure, RowSkip } from '../terms.ts';

/*
 * The Model Context Protocol over WebSocket, of both eras: revisions up to 2025-11-25 begin with
 * `initialize`, that of 2026-07-28 has no handshake. WebSocket is no transport of the specification, which
 * allows others that keep its messages; what is asked of the handshake, of frames and of sessions is what
 * the official clients need, and the draft SEP-1288. What a server has is found from its capabilities
 * and lists; rows that need more of it are skipped by name.
 */

const TYPES = ['mcp'] as const;
const handshake = rowsOf('MCP: Handshake', TYPES, { reference: 'SEP-1288' });
const message = rowsOf('MCP: Messages', TYPES, { reference: 'MCP#basic' });
const lifecycle = rowsOf('MCP: Lifecycle', TYPES, { reference: 'MCP#basic/lifecycle' });
const utility = rowsOf('MCP: Utilities', TYPES, { reference: 'MCP#basic/utilities' });
const tools = rowsOf('MCP: Tools', TYPES, { reference: 'MCP#server/tools' });
const resources = rowsOf('MCP: Resources', TYPES, { reference: 'MCP#server/resources' });
const prompts = rowsOf('MCP: Prompts and completion', TYPES, { reference: 'MCP#server/prompts' });
// By themselves: a child that clients share does not say for whose call it asks.
const asking = rowsOf('MCP: Requests of the server', TYPES, {
  reference: 'MCP#client',
  isAlone: true,
});
const stateless = rowsOf('MCP: Revision 2026-07-28', TYPES, { reference: `MCP-${MODERN}#basic` });
const clients = rowsOf('MCP: Several clients', TYPES, { reference: 'MCP#basic/transports' });
const session = rowsOf('MCP: Lost connections', TYPES, { reference: 'SEP-1288' });
const closing = rowsOf('MCP: Closing', TYPES, { reference: '6455#5.5' });
const probe = rowsOf('MCP: Probes of bridges', TYPES, { reference: 'MCP#basic/transports' });
const hostile = rowsOf('MCP: hostile clients', TYPES, { isAlone: true });

/** For what must not come; for what has to come rows wait as long as it takes. */
const QUIET_MS = 500;
/** What a client may send by mistake; most servers allow less. */
const LARGE_BYTES = 20_000_000;
const FOREIGN = 'https://wsk.example';

/** An id comes back as it was. */
function kept(name: string, title: string, id: unknown): Row {
  return message(
    `mcp.message.${name}`,
    `an id that is ${title} comes back as it is`,
    async (lab) => {
      const peer = await connect(lab);
      errorIn(await peer.call(UNKNOWN, {}, id));
    },
  );
}

/** What is no message of the protocol. */
function invalid(
  id: string,
  title: string,
  sent: unknown,
  codes: readonly number[] = [INVALID_REQUEST],
  more: { answered?: unknown; isAdvice?: boolean } = {},
): Row {
  const { answered, ...rest } = more;
  return message(
    `mcp.message.${id}`,
    `${title} is ${codes.join(' or ')}`,
    async (lab) => {
      const peer = await connect(lab);
      await peer.refused(sent, codes, answered);
      await peer.lives();
    },
    rest,
  );
}

/** What must not be answered. */
function unanswered(id: string, title: string, sent: Message): Row {
  return message(`mcp.message.${id}`, `${title} is not answered`, async (lab) => {
    const peer = await connect(lab);
    peer.send(sent);
    await peer.nothing();
  });
}

interface Progress {
  readonly id: number;
  readonly ms: number;
  readonly steps: readonly Message[];
}

function progressOf(peer: McpPeer, token: unknown): readonly Message[] {
  return peer
    .toldOf('notifications/progress')
    .map(({ params }) => (isObject(params) ? params : {}))
    .filter(({ progressToken }) => same(progressToken, token));
}

/** Runs the slow tool to its end. */
async function runSlow(lab: Lab, peer: McpPeer, token: unknown): Promise<Progress> {
  const call = await slowTool(lab);
  const id = nextId();
  const startedAt = performance.now();
  await peer.result('tools/call', { ...call, _meta: { progressToken: token } }, id);
  return { id, ms: performance.now() - startedAt, steps: progressOf(peer, token) };
}

/** How long the slow tool takes; it has to report progress. */
async function slowMs(lab: Lab): Promise<number> {
  const { ms, steps } = await lab.once('mcp-slow', async () =>
    runSlow(lab, await connect(lab), 'wsk-slow'),
  );
  if (steps.length > 0) return ms;
  throw new RowSkip('the slow tool reports no progress: --slow-tool gives one that does');
}

/** Starts the slow tool, and waits until it runs. */
async function begin(
  lab: Lab,
  peer: McpPeer,
  { token = `wsk-${nextId()}` as unknown, id = nextId() } = {},
): Promise<number> {
  await slowMs(lab);
  const call = await slowTool(lab);
  peer.send(peer.request('tools/call', { ...call, _meta: { progressToken: token } }, id));
  await peer.take('a notification of progress', (seen) => {
    const params = isObject(seen) && seen['method'] === 'notifications/progress' && seen['params'];
    return isObject(params) && same(params['progressToken'], token);
  });
  return id;
}

/** The texts in what a tool said. */
function textIn(result: Message): string {
  const { content } = result;
  requireThat(Array.isArray(content), `got ${show(result)}, expected a list "content"`);
  return content.map((block: unknown) => (isObject(block) ? String(block['text']) : '')).join('\n');
}

/** Sets the level from which on log messages come, where there is one. */
async function hearAll(peer: McpPeer): Promise<void> {
  if (!('logging' in peer.capabilities)) return;
  await peer.result('logging/setLevel', { level: 'debug' });
}

/** A list that a method gives page by page. */
async function pages(peer: McpPeer, method: string, key: string): Promise<readonly Message[]> {
  const all: Message[] = [];
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

const MAX_PAGES = 20;

function requireTexts(all: readonly Message[], ...keys: readonly string[]): void {
  for (const one of all) {
    for (const key of keys) {
      requireThat(typeof one[key] === 'string', `${show(one)} has no text "${key}"`);
    }
  }
}

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

async function firstResource(lab: Lab): Promise<string> {
  await needs(lab, 'resources');
  const [first] = (await facts(lab)).resources;
  if (first === undefined) throw new RowSkip('the server lists no resource');
  return String(first['uri']);
}

/** Credentials that are left out or replaced. */
const WITHOUT = { token: null, protocols: [MCP] };

/** A session that the server offers, initialized. */
async function withSession(lab: Lab): Promise<McpPeer & { readonly session: string }> {
  const peer = await legacy(lab);
  if (peer.session === undefined) throw new RowSkip('the server offers no Mcp-Session-Id');
  return peer as McpPeer & { readonly session: string };
}

/** How to come back to the session of a connection that was lost. */
function back({ session: id, received }: { session: string; received: number }): ConnectOptions {
  return {
    headers: [
      ['Mcp-Session-Id', id],
      ['Mcp-Received', String(received)],
    ],
  };
}

/** Both clients get answers of their own, whatever the other does. */
async function two(lab: Lab, capabilities: Message = {}): Promise<readonly [McpPeer, McpPeer]> {
  return [await connect(lab, capabilities), await connect(lab, capabilities)];
}

/** Whatever a client sends, others are served. */
function survived(id: string, title: string, attack: (peer: McpPeer) => void): Row {
  return hostile(`mcp.hostile.${id}`, `${title}: others are served`, async (lab) => {
    await survive(lab, connect, async (attacker) => {
      attack(attacker);
      const last = attacker.request(UNKNOWN);
      attacker.send(last);
      await attacker.gather(lab.leftMs(), (all) =>
        all.some((seen) => isObject(seen) && same(seen['id'], last['id'])),
      );
    });
  });
}

/** Two calls of a tool during which the server asks its client: each is asked for its own. */
async function asked(
  lab: Lab,
  use: 'sampling' | 'elicitation',
  method: string,
  answer: (text: string) => Message,
): Promise<void> {
  const call = await toolFor(lab, use);
  const [one, other] = [await legacy(lab, ABLE), await legacy(lab, ABLE)];
  for (const [peer, bystander] of [
    [one, other],
    [other, one],
  ] as const) {
    const text = lab.name('answer');
    const id = nextId();
    peer.send(peer.request('tools/call', call, id));
    const request = await peer.heard(method);
    requireThat(request['id'] != null, `got ${show(request)}: it has no id`);
    peer.reply(request, answer(text));
    const said = resultIn(await peer.answerTo(id), call.name);
    requireThat(JSON.stringify(said).includes(text), `got ${show(said)}, without ${show(text)}`);
    await bystander.lives();
    requireSame(bystander.toldOf(method), [], `requests ${show(method)} at another client`);
  }
}

const sampled = (text: string): Message => ({
  model: 'wsk',
  role: 'assistant',
  content: { type: 'text', text },
});

export const MCP_ROWS: readonly Row[] = [
  handshake('mcp.handshake.subprotocol', 'the subprotocol mcp is selected', async (lab) => {
    requireSame((await open(lab)).channel.handshake.protocol, MCP, 'the subprotocol');
  }),
  handshake(
    'mcp.handshake.among',
    'mcp is selected behind a name that is not known',
    async (lab) => {
      const { channel } = await open(lab, { protocols: ['wsk.unknown.v0', MCP] });
      requireSame(channel.handshake.protocol, MCP, 'the subprotocol');
    },
  ),
  handshake(
    'mcp.handshake.unknown',
    'only a name that is not known: the handshake is refused, or no name selected',
    async (lab) => {
      const outcome = await lab.attempt({ protocols: ['wsk.unknown.v0'] });
      if ('status' in outcome) return;
      requireSame(outcome.channel.handshake.protocol, null, 'the subprotocol');
    },
    { reference: '6455#4.2.2' },
  ),
  handshake(
    'mcp.handshake.none',
    'a handshake without subprotocol is refused: browsers send one across origins as well',
    async (lab) => {
      await lab.refusal({ protocols: [] });
    },
    { isAdvice: true },
  ),
  handshake(
    'mcp.handshake.token-none',
    'a client without token is refused before the upgrade: 401',
    async (lab) => {
      const answer = await lab.refuses(WITHOUT, 401);
      requireThat(
        answer.headers['www-authenticate'] !== undefined,
        'the answer 401 has no WWW-Authenticate',
      );
    },
    { needs: ['auth'], reference: 'MCP#basic/authorization' },
  ),
  handshake(
    'mcp.handshake.token-wrong',
    'a client with a wrong token is refused before the upgrade: 401',
    async (lab) => {
      const wrong = [['Authorization', 'Bearer wsk-wrong']] as const;
      await lab.refuses({ ...WITHOUT, headers: wrong }, 401);
      await lab.refuses({ ...WITHOUT, protocols: [MCP, 'mcp.auth.wsk-wrong'] }, 401);
    },
    { needs: ['auth'], reference: 'MCP#basic/authorization' },
  ),
  handshake(
    'mcp.handshake.token-subprotocol',
    'a token may come as the subprotocol mcp.auth.<token>, as browsers set no headers',
    async (lab) => {
      const token = lab.subject.secrets.user ?? lab.token('wsk');
      const peer = await open(lab, { token: null, protocols: [MCP, `mcp.auth.${token}`] });
      requireSame(peer.channel.handshake.protocol, MCP, 'the subprotocol');
    },
    { needs: ['auth'], isAdvice: true },
  ),

  invalid('json', 'a text that is no JSON', '{"jsonrpc": "2.0", "method": "ping, "id": 1]', [
    PARSE_ERROR,
  ]),
  invalid('empty', 'an empty text', '', [PARSE_ERROR]),
  invalid('cut', 'a request that is cut off', '{"jsonrpc":"2.0","method":"ping","id":1', [
    PARSE_ERROR,
  ]),
  invalid('null', 'null', 'null'),
  invalid('number', 'a number', '5'),
  invalid('object', 'an object that is no message', '{"neither":"this"}'),
  invalid('version', 'jsonrpc "1.0"', { jsonrpc: '1.0', id: 1, method: 'ping' }, undefined, {
    answered: 1,
  }),
  invalid('no-version', 'a request without jsonrpc', { id: 1, method: 'ping' }, undefined, {
    answered: 1,
  }),
  invalid(
    'method-number',
    'a method that is a number',
    { jsonrpc: '2.0', id: 1, method: 1 },
    undefined,
    {
      answered: 1,
    },
  ),
  invalid('id-null', 'an id that is null', { jsonrpc: '2.0', id: null, method: 'ping' }),
  invalid('id-object', 'an id that is an object', { jsonrpc: '2.0', id: {}, method: 'ping' }),
  invalid('id-boolean', 'an id that is true', { jsonrpc: '2.0', id: true, method: 'ping' }),
  invalid(
    'params-list',
    'params that are a list',
    { jsonrpc: '2.0', id: 1, method: 'ping', params: [1] },
    [INVALID_REQUEST, INVALID_PARAMS],
    { answered: 1 },
  ),
  message(
    'mcp.message.batch',
    'a batch is -32600, or each of its requests is answered: revisions after 2025-03-26 have none',
    async (lab) => {
      const peer = await connect(lab);
      const ids = [nextId(), nextId()];
      peer.send(ids.map((id) => peer.request('ping', {}, id)));
      const found = await peer.answer('error -32600 or responses');
      if (isObject(found) && !ids.includes(found['id'] as number)) {
        errorIn(found, [INVALID_REQUEST]);
        await peer.lives();
        return;
      }
      const all = Array.isArray(found) ? found : [found, await peer.answer('a second response')];
      requireSame(all.map((one) => responseIn(one)['id']).sort(), ids, 'the ids of the responses');
    },
    { reference: 'MCP-2025-06-18#changelog' },
  ),
  invalid('batch-empty', 'an empty batch', '[]'),
  kept('id-text', 'a text', 'wsk-a-1'),
  kept('id-digits', 'a text of digits', '7'),
  kept('id-number', 'a number', 7),
  kept('id-zero', '0', 0),
  kept('id-negative', 'negative', -5),
  kept('id-large', 'the largest safe integer', Number.MAX_SAFE_INTEGER),
  kept('id-empty', 'an empty text', ''),
  kept('id-unicode', 'a text of any characters', 'ключ "€𝄞"\n\\:'),
  message(
    'mcp.message.id-fraction',
    'an id with a fraction, which is none, is -32600, or comes back as it is',
    async (lab) => {
      const peer = await connect(lab);
      await peer.refused(
        peer.request(UNKNOWN, {}, 1.5),
        [INVALID_REQUEST, NO_METHOD, INVALID_PARAMS],
        1.5,
      );
      await peer.lives();
    },
  ),
  message('mcp.message.unknown', 'a method that is not there is -32601', async (lab) => {
    errorIn(await (await connect(lab)).call(UNKNOWN), [NO_METHOD]);
  }),
  message('mcp.message.names', 'names that objects have are no methods', async (lab) => {
    const peer = await connect(lab);
    for (const method of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      errorIn(await peer.call(method), [NO_METHOD]);
    }
  }),
  unanswered('notification', 'a notification that nobody knows', {
    jsonrpc: '2.0',
    method: 'notifications/wsk',
    params: {},
  }),
  unanswered('notification-request', 'a request method without id', {
    jsonrpc: '2.0',
    method: 'tools/list',
  }),
  unanswered('response', 'a response to what was never asked', {
    jsonrpc: '2.0',
    id: 987_654,
    result: {},
  }),
  unanswered('error', 'an error to what was never asked', {
    jsonrpc: '2.0',
    id: 'wsk-never',
    error: { code: -32603, message: 'wsk' },
  }),
  message('mcp.message.once', 'a request is answered once', async (lab) => {
    const peer = await connect(lab);
    await peer.call(UNKNOWN);
    await peer.nothing();
  }),
  message('mcp.message.together', '100 requests at once are each answered', async (lab) => {
    const peer = await connect(lab);
    const all = Array.from({ length: 100 }, () => peer.request(UNKNOWN));
    for (const one of all) peer.send(one);
    for (const { id } of all) errorIn(await peer.answerTo(id));
    await peer.nothing();
  }),
  message('mcp.message.fragments', 'a request may come in fragments', async (lab) => {
    const peer = await connect(lab);
    const sent = peer.request(UNKNOWN);
    const text = JSON.stringify(sent);
    void peer.channel.sendText(text.slice(0, 7), { fin: false });
    void peer.channel.sendContinuation(text.slice(7));
    errorIn(await peer.answerTo(sent['id']));
  }),
  message(
    'mcp.message.line-breaks',
    'JSON may have line breaks between its tokens, which end messages on standard input',
    async (lab) => {
      const peer = await connect(lab);
      const sent = peer.request(UNKNOWN);
      peer.send(JSON.stringify(sent, null, 2).replaceAll('\n', '\r\n'));
      errorIn(await peer.answerTo(sent['id']));
    },
  ),
  message('mcp.message.unicode', 'a text comes back with all of its characters', async (lab) => {
    const say = await echo(lab);
    const peer = await connect(lab);
    const text = 'ä€𝄞 \u2028\u2029 line\nbreak\ttab "quoted" \\ \u0001';
    const said = textIn(await peer.result('tools/call', say(text)));
    requireThat(said.includes(text), `got ${show(said)}, expected ${show(text)} in it`);
  }),
  message(
    'mcp.message.binary',
    'a binary message closes the connection with 1003',
    async (lab) => {
      const peer = await connect(lab);
      void peer.channel.sendBinary(Buffer.from(JSON.stringify(peer.request('ping'))));
      await peer.closed(1003);
    },
    { reference: 'SEP-1288' },
  ),

  lifecycle(
    'mcp.lifecycle.initialize',
    'initialize has a version, capabilities and a name',
    async (lab) => {
      const peer = await legacy(lab);
      const other = await open(lab);
      const { protocolVersion, capabilities, serverInfo } = await introduce(other);
      requireThat(
        typeof protocolVersion === 'string' && /^\d{4}-\d\d-\d\d$/.test(protocolVersion),
        `protocolVersion is ${show(protocolVersion)}, expected a date`,
      );
      requireThat(isObject(capabilities), `capabilities are ${show(capabilities)}`);
      requireThat(isObject(serverInfo), `serverInfo is ${show(serverInfo)}`);
      requireTexts([serverInfo], 'name', 'version');
      await peer.lives();
    },
  ),
  lifecycle(
    'mcp.lifecycle.version-same',
    'a version that the server has named is what it answers with',
    async (lab) => {
      await legacy(lab);
      const first = (await introduce(await open(lab)))['protocolVersion'];
      const peer = await open(lab);
      const again = await peer.result('initialize', initialize({}, first).params);
      requireSame(again['protocolVersion'], first, 'protocolVersion');
    },
  ),
  ...['2024-11-05', '2025-03-26', '2025-06-18', LEGACY].map((version) =>
    lifecycle(
      `mcp.lifecycle.version-${version}`,
      `to ${version} the server answers with it, or with another version it has`,
      async (lab) => {
        await legacy(lab);
        const peer = await open(lab);
        const { protocolVersion } = await peer.result('initialize', initialize({}, version).params);
        requireThat(
          typeof protocolVersion === 'string' && /^\d{4}-\d\d-\d\d$/.test(protocolVersion),
          `protocolVersion is ${show(protocolVersion)}, expected a date`,
        );
        peer.notify('notifications/initialized');
        await peer.lives();
      },
    ),
  ),
  lifecycle(
    'mcp.lifecycle.version-unknown',
    'to a version that nobody has the server answers with one it has, or with an error',
    async (lab) => {
      await legacy(lab);
      const peer = await open(lab);
      const response = await peer.call('initialize', initialize({}, '2999-12-31').params);
      if (Object.hasOwn(response, 'error')) {
        errorIn(response);
        return;
      }
      const { protocolVersion } = resultIn(response, 'initialize');
      requireThat(
        typeof protocolVersion === 'string' && protocolVersion < '2999',
        `protocolVersion is ${show(protocolVersion)}, which cannot be`,
      );
    },
  ),
  lifecycle('mcp.lifecycle.no-params', 'initialize without parameters is an error', async (lab) => {
    await legacy(lab);
    const peer = await open(lab);
    await peer.fails('initialize', {});
    await introduce(peer);
    await peer.lives();
  }),
  lifecycle(
    'mcp.lifecycle.ping-first',
    'a ping before initialize is answered',
    async (lab) => {
      await legacy(lab);
      const peer = await open(lab);
      requireSame(await peer.result('ping'), {}, 'the result');
    },
    { isAdvice: true },
  ),
  lifecycle(
    'mcp.lifecycle.initialized',
    'notifications/initialized is not answered',
    async (lab) => {
      await (await legacy(lab)).nothing();
    },
  ),
  lifecycle(
    'mcp.lifecycle.unannounced',
    'methods of a capability that is not announced are -32601',
    async (lab) => {
      const peer = await connect(lab);
      const methods = { tools: 'tools/list', resources: 'resources/list', prompts: 'prompts/list' };
      const absent = Object.entries(methods).filter(([name]) => !(name in peer.capabilities));
      if (absent.length === 0) throw new RowSkip('the server announces them all');
      for (const [, method] of absent) await peer.fails(method, {}, [NO_METHOD]);
    },
    { isAdvice: true },
  ),

  utility(
    'mcp.utility.ping',
    'a ping is answered with an empty result',
    async (lab) => {
      requireSame(await (await legacy(lab)).result('ping'), {}, 'the result');
    },
    { reference: 'MCP#basic/utilities/ping' },
  ),
  ...[['text', 'a text', 'wsk:token'] as const, ['number', 'a number', 41] as const].map(
    ([name, title, token]) =>
      utility(
        `mcp.utility.progress-${name}`,
        `progress has the token of its request: ${title}; it grows, and ends with the response`,
        async (lab) => {
          await slowMs(lab);
          const peer = await connect(lab);
          const { steps } = await runSlow(lab, peer, token);
          requireThat(steps.length > 0, 'no notification had the token');
          const values = steps.map(({ progress }) => Number(progress));
          const grows = values.every((value, at) => at === 0 || value > Number(values[at - 1]));
          requireThat(grows, `progress was ${values.join(', ')}, expected that it grows`);
          await peer.lives();
          const after = progressOf(peer, token);
          requireSame(after.length, steps.length, 'notifications, with those after the response');
        },
        { reference: 'MCP#basic/utilities/progress' },
      ),
  ),
  utility(
    'mcp.utility.progress-none',
    'a request without token is told of no progress',
    async (lab) => {
      await slowMs(lab);
      const peer = await connect(lab);
      await peer.result('tools/call', await slowTool(lab));
      requireSame(peer.toldOf('notifications/progress'), [], 'notifications of progress');
    },
    { reference: 'MCP#basic/utilities/progress' },
  ),
  ...[
    ['unknown', 'an unknown request', { requestId: 987_654 }] as const,
    ['odd', 'no request', { requestId: {} }] as const,
  ].map(([name, title, params]) =>
    utility(
      `mcp.utility.cancel-${name}`,
      `to cancel ${title} does no harm`,
      async (lab) => {
        const peer = await connect(lab);
        peer.notify('notifications/cancelled', params);
        await peer.nothing();
      },
      { reference: 'MCP#basic/utilities/cancellation' },
    ),
  ),
  utility(
    'mcp.utility.cancel-late',
    'to cancel what was answered does no harm',
    async (lab) => {
      const peer = await connect(lab);
      const requestId = nextId();
      await peer.call(UNKNOWN, {}, requestId);
      peer.notify('notifications/cancelled', { requestId });
      await peer.nothing();
    },
    { reference: 'MCP#basic/utilities/cancellation' },
  ),
  utility(
    'mcp.utility.log-level',
    'a log level is set',
    async (lab) => {
      await needs(lab, 'logging');
      await (await legacy(lab)).result('logging/setLevel', { level: 'warning' });
    },
    { reference: 'MCP#server/utilities/logging' },
  ),
  utility(
    'mcp.utility.log-level-unknown',
    'a log level that is none is an error',
    async (lab) => {
      await needs(lab, 'logging');
      await (await legacy(lab)).fails('logging/setLevel', { level: 'wsk' });
    },
    { reference: 'MCP#server/utilities/logging', isAdvice: true },
  ),
  utility(
    'mcp.utility.log-messages',
    'log messages have a level and data',
    async (lab) => {
      const call = await toolFor(lab, 'logging');
      const peer = await legacy(lab);
      await hearAll(peer);
      await peer.result('tools/call', call);
      const { params } = await peer.heard('notifications/message');
      requireThat(
        isObject(params) && typeof params['level'] === 'string' && params['data'] !== undefined,
        `got ${show(params)}, expected a level and data`,
      );
    },
    { reference: 'MCP#server/utilities/logging', isAlone: true },
  ),

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

  asking(
    'mcp.asking.elicitation',
    'an elicitation goes to the client whose call needs it, and its answer to the server',
    async (lab) => {
      await asked(lab, 'elicitation', 'elicitation/create', (text) => ({
        action: 'accept',
        content: { name: text },
      }));
    },
    { reference: 'MCP#client/elicitation' },
  ),
  asking(
    'mcp.asking.declined',
    'a client that declines gets a result, or an error',
    async (lab) => {
      const call = await toolFor(lab, 'elicitation');
      const peer = await legacy(lab, ABLE);
      const id = nextId();
      peer.send(peer.request('tools/call', call, id));
      peer.reply(await peer.heard('elicitation/create'), { action: 'decline' });
      await peer.answerTo(id);
    },
    { reference: 'MCP#client/elicitation' },
  ),
  asking(
    'mcp.asking.error',
    'a client that answers with an error gets a result, or an error',
    async (lab) => {
      const call = await toolFor(lab, 'sampling');
      const peer = await legacy(lab, ABLE);
      const id = nextId();
      peer.send(peer.request('tools/call', call, id));
      const request = await peer.heard('sampling/createMessage');
      const error = { code: -1, message: 'User rejected sampling request' };
      peer.send({ jsonrpc: '2.0', id: request['id'], error });
      await peer.answerTo(id);
    },
    { reference: 'MCP#client/sampling' },
  ),
  asking(
    'mcp.asking.incapable',
    'a client that does not announce sampling is not asked for it',
    async (lab) => {
      const call = await toolFor(lab, 'sampling');
      const peer = await legacy(lab);
      const id = nextId();
      peer.send(peer.request('tools/call', call, id));
      await peer.take(
        'a response',
        (seen) =>
          isObject(seen) && (same(seen['id'], id) || seen['method'] === 'sampling/createMessage'),
      );
      requireSame(peer.toldOf('sampling/createMessage'), [], 'requests for sampling');
    },
    { reference: 'MCP#client/sampling', isAdvice: true },
  ),
  asking(
    'mcp.asking.left',
    'a client that leaves while it is asked keeps nobody waiting',
    async (lab) => {
      const call = await toolFor(lab, 'sampling');
      const peer = await legacy(lab, ABLE);
      peer.send(peer.request('tools/call', call));
      await peer.heard('sampling/createMessage');
      peer.channel.terminate();
      await (await connect(lab)).lives();
    },
    { reference: 'MCP#client/sampling' },
  ),

  stateless(
    'mcp.modern.discover',
    'server/discover names versions and capabilities',
    async (lab) => {
      const result = await (await modern(lab)).result('server/discover');
      const { supportedVersions, capabilities, resultType } = result;
      requireThat(
        Array.isArray(supportedVersions) && supportedVersions.includes(MODERN),
        `supportedVersions are ${show(supportedVersions)}, expected ${MODERN} among them`,
      );
      requireThat(isObject(capabilities), `capabilities are ${show(capabilities)}`);
      requireSame(resultType, 'complete', 'resultType');
    },
    { reference: `MCP-${MODERN}#server/discover` },
  ),
  stateless('mcp.modern.inline', 'the first request needs no handshake', async (lab) => {
    await needs(lab, 'tools');
    const result = await (await modern(lab)).result('tools/list');
    requireThat(Array.isArray(result['tools']), `got ${show(result)}, expected a list of tools`);
    requireSame(result['resultType'], 'complete', 'resultType');
  }),
  stateless('mcp.modern.call', 'a tool is called without handshake', async (lab) => {
    const call = await plainTool(lab);
    const result = await (await modern(lab)).result('tools/call', call);
    textIn(result);
    requireSame(result['resultType'], 'complete', 'resultType');
  }),
  stateless(
    'mcp.modern.version',
    'a version that the server lacks is -32022 with those that it has',
    async (lab) => {
      const peer = await modern(lab);
      peer.envelope = envelope({}, '2999-12-31');
      const { data } = await peer.fails('server/discover', {}, [-32022]);
      const supported = isObject(data) ? data['supported'] : undefined;
      requireThat(
        Array.isArray(supported) && supported.includes(MODERN),
        `data is ${show(data)}, expected "supported" with ${MODERN}`,
      );
      peer.envelope = envelope();
      await peer.lives();
    },
    { reference: `MCP-${MODERN}#basic/versioning` },
  ),
  stateless('mcp.modern.unknown', 'a method that is not there is -32601', async (lab) => {
    await (await modern(lab)).fails(UNKNOWN, {}, [NO_METHOD]);
  }),
  stateless(
    'mcp.modern.envelope',
    'an envelope whose version is no text is an error',
    async (lab) => {
      const peer = await modern(lab);
      peer.envelope = { ...envelope(), ...envelope({}, 7 as unknown as string) };
      await peer.fails('server/discover', {});
    },
  ),
  stateless('mcp.modern.id-text', 'an id that is a text comes back as it is', async (lab) => {
    await (await modern(lab)).result('server/discover', {}, 'wsk:text-1');
  }),
  stateless(
    'mcp.modern.ping',
    'ping is no method any more: -32601',
    async (lab) => {
      const peer = await modern(lab);
      await peer.lives();
      await peer.fails('ping', {}, [NO_METHOD]);
    },
    { isAdvice: true, reference: `MCP-${MODERN}#changelog` },
  ),
  stateless(
    'mcp.modern.cache',
    'lists say how long they hold, and for whom',
    async (lab) => {
      await needs(lab, 'tools');
      const { ttlMs, cacheScope } = await (await modern(lab)).result('tools/list');
      requireThat(
        Number.isInteger(ttlMs) && (cacheScope === 'public' || cacheScope === 'private'),
        `ttlMs is ${show(ttlMs)}, cacheScope ${show(cacheScope)}`,
      );
    },
    { reference: `MCP-${MODERN}#server/utilities/caching` },
  ),
  stateless(
    'mcp.modern.progress',
    'progress has the token of its request',
    async (lab) => {
      await slowMs(lab);
      const { steps } = await runSlow(lab, await modern(lab), 'wsk:modern');
      requireThat(steps.length > 0, 'no notification had the token');
    },
    { reference: `MCP-${MODERN}#basic/patterns` },
  ),
  stateless(
    'mcp.modern.input',
    'the server asks its client by a result, not by a request; the next call brings the answer',
    async (lab) => {
      const call = await toolFor(lab, 'input').catch(() => toolFor(lab, 'elicitation'));
      const peer = await modern(lab, { elicitation: { form: {} } });
      const first = await peer.result('tools/call', call);
      requireSame(first['resultType'], 'input_required', 'resultType');
      const { inputRequests, requestState } = first;
      requireThat(isObject(inputRequests), `inputRequests are ${show(inputRequests)}`);
      const text = lab.name('answer');
      const answers = Object.keys(inputRequests).map(
        (key) => [key, { action: 'accept', content: { name: text } }] as const,
      );
      const second = await peer.result('tools/call', {
        ...call,
        inputResponses: Object.fromEntries(answers),
        ...(requestState !== undefined && { requestState }),
      });
      requireThat(second['resultType'] === 'complete', `got ${show(second)}, expected a result`);
      requireSame(peer.toldOf('elicitation/create'), [], 'requests of the server');
    },
    { reference: `MCP-${MODERN}#basic/patterns/mrtr` },
  ),
  stateless(
    'mcp.modern.listen',
    'subscriptions/listen is acknowledged with the id of its request; two clients have each its own',
    async (lab) => {
      const [one, other] = [await modern(lab), await modern(lab)];
      const params = { notifications: { toolsListChanged: true, promptsListChanged: true } };
      for (const peer of [one, other]) {
        peer.send(peer.request('subscriptions/listen', params, 'wsk-listen'));
      }
      for (const peer of [one, other]) {
        const told = await peer.heard('notifications/subscriptions/acknowledged');
        const meta = isObject(told['params']) ? told['params']['_meta'] : undefined;
        const id = isObject(meta) ? meta[SUBSCRIPTION] : undefined;
        requireSame(id, 'wsk-listen', `the subscription of ${show(told)}`);
      }
      one.notify('notifications/cancelled', { requestId: 'wsk-listen' });
      await one.lives();
      await other.lives();
      requireSame(
        other.toldOf('notifications/subscriptions/acknowledged'),
        [],
        'further acknowledgements',
      );
    },
    { reference: `MCP-${MODERN}#basic/patterns/subscriptions` },
  ),
  stateless(
    'mcp.modern.resource',
    'a resource that is not there is -32602',
    async (lab) => {
      await firstResource(lab);
      const peer = await modern(lab);
      await peer.fails('resources/read', { uri: 'wsk://no/such' }, [INVALID_PARAMS]);
    },
    { reference: `MCP-${MODERN}#server/resources`, isAdvice: true },
  ),

  clients(
    'mcp.clients.same-ids',
    'requests of two clients with the same id are answered to each',
    async (lab) => {
      const say = await echo(lab);
      const peers = await two(lab);
      const texts = peers.map(() => lab.name('text'));
      const ids = [1, 2, 3, 'a'];
      for (const id of ids) {
        for (const [at, peer] of peers.entries()) {
          peer.send(peer.request('tools/call', say(`${texts[at]} ${id}`), id));
        }
      }
      for (const [at, peer] of peers.entries()) {
        for (const id of ids) {
          const said = textIn(resultIn(await peer.answerTo(id), 'echo'));
          requireThat(said.includes(`${texts[at]} ${id}`), `got ${show(said)} for ${show(id)}`);
        }
        await peer.nothing();
      }
    },
  ),
  clients(
    'mcp.clients.unknown-ids',
    'errors of two clients with the same id go to each',
    async (lab) => {
      const [one, other] = await two(lab);
      one.send(one.request(UNKNOWN, {}, 1));
      other.send(other.request(UNKNOWN, {}, 1));
      await one.answerTo(1);
      await other.answerTo(1);
      await one.nothing();
      await other.nothing();
    },
  ),
  clients(
    'mcp.clients.progress',
    'two clients with the same progress token hear each of their own',
    async (lab) => {
      await slowMs(lab);
      const [one, other] = await two(lab);
      const id = await begin(lab, one, { token: 'wsk-same', id: 1 });
      await begin(lab, other, { token: 'wsk-same', id: 1 });
      await one.answerTo(id);
      await other.answerTo(id);
      const [first, second] = [progressOf(one, 'wsk-same'), progressOf(other, 'wsk-same')];
      for (const steps of [first, second]) {
        const values = steps.map(({ progress }) => progress);
        requireSame(
          new Set(values).size,
          values.length,
          `progress without repetition in ${show(values)}`,
        );
      }
    },
  ),
  clients(
    'mcp.clients.cancel',
    'to cancel cancels nothing of another client with the same id',
    async (lab) => {
      await slowMs(lab);
      const [one, other] = await two(lab);
      const id = await begin(lab, one);
      await begin(lab, other, { id });
      one.notify('notifications/cancelled', { requestId: id, reason: 'wsk' });
      resultIn(await other.answerTo(id), 'the call of the other client');
    },
  ),
  clients(
    'mcp.clients.logs',
    'log messages of a call are not told to others',
    async (lab) => {
      const call = await toolFor(lab, 'logging');
      const [one, other] = [await legacy(lab), await legacy(lab)];
      for (const peer of [one, other]) await hearAll(peer);
      await one.result('tools/call', call);
      await other.lives();
      requireSame(other.toldOf('notifications/message'), [], 'log messages at another client');
    },
    { isAlone: true },
  ),
  clients('mcp.clients.left', 'what a client left unanswered goes to nobody', async (lab) => {
    const [one, other] = await two(lab);
    const id = await begin(lab, one);
    one.channel.terminate();
    const match = (seen: Message): boolean =>
      same(seen['id'], id) || seen['method'] === 'notifications/progress';
    await other.silent((await slowMs(lab)) + QUIET_MS, 'nothing of the client that left', match);
    await other.lives();
  }),
  clients('mcp.clients.initialize', 'each client is told of a session of its own', async (lab) => {
    await legacy(lab);
    const [one, other] = [await open(lab), await open(lab)];
    for (const peer of [one, other]) peer.send(peer.request('initialize', initialize().params, 1));
    for (const peer of [one, other]) {
      resultIn(await peer.answerTo(1), 'initialize');
      peer.notify('notifications/initialized');
      await peer.nothing();
    }
    requireThat(
      one.session === undefined || one.session !== other.session,
      `both have the session ${show(one.session)}`,
    );
  }),

  session('mcp.session.id', 'sessions have names that nobody can guess', async (lab) => {
    const { session: id } = await withSession(lab);
    requireThat(
      /^[\x21-\x7e]{16,}$/.test(id),
      `the session is ${show(id)}, expected 16 visible characters`,
    );
    const { session: other } = await withSession(lab);
    requireThat(id !== other, `two clients have the session ${show(id)}`);
  }),
  session(
    'mcp.session.resume',
    'a session goes on over another connection, without initialize',
    async (lab) => {
      const peer = await withSession(lab);
      await peer.lives();
      peer.channel.terminate();
      const again = await open(lab, back(peer));
      requireSame(again.session, peer.session, 'the session');
      requireSame(await again.result('ping'), {}, 'the result of a ping');
      if ('tools' in peer.capabilities) await again.result('tools/list');
    },
  ),
  session(
    'mcp.session.take-over',
    'a client that comes back closes its other connection with 1000',
    async (lab) => {
      const peer = await withSession(lab);
      await peer.lives();
      const again = await open(lab, back(peer));
      await peer.closed(1000);
      requireSame(again.session, peer.session, 'the session');
      await again.lives();
    },
  ),
  session('mcp.session.unknown', 'a session that is not known becomes a new one', async (lab) => {
    const peer = await withSession(lab);
    const headers = [['Mcp-Session-Id', 'wsk-no-such-session']] as const;
    const other = await open(lab, { headers });
    requireThat(
      other.session !== undefined &&
        other.session !== peer.session &&
        !other.session.includes('wsk'),
      `the session is ${show(other.session)}, expected a new one`,
    );
    await introduce(other);
    await other.lives();
  }),
  session('mcp.session.ended', 'a session that its client has closed is over', async (lab) => {
    const peer = await withSession(lab);
    await peer.channel.close(1000);
    const other = await open(lab, back(peer));
    requireThat(other.session !== peer.session, 'the session goes on');
  }),

  closing('mcp.closing.close', 'a close frame is answered with its code', async (lab) => {
    const peer = await connect(lab);
    await peer.lives();
    void peer.channel.close(1000);
    requireSame((await peer.ended()).code, 1000, 'the close code');
  }),
  closing('mcp.closing.busy', 'a ping frame is answered while a call is running', async (lab) => {
    const peer = await connect(lab);
    const id = await begin(lab, peer);
    void peer.channel.sendPing(Buffer.from('wsk'));
    const pong = await peer.ponged();
    requireSame(pong, 'wsk', 'the payload of the pong');
    resultIn(await peer.answerTo(id), 'the call');
  }),

  hostile(
    'mcp.hostile.unread',
    '500 requests whose answers are not read: others are served',
    async (lab) => {
      const slow = { unreadBytes: 65_536 };
      const attacker = await connect(lab, {}, slow);
      const bystander = await connect(lab);
      for (let count = 0; count < 500; count++) attacker.send(attacker.request('tools/list'));
      await bystander.lives();
      await (await connect(lab)).lives();
      attacker.channel.terminate();
      await bystander.lives();
    },
  ),
  hostile('mcp.hostile.silent', 'clients that never initialize: others are served', async (lab) => {
    await connect(lab);
    for (let count = 0; count < 10; count++) await open(lab);
    await (await connect(lab)).lives();
  }),
  hostile(
    'mcp.hostile.too-early',
    'requests before initialize: answered, or refused',
    async (lab) => {
      await legacy(lab);
      const peer = await open(lab);
      await peer.call('tools/list');
      await (await connect(lab)).lives();
    },
  ),
  hostile(
    'mcp.hostile.twice',
    'initialize a second time: answered, and the session goes on',
    async (lab) => {
      const peer = await legacy(lab);
      await peer.call('initialize', initialize().params);
      await peer.lives();
    },
  ),
  survived('nested', 'params of 10,000 lists in each other', (peer) =>
    peer.send(
      `{"jsonrpc":"2.0","method":"tools/call","id":"n","params":{"name":${'['.repeat(10_000)}${']'.repeat(10_000)}}}`,
    ),
  ),
  survived('brackets', '50,000 open brackets', (peer) => peer.send('['.repeat(50_000))),
  survived('long-id', 'an id of 60,000 characters', (peer) =>
    peer.send(peer.request(UNKNOWN, {}, 'a'.repeat(60_000))),
  ),
  survived('long-method', 'a method of 60,000 characters', (peer) =>
    peer.send(peer.request('a'.repeat(60_000))),
  ),
  survived('numbers', 'ids that are too large', (peer) => {
    peer.send('{"jsonrpc":"2.0","method":"ping","id":1e400}');
    peer.send(`{"jsonrpc":"2.0","method":"ping","id":${'9'.repeat(5000)}}`);
  }),
  survived('proto', 'keys with which objects are made', (peer) => {
    peer.send(
      '{"jsonrpc":"2.0","method":"tools/call","id":"p","params":{"__proto__":{"a":1},"name":"__proto__"}}',
    );
  }),
  survived('surrogate', 'half a character, and NUL', (peer) =>
    peer.send('{"jsonrpc":"2.0","method":"\\ud800\\u0000","id":"\\udfff"}'),
  ),
  survived('mixed', 'values of every type where others belong', (peer) => {
    for (const odd of [null, 1, true, [], {}, '']) {
      peer.send({ jsonrpc: odd, method: odd, params: odd, id: odd });
      peer.send({ jsonrpc: '2.0', method: 'tools/call', params: odd, id: nextId() });
      peer.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: odd });
      peer.send({ jsonrpc: '2.0', id: odd, result: odd });
    }
  }),
  survived('lost', '1,000 requests, and a lost connection', (peer) => {
    for (let count = 0; count < 1000; count++) peer.send(peer.request(UNKNOWN));
    peer.channel.terminate();
  }),

  // What some servers do not outlive comes last.
  probe(
    'mcp.s1.connects',
    'S1: a client of the legacy era connects, lists tools and calls one',
    async (lab) => {
      const peer = await open(lab);
      await introduce(peer);
      const { tools: all } = await peer.result('tools/list');
      requireThat(Array.isArray(all), `got ${show(all)}, expected a list of tools`);
      await peer.result('tools/call', await plainTool(lab));
    },
    { reference: 'MCP#basic/lifecycle' },
  ),
  probe(
    'mcp.s2.id-text',
    'S2: a request whose id is a text is answered',
    async (lab) => {
      const peer = await connect(lab);
      await peer.call(UNKNOWN, {}, '0f6b1c52-wsk');
      await peer.call(UNKNOWN, {}, '12:34');
    },
    { reference: 'MCP#basic' },
  ),
  probe(
    'mcp.s3.probe',
    'S3: the probe of modern clients, whose id is a text, is answered by a result or an error',
    async (lab) => {
      const peer = await open(lab);
      peer.envelope = envelope();
      await peer.call('server/discover', {}, 'server-discover-probe-1');
    },
    { reference: `MCP-${MODERN}#basic/versioning` },
  ),
  probe(
    'mcp.s4.sampling',
    'S4: a request of the server goes to the client whose call needs it, and its answer to the server',
    async (lab) => {
      await asked(lab, 'sampling', 'sampling/createMessage', sampled);
    },
    { reference: 'MCP#client/sampling', isAlone: true },
  ),
  probe(
    'mcp.s5.progress',
    'S5: progress of one client is not told to another',
    async (lab) => {
      const [one, other] = await two(lab);
      const id = await begin(lab, one);
      resultIn(await one.answerTo(id), 'the call');
      await other.lives();
      requireSame(other.toldOf('notifications/progress'), [], 'notifications at another client');
    },
    { reference: 'MCP#basic/utilities/progress' },
  ),
  probe(
    'mcp.s6.invalid',
    'S6: what is no JSON, no message, or a batch is answered with an error',
    async (lab) => {
      const peer = await connect(lab);
      await peer.refused('{"jsonrpc"', [PARSE_ERROR]);
      for (const text of ['null', '5', '{"a":1}']) await peer.refused(text, [INVALID_REQUEST]);
      peer.send([peer.request('ping', {}, 1)]);
      await peer.answer('an answer to a batch');
      await peer.lives();
    },
    { reference: 'JSON-RPC#5.1' },
  ),
  probe(
    'mcp.s7.origin',
    'S7: a page of a foreign origin does not get in without a token',
    async (lab) => {
      const origin = [['Origin', FOREIGN]] as const;
      const outcome = await lab.attempt({ token: null, protocols: [MCP], headers: origin });
      if ('status' in outcome) {
        expectStatus(outcome, 'the handshake', [400, 401, 403, 404]);
        return;
      }
      const { channel } = outcome;
      // Some accept, and close at once.
      const event = await channel.next(QUIET_MS);
      if (event?.type === 'close') return;
      throw new RowFailure(`a page of ${FOREIGN} got in, expected 403`);
    },
    { reference: 'MCP#basic/transports' },
  ),
  probe(
    'mcp.s8.crash',
    'S8: when the server behind it ends, calls get an error, others are served, and the same client again',
    async (lab) => {
      const call = crashTool(lab);
      const [one, other] = await two(lab);
      await other.lives();
      errorIn(await one.call('tools/call', call));
      await other.lives();
      await one.lives();
      await (await connect(lab)).lives();
    },
    { isAlone: true },
  ),
  probe(
    'mcp.s9.vanished',
    'S9: the answer to a client that was lost meanwhile waits for it, where there are sessions',
    async (lab) => {
      const peer = await withSession(lab);
      const id = await begin(lab, peer);
      peer.channel.terminate();
      const again = await open(lab, back(peer));
      requireSame(again.session, peer.session, 'the session');
      resultIn(await again.answerTo(id), 'the call before the loss');
      await again.nothing();
    },
    { reference: 'SEP-1288' },
  ),
  probe(
    'mcp.s10.large',
    'S10: a message of 20 MB harms nobody but who sends it',
    async (lab) => {
      await survive(lab, connect, async (attacker) => {
        const params = { name: 'echo', arguments: { message: 'a'.repeat(LARGE_BYTES) } };
        attacker.send(attacker.request('tools/call', params));
        await attacker.gather(lab.leftMs(), (all) => all.some(isAnswer));
      });
    },
    { isAlone: true },
  ),
  probe(
    'mcp.s11.cancel',
    'S11: what is cancelled is not answered',
    async (lab) => {
      const peer = await connect(lab);
      const ms = await slowMs(lab);
      const requestId = await begin(lab, peer);
      peer.notify('notifications/cancelled', { requestId, reason: 'wsk' });
      await peer.silent(ms + QUIET_MS, 'no answer', ({ id }) => same(id, requestId));
      await peer.lives();
    },
    { reference: 'MCP#basic/utilities/cancellation', isAdvice: true },
  ),
  probe(
    'mcp.s12.health',
    'S12: /healthz answers, and more than once',
    async (lab) => {
      const first = await lab.http('GET', '/healthz');
      if (first.status === 404 || first.status === 426) {
        throw new RowSkip(`/healthz is answered with ${first.status}: the server has none`);
      }
      expectStatus(first, 'GET /healthz', [200, 204]);
      await lab.answers([200, 204], 'GET', '/healthz');
    },
    { reference: '' },
  ),
  probe(
    'mcp.s13.in-flight',
    'S13: 50 calls of 10 KB at once are each answered with their own',
    async (lab) => {
      const say = await echo(lab);
      const peer = await connect(lab);
      const texts = Array.from({ length: 50 }, (_, at) => `${at}:${'x'.repeat(10_000)}:${at}`);
      const sent = texts.map((text) => peer.request('tools/call', say(text)));
      for (const one of sent) peer.send(one);
      for (const [at, { id }] of sent.entries()) {
        const said = textIn(resultIn(await peer.answerTo(id), 'echo'));
        requireThat(
          said.includes(String(texts[at])),
          `the answer to ${show(id)} is that of another`,
        );
      }
      await peer.nothing();
    },
  ),

  closing(
    'mcp.closing.too-large',
    'a message of 20 MB is closed with 1009, or answered',
    async (lab) => {
      const peer = await connect(lab).catch((error: unknown) => {
        if (!(error instanceof EnvironmentError)) throw error;
        throw new RowSkip('not judged: the server did not answer before, either');
      });
      const params = { name: 'echo', arguments: { message: 'a'.repeat(LARGE_BYTES) } };
      peer.send(peer.request('tools/call', params));
      for (;;) {
        const event = await peer.channel.next(lab.leftMs());
        if (event === undefined) throw new RowFailure('neither an answer nor the close code 1009');
        if (event.type === 'message') return;
        if (event.type !== 'close') continue;
        requireSame(event.code, 1009, 'the close code');
        return;
      }
    },
    { reference: '6455#7.4.1', isAdvice: true, isAlone: true },
  ),
];
