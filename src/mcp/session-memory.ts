import { isRequest, paramsOf } from './json-rpc.ts';
import type { JsonRpcMessage, JsonRpcRequest } from './json-rpc.ts';

/** What a client has said that a new session with its server needs again. */
export class SessionMemory {
  initialize: JsonRpcRequest | undefined;
  initialized: JsonRpcMessage | undefined;
  readonly #effects = new Map<string, JsonRpcRequest>();

  /** Requests whose effect ends with a session: the log level, each subscription. */
  get effects(): JsonRpcRequest[] {
    return [...this.#effects.values()];
  }

  /** To be called with each message of the client. */
  note(message: JsonRpcMessage): void {
    if (message.method === 'notifications/initialized') this.initialized = message;
    if (!isRequest(message)) return;
    const { method } = message;
    if (method === 'initialize') this.initialize = message;
    if (method === 'logging/setLevel') this.#effects.set('level', message);
    if (method !== 'resources/subscribe' && method !== 'resources/unsubscribe') return;
    const uri = `uri ${String(paramsOf(message)['uri'])}`;
    if (method === 'resources/subscribe') this.#effects.set(uri, message);
    else this.#effects.delete(uri);
  }
}
