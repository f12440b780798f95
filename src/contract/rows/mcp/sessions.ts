import { requireSame, requireThat } from '../../client.ts';
import { connect, introduce, open, resultIn } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { show } from '../../shape.ts';
import { back, begin, closing, TYPES, withSession } from './support.ts';

const session = rowsOf('MCP: Lost connections', TYPES, { reference: 'SEP-1288' });

/** Lost connections, and the end of connections. */
export const SESSIONS: readonly Row[] = [
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
];
