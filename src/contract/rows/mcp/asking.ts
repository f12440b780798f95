import { requireSame } from '../../client.ts';
import { ABLE, connect, legacy, nextId, toolFor } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { isObject, same } from '../../shape.ts';
import { asked, TYPES } from './support.ts';

// By themselves: a child that clients share does not say for whose call it asks.
const asking = rowsOf('MCP: Requests of the server', TYPES, {
  reference: 'MCP#client',
  isAlone: true,
});

/** Requests of the server to its client. */
export const ASKING: readonly Row[] = [
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
];
