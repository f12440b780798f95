import { constants, createDeflateRaw, createInflateRaw, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Deflater, Inflater, directionOf } from '../../../../src/protocol/deflate/deflate.ts';
import type { NegotiatedDeflate, Violation } from '../../../../src/protocol/index.ts';
import { longestDistance } from '../../../support/deflate-distance.ts';
import { client, hex, receive, server, summary, written } from '../../../support/protocol.ts';
import { Random } from '../../../support/random.ts';

const LIMIT = 1024 * 1024;
const WINDOWS = [8, 9, 10, 11, 12, 13, 14, 15];
const DEFLATE: NegotiatedDeflate = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

/** What was inflated, or the code of the violation that it is. */
function textOf(result: Buffer | Violation): string {
  return Buffer.isBuffer(result) ? result.toString() : result.code;
}

/** Texts that repeat each other over all distances up to beyond the largest window. */
function repetitiveTexts(): Buffer[] {
  const words = Array.from({ length: 700 }, (_, i) => `${(i * 7919) % 1000}-${i % 13};`);
  return Array.from({ length: 24 }, (_, i) =>
    Buffer.from(words.slice((i * 37) % 300, ((i * 37) % 300) + 20 * i).join('')),
  );
}

describe('Deflater and Inflater', () => {
  it.each(WINDOWS.flatMap((bits) => [[bits, true] as const, [bits, false] as const]))(
    'give every message back with a window of %i bits, takeover %s',
    (windowBits, takeover) => {
      const direction = { windowBits, takeover };
      const deflater = new Deflater(direction);
      const inflater = new Inflater(direction, LIMIT);
      for (const text of repetitiveTexts()) {
        expect(textOf(inflater.inflate(deflater.deflate(text, true)))).toBe(text.toString());
      }
    },
  );

  it.each(WINDOWS)('reach back no further than a window of %i bits', (windowBits) => {
    let longest = 0;
    const deflater = new Deflater({ windowBits, takeover: true });
    for (const text of [...repetitiveTexts(), ...repetitiveTexts()]) {
      const tail = hex('00 00 ff ff');
      longest = Math.max(
        longest,
        longestDistance(Buffer.concat([deflater.deflate(text, true), tail])),
      );
    }
    expect(longest).toBeLessThanOrEqual(2 ** windowBits);
    // And it does make use of the window it has.
    expect(longest).toBeGreaterThan(2 ** (Math.max(windowBits, 9) - 2));
  });

  it('use earlier messages with context takeover and forget them without', () => {
    const text = Buffer.from('the same words as before, and the same once more');
    const keeping = new Deflater({ windowBits: 15, takeover: true });
    const forgetting = new Deflater({ windowBits: 15, takeover: false });
    const first = keeping.deflate(text, true);
    expect(keeping.deflate(text, true).length).toBeLessThan(first.length / 3);
    expect(forgetting.deflate(text, true)).toEqual(forgetting.deflate(text, true));
  });

  it('compress fragments of one message so that their payloads join', () => {
    const direction = { windowBits: 15, takeover: false };
    const deflater = new Deflater(direction);
    const parts = ['one, two, ', 'one, two, ', '', 'three'].map((text, i) =>
      deflater.deflate(Buffer.from(text), i === 3),
    );
    const whole = new Inflater(direction, LIMIT).inflate(Buffer.concat(parts));
    expect(textOf(whole)).toBe('one, two, one, two, three');
  });
});

