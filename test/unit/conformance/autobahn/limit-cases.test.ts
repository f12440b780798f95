import { describe, expect, it } from 'vitest';
import type { MessageSource } from '../../../../src/conformance/autobahn/case-handler.ts';
import { quicken } from '../../../../src/operations/autobahn-test/select.ts';
import { CasePlay, caseOf, closePayload } from '../../../support/case-play.ts';

const echo = (length: number, opcode = 1) => ({ opcode, payload: Buffer.alloc(length, 'x') });

describe('one large message', () => {
  it('is judged by type and length, not by content', () => {
    const play = new CasePlay('9.1.1');
    play.frames();
    play.send(echo(65_536));
    expect(play.frames().map(({ payload }) => payload.toString('hex'))).toEqual(['03e8']);
    play.send({ opcode: 8, payload: closePayload(1000) });
    expect(play.end()).toMatchObject({
      behavior: 'OK',
      behaviorClose: 'OK',
      result: 'Received text message of length 65536.',
    });
  });

  it.each([
    [echo(65_535), 'Expected text message with payload of length 65536, but got 65535.'],
    [echo(65_536, 2), 'Expected text message with payload, but got binary.'],
  ])('fails otherwise', (frame, result) => {
    const play = new CasePlay('9.1.1');
    play.send(frame);
    expect(play.end()).toMatchObject({ behavior: 'FAILED', result });
  });

  it('is 65536 octets and a header of 14 on the wire, and is not logged', () => {
    const play = new CasePlay('9.1.1');
    expect(Buffer.concat(play.pieces())).toHaveLength(65_536 + 14);
    expect(play.connection.log.rows.map(({ kind }) => kind)).toEqual(['logging', 'timer']);
  });

  it('ends with an empty fragment in 9.3.3', () => {
    const frames = new CasePlay('9.3.3').frames();
    expect(frames).toHaveLength(4097);
    expect(frames.at(-1)?.payload).toHaveLength(0);
  });
});

it('sends the next message upon each echo, and counts what it sent', () => {
  const play = new CasePlay('9.7.2');
  for (let round = 0; round < 999; round++) {
    expect(play.frames()).toHaveLength(1);
    play.send(echo(16));
  }
  expect(play.frames()).toMatchObject([{ opcode: 1 }]);
  play.send(echo(16));
  expect(play.frames()).toMatchObject([{ opcode: 8 }]);
  expect(play.end().behavior).toBe('OK');
});

describe('compressed messages', () => {
  const definition = quicken(caseOf('12.1.11'));
  const source: MessageSource = {
    binary: false,
    message: (index) => ({
      plain: Buffer.from(`message ${index}`),
      deflated: Buffer.alloc(600, index),
    }),
    release: () => undefined,
    inflate: ([first]) => Buffer.from(`message ${first?.[0] ?? 0}`),
  };
  const echoed = (index: number) => ({ opcode: 1, rsv1: true, payload: Buffer.of(index) });

  it('are fragmented as they are compressed, with RSV1 on the first frame alone', () => {
    const play = new CasePlay('', { definition, source });
    expect(
      play.frames().map(({ opcode, rsv1, payload }) => [opcode, rsv1, payload.length]),
    ).toEqual([
      [1, true, 256],
      [0, false, 256],
      [0, false, 88],
    ]);
  });

  it('pass when every echo is what was sent', () => {
    const play = new CasePlay('', { definition, source });
    for (let index = 0; index < 20; index++) play.send(echoed(index));
    expect(play.end().behavior).toBe('OK');
    expect(play.connection.traffic.snapshot().outgoing).toMatchObject({
      octetsWebSocketLevel: 20 * 600,
      octetsAppLevel: 10 * 9 + 10 * 10,
      webSocketMessages: 20,
    });
  });

  it('fail at the first echo that is not', () => {
    const play = new CasePlay('', { definition, source });
    play.send(echoed(0));
    play.send(echoed(0));
    expect(play.end()).toMatchObject({
      behavior: 'FAILED',
      result: "Echo'ed message contents differs from what I sent.",
    });
  });

  it('are UNIMPLEMENTED by a peer that did not agree to them', () => {
    const play = new CasePlay('', { definition });
    expect(play.frames()).toMatchObject([{ opcode: 8 }]);
    play.send({ opcode: 8, payload: closePayload(1000) });
    expect(play.verdict()).toBe('UNIMPLEMENTED / OK');
  });

  it('break the connection when they cannot be inflated', () => {
    const inflate = (): ReturnType<MessageSource['inflate']> => ({
      code: 'WSK_INVALID_DEFLATE',
      closeCode: 1007,
      rfc: '7692#7.2.2',
      message: 'cannot be inflated',
      data: undefined,
    });
    const play = new CasePlay('', { definition, source: { ...source, inflate } });
    play.send(echoed(0));
    expect(play.connection.drop).toBe('abort');
    expect(play.verdict()).toBe('FAILED / FAILED');
  });
});
