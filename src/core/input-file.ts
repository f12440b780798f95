import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { resolve } from 'node:path';
import { UsageError } from './errors.ts';

/** Bytes of an input file that are read; every kind of input is far smaller. */
const LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of an input file or pipe, at most 64 MiB.
 *
 * Throws `UsageError` WSK_ERR_FILE_NOT_READABLE, which names `flag`.
 */
export async function readInputFile(
  file: string,
  { cwd, flag, hint }: { cwd: string; flag: string; hint?: string },
): Promise<Buffer> {
  try {
    return await readStream(resolve(cwd, file));
  } catch (cause) {
    throw new UsageError(
      'WSK_ERR_FILE_NOT_READABLE',
      `${flag} is ${JSON.stringify(file)}, which cannot be read (${reasonOf(cause)})`,
      { cause, ...(hint !== undefined && { hint }) },
    );
  }
}

/** Why a file cannot be read: the system's code, or our own words. */
export function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code ?? message;
}

/** Milliseconds a pipe may rest. */
const PIPE_IDLE_MS = 10_000;

/** A pipe is read through the event loop, which a signal interrupts; anything else at once. */
async function readStream(file: string): Promise<Buffer> {
  const stats = await stat(file);
  if (!stats.isFIFO()) return readRegularFile(file);
  const pieces: Buffer[] = [];
  let length = 0;
  // Without O_NONBLOCK opening a pipe would wait for its writer, and nothing could end that.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.setTimeout(PIPE_IDLE_MS, () => {
    pipe.destroy(new Error(`nothing was written to it for ${PIPE_IDLE_MS / 1000} s`));
  });
  for await (const piece of pipe) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length > LIMIT_BYTES) throw tooLarge(LIMIT_BYTES);
  }
  return Buffer.concat(pieces, length);
}

const PIECE_BYTES = 64 * 1024;

/**
 * The bytes of a regular file, at most `limitBytes`, read at once. Never waits: a pipe or a device,
 * which may have no end, is refused. Throws the system's error, or one that says why.
 */
export function readRegularFile(file: string, limitBytes = LIMIT_BYTES): Buffer {
  // Without O_NONBLOCK opening a pipe would wait for its writer.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (stats.isDirectory()) throw new Error('it is a folder');
    if (!stats.isFile()) throw new Error('it is no regular file');
    // Files of /proc have no size, and a file may grow while it is read.
    const pieces: Buffer[] = [];
    for (let length = 0; length <= limitBytes;) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      const read = readSync(descriptor, piece);
      if (read === 0) return Buffer.concat(pieces, length);
      pieces.push(piece.subarray(0, read));
      length += read;
    }
    throw tooLarge(limitBytes);
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(limitBytes: number): Error {
  const limit = limitBytes < 1024 * 1024 ? `${limitBytes >> 10} KiB` : `${limitBytes >> 20} MiB`;
  return new Error(`it is larger than ${limit}`);
}
