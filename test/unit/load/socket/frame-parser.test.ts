import { describe, expect, it } from 'vitest';
import { FrameParser } from '../../../../src/load/socket/frame-parser.ts';
import type { ControlFrames } from '../../../../src/load/socket/frame-parser.ts';
import type { MessageSink } from '../../../../src/load/measure/tracker.ts';
import { encodeFrame } from '../../../../src/protocol/index.ts';
import type { FrameInit } from '../../../../src/protocol/index.ts';
import { client, hex, receive, summary } from '../../../support/protocol.ts';
import { Random } from '../../../support/random.ts';

/** Notes what it receives, in the form of `summary`. */
class Notes implements MessageSink<Notes>, ControlFrames {
  readonly lines: string[] = [];
  #opcode = 0;
  #parts: Buffer[] = [];

  message(_owner: Notes, bytes: Buffer, from: number, to: number, opcode: number): void {
    this.#note(opcode, Buffer.from(bytes.subarray(from, to)));
  }

  begin(_owner: Notes, opcode: number): void {
    this.#opcode = opcode;
    this.#parts = [];
  }

  part(_owner: Notes, bytes: Buffer, from: number, to: number): void {
    this.#parts.push(Buffer.from(bytes.subarray(from, to)));
  }

  end(): void {
    this.#note(this.#opcode, Buffer.concat(this.#parts));
  }

  ping(payload: Buffer): void {
    this.lines.push(`ping ${payload.toString()}`.trimEnd());
  }

  closed(code: number): void {
    this.lines.push(`close ${code}`);
  }

  violated({ code }: { code: string }): void {
    this.lines.push(code);
  }

  #note(opcode: number, payload: Buffer): void {
    const text = opcode === 1 ? `text ${payload.toString()}` : `binary ${payload.toString('hex')}`;
    this.lines.push(text);
  }
}

/** What a parser makes of `bytes` when they come in these pieces, each in a buffer with others' bytes. */
function read(...pieces: readonly Buffer[]): string[] {
  const notes = new Notes();
  const reader = new FrameParser(notes, notes);
  for (const piece of pieces) {
    const shared = Buffer.concat([hex('81 05'), piece, hex('82 01 ff 89 00')]);
    reader.read(shared, 2, 2 + piece.length);
    shared.fill(0xee);
  }
  return notes.lines;
}

/** What the protocol's own client makes of them: pongs left out, and how it ended. */
function expected(bytes: Buffer): string[] {
  return summary(receive(client({ limits: { messageBytes: 1 << 20 } }), bytes)).flatMap((line) => {
    if (line.startsWith('pong')) return [];
    return [line.replace(/^(close \d+) clean$/, '$1')];
  });
}

function frames(...inits: readonly FrameInit[]): Buffer {
  return Buffer.concat(inits.map((init) => encodeFrame(init)));
}

const text = (payload: string, fin = true): FrameInit => ({
  opcode: 1,
  payload: Buffer.from(payload),
  fin,
});

