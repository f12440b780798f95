import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../src/protocol/index.ts';
import {
  MASKING_KEY,
  client,
  hex,
  masked,
  receive,
  server,
  summary,
} from '../../support/protocol.ts';

/** The payload of the Autobahn cases 6.4: valid UTF-8 until the byte at index 12. */
const OUT_OF_RANGE = hex('ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64');

describe('receiving fragments', () => {
  it('joins the fragments of a text, with control frames between them', () => {
    const events = receive(client(), hex('01 03 48 65 6c 89 01 70 00 00 8a 00 80 02 6c 6f'));
    expect(summary(events)).toEqual(['ping p', 'pong', 'text Hello']);
  });

  it('delivers empty messages, also in empty fragments', () => {
    expect(summary(receive(client(), hex('81 00 01 00 00 00 80 00 82 00')))).toEqual([
      'text ',
      'text ',
      'binary ',
    ]);
  });

  it('unmasks every fragment with its own key, in any pieces', () => {
    const bytes = Buffer.concat([
      hex('01 83 37 fa 21 3d 7f 9f 4d'),
      hex('80 82 01 02 03 04 6d 6d'),
    ]);
    const connection = server();
    for (const byte of bytes) connection.receive(Buffer.of(byte));
    expect(summary(connection.events())).toEqual(['text Hello']);
  });

  it('keeps a character together that fragments and pieces cut apart', () => {
    const connection = client();
    const events = receive(connection, hex('01 01 ce 80 03'), hex('ba'), hex('ce'), hex('ba'));
    expect(summary(events)).toEqual(['text κκ']);
  });

  it('refuses a text that ends inside a character', () => {
    for (const bytes of ['81 01 ce', '01 01 ce 80 00', '01 00 80 01 ce']) {
      const connection = client();
      receive(connection, hex(bytes));
      expect(connection.violation?.code, bytes).toBe('WSK_INVALID_UTF8');
    }
  });

  it('refuses ASCII where a character has to go on, masked or not', () => {
    for (const [connection, key] of [
      [client(), {}],
      [server(), { maskingKey: MASKING_KEY }],
    ] as const) {
      const start = encodeFrame({ opcode: 1, payload: hex('ce'), fin: false, ...key });
      const rest = encodeFrame({ opcode: 0, payload: Buffer.from('a'), fin: false, ...key });
      receive(connection, start, rest);
      expect(connection.violation?.code).toBe('WSK_INVALID_UTF8');
    }
  });

  it('checks the text after one that failed to end from its own start', () => {
    const connection = client();
    expect(summary(receive(connection, hex('01 01 ce 80 01 ba 81 01 61')))).toEqual([
      'text κ',
      'text a',
    ]);
  });
});

describe('failing early', () => {
  it('refuses invalid UTF-8 inside a frame that is not complete, at the first bad byte', () => {
    for (const start of [hex('01 15'), hex('81 15')]) {
      const connection = client();
      receive(connection, start, OUT_OF_RANGE.subarray(0, 12));
      expect(connection.violation).toBeUndefined();
      receive(connection, OUT_OF_RANGE.subarray(12, 13));
      expect(connection.violation).toMatchObject({ code: 'WSK_INVALID_UTF8', closeCode: 1007 });
    }
  });

  it('does so for masked frames', () => {
    const frame = masked({ opcode: 1, payload: OUT_OF_RANGE });
    const connection = server();
    receive(connection, frame.subarray(0, 6 + 12));
    expect(connection.violation).toBeUndefined();
    receive(connection, frame.subarray(18, 19));
    expect(connection.violation).toMatchObject({ closeCode: 1007 });
  });

  it('does so in a fragment of an unfinished message', () => {
    const connection = client();
    receive(connection, hex('01 0c'), OUT_OF_RANGE.subarray(0, 12));
    expect(connection.violation).toBeUndefined();
    receive(connection, hex('00 01 90'));
    expect(connection.violation).toMatchObject({ closeCode: 1007 });
  });

  it.each([
    ['a reserved opcode', 'server', '83 80'],
    ['a missing mask', 'server', '81 7e'],
    ['a control frame of more than 125 bytes', 'server', '89 fe'],
    ['a length that is too large, before the key', 'server', '82 ff 00 00 00 02 54 0b e4 00'],
    ['a length that is not minimal, before the payload', 'client', '82 7e 00 05'],
  ])('refuses %s as soon as the bytes for it are there', (_what, role, text) => {
    const bytes = hex(text);
    const connection = role === 'server' ? server() : client();
    for (const byte of bytes.subarray(0, -1)) connection.receive(Buffer.of(byte));
    expect(connection.violation).toBeUndefined();
    connection.receive(bytes.subarray(-1));
    expect(connection.violation).toBeDefined();
    const atOnce = role === 'server' ? server() : client();
    atOnce.receive(hex(text));
    expect(atOnce.violation).toEqual(connection.violation);
  });
});

describe('the memory of received bytes', () => {
  it('is not shared between a message and what comes after it in pieces', () => {
    const connection = client();
    const [first] = receive(connection, hex('82 04 01 02'), hex('03 04'));
    receive(connection, hex('82 04 05 06'), hex('07 08'));
    expect(first).toMatchObject({ data: hex('01 02 03 04') });
  });

  it('is not shared between control frames that come in pieces', () => {
    const connection = client();
    const [first] = receive(connection, hex('89 02 61'), hex('62'));
    receive(connection, hex('89 02 63'), hex('64'));
    expect(first).toMatchObject({ data: Buffer.from('ab') });
  });
});
