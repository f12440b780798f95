import { connect, initialize, legacy, nextId, open } from '../../mcp-peer.ts';
import type { McpPeer } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { UNKNOWN } from '../../rpc-peer.ts';
import { isObject, same } from '../../shape.ts';
import { survive } from '../../survive.ts';
import { TYPES } from './support.ts';

const hostile = rowsOf('MCP: hostile clients', TYPES, { isAlone: true });

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

/** What clients do that mean no good. */
export const HOSTILE: readonly Row[] = [
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
];
