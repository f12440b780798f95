import { useCallback, useSyncExternalStore } from 'react';
// #if chat || pubsub
import { useMemo } from 'react';
// #endif
// #if chat
import type { ChatClient } from './chat.ts';
// #endif
// #if live
import type { LiveUpdatesClient } from './live-updates.ts';
// #endif
import type { ClientEvents } from './client.ts';
import type { State } from './connection.ts';
import type { Emitter } from './emitter.ts';
// #if chat
import type { ChatMessage } from './messages.ts';
// #endif
// #if pubsub
import type { TopicEvent } from './messages.ts';
import type { PubsubClient } from './pubsub.ts';
// #endif
import type { ClientError } from './messages.ts';
import type { Stream, StreamEvents } from './stream.ts';

/** Follows a stream, of whose events so many as `limit` gives are wanted; how that ends. */
type Start<Value> = (update: (change: Partial<Value>) => void, limit: () => number) => () => void;

/** What a stream has become, as React wants it: replaced, never changed in place. */
class Store<Value extends object> {
  #value: Value;
  /** The largest of the components' limits. */
  limit = 0;
  readonly #listeners = new Set<() => void>();
  readonly #start: Start<Value>;
  #stop: (() => void) | undefined;

  constructor(initial: Value, start: Start<Value>) {
    this.#value = initial;
    this.#start = start;
  }

  readonly get = (): Value => this.#value;

  /** The first component that uses it starts it, the last one stops it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#stop ??= this.#start(
      (change) => {
        this.#value = { ...this.#value, ...change };
        for (const notify of this.#listeners) notify();
      },
      () => this.limit,
    );
    return () => {
      this.#listeners.delete(listener);
      // A component that is only mounted again keeps what it has.
      setTimeout(() => {
        if (this.#listeners.size > 0) return;
        this.#stop?.();
        this.#stop = undefined;
      });
    };
  };
}

const stores = new WeakMap<object, Map<string, unknown>>();

/** The store of `key` that all components share which use `client`. */
function useStore<Value extends object>(
  client: object,
  key: string,
  make: () => Store<Value>,
  limit = 0,
): Value {
  const ofClient = stores.get(client) ?? new Map<string, unknown>();
  stores.set(client, ofClient);
  const store = (ofClient.get(key) as Store<Value> | undefined) ?? make();
  ofClient.set(key, store);
  store.limit = Math.max(store.limit, limit);
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}

// #if chat || pubsub
function newest<Item>(items: readonly Item[], limit: number): readonly Item[] {
  return items.slice(Math.max(0, items.length - limit));
}

// #endif
/** What hooks say about every stream. */
interface StreamStatus {
  /** Whether everything comes; false before the first answer of the server. */
  readonly isJoined: boolean;
  /** False: something was missed, and what was before it is gone. */
  readonly recovered: boolean;
  readonly error: ClientError | undefined;
}

const NEW: StreamStatus = { isJoined: false, recovered: true, error: undefined };

function follow<Events extends StreamEvents>(
  stream: Stream<Events>,
  update: (change: Partial<StreamStatus>) => void,
): () => void {
  const common = stream as unknown as Emitter<StreamEvents>;
  // Another part of the program may have joined it before.
  update({ isJoined: stream.status === 'joined' });
  const stops = [
    common.on('joined', () => update({ isJoined: true, error: undefined })),
    common.on('recovered', ({ recovered }) => update({ recovered })),
    common.on('error', (error) => update({ isJoined: false, error })),
  ];
  return () => stops.forEach((stop) => stop());
}

/** The present state of the connection. */
export function useConnection(client: Emitter<ClientEvents> & { readonly state: State }): State {
  const subscribe = useCallback((listener: () => void) => client.on('state', listener), [client]);
  const get = (): State => client.state;
  return useSyncExternalStore(subscribe, get, get);
}
// #if chat

export interface RoomView extends StreamStatus {
  readonly messages: readonly ChatMessage[];
  // #if presence
  readonly members: readonly string[];
  // #endif
}

/** A room, for as long as a component uses it, with its newest messages. */
export function useRoom(client: ChatClient, name = '', limit = 500): RoomView {
  const make = (): Store<RoomView> => {
    const empty: RoomView = {
      ...NEW,
      messages: [],
      // #if presence
      members: [],
      // #endif
    };
    return new Store(empty, (update, most) => {
      let messages: readonly ChatMessage[] = [];
      update(empty);
      const room = client.join(name);
      // #if presence
      update({ members: room.members });
      // #endif
      const stops = [
        follow(room, update),
        room.on('recovered', ({ recovered }) => {
          if (!recovered) update({ messages: (messages = []) });
        }),
        room.on('message', (message) => {
          messages = newest([...messages, message], most());
          update({ messages });
        }),
        // #if presence
        room.on('members', (members) => update({ members })),
        // #endif
        () => room.leave(),
      ];
      return () => stops.forEach((stop) => stop());
    });
  };
  const view = useStore(client, `room ${name}`, make, limit);
  return useMemo(() => ({ ...view, messages: newest(view.messages, limit) }), [view, limit]);
}
// #endif
// #if pubsub

export interface TopicView<Data> extends StreamStatus {
  readonly events: readonly TopicEvent<Data>[];
}

/** A pattern, for as long as a component uses it, with the newest events. */
export function useTopic<Topics extends object, Pattern extends string>(
  client: PubsubClient<Topics>,
  pattern: Pattern,
  limit = 500,
): TopicView<Pattern extends keyof Topics ? Topics[Pattern] : Topics[keyof Topics]> {
  type View = ReturnType<typeof useTopic<Topics, Pattern>>;
  const make = (): Store<View> => {
    const empty: View = { ...NEW, events: [] };
    return new Store(empty, (update, most) => {
      let events: View['events'] = [];
      update(empty);
      const subscription = client.subscribe(pattern);
      const stops = [
        follow(subscription, update),
        subscription.on('recovered', ({ recovered }) => {
          if (!recovered) update({ events: (events = []) });
        }),
        subscription.on('event', (event) => {
          events = newest([...events, event], most());
          update({ events });
        }),
        () => subscription.leave(),
      ];
      return () => stops.forEach((stop) => stop());
    });
  };
  const view = useStore(client, `topic ${pattern}`, make, limit);
  return useMemo(() => ({ ...view, events: newest(view.events, limit) }), [view, limit]);
}
// #endif
// #if live

export interface DocumentView<Data> extends StreamStatus {
  /** Undefined: it has not come yet, or was removed. */
  readonly data: Data | undefined;
}

/** A document, for as long as a component uses it. */
export function useDocument<Documents extends object, Name extends keyof Documents & string>(
  client: LiveUpdatesClient<Documents>,
  name: Name,
): DocumentView<Documents[Name]> {
  return useStore<DocumentView<Documents[Name]>>(client, `document ${name}`, () => {
    const empty = { ...NEW, data: undefined };
    return new Store<DocumentView<Documents[Name]>>(empty, (update) => {
      update(empty);
      const document = client.watch(name);
      update({ data: document.data });
      const stops = [
        follow(document, update),
        document.on('change', ({ data }) => update({ data })),
        document.on('removed', () => update({ data: undefined })),
        () => document.leave(),
      ];
      return () => stops.forEach((stop) => stop());
    });
  });
}
// #endif
