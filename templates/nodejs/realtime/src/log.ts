import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { pino, stdTimeFunctions } from 'pino';
import type { Logger } from 'pino';

export type Level = 'info' | 'warn' | 'error';

/** What terminals obey and JSON leaves as it is: DEL, C1 controls, line ends, direction of writing. */
const UNPRINTABLE = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** A token, wherever it came from: in the text of some error, say. */
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g;
/** Fields that are never written. */
const SECRETS = ['token', 'ticket', 'secret', 'password', 'authorization', 'cookie'];
/** Characters that wait to be written; what comes on top is lost, so that nobody waits for the log. */
const MAX_WAITING = 1_048_576;

let logger: Logger | undefined;
let output: Writable | undefined;

/** From now on lines go to `to`, by default standard output; before, as in most tests, nowhere. */
export function openLog(to: Writable = openOutput()): void {
  output = to;
  logger = createLog(output);
}

/**
 * Writes one JSON line. Fields are facts about connections; message contents and credentials never go in
 * here.
 */
export function log(level: Level, event: string, fields: Record<string, unknown> = {}): void {
  logger?.[level](fields, event);
}

/** Waits until the last lines are written, `milliseconds` at most. */
export async function flushLog(milliseconds = 500): Promise<void> {
  const end = performance.now() + milliseconds;
  while ((output?.writableLength ?? 0) > 0 && output?.destroyed === false) {
    if (performance.now() > end) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A log whose lines go to `to`, for as long as it takes them. */
export function createLog(to: Writable): Logger {
  const destination = {
    write(line: string): void {
      if (to.destroyed || to.writableLength + line.length > MAX_WAITING) return;
      to.write(line.replace(TOKEN, '[redacted]').replace(UNPRINTABLE, escapeUnit));
    },
  };
  const options = {
    base: null,
    messageKey: 'event',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
  };
  return pino(options, destination);
}

/** Standard output; neither a reader that stands still nor a full disk blocks or ends the process. */
function openOutput(): Writable {
  const stats = fstatSync(1);
  if (stats.isFIFO() || stats.isSocket()) {
    const pipe = new Socket({ fd: 1, readable: false, writable: true });
    pipe.on('error', () => undefined);
    return pipe.unref();
  }
  return new Writable({
    write(chunk: Buffer, _, done) {
      // A line that finds no space is lost; the next one may find some.
      write(1, chunk, () => {
        done();
      });
    },
  });
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
