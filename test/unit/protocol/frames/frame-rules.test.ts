import { describe, expect, it } from 'vitest';
import { client, hex, masked, receive, server, summary } from '../../../support/protocol.ts';

/** What a client reports of unmasked frames, given in hex, and what it closes with. */
function outcome(frames: string): string[] {
  const connection = client();
  const events = summary(receive(connection, hex(frames)));
  return connection.violation === undefined
    ? events
    : [...events.slice(0, -1), String(connection.closeSent?.code)];
}

const HELLO = '81 05 48 65 6c 6c 6f';

describe('the rules for single frames', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('refuse reserved bits %i on every opcode', (rsv) => {
    for (const opcode of [0, 1, 2, 8, 9, 10]) {
      const first = (0x80 | (rsv << 4) | opcode).toString(16);
      expect(outcome(`${HELLO} ${first} 00 ${HELLO}`)).toEqual([
        'text Hello',
        'WSK_RESERVED_BITS',
        '1002',
      ]);
    }
  });

  it.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('refuse opcode %i, empty or not', (opcode) => {
    const first = (0x80 | opcode).toString(16);
    expect(outcome(`${first} 00`)).toEqual(['WSK_RESERVED_OPCODE', '1002']);
    expect(outcome(`${HELLO} ${first} 01 61`)).toEqual([
      'text Hello',
      'WSK_RESERVED_OPCODE',
      '1002',
    ]);
  });

  it.each(['08 00', '09 00', '0a 00'])('refuse the fragmented control frame %s', (frame) => {
    expect(outcome(`${frame} 80 00`)).toEqual(['WSK_CONTROL_FRAGMENTED', '1002']);
  });

  it.each(['88', '89', '8a'])(
    'refuse control frame %s with 126 bytes, take it with 125',
    (first) => {
      const reason = `03 e8 ${'2a'.repeat(123)}`;
      expect(outcome(`${first} 7d ${reason}`)).toHaveLength(1);
      expect(outcome(`${first} 7e 00 7e ${reason} 2a`)).toEqual(['WSK_CONTROL_TOO_LONG', '1002']);
    },
  );

  it('refuse every length that would fit a shorter field', () => {
    for (const length of [
      '7e 00 00',
      '7e 00 7d',
      '7f 00 00 00 00 00 00 00 7e',
      '7f 00 00 00 00 00 00 ff ff',
    ]) {
      expect(outcome(`82 ${length}`)).toEqual(['WSK_LENGTH_NOT_MINIMAL', '1002']);
    }
    expect(outcome('82 7e 00 7e')).toEqual([]);
    expect(outcome('82 7f 00 00 00 00 00 01 00 00')).toEqual([]);
  });

  it('tell a length beyond 63 bits from one that is only too large', () => {
    expect(outcome('82 7f 80 00 00 00 00 00 00 01')).toEqual(['WSK_LENGTH_OVERFLOW', '1002']);
    expect(outcome('82 7f 7f ff ff ff ff ff ff ff')).toEqual(['WSK_MESSAGE_TOO_BIG', '1009']);
  });

  it('refuse unmasked frames of a client, and masked ones of a server, of every opcode', () => {
    for (const opcode of [1, 2, 8, 9, 10]) {
      const toServer = server();
      receive(toServer, hex(`8${opcode.toString(16)} 00`));
      expect(toServer.violation?.code).toBe('WSK_UNMASKED_FRAME');
      const toClient = client();
      receive(toClient, masked({ opcode }));
      expect(toClient.violation?.code).toBe('WSK_MASKED_FRAME');
    }
  });
});

describe('the rules for sequences of frames', () => {
  it.each([
    ['a continuation of nothing', `80 01 61 ${HELLO}`, ['WSK_UNEXPECTED_CONTINUATION', '1002']],
    ['an unfinished one', `00 01 61 ${HELLO}`, ['WSK_UNEXPECTED_CONTINUATION', '1002']],
    [
      'a continuation after the end of a message',
      '01 01 61 80 01 62 00 01 63',
      ['text ab', 'WSK_UNEXPECTED_CONTINUATION', '1002'],
    ],
    ['a text inside a text', '01 01 61 81 01 62', ['WSK_EXPECTED_CONTINUATION', '1002']],
    ['a binary inside a text', '01 01 61 02 01 62', ['WSK_EXPECTED_CONTINUATION', '1002']],
    [
      'a text inside a text, after a ping',
      '01 01 61 89 00 81 01 62',
      ['ping', 'WSK_EXPECTED_CONTINUATION', '1002'],
    ],
  ])('refuse %s', (_what, frames, expected) => {
    expect(outcome(frames)).toEqual(expected);
  });

  it('let a Close frame end an unfinished message', () => {
    expect(outcome('01 01 61 88 02 03 e8 80 01 62')).toEqual(['close 1000 clean']);
  });
});

describe('the rules for Close frames', () => {
  it.each([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999,
  ])('take code %i and echo it', (code) => {
    const connection = client();
    const bytes = code.toString(16).padStart(4, '0');
    expect(summary(receive(connection, hex(`88 02 ${bytes}`)))).toEqual([`close ${code} clean`]);
    expect(connection.closeSent?.code).toBe(code);
  });

  it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])(
    'refuse code %i',
    (code) => {
      expect(outcome(`88 02 ${code.toString(16).padStart(4, '0')}`)).toEqual([
        'WSK_CLOSE_CODE',
        '1002',
      ]);
    },
  );

  it('refuse a payload of one byte and a reason that is not UTF-8', () => {
    expect(outcome('88 01 61')).toEqual(['WSK_CLOSE_PAYLOAD', '1002']);
    expect(outcome('88 05 03 e8 ed a0 80')).toEqual(['WSK_INVALID_UTF8', '1007']);
  });
});
