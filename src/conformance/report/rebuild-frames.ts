import { encodeFrame, mask } from '../../protocol/index.ts';
import { clip, type Clip, type LogRow } from '../result.ts';
import type { FrameRow } from './failing-byte.ts';

type OctetsRow = Extract<LogRow, { kind: 'octets' }>;

/**
 * Turns the log of a connection into frames: octets that a frame row accounts for are left out,
 * and the pieces of a frame that was written one after the other (6.4.3, 6.4.4) become its payload.
 */
export function rebuildFrames(log: readonly LogRow[]): LogRow[] {
  const frames = log.filter((row) => row.kind === 'frame');
  const loose = log
    .filter((row) => row.kind === 'octets')
    .filter((row) => !frames.some((frame) => isPartOf(row, frame)));
  const pieces = new Map<LogRow, LogRow>();
  const rebuilt = new Map(
    frames.map((frame) => [frame, withPieces(frame, loose, pieces)] as const),
  );
  return log.flatMap((row): LogRow[] => {
    if (row.kind === 'frame') return [rebuilt.get(row) ?? row];
    if (row.kind !== 'octets') return [row];
    return loose.includes(row) ? [pieces.get(row) ?? row] : [];
  });
}

function isPartOf({ direction, offset, octets }: OctetsRow, frame: FrameRow): boolean {
  return (
    direction === frame.direction && frame.offset < offset + octets.length && offset < endOf(frame)
  );
}

function endOf({ offset, headerBytes, payload, repeatTo }: FrameRow): number {
  return offset + headerBytes + (repeatTo ?? payload.length);
}

/** Adds what was sent right behind `frame`, unmasked; `pieces` gets each of the pieces unmasked. */
function withPieces(
  frame: FrameRow,
  loose: readonly OctetsRow[],
  pieces: Map<LogRow, LogRow>,
): FrameRow {
  const start = endOf(frame);
  let payload = Buffer.alloc(0);
  for (const row of loose) {
    if (row.direction !== 'sent' || frame.direction !== 'sent') continue;
    if (row.offset !== start + payload.length) continue;
    const bytes = Buffer.from(row.octets.hex, 'hex');
    if (frame.maskingKey !== null) {
      mask(bytes, Buffer.from(frame.maskingKey, 'hex'), payload.length);
    }
    pieces.set(row, { ...row, octets: clip(bytes, row.octets.length) });
    payload = Buffer.concat([payload, bytes]);
  }
  return payload.length === 0 ? frame : { ...frame, payload: clip(payload) };
}

/** The payload of a frame as it went over the wire, where the log keeps only the unit repeated. */
export function wholePayload({ payload, repeatTo }: FrameRow): Clip {
  if (repeatTo === null || payload.length === 0) return payload;
  const unit = Buffer.from(payload.hex, 'hex');
  const head = Buffer.alloc(Math.min(repeatTo, CLIPPED_UNITS * unit.length), unit);
  return clip(head, repeatTo);
}

/** Enough repeated units to fill a clip. */
const CLIPPED_UNITS = 256;

/** The header of `frame` in hex: from the octets of the log, else made again from its fields. */
export function headerHex(frame: FrameRow, log: readonly LogRow[]): string {
  const { opcode, fin, rsv, maskingKey, headerBytes, payload, repeatTo } = frame;
  for (const row of log) {
    if (row.kind !== 'octets' || row.direction !== frame.direction) continue;
    const at = 2 * (frame.offset - row.offset);
    const hex = at < 0 ? '' : row.octets.hex.slice(at, at + 2 * headerBytes);
    if (hex.length === 2 * headerBytes) return hex;
  }
  const lengthBytes = headerBytes - 2 - (maskingKey === null ? 0 : 4);
  return encodeFrame({
    opcode,
    fin,
    rsv1: (rsv & 4) !== 0,
    rsv2: (rsv & 2) !== 0,
    rsv3: (rsv & 1) !== 0,
    declaredLength: repeatTo ?? payload.length,
    ...(lengthBytes === 2 || lengthBytes === 8 ? { lengthBytes } : {}),
    ...(maskingKey === null ? {} : { maskingKey: Buffer.from(maskingKey, 'hex') }),
  }).toString('hex');
}
