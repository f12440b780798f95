import { describe, expect, it } from 'vitest';
import {
  Connection,
  HeadDecoder,
  VIOLATIONS,
  checkRequest,
  checkResponse,
  verifyRequest,
} from '../../src/protocol/index.ts';
import type { ConnectionEvent } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import { nameSeed, withSeed } from '../support/fuzz-seed.ts';
import { Random } from '../support/random.ts';
import { SessionFrames, randomTraits } from '../support/session.ts';
import { sampleMark, testsAll } from '../support/test-all.ts';

/** Fewer in `npm test`: each run takes another seed, and a tenth of it reaches every rule. */
const FRAMES = testsAll ? 1_000_000 : 200_000;
const HEADS = 20_000;
const HANG_MS = 600_000;

const LIMITS = {
  messageBytes: 2000,
  frameBytes: 1500,
  fragments: 4,
  pongBytes: 1000,
  queuedBytes: 50_000,
};

/** A message under way, in memory that may have doubled, and the parts of a header or ping. */
const MAX_INCOMPLETE = 2 * (LIMITS.messageBytes + 1100) + 200;

/** What one frame can add before it is drained: events, pongs, a Close frame. */
const MAX_UNDRAINED = LIMITS.queuedBytes + LIMITS.messageBytes + LIMITS.pongBytes + 500;

/** Spoils a frame so that nobody knows what it still is. */
function mutate(frame: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(frame);
  const headerPlace = random.below(Math.min(bytes.length, 14));
  switch (random.below(8)) {
    case 0: // one bit of the header
      bytes[headerPlace] = (bytes[headerPlace] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1: // one bit anywhere
      bytes[random.below(bytes.length)] = 1 << random.below(8);
      return bytes;
    case 2: // another opcode
      bytes[0] = ((bytes[0] ?? 0) & 0xf0) | random.below(16);
      return bytes;
    case 3: // a length that has nothing to do with the payload
      bytes[1] = random.below(256);
      return bytes;
    case 4: // a huge length
      return Buffer.concat([bytes.subarray(0, 1), Buffer.of(0x7f), random.bytes(8), bytes]);
    case 5: // the end is missing
      return bytes.subarray(0, random.below(bytes.length));
    case 6: // something comes in between
      return Buffer.concat([bytes.subarray(0, headerPlace), random.bytes(4), bytes]);
    default: // a few bytes of the payload
      for (let i = 0; i < 3; i++) bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
  }
}

/** Feeds frames to one connection, most of them mutated; returns how many those were. */
function runSession(random: Random, outcomes: Set<string>): number {
  const traits = randomTraits(random);
  const frames = new SessionFrames(traits, random);
  const connection = new Connection({ ...traits, limits: LIMITS, maskSource: () => MASKING_KEY });
  let mutated = 0;
  const queue: Buffer[] = [];
  while (connection.state !== 'closed' && mutated < 200) {
    const frame = queue.shift();
    if (frame === undefined) {
      queue.push(...frames.next());
      continue;
    }
    // Most mutations end a session; frames let through in between bring it into other states.
    const spoilt = !random.oneIn(3);
    connection.receive(spoilt ? mutate(frame, random) : Buffer.from(frame));
    if (spoilt) mutated++;
    atMost(MAX_INCOMPLETE + MAX_UNDRAINED, connection.bufferedBytes);
    for (const event of connection.events()) judge(event);
    connection.output();
    atMost(MAX_INCOMPLETE, connection.bufferedBytes);
  }
  connection.receiveEof();
  if (connection.state !== 'closed') throw new Error(`it is ${connection.state} after its end`);
  outcomes.add(connection.violation?.code ?? 'none');
  return mutated;
}

function judge(event: ConnectionEvent): void {
  if (event.type === 'violation' && !(event.violation.code in VIOLATIONS)) {
    throw new Error(`${event.violation.code} is in no catalogue`);
  }
  if (event.type === 'message') atMost(LIMITS.messageBytes, event.data.length);
}

function atMost(limit: number, bytes: number): void {
  if (bytes > limit) throw new Error(`${bytes} bytes are held, limit is ${limit}`);
}

describe(`${FRAMES} mutated frames${sampleMark}`, () => {
  it('never throw, hang or exceed the limits', { timeout: HANG_MS }, () => {
    withSeed('mutations', (seed) => {
      const outcomes = new Set<string>();
      for (let session = 0, done = 0; done < FRAMES; session++) {
        nameSeed(seed, session, () => {
          done += runSession(new Random(seed + session), outcomes);
        });
      }
      // They have to reach every rule about frames, or they test less than they seem to. (Events are
      // drained after each frame, so they cannot pile up.)
      const expected = Object.entries(VIOLATIONS)
        .filter(([code, row]) => row.closeCode !== 1006 && code !== 'WSK_QUEUE_TOO_BIG')
        .map(([code]) => code);
      expect([...outcomes].sort()).toEqual([...expected, 'none'].sort());
    });
  });
});

const REQUEST = [
  'GET /chat HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: chat, superchat',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; a="b\\c"',
  '\r\n',
].join('\r\n');

const RESPONSE = REQUEST.replace('GET /chat HTTP/1.1', 'HTTP/1.1 101 Switching Protocols');

/** Reads and judges a head with some bytes changed; `text` needs no mercy. */
function judgeHead(random: Random, text: string, kind: 'request' | 'response'): void {
  const bytes = Buffer.from(text);
  const alphabet = Buffer.from(' \r\n\t:;,="\\\0\xff0a/#', 'latin1');
  for (let i = 0; i <= random.below(4); i++) {
    bytes[random.below(bytes.length)] = random.pick([...alphabet]);
  }
  const decoder = new HeadDecoder(kind, { headerBytes: 1000, headerCount: 10 });
  decoder.receive(bytes);
  const head = decoder.head();
  if (head?.kind === 'request') {
    const { ok } = verifyRequest(head, { deflate: {}, protocols: ['chat'] });
    const rules = checkRequest(head);
    if (ok === rules.some((rule) => rule.fatal && rule.verdict === 'fail'))
      throw new Error(head.target);
  } else if (head?.kind === 'response') checkResponse(head);
}

describe('mutated heads', () => {
  it('never throw', { timeout: HANG_MS }, () => {
    withSeed('heads', (seed) => {
      for (let session = 0; session < HEADS; session++) {
        nameSeed(seed, session, () => {
          const random = new Random(seed + session);
          judgeHead(random, REQUEST, 'request');
          judgeHead(random, RESPONSE, 'response');
        });
      }
    });
  });
});
