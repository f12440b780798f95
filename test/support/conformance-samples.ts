import type { CaseResult } from '../../src/conformance/result.ts';
import { clip } from '../../src/conformance/result.ts';
import { encodeFrame } from '../../src/protocol/index.ts';
import { violation } from '../../src/protocol/index.ts';
import { caseResult, LogWriter } from './conformance-run.ts';

export const KEY = Buffer.from('37fa213d', 'hex');
const close = (code: number): Buffer => Buffer.from([code >> 8, code & 0xff]);
const byPeer = (closeCode: number) => ({
  closedByMe: false,
  closeCode: [closeCode],
  requireClean: false,
});

/** The tester's close after the time limit of a case that the peer let pass. */
function givenUp(log: LogWriter): LogWriter {
  return log
    .row({ kind: 'timer', atMs: 1001, timer: 'kill', delayS: 1, expired: true })
    .frame('sent', { opcode: 8, payload: close(1001), maskingKey: KEY, atMs: 1001 })
    .frame('received', { opcode: 8, payload: close(1001), atMs: 1003 });
}

function letPass(id: string, changes: Partial<CaseResult>): CaseResult {
  const sample = caseResult({ id });
  return {
    ...sample,
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    result: 'Actual events differ from any expected.',
    resultClose: 'The connection was failed by the wrong endpoint',
    expectedClose: byPeer(1002),
    durationMs: 1004,
    close: { ...sample.close, failedByMe: true, localCloseCode: 1001, remoteCloseCode: 1001 },
    ...changes,
  };
}

/** 3.1 against a server that does not look at reserved bits: the first octet is to blame. */
export function reservedBitAccepted(): CaseResult {
  const payload = Buffer.from('Hello, world!');
  const log = new LogWriter()
    .row({ kind: 'timer', atMs: 0, timer: 'kill', delayS: 1, expired: false })
    .frame('sent', { opcode: 1, payload, rsv3: true, maskingKey: KEY })
    .frame('received', { opcode: 1, payload, atMs: 2 });
  return letPass('3.1', {
    title: 'text with RSV 1',
    rfc: '6455#5.2',
    description: 'Sends a text message with the reserved bit RSV3 set.',
    expectation: 'The peer fails the connection: close 1002, or TCP is dropped.',
    received: [{ type: 'message', binary: false, payload: clip(payload) }],
    log: givenUp(log).rows,
  });
}

export const SURROGATES = Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex');

/** 6.3.1 against a server that does not check UTF-8: the octet a0 at 12 is the first bad one. */
export function surrogatesAccepted(): CaseResult {
  const log = new LogWriter()
    .row({ kind: 'timer', atMs: 0, timer: 'kill', delayS: 1, expired: false })
    .frame('sent', { opcode: 1, payload: SURROGATES, maskingKey: KEY })
    .frame('received', { opcode: 1, payload: SURROGATES, atMs: 2 });
  return letPass('6.3.1', {
    title: 'a surrogate inside a text, one frame',
    rfc: '6455#8.1',
    description: 'Sends text with a surrogate (ed a0 80) between valid characters.',
    expectation: 'The peer fails the connection: close 1007, or TCP is dropped.',
    expectedClose: { ...byPeer(1007), closedByWrongEndpointIsFatal: true },
    received: [{ type: 'message', binary: false, payload: clip(SURROGATES) }],
    log: givenUp(log).rows,
  });
}

