import type { Client } from './client.ts';
import type { Config } from './config.ts';
import { frameOf } from './frame.ts';
import type { Frame } from './frame.ts';
import type { Share } from './shares.ts';
import type { Entry, Listener, Store } from './store.ts';
import { matches, streamOf, Topics } from './topics.ts';

/** What every event starts with: its topic is read without parsing the rest. */
export const EVENT_START = '{"type":"event","topic":"';

/** An event for a client that is told what it has missed. */
interface Held {
  readonly frame: Frame;
  readonly offset: number;
  /** Whether it matches a pattern that the client has had before. */
  readonly isKnown: boolean;
}

/** Who subscribes to the topics with one first segment on this server, and what they are sent. */
export class Stream implements Listener {
  readonly name: string;
  /** The address for which it counts. */
  owner: Share;
  /** The store's events arrive; the function ends that. */
  readonly subscribed: Promise<() => void>;
  readonly #topics = new Topics<Client>();
  readonly #patterns = new Map<Client, Set<string>>();
  /** Clients that wait for the reply to their subscription: what matches its pattern comes after it. */
  readonly #waiting = new Map<Client, { pattern: string; held: Held[] }>();

  constructor(name: string, owner: Share, store: Store) {
    this.name = name;
    this.owner = owner;
    this.subscribed = store.subscribe(name, this, owner.address);
  }

