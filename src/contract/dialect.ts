import type { Message } from './shape.ts';
import type { ContractType } from './terms.ts';

/** The words in which a type of server says what all types have: something to enter, and to hear of. */
export interface Dialect {
  /** The key that names a room, a topic or a document. */
  readonly key: 'room' | 'topic' | 'document';
  readonly enter: (name: string, since?: unknown) => Message;
  readonly entered: string;
  readonly leave: (name: string) => Message;
  readonly left: string;
  /** Error codes. */
  readonly notIn: string;
  readonly tooMany: string;
  /** What others hear of. */
  readonly event: string;
  /** Where a reply to `enter` has what was missed. */
  readonly missed: 'messages' | 'patches';
  /** Something to publish; clients of live-updates publish nothing. */
  readonly publish: (name: string, text: string, id?: string) => Message;
  /** What was published, in an event or in what was missed. */
  readonly textOf: (message: Message) => unknown;
}

const chat = (hasRooms: boolean): Dialect => ({
  key: 'room',
  enter: (room, since) => ({ type: 'join', room, ...(since !== undefined && { since }) }),
  entered: 'joined',
  leave: (room) => ({ type: 'leave', room }),
  left: 'left',
  notIn: 'not_in_room',
  tooMany: 'too_many_rooms',
  event: 'message',
  missed: 'messages',
  publish: (room, text, id) => ({
    type: 'message',
    ...(hasRooms && { room }),
    text,
    ...(id !== undefined && { id }),
  }),
  textOf: ({ text }) => text,
});

const pubsub: Dialect = {
  key: 'topic',
  enter: (name, since) => ({
    type: 'subscribe',
    topic: `${name}.#`,
    ...(since !== undefined && { since }),
  }),
  entered: 'subscribed',
  leave: (name) => ({ type: 'unsubscribe', topic: `${name}.#` }),
  left: 'unsubscribed',
  notIn: 'not_subscribed',
  tooMany: 'too_many_subscriptions',
  event: 'event',
  missed: 'messages',
  publish: (name, text, id) => ({
    type: 'publish',
    topic: `${name}.news`,
    data: text,
    ...(id !== undefined && { id }),
  }),
  textOf: ({ data }) => data,
};

const liveUpdates: Dialect = {
  key: 'document',
  enter: (document, since) => ({
    type: 'watch',
    document,
    ...(since !== undefined && { since }),
  }),
  entered: 'watching',
  leave: (document) => ({ type: 'unwatch', document }),
  left: 'unwatched',
  notIn: 'not_watching',
  tooMany: 'too_many_watches',
  event: 'patch',
  missed: 'patches',
  publish: (document) => ({ type: 'publish', document }),
  textOf: ({ patch }) => patch,
};

export function dialectOf(type: ContractType, features: ReadonlySet<string>): Dialect {
  if (type === 'chat') return chat(features.has('rooms'));
  return type === 'pubsub' ? pubsub : liveUpdates;
}
