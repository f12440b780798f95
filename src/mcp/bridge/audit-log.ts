const LOG_LEVELS = ['debug', 'info', 'none'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** Who did what, as JSON lines without what was said: lines of one turn are written together. */
export class AuditLog {
  readonly #write: (text: string) => void;
  readonly #level: number;
  #lines = '';
  /** When the first of the lines was logged. */
  #time = '';

  constructor(write: (text: string) => void, level: LogLevel) {
    this.#write = write;
    this.#level = LOG_LEVELS.indexOf(level);
  }

  /** Whether `info` writes anything. */
  get hasInfo(): boolean {
    return this.#level <= 1;
  }

  info(event: string, fields: object = {}): void {
    this.#add(1, event, fields);
  }

  debug(event: string, fields: object = {}): void {
    this.#add(0, event, fields);
  }

  flush(): void {
    if (this.#lines !== '') this.#write(this.#lines);
    this.#lines = '';
  }

  #add(level: number, event: string, fields: object): void {
    if (level < this.#level) return;
    if (this.#lines === '') {
      this.#time = new Date().toISOString();
      setImmediate(() => this.flush());
    }
    this.#lines += `${JSON.stringify({ time: this.#time, event, ...fields })}\n`;
  }
}
