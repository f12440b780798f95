import { describe, expect, it } from 'vitest';
import { Connection, FrameDecoder } from '../../../src/protocol/index.ts';
import { client, hex, masked, receive, server, summary, written } from '../../support/protocol.ts';

/** The frames a connection wants to write, as `opcode payload`. */
function framesOf(connection: Connection): string[] {
  const decoder = new FrameDecoder();
  for (const bytes of connection.output()) decoder.receive(bytes);
  const frames = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    frames.push(`${frame.opcode} ${frame.payload.toString('latin1')}`);
  }
  return frames;
}

describe('Connection', () => {
  it('delivers a masked text to a server and a plain one to a client', () => {
    expect(receive(server(), hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))).toEqual([
      { type: 'message', opcode: 1, data: Buffer.from('Hello'), compressed: false, wireBytes: 5 },
    ]);
    expect(summary(receive(client(), hex('81 05 48 65 6c 6c 6f')))).toEqual(['text Hello']);
  });

  it('needs a mask source as a client', () => {
    expect(() => new Connection({ role: 'client' })).toThrow('a client needs a maskSource');
  });

  it('hands events and output over once', () => {
    const connection = server();
    expect(receive(connection, masked({ opcode: 9 }))).toHaveLength(1);
    expect(connection.events()).toEqual([]);
    expect(written(connection)).toBe('8a00');
    expect(written(connection)).toBe('');
  });

  it('takes plain byte arrays as well as Buffers', () => {
    const connection = client();
    connection.receive(Uint8Array.of(0x82, 1, 7));
    expect(summary(connection.events())).toEqual(['binary 07']);
  });
});

describe('a Connection that is pinged', () => {
  it('answers every ping with its payload, in order, between fragments too', () => {
    const connection = server();
    receive(connection, masked({ opcode: 1, fin: false, payload: Buffer.from('a') }));
    for (let i = 0; i < 10; i++) {
      receive(connection, masked({ opcode: 9, payload: Buffer.from(`payload-${i}`) }));
    }
    expect(framesOf(connection)).toEqual(Array.from({ length: 10 }, (_, i) => `10 payload-${i}`));
  });

  it('answers only the last of the pings that do not fit the bound, after the others', () => {
    const connection = server({ limits: { pongBytes: 300 } });
    for (let i = 0; i < 1000; i++) {
      receive(connection, masked({ opcode: 9, payload: Buffer.from(`${i}`) }));
    }
    expect(connection.bufferedBytes).toBeLessThan(100);
    expect(framesOf(connection)).toEqual(['10 0', '10 1', '10 2', '10 999']);
    receive(connection, masked({ opcode: 9, payload: Buffer.from('next') }));
    expect(framesOf(connection)).toEqual(['10 next']);
  });

  it('answers the last ping of a flood before it closes', () => {
    const connection = server({ limits: { pongBytes: 1 } });
    receive(connection, masked({ opcode: 9, payload: Buffer.from('1') }));
    receive(connection, masked({ opcode: 9, payload: Buffer.from('2') }));
    connection.sendClose(1000);
    expect(framesOf(connection)).toEqual(['10 1', '10 2', '8 \x03\xe8']);
  });

  it('still answers after its own Close frame, and no more after the peer’s', () => {
    const connection = server();
    connection.sendClose(1000);
    receive(connection, masked({ opcode: 9 }), masked({ opcode: 8 }), masked({ opcode: 9 }));
    expect(written(connection)).toBe('880203e8' + '8a00');
  });

  it('reports pongs and answers none', () => {
    const connection = server();
    const pong = masked({ opcode: 10, payload: Buffer.from('unasked') });
    expect(summary(receive(connection, pong))).toEqual(['pong unasked']);
    expect(written(connection)).toBe('');
  });
});

describe('the closing handshake of a Connection', () => {
  it('echoes the code of the peer and ends', () => {
    const connection = server();
    const events = receive(connection, masked({ opcode: 8, payload: hex('03 e9 62 79 65') }));
    expect(events).toEqual([{ type: 'close', code: 1001, reason: 'bye', wasClean: true }]);
    expect(written(connection)).toBe('880203e9');
    expect(connection.closeReceived).toEqual({ code: 1001, reason: 'bye' });
    expect(connection.closeSent).toEqual({ code: 1001, reason: '' });
    expect(connection.state).toBe('closed');
  });

  it('answers an empty Close frame with an empty one', () => {
    const connection = server();
    expect(summary(receive(connection, masked({ opcode: 8 })))).toEqual(['close 1005 clean']);
    expect(written(connection)).toBe('8800');
  });

  it('delivers what the peer sends until its Close frame, and nothing after it', () => {
    const connection = server();
    connection.sendClose(1000, 'done');
    expect(connection.state).toBe('closing');
    const late = masked({ opcode: 1, payload: Buffer.from('late') });
    const events = receive(connection, late, masked({ opcode: 8, payload: hex('03 e8') }), late);
    expect(summary(events)).toEqual(['text late', 'close 1000 clean']);
    expect(written(connection)).toBe('880603e8' + Buffer.from('done').toString('hex'));
  });

  it('has a server end its output at once, and a client wait for the server', () => {
    const first = server();
    receive(first, masked({ opcode: 8 }));
    expect(first.outputEnded).toBe(true);
    const second = client();
    receive(second, hex('88 00'));
    expect(second.outputEnded).toBe(false);
    second.receiveEof();
    expect(second.outputEnded).toBe(true);
    expect(second.events()).toEqual([]);
  });

  it('reports 1006 when the peer goes without a Close frame', () => {
    for (const start of ['', '81 05 48', '01 00', '81']) {
      const connection = client();
      receive(connection, hex(start));
      connection.receiveEof();
      expect(summary(connection.events())).toEqual(['close 1006 unclean']);
      expect(connection.outputEnded).toBe(true);
    }
  });

  it('sends nothing more once it is closing', () => {
    const connection = server();
    connection.sendClose();
    const sends = [
      () => connection.sendText('a'),
      () => connection.sendBinary(Buffer.alloc(1)),
      () => connection.sendContinuation('a'),
      () => connection.sendPing(),
      () => connection.sendPong(),
      () => connection.sendClose(),
    ];
    for (const send of sends) expect(send).toThrow('the connection is closing');
    receive(connection, masked({ opcode: 8 }));
    for (const send of sends) expect(send).toThrow('the connection is closed');
    expect(written(connection)).toBe('8800');
  });

  it('stays open when it is told to close with a code that may not be sent', () => {
    const connection = server();
    expect(() => connection.sendClose(1006)).toThrow(RangeError);
    expect(connection.state).toBe('open');
    expect(written(connection)).toBe('');
  });
});