describe('FrameParser', () => {
  it.each([
    ['a text', hex('81 05 48 65 6c 6c 6f'), ['text Hello']],
    ['an empty binary', hex('82 00'), ['binary ']],
    ['two texts', hex('81 01 61 81 01 62'), ['text a', 'text b']],
    ['fragments', hex('01 03 48 65 6c 80 02 6c 6f'), ['text Hello']],
    ['a ping among fragments', hex('01 01 48 89 01 70 80 01 69'), ['ping p', 'text Hi']],
    ['an empty first fragment', hex('01 00 80 01 69'), ['text i']],
    ['an empty last fragment', hex('01 01 69 80 00'), ['text i']],
    ['a pong nobody asked for', hex('8a 01 70 81 01 61'), ['text a']],
    ['a close with a code', hex('88 02 03 e8'), ['close 1000']],
    ['a close without one', hex('88 00'), ['close 1005']],
    ['nothing after a close', hex('88 02 03 e8 81 01 61'), ['close 1000']],
  ])('reads %s, cut anywhere', (_what, bytes, lines) => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      for (let second = cut; second <= bytes.length; second++) {
        const pieces = [
          bytes.subarray(0, cut),
          bytes.subarray(cut, second),
          bytes.subarray(second),
        ];
        expect(read(...pieces)).toEqual(lines);
      }
    }
  });

  it.each([125, 126, 127, 65535, 65536, 70000])('reads a payload of %i bytes', (length) => {
    const payload = new Random(length).bytes(length);
    const bytes = frames({ opcode: 2, payload }, text('next'));
    const lines = [`binary ${payload.toString('hex')}`, 'text next'];
    expect(read(bytes)).toEqual(lines);
    for (const cut of [1, 2, 3, 4, 9, 10, 11, length, bytes.length - 1]) {
      expect(read(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(lines);
    }
  });

  it.each([
    ['a masked frame', hex('81 81 01 02 03 04 60'), 'WSK_MASKED_FRAME'],
    ['a reserved bit', hex('c1 01 61'), 'WSK_RESERVED_BITS'],
    ['a reserved opcode', hex('83 00'), 'WSK_RESERVED_OPCODE'],
    ['a long ping', hex('89 7e 00 7e'), 'WSK_CONTROL_TOO_LONG'],
    ['a fragmented ping', hex('09 00'), 'WSK_CONTROL_FRAGMENTED'],
    ['a continuation of nothing', hex('80 01 61'), 'WSK_UNEXPECTED_CONTINUATION'],
    ['a text among fragments', hex('01 01 61 81 01 61'), 'WSK_EXPECTED_CONTINUATION'],
    ['a length of 16 bits that fits 7', hex('82 7e 00 01 61'), 'WSK_LENGTH_NOT_MINIMAL'],
    [
      'a length of 64 bits that fits 16',
      hex('82 7f 00 00 00 00 00 00 01 00'),
      'WSK_LENGTH_NOT_MINIMAL',
    ],
    ['a length with its top bit set', hex('82 7f 80 00 00 00 00 00 00 00'), 'WSK_LENGTH_OVERFLOW'],
    ['a close of one byte', hex('88 01 03'), 'WSK_CLOSE_PAYLOAD'],
    ['a close with a code for reports', hex('88 02 03 ed'), 'WSK_CLOSE_CODE'],
    ['a close whose reason is no UTF-8', hex('88 03 03 e8 ff'), 'WSK_INVALID_UTF8'],
  ])('counts %s once as a violation, cut anywhere, and reads no further', (_what, bytes, code) => {
    const all = Buffer.concat([hex('81 01 78'), bytes, hex('81 01 61 89 00')]);
    for (let cut = 0; cut <= all.length; cut++) {
      expect(read(all.subarray(0, cut), all.subarray(cut))).toEqual(['text x', code]);
    }
  });

  it('finds what the protocol itself finds, in random streams with random cuts', () => {
    const random = new Random(4);
    for (let round = 0; round < 400; round++) {
      const bytes = randomStream(random);
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = 1 + random.below(random.oneIn(3) ? 4 : 300);
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      const [lines, wanted] = [read(...pieces), expected(bytes)];
      // The protocol also tells how it ends after a violation, which it closes for.
      const broken = wanted.findIndex((line) => line.startsWith('WSK_'));
      expect(lines).toEqual(broken < 0 ? wanted : wanted.slice(0, broken + 1));
    }
  });
});

/** Mostly legal frames of a server with legal UTF-8, and now and then something else. */
function randomStream(random: Random): Buffer {
  const parts: Buffer[] = [];
  let open = false;
  for (let i = 0; i < 12; i++) {
    const payload = Buffer.from('x'.repeat(random.pick([0, 1, 7, 125, 126, 300, 66000])));
    const roll = random.below(30);
    if (roll === 0) parts.push(encodeFrame({ opcode: random.below(16), rsv1: random.oneIn(2) }));
    else if (roll === 1) parts.push(encodeFrame({ opcode: 8, payload: hex('03 e9') }));
    else if (roll < 8) {
      parts.push(encodeFrame({ opcode: random.pick([9, 10]), payload: payload.subarray(0, 125) }));
    } else {
      const fin = !random.oneIn(3);
      parts.push(encodeFrame({ opcode: open ? 0 : 1, payload, fin }));
      open = !fin;
    }
  }
  return Buffer.concat(parts);
}