describe('Inflater', () => {
  const inflater = (limit = LIMIT, takeover = true): Inflater =>
    new Inflater({ windowBits: 15, takeover }, limit);

  it.each([
    ['one block', 'f2 48 cd c9 c9 07 00', 'Hello'],
    ['a stored block', '00 05 00 fa ff 48 65 6c 6c 6f 00', 'Hello'],
    ['a final block', 'f3 48 cd c9 c9 07 00 00', 'Hello'],
    ['two blocks', 'f2 48 05 00 00 00 ff ff ca c9 c9 07 00', 'Hello'],
    ['an empty message', '00', ''],
    ['no bytes at all, as zlib makes of an empty message', '', ''],
  ])('inflates the example of RFC 7692 section 7.2.3: %s', (_what, bytes, text) => {
    expect(textOf(inflater().inflate(hex(bytes)))).toBe(text);
  });

  it('goes on after a final block in the middle of a message', () => {
    const first = deflateRawSync(Buffer.from('Hello, '));
    const second = deflateRawSync(Buffer.from('Hello'), { finishFlush: constants.Z_SYNC_FLUSH });
    const message = Buffer.concat([first, second.subarray(0, -4)]);
    expect(textOf(inflater().inflate(message))).toBe('Hello, Hello');
  });

  it('refers to the message before it, as the example of section 7.2.3.2 does', () => {
    const keeping = inflater();
    expect(textOf(keeping.inflate(hex('f2 48 cd c9 c9 07 00')))).toBe('Hello');
    expect(textOf(keeping.inflate(hex('f2 00 11 00 00')))).toBe('Hello');
    const forgetting = inflater(LIMIT, false);
    forgetting.inflate(hex('f2 48 cd c9 c9 07 00'));
    expect(forgetting.inflate(hex('f2 00 11 00 00'))).toMatchObject({
      code: 'WSK_INVALID_DEFLATE',
    });
  });

  it('finds fault with garbage and with every truncation of a message', () => {
    expect(inflater().inflate(hex('ff ff'))).toMatchObject({ code: 'WSK_INVALID_DEFLATE' });
    const message = new Deflater({ windowBits: 15, takeover: false }).deflate(
      Buffer.from('some text that is long enough to have a few matches, long enough to have some'),
      true,
    );
    for (let end = 1; end < message.length; end++) {
      const result = inflater().inflate(message.subarray(0, end));
      expect(result, `${end} of ${message.length} bytes`).toMatchObject({
        code: 'WSK_INVALID_DEFLATE',
      });
    }
  });

  it('inflates a message of exactly the limit, and stops a bomb there', () => {
    const bomb = new Deflater({ windowBits: 15, takeover: false }).deflate(
      Buffer.alloc(100_000),
      true,
    );
    expect(bomb.length).toBeLessThan(200);
    expect(inflater(100_000).inflate(bomb)).toHaveLength(100_000);
    expect(inflater(99_999).inflate(bomb)).toMatchObject({
      code: 'WSK_MESSAGE_TOO_BIG',
      closeCode: 1009,
    });
  });

  it('counts the parts of a message together', () => {
    const part = deflateRawSync(Buffer.alloc(600));
    const rest = new Deflater({ windowBits: 15, takeover: false }).deflate(Buffer.alloc(400), true);
    const message = Buffer.concat([part, rest]);
    expect(inflater(1000).inflate(message)).toHaveLength(1000);
    expect(inflater(999).inflate(message)).toMatchObject({ code: 'WSK_MESSAGE_TOO_BIG' });
    expect(inflater(600).inflate(message)).toMatchObject({ code: 'WSK_MESSAGE_TOO_BIG' });
    const oneMore = new Deflater({ windowBits: 15, takeover: false }).deflate(
      Buffer.alloc(1),
      true,
    );
    expect(inflater(600).inflate(Buffer.concat([part, oneMore]))).toMatchObject({
      code: 'WSK_MESSAGE_TOO_BIG',
    });
    expect(inflater(601).inflate(Buffer.concat([part, oneMore]))).toHaveLength(601);
  });

  it('refuses a message that makes it start again and again', () => {
    const message = Buffer.concat([...Array<Buffer>(70).fill(hex('03 00')), hex('00')]);
    expect(inflater().inflate(message)).toMatchObject({
      code: 'WSK_INVALID_DEFLATE',
      message: 'compressed message cannot be inflated: more than 64 final blocks',
    });
  });
});

describe('streams of zlib', () => {
  it.each(WINDOWS.filter((bits) => bits > 8))(
    'follow and are followed over many messages with a window of %i bits',
    async (windowBits) => {
      const direction = { windowBits, takeover: true };
      const ours = { deflater: new Deflater(direction), inflater: new Inflater(direction, LIMIT) };
      const zlib = {
        deflate: createDeflateRaw({ windowBits }),
        inflate: createInflateRaw({ windowBits }),
      };
      const through = async (stream: typeof zlib.deflate, bytes: Buffer): Promise<Buffer> => {
        stream.write(bytes);
        await new Promise<void>((done) => stream.flush(constants.Z_SYNC_FLUSH, () => done()));
        return (stream.read() as Buffer | null) ?? Buffer.alloc(0);
      };
      for (const text of repetitiveTexts().filter((bytes) => bytes.length > 0)) {
        const theirs = await through(zlib.deflate, text);
        expect(textOf(ours.inflater.inflate(theirs.subarray(0, -4)))).toBe(text.toString());
        const message = Buffer.concat([ours.deflater.deflate(text, true), hex('00 00 ff ff')]);
        const back = await through(zlib.inflate as unknown as typeof zlib.deflate, message);
        expect(back.toString()).toBe(text.toString());
      }
    },
  );
});

