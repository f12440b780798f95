import { randomBytes } from 'node:crypto';
import type { Config } from './config.ts';

/** How far the entries of a channel have come; offsets of different epochs are not comparable. */
export interface Position {
  readonly offset: number;
  readonly epoch: string;
}

/** What was published: a JSON object as text. Offsets count up by one within an epoch. */
export interface Entry {
  readonly offset: number;
  readonly data: string;
}

/** Who publishes, and the id that makes it the same publication when it comes again. */
export interface Origin {
  readonly user?: string | undefined;
  readonly id?: string | undefined;
  /** As in `subscribe`. */
  readonly owner?: string | undefined;
}

export interface Published extends Position {
  /** Whether the id was known: `offset` is that of the first time, and nobody got it again. */
  readonly duplicate: boolean;
}

/** A position and the entries up to it. */
export interface Recovery {
  readonly position: Position;
  /** True: `entries` is everything after the position that was asked for. */
  readonly recovered: boolean;
  readonly entries: readonly Entry[];
}
// #if presence

/** A user who came to a channel or left it. */
export interface PresenceChange {
  readonly type: 'member-joined' | 'member-left';
  readonly user: string;
}
// #endif

/** Gets what happens in a channel, in order, whoever caused it. */
export interface Listener {
  readonly onEntry: (entry: Entry) => void;
  // #if presence
  readonly onPresence?: (change: PresenceChange) => void;
  // #endif
  // #if redis
  /** Entries are missing that cannot be had any more: what comes next belongs to another epoch. */
  readonly onLost?: () => void;
  // #if live
  /** The document that the channel is of was removed. */
  readonly onRemoved?: () => void;
  // #endif
  // #endif
}
// #if redis

// #if live
/** Where documents are kept whose patches are the entries of a channel of the same name. */
export interface DocumentStore {
  /** The value as JSON, and its position; undefined if there is none. */
  load(name: string): Promise<{ readonly position: Position; readonly text: string } | undefined>;
  /**
   * Keeps `text` and publishes `patch` if the document is at `expected`, or does not exist without that: else
   * undefined. `full`: there are too many.
   */
  commit(
    name: string,
    change: { readonly text: string; readonly patch: string; readonly expected?: Position },
  ): Promise<Position | 'full' | undefined>;
  /** Removes it if it is at `expected`. */
  drop(name: string, expected: Position): Promise<boolean>;
}

// #endif
// #endif

/**
 * What clients have in common, in channels that exist as soon as they are named. Everything is
 * asynchronous, so that it can be kept outside of this process.
 */
export interface Store {
  /** Gives `data` the next offset, keeps it, and passes it to the listeners before it resolves. */
  publish(channel: string, data: string, origin?: Origin): Promise<Published>;
  /**
   * Passes on what happens in `channel` until the returned function is called. `owner` is who made it
   * necessary: if space is short, a channel without listeners of the same owner goes first.
   */
  subscribe(channel: string, listener: Listener, owner?: string): Promise<() => void>;
  /** The position of the last entry. */
  position(channel: string): Promise<Position>;
  // #if history || live
  /** The entries after `since`, or all that are kept if `since` is unknown or too old. */
  recover(channel: string, since?: Position): Promise<Recovery>;
  // #endif
  // #if presence
  /** One more connection of `user`; the first one is announced. */
  enter(channel: string, user: string): Promise<void>;
  /** One connection less; after the last one `user` is gone, after a grace time if it was `lost`. */
  exit(channel: string, user: string, lost: boolean): Promise<void>;
  /** Names of users, longest present first. */
  list(channel: string): Promise<readonly string[]>;
  // #endif
  // #if redis
  // #if live
  /** Documents that several servers change; absent: this process alone does. */
  readonly documents?: DocumentStore;
  // #endif
  /** The process is about to end. */
  close?(): Promise<void>;
  // #endif
}

