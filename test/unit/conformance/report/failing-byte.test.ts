import { describe, expect, it } from 'vitest';
import {
  findFailingBytes,
  type FrameRow,
} from '../../../../src/conformance/report/failing-byte.ts';
import { rebuildFrames } from '../../../../src/conformance/report/rebuild-frames.ts';
import type { CaseResult } from '../../../../src/conformance/result.ts';
import type { FrameInit } from '../../../../src/protocol/index.ts';
import { caseResult, LogWriter } from '../../../support/conformance-run.ts';
import {
  KEY,
  lateUtf8Check,
  maskedServerFrame,
  refusedHandshake,
  reservedBitAccepted,
  spoiledEcho,
  surrogatesAccepted,
} from '../../../support/conformance-samples.ts';

function failingOf(result: CaseResult) {
  const frames = rebuildFrames(result.log).filter((row): row is FrameRow => row.kind === 'frame');
  const failing = findFailingBytes(result, frames, 'server');
  return failing && { ...failing, frame: frames.indexOf(failing.frame) };
}

/** What the tester sends in a case in which the peer has to fail the connection. */
function sentAndAccepted(...frames: FrameInit[]): CaseResult {
  const log = new LogWriter();
  for (const frame of frames) log.frame('sent', { maskingKey: KEY, ...frame });
  return caseResult({
    id: '5.1',
    behavior: 'FAILED',
    expectedClose: { closedByMe: false, closeCode: [1002], requireClean: false },
    log: log.rows,
  });
}

describe('of a tester whose frame should have been refused', () => {
  it.each<[string, FrameInit[], number, number]>([
    ['reserved bits', [{ opcode: 1, rsv2: true }], 0, 0],
    ['a reserved opcode', [{ opcode: 11 }], 0, 0],
    ['a fragmented ping', [{ opcode: 9, fin: false }], 0, 0],
    ['the length of a long ping', [{ opcode: 9, payload: Buffer.alloc(126) }], 0, 1],
    ['a continuation of nothing', [{ opcode: 0 }], 0, 0],
    ['a text inside a message', [{ opcode: 1, fin: false }, { opcode: 1 }], 1, 0],
    ['half a close code', [{ opcode: 8, payload: Buffer.from('a') }], 0, 6],
    ['a forbidden close code', [{ opcode: 8, payload: Buffer.from('03ed', 'hex') }], 0, 6],
    ['a broken close reason', [{ opcode: 8, payload: Buffer.from('03e861ff', 'hex') }], 0, 9],
    ['broken text', [{ opcode: 1, payload: Buffer.from('61c0af', 'hex') }], 0, 7],
    [
      'text broken over two frames',
      [
        { opcode: 1, fin: false, payload: Buffer.from('f4', 'hex') },
        { opcode: 0, payload: Buffer.from('9080', 'hex') },
      ],
      1,
      6,
    ],
    [
      'text that ends inside a character',
      [{ opcode: 1, payload: Buffer.from('61ce', 'hex') }],
      0,
      7,
    ],
  ])('marks %s', (_, frames, frame, at) => {
    expect(failingOf(sentAndAccepted(...frames))).toMatchObject({ frame, at });
  });

  it('marks the bit that says that a frame is not masked', () => {
    const log = new LogWriter().frame('sent', { opcode: 1 });
    expect(failingOf({ ...sentAndAccepted(), log: log.rows })).toMatchObject({ frame: 0, at: 1 });
  });

  it('marks a length that is longer than it has to be', () => {
    const frames = [{ opcode: 1, payload: Buffer.from('a'), lengthBytes: 8 }] as const;
    expect(failingOf(sentAndAccepted(...frames))).toMatchObject({ frame: 0, at: 1 });
  });

  it('marks nothing in legal frames', () => {
    const frames = [{ opcode: 1, fin: false }, { opcode: 9 }, { opcode: 0 }];
    expect(failingOf(sentAndAccepted(...frames))).toBeUndefined();
  });
});

it('marks the reserved bit of 3.1 and the surrogate of 6.3.1', () => {
  expect(failingOf(reservedBitAccepted())).toMatchObject({ frame: 0, at: 0 });
  expect(failingOf(surrogatesAccepted())).toMatchObject({ frame: 0, at: 6 + 12 });
});

it('marks octet 12 of the frame that 6.4.3 writes in pieces', () => {
  expect(failingOf(lateUtf8Check())).toMatchObject({ frame: 0, at: 6 + 12 });
});

it('marks what the peer itself did wrong', () => {
  expect(failingOf(maskedServerFrame())).toMatchObject({
    frame: 1,
    at: 1,
    text: 'frame from the server (opcode 1) is masked',
  });
});

it('prefers the tester’s frame to what the peer made of it', () => {
  const accepted = surrogatesAccepted();
  const findings = maskedServerFrame().findings;
  expect(failingOf({ ...accepted, findings })).toMatchObject({ frame: 0 });
});

it('marks the first octet of an echo that is not what was sent', () => {
  expect(failingOf(spoiledEcho())).toMatchObject({ frame: 1, at: 2 + 124 });
});

it('marks nothing where there is no connection', () => {
  expect(failingOf(refusedHandshake())).toBeUndefined();
});
