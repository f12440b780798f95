import colors from 'picocolors';
import type { Progress, ProgressPart } from '../core/operation.ts';
import { redact } from '../core/redact.ts';
import { printable } from '../report/printable.ts';

const QUIET_MS = 1000;
/** A list of parts is shown sooner and updated more often, as people watch it. */
const PARTS_MS = 150;
/** Between two plain lines that replace a picture, as in a log. */
const PICTURE_MS = 5000;
const BAR_WIDTH = 20;

/** Where progress is written; a terminal gets lines that change, anything else plain lines. */
interface Sink {
  readonly isTTY?: boolean;
  /** Size of the terminal. */
  readonly rows?: number;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Prints progress once an operation has run for a second, at most once a second.
 *
 * Progress with parts is a list on a terminal, if it is high enough, and elsewhere a line for each
 * part that is done. Progress with lines is a picture on a terminal and elsewhere a line for each
 * few seconds.
 */
export class ProgressPrinter {
  readonly #sink: Sink;
  readonly #now: () => number;
  #last: number;
  #lastPicture: number;
  #lineOpen = false;
  /** Lines of the list on the terminal, under which the cursor stands. */
  #listLines = 0;
  readonly #partsDone = new Set<string>();

  constructor(sink: Sink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
    this.#last = now();
    this.#lastPicture = now();
  }

  readonly emit = (progress: Progress): void => {
    const { parts, lines } = progress;
    if (progress.event === true) {
      this.end();
      this.#sink.write(`… ${summarize(progress)}\n`);
      return;
    }
    if (lines !== undefined) {
      this.#drawPicture(progress, lines);
      return;
    }
    if (parts !== undefined && this.#sink.isTTY !== true) this.#printParts(parts);
    const asList = parts !== undefined && this.#hasRoomFor(parts.length + 1);
    if (this.#now() - this.#last < (asList ? PARTS_MS : QUIET_MS)) return;
    this.#last = this.#now();
    const text = summarize(progress);
    if (asList) {
      this.#drawList([`… ${text}`, ...parts.map(partLine)]);
    } else if (this.#sink.isTTY === true) {
      this.#eraseList();
      this.#sink.write(`\r\u001b[2K… ${text}`);
      this.#lineOpen = true;
    } else {
      this.#sink.write(`… ${text}\n`);
    }
  };

  /** Removes what changes before the report is printed. */
  end(): void {
    this.#closeLine();
    this.#eraseList();
  }

  #eraseList(): void {
    if (this.#listLines > 0) this.#sink.write(eraseLines(this.#listLines));
    this.#listLines = 0;
  }

  #drawPicture(progress: Progress, lines: (columns: number) => readonly string[]): void {
    const { isTTY } = this.#sink;
    // A terminal that does not know its size says 0.
    const [rows, columns] = [this.#sink.rows || 24, this.#sink.columns || 80];
    // The operation decides how often; the first picture is drawn at once.
    if (isTTY === true) {
      const room = Math.max(1, rows - 1);
      this.#closeLine();
      this.#drawList(lines(columns).slice(0, room));
    } else if (this.#now() - this.#lastPicture >= PICTURE_MS) {
      this.#lastPicture = this.#now();
      this.#sink.write(`… ${summarize(progress)}\n`);
    }
  }

  #closeLine(): void {
    if (this.#lineOpen) this.#sink.write('\r\u001b[2K');
    this.#lineOpen = false;
  }

  #hasRoomFor(lines: number): boolean {
    const { isTTY, rows = 24, columns = 80 } = this.#sink;
    return isTTY === true && lines < rows && columns >= WIDEST_LINE;
  }

  #drawList(lines: readonly string[]): void {
    const erase = this.#listLines > 0 ? eraseLines(this.#listLines) : '';
    this.#sink.write(`${erase}${lines.join('\n')}\n`);
    this.#listLines = lines.length;
  }

  /** Without a terminal: a line for each part as soon as it is done. */
  #printParts(parts: readonly ProgressPart[]): void {
    for (const { name, done, total, failed } of parts) {
      if (done < total || this.#partsDone.has(name)) continue;
      this.#partsDone.add(name);
      this.#sink.write(
        `… ${printable(name)}: ${done}${failed === 0 ? '' : `, ${failed} failed`}\n`,
      );
    }
  }
}

function summarize({ stage: unsafe, done, total }: Progress): string {
  const stage = printable(redact(unsafe));
  if (done === undefined) return stage;
  return `${stage} ${done}${total === undefined ? '' : `/${total}`}`;
}

/** Names are cut, as a line that wraps would be two when it is erased. */
const NAME_WIDTH = 28;
const WIDEST_LINE = 2 + NAME_WIDTH + 1 + BAR_WIDTH + 12 + 14;

function partLine({ name, done, total, failed }: ProgressPart): string {
  const filled = total === 0 ? BAR_WIDTH : Math.round((BAR_WIDTH * done) / total);
  const bar = `${'█'.repeat(filled)}${colors.dim('░'.repeat(BAR_WIDTH - filled))}`;
  const label = printable(name).slice(0, NAME_WIDTH).padEnd(NAME_WIDTH);
  const count = `${done}/${total}`.padStart(10);
  return `  ${label} ${bar}${count}${failed === 0 ? '' : `  ${colors.red(`${failed} failed`)}`}`;
}

/** Goes to the start of the list and clears everything below. */
function eraseLines(lines: number): string {
  return `\u001b[${lines}F\u001b[J`;
}
