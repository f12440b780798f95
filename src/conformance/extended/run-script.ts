import { TLSSocket } from 'node:tls';
import { CloseCode, Opcode } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import type { EndingResult, ReceivedFrame, Observation } from '../observation.ts';
import type { Action, ExchangeScript, WireFrame } from '../script.ts';
import { closeFrame } from '../wire/connection.ts';
import type { Conn } from '../wire/connection.ts';

/** What the tester says to see whether an echoing peer is still there. */
const GREETING = Buffer.from('are you still there?');

/** Milliseconds for the answer to a close frame, and for the drop of TCP behind it. */
const CLOSE_MS = 1500;
const DROP_MS = 1500;

const FLUSH_MS = 20;

export interface ScriptOptions {
  readonly script: ExchangeScript;
  readonly conn: Conn;
  readonly wire: Wire;
  /** What the tester is: only of a server it is expected that it drops TCP first. */
  readonly role: 'client' | 'server';
}

export type ScriptOutcome = Pick<
  Observation,
  'received' | 'end' | 'violation' | 'droppedInTime' | 'answeredClose'
>;

/** What a case saw of a connection on which nothing was sent. */
export const NOT_RUN: ScriptOutcome = {
  received: [],
  end: undefined,
  violation: undefined,
  droppedInTime: undefined,
  answeredClose: undefined,
};

/** Sends what the script has for an open connection, then finds out how the peer reacts. */
export async function runScript({
  script,
  conn,
  wire,
  role,
}: ScriptOptions): Promise<ScriptOutcome> {
  for (const action of script.send) {
    if (conn.over) break;
    await act(action, { script, conn, wire });
  }
  const ended = (seen: Pick<ScriptOutcome, 'end'> & Partial<ScriptOutcome>): ScriptOutcome => ({
    received: conn.received.filter(isCounted),
    violation: conn.violation,
    droppedInTime: undefined,
    answeredClose: undefined,
    ...seen,
  });
  switch (script.ending) {
    case 'opening':
    case 'leave':
      wire.destroy();
      return ended({ end: undefined });
    case 'greet': {
      const received = await greet(conn, script);
      if (received === undefined) break;
      await conn.send([closeFrame(CloseCode.normal)]);
      await conn.listen(CLOSE_MS, () => conn.peerClose !== undefined);
      const answeredClose = conn.peerClose !== undefined;
      const droppedInTime = answeredClose ? await isDropped(conn, role) : undefined;
      return ended({ received, end: { is: 'open' }, answeredClose, droppedInTime });
    }
    case 'react':
      await conn.listen(script.waitMs, () => conn.peerClose !== undefined);
  }
  const closed = conn.peerClose !== undefined && !script.ownReply;
  const droppedInTime = closed ? await isDropped(conn, role) : undefined;
  return ended({ end: endOf(conn), droppedInTime });
}

async function act(
  action: Action,
  { script, conn, wire }: Omit<ScriptOptions, 'role'>,
): Promise<void> {
  switch (action.do) {
    case 'frames':
      return conn.send(action.frames, action.pieces);
    case 'octets':
      return conn.writeOctets(action.octets);
    case 'wait':
      return conn.listen(action.ms);
    case 'until-closed':
      return conn.listen(script.waitMs, () => conn.peerClose !== undefined);
    case 'until-pong': {
      const { payload } = action;
      const came = (): boolean =>
        conn.received.some((frame) => frame.type === 'pong' && frame.payload.equals(payload));
      return conn.listen(script.waitMs, () => came() || conn.peerClose !== undefined);
    }
    case 'end':
      wire.end();
      return;
    case 'reset':
      // What was just written has to be out, or Node ends the connection in order.
      await conn.listen(FLUSH_MS);
      reset(wire);
  }
}

/** Below TLS there is no way to TCP, and whoever drops it there says no more either. */
function reset({ socket }: Wire): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** A text every peer has to echo that is still there. */
export function greeting(): WireFrame {
  return { opcode: Opcode.text, payload: GREETING };
}

/**
 * What came before the echo of the greeting; undefined if that did not come. A peer that does not
 * echo is sent a ping, and messages of its own do not count.
 */
export async function greet(
  conn: Conn,
  { echoes, waitMs }: Pick<ExchangeScript, 'echoes' | 'waitMs'>,
): Promise<ReceivedFrame[] | undefined> {
  const answer = echoes ? 'text' : 'pong';
  const at = (): number =>
    conn.received.findIndex(({ type, payload }) => type === answer && payload.equals(GREETING));
  await conn.send([echoes ? greeting() : { opcode: Opcode.ping, payload: GREETING }]);
  await conn.listen(waitMs, () => at() >= 0 || conn.peerClose !== undefined);
  if (at() < 0) return undefined;
  return conn.received
    .slice(0, at())
    .filter((frame) => isCounted(frame) && (echoes || frame.type === 'pong'));
}

/** A peer may send pings whenever it likes. */
function isCounted({ type }: ReceivedFrame): boolean {
  return type !== 'ping';
}

/** 7.1.1: after the closing handshake it is the server that drops TCP first. */
async function isDropped(conn: Conn, role: 'client' | 'server'): Promise<boolean | undefined> {
  if (role === 'server') return undefined;
  await conn.listen(DROP_MS);
  return conn.over;
}

function endOf({ peerClose, ended }: Conn): EndingResult {
  if (peerClose !== undefined) return { is: 'closed', ...peerClose };
  return { is: ended ? 'dropped' : 'quiet' };
}