describe('a Connection whose peer breaks a rule', () => {
  it('reports the violation, closes with its code and ignores the rest', () => {
    const connection = server();
    const bad = hex('83 80 00 00 00 00');
    const events = receive(connection, bad, masked({ opcode: 1 }), masked({ opcode: 8 }));
    expect(summary(events)).toEqual(['WSK_RESERVED_OPCODE', 'close 1006 unclean']);
    expect(written(connection)).toBe('880203ea');
    expect(connection.violation).toMatchObject({ code: 'WSK_RESERVED_OPCODE', rfc: '6455#5.2' });
    expect(connection.outputEnded).toBe(true);
    connection.receiveEof();
    expect(connection.events()).toEqual([]);
  });

  it('delivers the messages before it, from the same bytes', () => {
    const connection = client();
    const events = receive(connection, hex('81 01 61 c1 00 81 01 62'));
    expect(summary(events)).toEqual(['text a', 'WSK_RESERVED_BITS', 'close 1006 unclean']);
  });

  it('sends no second Close frame', () => {
    const connection = client();
    connection.sendClose(1000);
    connection.output();
    receive(connection, hex('83 00'));
    expect(written(connection)).toBe('');
    expect(connection.closeSent).toEqual({ code: 1000, reason: '' });
  });
});

describe('the limits of a Connection', () => {
  it('lets a message of exactly the limit through, in one frame and in fragments', () => {
    const limits = { messageBytes: 4 };
    expect(summary(receive(client({ limits }), hex('81 04 61 62 63 64')))).toEqual(['text abcd']);
    expect(summary(receive(client({ limits }), hex('01 02 61 62 00 02 63 64 80 00')))).toEqual([
      'text abcd',
    ]);
    const tooBig = ['WSK_MESSAGE_TOO_BIG', 'close 1006 unclean'];
    expect(summary(receive(client({ limits }), hex('01 02 61 62 80 03')))).toEqual(tooBig);
  });

  it('refuses a length of 10 GB by its header, holding next to nothing', () => {
    const connection = client();
    receive(connection, hex('82 7f 00 00 00 02 54 0b e4 00'));
    expect(connection.violation).toMatchObject({ closeCode: 1009 });
    expect(connection.bufferedBytes).toBeLessThan(100);
  });

  it('holds a message that drips in byte by byte at the cost of its bytes', () => {
    const connection = client();
    connection.receive(hex('82 7f 00 00 00 00 06 00 00 00'));
    for (let i = 0; i < 200_000; i++) connection.receive(Buffer.of(0));
    expect(connection.bufferedBytes).toBeLessThanOrEqual(1024 * 1024);
    for (let i = 0; i < 100; i++) connection.receive(Buffer.alloc(10_000));
    expect(connection.bufferedBytes).toBeLessThanOrEqual(2 * 1_200_000);
  });

  it('holds endless empty fragments at no cost, and ends them', () => {
    const connection = client({ limits: { fragments: 50_000 } });
    connection.receive(hex('01 00'));
    for (let i = 1; i < 50_000; i++) connection.receive(hex('00 00'));
    expect(connection.bufferedBytes).toBe(0);
    expect(connection.violation).toBeUndefined();
    connection.receive(hex('00 00'));
    expect(connection.violation).toMatchObject({ code: 'WSK_TOO_MANY_FRAGMENTS', closeCode: 1008 });
  });

  it('takes a message of 16385 fragments, the last of them empty', () => {
    const connection = client();
    const fragment = Buffer.concat([hex('00 7e 01 00'), Buffer.alloc(256, '*')]);
    connection.receive(Buffer.concat([hex('01 7e 01 00'), Buffer.alloc(256, '*')]));
    for (let i = 1; i < 16384; i++) connection.receive(Buffer.from(fragment));
    connection.receive(hex('80 00'));
    const [event] = connection.events();
    expect(event).toMatchObject({ type: 'message', wireBytes: 4 * 1024 * 1024 });
  });

  it('ends a peer whose events nobody drains', () => {
    const connection = client({ limits: { queuedBytes: 100_000 } });
    for (let i = 0; i < 10_000; i++) connection.receive(hex('8a 00'));
    expect(connection.bufferedBytes).toBeLessThan(101_000);
    expect(connection.violation).toMatchObject({ code: 'WSK_QUEUE_TOO_BIG', closeCode: 1008 });
  });

  it('forgets an unfinished message when it ends', () => {
    const connection = client();
    connection.receive(Buffer.concat([hex('02 7e ff ff'), Buffer.alloc(65535)]));
    expect(connection.bufferedBytes).toBeGreaterThanOrEqual(65535);
    receive(connection, hex('83 00'));
    connection.output();
    expect(connection.bufferedBytes).toBe(0);
  });
});
