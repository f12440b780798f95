import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding';
import {
  createEncoder,
  toUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
} from 'lib0/encoding';
import { binaryFrameOf } from './frame.ts';
import type { Frame } from './frame.ts';

/*
 * The messages of y-protocols and y-websocket: https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md.
 * Each is binary; its first number is its type.
 */

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;
/** What a message of the type `SYNC` is. */
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;
/** The only message of the type `AUTH`. */
const PERMISSION_DENIED = 0;

/** What is known of one client of a document. */
export interface AwarenessState {
  /** The number of the client, which it has chosen. */
  readonly id: number;
  /** Counts up with each state. */
  readonly clock: number;
  /** As JSON; `null`: it is gone. */
  readonly json: string;
}

export type YjsMessage =
  /** Asks for all that `vector` does not hold. */
  | { readonly type: 'sync-step-1'; readonly vector: Uint8Array }
  | { readonly type: 'sync-step-2' | 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly states: readonly AwarenessState[] }
  | { readonly type: 'query-awareness' };

/** A message that cannot be read. */
export class Malformed extends Error {}
/** A message of a type that there is not. */
export class UnknownMessage extends Error {}

/** @throws {Malformed} @throws {UnknownMessage} */
export function readMessage(bytes: Uint8Array): YjsMessage {
  return reading(() => {
    const decoder = createDecoder(bytes);
    switch (readVarUint(decoder)) {
      case SYNC: {
        const step = readVarUint(decoder);
        if (step > UPDATE) throw new UnknownMessage();
        const content = readVarUint8Array(decoder);
        if (step === STEP_1) return { type: 'sync-step-1', vector: content };
        return { type: step === STEP_2 ? 'sync-step-2' : 'update', update: content };
      }
      case AWARENESS:
        return { type: 'awareness', states: readStates(readVarUint8Array(decoder)) };
      case QUERY_AWARENESS:
        return { type: 'query-awareness' };
      default:
        throw new UnknownMessage();
    }
  });
}

/** @throws {Malformed} */
export function readStates(bytes: Uint8Array): AwarenessState[] {
  return reading(() => {
    const decoder = createDecoder(bytes);
    const states: AwarenessState[] = [];
    for (let left = readVarUint(decoder); left > 0; left -= 1) {
      const [id, clock] = [readVarUint(decoder), readVarUint(decoder)];
      const json = readVarString(decoder);
      // Clients parse it, too.
      JSON.parse(json);
      states.push({ id, clock, json });
    }
    return states;
  });
}

export function encodeStates(states: readonly AwarenessState[]): Uint8Array {
  const encoder = createEncoder();
  writeVarUint(encoder, states.length);
  for (const { id, clock, json } of states) {
    writeVarUint(encoder, id);
    writeVarUint(encoder, clock);
    writeVarString(encoder, json);
  }
  return toUint8Array(encoder);
}

/** What `read` returns; whatever it throws is the fault of what is read. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnknownMessage) throw error;
    throw new Malformed(String(error));
  }
}

/** Asks a client for all that `vector` does not hold. */
export function stepOne(vector: Uint8Array): Frame {
  return frame('sync', [SYNC, STEP_1], vector);
}

/** The answer to that. */
export function stepTwo(update: Uint8Array): Frame {
  return frame('sync', [SYNC, STEP_2], update);
}

export function updateOf(update: Uint8Array): Frame {
  return frame('update', [SYNC, UPDATE], update);
}

export function awarenessOf(states: readonly AwarenessState[]): Frame {
  return frame('awareness', [AWARENESS], encodeStates(states));
}

/** Tells a client what it may not do. */
export function permissionDenied(reason: string): Frame {
  return frame('auth', [AUTH, PERMISSION_DENIED], Buffer.from(reason));
}

function frame(type: string, numbers: readonly number[], content: Uint8Array): Frame {
  const encoder = createEncoder();
  for (const number of numbers) writeVarUint(encoder, number);
  writeVarUint8Array(encoder, content);
  return binaryFrameOf(toUint8Array(encoder), type);
}
