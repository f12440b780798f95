import { requireSame, requireThat } from '../../client.ts';
import { MCP, open } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import type { Row } from '../../row.ts';
import { TYPES } from './support.ts';

const handshake = rowsOf('MCP: Handshake', TYPES, { reference: 'SEP-1288' });

/** Credentials that are left out or replaced. */
const WITHOUT = { token: null, protocols: [MCP] };

/** The opening handshake of MCP over WebSocket. */
export const HANDSHAKE: readonly Row[] = [
  handshake('mcp.handshake.subprotocol', 'the subprotocol mcp is selected', async (lab) => {
    requireSame((await open(lab)).channel.handshake.protocol, MCP, 'the subprotocol');
  }),
  handshake(
    'mcp.handshake.among',
    'mcp is selected behind a name that is not known',
    async (lab) => {
      const { channel } = await open(lab, { protocols: ['wsk.unknown.v0', MCP] });
      requireSame(channel.handshake.protocol, MCP, 'the subprotocol');
    },
  ),
  handshake(
    'mcp.handshake.unknown',
    'only a name that is not known: the handshake is refused, or no name selected',
    async (lab) => {
      const outcome = await lab.attempt({ protocols: ['wsk.unknown.v0'] });
      if ('status' in outcome) return;
      requireSame(outcome.channel.handshake.protocol, null, 'the subprotocol');
    },
    { reference: '6455#4.2.2' },
  ),
  handshake(
    'mcp.handshake.none',
    'a handshake without subprotocol is refused: browsers send one across origins as well',
    async (lab) => {
      await lab.refusal({ protocols: [] });
    },
    { isAdvice: true },
  ),
  handshake(
    'mcp.handshake.token-none',
    'a client without token is refused before the upgrade: 401',
    async (lab) => {
      const answer = await lab.refuses(WITHOUT, 401);
      requireThat(
        answer.headers['www-authenticate'] !== undefined,
        'the answer 401 has no WWW-Authenticate',
      );
    },
    { needs: ['auth'], reference: 'MCP#basic/authorization' },
  ),
  handshake(
    'mcp.handshake.token-wrong',
    'a client with a wrong token is refused before the upgrade: 401',
    async (lab) => {
      const wrong = [['Authorization', 'Bearer wsk-wrong']] as const;
      await lab.refuses({ ...WITHOUT, headers: wrong }, 401);
      await lab.refuses({ ...WITHOUT, protocols: [MCP, 'mcp.auth.wsk-wrong'] }, 401);
    },
    { needs: ['auth'], reference: 'MCP#basic/authorization' },
  ),
  handshake(
    'mcp.handshake.token-subprotocol',
    'a token may come as the subprotocol mcp.auth.<token>, as browsers set no headers',
    async (lab) => {
      const token = lab.subject.secrets.user ?? lab.token('wsk');
      const peer = await open(lab, { token: null, protocols: [MCP, `mcp.auth.${token}`] });
      requireSame(peer.channel.handshake.protocol, MCP, 'the subprotocol');
    },
    { needs: ['auth'], isAdvice: true },
  ),
];
