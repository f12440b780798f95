import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../../src/protocol/index.ts';
import { CasePlay, closePayload } from '../../../support/case-play.ts';

const text = (payload: string) => ({ opcode: 1, payload: Buffer.from(payload) });
const EMPTY = Buffer.alloc(0);
const close = (code: number) => ({ opcode: 8, payload: closePayload(code) });

describe('a peer that does all right', () => {
  it('gets the close frame as soon as its echo is there, and OK for both', () => {
    const play = new CasePlay('7.1.1');
    expect(play.frames().map(({ opcode }) => opcode)).toEqual([1]);
    play.send(text('Hello World!'));
    const [frame] = play.frames();
    expect([frame?.opcode, frame?.payload.toString('hex')]).toEqual([8, '03e8']);
    play.send(close(1000));
    expect(play.verdict()).toBe('OK / OK');
  });

  it('may answer the close without a code', () => {
    const play = new CasePlay('7.1.1');
    play.send(text('Hello World!'));
    play.send({ opcode: 8 });
    expect(play.verdict()).toBe('OK / OK');
  });

  it('may drop TCP where it has to fail the connection', () => {
    expect(new CasePlay('3.1').verdict()).toBe('OK / OK');
  });
});

describe('timers', () => {
  it('fail the connection with 1001 in a case that kills', () => {
    const play = new CasePlay('1.1.1');
    play.frames();
    play.wait(1);
    expect(play.frames().map(({ payload }) => payload.toString())).toEqual([
      closePayload(1001, 'Going Away').toString(),
    ]);
    play.send(close(1001));
    expect(play.verdict()).toBe('FAILED / WRONG CODE');
  });

  it('close without a code in a case that closes', () => {
    const play = new CasePlay('2.2');
    play.frames();
    play.wait(1);
    expect(play.frames().map(({ opcode, payload }) => [opcode, payload.length])).toEqual([[8, 0]]);
  });

  it('drop TCP a second after a close frame that is not answered', () => {
    const play = new CasePlay('2.2');
    play.wait(1.9);
    expect(play.connection.drop).toBeUndefined();
    play.wait(0.1);
    expect(play.connection.drop).toBe('abort');
    expect(play.verdict()).toBe('FAILED / UNCLEAN');
    expect(play.connection.ending.wasCloseHandshakeTimeout).toBe(true);
  });

  it('make TCP that nobody drops FAILED BY CLIENT where the case kills first', () => {
    const play = new CasePlay('7.3.3');
    play.send(close(1000));
    play.wait(1);
    expect(play.connection.drop).toBe('flush');
    expect(play.verdict()).toBe('OK / FAILED BY CLIENT');
  });

  it('make TCP that nobody drops UNCLEAN where the drop timer comes first', () => {
    const play = new CasePlay('1.1.6');
    play.send({ opcode: 1, payload: Buffer.alloc(65_535, '*') });
    play.send(close(1000));
    play.wait(1);
    expect(play.connection.drop).toBe('abort');
    expect(play.verdict()).toBe('OK / UNCLEAN');
  });

  it('do nothing once TCP is gone', () => {
    const play = new CasePlay('1.1.1');
    play.end();
    expect(play.connection.nextTimerAt).toBeUndefined();
  });
});

