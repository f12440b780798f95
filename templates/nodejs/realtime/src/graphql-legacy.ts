import { MessageType, validateMessage } from 'graphql-ws';
import type { Message } from 'graphql-ws';
import { z } from 'zod';
import { Graphql, GraphqlConversation } from './graphql.ts';
import type { Conversation, Peer } from './protocol.ts';

/** Milliseconds between two `ka`: clients give up after 30 seconds without. */
const KEEP_ALIVE_MS = 10_000;

const AnyMessage = z.object({ type: z.string(), id: z.string().optional() }).loose();

/** What was called `start` and `stop` then. */
const TYPES: Readonly<Record<string, MessageType>> = {
  connection_init: MessageType.ConnectionInit,
  start: MessageType.Subscribe,
  stop: MessageType.Complete,
};

/**
 * GraphQL over the subprotocol graphql-ws, as clients spoke it before 2021:
 * https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
 */
export class LegacyGraphql extends Graphql {
  override readonly subprotocol = 'graphql-ws';

  override accept(peer: Peer): Conversation {
    return new LegacyConversation(this, peer);
  }
}

class LegacyConversation extends GraphqlConversation {
  #keepAlive: NodeJS.Timeout | undefined;

  protected override parse(text: string): Message | undefined {
    const { type, ...rest } = AnyMessage.parse(JSON.parse(text));
    if (type === 'connection_terminate') {
      this.peer.close(1000, '');
      return undefined;
    }
    const known = TYPES[type];
    if (known === undefined) throw new Error(`expected no message of type ${type}`);
    const message = validateMessage({ ...rest, type: known });
    // A second operation with the id of one takes its place.
    if (message.type === MessageType.Subscribe) this.complete(message.id);
    return message;
  }

  /** Nothing is read until it is done: clients send operations without waiting for connection_ack. */
  protected override init(message: Message): Promise<void> {
    return this.run(message);
  }

  protected override say(text: string): void {
    super.say(text);
    const keepAlive = (): void => {
      this.peer.send('{"type":"ka"}', 'ka');
    };
    keepAlive();
    this.#keepAlive = setInterval(keepAlive, KEEP_ALIVE_MS).unref();
  }

  protected override tell(id: string, type: string, rest: string): void {
    if (type === 'error') {
      const { payload } = JSON.parse(`{"id":""${rest}`) as { payload: unknown[] };
      super.tell(id, type, `,"payload":${JSON.stringify(payload[0])}}`);
    } else super.tell(id, type === 'next' ? 'data' : type, rest);
  }

  protected override end(code: number, reason: string): void {
    const text = JSON.stringify({ type: 'connection_error', payload: { message: reason } });
    this.peer.send(text, 'connection_error');
    super.end(code, reason);
  }

  override close(): void {
    clearInterval(this.#keepAlive);
    super.close();
  }
}
