import { requireSame, requireThat } from '../../client.ts';
import {
  envelope,
  MODERN,
  modern,
  needs,
  plainTool,
  SUBSCRIPTION,
  toolFor,
} from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { INVALID_PARAMS, NO_METHOD, UNKNOWN } from '../../rpc-peer.ts';
import { isObject, show } from '../../shape.ts';
import { firstResource, runSlow, slowMs, textIn, TYPES } from './support.ts';

const stateless = rowsOf('MCP: Revision 2026-07-28', TYPES, { reference: `MCP-${MODERN}#basic` });

/** The revision without a handshake. */
export const MODERN_ERA: readonly Row[] = [
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
];
