import { isUtf8 } from 'node:buffer';
import type { CaseEvent, CaseResult, Clip, LogRow, RunOptions, Traffic } from '../result.ts';
import { formatAutobahnJson } from './autobahn-json.ts';

/** Autobahn writes a payload in full up to this size, and its first `SHOWN_BYTES` above it. */
const FULL_BYTES = 60;
const SHOWN_BYTES = 64;
const ELLIPSIS = ' ...';

/** Renders the file of one case as Autobahn|Testsuite does, with every key it has there. */
export function renderAutobahnCase(result: CaseResult, role: RunOptions['role']): string {
  const { close } = result;
  return formatAutobahnJson({
    agent: result.agent,
    behavior: result.behavior,
    behaviorClose: result.behaviorClose,
    case: result.number,
    closedByMe: close.closedByMe,
    createStats: true,
    createWirelog: result.logEnabled,
    description: result.description,
    droppedByMe: close.droppedByMe,
    duration: Math.round(result.durationMs),
    expectation: result.expectation,
    expected: Object.fromEntries(
      Object.entries(result.expected).map(([label, events]) => [label, events.map(eventRow)]),
    ),
    expectedClose: result.expectedClose ?? {},
    failedByMe: close.failedByMe,
    httpRequest: result.httpRequest ?? '?',
    httpResponse: result.httpResponse ?? '?',
    id: result.id,
    // The tester is the server when a client is under test.
    isServer: role === 'client',
    localCloseCode: close.localCloseCode,
    localCloseReason: textOrHex(close.localCloseReason),
    received: result.received.map(eventRow),
    remoteCloseCode: close.remoteCloseCode,
    remoteCloseReason: close.remoteCloseReason,
    reportCompressionRatio: result.reportCompressionRatio,
    reportTime: result.reportTime,
    result: result.result,
    resultClose: result.resultClose,
    rxFrameStats: result.rxFrameStats,
    rxOctetStats: result.rxOctetStats,
    started: result.startedAt,
    trafficStats: result.traffic === null ? null : trafficStats(result.traffic),
    txFrameStats: result.txFrameStats,
    txOctetStats: result.txOctetStats,
    wasClean: close.wasClean,
    wasCloseHandshakeTimeout: close.wasCloseHandshakeTimeout,
    wasNotCleanReason: close.wasNotCleanReason,
    wasOpenHandshakeTimeout: close.wasOpenHandshakeTimeout,
    wasServerConnectionDropTimeout: close.wasServerConnectionDropTimeout,
    wirelog: result.log.map(wireRow),
  });
}

function eventRow(event: CaseEvent): unknown[] {
  switch (event.type) {
    case 'message':
      return ['message', payloadText(event.payload), event.binary];
    case 'pong':
      return ['pong', payloadText(event.payload)];
    case 'timeout':
      return ['timeout', event.tag];
  }
}

function wireRow(row: LogRow): unknown[] {
  switch (row.kind) {
    case 'octets':
      return row.direction === 'sent'
        ? ['TO', [row.octets.length, hexText(row.octets)], row.sync]
        : ['RO', [row.octets.length, hexText(row.octets)]];
    case 'frame':
      return frameRow(row);
    case 'logging':
      return ['WLM', row.enabled];
    case 'wait':
      return row.expired ? ['CTE', row.tag] : ['CT', row.delayS, row.tag];
    case 'timer':
      return timerRow(row);
  }
}

function frameRow(row: Extract<LogRow, { kind: 'frame' }>): unknown[] {
  const payload = [row.payload.length, payloadText(row.payload)];
  return row.direction === 'sent'
    ? [
        'TF',
        payload,
        row.opcode,
        row.fin,
        row.rsv,
        row.maskingKey,
        row.repeatTo,
        row.chopBytes,
        row.sync,
      ]
    : ['RF', payload, row.opcode, row.fin, row.rsv, row.masked, row.maskingKey];
}

function timerRow({ timer, delayS, expired }: Extract<LogRow, { kind: 'timer' }>): unknown[] {
  const name = timer === 'kill' ? 'KL' : 'TI';
  return expired ? [`${name}E`] : [name, delayS];
}

/** Text of a payload, cut like Autobahn cuts it; hex where that is not UTF-8 (any more). */
function payloadText(payload: Clip): string {
  const head = Buffer.from(payload.hex, 'hex').subarray(0, SHOWN_BYTES);
  if (!isUtf8(head)) return `0x${hexText(payload)}`;
  return `${head.toString('utf8')}${payload.length > FULL_BYTES ? ELLIPSIS : ''}`;
}

function hexText({ length, hex }: Clip): string {
  return `${hex.slice(0, 2 * SHOWN_BYTES)}${length > FULL_BYTES ? ELLIPSIS : ''}`;
}

function textOrHex(hex: string | null): string | null {
  if (hex === null) return null;
  const bytes = Buffer.from(hex, 'hex');
  return isUtf8(bytes) ? bytes.toString('utf8') : hex;
}

function trafficStats({ outgoing, incoming }: Traffic): Record<string, number | null> {
  return Object.fromEntries(
    (
      [
        ['outgoing', 'Outgoing', outgoing],
        ['incoming', 'Incoming', incoming],
      ] as const
    ).flatMap(([name, capital, counters]): [string, number | null][] => [
      [`${name}OctetsWireLevel`, counters.octetsWireLevel],
      [`${name}OctetsWebSocketLevel`, counters.octetsWebSocketLevel],
      [`${name}OctetsAppLevel`, counters.octetsAppLevel],
      [`${name}CompressionRatio`, ratio(counters.octetsWebSocketLevel, counters.octetsAppLevel)],
      [
        `${name}WebSocketOverhead`,
        ratio(
          counters.octetsWireLevel - counters.octetsWebSocketLevel,
          counters.octetsWebSocketLevel,
        ),
      ],
      [`${name}WebSocketFrames`, counters.webSocketFrames],
      [`${name}WebSocketMessages`, counters.webSocketMessages],
      [`preopen${capital}OctetsWireLevel`, counters.preopenOctetsWireLevel],
    ]),
  );
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}