describe('directionOf', () => {
  it('gives each sender its own parameters', () => {
    const deflate = { ...DEFLATE, serverNoContextTakeover: true, clientMaxWindowBits: 9 };
    expect(directionOf(deflate, 'server')).toEqual({ takeover: false, windowBits: 15 });
    expect(directionOf(deflate, 'client')).toEqual({ takeover: true, windowBits: 9 });
  });
});

describe('a Connection with permessage-deflate', () => {
  it('writes and reads the example of RFC 7692 section 7.2.3.1', () => {
    const connection = server({ deflate: DEFLATE });
    connection.sendText('Hello');
    connection.sendText('Hello', { compress: false });
    expect(written(connection)).toBe('c107f248cdc9c90700' + '810548656c6c6f');
    const events = receive(client({ deflate: DEFLATE }), hex('c1 07 f2 48 cd c9 c9 07 00'));
    expect(events).toEqual([
      { type: 'message', opcode: 1, data: Buffer.from('Hello'), compressed: true, wireBytes: 7 },
    ]);
  });

  it('reads a compressed message in fragments, RSV1 on the first alone', () => {
    const events = receive(
      client({ deflate: DEFLATE }),
      hex('41 03 f2 48 cd 89 00 80 04 c9 c9 07 00'),
    );
    expect(summary(events)).toEqual(['ping', 'text Hello']);
  });

  it('sends fragments that another connection joins', () => {
    const sender = client({ deflate: DEFLATE });
    const receiver = server({ deflate: DEFLATE });
    for (let round = 0; round < 3; round++) {
      sender.sendText('Hel', { fin: false });
      sender.sendPing();
      sender.sendContinuation('lo ', { fin: false });
      sender.sendContinuation('Hello');
    }
    const events = receive(receiver, ...sender.output());
    expect(summary(events)).toEqual(Array(3).fill(['ping', 'text Hello Hello']).flat());
  });

  it('reads messages that are not compressed in between, which leave the window alone', () => {
    const connection = client({ deflate: DEFLATE });
    const events = receive(
      connection,
      hex('c1 07 f2 48 cd c9 c9 07 00'),
      hex('81 01 61'),
      hex('c1 05 f2 00 11 00 00'),
    );
    expect(summary(events)).toEqual(['text Hello', 'text a', 'text Hello']);
  });

  it('refuses inflated text that is not UTF-8', () => {
    const sender = server({ deflate: DEFLATE });
    sender.sendBinary(hex('c3 28'));
    const [frame] = sender.output();
    const bytes = Buffer.from(frame ?? '');
    bytes[0] = 0xc1;
    const connection = client({ deflate: DEFLATE });
    receive(connection, bytes);
    expect(connection.violation).toMatchObject({ code: 'WSK_INVALID_UTF8', closeCode: 1007 });
  });

  it('lets noise of exactly the limit through, though it grows when it is compressed', () => {
    const noise = new Random(1).bytes(100_000);
    const limits = { messageBytes: noise.length };
    const sender = server({ deflate: DEFLATE });
    sender.sendBinary(noise);
    const output = sender.output();
    expect(output.reduce((sum, bytes) => sum + bytes.length, 0)).toBeGreaterThan(noise.length);
    const [event] = receive(client({ deflate: DEFLATE, limits }), ...output);
    expect(event?.type === 'message' && event.data.equals(noise)).toBe(true);
  });

  it('refuses a bomb with 1009, having held no more than the limit', () => {
    const sender = server({ deflate: DEFLATE });
    sender.sendBinary(Buffer.alloc(10_000_000));
    const connection = client({ deflate: DEFLATE, limits: { messageBytes: 1_000_000 } });
    receive(connection, ...sender.output());
    expect(connection.violation).toMatchObject({ code: 'WSK_MESSAGE_TOO_BIG', closeCode: 1009 });
  });
});
