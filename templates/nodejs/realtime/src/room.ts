import type { Client } from './client.ts';
import { COMPRESSION_THRESHOLD } from './compression.ts';
import { broadcastOf, join } from './frame.ts';
import type { Frame } from './frame.ts';
import type { Entry, Listener } from './store.ts';
// #if presence
import { encode } from './frame.ts';
import type { AnyMessage } from './messages.ts';
import type { PresenceChange } from './store.ts';
// #endif
// #if rooms
import type { Share } from './shares.ts';

/** The rooms of a client. */
export interface Member {
  readonly share: Share;
  /** How many rooms it owns. */
  owned: number;
  readonly rooms: Map<string, Room>;
}

/** What came while a client was told what it had missed. */
interface Held {
  readonly frame: Frame;
  /** Undefined for what is no message. */
  readonly offset: number | undefined;
}
// #endif

/** Bytes of messages that are written at once. */
const MAX_BATCH = 8192;

/** The members that one room has on this server, and what they are sent. */
export class Room implements Listener {
  readonly name: string;
  readonly members = new Set<Client>();
  // #if rooms
  /** The member whose address it counts for. */
  owner: Member | undefined;
  /** The store's messages arrive; the function ends that. */
  subscribed: Promise<() => void> | undefined;
  /** Members on their way in: what comes for them follows after the reply to their join. */
  readonly #entering = new Map<Client, Held[]>();

  // #endif
  /** Messages of this turn of the event loop: each member gets them by one write. */
  #batch: Frame[] = [];
  #batchBytes = 0;
  #flushing: NodeJS.Immediate | undefined;

  constructor(name: string) {
    this.name = name;
  }

  readonly onEntry = (entry: Entry): void => {
    const frame = broadcastOf(messageText(entry));
    // #if rooms
    for (const held of this.#entering.values()) held.push({ frame, offset: entry.offset });
    // #endif
    const { length } = frame.bytes;
    // A large one goes alone, as it may be compressed.
    const isLarge = frame.length >= COMPRESSION_THRESHOLD;
    if (isLarge || this.#batchBytes + length > MAX_BATCH) this.flush();
    this.#batch.push(frame);
    this.#batchBytes += length;
    if (isLarge) this.flush();
    else this.#flushing ??= setImmediate(this.flush);
  };

  /** Sends the members what waits. Call before who is a member changes, and before other events. */
  readonly flush = (): void => {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const frame = join(this.#batch);
    if (frame === undefined) return;
    this.#batch = [];
    this.#batchBytes = 0;
    for (const member of this.members) member.deliver(frame);
  };
  // #if presence

  readonly onPresence = (change: PresenceChange): void => {
    this.flush();
    const frame = encode({ ...change, room: this.name } as AnyMessage);
    // Every `joined` lists all members, so a slow client may miss a change.
    for (const member of this.members) member.deliver(frame, true);
    for (const [client, held] of this.#entering) {
      if (client.user !== change.user) held.push({ frame, offset: undefined });
    }
  };
  // #endif
  // #if redis

  readonly onLost = (): void => {
    this.flush();
    for (const client of this.clients) client.close('lostPosition');
  };
  // #endif
  // #if rooms

  get size(): number {
    return this.members.size + this.#entering.size;
  }

  get clients(): Client[] {
    return [...this.members, ...this.#entering.keys()];
  }

  has(client: Client): boolean {
    return this.members.has(client) || this.#entering.has(client);
  }

  /** From now on, what comes for `client` waits for `admit`. */
  hold(client: Client): void {
    this.flush();
    this.members.delete(client);
    this.#entering.set(client, []);
  }
  // #if presence

  /** Call before the list of members is made, which holds the changes up to now. */
  skipChanges(client: Client): void {
    const held = this.#entering.get(client) ?? [];
    this.#entering.set(
      client,
      held.filter(({ offset }) => offset !== undefined),
    );
  }
  // #endif

  /** Sends `client` what has come since `hold`, but for the messages up to `offset`. */
  admit(client: Client, offset: number): void {
    this.flush();
    const held = this.#entering.get(client) ?? [];
    this.#entering.delete(client);
    this.members.add(client);
    for (const { frame, offset: own } of held) {
      if (own === undefined || own > offset) client.deliver(frame, own === undefined);
    }
  }

  exit(client: Client): void {
    this.flush();
    this.members.delete(client);
    this.#entering.delete(client);
  }
  // #endif
}

/** A message as members get it. */
export function messageText(entry: Entry): string {
  // #if history
  // Its last key.
  return `${entry.data.slice(0, -1)},"offset":${String(entry.offset)}}`;
  // #else
  //~ return entry.data;
  // #endif
}
