import { requireSame, requireThat } from './client.ts';
import { Exchange } from './exchange.ts';
import type { Form } from './exchange.ts';
import { RowFailure } from './terms.ts';
import { isObject, same, show } from './shape.ts';
import type { Message } from './shape.ts';

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const NO_METHOD = -32601;
export const INVALID_PARAMS = -32602;

export const VALUES: Form = { what: 'JSON', fits: () => true };

/** What no server has. */
export const UNKNOWN = 'wsk_no_such_method';

/** One connection that speaks JSON-RPC 2.0. */
export abstract class RpcPeer extends Exchange<unknown> {
  /** The server answers a request. */
  abstract lives(): Promise<void>;

  /** The next response, or list of responses; requests of the server go by. */
  async answer(what: string): Promise<unknown> {
    return await this.take(what, isAnswer);
  }

  /** The response to what has an id. */
  async ask(message: Message): Promise<Message> {
    this.send(message);
    return await this.answerTo(message['id']);
  }

  async answerTo(id: unknown): Promise<Message> {
    const found = await this.take(
      `a response with id ${show(id)}`,
      (seen) => isObject(seen) && isAnswer(seen) && same(seen['id'], id),
    );
    return responseIn(found);
  }

  /** No response came before that to a later request. */
  async nothing(): Promise<void> {
    await this.lives();
    const more = this.unread.find(isAnswer);
    if (more !== undefined) throw new RowFailure(`got ${show(more)}, expected nothing`);
  }
}

export function isAnswer(message: unknown): boolean {
  return !isObject(message) || !Object.hasOwn(message, 'method');
}

/** A response of the form that section 5 of the specification gives it. */
export function responseIn(message: unknown): Message {
  if (!isObject(message)) throw new RowFailure(`got ${show(message)}, expected a response object`);
  requireSame(message['jsonrpc'], '2.0', `"jsonrpc" of ${show(message)}`);
  requireThat(Object.hasOwn(message, 'id'), `got ${show(message)}: it has no id`);
  requireThat(
    Object.hasOwn(message, 'result') !== Object.hasOwn(message, 'error'),
    `got ${show(message)}, expected either a result or an error`,
  );
  return message;
}

export function requireError(message: Message, codes: readonly number[]): void {
  const { error } = message;
  const code = isObject(error) ? error['code'] : undefined;
  requireThat(
    codes.some((expected) => expected === code),
    `got ${show(message)}, expected error ${codes.join(' or ')}`,
  );
}
