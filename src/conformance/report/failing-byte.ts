import {
  isSendableCloseCode,
  MAX_CONTROL_BYTES,
  Opcode,
  Utf8Stream,
} from '../../protocol/index.ts';
import type { CaseEvent, CaseResult, LogRow, RunOptions } from '../result.ts';
import { describeEvent } from '../describe-event.ts';

export type FrameRow = Extract<LogRow, { kind: 'frame' }>;

/** The byte at which an exchange went wrong. */
export interface FailingBytes {
  /** The frame, out of those that were looked through. */
  readonly frame: FrameRow;
  /** Position of the first byte, counted from the start of the frame's header. */
  readonly at: number;
  readonly length: number;
  /** What is wrong with it, and whose fault that is. */
  readonly text: string;
}

/** A fault of one frame: where it is and what it is. */
type Fault = Omit<FailingBytes, 'frame'>;

/**
 * Finds the byte at which a case failed: the first of the peer's own violation and the tester's
 * illegal byte that the peer did not refuse, else the first byte at which an echo differs from what
 * was sent. Undefined if no byte explains the failure.
 */
export function findFailingBytes(
  result: CaseResult,
  frames: readonly FrameRow[],
  role: RunOptions['role'],
): FailingBytes | undefined {
  const received = frames.filter(({ direction }) => direction === 'received');
  const sent = frames.filter(({ direction }) => direction === 'sent');
  const toRefuse = result.expectedClose?.closedByMe === false || hasIllegalClose(sent);
  const first = [findBreach(result, received), toRefuse ? findUnrefused(sent, role) : undefined]
    .filter((failing) => failing !== undefined)
    .sort((a, b) => frames.indexOf(a.frame) - frames.indexOf(b.frame))[0];
  return first ?? findDifference(result, received);
}

function findBreach(
  { findings }: CaseResult,
  received: readonly FrameRow[],
): FailingBytes | undefined {
  const finding = findings[0];
  const frame = received.find(
    ({ offset, headerBytes, payload }) =>
      finding !== undefined &&
      finding.offset >= offset &&
      finding.offset < offset + headerBytes + payload.length,
  );
  return finding === undefined || frame === undefined
    ? undefined
    : { frame, at: finding.offset - frame.offset, length: 1, text: finding.violation.message };
}

/** A close frame of the tester that asks to be refused, although the tester is who closes. */
function hasIllegalClose(sent: readonly FrameRow[]): boolean {
  return sent.some((frame) => frame.opcode === Opcode.close && closeFault(frame) !== undefined);
}

/** Looks at what the tester sent as a strict receiver would. */
function findUnrefused(
  sent: readonly FrameRow[],
  role: RunOptions['role'],
): FailingBytes | undefined {
  const text = new Utf8Stream();
  let open: 'text' | 'binary' | undefined;
  for (const frame of sent) {
    const fault =
      headerFault(frame, role, open !== undefined) ??
      (frame.opcode === Opcode.close ? closeFault(frame) : undefined);
    if (fault !== undefined) return blame(frame, fault);
    if (frame.opcode > Opcode.binary) continue;
    if (frame.opcode !== Opcode.continuation) {
      open = frame.opcode === Opcode.text ? 'text' : 'binary';
      text.reset();
    }
    const broken = open === 'text' ? textFault(frame, text) : undefined;
    if (broken !== undefined) return blame(frame, broken);
    if (frame.fin) open = undefined;
  }
  return undefined;
}

function blame(frame: FrameRow, { at, length, text }: Fault): FailingBytes {
  return { frame, at, length, text: `${text}: the peer should have refused this` };
}

function headerFault(frame: FrameRow, role: RunOptions['role'], inMessage: boolean) {
  const { opcode, fin, rsv, masked, headerBytes, payload, repeatTo } = frame;
  const length = repeatTo ?? payload.length;
  const control = opcode >= Opcode.close;
  const first = (text: string): Fault => ({ at: 0, length: 1, text });
  const second = (text: string): Fault => ({ at: 1, length: 1, text });
  // RFC 6455 5.2: reserved bits, opcodes and the shortest form of a length.
  if (rsv !== 0) return first(`reserved bits ${rsv.toString(2).padStart(3, '0')} are set`);
  if ((opcode > Opcode.binary && !control) || opcode > Opcode.pong) {
    return first(`opcode ${opcode} is reserved`);
  }
  // RFC 6455 5.5: control frames are short and whole.
  if (control && !fin) return first('control frame is fragmented');
  if (control && length > MAX_CONTROL_BYTES) return second(`control frame has ${length} bytes`);
  // RFC 6455 5.4: the order of fragments.
  if (opcode === Opcode.continuation && !inMessage) return first('there is no message to continue');
  if ((opcode === Opcode.text || opcode === Opcode.binary) && inMessage) {
    return first('the message before is not finished');
  }
  // RFC 6455 5.1: clients mask, servers do not.
  if (role === 'server' && !masked) return second('frame of a client is not masked');
  if (role === 'client' && masked) return second('frame of a server is masked');
  const shortest = 2 + (length > 65535 ? 8 : length > MAX_CONTROL_BYTES ? 2 : 0);
  return headerBytes - (masked ? 4 : 0) > shortest
    ? second('length is not in its shortest form')
    : undefined;
}

