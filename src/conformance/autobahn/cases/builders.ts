import { Opcode } from '../../../protocol/index.ts';
import type { ExpectedEvent, FrameStep, Step, TimerStep } from '../../case.ts';
import type { ExpectedClose } from '../../result.ts';

export { BY_TESTER } from '../case-handler.ts';

/** Builders of the rows in which Autobahn's cases are written. */

/** What most cases greet with. */
export const HELLO = Buffer.from('Hello, world!');

type FrameTraits = Omit<FrameStep, 'do' | 'opcode' | 'payload'>;

/** Octets of a text in UTF-8, or of hex behind `0x`. */
export function octets(text: string): Buffer {
  return text.startsWith('0x') ? Buffer.from(text.slice(2), 'hex') : Buffer.from(text);
}

export function frame(
  opcode: number,
  payload: Buffer | string,
  traits: FrameTraits = {},
): FrameStep {
  return {
    do: 'frame',
    opcode,
    payload: typeof payload === 'string' ? octets(payload) : payload,
    ...traits,
  };
}

export function text(payload: Buffer | string, traits?: FrameTraits): FrameStep {
  return frame(Opcode.text, payload, traits);
}

export function binary(payload: Buffer | string, traits?: FrameTraits): FrameStep {
  return frame(Opcode.binary, payload, traits);
}

export function continuation(payload: Buffer | string, traits?: FrameTraits): FrameStep {
  return frame(Opcode.continuation, payload, traits);
}

export function ping(payload: Buffer | string, traits?: FrameTraits): FrameStep {
  return frame(Opcode.ping, payload, traits);
}

export function pong(payload: Buffer | string, traits?: FrameTraits): FrameStep {
  return frame(Opcode.pong, payload, traits);
}

export function message(
  payload: Buffer | string,
  options: { binary?: boolean; repeatTo?: number; fragmentBytes?: number } = {},
): Step & { do: 'message' } {
  const { binary: isBinary = false, ...rest } = options;
  const bytes = typeof payload === 'string' ? octets(payload) : payload;
  return { do: 'message', binary: isBinary, payload: bytes, ...rest };
}

export function close(code?: number, reason?: Buffer): Step {
  return {
    do: 'close',
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Fails the connection after so many seconds. */
export function kill(delayS: number): TimerStep {
  return { do: 'kill', delayS };
}

/** Closes the connection after so many seconds. */
export function closeAfter(delayS: number): TimerStep {
  return { do: 'close-after', delayS };
}

export function wait(delayS: number, tag: string, recorded: boolean): Step {
  return { do: 'wait', delayS, tag, recorded };
}

export function gotText(payload: Buffer | string): ExpectedEvent {
  return { type: 'message', binary: false, payload: Buffer.from(payload) };
}

export function gotBinary(payload: Buffer): ExpectedEvent {
  return { type: 'message', binary: true, payload };
}

export function gotPong(payload: Buffer | string): ExpectedEvent {
  return { type: 'pong', payload: Buffer.from(payload) };
}

export function timedOut(tag: string): ExpectedEvent {
  return { type: 'timeout', tag };
}

/** The peer closes with `code` or nothing, or drops TCP. */
export function byPeer(code: number): ExpectedClose {
  return { closedByMe: false, closeCode: [code], requireClean: false };
}

/** As `byPeer(1007)`, and a peer that leaves it to the tester has not behaved, either. */
export const BY_PEER_FATAL: ExpectedClose = {
  ...byPeer(1007),
  closedByWrongEndpointIsFatal: true,
};