describe('the guard', () => {
  it('ends a case in which Autobahn would wait for ever', () => {
    const play = new CasePlay('2.2');
    play.send(close(1000));
    play.wait(3.9);
    expect(play.connection.guard).toBeNull();
    play.wait(0.2);
    expect(play.connection.guard).toContain('Autobahn would wait for ever');
    expect(play.connection.drop).toBe('abort');
  });

  it('closes a case that would wait a hundred seconds for a silent peer', () => {
    const play = new CasePlay('9.3.9', { idleS: 30 });
    play.frames();
    play.wait(29);
    expect(play.frames()).toEqual([]);
    play.wait(1);
    expect(play.frames().map(({ opcode }) => opcode)).toEqual([8]);
    expect(play.connection.guard).toBe('nothing came from the peer for 30 seconds');
  });

  it('is not put off by what comes after the closing handshake', () => {
    const play = new CasePlay('2.2');
    play.send(close(1000));
    for (let second = 0; second < 4; second++) {
      play.wait(1);
      play.send({ opcode: 9 });
    }
    expect(play.connection.drop).toBe('abort');
  });

  it('does not wait for a peer that only pings', () => {
    const play = new CasePlay('9.3.9', { idleS: 30 });
    play.send({ ...text('some'), fin: false });
    for (let ping = 0; ping < 120; ping++) play.send({ opcode: 9 });
    play.frames();
    for (let second = 0; second < 30; second++) {
      play.send({ opcode: 9 });
      play.wait(1);
    }
    expect(play.frames().at(-1)?.opcode).toBe(8);
    expect(play.connection.guard).toBe('nothing but pings came from the peer for 30 seconds');
  });

  it('is patient with a peer whose echo comes slowly, or in small messages', () => {
    const large = new CasePlay('9.3.9', { idleS: 30 });
    const echo = encodeFrame({ opcode: 1, payload: Buffer.alloc(4 * 1024 * 1024) });
    for (let at = 0; at < 90_000; at += 30_000) {
      large.receive(echo.subarray(at, at + 30_000));
      large.wait(29);
    }
    expect(large.connection.guard).toBeNull();

    const small = new CasePlay('9.7.1', { idleS: 30 });
    for (let round = 0; round < 200; round++) {
      small.wait(0.25);
      small.send(text(''));
    }
    expect(small.frames()).toHaveLength(201);
  });

  it('is patient with a peer that still sends something', () => {
    const play = new CasePlay('9.3.9', { idleS: 30 });
    play.frames();
    for (let round = 0; round < 3; round++) {
      play.wait(25);
      play.send({ opcode: 10 });
    }
    expect(play.frames()).toEqual([]);
  });
});

