import { describe, expect, it } from 'vitest';
import { Connection, FrameDecoder, HeadDecoder } from '../../src/protocol/index.ts';
import { MASKING_KEY } from '../support/protocol.ts';
import { nameSeed, withSeed } from '../support/fuzz-seed.ts';
import { Random } from '../support/random.ts';
import { SessionFrames, randomTraits } from '../support/session.ts';
import type { SessionTraits } from '../support/session.ts';

const SESSIONS = 600;
const HANG_MS = 300_000;

/** All that can be seen of a connection, with its bytes in hex. */
function observe(traits: SessionTraits, pieces: readonly Buffer[]): unknown {
  const connection = new Connection({ ...traits, maskSource: () => MASKING_KEY });
  for (const piece of pieces) connection.receive(Buffer.from(piece));
  connection.receiveEof();
  return {
    events: connection
      .events()
      .map((event) => ('data' in event ? { ...event, data: event.data.toString('hex') } : event)),
    output: Buffer.concat(connection.output()).toString('hex'),
    violation: connection.violation,
    closeSent: connection.closeSent,
    closeReceived: connection.closeReceived,
    outputEnded: connection.outputEnded,
  };
}

/** The bytes of a session; every other one has a few bytes changed, so that it breaks a rule. */
function sessionBytes(traits: SessionTraits, random: Random): Buffer {
  const frames = new SessionFrames(traits, random);
  const count = 1 + random.below(12);
  const bytes = Buffer.concat([
    ...Array.from({ length: count }, () => frames.next()).flat(),
    ...(random.oneIn(2) ? [frames.close(), ...frames.next()] : []),
  ]);
  if (random.oneIn(2) && bytes.length > 0) {
    for (let i = 0; i <= random.below(3); i++)
      bytes[random.below(bytes.length)] = random.below(256);
  }
  return bytes;
}

/** Cuts bytes at random places; small pieces are as likely as large ones. */
function cut(bytes: Buffer, random: Random): Buffer[] {
  const pieces = [];
  const longest = 1 << (1 + random.below(10));
  for (let at = 0; at < bytes.length;) {
    const size = random.below(longest);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const oneByOne = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.of(byte));

describe('any cut of the byte stream', () => {
  it('gives a connection the same events and output', { timeout: HANG_MS }, () => {
    withSeed('cuts', (seed) => {
      const codes = new Set<string>();
      for (let session = 0; session < SESSIONS; session++) {
        nameSeed(seed, session, () => {
          const random = new Random(seed + session);
          const traits = randomTraits(random);
          const bytes = sessionBytes(traits, random);
          const whole = observe(traits, [bytes]);
          codes.add((whole as { violation?: { code: string } }).violation?.code ?? 'none');
          expect(observe(traits, oneByOne(bytes))).toEqual(whole);
          for (let i = 0; i < 4; i++) expect(observe(traits, cut(bytes, random))).toEqual(whole);
        });
      }
      // The sessions are of use only as long as they reach many rules, and none of them too.
      expect(codes.size).toBeGreaterThan(5);
      expect(codes).toContain('none');
    });
  });

  it('gives the frame decoder the same frames', { timeout: HANG_MS }, () => {
    const decode = (pieces: readonly Buffer[]): unknown => {
      const decoder = new FrameDecoder({ frameBytes: 100_000 });
      const frames = [];
      for (const piece of pieces) {
        decoder.receive(piece);
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
          frames.push({ ...frame, payload: frame.payload.toString('hex') });
        }
      }
      return { frames, violation: decoder.violation };
    };
    withSeed('frame cuts', (seed) => {
      for (let session = 0; session < SESSIONS; session++) {
        nameSeed(seed, session, () => {
          const random = new Random(seed + session);
          const bytes = sessionBytes(randomTraits(random), random);
          const whole = decode([bytes]);
          expect(decode(oneByOne(bytes))).toEqual(whole);
          expect(decode(cut(bytes, random))).toEqual(whole);
        });
      }
    });
  });

  it('gives the head decoder the same head', { timeout: HANG_MS }, () => {
    const text = 'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nA : b\nC:\r\n\r\nrest\r\n\r\n';
    const decode = (pieces: readonly Buffer[]): unknown => {
      const decoder = new HeadDecoder('response', { headerBytes: 100 });
      for (const piece of pieces) decoder.receive(piece);
      return {
        head: decoder.head(),
        rest: decoder.rest().toString(),
        code: decoder.violation?.code,
      };
    };
    withSeed('head cuts', (seed) => {
      for (let session = 0; session < SESSIONS; session++) {
        nameSeed(seed, session, () => {
          const random = new Random(seed + session);
          const bytes = Buffer.from(text);
          if (session > 0) bytes[random.below(bytes.length)] = random.below(256);
          const whole = decode([bytes]);
          expect(decode(oneByOne(bytes))).toEqual(whole);
          expect(decode(cut(bytes, random))).toEqual(whole);
        });
      }
    });
  });
});
