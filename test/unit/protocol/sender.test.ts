import { describe, expect, it } from 'vitest';
import { Connection, FrameDecoder, encodeFrame } from '../../../src/protocol/index.ts';
import type { Frame } from '../../../src/protocol/index.ts';
import { MASKING_KEY, client, hex, server, written } from '../../support/protocol.ts';

function framesOf(connection: Connection): Frame[] {
  const decoder = new FrameDecoder();
  for (const bytes of connection.output()) decoder.receive(bytes);
  const frames = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  return frames;
}

describe('sending', () => {
  it('writes the frames of RFC 6455 section 5.7', () => {
    const connection = server();
    connection.sendText('Hello');
    expect(written(connection)).toBe('810548656c6c6f');
    const masking = client();
    masking.sendText('Hello');
    expect(written(masking)).toBe('818537fa213d7f9f4d5158');
    connection.sendText('Hel', { fin: false });
    connection.sendContinuation('lo');
    expect(written(connection)).toBe('010348656c' + '80026c6f');
    connection.sendPing(Buffer.from('Hello'));
    connection.sendPong();
    expect(written(connection)).toBe('890548656c6c6f' + '8a00');
  });

  it('frames texts and bytes of every size and alphabet as the codec does', () => {
    const sizes = [
      0, 1, 40, 41, 42, 43, 62, 63, 125, 126, 127, 341, 1024, 1025, 5000, 65535, 65536,
    ];
    for (const [character, connection] of ['a', 'é', '€', '😀', 'aé'].flatMap(
      (text) =>
        [
          [text, server()],
          [text, client()],
        ] as const,
    )) {
      for (const size of sizes) {
        const text = character.repeat(size);
        const payload = Buffer.from(text);
        const key = connection.role === 'client' ? { maskingKey: MASKING_KEY } : {};
        connection.sendText(text);
        connection.sendText(payload);
        connection.sendBinary(payload);
        const expected = [1, 1, 2].map((opcode) => encodeFrame({ opcode, payload, ...key }));
        const what = `${size} × ${character} as ${connection.role}`;
        expect(Buffer.concat(connection.output()).equals(Buffer.concat(expected)), what).toBe(true);
      }
    }
  });

  it('replaces half a surrogate pair, which UTF-8 cannot have', () => {
    const connection = server();
    connection.sendText('\ud800');
    expect(written(connection)).toBe('8103efbfbd');
  });

  it('draws a fresh key for every frame and leaves the data of the caller alone', () => {
    let keys = 0;
    const connection = new Connection({
      role: 'client',
      maskSource: () => Uint8Array.of(0, 0, 0, ++keys),
    });
    const data = Buffer.alloc(10_000, 1);
    connection.sendBinary(data);
    connection.sendBinary(data);
    connection.sendText('é');
    expect(framesOf(connection).map((frame) => frame.maskingKey?.[3])).toEqual([1, 2, 3]);
    expect(data.equals(Buffer.alloc(10_000, 1))).toBe(true);
  });

  it('does not copy a large payload that needs no masking', () => {
    const connection = server();
    const data = Buffer.alloc(10_000);
    connection.sendBinary(data);
    const output = connection.output();
    expect(output[0]).toEqual(hex('82 7e 27 10'));
    expect(output[1]).toBe(data);
  });

  it('counts what is not drained', () => {
    const connection = server();
    connection.sendBinary(Buffer.alloc(10_000));
    expect(connection.bufferedBytes).toBe(10_004);
    connection.output();
    expect(connection.bufferedBytes).toBe(0);
  });
});

describe('misuse of a Connection', () => {
  it('throws for a message inside a message, and a continuation of none', () => {
    const connection = server();
    expect(() => connection.sendContinuation('a')).toThrow('no fragmented message is unfinished');
    connection.sendText('a', { fin: false });
    expect(() => connection.sendBinary(Buffer.of(1))).toThrow('a fragmented message is unfinished');
    connection.sendContinuation('b');
    expect(() => connection.sendContinuation('c')).toThrow('no fragmented message is unfinished');
    expect(written(connection)).toBe('010161' + '800162');
  });

  it('throws for compression that was not negotiated', () => {
    expect(() => server().sendText('a', { compress: true })).toThrow('was not negotiated');
  });

  it('throws for a masking key that has not four bytes', () => {
    const connection = new Connection({ role: 'client', maskSource: () => Buffer.alloc(3) });
    expect(() => connection.sendText('a')).toThrow('the mask source gave 3 bytes, expected 4');
  });

  it('throws for a control frame of more than 125 bytes', () => {
    const connection = server();
    connection.sendPing(Buffer.alloc(125));
    expect(() => connection.sendPing(Buffer.alloc(126))).toThrow('126 bytes, limit is 125');
    expect(() => connection.sendPong(Buffer.alloc(126))).toThrow('126 bytes, limit is 125');
  });

  it('throws for text that is not UTF-8, also across fragments', () => {
    const connection = server();
    expect(() => connection.sendText(hex('c3 28'))).toThrow('text is not valid UTF-8');
    expect(() => connection.sendText(hex('c3'))).toThrow('text is not valid UTF-8');
    connection.sendText(hex('c3'), { fin: false });
    expect(() => connection.sendContinuation(hex('28'))).toThrow('text is not valid UTF-8');
    const good = server();
    good.sendText(hex('c3'), { fin: false });
    good.sendContinuation(hex('a9'));
    expect(written(good)).toBe('0101c3' + '8001a9');
    good.sendBinary(hex('c3 28'));
    expect(written(good)).toBe('8202c328');
  });
});
