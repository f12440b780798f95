import { readFileSync } from 'node:fs';
import { encodeFrame, type FrameInit } from '../../src/protocol/index.ts';
import {
  clip,
  type Behavior,
  type BehaviorClose,
  type CaseResult,
  type ConformanceRun,
  type LogRow,
} from '../../src/conformance/result.ts';

type Row = readonly [Behavior, BehaviorClose, number | null, number | null];
type Table = Readonly<Record<string, Readonly<Record<string, Row>>>>;

/** Verdicts of Autobahn|Testsuite against peers that are known. */
export function knownVerdicts(): { whole: Table; wrong: Table } {
  const file = new URL('../fixtures/conformance-report/verdicts.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as { whole: Table; wrong: Table };
}

/** A result of a passed case, with `changes` made to it. */
export function caseResult(changes: Partial<CaseResult> & { readonly id: string }): CaseResult {
  return {
    number: 1,
    title: `what ${changes.id} is about`,
    rfc: '6455#5.2',
    description: 'Sends a text message.',
    expectation: 'The message comes back.',
    agent: 'peer',
    behavior: 'OK',
    behaviorClose: 'OK',
    result: 'Actual events match at least one expected.',
    resultClose: 'Connection was properly closed',
    opened: true,
    expected: { OK: [] },
    expectedClose: { closedByMe: true, closeCode: [1000], requireClean: true },
    received: [],
    close: {
      closedByMe: true,
      failedByMe: false,
      droppedByMe: false,
      wasClean: true,
      wasNotCleanReason: null,
      wasOpenHandshakeTimeout: false,
      wasCloseHandshakeTimeout: false,
      wasServerConnectionDropTimeout: false,
      localCloseCode: 1000,
      localCloseReason: null,
      remoteCloseCode: 1000,
      remoteCloseReason: null,
    },
    httpRequest: 'GET / HTTP/1.1\r\nHost: localhost:9001\r\n\r\n',
    httpResponse: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
    startedAt: '2026-11-21T08:00:00.000Z',
    durationMs: 4,
    reportTime: false,
    reportCompressionRatio: false,
    traffic: null,
    rxOctetStats: {},
    txOctetStats: {},
    rxFrameStats: {},
    txFrameStats: {},
    log: [],
    logEnabled: true,
    findings: [],
    retry: 'not needed',
    guard: null,
    notRun: null,
    quick: false,
    ...changes,
  };
}

/** A run of `cases`, which are put to the agents they name. */
export function runOf(
  cases: readonly CaseResult[],
  changes: Partial<ConformanceRun> = {},
): ConformanceRun {
  const agents = [...new Set(cases.map(({ agent }) => agent))];
  return {
    options: {
      role: 'server',
      target: 'ws://localhost:9001',
      cases: ['*'],
      exclude: [],
      quick: false,
      extended: false,
      concurrency: 8,
      failOn: 'failed',
    },
    environment: { version: '0.1.0', node: 'v20.20.2', platform: 'linux', cpus: 2 },
    agents: agents.map((agent) => ({
      agent,
      cases: cases.filter((result) => result.agent === agent),
    })),
    startedAt: '2026-11-21T08:00:00.000Z',
    durationMs: 2750,
    interrupted: false,
    selected: cases.length,
    machineTooBusy: null,
    notes: [],
    expectedFailures: [],
    ...changes,
  };
}

/** The results that a table of verdicts stands for; what the table lacks is made up. */
export function resultsOf(table: Table): CaseResult[] {
  return Object.entries(table).flatMap(([agent, cases]) =>
    Object.entries(cases).map(([id, [behavior, behaviorClose, code, ms]], index) => {
      const sample = caseResult({ id });
      const negative = code === 1002 || code === 1007 || behaviorClose === 'WRONG CODE';
      return caseResult({
        id,
        agent,
        number: index + 1,
        behavior,
        behaviorClose,
        opened: ms !== null,
        durationMs: ms ?? 0,
        reportTime: /^(9|12|13)\./.test(id),
        expectedClose: negative
          ? { closedByMe: false, closeCode: [1002], requireClean: false }
          : sample.expectedClose,
        close: { ...sample.close, remoteCloseCode: code },
      });
    }),
  );
}

/** Writes the log of a connection: each frame with its octets, at the offset it has. */
export class LogWriter {
  readonly rows: LogRow[] = [];
  readonly #offsets = { sent: 0, received: 0 };

  /** A frame that went over the wire. */
  frame(direction: 'sent' | 'received', init: FrameInit & { readonly atMs?: number }): this {
    const { atMs = 1, ...bits } = init;
    return this.header(direction, encodeFrame(bits), bits, atMs);
  }

  /** What a frame's `bytes` begin with; the rest may follow as octets. */
  header(direction: 'sent' | 'received', bytes: Buffer, bits: FrameInit, atMs = 1): this {
    const payload = Buffer.from(bits.payload ?? []);
    this.rows.push({
      kind: 'frame',
      atMs,
      direction,
      opcode: bits.opcode,
      fin: bits.fin ?? true,
      rsv:
        (bits.rsv1 === true ? 4 : 0) | (bits.rsv2 === true ? 2 : 0) | (bits.rsv3 === true ? 1 : 0),
      masked: bits.maskingKey !== undefined,
      maskingKey:
        bits.maskingKey === undefined ? null : Buffer.from(bits.maskingKey).toString('hex'),
      payload: clip(payload),
      offset: this.#offsets[direction],
      headerBytes: bytes.length - payload.length,
      repeatTo: null,
      chopBytes: null,
      sync: false,
    });
    return this.octets(direction, bytes, atMs);
  }

  /** Octets on the wire that make up no frame in one write. */
  octets(direction: 'sent' | 'received', bytes: Buffer, atMs = 1): this {
    const offset = this.#offsets[direction];
    this.#offsets[direction] += bytes.length;
    this.rows.push({
      kind: 'octets',
      atMs,
      direction,
      octets: clip(bytes),
      offset,
      sync: false,
    });
    return this;
  }

  row(row: LogRow): this {
    this.rows.push(row);
    return this;
  }
}
