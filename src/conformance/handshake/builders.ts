import { Opcode } from '../../protocol/index.ts';
import type { CaseDefinition } from '../case.ts';
import { describeExpectation } from './describe.ts';
import type {
  Action,
  ExchangeScript,
  ExpectedOutcome,
  HeadEdit,
  Received,
  ReceivedEvent,
  Pieces,
  WireFrame,
} from '../script.ts';
import { closeFrame } from '../wire/connection.ts';

/** Builders of the rows in which the extended cases are written. */

/** A case as the tables have it; the rest has defaults. */
export interface Row extends Partial<Omit<ExchangeScript, 'kind' | 'expect' | 'opening'>> {
  readonly id: string;
  readonly title: string;
  readonly rfc: string;
  /** What the tester does, in a sentence. */
  readonly sends: string;
  readonly opening?: Partial<ExchangeScript['opening']>;
  readonly expect: readonly ExpectedOutcome[];
  readonly peers?: CaseDefinition['peers'];
}

/** A case that changes one head: id, title, what the tester sends, edits, and an RFC section. */
export type HeadRow = readonly [
  id: string,
  title: string,
  sends: string,
  edits: readonly HeadEdit[],
  rfc?: string,
];

export function headRow(
  [id, title, sends, edits, rfc]: HeadRow,
  rest: Omit<Row, 'id' | 'title' | 'sends' | 'opening'>,
): Row {
  return { ...rest, id, title, sends, opening: { edits }, rfc: rfc ?? rest.rfc };
}

/** A case whose frames break one section: id, title, what the tester sends, and the frames. */
export type IllegalRow = readonly [
  id: string,
  title: string,
  sends: string,
  frames: readonly WireFrame[],
];

/** Makes rows of frames that a peer has to fail the connection for, with 1002. */
export function illegal(rfc: string): (row: IllegalRow) => Row {
  return ([id, title, sends, frames]) => ({
    id,
    title,
    rfc,
    sends,
    send: [send(...frames)],
    expect: fails([1002]),
  });
}

/** Milliseconds a peer has to react, as in most of Autobahn's cases and its close handshake. */
const WAIT_MS = 2000;

export function toCase(row: Row): CaseDefinition {
  const { id, title, rfc, sends, opening, expect, peers, ...rest } = row;
  return {
    id,
    title,
    rfc,
    description: sends,
    expectation: describeExpectation(expect),
    ...(peers === undefined ? {} : { peers }),
    script: {
      kind: 'exchange',
      opening: { edits: [], ...opening },
      send: [],
      ending: 'react',
      waitMs: WAIT_MS,
      echoes: true,
      ownReply: false,
      windowBits: undefined,
      thenServes: false,
      ...rest,
      expect,
    },
  };
}

export const SERVERS = ['server'] as const;
export const CLIENTS = ['client'] as const;

// --- heads ---

export function start(line: string): HeadEdit {
  return { edit: 'start', line };
}

export function drop(name: string): HeadEdit {
  return { edit: 'drop', name };
}

export function set(name: string, value: string): HeadEdit {
  return { edit: 'set', name, value };
}

export function add(name: string, value: string): HeadEdit {
  return { edit: 'add', name, value };
}

export function line(text: string): HeadEdit {
  return { edit: 'line', line: text };
}

// --- frames ---

type Traits = Omit<WireFrame, 'opcode' | 'payload'>;

export function frame(opcode: number, payload: Buffer | string, traits: Traits = {}): WireFrame {
  return { opcode, payload: Buffer.from(payload), ...traits };
}

export function text(payload: Buffer | string, traits?: Traits): WireFrame {
  return frame(Opcode.text, payload, traits);
}

export function binary(payload: Buffer | string, traits?: Traits): WireFrame {
  return frame(Opcode.binary, payload, traits);
}

export function continuation(payload: Buffer | string, traits?: Traits): WireFrame {
  return frame(Opcode.continuation, payload, traits);
}

export function ping(payload: Buffer | string, traits?: Traits): WireFrame {
  return frame(Opcode.ping, payload, traits);
}

export function pong(payload: Buffer | string, traits?: Traits): WireFrame {
  return frame(Opcode.pong, payload, traits);
}

