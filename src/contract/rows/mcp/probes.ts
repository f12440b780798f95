import { EnvironmentError } from '../../../core/errors.ts';
import { requireSame, requireThat } from '../../client.ts';
import { expectStatus } from '../../lab.ts';
import {
  connect,
  crashTool,
  echo,
  envelope,
  errorIn,
  introduce,
  MCP,
  MODERN,
  open,
  plainTool,
  resultIn,
} from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { INVALID_REQUEST, isAnswer, PARSE_ERROR, UNKNOWN } from '../../rpc-peer.ts';
import { same, show } from '../../shape.ts';
import type { Message } from '../../shape.ts';
import { survive } from '../../survive.ts';
import { RowFailure, RowSkip } from '../../terms.ts';
import {
  asked,
  back,
  begin,
  closing,
  QUIET_MS,
  slowMs,
  textIn,
  two,
  TYPES,
  withSession,
} from './support.ts';

const probe = rowsOf('MCP: Probes of bridges', TYPES, { reference: 'MCP#basic/transports' });

/** What a client may send by mistake; most servers allow less. */
const LARGE_BYTES = 20_000_000;

const FOREIGN = 'https://wsk.example';

const sampled = (text: string): Message => ({
  model: 'wsk',
  role: 'assistant',
  content: { type: 'text', text },
});

/** The faults of bridges, by which they were found first. */
export const PROBES: readonly Row[] = [
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
