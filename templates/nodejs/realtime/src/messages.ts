import { z } from 'zod';

// #if applications
/** Bytes of the largest command; a larger message is closed with 1009. */
export const MAX_COMMAND_BYTES = 65_536;

// The parts of commands and replies.
export const Id = z.string().min(1).max(64).optional();
// #endif
/** Of a user, and of what clients share. */
export const Name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"');
// #if resume || live
export const Position = z.strictObject({
  offset: z.int().min(0),
  epoch: z.string().min(1).max(64),
});
// #endif

// #if applications
/** What every application understands. Strict: an unknown key is refused, `__proto__` included. */
const Ping = z.strictObject({ type: z.literal('ping'), id: Id });
// #if auth
/** Says who the client is: its first token, or a newer one. */
const Auth = z.strictObject({ type: z.literal('auth'), id: Id, token: z.string().min(1) });
export type AuthCommand = z.output<typeof Auth>;

export const COMMON_COMMANDS = [Ping, Auth] as const;
// #else
//~ export const COMMON_COMMANDS = [Ping] as const;
// #endif
export type CommonCommand = z.output<(typeof COMMON_COMMANDS)[number]>;

/** Errors of commands and what the client can do about them. */
export const ERROR_CODES = {
  bad_json: 'not JSON',
  bad_message: 'does not match the schema',
  rate_limited: 'too many messages: what you send from now on is read later',
  // #if auth
  not_authenticated: 'send a token first',
  bad_token: 'the token was refused',
  // #endif
  // #if auth || redis && live
  unavailable: 'it cannot be done at the moment: send it again later',
  // #endif
  // #if chat || rooms || pubsub || live || collab
  forbidden: 'you may not do that',
  // #endif
  // #if rooms
  not_in_room: 'join the room first',
  too_many_rooms: 'leave another room first, or try later',
  room_full: 'try later',
  // #endif
  // #if pubsub
  not_subscribed: 'there is no such subscription',
  too_many_subscriptions: 'unsubscribe from another topic first, or try later',
  pattern_too_broad: 'name the first segment',
  // #endif
  // #if live
  not_watching: 'watch the document first',
  too_many_watches: 'unwatch another document first',
  no_such_document: 'there is none',
  // #endif
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

/** What every server sends. A reply carries the `id` of its command, an event carries none. */
export const COMMON_MESSAGES = [
  z.object({
    type: z.literal('welcome'),
    /** Of the command `auth`, if it came after one. */
    id: Id,
    client: z.string(),
    user: z.string(),
    /** A client that heard nothing for this long plus 10 s may take the connection for dead. */
    pingIntervalMs: z.number(),
    features: z.array(z.string()).readonly(),
    // #if auth
    /** When the token expires, ISO 8601. */
    expiresAt: z.string(),
    // #endif
  }),
  // #if auth
  z.object({ type: z.literal('auth-required'), timeoutMs: z.number() }),
  z.object({ type: z.literal('authenticated'), id: Id, expiresAt: z.string() }),
  z.object({ type: z.literal('token-expiring'), expiresInMs: z.number() }),
  // #endif
  z.object({ type: z.literal('pong'), id: Id }),
  z.object({
    type: z.literal('error'),
    /** The id of the command that failed, if it could be read. */
    id: Id,
    code: z.enum(Object.keys(ERROR_CODES) as ErrorCode[]),
    message: z.string(),
    // #if auth || rate-limit || redis
    /** When the same command may be sent again. */
    retryAfterMs: z.int().optional(),
    // #endif
  }),
  z.object({ type: z.literal('draining'), retryAfterMs: z.number() }),
] as const;
export type CommonMessage = z.output<(typeof COMMON_MESSAGES)[number]>;

/** Features that do not depend on the type of server. */
// prettier-ignore
export const COMMON_FEATURES: readonly string[] = [
  // #if auth
  'auth',
  // #endif
  // #if rate-limit
  'rate-limit',
  // #endif
  // #if metrics
  'metrics',
  // #endif
];

/** What the commands of all types have. */
export interface AnyCommand {
  readonly type: string;
  readonly id?: string | undefined;
}

/** What the messages of all types have. */
export interface AnyMessage {
  readonly type: string;
}

/** Checks a value that is no common command. */
export type CommandSchema = z.ZodType<AnyCommand> & { readonly options: readonly z.ZodType[] };

export type ParseResult =
  | { readonly ok: true; readonly command: AnyCommand }
  | { readonly ok: false; readonly error: CommonMessage };

/** A ping whose id, if it has one, is ASCII that JSON writes as it is. */
const PLAIN_PING = /^\{"type":"ping"(?:,"id":"([ !#-[\]-~]{1,64})")?\}$/;

/** Checks one text message against `schema`; an error can be sent to the client as it is. */
export function parseCommand(text: string, schema: CommandSchema): ParseResult {
  // The command that clients send most often: the schema comes to the same for several times the cost.
  if (text.startsWith('{"type":"ping"')) {
    const found = PLAIN_PING.exec(text);
    if (found !== null) return { ok: true, command: { type: 'ping', id: found[1] } };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('bad_json', 'expected one JSON object');
  }
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, command: result.data };
  return refuse('bad_message', faultIn(result.error), idOf(value));
}

// #endif
/** The first thing that is wrong, and where. */
export function faultIn({ issues: [issue] }: z.ZodError): string {
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${where}${issue?.message ?? 'invalid'}`;
}

// #if applications
function refuse(code: ErrorCode, message: string, id?: string): ParseResult {
  return { ok: false, error: { type: 'error', id, code, message } };
}

// #if auth
export function isAuthCommand(command: AnyCommand): command is AuthCommand {
  return command.type === 'auth';
}

// #endif
/** The id of a refused command, so that the client knows which request failed. */
function idOf(value: unknown): string | undefined {
  return z.object({ id: Id }).safeParse(value).data?.id;
}
// #endif
