import { isRequest, isResponse } from '../json-rpc.ts';
import type { JsonRpcMessage, RequestId } from '../json-rpc.ts';
import type { Session, Upstream } from './session.ts';
import { Worker } from './worker.ts';
import type { WorkerOptions } from './worker.ts';

/** A child that belongs to one session: messages pass as they are. */
export class PrivateUpstream implements Upstream {
  readonly #worker: Worker;
  /** Requests of the child that the client has not answered. */
  readonly #asked = new Set<RequestId>();
  #session: Session | undefined;

  constructor(options: WorkerOptions) {
    this.#worker = new Worker(options, {
      message: (message, text) => {
        if (isRequest(message)) this.#asked.add(message.id);
        this.#session?.send(message, text);
      },
      died: (how) => {
        // The next child asks under the same ids, and must not get these answers.
        for (const requestId of this.#asked) {
          const params = { requestId };
          this.#session?.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
        }
        this.#asked.clear();
        this.#session?.failCalls(`the MCP server ended (${how})`);
      },
      failed: (how) => {
        this.#session?.failCalls(`the MCP server ended (${how})`);
        this.#session?.end(1011, 'the MCP server ends again and again');
      },
      drained: () => this.#session?.drained(),
    });
  }

  get isFull(): boolean {
    return this.#worker.isFull;
  }

  send(session: Session, message: JsonRpcMessage, text: string): void {
    this.#session = session;
    if (isResponse(message) && !this.#asked.delete(message.id)) return;
    // JSON may hold line breaks between its tokens; on standard input they end a message.
    this.#worker.send(message, text.replace(/[\r\n]+/g, ' '));
  }

  pause(): boolean {
    this.#worker.pause();
    return true;
  }

  resume(): void {
    this.#worker.resume();
  }

  leave(): Promise<void> {
    return this.#worker.stop();
  }
}
