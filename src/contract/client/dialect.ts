import { dialectOf } from '../dialect.ts';
import type { Dialect } from '../dialect.ts';
import type { Message } from '../shape.ts';
import { CONTRACT_FEATURES } from '../terms.ts';
import type { RealtimeType } from '../terms.ts';

/** Something that was published: a truth that every client has to see once. */
export interface Entry {
  readonly epoch: string;
  readonly offset: number;
  readonly text: string;
  /** The id that the client under test chose for it. */
  readonly id?: string | undefined;
}

/** The words of a type as its server says them, about the one stream that there is. */
export interface ServerDialect extends Dialect {
  readonly subprotocol: string;
  /** The types of the commands that enter and publish. */
  readonly join: unknown;
  readonly publication: unknown;
  /** What the client is told to join, and where it publishes; null: it cannot. */
  readonly name: unknown;
  readonly publishTo: unknown;
  readonly features: readonly string[];
  readonly eventOf: (entry: Entry) => Message;
  /** What a reply holds: the entries since the client's position, or all that is kept. */
  readonly reply: (
    entries: readonly Entry[],
    recovered: boolean,
    last: Entry | undefined,
  ) => Message;
  /** The text of what the application saw. */
  readonly seen: (data: unknown) => unknown;
}

const AT = '2026-01-01T00:00:00.000Z';

function serverDialect(
  type: RealtimeType,
  features: readonly string[],
  others: Partial<ServerDialect> = {},
): ServerDialect {
  const words = dialectOf(type, new Set(CONTRACT_FEATURES));
  const command = words.enter('lobby');
  const eventOf = ({ offset, text, id }: Entry): Message => ({
    ...words.publish('lobby', text, id),
    ...{ type: words.event, from: 'ada', at: AT, offset },
  });
  return {
    ...words,
    subprotocol: `${type}.v1`,
    join: command['type'],
    publication: words.publish('lobby', '')['type'],
    name: command[words.key],
    publishTo: words.publish('lobby', '')[words.key],
    features,
    eventOf,
    reply: (entries) => ({ messages: entries.map(eventOf) }),
    seen: (data) => data,
    ...others,
  };
}

function patchOf({ offset, text }: Entry): Message {
  return { offset, patch: [{ op: 'replace', path: '/last', value: text }] };
}

export const DIALECTS: Readonly<Record<RealtimeType, ServerDialect>> = {
  chat: serverDialect('chat', ['rooms', 'history', 'resume']),
  pubsub: serverDialect('pubsub', ['history', 'resume']),
  'live-updates': serverDialect('live-updates', ['resume'], {
    publishTo: null,
    eventOf: (entry) => ({ type: 'patch', document: 'lobby', ...patchOf(entry) }),
    reply: (entries, recovered, last) =>
      recovered ? { patches: entries.map(patchOf) } : { data: { last: last?.text ?? '' } },
    seen: (data) => (data as { last?: unknown } | undefined)?.last,
  }),
};
