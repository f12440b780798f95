import { expect, it } from 'vitest';
import { frameLog } from '../../../../src/conformance/report/frame-log.ts';
import { caseResult, LogWriter } from '../../../support/conformance-run.ts';
import { KEY, lateUtf8Check, reservedBitAccepted } from '../../../support/conformance-samples.ts';

it('tells the frames and timers of a case, with the bytes of the one that offends', () => {
  const { lines, omitted } = frameLog(reservedBitAccepted(), 'server');
  expect(omitted).toBe(0);
  expect(lines.map(({ direction, kind, text }) => [direction, kind, text])).toEqual([
    ['timer', 'time limit', 'fail the connection in 1 s'],
    ['out', 'text', '"Hello, world!" (13 bytes)'],
    ['in', 'text', '"Hello, world!" (13 bytes)'],
    ['timer', 'time is up', 'fail the connection now'],
    ['out', 'close', '1001 going away'],
    ['in', 'close', '1001 going away'],
  ]);
  expect(lines[1]).toMatchObject({
    flags: 'rsv 001',
    dump: {
      header: '918d37fa213d',
      payload: '48656c6c6f2c20776f726c6421',
      at: 0,
      length: 1,
      more: 0,
    },
  });
});

it('puts a frame together that was written in pieces, and shows these without their mask', () => {
  const { lines } = frameLog(lateUtf8Check(), 'server');
  expect(lines.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    'text ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64 (21 bytes)',
    'bytes ce ba e1 bd b9 cf 83 ce bc ce b5 (11 bytes)',
    'wait 1 s, A',
    'waited A',
    'bytes f4 90 80 80 (4 bytes)',
    'wait 1 s, B',
    'waited B',
    'bytes 65 64 69 74 65 64 (6 bytes)',
    'continuation (0 bytes)',
    'close 1007 invalid payload data',
  ]);
  expect(lines[0]?.dump).toMatchObject({ header: '019537fa213d', at: 18 });
});

it('shows the whole of a payload that the log keeps as a unit', () => {
  const [row] = new LogWriter().frame('sent', {
    opcode: 2,
    payload: Buffer.from('fe', 'hex'),
    maskingKey: KEY,
  }).rows;
  const log = row?.kind === 'frame' ? [{ ...row, repeatTo: 3 }] : [];
  expect(frameLog(caseResult({ id: '1.2.2', log }), 'server').lines[0]?.text).toBe(
    'fe fe fe (3 bytes)',
  );
});

it('leaves out the middle of a long log, but not the offending frame', () => {
  const log = new LogWriter();
  for (let index = 0; index < 100; index++) {
    log.frame('sent', { opcode: index === 50 ? 3 : 9, maskingKey: KEY });
  }
  const { lines, omitted, gap } = frameLog(
    caseResult({
      id: '4.1.1',
      expectedClose: { closedByMe: false, closeCode: [1002], requireClean: false },
      log: log.rows,
    }),
    'server',
  );
  expect(omitted).toBe(100 - lines.length);
  expect(lines.length).toBe(24 + 1 + 12);
  expect(lines.findIndex(({ dump }) => dump !== undefined)).toBe(24);
  expect(gap).toBe(25);
});

it('makes what is invisible visible', () => {
  const log = new LogWriter().frame('received', { opcode: 1, payload: Buffer.from('a\u202e\0') });
  expect(frameLog(caseResult({ id: '1.1.1', log: log.rows }), 'server').lines[0]?.text).toBe(
    String.raw`"a\u202e\0" (5 bytes)`,
  );
});
