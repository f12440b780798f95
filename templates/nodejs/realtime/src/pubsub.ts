import type { Application, Context } from './application.ts';
import type { Client } from './client.ts';
// #if auth
import { forbidden } from './hooks.ts';
// #endif
import { problem, readJson } from './http.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';
import { COMMON_FEATURES } from './messages.ts';
import { refusePublisher } from './publisher.ts';
import { Publication, PUBSUB_MESSAGES, PubSubCommand } from './pubsub-messages.ts';
import type { PubSubMessage } from './pubsub-messages.ts';
import type { Published } from './store.ts';
import { EVENT_START, Subscriptions } from './streams.ts';
import { isTooBroad, streamOf } from './topics.ts';
// #if history
import { frameOf } from './frame.ts';
import { eventText, topicOf } from './streams.ts';
import { matches } from './topics.ts';
// #else
//~ import { encode } from './frame.ts';
// #endif

type CommandOf<Type extends PubSubCommand['type']> = Extract<PubSubCommand, { type: Type }>;

/** Cost of a subscription in messages of the rate limit: the reply may hold a whole history. */
const SUBSCRIBE_COST = 10;
/** Bytes of the largest body of `POST /publish`. */
const MAX_BODY = 65_536;

/** Passes events on to who subscribed to their topics. */
export class PubSub implements Application {
  readonly subprotocol = 'pubsub.v1';
  readonly features = [
    // In the order of the documentation.
    // #if history
    'history',
    // #endif
    // #if resume
    'resume',
    // #endif
    ...COMMON_FEATURES,
  ];
  readonly commands = PubSubCommand;
  readonly messages = PUBSUB_MESSAGES;
  readonly routes: readonly Route[] = [
    {
      method: 'POST',
      path: /^\/publish$/,
      maxBody: MAX_BODY,
      answer: (request) => this.#answer(request),
    },
  ];
  readonly #context: Context;
  readonly #subscriptions: Subscriptions;

  constructor(context: Context) {
    this.#context = context;
    this.#subscriptions = new Subscriptions(context.config, context.store);
  }

  // #if metrics
  get roomCount(): number {
    return this.#subscriptions.streamCount;
  }

  // #endif
  receive(client: Client, command: PubSubCommand): void | Promise<void> {
    switch (command.type) {
      case 'subscribe':
        return this.#subscribe(client, command);
      case 'unsubscribe':
        this.#unsubscribe(client, command);
        return;
      case 'publish':
        return this.#publishFor(client, command);
    }
  }

  costOf(command: PubSubCommand): number {
    return command.type === 'subscribe' ? SUBSCRIBE_COST : 1;
  }

  // #if auth

  async refresh(client: Client): Promise<void> {
    const { identity } = client;
    const closed = await forbidden(this.#subscriptions.patterns(client), (name) =>
      this.#context.authorize({ identity, action: 'subscribe', name }),
    );
    for (const topic of closed) {
      if (!this.#subscriptions.end(client, topic)) continue;
      send(client, { type: 'unsubscribed', topic, code: 'forbidden' });
    }
  }
  // #endif

  close(client: Client): void {
    this.#subscriptions.endAll(client);
  }

  async #subscribe(client: Client, command: CommandOf<'subscribe'>): Promise<void> {
    const { topic: pattern } = command;
    if (isTooBroad(pattern)) {
      client.fail(command, 'pattern_too_broad', 'expected a first segment without * and #');
      return;
    }
    const access = { identity: client.identity, action: 'subscribe', name: pattern } as const;
    if (!(await this.#context.authorize(access))) {
      client.fail(command, 'forbidden', `you may not subscribe to ${pattern}`);
      return;
    }
    if (!client.isOpen) return;
    // Whatever comes from now on waits for it, so that nothing is missing between reply and events.
    const stream = this.#subscriptions.open(client, pattern);
    if (stream === undefined) {
      client.fail(command, 'too_many_subscriptions', 'unsubscribe from another topic first');
      return;
    }
    await stream.subscribed;
    // #if history
    const { store } = this.#context;
    // #if resume
    const { position, recovered, entries } = await store.recover(stream.name, command.since);
    // #if metrics
    if (command.since !== undefined) this.#context.metrics.recovered(recovered);
    // #endif
    // #else
    //~ const { position, entries } = await store.recover(stream.name);
    // #endif
    // #endif
    // It may have gone while the store was asked.
    if (!stream.has(client, pattern)) return;
    // #if history
    const head = JSON.stringify({
      type: 'subscribed',
      id: command.id,
      topic: pattern,
      // #if resume
      position,
      recovered,
      // #endif
    });
    const matching = entries.filter((entry) => matches(pattern, topicOf(entry)));
    const messages = matching.map(eventText).join(',');
    const reply = frameOf(`${head.slice(0, -1)},"messages":[${messages}]}`);
    stream.admit(client, pattern, reply, position.offset);
    // #else
    //~ const reply = { type: 'subscribed', id: command.id, topic: pattern };
    //~ stream.admit(client, pattern, encode(reply), 0);
    // #endif
  }

  #unsubscribe(client: Client, command: CommandOf<'unsubscribe'>): void {
    const { id, topic } = command;
    if (this.#subscriptions.end(client, topic)) send(client, { type: 'unsubscribed', id, topic });
    else client.fail(command, 'not_subscribed', `not subscribed to ${topic}`);
  }

  async #publishFor(client: Client, command: CommandOf<'publish'>): Promise<void> {
    const { id, topic } = command;
    const access = { identity: client.identity, action: 'publish', name: topic } as const;
    if (!this.#context.config.CLIENT_PUBLISH || !(await this.#context.authorize(access))) {
      client.fail(command, 'forbidden', `you may not publish to ${topic}`);
      return;
    }
    // #if history
    const published = await this.#publish(command, client);
    // #else
    //~ await this.#publish(command, client);
    // #endif
    if (id === undefined) return;
    send(client, {
      type: 'ack',
      id,
      // #if history
      offset: published.offset,
      // #endif
      // #if resume
      ...(published.duplicate && { duplicate: true }),
      // #endif
    });
  }

  /** Publishes for `client`, or for who has PUBLISH_TOKEN. */
  async #publish({ topic, data, id }: Publication, client?: Client): Promise<Published> {
    const event = {
      data,
      at: new Date(this.#context.now()).toISOString(),
      from: client?.user,
      // #if resume
      id,
      // #endif
    };
    const text = `${EVENT_START}${topic}",${JSON.stringify(event).slice(1)}`;
    return await this.#context.store.publish(streamOf(topic), text, {
      user: client?.user,
      // The same id in another topic is another event.
      id: id === undefined ? undefined : `${topic}\n${id}`,
      owner: client?.share.address,
    });
  }

  /** `POST /publish`. */
  async #answer(request: HttpRequest): Promise<HttpAnswer> {
    const refusal = refusePublisher(request, this.#context.config);
    if (refusal !== undefined) return refusal;
    const read = readJson(request, Publication);
    if ('error' in read) return problem(400, read.error);
    const { topic } = read.value;
    const published = await this.#publish(read.value);
    const stream = this.#subscriptions.stream(streamOf(topic));
    const subscribers = published.duplicate ? 0 : (stream?.count(topic) ?? 0);
    return {
      status: 200,
      body: {
        // #if history
        offset: published.offset,
        epoch: published.epoch,
        // #endif
        // #if resume
        ...(published.duplicate && { duplicate: true }),
        // #endif
        subscribers,
      },
    };
  }
}

function send(client: Client, message: PubSubMessage): void {
  client.send(message);
}