/** RFC 6455 5.5.1 and 7.4: a code that may be sent, then UTF-8. */
function closeFault({ payload, headerBytes }: FrameRow): Fault | undefined {
  const bytes = Buffer.from(payload.hex, 'hex');
  if (payload.length === 0) return undefined;
  if (bytes.length < 2)
    return { at: headerBytes, length: 1, text: 'the close code has only one byte' };
  const code = bytes.readUInt16BE(0);
  if (!isSendableCloseCode(code)) {
    return { at: headerBytes, length: 2, text: `close code ${code} may not be sent` };
  }
  const bad = firstBadByte(new Utf8Stream(), bytes.subarray(2));
  return bad === undefined
    ? undefined
    : { at: headerBytes + 2 + bad, length: 1, text: 'the close reason is not UTF-8 from here' };
}

function textFault({ payload, headerBytes, fin, repeatTo }: FrameRow, text: Utf8Stream) {
  const bytes = Buffer.from(payload.hex, 'hex');
  const whole = bytes.length === payload.length && repeatTo === null;
  const bad = firstBadByte(text, bytes);
  if (bad !== undefined) {
    return { at: headerBytes + bad, length: 1, text: 'the text is not UTF-8 from this byte' };
  }
  return fin && whole && !text.end()
    ? {
        at: headerBytes + Math.max(0, bytes.length - 1),
        length: 1,
        text: 'the text ends inside a character',
      }
    : undefined;
}

function firstBadByte(text: Utf8Stream, bytes: Buffer): number | undefined {
  const index = bytes.findIndex((_, at) => !text.push(bytes.subarray(at, at + 1)));
  return index === -1 ? undefined : index;
}

/** The first byte of a message or pong that differs from what was expected. */
function findDifference(
  result: CaseResult,
  received: readonly FrameRow[],
): FailingBytes | undefined {
  const wanted = result.expected.OK ?? [];
  const index = result.received.findIndex(
    (event, at) => JSON.stringify(event) !== JSON.stringify(wanted[at]),
  );
  const event = result.received[index];
  const carriers = eventFrames(received)[result.received.slice(0, index).filter(isCarried).length];
  if (event === undefined || !isCarried(event) || carriers === undefined) return undefined;
  const expected = wanted[index];
  if (expected === undefined || !isCarried(expected) || kindOf(expected) !== kindOf(event)) {
    const frame = carriers[0];
    const instead = expected === undefined ? 'nothing' : describeEvent(expected);
    return frame && { frame, at: 0, length: 1, text: `${instead} was expected here` };
  }
  return locate(carriers, firstDifference(event.payload.hex, expected.payload.hex));
}

type CarriedEvent = Exclude<CaseEvent, { type: 'timeout' }>;

function isCarried(event: CaseEvent): event is CarriedEvent {
  return event.type !== 'timeout';
}

function kindOf(event: CarriedEvent): string {
  return event.type === 'pong' ? 'pong' : event.binary ? 'binary' : 'text';
}

/** The frames of each message and pong, in the order in which these were complete. */
function eventFrames(received: readonly FrameRow[]): FrameRow[][] {
  const events: FrameRow[][] = [];
  let message: FrameRow[] = [];
  for (const frame of received) {
    if (frame.opcode === Opcode.pong) events.push([frame]);
    if (frame.opcode > Opcode.binary) continue;
    message.push(frame);
    if (frame.fin) events.push(message);
    if (frame.fin) message = [];
  }
  return events;
}

function firstDifference(received: string, expected: string): number {
  let at = 0;
  while (received[at] !== undefined && received[at] === expected[at]) at++;
  return Math.floor(at / 2);
}

function locate(frames: readonly FrameRow[], at: number): FailingBytes | undefined {
  let start = 0;
  for (const frame of frames) {
    const size = frame.payload.length;
    if (at < start + size) {
      const text = 'from here the echo differs from what was sent';
      return { frame, at: frame.headerBytes + at - start, length: 1, text };
    }
    start += size;
  }
  const frame = frames.at(-1);
  return frame && { frame, at: 1, length: 1, text: 'the rest is missing' };
}
