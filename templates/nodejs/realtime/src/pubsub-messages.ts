import { z } from 'zod';
import { faultOfJson } from './json.ts';
import { COMMON_COMMANDS, Id, Name } from './messages.ts';
import type { CommonCommand, CommonMessage } from './messages.ts';
// #if resume
import { Position } from './messages.ts';
// #endif
import { isPattern, isTopic } from './topics.ts';

const Topic = z
  .string()
  .refine(isTopic, 'expected 1 to 8 segments of letters, digits, "_" or "-", joined by "."');
/** A topic whose segments may be `*`, and the last one `#`. */
const Pattern = z
  .string()
  .refine(isPattern, 'expected a topic, whose segments may be "*" and the last one "#"');
/** Any JSON value, which has to be there. */
const Data = z
  .unknown()
  .refine((data) => data !== undefined, 'expected a JSON value')
  .refine((data) => faultOfJson(data) === undefined, {
    error: ({ input }) => faultOfJson(input),
  });

export const PubSubCommand = z.discriminatedUnion('type', [
  ...COMMON_COMMANDS,
  z.strictObject({
    type: z.literal('subscribe'),
    id: Id,
    topic: Pattern,
    // #if resume
    /** The last position of the stream that the client knows: it gets what came after it. */
    since: Position.optional(),
    // #endif
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: Id, topic: Pattern }),
  z.strictObject({ type: z.literal('publish'), id: Id, topic: Topic, data: Data }),
]);
export type PubSubCommand = Exclude<z.output<typeof PubSubCommand>, CommonCommand>;

/** The body of `POST /publish`. */
export const Publication = z.strictObject({ topic: Topic, data: Data, id: Id });
export type Publication = z.output<typeof Publication>;

/** What was published, as every connection with a matching pattern gets it once. */
const Event = z.object({
  type: z.literal('event'),
  topic: Topic,
  data: z.unknown(),
  /** When the server received it, ISO 8601. */
  at: z.string(),
  /** Absent when it was published over HTTP. */
  from: Name.optional(),
  // #if resume
  /** The id that the publisher chose, so that it knows its own. */
  id: Id,
  // #endif
  // #if history
  /** One more than that of the stream's previous event. */
  offset: z.int(),
  // #endif
});

/** What a pubsub server sends besides what every server does. */
export const PUBSUB_MESSAGES = [
  Event,
  z.object({
    type: z.literal('subscribed'),
    id: Id,
    topic: Pattern,
    // #if resume
    /** Of the stream: all topics with the same first segment. */
    position: Position,
    /** True: `messages` is everything after `since` that matches. False: it is what is kept. */
    recovered: z.boolean(),
    // #endif
    // #if history
    messages: z.array(Event).readonly(),
    // #endif
  }),
  z.object({
    type: z.literal('unsubscribed'),
    id: Id,
    topic: Pattern,
    // #if auth
    /** Why, when the server has ended it. */
    code: z.literal('forbidden').optional(),
    // #endif
  }),
  z.object({
    type: z.literal('ack'),
    id: z.string(),
    // #if history
    offset: z.int(),
    // #endif
    // #if resume
    /** It had been published before; nobody got it again. */
    duplicate: z.literal(true).optional(),
    // #endif
  }),
] as const;
export type PubSubMessage = CommonMessage | z.output<(typeof PUBSUB_MESSAGES)[number]>;