/** What a `MemoryStore` may keep. */
export interface StoreLimits {
  /** Entries and bytes of one channel. */
  readonly entries: number;
  readonly bytes: number;
  /** How many bytes of memory all channels may take now. */
  readonly space: () => number;
  /** Channels at which one without listeners is forgotten, and milliseconds that it is kept. */
  readonly channels: number;
  readonly idleMs: number;
  // #if resume
  /** Milliseconds that an id is known. */
  readonly resumeWindowMs: number;
  // #endif
  // #if presence
  /** Milliseconds that a user stays after a lost connection, and the users of a channel. */
  readonly graceMs: number;
  readonly users: number;
  // #endif
}

/** Memory of an entry, an id or a channel besides its text, and of a byte of text: a character takes two. */
const OVERHEAD = 128;
const MEMORY_PER_BYTE = 2;
// #if resume
/** Ids that are known of one channel; its users share them. */
const MAX_IDS = 10_000;
// #endif

/** Keeps everything in this process, in bounded space. A restart loses it: epochs are random. */
export class MemoryStore implements Store {
  readonly #limits: StoreLimits;
  readonly #channels = new Map<string, Channel>();
  /** Channels without listeners, longest first, with the timers that end them. */
  readonly #idle = new Map<Channel, NodeJS.Timeout>();
  /** Memory of all channels. */
  readonly #memory = { bytes: 0 };

  constructor(limits: StoreLimits) {
    this.#limits = limits;
  }