describe('what comes from the peer', () => {
  it('counts after the close frame of the tester, too', () => {
    const play = new CasePlay('7.1.4');
    play.send(text('Hello World!'));
    play.send(close(1000));
    expect(play.verdict()).toBe('FAILED / OK');
  });

  it('counts no longer for a server that has read the answer to its close frame', () => {
    const play = new CasePlay('7.1.4', { role: 'server' });
    play.send(close(1000));
    play.send(text('late'));
    expect(play.connection.drop).toBe('abort');
    expect(play.verdict()).toBe('OK / OK');
  });

  it('is no message for a tester that has failed the connection, but still a pong', () => {
    const message = new CasePlay('1.1.2');
    message.wait(1);
    message.send(text('*'.repeat(125)));
    expect(message.connection.handler.received).toEqual([]);

    const pong = new CasePlay('2.2');
    pong.send({ opcode: 10, payload: Buffer.from('Hello, world!'), maskingKey: Buffer.alloc(4) });
    pong.send(close(1002));
    expect(pong.verdict()).toBe('OK / WRONG CODE');
  });

  it('is answered if it is a ping, and not recorded', () => {
    const play = new CasePlay('7.1.1');
    play.frames();
    play.send({ opcode: 9, payload: Buffer.from('hi') });
    expect(play.frames().map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual([
      [10, 'hi'],
    ]);
    expect(play.connection.handler.received).toEqual([]);
  });
});

describe('a peer that breaks the protocol', () => {
  it('gets 1002 for the first breach, and TCP is dropped for the second', () => {
    const play = new CasePlay('1.1.1');
    play.frames();
    play.receive(Buffer.from('c100', 'hex'));
    expect(play.frames().map(({ payload }) => payload.readUInt16BE(0))).toEqual([1002]);
    expect(play.connection.drop).toBeUndefined();
    play.receive(Buffer.from('c100', 'hex'));
    expect(play.connection.drop).toBe('flush');
  });

  it('gets 1007 and loses TCP at once for text that is no UTF-8', () => {
    const play = new CasePlay('1.1.1');
    play.frames();
    play.receive(Buffer.from('8103414280', 'hex'));
    expect(play.frames().map(({ payload }) => payload.readUInt16BE(0))).toEqual([1007]);
    expect(play.connection.drop).toBe('flush');
    expect(play.connection.log.findings[0]).toMatchObject({
      violation: { code: 'WSK_INVALID_UTF8' },
      offset: 4,
      octets: { from: 0, hex: '8103414280' },
    });
  });

  it('gets 1007 and may still answer for text that ends inside a character', () => {
    const play = new CasePlay('1.1.1');
    play.receive(Buffer.from('8101c3', 'hex'));
    expect(play.connection.drop).toBeUndefined();
    play.send(close(1007));
    expect(play.verdict()).toBe('FAILED / WRONG CODE');
  });

  it('loses TCP for a close code that may not be sent, as the answer to a close', () => {
    const play = new CasePlay('7.1.2');
    play.send(close(1005));
    expect(play.connection.ending.remoteCloseCode).toBe(1005);
    expect(play.verdict()).toBe('OK / UNCLEAN');
  });

  it('loses TCP for a close reason that is no UTF-8', () => {
    const play = new CasePlay('3.1');
    play.send({ opcode: 8, payload: Buffer.from('03eaff', 'hex') });
    expect(play.connection.drop).toBe('abort');
    expect(play.verdict()).toBe('OK / FAILED');
  });

  it('is told where in the stream it did so, also in a frame cut in two', () => {
    const play = new CasePlay('1.1.1');
    play.send(text('first'));
    play.receive(Buffer.from('81', 'hex'), Buffer.from('8000000000', 'hex'));
    expect(
      play.connection.log.findings.map(({ violation, offset }) => [violation.code, offset]),
    ).toEqual([['WSK_MASKED_FRAME', 8]]);
  });

  it('may use a 64-bit length for a short message, and the message is still read', () => {
    const play = new CasePlay('7.1.1');
    play.receive(
      Buffer.concat([Buffer.from('817f000000000000000c', 'hex'), Buffer.from('Hello World!')]),
    );
    expect(play.connection.log.findings[0]?.violation.code).toBe('WSK_LENGTH_NOT_MINIMAL');
    expect(play.verdict()).toBe('FAILED / UNCLEAN');
  });
});

describe('what the tester writes', () => {
  it('ends a message that fills its fragments with an empty one', () => {
    const play = new CasePlay('6.2.4');
    const frames = play.frames();
    expect(frames).toHaveLength(12);
    expect(frames.at(-1)).toMatchObject({ opcode: 0, fin: true, payload: Buffer.alloc(0) });
    expect(frames[0]).toMatchObject({ opcode: 1, fin: false });
  });

  it('is masked with a key for each frame as a client, and not masked as a server', () => {
    expect(new CasePlay('7.1.1').frames()[0]?.maskingKey?.toString('hex')).toBe('37fa213d');
    expect(new CasePlay('7.1.1', { role: 'server' }).frames()[0]?.maskingKey).toBeUndefined();
  });

  it('goes out octet by octet where the case says so, one in each turn, in order', () => {
    const play = new CasePlay('2.11', { role: 'server' });
    expect(play.pieces().map((piece) => piece.length)).toEqual([1]);
    play.connection.pump(0);
    expect(play.pieces().map((piece) => piece.length)).toEqual([1]);
    play.pump();
    expect(Buffer.concat(play.pieces()).toString('latin1')).toContain('payload-9');
  });

  it('waits behind the pieces, also a pong, and is thrown away when TCP is dropped', () => {
    const play = new CasePlay('2.6', { role: 'server' });
    play.pieces();
    play.send({ opcode: 9, payload: Buffer.from('peer') });
    expect(play.pieces()).toEqual([]);
    play.pump();
    expect(Buffer.concat(play.pieces()).subarray(-6).toString('latin1')).toBe('\x8a\x04peer');
  });

  it('is one frame in three pieces in 6.4.3, a second apart, and then an empty one', () => {
    const play = new CasePlay('6.4.3', { role: 'server' });
    expect(Buffer.concat(play.pieces()).toString('hex')).toBe('0115cebae1bdb9cf83cebcceb5');
    play.wait(1);
    expect(Buffer.concat(play.pieces()).toString('hex')).toBe('f4908080');
    play.wait(1);
    expect(Buffer.concat(play.pieces()).toString('hex')).toBe('6564697465648000');
  });

  it('closes raw in 3.7, so that it stays open and the peer has to close', () => {
    const play = new CasePlay('3.7');
    expect(play.frames()).toMatchObject([{ opcode: 8, rsv1: true, rsv2: true, rsv3: true }]);
    play.send(close(1002));
    expect(play.verdict()).toBe('OK / OK');
  });
});

describe('a peer that floods', () => {
  const flood = (payload: Buffer, count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => encodeFrame({ opcode: 2, payload })));

  it('has what a case expects and a little more kept, the rest counted', () => {
    const play = new CasePlay('7.1.1');
    for (let n = 0; n < 5; n++) play.receive(flood(Buffer.from('x'), 1000));
    expect(play.connection.handler.received).toHaveLength(101);
    expect(play.end()).toMatchObject({
      behavior: 'FAILED',
      result: 'Actual events differ from any expected. 4899 more events came than are kept.',
    });
  });

  it('has no more than 1 MiB kept of payload that no case expects', () => {
    const play = new CasePlay('7.1.1');
    for (let n = 0; n < 64; n++) play.receive(flood(Buffer.alloc(65_536), 1));
    expect(play.connection.handler.received).toHaveLength(16);
  });

  it('does not fill the log with what it sent', () => {
    const play = new CasePlay('2.2');
    play.receive(flood(Buffer.from('x'), 20_000));
    play.wait(1);
    const { log, rxFrameStats } = play.connection.log.resultFields();
    expect(log.filter((row) => 'direction' in row && row.direction === 'received')).toHaveLength(
      1000,
    );
    expect(log.at(-1)).toMatchObject({ kind: 'octets', direction: 'sent' });
    expect(rxFrameStats).toEqual({ 2: 20_000 });
  });

  it('has reads of ever new sizes counted by the power of two below', () => {
    const play = new CasePlay('9.1.1');
    for (let size = 1; size <= 1100; size++) play.receive(Buffer.alloc(size));
    const { rxOctetStats } = play.connection.log.resultFields();
    expect(Object.keys(rxOctetStats).length).toBeLessThanOrEqual(1001);
    expect(rxOctetStats[1024]).toBe(77);
  });

  it.each([
    ['pings', 9],
    ['pongs', 10],
    ['empty frames', 0],
  ])('with %s is cut off', (kind, opcode) => {
    const play = new CasePlay('9.1.1');
    play.frames();
    play.send({ ...text('some'), fin: false });
    const frames = Buffer.concat(
      Array.from({ length: 1000 }, () => encodeFrame({ opcode, fin: opcode > 7, payload: EMPTY })),
    );
    for (let n = 0; n < 11; n++) play.receive(frames);
    expect(play.connection.guard).toBe(`the peer floods with ${kind}`);
    expect(play.connection.drop).toBe('abort');
    const sent = play.frames();
    expect(sent.at(-1)?.payload.readUInt16BE(0)).toBe(1008);
    expect(sent.length).toBeLessThanOrEqual(10_002);
    expect(play.verdict()).toBe('FAILED / UNCLEAN');
    expect(play.connection.ending.wasNotCleanReason).toBe(play.connection.guard);
  });

  it('with data is cut off, also within one frame', () => {
    const play = new CasePlay('9.1.1');
    play.receive(Buffer.from('827f0000000280000000', 'hex'));
    for (let n = 0; n < 17; n++) play.receive(Buffer.alloc(1024 * 1024));
    expect(play.connection.guard).toBe('the peer floods with data that the case does not ask for');
    expect(play.connection.drop).toBe('abort');
  });

  it('does not do so with a ping before each of many fragments', () => {
    const play = new CasePlay('9.1.4');
    const payload = Buffer.alloc(256, 'x');
    const ping = encodeFrame({ opcode: 9, payload: EMPTY });
    for (let n = 0; n < 16_384; n++) {
      const fin = n === 16_383;
      const fragment = encodeFrame({ opcode: n === 0 ? 1 : 0, fin, payload });
      play.receive(Buffer.concat([ping, fragment]));
    }
    play.send(close(1000));
    expect(play.verdict()).toBe('OK / OK');
  });

  it('has the parts of a message joined', () => {
    const play = new CasePlay('1.1.1');
    play.send({ opcode: 2, fin: false, payload: Buffer.from('a') });
    const part = encodeFrame({ opcode: 0, fin: false, payload: Buffer.from('b') });
    play.receive(Buffer.concat(Array.from({ length: 9000 }, () => part)));
    play.send({ opcode: 0, payload: Buffer.from('c') });
    expect(play.connection.handler.received).toEqual([
      expect.objectContaining({
        binary: true,
        payload: expect.objectContaining({ length: 9002 }) as object,
      }),
    ]);
  });
});
