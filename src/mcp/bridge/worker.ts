import { isResponse } from '../json-rpc.ts';
import type { JsonRpcMessage } from '../json-rpc.ts';
import { SessionMemory } from '../session-memory.ts';
import type { AuditLog } from './audit-log.ts';
import { Child } from './child.ts';

export interface WorkerHandlers {
  message(message: JsonRpcMessage, text: string): void;
  /** The child has ended, and another one is going to be started: nothing in flight is answered. */
  died(how: string): void;
  /** The child has ended too often: there is none, and none is going to be started. */
  failed(how: string): void;
  /** There is space for more. */
  drained(): void;
}

export interface WorkerOptions {
  readonly command: string;
  /** How often in a row a child that ended without an answer is started again. */
  readonly restart: number;
  readonly log: AuditLog;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;
/** What clients of either era begin with. */
const OPENING = new Set<string | undefined>(['initialize', 'server/discover']);

/** A child that is started with the first message, and again when it ends. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #handlers: WorkerHandlers;
  readonly #memory = new SessionMemory();
  #child: Child | undefined;
  /** Whether the child has been told what the one before it knew. */
  #isReady = false;
  #queue: { message: JsonRpcMessage; text: string }[] = [];
  #initializedBefore = false;
  #attempts = 0;
  #starts = 0;
  #paused = false;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: WorkerOptions, handlers: WorkerHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  get isFull(): boolean {
    return this.#starts > 0 && (!this.#isReady || this.#child?.isFull === true);
  }

  send(message: JsonRpcMessage, text: string): void {
    if (this.#ended) return;
    if (this.#starts === 0) this.#start();
    if (this.#isReady) this.#pass(message, text);
    else this.#queue.push({ message, text });
  }

  pause(): void {
    this.#paused = true;
    this.#child?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#child?.resume();
  }

  async stop(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#child?.stop();
  }

  #pass(message: JsonRpcMessage, text: string): void {
    this.#memory.note(message);
    this.#child?.send(text, OPENING.has(message.method));
  }

  #start(): void {
    this.#starts += 1;
    const { command, log } = this.#options;
    const child = new Child(command, {
      message: (message, text) => {
        if (!this.#ended) this.#receive(message, text);
      },
      garbage: (bytes) => log.info('child_garbage', { pid: child.pid, bytes }),
      drained: () => this.#handlers.drained(),
      exited: (how, errors) => {
        log.info('child_exit', { pid: child.pid, how });
        if (errors !== '') log.debug('child_errors', { pid: child.pid, errors });
        this.#child = undefined;
        this.#isReady = false;
        if (!this.#ended) this.#again(how);
      },
    });
    this.#child = child;
    if (this.#paused) child.pause();
    log.info('child_start', { pid: child.pid });
    const { initialize } = this.#memory;
    if (this.#initializedBefore && initialize !== undefined) {
      child.send(JSON.stringify({ ...initialize, id: this.#ownId('initialize') }), true);
    } else {
      this.#ready();
    }
  }

  #ownId(of: string): string {
    return `restart-${this.#starts}-${of}`;
  }

  #receive(message: JsonRpcMessage, text: string): void {
    if (isResponse(message)) {
      if (message.id === this.#memory.initialize?.id && message.error === undefined) {
        this.#initializedBefore = true;
      }
      if (typeof message.id === 'string' && message.id.startsWith(this.#ownId(''))) {
        if (message.id === this.#ownId('initialize')) this.#restore();
        return;
      }
      this.#attempts = 0;
    }
    this.#handlers.message(message, text);
  }

  /** The child is initialized again: it is told the rest. */
  #restore(): void {
    const { initialized, effects } = this.#memory;
    if (initialized !== undefined) this.#child?.send(JSON.stringify(initialized));
    for (const [at, request] of effects.entries()) {
      this.#child?.send(JSON.stringify({ ...request, id: this.#ownId(String(at)) }));
    }
    this.#ready();
  }

  #ready(): void {
    this.#isReady = true;
    for (const { message, text } of this.#queue.splice(0)) this.#pass(message, text);
    if (!this.isFull) this.#handlers.drained();
  }

  #again(how: string): void {
    if (this.#attempts >= this.#options.restart) {
      this.#ended = true;
      this.#handlers.failed(how);
      return;
    }
    const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    const delayMs = Math.round(Math.random() * longest);
    this.#options.log.info('child_restart', { attempt: this.#attempts, delayMs });
    this.#timer = setTimeout(() => this.#start(), delayMs);
    this.#handlers.died(how);
  }
}
