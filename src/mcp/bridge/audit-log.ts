const LOG_LEVELS = ['debug', 'info', 'none'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** Who did what, as JSON lines without what was said: lines of one turn are written together. */
export class AuditLog {
  readonly #write: (text: string) => void;
  readonly #level: number;
  #lines = '';

  constructor(write: (text: string) => void, level: LogLevel) {
    this.#write = write;
    this.#level = LOG_LEVELS.indexOf(level);
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
    if (this.#lines === '') setImmediate(() => this.flush());
    this.#lines += `${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`;
  }
}
