import type { Readable } from 'node:stream';

/** Keeps the last `limitBytes` of a command's output for the error message. */
export class OutputTail {
  readonly #limitBytes: number;
  #text = '';

  constructor(limitBytes = 4096) {
    this.#limitBytes = limitBytes;
  }

  follow(stream: Readable | null): void {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      this.#text = (this.#text + text).slice(-this.#limitBytes);
    });
  }

  /** The last `count` lines that are not empty. */
  lines(count: number): readonly string[] {
    return this.#text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-count);
  }
}
