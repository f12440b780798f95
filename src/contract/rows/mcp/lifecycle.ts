import { requireSame, requireThat } from '../../client.ts';
import {
  connect,
  errorIn,
  initialize,
  introduce,
  LEGACY,
  legacy,
  open,
  resultIn,
} from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { NO_METHOD } from '../../rpc-peer.ts';
import { isObject, show } from '../../shape.ts';
import { RowSkip } from '../../terms.ts';
import { requireTexts, TYPES } from './support.ts';

const lifecycle = rowsOf('MCP: Lifecycle', TYPES, { reference: 'MCP#basic/lifecycle' });

/** What begins a session of the legacy era. */
export const LIFECYCLE: readonly Row[] = [
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
];
