import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { INTERNAL_ERROR, errorReply, parseMessage } from '../json-rpc.ts';
import type { JsonRpcMessage } from '../json-rpc.ts';

export interface ChildHandlers {
  message(message: JsonRpcMessage, text: string): void;
  /** A line on standard output that is no message. */
  garbage(bytes: number): void;
  /** Standard input has space again. */
  drained(): void;
  /**
   * `errors`: the last it wrote on standard error. It is part of `how` unless it may hold what a client
   * sent: nothing more than how it began to speak.
   */
  exited(how: string, errors: string): void;
}

/** A line that is longer ends the child: it would have to be held in memory whole. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const TOO_LONG = `it wrote a line of more than ${MAX_LINE_BYTES} bytes`;
/** How much of the standard error of a child is kept, to say why it ended. */
const KEPT_ERRORS = 500;
/** Characters that are not held back until the end of the turn. */
const LARGE_WRITE = 64 * 1024;
/** Time between closing a child's standard input, SIGTERM and SIGKILL. */
const PATIENCE_MS = 2000;
/** Time that output may still come in from descendants when the child itself has ended. */
const LAST_OUTPUT_MS = 200;

/** A running MCP server that speaks on its standard input and output. */
export class Child {
  readonly pid: number | undefined;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #handlers: ChildHandlers;
  readonly #closed: Promise<void>;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #errors = '';
  /** Whether it was told what it may not repeat in the log. */
  #isTold = false;
  #tooLong = false;
  #ended = false;
  /** What is written at the end of this turn, in one piece. */
  #unwritten = '';

  constructor(command: string, handlers: ChildHandlers) {
    this.#handlers = handlers;
    // In a group of its own, as a shell or npx would leave the server behind when it is ended.
    const detached = process.platform !== 'win32';
    this.#child = spawn(command, { shell: true, detached, windowsHide: true });
    const { stdin, stdout, stderr } = this.#child;
    this.pid = this.#child.pid;
    stdin.on('error', () => undefined);
    stdin.on('drain', () => handlers.drained());
    stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT_ERRORS);
    });
    this.#closed = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#ended) return;
        this.#ended = true;
        this.#kill('SIGKILL');
        resolve();
        const errors = this.#errors.trim();
        const why = errors === '' || this.#isTold ? how : `${how}: ${errors}`;
        handlers.exited(why, errors);
      };
      this.#child.on('error', ({ message }) => end(message));
      this.#child.on('exit', (code, signal) => {
        const cause = signal === null ? `exit code ${code}` : `signal ${signal}`;
        const how = this.#tooLong ? `${cause}: ${TOO_LONG}` : cause;
        const timer = setTimeout(() => end(how), LAST_OUTPUT_MS);
        this.#child.on('close', () => {
          clearTimeout(timer);
          end(how);
        });
      });
    });
  }

  /** Whether the child has to read first what was sent. */
  get isFull(): boolean {
    return this.#child.stdin.writableNeedDrain;
  }

  /** `isOpening`: it asks for no more than what the child is. */
  send(text: string, isOpening = false): void {
    if (!isOpening) this.#isTold = true;
    if (this.#unwritten === '') process.nextTick(() => this.#write());
    this.#unwritten += `${text}\n`;
    // A turn may bring more than a pipe takes.
    if (this.#unwritten.length > LARGE_WRITE) this.#write();
  }

  #write(): void {
    const text = this.#unwritten;
    this.#unwritten = '';
    if (text !== '' && !this.#child.stdin.writableEnded) this.#child.stdin.write(text);
  }

  /** Reads nothing more of its output, so that it has to wait. */
  pause(): void {
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#child.stdout.resume();
  }

  /** Ends the child: politely first. */
  async stop(): Promise<void> {
    this.#write();
    this.#child.stdin.end();
    this.resume();
    const timers = [
      setTimeout(() => this.#kill('SIGTERM'), PATIENCE_MS),
      setTimeout(() => this.#kill('SIGKILL'), 2 * PATIENCE_MS),
    ];
    await this.#closed;
    for (const timer of timers) clearTimeout(timer);
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#child.kill(signal);
      else process.kill(-this.pid, signal);
    } catch {
      // It is gone.
    }
  }

  #take(chunk: Buffer): void {
    const last = chunk.lastIndexOf(10);
    if (last >= 0) {
      const end = chunk.subarray(0, last);
      const lines = this.#lineBytes === 0 ? end : Buffer.concat([...this.#line, end]);
      this.#line = [];
      this.#lineBytes = 0;
      // All at once: to decode each line for itself costs as much as to parse it.
      for (const line of lines.toString().split('\n')) this.#takeLine(line);
    }
    if (last + 1 === chunk.length) return;
    this.#line.push(chunk.subarray(last + 1));
    this.#lineBytes += chunk.length - last - 1;
    if (this.#lineBytes <= MAX_LINE_BYTES) return;
    this.#errors = '';
    this.#tooLong = true;
    this.#kill('SIGKILL');
  }

  #takeLine(line: string): void {
    const text = line.trim();
    if (text === '') return;
    const parsed = parseMessage(text);
    if (parsed.message !== undefined) {
      this.#handlers.message(parsed.message, text);
      return;
    }
    this.#handlers.garbage(Buffer.byteLength(line));
    const { id, asks, reason } = parsed;
    if (id === null || asks) return;
    // Somebody waits for this response.
    const reply = errorReply(id, INTERNAL_ERROR, `the answer of the MCP server is none: ${reason}`);
    this.#handlers.message(reply, JSON.stringify(reply));
  }
}