  readonly onEntry = (entry: Entry): void => {
    const topic = topicOf(entry);
    const known = this.#topics.match(topic);
    const frame = frameOf(eventText(entry));
    for (const client of known) {
      if (!this.#waiting.has(client)) client.deliver(frame);
    }
    for (const [client, { pattern, held }] of this.#waiting) {
      const isKnown = known.has(client);
      if (isKnown || matches(pattern, topic)) held.push({ frame, offset: entry.offset, isKnown });
    }
  };

  // #if redis
  readonly onLost = (): void => {
    for (const client of this.clients) client.close('lostPosition');
  };

  // #endif
  /** How many clients get an event of `topic`. */
  count(topic: string): number {
    return this.#topics.match(topic).size;
  }

  /** The clients with a pattern, in the order of their first one. */
  get clients(): Iterable<Client> {
    return this.#patterns.keys();
  }

  get isEmpty(): boolean {
    return this.#patterns.size === 0;
  }

  has(client: Client, pattern: string): boolean {
    return this.#patterns.get(client)?.has(pattern) === true;
  }

  /** From now on, what comes for `client` waits for `admit`. */
  hold(client: Client, pattern: string): void {
    this.#topics.delete(pattern, client);
    this.#waiting.set(client, { pattern, held: [] });
    const patterns = this.#patterns.get(client) ?? new Set();
    this.#patterns.set(client, patterns.add(pattern));
  }

  /**
   * Sends `reply`, which holds everything up to `offset`, between what came before and after it: a client
   * sees the offsets of a stream rise, whatever pattern brings them.
   */
  admit(client: Client, pattern: string, reply: Frame, offset: number): void {
    const { held = [] } = this.#waiting.get(client) ?? {};
    this.#waiting.delete(client);
    this.#topics.add(pattern, client);
    for (const event of held) {
      if (event.isKnown && event.offset <= offset) client.deliver(event.frame);
    }
    client.deliver(reply);
    for (const event of held) {
      if (event.offset > offset) client.deliver(event.frame);
    }
  }

  remove(client: Client, pattern: string): void {
    this.#topics.delete(pattern, client);
    if (this.#waiting.get(client)?.pattern === pattern) this.#waiting.delete(client);
    const patterns = this.#patterns.get(client);
    patterns?.delete(pattern);
    if (patterns?.size === 0) this.#patterns.delete(client);
  }
}

interface Subscriber {
  readonly share: Share;
  /** The stream of each pattern. */
  readonly patterns: Map<string, Stream>;
}

/** The subscriptions of all clients, and the streams that they need. */
export class Subscriptions {
  readonly #config: Config;
  readonly #store: Store;
  readonly #streams = new Map<string, Stream>();
  readonly #subscribers = new Map<Client, Subscriber>();
  #count = 0;

  constructor(config: Config, store: Store) {
    this.#config = config;
    this.#store = store;
  }

  // #if metrics
  get streamCount(): number {
    return this.#streams.size;
  }

  // #endif
  /** The stream called `name`, if anybody subscribes to a topic of it. */
  stream(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  /**
   * Lets `client` wait for events that match `pattern`; undefined when there are too many subscriptions or
   * streams, or too many of its address. One is for every client, whatever its neighbours do.
   */
  open(client: Client, pattern: string): Stream | undefined {
    const subscriber = this.#subscribers.get(client) ?? {
      share: client.share,
      patterns: new Map<string, Stream>(),
    };
    const { share, patterns } = subscriber;
    const present = patterns.get(pattern);
    if (present !== undefined) {
      present.hold(client, pattern);
      return present;
    }
    if (!this.#isSpaceFor(subscriber)) return undefined;
    const name = streamOf(pattern);
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      if (this.#streams.size >= this.#config.MAX_STREAMS) return undefined;
      if (share.streams >= this.#config.MAX_STREAMS_PER_IP && patterns.size > 0) return undefined;
      stream = new Stream(name, share, this.#store);
      this.#streams.set(name, stream);
      share.streams += 1;
    }
    this.#subscribers.set(client, subscriber);
    patterns.set(pattern, stream);
    share.subscriptions += 1;
    this.#count += 1;
    stream.hold(client, pattern);
    return stream;
  }

  #isSpaceFor({ share, patterns }: Subscriber): boolean {
    if (patterns.size >= this.#config.MAX_SUBSCRIPTIONS_PER_CLIENT) return false;
    if (this.#count >= this.#config.MAX_SUBSCRIPTIONS) return false;
    return patterns.size === 0 || share.subscriptions < this.#config.MAX_SUBSCRIPTIONS_PER_IP;
  }

  /** Ends one subscription; false if there is none. */
  end(client: Client, pattern: string): boolean {
    const subscriber = this.#subscribers.get(client);
    const stream = subscriber?.patterns.get(pattern);
    if (subscriber === undefined || stream === undefined) return false;
    subscriber.patterns.delete(pattern);
    if (subscriber.patterns.size === 0) this.#subscribers.delete(client);
    subscriber.share.subscriptions -= 1;
    this.#count -= 1;
    stream.remove(client, pattern);
    if (stream.isEmpty) this.#forget(stream);
    else if (stream.owner === subscriber.share) this.#passOn(stream);
    return true;
  }

  /** Those of `client`. */
  patterns(client: Client): string[] {
    return [...(this.#subscribers.get(client)?.patterns.keys() ?? [])];
  }

  endAll(client: Client): void {
    for (const pattern of this.patterns(client)) this.end(client, pattern);
  }

  /**
   * A stream whose owner's clients have left counts for another address that has space in its share. As long
   * as none has, it stays the owner's: handed on, streams could take more than the shares of all.
   */
  #passOn(stream: Stream): void {
    let next: Share | undefined;
    for (const { share } of stream.clients) {
      if (share === stream.owner) return;
      if (share.streams < this.#config.MAX_STREAMS_PER_IP) next ??= share;
    }
    if (next === undefined) return;
    stream.owner.streams -= 1;
    next.streams += 1;
    stream.owner = next;
  }

  #forget(stream: Stream): void {
    this.#streams.delete(stream.name);
    stream.owner.streams -= 1;
    // That it failed is known to who asked for it.
    void stream.subscribed.then(
      (unsubscribe) => {
        unsubscribe();
      },
      () => undefined,
    );
  }
}

/** The topic of an event as the store has it. */
export function topicOf({ data }: Entry): string {
  return data.slice(EVENT_START.length, data.indexOf('"', EVENT_START.length));
}

/** An event as subscribers get it. */
export function eventText(entry: Entry): string {
  // #if history
  // Its last key.
  return `${entry.data.slice(0, -1)},"offset":${String(entry.offset)}}`;
  // #else
  //~ return entry.data;
  // #endif
}
