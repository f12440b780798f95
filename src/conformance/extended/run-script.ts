import { TLSSocket } from 'node:tls';
import { CloseCode, Opcode } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import type { EndingResult, HeardFrame, Observation } from '../observation.ts';
import type { Action, ExchangeScript, WireFrame } from '../script.ts';
import { closeFrame } from '../wire/connection.ts';
import type { Talk } from '../wire/connection.ts';

/** What the tester says to see whether an echoing peer is still there. */
const GREETING = Buffer.from('are you still there?');

/** Milliseconds for the answer to a close frame, and for the drop of TCP behind it. */
const CLOSE_MS = 1500;
const DROP_MS = 1500;

const FLUSH_MS = 20;

export interface PlayOptions {
  readonly script: ExchangeScript;
  readonly talk: Talk;
  readonly wire: Wire;
  /** What the tester is: only of a server it is expected that it drops TCP first. */
  readonly role: 'client' | 'server';
}

export type Played = Pick<
  Observation,
  'heard' | 'end' | 'offence' | 'droppedInTime' | 'answeredClose'
>;

/** What a case saw of a connection on which nothing was sent. */
export const NOT_PLAYED: Played = {
  heard: [],
  end: undefined,
  offence: undefined,
  droppedInTime: undefined,
  answeredClose: undefined,
};

/** Sends what an open connection is to be sent, then finds out what became of it. */
export async function play({ script, talk, wire, role }: PlayOptions): Promise<Played> {
  for (const action of script.send) {
    if (talk.over) break;
    await act(action, { script, talk, wire });
  }
  const judged = (played: Pick<Played, 'heard' | 'end'> & Partial<Played>): Played => ({
    offence: talk.offence,
    droppedInTime: undefined,
    answeredClose: undefined,
    ...played,
  });
  const heardBefore = talk.heard.filter(isCounted);
  switch (script.ending) {
    case 'opening':
    case 'leave':
      wire.destroy();
      return judged({ heard: heardBefore, end: undefined });
    case 'greet': {
      const heard = await greet(talk, script);
      if (heard === undefined) break;
      await talk.send([closeFrame(CloseCode.normal)]);
      await talk.listen(CLOSE_MS, () => talk.peerClose !== undefined);
      const answeredClose = talk.peerClose !== undefined;
      const droppedInTime = answeredClose ? await isDropped(talk, role) : undefined;
      return judged({
        heard,
        end: { is: 'open' },
        offence: talk.offence,
        answeredClose,
        droppedInTime,
      });
    }
    case 'react':
      await talk.listen(script.waitMs, () => talk.peerClose !== undefined);
  }
  const closed = talk.peerClose !== undefined && !script.ownReply;
  const droppedInTime = closed ? await isDropped(talk, role) : undefined;
  const heard = talk.heard.filter(isCounted);
  return judged({ heard, end: endOf(talk), offence: talk.offence, droppedInTime });
}

async function act(
  action: Action,
  { script, talk, wire }: Omit<PlayOptions, 'role'>,
): Promise<void> {
  switch (action.do) {
    case 'frames':
      return talk.send(action.frames, action.pieces);
    case 'octets':
      return talk.writeOctets(action.octets);
    case 'wait':
      return talk.listen(action.ms);
    case 'until-closed':
      return talk.listen(script.waitMs, () => talk.peerClose !== undefined);
    case 'until-pong': {
      const { payload } = action;
      const came = (): boolean =>
        talk.heard.some((frame) => frame.type === 'pong' && frame.payload.equals(payload));
      return talk.listen(script.waitMs, () => came() || talk.peerClose !== undefined);
    }
    case 'end':
      wire.end();
      return;
    case 'reset':
      // What was just written has to be out, or Node ends the connection in order.
      await talk.listen(FLUSH_MS);
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
  talk: Talk,
  { echoes, waitMs }: Pick<ExchangeScript, 'echoes' | 'waitMs'>,
): Promise<HeardFrame[] | undefined> {
  const answer = echoes ? 'text' : 'pong';
  const at = (): number =>
    talk.heard.findIndex(({ type, payload }) => type === answer && payload.equals(GREETING));
  await talk.send([echoes ? greeting() : { opcode: Opcode.ping, payload: GREETING }]);
  await talk.listen(waitMs, () => at() >= 0 || talk.peerClose !== undefined);
  if (at() < 0) return undefined;
  return talk.heard
    .slice(0, at())
    .filter((frame) => isCounted(frame) && (echoes || frame.type === 'pong'));
}

/** A peer may send pings whenever it likes. */
function isCounted({ type }: HeardFrame): boolean {
  return type !== 'ping';
}

/** 7.1.1: after the closing handshake it is the server that drops TCP first. */
async function isDropped(talk: Talk, role: 'client' | 'server'): Promise<boolean | undefined> {
  if (role === 'server') return undefined;
  await talk.listen(DROP_MS);
  return talk.over;
}

function endOf({ peerClose, ended }: Talk): EndingResult {
  if (peerClose !== undefined) return { is: 'closed', ...peerClose };
  return { is: ended ? 'dropped' : 'quiet' };
}