/** 6.4.3 against a server that checks text at its end: one frame, written in three pieces. */
export function lateUtf8Check(): CaseResult {
  const payload = Buffer.from('cebae1bdb9cf83cebcceb5f4908080656469746564', 'hex');
  const frame = encodeFrame({ opcode: 1, fin: false, payload, maskingKey: KEY });
  const wait = (tag: string, atMs: number, expired: boolean) =>
    ({ kind: 'wait', atMs, delayS: 1, tag, expired }) as const;
  const log = new LogWriter()
    .header('sent', frame.subarray(0, 6), { opcode: 1, fin: false, maskingKey: KEY })
    .octets('sent', frame.subarray(6, 17), 0)
    .row(wait('A', 0, false))
    .row(wait('A', 1000, true))
    .octets('sent', frame.subarray(17, 21), 1000)
    .row(wait('B', 1000, false))
    .row(wait('B', 2000, true))
    .octets('sent', frame.subarray(21), 2000)
    .frame('sent', { opcode: 0, maskingKey: KEY, atMs: 2000 })
    .frame('received', { opcode: 8, payload: close(1007), atMs: 2001 });
  const sample = caseResult({ id: '6.4.3' });
  return {
    ...sample,
    title: 'a code point beyond Unicode, one frame in three pieces',
    rfc: '6455#8.1',
    description: 'Sends a frame in pieces; the second one breaks UTF-8.',
    expectation: 'The peer fails the connection at the second piece.',
    behavior: 'NON-STRICT',
    durationMs: 2002,
    expected: {
      OK: [{ type: 'timeout', tag: 'A' }],
      'NON-STRICT': [
        { type: 'timeout', tag: 'A' },
        { type: 'timeout', tag: 'B' },
      ],
    },
    received: [
      { type: 'timeout', tag: 'A' },
      { type: 'timeout', tag: 'B' },
    ],
    expectedClose: byPeer(1007),
    close: { ...sample.close, closedByMe: false, remoteCloseCode: 1007 },
    log: log.rows,
  };
}

/** 1.1.2 against a server that spoils the last octet of every echo. */
export function spoiledEcho(): CaseResult {
  const payload = Buffer.from('*'.repeat(125));
  const spoiled = Buffer.concat([payload.subarray(0, 124), Buffer.from('+')]);
  const log = new LogWriter()
    .frame('sent', { opcode: 1, payload, maskingKey: KEY })
    .frame('received', { opcode: 1, payload: spoiled, atMs: 2 })
    .row({ kind: 'timer', atMs: 1001, timer: 'close', delayS: 1, expired: true })
    .frame('sent', { opcode: 8, maskingKey: KEY, atMs: 1001 })
    .frame('received', { opcode: 8, atMs: 1002 });
  return {
    ...caseResult({ id: '1.1.2' }),
    title: 'text of 125 bytes',
    rfc: '6455#5.6',
    behavior: 'FAILED',
    result: 'Actual events differ from any expected.',
    durationMs: 1003,
    expected: { OK: [{ type: 'message', binary: false, payload: clip(payload) }] },
    received: [{ type: 'message', binary: false, payload: clip(spoiled) }],
    log: log.rows,
  };
}

/** 1.1.1 against a server that masks its frames: the mask bit is in the second octet. */
export function maskedServerFrame(): CaseResult {
  const payload = Buffer.from('Hi');
  const log = new LogWriter()
    .frame('sent', { opcode: 1, payload, maskingKey: KEY })
    .frame('received', { opcode: 1, payload, maskingKey: KEY, atMs: 2 });
  const sample = caseResult({ id: '1.2.2' });
  return {
    ...sample,
    title: 'binary of 125 bytes',
    rfc: '6455#5.1',
    behavior: 'FAILED',
    behaviorClose: 'UNCLEAN',
    result: 'Actual events differ from any expected.',
    expected: { OK: [{ type: 'message', binary: false, payload: clip(payload) }] },
    close: {
      ...sample.close,
      wasClean: false,
      wasNotCleanReason: 'peer did not respond (in time) in closing handshake',
      remoteCloseCode: null,
    },
    findings: [
      {
        violation: violation('WSK_MASKED_FRAME', { opcode: 1 }),
        offset: 1,
        octets: { from: 0, hex: '818237fa213d7f93' },
      },
    ],
    log: log.rows,
  };
}

/** 2.1 against something that answers HTTP 400. */
export function refusedHandshake(): CaseResult {
  const sample = caseResult({ id: '2.1' });
  return {
    ...sample,
    title: 'ping without payload',
    rfc: '6455#5.5.2',
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    opened: false,
    expectedClose: null,
    result: 'Actual events differ from any expected.',
    resultClose: 'The WebSocket opening handshake was never completed!',
    httpResponse: 'HTTP/1.1 400 Bad Request\r\nServer: nothing\r\n\r\n',
    close: { ...sample.close, remoteCloseCode: null, wasClean: false },
  };
}

/** Each sample once. */
export function sampleFailures(): CaseResult[] {
  return [
    spoiledEcho(),
    maskedServerFrame(),
    refusedHandshake(),
    reservedBitAccepted(),
    surrogatesAccepted(),
    lateUtf8Check(),
  ];
}
