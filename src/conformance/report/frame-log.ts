import { explainCloseCode, Opcode, opcodeName } from '../../protocol/index.ts';
import type { CaseResult, Clip, LogRow, RunOptions } from '../result.ts';
import { describePayload } from '../describe-event.ts';
import { findFailingBytes, type FrameRow, type FailingBytes } from './failing-byte.ts';
import { printable } from '../../report/printable.ts';
import { headerHex, rebuildFrames, wholePayload } from './rebuild-frames.ts';

/** A line of the frame log. */
export interface LogLine {
  readonly direction: 'out' | 'in' | 'timer';
  /** Since the start of the case, in whole milliseconds. */
  readonly ms: number;
  readonly kind: string;
  /** Unusual header fields: `fin 0`, `rsv 100`. */
  readonly flags?: string;
  readonly text: string;
  /** The bytes of the frame in which the exchange went wrong. */
  readonly dump?: Dump;
}

/** The header as sent and the payload unmasked, both in hex. */
export interface Dump {
  readonly header: string;
  readonly payload: string;
  /** How many bytes of payload are left out after `payload`. */
  readonly more: number;
  /** First failing byte, counted from the start of the header, and how many follow it. */
  readonly at: number;
  readonly length: number;
  /** What is wrong with them. */
  readonly text: string;
}

export interface FrameLog {
  readonly lines: readonly LogLine[];
  /** How many lines are left out, and in front of which line of `lines`. */
  readonly omitted: number;
  readonly gap: number;
}

/** Lines kept of the start and of the end of a log, and of payload in a dump. */
const FIRST_LINES = 24;
const LAST_LINES = 12;
const DUMP_BYTES = 160;

/**
 * Makes the log of a case readable: frames instead of octets, timers, and the bytes of the frame
 * in which the exchange went wrong.
 */
export function frameLog(result: CaseResult, role: RunOptions['role']): FrameLog {
  const rows = rebuildFrames(result.log).filter(({ kind }) => kind !== 'logging');
  const frames = rows.filter((row) => row.kind === 'frame');
  const failing = findFailingBytes(result, frames, role);
  const at = failing === undefined ? -1 : rows.indexOf(failing.frame);
  const lines = rows.map((row, index) =>
    failing !== undefined && index === at
      ? { ...describeRow(row), dump: dumpOf(failing, result.log) }
      : describeRow(row),
  );
  return cut(lines, at);
}

/** Leaves out the middle of a long log, except line `at`. */
function cut(lines: readonly LogLine[], at: number): FrameLog {
  const omitted = lines.length - FIRST_LINES - LAST_LINES;
  if (omitted <= 1) return { lines, omitted: 0, gap: 0 };
  const tail = lines.length - LAST_LINES;
  const kept = lines.filter((_, index) => index < FIRST_LINES || index === at || index >= tail);
  return { lines: kept, omitted: lines.length - kept.length, gap: kept.length - LAST_LINES };
}

function describeRow(row: LogRow): LogLine {
  const ms = Math.round(row.atMs);
  switch (row.kind) {
    case 'frame':
      return { ms, ...describeFrameRow(row) };
    case 'octets':
      return {
        direction: row.direction === 'sent' ? 'out' : 'in',
        ms,
        kind: 'bytes',
        text: describePayload(row.octets, true),
      };
    case 'wait':
      return {
        direction: 'timer',
        ms,
        kind: row.expired ? 'waited' : 'wait',
        text: row.expired ? printable(row.tag) : `${row.delayS} s, ${printable(row.tag)}`,
      };
    case 'timer':
      return {
        direction: 'timer',
        ms,
        kind: row.expired ? 'time is up' : 'time limit',
        text: `${row.timer === 'kill' ? 'fail' : 'close'} the connection ${row.expired ? 'now' : `in ${row.delayS} s`}`,
      };
    case 'logging':
      return { direction: 'timer', ms, kind: 'log', text: row.enabled ? 'on' : 'off' };
  }
}

function describeFrameRow(row: FrameRow): Omit<LogLine, 'ms'> {
  const { direction, opcode, fin, rsv, chopBytes } = row;
  const payload = wholePayload(row);
  const flags = [
    ...(fin ? [] : ['fin 0']),
    ...(rsv === 0 ? [] : [`rsv ${rsv.toString(2).padStart(3, '0')}`]),
    ...(chopBytes === null ? [] : [`in pieces of ${chopBytes}`]),
  ];
  return {
    direction: direction === 'sent' ? 'out' : 'in',
    kind: opcodeName(opcode),
    ...(flags.length === 0 ? {} : { flags: flags.join(', ') }),
    text: opcode === Opcode.close ? closeText(payload) : describePayload(payload, isBinary(row)),
  };
}

function isBinary({ opcode, rsv }: FrameRow): boolean {
  return opcode === Opcode.binary || rsv === 4;
}

function closeText(payload: Clip): string {
  if (payload.length < 2) return describePayload(payload, true);
  const code = Number.parseInt(payload.hex.slice(0, 4), 16);
  const reason = { length: payload.length - 2, hex: payload.hex.slice(4) };
  return `${code} ${explainCloseCode(code)}${reason.length === 0 ? '' : ` ${describePayload(reason, false)}`}`;
}

function dumpOf({ frame, at, length, text }: FailingBytes, log: readonly LogRow[]): Dump {
  const payload = wholePayload(frame);
  const shown = payload.hex.slice(0, 2 * Math.max(DUMP_BYTES, at + length));
  return {
    header: headerHex(frame, log),
    payload: shown,
    more: payload.length - shown.length / 2,
    at,
    length,
    text,
  };
}
