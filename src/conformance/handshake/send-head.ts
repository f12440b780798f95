import type { Wire } from '../../transport/index.ts';
import { encodeHead } from './head-draft.ts';
import type { HeadDraft } from './head-draft.ts';
import type { Opening, Pieces } from '../script.ts';
import type { Conn } from '../wire/connection.ts';

/** Milliseconds a peer may leave a head unread. */
const STALL_MS = 2000;

const CHUNK_BYTES = 64 * 1024;

/** Writes a head as the case wants it: cut, with frames behind it, or without an end. */
export async function sendHead(
  draft: HeadDraft,
  { opening, wire, conn }: { opening: Opening; wire: Wire; conn: Conn },
): Promise<void> {
  const { endless, early = [], pieces } = opening;
  const head = encodeHead(draft);
  if (endless !== undefined) {
    // Without the empty line that would end the head.
    await writeEndless(wire, head.subarray(0, -2), endless);
    return;
  }
  const frames = early.map((frame) => conn.encode(frame));
  await writePieces(wire, Buffer.concat([head, ...frames]), pieces);
}

async function writeEndless(
  wire: Wire,
  head: Buffer,
  { line, bytes }: NonNullable<Opening['endless']>,
): Promise<void> {
  const lines = Buffer.from(`${line}\r\n`.repeat(Math.ceil(CHUNK_BYTES / (line.length + 2))));
  await wire.write([head], STALL_MS);
  for (let sent = 0; sent < bytes && !wire.ended; sent += lines.length) {
    if (!(await wire.write([lines], STALL_MS))) return;
  }
}

async function writePieces(wire: Wire, bytes: Buffer, pieces: Pieces | undefined): Promise<void> {
  const size = pieces?.bytes ?? bytes.length;
  for (let at = 0; at < bytes.length; at += size) {
    if (at > 0) await new Promise((resolve) => setTimeout(resolve, pieces?.gapMs));
    if (!(await wire.write([bytes.subarray(at, at + size)], STALL_MS))) return;
  }
}
