import type { Violation } from '../../protocol/index.ts';
import { clip } from '../result.ts';
import type { CaseResult, Finding, LogRow } from '../result.ts';
import type { IncomingFrame, Position } from './receiver.ts';

/**
 * Rows a log holds at most, and those of what was received: a flood leaves room for what the tester
 * did. What comes after them is counted, not kept.
 */
const MAX_ROWS = 4000;
const MAX_RECEIVED_ROWS = 1000;

/** Different sizes of reads that are told apart; sizes beyond count as the power of two below. */
const MAX_SIZES = 1000;

/** Findings a log holds at most: the first one is what matters. */
const MAX_FINDINGS = 8;

/** Octets kept before and after the one that breaks a rule. */
const OCTETS_BEFORE = 32;
const OCTETS_AFTER = 64;

/** `Omit` that keeps a union a union. */
type WithoutTime<Row> = Row extends unknown ? Omit<Row, 'atMs'> : never;

/** What is written down while a case runs: frames, octets, timers, breaches and counts. */
export class CaseLog {
  readonly rows: LogRow[] = [];
  readonly findings: Finding[] = [];
  /** Set by whoever drives the case before each step, in milliseconds since its start. */
  atMs = 0;
  readonly #counts = {
    rxOctets: new Map<number, number>(),
    txOctets: new Map<number, number>(),
    rxFrames: new Map<number, number>(),
    txFrames: new Map<number, number>(),
  };
  #enabled = true;
  #receivedRows = 0;

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Switches the log of frames and octets; timers are always logged. */
  enable(enabled: boolean): void {
    if (this.#enabled === enabled) return;
    this.#enabled = enabled;
    this.add({ kind: 'logging', enabled });
  }

  add(row: WithoutTime<LogRow>): void {
    if ('direction' in row && row.direction === 'received') {
      if (this.#receivedRows >= MAX_RECEIVED_ROWS) return;
      this.#receivedRows++;
    }
    if (this.rows.length < MAX_ROWS) this.rows.push({ ...row, atMs: this.atMs });
  }

  addFinding(finding: Finding): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
  }

  /** A breach with the octets around it. */
  addBreach(breach: Violation, { offset, bytes, index }: Position): void {
    const from = Math.max(0, index - OCTETS_BEFORE);
    const to = Math.min(bytes.length, index + OCTETS_AFTER);
    this.addFinding({
      violation: breach,
      offset,
      octets: { from: offset - (index - from), hex: bytes.toString('hex', from, to) },
    });
  }

  logReceived(frame: IncomingFrame): void {
    if (!this.#enabled) return;
    const { opcode, fin, rsv, maskingKey, payload, length, offset, headerBytes } = frame;
    this.add({
      kind: 'frame',
      direction: 'received',
      opcode,
      fin,
      rsv,
      masked: maskingKey !== undefined,
      maskingKey: maskingKey?.toString('hex') ?? null,
      payload: clip(payload, length),
      offset,
      headerBytes,
      repeatTo: null,
      chopBytes: null,
      sync: false,
    });
  }

  countOctets(direction: 'sent' | 'received', length: number): void {
    count(direction === 'sent' ? this.#counts.txOctets : this.#counts.rxOctets, length);
  }

  countFrame(direction: 'sent' | 'received', opcode: number): void {
    count(direction === 'sent' ? this.#counts.txFrames : this.#counts.rxFrames, opcode);
  }

  logOctets(
    direction: 'sent' | 'received',
    octets: Buffer,
    { offset, sync }: { offset: number; sync: boolean },
  ): void {
    this.countOctets(direction, octets.length);
    if (!this.#enabled) return;
    this.add({ kind: 'octets', direction, octets: clip(octets), offset, sync });
  }

  /** The fields of a result that come from the log. */
  resultFields(): Pick<
    CaseResult,
    | 'log'
    | 'logEnabled'
    | 'findings'
    | 'rxOctetStats'
    | 'txOctetStats'
    | 'rxFrameStats'
    | 'txFrameStats'
  > {
    return {
      rxOctetStats: Object.fromEntries(this.#counts.rxOctets),
      txOctetStats: Object.fromEntries(this.#counts.txOctets),
      rxFrameStats: Object.fromEntries(this.#counts.rxFrames),
      txFrameStats: Object.fromEntries(this.#counts.txFrames),
      log: this.rows,
      logEnabled: this.#enabled,
      findings: this.findings,
    };
  }

  framesSent(opcode: number): number {
    return this.#counts.txFrames.get(opcode) ?? 0;
  }
}

function count(counts: Map<number, number>, size: number): void {
  const isNew = counts.size >= MAX_SIZES && !counts.has(size);
  const key = isNew ? 2 ** Math.floor(Math.log2(size)) : size;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
