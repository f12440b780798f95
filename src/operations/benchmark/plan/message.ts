import { invalidInput } from '../../../core/errors.ts';
import type { UsageError } from '../../../core/errors.ts';
import type { MessagePlan } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';
import { readInputFile } from '../../../core/input-file.ts';

const DEFAULT_BYTES = 32;

/** Bytes of one message: a worker holds several copies in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

const EXPECTED = 'expected bytes up to 67108864, uniform:MIN-MAX, or a file';

/**
 * The message of `--size`, `--text` and `--binary`.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT or WSK_ERR_FILE_NOT_READABLE.
 */
export async function messageOf(
  { size, text }: Pick<BenchmarkInput, 'size' | 'text'>,
  cwd: string,
): Promise<MessagePlan> {
  return { opcode: text ? 1 : 2, size: await sizeOf(size, { text, cwd }) };
}

async function sizeOf(
  size: string | undefined,
  { text, cwd }: { text: boolean; cwd: string },
): Promise<MessagePlan['size']> {
  if (size === undefined) return { kind: 'fixed', bytes: DEFAULT_BYTES };
  const uniform = /^uniform:(\d+)-(\d+)$/.exec(size);
  if (uniform !== null) {
    const [min, max] = [Number(uniform[1]), Number(uniform[2])];
    if (min > max || max > MAX_BYTES) throw invalidSize(size, EXPECTED);
    return { kind: 'uniform', min, max };
  }
  if (/^\d+$/.test(size)) {
    if (Number(size) > MAX_BYTES) throw invalidSize(size, EXPECTED);
    return { kind: 'fixed', bytes: Number(size) };
  }
  if (size.startsWith('uniform:') || /^-?[\d.]+$/.test(size)) throw invalidSize(size, EXPECTED);
  const bytes = await readInputFile(size, { cwd, flag: '--size', hint: EXPECTED });
  if (bytes.length > MAX_BYTES)
    throw invalidSize(size, `a file of ${bytes.length} bytes, ${EXPECTED}`);
  // RFC 6455 section 8.1: a peer fails the connection when a text is not UTF-8.
  if (text && !isUtf8(bytes)) throw invalidSize(size, 'which is not UTF-8: send it with --binary');
  return { kind: 'sample', base64: bytes.toString('base64') };
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function invalidSize(size: string, expected: string): UsageError {
  return invalidInput(`--size is ${JSON.stringify(size)}, ${expected}`);
}
