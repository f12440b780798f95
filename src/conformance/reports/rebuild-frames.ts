import { encodeFrame, FrameDecoder } from '../../protocol/index.ts';
import { clip, type LogRow } from '../result.ts';
import type { FrameRow } from './offence.ts';

type OctetsRow = Extract<LogRow, { kind: 'octets' }>;

/**
 * Turns the log of a connection into frames: octets that a frame row already accounts for are left
 * out, and frames that were written piece by piece (6.4.3, 6.4.4) are put together from the pieces.
 */
export function rebuildFrames(log: readonly LogRow[]): LogRow[] {
  const frames = log.filter((row) => row.kind === 'frame');
  const loose = new Set(
    log.filter((row) => row.kind === 'octets').filter((row) => !isCovered(row, frames)),
  );
  const sent = rebuild([...loose].filter(({ direction }) => direction === 'sent'));
  return log.flatMap((row): LogRow[] => {
    if (row.kind !== 'octets') return [row];
    if (!loose.has(row)) return [];
    const rebuilt = sent.find(({ from }) => from === row);
    return rebuilt === undefined ? [row] : [rebuilt.frame, row];
  });
}

function isCovered(row: OctetsRow, frames: readonly FrameRow[]): boolean {
  return frames.some(
    ({ direction, offset, headerBytes, payload, repeatTo }) =>
      direction === row.direction &&
      offset < row.offset + row.octets.length &&
      row.offset < offset + headerBytes + (repeatTo ?? payload.length),
  );
}

interface Rebuilt {
  /** The piece in which the frame starts. */
  readonly from: OctetsRow;
  readonly frame: FrameRow;
}

/** Decodes `pieces` as far as they are complete and follow each other without a gap. */
function rebuild(pieces: readonly OctetsRow[]): Rebuilt[] {
  const decoder = new FrameDecoder();
  const rebuilt: Rebuilt[] = [];
  let offset = pieces[0]?.offset ?? 0;
  let end = offset;
  for (const { octets, offset: start } of pieces) {
    if (start !== end || octets.hex.length !== 2 * octets.length) break;
    decoder.receive(Buffer.from(octets.hex, 'hex'));
    end += octets.length;
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const at = offset;
      const from = pieces.find((piece) => piece.offset + piece.octets.length > at);
      offset += frame.wireBytes;
      if (from === undefined) continue;
      rebuilt.push({
        from,
        frame: {
          kind: 'frame',
          atMs: from.atMs,
          direction: from.direction,
          opcode: frame.opcode,
          fin: frame.fin,
          rsv: (frame.rsv1 ? 4 : 0) | (frame.rsv2 ? 2 : 0) | (frame.rsv3 ? 1 : 0),
          masked: frame.maskingKey !== undefined,
          maskingKey: frame.maskingKey?.toString('hex') ?? null,
          payload: clip(frame.payload),
          offset: at,
          headerBytes: frame.wireBytes - frame.payload.length,
          repeatTo: null,
          chopBytes: null,
          sync: from.sync,
        },
      });
    }
  }
  return rebuilt;
}

/** The header of `frame` in hex, as it was on the wire. */
export function headerHex(frame: FrameRow): string {
  const { opcode, fin, rsv, maskingKey, headerBytes, payload, repeatTo } = frame;
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
