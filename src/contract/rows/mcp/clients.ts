import { requireSame, requireThat } from '../../client.ts';
import { echo, initialize, legacy, open, resultIn, toolFor } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { UNKNOWN } from '../../rpc-peer.ts';
import { same, show } from '../../shape.ts';
import type { Message } from '../../shape.ts';
import { begin, hearAll, progressOf, QUIET_MS, slowMs, textIn, two, TYPES } from './support.ts';

const clients = rowsOf('MCP: Several clients', TYPES, { reference: 'MCP#basic/transports' });

/** What clients of one server must not notice of each other. */
export const CLIENTS: readonly Row[] = [
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
];