/** A close frame with any code and any octets as its reason. */
export function close(code: number, reason: Buffer | string = '', traits?: Traits): WireFrame {
  return { ...closeFrame(code, reason), ...traits };
}

export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex');
}

// --- actions ---

/** Frames in one write. */
export function send(...frames: readonly WireFrame[]): Action {
  return { do: 'frames', frames };
}

/** The same, cut into pieces with time between them. */
export function slowly(pieces: Pieces, ...frames: readonly WireFrame[]): Action {
  return { do: 'frames', frames, pieces };
}

export function wait(ms: number): Action {
  return { do: 'wait', ms };
}

// --- outcomes ---

export function gotText(payload: Buffer | string): ReceivedEvent {
  return { type: 'text', payload: Buffer.from(payload) };
}

export function gotBinary(payload: Buffer | string): ReceivedEvent {
  return { type: 'binary', payload: Buffer.from(payload) };
}

export function gotPong(payload: Buffer | string): ReceivedEvent {
  return { type: 'pong', payload: Buffer.from(payload) };
}

export function ok(outcome: ExpectedOutcome['outcome'], why?: string): ExpectedOutcome {
  return { verdict: 'OK', outcome, ...(why === undefined ? {} : { why }) };
}

export function nonStrict(outcome: ExpectedOutcome['outcome'], why: string): ExpectedOutcome {
  return { verdict: 'NON-STRICT', outcome, why };
}

export function informational(outcome: ExpectedOutcome['outcome'], why: string): ExpectedOutcome {
  return { verdict: 'INFORMATIONAL', outcome, why };
}

/** 10.7: over data that does not fit an endpoint "MAY drop the TCP connection". */
export const DROPPED = nonStrict(
  { is: 'hung-up' },
  'the server may drop TCP, but SHOULD return an HTTP status (6455#10.7)',
);

/** Nothing of WebSocket was spoken, but whoever asked waits. */
export const UNANSWERED = nonStrict(
  { is: 'unanswered' },
  'the server took up no WebSocket, but left the client without an answer (6455#4.2.1)',
);

/** 4.2.1: "the server MUST stop processing the client's handshake and return an HTTP response". */
export const REFUSED: readonly ExpectedOutcome[] = [ok({ is: 'refused' }), DROPPED, UNANSWERED];

/** A legal request that the server refuses for the form it has: no RFC makes it take everything. */
export function mayRefuse(why: string): readonly ExpectedOutcome[] {
  return [nonStrict({ is: 'refused' }, why), DROPPED, UNANSWERED];
}

export const ACCEPTED: readonly ExpectedOutcome[] = [ok({ is: 'accepted' })];

/** The peer goes on, after `received`. */
export function goesOn(...received: readonly ReceivedEvent[]): readonly ExpectedOutcome[] {
  return [ok({ is: 'open', received })];
}

/** The peer goes on after both, whichever came first: what answers a ping need not wait. */
export function goesOnInAnyOrder(
  one: ReceivedEvent,
  other: ReceivedEvent,
): readonly ExpectedOutcome[] {
  return [...goesOn(one, other), ...goesOn(other, one)];
}

/** The peer fails the connection with one of `codes`, no code or a drop of TCP. */
export function fails(
  codes: readonly number[],
  received: Received = [],
): readonly ExpectedOutcome[] {
  return [ok({ is: 'failed', codes, received })];
}

/** The peer drops TCP before the WebSocket is open; a close frame is one step too late. */
export const UNOPENED: readonly ExpectedOutcome[] = [
  ok({ is: 'dropped' }),
  nonStrict(
    { is: 'failed', codes: [1002, 1006, 1008, 1010, 1011] },
    'a close frame needs an established connection, which this response cannot make (6455#7.1.7)',
  ),
  nonStrict(
    { is: 'quiet' },
    'the client did not take the connection for open, but left it to the tester to drop it',
  ),
];

/** 5.5.1: the answer to a close frame "typically echos the status code". */
export const OTHER_CODE = nonStrict(
  { is: 'closed', codes: [1001, 1003, 1008, 1011, 3000, 4000] },
  'the answer typically has the same code, but no MUST says so (6455#5.5.1)',
);
