import { Opcode, isControlOpcode } from '../../protocol/index.ts';
import type { CaseDefinition } from '../case.ts';
import type { IncomingFrame } from '../wire/receiver.ts';
import { bytesOf } from './event-case.ts';

/** Frames in a row without progress that are a sign of life: those of a heartbeat. */
const LIFE_SIGNS = 100;

/** Frames without progress beyond one for each frame that makes some. */
const IDLE_FRAMES = 10_000;

/** Octets that are read for each one that a case expects: of a masked frame of one octet there are 7. */
const OCTETS_EACH = 8;

/** Octets that are read beyond that. */
const EXTRA_OCTETS = 16 * 1024 * 1024;

/** Most octets of a code point: compression cases count text in these. */
const UTF8_OCTETS = 4;

const MORE_DATA = 'data that the case does not ask for';

/**
 * How far a peer has come with what a case expects: payload of data frames, and messages.
 *
 * Pings, pongs, empty frames and data that nobody asked for are no progress. A few of them are a
 * sign of life; a flood of them must neither prolong a case nor keep the tester busy.
 */
export class Progress {
  /** Octets of payload and messages, added. */
  readonly #expected: number;
  readonly #mostOctets: number;
  readonly #idle = new Map<string, number>();
  #octets = 0;
  #messages = 0;
  #reached = 0;
  #useful = 0;
  #idleFrames = 0;
  /** Frames without progress since there was some. */
  #idleRun = 0;

  constructor({ script }: CaseDefinition) {
    const { octets, messages } = expectedOf(script);
    this.#expected = octets + messages;
    this.#mostOctets = OCTETS_EACH * octets + EXTRA_OCTETS;
  }

  /** What came most often without being progress, if anything did since there was some. */
  get idleKind(): string | undefined {
    return this.#idleRun === 0 ? undefined : this.#mostFrequent();
  }

  /** What the peer floods with; undefined if it sends no more than it may need to. */
  get flood(): string | undefined {
    if (this.#idleFrames > IDLE_FRAMES + this.#useful) return this.#mostFrequent();
    return this.#octets > this.#mostOctets ? MORE_DATA : undefined;
  }

  /** A frame is complete. */
  frame({ opcode, fin, length }: IncomingFrame): void {
    const data = !isControlOpcode(opcode);
    if (data && length > 0 && this.#reached < this.#expected) {
      this.#useful++;
    } else {
      const kind = kindOf(opcode, length);
      this.#idle.set(kind, (this.#idle.get(kind) ?? 0) + 1);
      this.#idleFrames++;
      this.#idleRun++;
    }
    if (data && fin) this.#messages++;
  }

  /** `octets` were read; `dataBytes`: payload of data so far. Returns whether the peer shows life. */
  read(octets: number, dataBytes: number): boolean {
    this.#octets += octets;
    const reached = Math.min(dataBytes + this.#messages, this.#expected);
    if (reached > this.#reached) this.#idleRun = 0;
    this.#reached = reached;
    return this.#idleRun <= LIFE_SIGNS;
  }

  #mostFrequent(): string | undefined {
    return [...this.#idle].sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}

/** What a case expects to come back at most. */
function expectedOf(script: CaseDefinition['script']): { octets: number; messages: number } {
  switch (script.kind) {
    case 'events': {
      const expected = Object.values(script.expect);
      return {
        octets: Math.max(...expected.map(bytesOf)),
        messages: Math.max(...expected.map(({ length }) => length)),
      };
    }
    case 'length':
      return { octets: script.length, messages: 1 };
    case 'rounds':
      return { octets: script.length * script.rounds, messages: script.rounds };
    case 'compression':
      return { octets: script.size * UTF8_OCTETS * script.rounds, messages: script.rounds };
    case 'exchange':
      throw new TypeError('the folder extended runs its cases itself');
  }
}

/** The name of frames without progress, as reports give it. */
function kindOf(opcode: number, length: number): string {
  switch (opcode) {
    case Opcode.ping:
      return 'pings';
    case Opcode.pong:
      return 'pongs';
    case Opcode.close:
      return 'close frames';
    default:
      return length === 0 ? 'empty frames' : MORE_DATA;
  }
}
