import { z } from 'zod';

/** Bytes of the largest command; a larger message is closed with 1009. */
export const MAX_COMMAND_BYTES = 65_536;

const Id = z.string().min(1).max(64).optional();
const Text = z.string().min(1).max(4096);
// #if rooms
export const RoomName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"');
// #endif
// #if history
/** A position in a room's messages; offsets of different epochs are not comparable. */
export const Position = z.strictObject({
  offset: z.int().min(0),
  epoch: z.string().min(1).max(64),
});
export type Position = z.output<typeof Position>;
// #endif

/** What a client may send. Strict: an unknown key is refused, `__proto__` included. */
export const Command = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ping'), id: Id }),
  z.strictObject({
    type: z.literal('message'),
    id: Id,
    // #if rooms
    room: RoomName,
    // #endif
    text: Text,
  }),
  // #if rooms
  z.strictObject({
    type: z.literal('join'),
    id: Id,
    room: RoomName,
    // #if history
    since: Position.optional(),
    // #endif
  }),
  z.strictObject({ type: z.literal('leave'), id: Id, room: RoomName }),
  // #endif
  // #if presence
  z.strictObject({ type: z.literal('members'), id: Id, room: RoomName }),
  // #endif
]);
export type Command = z.output<typeof Command>;

/** Errors of commands and what the client can do about them. */
export const ERROR_CODES = {
  bad_json: 'not JSON',
  bad_message: 'does not match the schema',
  rate_limited: 'too many messages: what you send from now on is read later',
  // #if rooms
  not_in_room: 'join the room first',
  too_many_rooms: 'leave another room first, or try later',
  room_full: 'try later',
  // #endif
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

/** A chat message as all clients receive it, including its sender. */
export interface ChatMessage {
  readonly type: 'message';
  // #if rooms
  readonly room: string;
  // #endif
  readonly from: string;
  readonly text: string;
  /** When the server received it, ISO 8601. */
  readonly at: string;
  // #if history
  /** One more than that of the room's previous message. */
  readonly offset: number;
  // #endif
}

export interface ErrorMessage {
  readonly type: 'error';
  /** The id of the command that failed, if it could be read. */
  readonly id?: string | undefined;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What the server sends. A reply carries the `id` of its command, an event carries none. */
export type ServerMessage =
  | {
      readonly type: 'welcome';
      readonly client: string;
      readonly user: string;
      /** A client that heard nothing for this long plus 10 s may take the connection for dead. */
      readonly pingIntervalMs: number;
    }
  | { readonly type: 'pong'; readonly id?: string | undefined }
  | {
      readonly type: 'ack';
      readonly id: string;
      // #if history
      readonly offset: number;
      // #endif
    }
  | ChatMessage
  // #if rooms
  | {
      readonly type: 'joined';
      readonly id?: string | undefined;
      readonly room: string;
      // #if presence
      readonly members: readonly string[];
      // #endif
      // #if history
      readonly position: Position;
      /** True: `messages` is everything after `since`. False: it is what the room still has. */
      readonly recovered: boolean;
      readonly messages: readonly ChatMessage[];
      // #endif
    }
  | { readonly type: 'left'; readonly id?: string | undefined; readonly room: string }
  // #endif
  // #if presence
  | {
      readonly type: 'members';
      readonly id?: string | undefined;
      readonly room: string;
      readonly members: readonly string[];
    }
  | {
      readonly type: 'member-joined' | 'member-left';
      readonly room: string;
      readonly user: string;
    }
  // #endif
  | { readonly type: 'draining'; readonly retryAfterMs: number }
  | ErrorMessage;

/** The bytes of a message. */
export function encode(message: ServerMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}

export type ParseResult =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly error: ErrorMessage };

/** Checks one text message against the schema; an error can be sent to the client as it is. */
export function parseCommand(data: Buffer): ParseResult {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    return refuse('bad_json', 'expected one JSON object');
  }
  const result = Command.safeParse(value);
  if (result.success) return { ok: true, command: result.data };
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return refuse('bad_message', `${where}${issue?.message ?? 'invalid'}`, idOf(value));
}

function refuse(code: ErrorCode, message: string, id?: string): ParseResult {
  return { ok: false, error: { type: 'error', id, code, message } };
}

/** The id of a refused command, so that the client knows which request failed. */
function idOf(value: unknown): string | undefined {
  return z.object({ id: Id }).safeParse(value).data?.id;
}
