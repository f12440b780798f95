import { Client } from './client.ts';
import type { ClientOptions } from './client.ts';
import type { Ack, Incoming, TopicEvent } from './messages.ts';
import type { SendOptions } from './outbox.ts';
import { Stream } from './stream.ts';
import type { StreamEvents } from './stream.ts';

export interface SubscriptionEvents<Data> extends StreamEvents {
  event: TopicEvent<Data>;
}

/** A pattern, and what is published to the topics that match it. */
export class Subscription<Data = unknown> extends Stream<SubscriptionEvents<Data>> {
  protected restore(): undefined {
    return undefined;
  }

  protected give(event: Incoming): void {
    this.emit('event', event as unknown as TopicEvent<Data>);
  }

  /** All topics with the same first segment are one sequence; others get a part of it. */
  protected override get hasEveryOffset(): boolean {
    return /^[^.]+\.#$/.test(this.name);
  }
}

const WORDS = {
  join: 'subscribe',
  joined: 'subscribed',
  leave: 'unsubscribe',
  left: 'unsubscribed',
  name: 'topic',
};

/** A client of a pubsub server. `Topics` maps topics to what is published to them. */
export class PubsubClient<Topics extends object = Record<string, unknown>> extends Client<
  Subscription<never>
> {
  constructor(options: ClientOptions) {
    super({ subprotocols: ['pubsub.v1'], ...options }, WORDS);
  }

  /**
   * Gets what is published to `pattern`: `*` stands for one segment, `#` at the end for any number. It
   * subscribes again after each reconnect.
   */
  subscribe<Pattern extends string>(
    pattern: Pattern,
  ): Subscription<Pattern extends keyof Topics ? Topics[Pattern] : Topics[keyof Topics]> {
    const stream = this.open(pattern, () => new Subscription<never>(pattern, this.owner));
    return stream.retain();
  }

  /** Settles when the server has taken it, or with the reason why it has not. */
  publish<Topic extends keyof Topics & string>(
    topic: Topic,
    data: Topics[Topic],
    options?: SendOptions,
  ): Promise<Ack> {
    return this.outbox.add(this.outboxOf(topic), { type: 'publish', topic, data }, options);
  }

  protected override outboxOf(name: string): string {
    return name.split('.', 1)[0] ?? name;
  }

  protected receive(message: Incoming): void {
    const { type, topic, offset } = message;
    if (type !== 'event' || typeof topic !== 'string') return;
    const sequence = this.outboxOf(topic);
    for (const subscription of [...this.streams.values()]) {
      if (matches(subscription.name, topic)) subscription.handle(message);
      else if (this.outboxOf(subscription.name) === sequence) subscription.passed(offset);
    }
  }
}

/** Whether `topic` is one of those that `pattern` stands for. */
export function matches(pattern: string, topic: string): boolean {
  const wanted = pattern.split('.');
  const parts = topic.split('.');
  const isOpen = wanted.at(-1) === '#';
  if (isOpen) wanted.pop();
  if (isOpen ? parts.length < wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((part, at) => part === '*' || part === parts[at]);
}
