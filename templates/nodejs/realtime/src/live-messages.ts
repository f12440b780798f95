import { z } from 'zod';
import { COMMON_COMMANDS, Id, Name, Position } from './messages.ts';
import type { CommonCommand, CommonMessage } from './messages.ts';

export const LiveCommand = z.discriminatedUnion('type', [
  ...COMMON_COMMANDS,
  z.strictObject({
    type: z.literal('watch'),
    id: Id,
    document: Name,
    /** The last position that the client knows: it gets the patches after it. */
    since: Position.optional(),
  }),
  z.strictObject({ type: z.literal('unwatch'), id: Id, document: Name }),
]);
export type LiveCommand = Exclude<z.output<typeof LiveCommand>, CommonCommand>;

/** Operations of RFC 6902, done all or not at all. */
const Operations = z.array(z.looseObject({ op: z.string(), path: z.string() }));

/** What a live-updates server sends besides what every server does. */
export const LIVE_MESSAGES = [
  z.object({
    type: z.literal('watching'),
    id: Id,
    document: Name,
    position: Position,
    /** True: `patches` is everything after `since`. False: `data` is the whole document. */
    recovered: z.boolean(),
    patches: z.array(z.object({ offset: z.int(), patch: Operations })).optional(),
    data: z.unknown().optional(),
  }),
  z.object({
    type: z.literal('unwatched'),
    id: Id,
    document: Name,
    // #if auth
    /** Why, when the server has ended it. */
    code: z.literal('forbidden').optional(),
    // #endif
  }),
  /** The next change: `offset` is one more than before. */
  z.object({ type: z.literal('patch'), document: Name, offset: z.int(), patch: Operations }),
  /** Instead of patches: the whole document, which replaces what the client has. */
  z.object({
    type: z.literal('snapshot'),
    document: Name,
    position: Position,
    data: z.unknown(),
  }),
  z.object({ type: z.literal('removed'), document: Name }),
] as const;
export type LiveMessage = CommonMessage | z.output<(typeof LIVE_MESSAGES)[number]>;
