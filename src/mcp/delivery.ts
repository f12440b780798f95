import type { JsonRpcMessage } from './json-rpc.ts';

/**
 * Hands messages on in order, and what follows progress a turn of the event loop later: the SDKs take
 * a response at once but a notification after it, so that progress which comes together with its
 * response would be lost.
 */
export class Delivery {
  readonly #deliver: (message: JsonRpcMessage) => void;
  readonly #waiting: JsonRpcMessage[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(deliver: (message: JsonRpcMessage) => void) {
    this.#deliver = deliver;
  }

  push(message: JsonRpcMessage): void {
    this.#waiting.push(message);
    if (this.#turn === undefined) this.#next();
  }

  /** Delivers all that waits, at once: nothing comes after it. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    for (const message of this.#waiting.splice(0)) this.#deliver(message);
  }

  #next(): void {
    this.#turn = undefined;
    for (;;) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#deliver(message);
      if (message.method === 'notifications/progress') {
        this.#turn = setImmediate(() => this.#next());
        return;
      }
    }
  }
}
