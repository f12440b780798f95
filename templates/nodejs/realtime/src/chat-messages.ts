import { z } from 'zod';
import { COMMON_COMMANDS, Id, Name } from './messages.ts';
import type { CommonCommand, CommonMessage } from './messages.ts';
// #if resume
import { Position } from './messages.ts';
// #endif

// #if rooms
const WHERE = { room: Name };
// #endif

export const ChatCommand = z.discriminatedUnion('type', [
  ...COMMON_COMMANDS,
  z.strictObject({
    type: z.literal('message'),
    id: Id,
    // #if rooms
    ...WHERE,
    // #endif
    text: z.string().min(1).max(4096),
  }),
  // #if rooms
  z.strictObject({
    type: z.literal('join'),
    id: Id,
    ...WHERE,
    // #if resume
    /** The last position that the client knows: it gets what came after it. */
    since: Position.optional(),
    // #endif
  }),
  z.strictObject({ type: z.literal('leave'), id: Id, ...WHERE }),
  // #endif
  // #if presence
  z.strictObject({ type: z.literal('members'), id: Id, ...WHERE }),
  // #endif
]);
export type ChatCommand = Exclude<z.output<typeof ChatCommand>, CommonCommand>;

/** A chat message as all members receive it, its sender included. */
const ChatMessage = z.object({
  type: z.literal('message'),
  // #if rooms
  ...WHERE,
  // #endif
  from: Name,
  text: z.string(),
  /** When the server received it, ISO 8601. */
  at: z.string(),
  // #if resume
  /** The id that the sender chose, so that it knows its own. */
  id: Id,
  // #endif
  // #if history
  /** One more than that of the room's previous message. */
  offset: z.int(),
  // #endif
});

/** What a chat server sends besides what every server does. */
export const CHAT_MESSAGES = [
  ChatMessage,
  z.object({
    type: z.literal('ack'),
    id: z.string(),
    // #if history
    offset: z.int(),
    // #endif
    // #if resume
    /** The message had been sent before; nobody got it again. */
    duplicate: z.literal(true).optional(),
    // #endif
  }),
  // #if rooms
  z.object({
    type: z.literal('joined'),
    id: Id,
    ...WHERE,
    // #if presence
    members: z.array(Name).readonly(),
    // #endif
    // #if resume
    position: Position,
    /** True: `messages` is everything after `since`. False: it is what the room still has. */
    recovered: z.boolean(),
    // #endif
    // #if history
    messages: z.array(ChatMessage).readonly(),
    // #endif
  }),
  z.object({
    type: z.literal('left'),
    id: Id,
    ...WHERE,
    /** Why, when the server has put the client out. */
    code: z.enum(['forbidden', 'too_many_rooms']).optional(),
  }),
  // #endif
  // #if presence
  z.object({ type: z.literal('members'), id: Id, ...WHERE, members: z.array(Name).readonly() }),
  z.object({ type: z.enum(['member-joined', 'member-left']), ...WHERE, user: Name }),
  // #endif
] as const;
export type ServerMessage = CommonMessage | z.output<(typeof CHAT_MESSAGES)[number]>;
