import { requireSame, requireThat } from '../../client.ts';
import { connect, echo, errorIn, nextId } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import {
  INVALID_PARAMS,
  INVALID_REQUEST,
  NO_METHOD,
  PARSE_ERROR,
  responseIn,
  UNKNOWN,
} from '../../rpc-peer.ts';
import { isObject, show } from '../../shape.ts';
import type { Message } from '../../shape.ts';
import { textIn, TYPES } from './support.ts';

const message = rowsOf('MCP: Messages', TYPES, { reference: 'MCP#basic' });

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

/** Messages of JSON-RPC, as MCP has them. */
export const MESSAGES: readonly Row[] = [
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
];
