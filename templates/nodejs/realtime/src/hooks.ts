import type { IncomingMessage } from 'node:http';

/** What is known of the user of a connection. */
export interface Identity {
  /** A name as in `Name`. */
  readonly user: string;
  // #if auth
  /** When its token expires, milliseconds since 1970. */
  readonly expiresAt: number;
  /** When its token was issued (`iat`), milliseconds since 1970. */
  readonly issuedAt: number | undefined;
  /** The `jti` of its token. */
  readonly tokenId: string | undefined;
  /** The claim `rooms` of its token: which names that start with `private-` are open to it. */
  readonly rooms: readonly string[];
  /** All claims of its token. */
  readonly claims: Readonly<Record<string, unknown>>;
  // #endif
}

/**
 * Names the user who connects; undefined refuses the handshake with 401. It may be asynchronous;
 * HANDSHAKE_TIMEOUT applies.
 */
export type Identify = (
  request: IncomingMessage,
) => string | undefined | Promise<string | undefined>;
// #if rooms || pubsub || live || collab

/** What a client wants to do. */
export interface Access {
  readonly identity: Identity;
  /** `join` a room; `subscribe` or `publish` to a topic; `watch`, `read` or `write` a document. */
  readonly action: 'join' | 'subscribe' | 'publish' | 'watch' | 'read' | 'write';
  /** The room, topic or document. */
  readonly name: string;
  /** Whether it may as far as the server knows. */
  readonly allowed: boolean;
}

/** Whether a client may do what it wants; false is answered with `forbidden`. */
export type Authorize = (access: Access) => boolean | Promise<boolean>;

/** What an application asks for. */
export type Wish = Omit<Access, 'allowed'>;

/** A hook with what the server knows. */
export function authorizer(authorize: Authorize): (wish: Wish) => boolean | Promise<boolean> {
  return (wish) => authorize({ ...wish, allowed: isAllowed(wish) });
}

// #if auth
/** Those of `names` that the user of a newer token may not have any more. */
export async function forbidden(
  names: readonly string[],
  isAllowedTo: (name: string) => boolean | Promise<boolean>,
): Promise<string[]> {
  const answers = await Promise.all(names.map(async (name) => await isAllowedTo(name)));
  return names.filter((_, index) => !answers[index]);
}

// #if pubsub
/** Topics whose first segment starts with `private-` are for those whose token names that segment. */
function isAllowed({ identity, name }: Wish): boolean {
  const [first = ''] = name.split('.');
  return !first.startsWith('private-') || identity.rooms.includes(first);
}
// #else
//~ /** Names that start with `private-` are for those whose token names them. */
//~ function isAllowed({ identity, name }: Wish): boolean {
//~   return !name.startsWith('private-') || identity.rooms.includes(name);
//~ }
// #endif
// #else
//~ function isAllowed(_: Wish): boolean {
//~   return true;
//~ }
// #endif
// #endif
// #if chat

/** A message that a client sends. */
export interface Draft {
  readonly identity: Identity;
  // #if rooms
  readonly room: string;
  // #endif
  readonly text: string;
}

/** What becomes of a message: its text, or why it is refused, which its sender is told. */
export type Verdict = { readonly text: string } | { readonly refuse: string };

/** Looks at each message before anybody gets it, and may change or refuse it. */
export type OnMessage = (draft: Draft) => Verdict | Promise<Verdict>;
// #endif