  /** Bytes of memory that all channels take. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- other stores have to wait
  async publish(name: string, data: string, origin: Origin = {}): Promise<Published> {
    const channel = this.#open(name, undefined, origin.owner);
    const { epoch } = channel;
    // #if resume
    const { user = '', id } = origin;
    const first =
      id === undefined ? undefined : channel.known(user, id, this.#limits.resumeWindowMs);
    if (first !== undefined) return { offset: first, epoch, duplicate: true };
    // #endif
    const entry = { offset: channel.offset + 1, data };
    channel.offset = entry.offset;
    // #if history || live
    channel.append(entry, this.#limits);
    // #endif
    // #if resume
    if (id !== undefined) channel.remember(user, id, entry.offset);
    // #endif
    // Longest without an entry first.
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    this.trim();
    for (const { onEntry } of channel.listeners) onEntry(entry);
    return { offset: entry.offset, epoch, duplicate: false };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async subscribe(name: string, listener: Listener, owner = ''): Promise<() => void> {
    const channel = this.#open(name, listener, owner);
    channel.owner = owner;
    clearTimeout(this.#idle.get(channel));
    this.#idle.delete(channel);
    return () => {
      if (channel.listeners.delete(listener) && channel.listeners.size === 0) this.#rest(channel);
    };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async position(name: string): Promise<Position> {
    return this.#channels.get(name)?.position ?? this.#open(name).position;
  }
  // #if history || live

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async recover(name: string, since?: Position): Promise<Recovery> {
    return this.#open(name).recover(since);
  }
  // #endif
  // #if presence

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async enter(name: string, user: string): Promise<void> {
    const channel = this.#open(name);
    const known = channel.users.get(user);
    if (known === undefined) {
      channel.users.set(user, { connections: 1, grace: undefined });
      channel.announce({ type: 'member-joined', user });
      return;
    }
    clearTimeout(known.grace);
    known.grace = undefined;
    known.connections += 1;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async exit(name: string, user: string, lost: boolean): Promise<void> {
    const channel = this.#channels.get(name);
    const known = channel?.users.get(user);
    if (channel === undefined || known === undefined) return;
    known.connections -= 1;
    if (known.connections > 0) return;
    const remove = (): void => {
      channel.users.delete(user);
      channel.announce({ type: 'member-left', user });
    };
    // Users in their grace time must not make a full room exceed its limit.
    if (!lost || channel.users.size > this.#limits.users) remove();
    else known.grace = setTimeout(remove, this.#limits.graceMs).unref();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async list(name: string): Promise<readonly string[]> {
    return [...(this.#channels.get(name)?.users.keys() ?? [])];
  }
  // #endif

  /** The channel called `name`, with one more listener. */
  #open(name: string, listener?: Listener, owner = ''): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      if (this.#channels.size >= this.#limits.channels) this.#forgetIdle(owner);
      channel = new Channel(name, this.#memory);
      channel.owner = owner;
      this.#channels.set(name, channel);
      if (listener === undefined) this.#rest(channel);
    }
    if (listener !== undefined) channel.listeners.add(listener);
    return channel;
  }

  /** A channel without listeners is kept for a while. */
  #rest(channel: Channel): void {
    clearTimeout(this.#idle.get(channel));
    this.#idle.delete(channel);
    const end = (): void => {
      this.#forget(channel);
    };
    this.#idle.set(channel, setTimeout(end, this.#limits.idleMs).unref());
  }

  /** Makes space: the channels longest without an entry lose their oldest ones first. */
  trim(): void {
    for (const channel of this.#channels.values()) {
      if (this.bytes <= this.#limits.space()) return;
      while (this.bytes > this.#limits.space() && channel.dropOldest());
    }
  }

  /** Forgets the channel that has been idle longest, one of `owner` if there is one. */
  #forgetIdle(owner: string): void {
    const idle = [...this.#idle.keys()];
    const found = idle.find((channel) => channel.owner === owner) ?? idle[0];
    if (found !== undefined) this.#forget(found);
  }

  #forget(channel: Channel): void {
    clearTimeout(this.#idle.get(channel));
    this.#idle.delete(channel);
    this.#channels.delete(channel.name);
    channel.end();
    // #if presence
    for (const { grace } of channel.users.values()) clearTimeout(grace);
    // #endif
  }
}

/** The limits of the settings. */
export function storeLimits(config: Config, space = (): number => Infinity): StoreLimits {
  return {
    // #if history || live
    entries: config.HISTORY_MESSAGES,
    bytes: config.HISTORY_BYTES,
    idleMs: config.HISTORY_TTL,
    // #else
    //~ entries: 0,
    //~ bytes: 0,
    //~ idleMs: 60_000,
    // #endif
    space,
    // #if rooms
    channels: config.MAX_ROOMS,
    // #else
    // #if pubsub
    //~ channels: config.MAX_STREAMS,
    // #else
    // #if live
    //~ channels: config.MAX_DOCUMENTS,
    // #else
    //~ channels: config.MAX_CONNECTIONS,
    // #endif
    // #endif
    // #endif
    // #if resume
    resumeWindowMs: config.RESUME_WINDOW,
    // #endif
    // #if presence
    graceMs: config.PRESENCE_GRACE,
    users: config.MAX_ROOM_MEMBERS,
    // #endif
  };
}

// #if history || live
interface Kept extends Entry {
  readonly bytes: number;
}

// #endif
/** What is kept of one channel. */
class Channel {
  readonly name: string;
  readonly epoch = randomBytes(8).toString('hex');
  readonly listeners = new Set<Listener>();
  /** Who made it necessary. */
  owner = '';
  offset = 0;
  readonly #memory: { bytes: number };
  #bytes = 0;
  // #if history || live
  readonly #entries: Kept[] = [];
  #entryBytes = 0;
  // #endif
  // #if resume
  /** The offset and time of each id, oldest first, by user, longest without a new one first. */
  readonly #ids = new Map<string, Map<string, { offset: number; at: number }>>();
  #idCount = 0;
  // #endif
  // #if presence
  readonly users = new Map<string, { connections: number; grace: NodeJS.Timeout | undefined }>();
  // #endif

  /** What it takes counts in `memory`, too. */
  constructor(name: string, memory: { bytes: number }) {
    this.name = name;
    this.#memory = memory;
    this.#count(OVERHEAD + name.length * MEMORY_PER_BYTE);
  }

  /** Nothing of it counts any more. */
  end(): void {
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#memory.bytes += bytes;
  }

  get position(): Position {
    return { offset: this.offset, epoch: this.epoch };
  }
  // #if history || live

  append(entry: Entry, limits: StoreLimits): void {
    const bytes = Buffer.byteLength(entry.data);
    this.#entries.push({ ...entry, bytes });
    this.#entryBytes += bytes;
    this.#count(OVERHEAD + bytes * MEMORY_PER_BYTE);
    while (this.#entries.length > limits.entries || this.#entryBytes > limits.bytes) {
      this.#dropEntry();
    }
  }

  recover(since: Position | undefined): Recovery {
    const oldest = this.offset - this.#entries.length;
    const recovered =
      since?.epoch === this.epoch && since.offset >= oldest && since.offset <= this.offset;
    const entries = this.#entries.slice(recovered ? since.offset - oldest : 0);
    return { position: this.position, recovered, entries };
  }

  #dropEntry(): void {
    const entry = this.#entries.shift();
    if (entry === undefined) return;
    this.#entryBytes -= entry.bytes;
    this.#count(-OVERHEAD - entry.bytes * MEMORY_PER_BYTE);
  }
  // #endif
  // #if resume

  /** The offset of the publication with this id of `user`, if it was within `windowMs`. */
  known(user: string, id: string, windowMs: number): number | undefined {
    const oldest = performance.now() - windowMs;
    for (const silent of this.#ids.keys()) {
      if (!this.#dropIds(silent, oldest)) break;
    }
    this.#dropIds(user, oldest);
    return this.#ids.get(user)?.get(id)?.offset;
  }

  remember(user: string, id: string, offset: number): void {
    if (this.#idCount >= MAX_IDS) this.#dropId(this.#whoHasMost(user));
    const ids = this.#ids.get(user) ?? new Map<string, { offset: number; at: number }>();
    ids.set(id, { offset, at: performance.now() });
    this.#ids.delete(user);
    this.#ids.set(user, ids);
    this.#idCount += 1;
    this.#count(OVERHEAD + (user.length + id.length) * MEMORY_PER_BYTE);
  }

  /** Drops the ids of `user` from before `oldest`; whether those were all. */
  #dropIds(user: string, oldest: number): boolean {
    for (const { at } of this.#ids.get(user)?.values() ?? []) {
      if (at >= oldest) return false;
      this.#dropId(user);
    }
    return true;
  }

  /** Drops the oldest id of `user`. */
  #dropId(user: string): void {
    const ids = this.#ids.get(user);
    const [id] = ids?.keys() ?? [];
    if (ids === undefined || id === undefined) return;
    ids.delete(id);
    if (ids.size === 0) this.#ids.delete(user);
    this.#idCount -= 1;
    this.#count(-OVERHEAD - (user.length + id.length) * MEMORY_PER_BYTE);
  }

  /** Whose id gives way to one of `user`: nobody loses one who has no more than his share. */
  #whoHasMost(user: string): string {
    let most = this.#ids.get(user)?.size ?? 0;
    if (most * this.#ids.size >= MAX_IDS) return user;
    let found = user;
    for (const [other, { size }] of this.#ids) {
      if (size <= most) continue;
      most = size;
      found = other;
    }
    return found;
  }
  // #endif

  /** Drops what was kept longest; false if there is nothing. */
  dropOldest(): boolean {
    // #if history || live
    if (this.#entries.length > 0) {
      this.#dropEntry();
      return true;
    }
    // #endif
    // #if resume
    const [silent] = this.#ids.keys();
    if (silent !== undefined) {
      this.#dropId(silent);
      return true;
    }
    // #endif
    return false;
  }
  // #if presence

  announce(change: PresenceChange): void {
    for (const { onPresence } of this.listeners) onPresence?.(change);
  }
  // #endif
}
