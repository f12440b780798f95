import { describe, expect, it } from 'vitest';
import { renderAutobahnCase } from '../../../../src/conformance/report/autobahn-case.ts';
import { clip, type CaseResult, type LogRow } from '../../../../src/conformance/result.ts';
import { caseResult, LogWriter } from '../../../support/conformance-run.ts';
import { KEY, lateUtf8Check } from '../../../support/conformance-samples.ts';

function rendered(result: CaseResult, role: 'server' | 'client' = 'server') {
  return JSON.parse(renderAutobahnCase(result, role)) as Record<string, unknown>;
}

function wirelog(log: readonly LogRow[]): unknown {
  return rendered(caseResult({ id: '1.1.1', log }))['wirelog'];
}

it('has every key that Autobahn writes, and no other', () => {
  expect(Object.keys(rendered(caseResult({ id: '1.1.1' })))).toEqual(
    `agent behavior behaviorClose case closedByMe createStats createWirelog description droppedByMe
    duration expectation expected expectedClose failedByMe httpRequest httpResponse id isServer
    localCloseCode localCloseReason received remoteCloseCode remoteCloseReason
    reportCompressionRatio reportTime result resultClose rxFrameStats rxOctetStats started
    trafficStats txFrameStats txOctetStats wasClean wasCloseHandshakeTimeout wasNotCleanReason
    wasOpenHandshakeTimeout wasServerConnectionDropTimeout wirelog`.split(/\s+/),
  );
});

it('writes what never opened without a close expectation and with ? for the heads', () => {
  const result = rendered(
    caseResult({ id: '1.1.1', expectedClose: null, httpRequest: null, httpResponse: null }),
  );
  expect(result).toMatchObject({ expectedClose: {}, httpRequest: '?', httpResponse: '?' });
});

it('is a server where a client is under test', () => {
  expect(rendered(caseResult({ id: '1.1.1' }), 'server')['isServer']).toBe(false);
  expect(rendered(caseResult({ id: '1.1.1' }), 'client')['isServer']).toBe(true);
});

it('writes events by type', () => {
  const { expected, received } = rendered(lateUtf8Check());
  expect(expected).toEqual({
    OK: [['timeout', 'A']],
    'NON-STRICT': [
      ['timeout', 'A'],
      ['timeout', 'B'],
    ],
  });
  expect(received).toEqual([
    ['timeout', 'A'],
    ['timeout', 'B'],
  ]);
});

describe('payloads', () => {
  const received = (payload: Buffer): unknown =>
    rendered(
      caseResult({
        id: '1.1.1',
        received: [{ type: 'message', binary: true, payload: clip(payload) }],
      }),
    )['received'];

  it('are text in full up to 60 octets', () => {
    expect(received(Buffer.alloc(60, '*'))).toEqual([['message', '*'.repeat(60), true]]);
  });

  it('are cut at 64 octets above', () => {
    const shown = '*'.repeat(61);
    expect(received(Buffer.alloc(61, '*'))).toEqual([['message', `${shown} ...`, true]]);
    expect(received(Buffer.alloc(300, '*'))).toEqual([['message', `${'*'.repeat(64)} ...`, true]]);
  });

  it('are hex where they are no UTF-8', () => {
    expect(received(Buffer.from('fffe', 'hex'))).toEqual([['message', '0xfffe', true]]);
  });
});

it('writes each kind of row of the wire log', () => {
  const log = new LogWriter()
    .row({ kind: 'timer', atMs: 0, timer: 'kill', delayS: 1, expired: false })
    .row({ kind: 'timer', atMs: 0, timer: 'close', delayS: 10, expired: false })
    .row({ kind: 'wait', atMs: 0, delayS: 1, tag: 'A', expired: false })
    .frame('sent', { opcode: 1, payload: Buffer.from('Hi'), maskingKey: KEY })
    .frame('received', { opcode: 9, fin: false, rsv2: true })
    .row({ kind: 'wait', atMs: 1, delayS: 1, tag: 'A', expired: true })
    .row({ kind: 'timer', atMs: 1, timer: 'kill', delayS: 1, expired: true })
    .row({ kind: 'timer', atMs: 1, timer: 'close', delayS: 10, expired: true })
    .row({ kind: 'logging', atMs: 1, enabled: false });
  expect(wirelog(log.rows)).toEqual([
    ['KL', 1],
    ['TI', 10],
    ['CT', 1, 'A'],
    ['TF', [2, 'Hi'], 1, true, 0, '37fa213d', null, null, false],
    ['TO', [8, '818237fa213d7f93'], false],
    ['RF', [0, ''], 9, false, 2, false, null],
    ['RO', [2, '2900']],
    ['CTE', 'A'],
    ['KLE'],
    ['TIE'],
    ['WLM', false],
  ]);
});

it('writes traffic with its ratios, and null where nothing can be divided', () => {
  const counters = {
    octetsWireLevel: 120,
    octetsWebSocketLevel: 100,
    octetsAppLevel: 400,
    webSocketFrames: 4,
    webSocketMessages: 2,
    preopenOctetsWireLevel: 300,
  };
  const incoming = { ...counters, octetsWebSocketLevel: 0, octetsAppLevel: 0 };
  const traffic = { outgoing: counters, incoming };
  expect(rendered(caseResult({ id: '12.1.1', traffic }))['trafficStats']).toMatchObject({
    outgoingCompressionRatio: 0.25,
    outgoingWebSocketOverhead: 0.2,
    incomingCompressionRatio: null,
    incomingWebSocketOverhead: null,
    preopenOutgoingOctetsWireLevel: 300,
    incomingWebSocketMessages: 2,
  });
});

it('writes a close reason of the tester as text, or hex where it is none', () => {
  const close = caseResult({ id: '7.5.1' }).close;
  const reason = (localCloseReason: string): unknown =>
    rendered(caseResult({ id: '7.5.1', close: { ...close, localCloseReason } }))[
      'localCloseReason'
    ];
  expect(reason('476f696e672041776179')).toBe('Going Away');
  expect(reason('eda080')).toBe('eda080');
});
