import { parseCall } from '../../core/calls.ts';
import { newId, requireSame, requireThat } from '../client.ts';
import type { Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import {
  INVALID_PARAMS,
  INVALID_REQUEST,
  NO_METHOD,
  PARSE_ERROR,
  RpcPeer,
  UNKNOWN,
  VALUES,
  requireError,
  responseIn,
} from '../rpc-peer.ts';
import { isObject, same, show } from '../shape.ts';
import type { Message } from '../shape.ts';
import { survive } from '../survive.ts';
import { RowFailure, RowSkip } from '../terms.ts';

/*
 * The specification of JSON-RPC 2.0 over messages of text. It says nothing of WebSockets, so no
 * subprotocol has to be offered. Methods that nobody has are answered in every server; rows about
 * results need one that is known.
 */

const TYPES = ['json-rpc'] as const;
const request = rowsOf('JSON-RPC 2.0: Request object', TYPES, { reference: 'JSON-RPC#4' });
const notification = rowsOf('JSON-RPC 2.0: Notification', TYPES, { reference: 'JSON-RPC#4.1' });
const response = rowsOf('JSON-RPC 2.0: Response object', TYPES, { reference: 'JSON-RPC#5' });
const errors = rowsOf('JSON-RPC 2.0: Error object', TYPES, { reference: 'JSON-RPC#5.1' });
const batch = rowsOf('JSON-RPC 2.0: Batch', TYPES, { reference: 'JSON-RPC#6' });
const hostile = rowsOf('JSON-RPC 2.0: hostile clients', TYPES, { isAlone: true });

function call(more: Message = {}): Message {
  return { jsonrpc: '2.0', method: UNKNOWN, ...more };
}

/** One that has to be answered. */
function asked(id: unknown = newId()): Message {
  return call({ id });
}

class Peer extends RpcPeer {
  /** An error with one of the codes, and if it is given with the id. */
  async refused(message: unknown, codes: readonly number[], id?: unknown): Promise<Message> {
    this.send(message);
    const found = responseIn(await this.answer(`error ${codes.join(' or ')}`));
    requireError(found, codes);
    if (id !== undefined) requireSame(found['id'], id, `the id of ${show(found)}`);
    return found;
  }

  async lives(): Promise<void> {
    requireError(await this.ask(asked()), [NO_METHOD]);
  }

  /** So many responses in one list. */
  async all(messages: unknown, count: number): Promise<readonly Message[]> {
    this.send(messages);
    const found = await this.answer(`a list of ${count} responses`);
    if (!Array.isArray(found)) throw new RowFailure(`got ${show(found)}, expected a list`);
    requireSame(found.length, count, `the number of responses in ${show(found)}`);
    return found.map(responseIn);
  }
}

async function connect(lab: Lab): Promise<Peer> {
  const { subprotocols } = lab.subject;
  const protocols = subprotocols.includes('json-rpc') ? ['json-rpc'] : subprotocols;
  return await lab.speak({ protocols }, (channel, leftMs) => new Peer(channel, leftMs, VALUES));
}

/** A call of the method that is known, without id. */
function known({ subject }: Lab): Message {
  const { method } = subject.known;
  if (method === undefined) throw new RowSkip('no method is known: --method gives one');
  const call = parseCall(method);
  if (call === undefined) {
    throw new RowSkip(`the parameters in --method are no JSON: ${show(method)}`);
  }
  const { name, args } = call;
  return { jsonrpc: '2.0', method: name, ...(args !== undefined && { params: args }) };
}

/** A request object that is none. */
function invalid(
  id: string,
  title: string,
  message: unknown,
  {
    codes = [INVALID_REQUEST],
    ...rest
  }: { codes?: number[]; answered?: unknown; isAdvice?: boolean } = {},
): Row {
  const { answered = null, isAdvice = false } = rest;
  return request(
    `json-rpc.request.${id}`,
    `${title} is ${codes.join(' or ')}`,
    async (lab) => {
      const peer = await connect(lab);
      // Who cannot be told from the request is told null; some give the id back.
      const found = await peer.refused(message, codes);
      requireThat(
        found['id'] === null || same(found['id'], answered),
        `the id of ${show(found)} is neither null nor that of the request`,
      );
      await peer.lives();
    },
    { isAdvice },
  );
}

/** An id comes back as it was. */
function kept(name: string, title: string, id: unknown): Row {
  return response(
    `json-rpc.response.${name}`,
    `an id that is ${title} comes back as it is`,
    async (lab) => {
      const peer = await connect(lab);
      await peer.refused(asked(id), [NO_METHOD], id);
    },
  );
}

/** What is no JSON. */
function unparsed(id: string, title: string, text: string): Row {
  return errors(`json-rpc.error.${id}`, `${title} is -32700 with the id null`, async (lab) => {
    const peer = await connect(lab);
    await peer.refused(text, [PARSE_ERROR], null);
    await peer.lives();
  });
}

/** What must not be answered. */
function silent(id: string, title: string, message: (lab: Lab) => unknown, isAdvice = false): Row {
  return notification(
    `json-rpc.notification.${id}`,
    `${title} is not answered`,
    async (lab) => {
      const peer = await connect(lab);
      peer.send(message(lab));
      await peer.nothing();
    },
    { isAdvice },
  );
}

/** Whatever a client sends, others are served. */
function survived(id: string, title: string, attack: (peer: Peer) => void): Row {
  return hostile(`json-rpc.hostile.${id}`, `${title}: others are served`, async (lab) => {
    await survive(lab, connect, async (attacker) => {
      attack(attacker);
      const last = asked();
      attacker.send(last);
      await attacker.gather(lab.leftMs(), (all) =>
        all.some((message) => isObject(message) && message['id'] === last['id']),
      );
    });
  });
}

const LARGEST_BATCH = 10_000;

export const JSON_RPC: readonly Row[] = [
  request('json-rpc.request.subprotocol', 'an offered subprotocol is selected', async (lab) => {
    const { channel } = await connect(lab);
    const offered = channel.handshake.requestHead.fields.find(
      ({ name }) => name.toLowerCase() === 'sec-websocket-protocol',
    );
    if (offered === undefined)
      throw new RowSkip('no subprotocol was offered: --subprotocol offers one');
    requireSame(channel.handshake.protocol, offered.value, 'the subprotocol');
  }),
  request('json-rpc.request.result', 'a call has a result', async (lab) => {
    const peer = await connect(lab);
    const id = newId();
    const found = await peer.ask({ ...known(lab), id });
    requireThat(Object.hasOwn(found, 'result'), `got ${show(found)}, expected a result`);
  }),
  request('json-rpc.request.fragments', 'a request may come in fragments', async (lab) => {
    const peer = await connect(lab);
    const message = JSON.stringify(asked(1));
    void peer.channel.sendText(message.slice(0, 7), { fin: false });
    void peer.channel.sendContinuation(message.slice(7));
    requireError(responseIn(await peer.answer('a response')), [NO_METHOD]);
  }),
  invalid('no-version', 'a request without jsonrpc', { method: UNKNOWN, id: 1 }, { answered: 1 }),
  invalid('version', 'jsonrpc "1.0"', call({ jsonrpc: '1.0', id: 1 }), { answered: 1 }),
  invalid('version-number', 'jsonrpc that is a number', call({ jsonrpc: 2, id: 1 }), {
    answered: 1,
  }),
  invalid('no-method', 'a request without method', { jsonrpc: '2.0', id: 1 }, { answered: 1 }),
  invalid('method-number', 'a method that is a number', call({ method: 1, id: 1 }), {
    answered: 1,
  }),
  invalid('method-null', 'a method that is null', call({ method: null, id: 1 }), { answered: 1 }),
  invalid('method-object', 'a method that is an object', call({ method: {}, id: 1 }), {
    answered: 1,
  }),
  invalid('params-text', 'params that are a text', call({ params: 'a', id: 1 }), {
    codes: [INVALID_REQUEST, INVALID_PARAMS, NO_METHOD],
    answered: 1,
  }),
  invalid('params-number', 'params that are a number', call({ params: 1, id: 1 }), {
    codes: [INVALID_REQUEST, INVALID_PARAMS, NO_METHOD],
    answered: 1,
  }),
  invalid('id-object', 'an id that is an object', call({ id: {} }), { answered: {} }),
  invalid('id-array', 'an id that is a list', call({ id: [1] }), { answered: [1] }),
  invalid('id-boolean', 'an id that is true', call({ id: true }), { answered: true }),
  invalid('null', 'null', 'null'),
  invalid('number', 'a number', '1'),
  invalid('text', 'a JSON text', '"foobar"'),
  invalid('empty', 'an empty object', {}),
  request(
    'json-rpc.request.reserved',
    'methods that begin with rpc. are reserved: one that is not known is -32601',
    async (lab) => {
      await (await connect(lab)).refused(call({ method: 'rpc.wsk', id: 1 }), [NO_METHOD], 1);
    },
  ),
  request('json-rpc.request.names', 'names that objects have are no methods', async (lab) => {
    const peer = await connect(lab);
    for (const method of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      await peer.refused(call({ method, id: method }), [NO_METHOD], method);
    }
  }),

  silent('unknown', 'a notification of a method that is not there', () => call()),
  silent('known', 'a notification of a method that is there', known),
  silent('params', 'a notification whose params do not fit', () => call({ params: [null, {}] })),
  silent('many', 'a batch of notifications', () => [call(), call(), call()]),
  silent(
    'response',
    'a response of the client, also to what was never asked (no must: to a server that asks nothing it is no request),',
    () => ({ jsonrpc: '2.0', result: 1, id: 'wsk' }),
    true,
  ),

  kept('id-text', 'a text', 'a-1'),
  kept('id-number', 'a number', 7),
  kept('id-digits', 'a text of digits', '7'),
  kept('id-zero', '0', 0),
  kept('id-negative', 'negative', -5),
  kept('id-large', 'the largest safe integer', Number.MAX_SAFE_INTEGER),
  kept('id-empty', 'an empty text', ''),
  kept('id-unicode', 'a text of any characters', 'ключ "€𝄞"\n\\'),
  response(
    'json-rpc.response.id-null',
    'a request whose id is null is answered with null (no must: some take it for a notification)',
    async (lab) => {
      await (await connect(lab)).refused(asked(null), [NO_METHOD, INVALID_REQUEST], null);
    },
    { isAdvice: true },
  ),
  response(
    'json-rpc.response.fields',
    'a response has jsonrpc, id, and result or error',
    async (lab) => {
      const found = await (await connect(lab)).ask(asked());
      requireSame(Object.keys(found).sort(), ['error', 'id', 'jsonrpc'], 'the fields');
    },
  ),
  response('json-rpc.response.result', 'a result comes without error', async (lab) => {
    const found = await (await connect(lab)).ask({ ...known(lab), id: 1 });
    requireSame(Object.keys(found).sort(), ['id', 'jsonrpc', 'result'], 'the fields');
  }),
  response('json-rpc.response.once', 'a request is answered once', async (lab) => {
    const peer = await connect(lab);
    await peer.ask(asked());
    await peer.nothing();
  }),
  response('json-rpc.response.together', 'requests at once are each answered', async (lab) => {
    const peer = await connect(lab);
    const all = Array.from({ length: 100 }, () => asked());
    for (const one of all) peer.send(one);
    for (const { id } of all) {
      await peer.take(
        `a response with id ${show(id)}`,
        (seen) => isObject(seen) && seen['id'] === id,
      );
    }
    await peer.nothing();
  }),
  response('json-rpc.response.others', 'a response goes to who has asked', async (lab) => {
    const [one, other] = [await connect(lab), await connect(lab)];
    one.send(asked(1));
    other.send(asked(1));
    await one.answer('a response');
    await other.answer('a response');
    await one.nothing();
    await other.nothing();
  }),

  errors('json-rpc.error.method', 'a method that is not there is -32601', async (lab) => {
    await (await connect(lab)).refused(asked('m'), [NO_METHOD], 'm');
  }),
  errors('json-rpc.error.object', 'an error has an integer as code, and a message', async (lab) => {
    const { error } = await (await connect(lab)).ask(asked());
    const { code, message, data, ...more } = isObject(error) ? error : {};
    requireThat(
      Number.isInteger(code) && typeof message === 'string' && data !== null,
      `the error is ${show(error)}, expected a code and a message`,
    );
    requireSame(more, {}, 'further fields of the error');
  }),
  unparsed(
    'json',
    'a text that is no JSON',
    '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
  ),
  unparsed('empty', 'an empty text', ''),
  unparsed('cut', 'a request that is cut off', '{"jsonrpc":"2.0","method":"a","id":1'),
  unparsed('trailing', 'a request with something behind it', `${JSON.stringify(asked(1))} x`),
  unparsed('nan', 'NaN, which is no JSON,', '{"jsonrpc":"2.0","method":"a","id":1,"params":[NaN]}'),
  unparsed(
    'batch',
    'a batch that is no JSON',
    `[${JSON.stringify(asked(1))}, {"jsonrpc": "2.0", "method"`,
  ),

  batch('json-rpc.batch.empty', 'an empty batch is one -32600, not a list', async (lab) => {
    await (await connect(lab)).refused([], [INVALID_REQUEST], null);
  }),
  batch('json-rpc.batch.one', 'a batch of one request is answered with a list', async (lab) => {
    const [only] = await (await connect(lab)).all([asked('b')], 1);
    requireSame(only?.['id'], 'b', 'the id');
  }),
  batch(
    'json-rpc.batch.several',
    'each request of a batch is answered, in any order',
    async (lab) => {
      const ids = [1, 'two', 3, 4];
      const found = await (await connect(lab)).all(ids.map(asked), ids.length);
      requireSame(
        found.map(({ id }) => String(id)).sort(),
        ids.map(String).sort(),
        'the ids of the responses',
      );
    },
  ),
  batch(
    'json-rpc.batch.invalid',
    'a batch that holds no request is a list of -32600',
    async (lab) => {
      const peer = await connect(lab);
      for (const found of await peer.all([1], 1)) requireError(found, [INVALID_REQUEST]);
      for (const found of await peer.all([1, 'a', null], 3)) requireError(found, [INVALID_REQUEST]);
    },
  ),
  batch('json-rpc.batch.nested', 'a batch in a batch is -32600', async (lab) => {
    const [only] = await (await connect(lab)).all([[asked(1)]], 1);
    requireError(only ?? {}, [INVALID_REQUEST]);
  }),
  batch(
    'json-rpc.batch.mixed',
    'notifications of a batch are not answered, what is invalid is',
    async (lab) => {
      const found = await (
        await connect(lab)
      ).all([asked(1), call(), { foo: 'boo' }, asked('2')], 3);
      requireSame(
        found.map(({ id }) => String(id)).sort(),
        ['1', '2', 'null'],
        'the ids of the responses',
      );
    },
  ),
  batch('json-rpc.batch.known', 'results and errors come in one list', async (lab) => {
    const one = { ...known(lab), id: 1 };
    const found = await (await connect(lab)).all([one, asked(2), known(lab)], 2);
    const result = found.find(({ id }) => id === 1);
    requireThat(
      result !== undefined && 'result' in result,
      `got ${show(found)}, expected a result for 1`,
    );
  }),
  batch(
    'json-rpc.batch.same-id',
    'requests of a batch with the same id are each answered',
    async (lab) => {
      await (await connect(lab)).all([asked(1), asked(1)], 2);
    },
  ),
  batch('json-rpc.batch.hundred', 'a batch of 50 requests is answered', async (lab) => {
    await (
      await connect(lab)
    ).all(
      Array.from({ length: 50 }, (_, at) => asked(at)),
      50,
    );
  }),

  survived('batch', `a batch of ${LARGEST_BATCH} entries`, (peer) =>
    peer.send(`[${Array.from({ length: LARGEST_BATCH }, () => '1').join(',')}]`),
  ),
  survived('nested', 'params of 10,000 lists in each other', (peer) =>
    peer.send(
      `{"jsonrpc":"2.0","method":"a","id":1,"params":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    ),
  ),
  survived('nested-batch', '30,000 lists in each other', (peer) =>
    peer.send(`${'['.repeat(30_000)}${']'.repeat(30_000)}`),
  ),
  survived('brackets', '50,000 open brackets', (peer) => peer.send('['.repeat(50_000))),
  survived('long-id', 'an id of 60,000 characters', (peer) => peer.send(asked('a'.repeat(60_000)))),
  survived('long-method', 'a method of 60,000 characters', (peer) =>
    peer.send(call({ method: 'a'.repeat(60_000), id: 1 })),
  ),
  survived('numbers', 'ids that are too large', (peer) => {
    peer.send('{"jsonrpc":"2.0","method":"a","id":1e400}');
    peer.send(`{"jsonrpc":"2.0","method":"a","id":${'9'.repeat(5000)}}`);
  }),
  survived('proto', 'keys with which objects are made', (peer) => {
    peer.send(
      '{"jsonrpc":"2.0","method":"__proto__","id":1,"params":{"__proto__":{"a":1},"constructor":1}}',
    );
  }),
  survived('surrogate', 'half a character, and NUL', (peer) =>
    peer.send('{"jsonrpc":"2.0","method":"\\ud800\\u0000","id":"\\udfff"}'),
  ),
  survived('binary', 'a binary message', (peer) => {
    void peer.channel.sendBinary(Buffer.from([0xc1, 0, 0xff]));
  }),
  survived('mixed', 'values of every type where others belong', (peer) => {
    for (const odd of [null, 1, true, [], {}, '']) {
      peer.send({ jsonrpc: odd, method: odd, params: odd, id: odd });
      peer.send([odd, [odd], { jsonrpc: '2.0', method: 'a', id: odd }]);
    }
  }),
  survived('requests', '1,000 requests, and a lost connection', (peer) => {
    for (let at = 0; at < 1000; at++) peer.send(asked(at));
    peer.channel.terminate();
  }),
];
