import { requireSame, requireThat } from '../../client.ts';
import { connect, legacy, needs, nextId, slowTool, toolFor } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { UNKNOWN } from '../../rpc-peer.ts';
import { isObject, show } from '../../shape.ts';
import { hearAll, progressOf, runSlow, slowMs, TYPES } from './support.ts';

const utility = rowsOf('MCP: Utilities', TYPES, { reference: 'MCP#basic/utilities' });

/** Ping, progress, cancellation and logs. */
export const UTILITIES: readonly Row[] = [
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
];
