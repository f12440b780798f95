import { createHash, randomBytes } from 'node:crypto';
import type { Config } from './config.ts';
import { log } from './log.ts';
import { RedisDown, report, script, settle } from './redis-link.ts';
import type { RedisLink, Reply } from './redis-link.ts';
import type { Entry, Listener, MemoryStore, Origin, Position, Published } from './store.ts';
import type { Recovery, Store } from './store.ts';
// #if live
import type { DocumentStore } from './store.ts';
// #endif
// #if presence
import type { PresenceChange } from './store.ts';
// #endif

const PUBLISH = script('publish');
const OPEN = script('open');
const READ = script('read');
// #if live
const LOAD = script('load');
const COMMIT = script('commit');
const DROP = script('drop');
// #endif
// #if presence
const ENTER = script('enter');
const EXIT = script('exit');
const LIST = script('list');
// #endif

/** Milliseconds for which what was published without an id is known, should it be sent again. */
const UNNAMED_WINDOW_MS = 60_000;
/** Channels that are looked at together. */
const AT_ONCE = 50;

/**
 * Keeps what clients have in common in Redis, for all servers with the same REDIS_PREFIX. While Redis is out of
 * reach, a channel that is used becomes one of this process: it has another epoch, and what was published in
 * it is forgotten when Redis is back. Each time, `onLost` of its listeners is called.
 */
export class RedisStore implements Store {
  readonly #config: Config;
  readonly #link: RedisLink;
  readonly #createMemory: () => MemoryStore;
  readonly #channels = new Map<string, Channel>();
  /** This process, and its publications. */
  readonly #node = randomBytes(8).toString('hex');
  #publications = 0;
  /** What is published while Redis is out of reach. */
  #memory: MemoryStore;
  #checking: NodeJS.Timeout | undefined;
  #isClosed = false;
  // #if presence
  /** Connections of the users of this process, by channel. */
  readonly #users = new Map<string, Map<string, number>>();
  // #endif

  constructor(config: Config, link: RedisLink, createMemory: () => MemoryStore) {
    this.#config = config;
    this.#link = link;
    this.#createMemory = createMemory;
    this.#memory = createMemory();
    link.onUp(async () => {
      await this.#reopen();
    });
    this.#checkLater();
  }

  async publish(name: string, data: string, origin: Origin = {}): Promise<Published> {
    const { HISTORY_TTL, HISTORY_MESSAGES, HISTORY_BYTES, RESUME_WINDOW } = this.#config;
    const channel = this.#channels.get(name);
    await channel?.opened;
    const { user = '', id } = origin;
    this.#publications += 1;
    const attempt = `${this.#node}${String(this.#publications)}`;
    return await this.#orLocally(
      name,
      async () => {
        const key = createHash('sha256').update(id === undefined ? attempt : `${user}\n${id}`);
        const window = id === undefined ? UNNAMED_WINDOW_MS : RESUME_WINDOW;
        const reply = await this.#link.run(
          PUBLISH,
          [...this.#keys(name), this.#key(name, `id:${key.digest('base64url')}`)],
          [
            ...[newEpoch(), this.#ttl(HISTORY_TTL), HISTORY_MESSAGES, HISTORY_BYTES],
            ...[Math.max(1, window), attempt, data],
          ],
        );
        const [duplicate, offset, epoch] = reply as [number, number, string];
        // What is published comes before the reply: what has not come by now is lost.
        if (duplicate === 0) settle(this.#expect(this.#channels.get(name), { offset, epoch }));
        return { offset, epoch, duplicate: duplicate === 1 };
      },
      (memory) => memory.publish(name, data, origin),
    );
  }

  async subscribe(name: string, listener: Listener, owner?: string): Promise<() => void> {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, (message) => {
        this.#receive(name, message);
      });
      this.#channels.set(name, channel);
      channel.opened = this.#open(channel);
    }
    channel.add(listener, owner);
    const end = (): void => {
      channel.delete(listener);
      if (!channel.isEmpty || this.#channels.get(name) !== channel) return;
      this.#channels.delete(name);
      void this.#link.unsubscribe(this.#keys(name)[2], channel.onMessage);
    };
    try {
      await channel.opened;
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  async position(name: string): Promise<Position> {
    return await this.#orLocally(
      name,
      () => this.#touch(name),
      (memory) => memory.position(name),
    );
  }

  async recover(name: string, since?: Position): Promise<Recovery> {
    const channel = this.#channels.get(name);
    await channel?.opened;
    return await this.#orLocally(
      name,
      async () => {
        const recovery = await this.#read(name, since);
        // Whoever is told has all up to the position: nothing of it may come again.
        await this.#expect(this.#channels.get(name), recovery.position);
        return recovery;
      },
      (memory) => memory.recover(name, since),
    );
  }
  // #if live

  readonly documents: DocumentStore = {
    load: async (name) => {
      const keys = [...this.#keys(name), this.#key(name, 'document')];
      const args = [newEpoch(), this.#ttl(this.#config.HISTORY_TTL)];
      const reply = await this.#link.run(LOAD, keys, args);
      if (reply === null) return undefined;
      const [offset, epoch, text] = reply as [number, string, string];
      return { position: { offset, epoch }, text };
    },
    commit: async (name, { text, patch, expected }) => {
      const { HISTORY_TTL, HISTORY_MESSAGES, HISTORY_BYTES, MAX_DOCUMENTS } = this.#config;
      this.#publications += 1;
      const attempt = `id:${this.#node}${String(this.#publications)}`;
      const reply = await this.#link.run(
        COMMIT,
        [
          ...this.#keys(name),
          ...[this.#key(name, 'document'), this.#key(name, attempt)],
          `${this.#link.prefix}:documents`,
        ],
        [
          ...[newEpoch(), this.#ttl(HISTORY_TTL), HISTORY_MESSAGES, HISTORY_BYTES],
          ...[UNNAMED_WINDOW_MS, patch, text, expected?.epoch ?? '', expected?.offset ?? 0],
          ...[MAX_DOCUMENTS, name],
        ],
      );
      const [state, offset, epoch] = reply as [number, number, string];
      if (state === 2) return 'full';
      return state === 1 ? { offset, epoch } : undefined;
    },
    drop: async (name, { epoch, offset }) => {
      const keys = [...this.#keys(name), this.#key(name, 'document')];
      const all = `${this.#link.prefix}:documents`;
      const args = [newEpoch(), epoch, offset, name];
      return (await this.#link.run(DROP, [...keys, all], args)) === 1;
    },
  };
  // #endif
  // #if presence

  async enter(name: string, user: string): Promise<void> {
    await this.#orLocally(
      name,
      async () => {
        // Before anything is waited for: its exit may come meanwhile.
        if (this.#count(name, user, 1) > 1) return;
        try {
          await this.#announce(name, [user]);
        } catch (error) {
          this.#count(name, user, -1);
          throw error;
        }
      },
      (memory) => memory.enter(name, user),
    );
  }

  async exit(name: string, user: string, lost: boolean): Promise<void> {
    if (this.#users.get(name)?.has(user) !== true) {
      await this.#memory.exit(name, user, lost);
      return;
    }
    if (this.#count(name, user, -1) > 0) return;
    const { MAX_ROOM_MEMBERS, PRESENCE_GRACE } = this.#config;
    // Users in their grace time must not make a full room exceed its limit.
    const isCrowded = (this.#channels.get(name)?.users?.size ?? 0) > MAX_ROOM_MEMBERS;
    const graceMs = lost && !isCrowded ? PRESENCE_GRACE : 0;
    const args = [this.#node, user, graceMs];
    // Out of reach, it ends there by itself.
    await this.#link.run(EXIT, this.#presenceKeys(name), args).catch(report);
  }

  async list(name: string): Promise<readonly string[]> {
    return await this.#orLocally(
      name,
      async () => {
        const users = this.#channels.get(name)?.users ?? (await this.#listAll(name));
        return [...users];
      },
      (memory) => memory.list(name),
    );
  }
  // #endif

  /** Says goodbye to the other nodes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#checking);
    // #if presence
    const exits = [...this.#users].flatMap(([name, users]) =>
      [...users.keys()].map(async (user) => {
        const args = [this.#node, user, this.#config.PRESENCE_GRACE];
        await this.#link.run(EXIT, this.#presenceKeys(name), args).catch(report);
      }),
    );
    await Promise.all(exits);
    // #else
    //~ await Promise.resolve();
    // #endif
  }

  /** Does it in Redis; in this process as long as that is out of reach. */
  async #orLocally<T>(
    name: string,
    inRedis: () => Promise<T>,
    locally: (memory: MemoryStore) => Promise<T>,
  ): Promise<T> {
    if (this.#channels.get(name)?.isLocal !== true) {
      try {
        return await inRedis();
      } catch (error) {
        if (!(error instanceof RedisDown)) throw error;
        const channel = this.#channels.get(name);
        if (channel !== undefined) this.#leaveRedis(channel);
      }
    }
    return await locally(this.#memory);
  }

  /** Lets what is published arrive, from now on. */
  async #open(channel: Channel): Promise<void> {
    try {
      await this.#link.subscribe(this.#keys(channel.name)[2], channel.onMessage);
      const position = await this.#touch(channel.name);
      channel.position ??= position;
      // #if presence
      await this.#listAll(channel.name);
      // #endif
      if (channel.highest > channel.position.offset) await this.#catchUp(channel);
    } catch (error) {
      if (!(error instanceof RedisDown)) throw error;
      this.#leaveRedis(channel);
    }
  }

  /** The connection to Redis is new: nothing comes any more of what was subscribed to. */
  async #reopen(): Promise<void> {
    const channels = [...this.#channels.values()];
    // What was published meanwhile must not be taken for something newer the next time.
    this.#memory = this.#createMemory();
    for (const channel of channels) channel.opened = this.#resume(channel);
    await Promise.all(channels.map(({ opened }) => opened.catch(report)));
    // #if presence
    for (const [name, users] of this.#users) await this.#announce(name, [...users.keys()]);
    for (const channel of channels) await this.#compare(channel);
    // #endif
  }

  async #resume(channel: Channel): Promise<void> {
    if (channel.isLocal) {
      channel.leaveMemory();
      this.#lose(channel, undefined);
    }
    if (channel.position === undefined) {
      await this.#open(channel);
      return;
    }
    try {
      await this.#link.subscribe(this.#keys(channel.name)[2], channel.onMessage);
      await this.#catchUp(channel);
    } catch (error) {
      // The next connection does it again, or who needs it before goes without.
      report(error);
    }
  }

  /** From now on, it is one of this process. */
  #leaveRedis(channel: Channel): void {
    if (channel.isLocal) return;
    channel.enterMemory(this.#memory);
    // To who has just come, nothing was promised.
    if (channel.position !== undefined) this.#lose(channel, undefined);
  }

  /** What follows is no continuation: whoever listens has to ask anew. */
  #lose(channel: Channel, position: Position | undefined): void {
    channel.position = position;
    channel.highest = 0;
    // #if presence
    channel.users = undefined;
    // #endif
    log('warn', 'position-lost', { channel: channel.name });
    // #if metrics
    this.#link.figures.lost += 1;
    // #endif
    for (const { onLost } of channel.listeners) onLost?.();
  }

  #receive(name: string, message: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined || channel.isLocal) return;
    const rest = message.slice(1);
    switch (message.slice(0, 1)) {
      case 'e': {
        const [offset = '', epoch = ''] = rest.split(' ', 2);
        const data = rest.slice(offset.length + epoch.length + 2);
        this.#pass(channel, { offset: Number(offset), data }, epoch);
        break;
      }
      // #if live
      case 'r':
        for (const { onRemoved } of channel.listeners) onRemoved?.();
        break;
      // #endif
      // #if presence
      case 'j':
        this.#change(channel, { type: 'member-joined', user: rest });
        break;
      case 'l':
        this.#change(channel, { type: 'member-left', user: rest });
        break;
      case 'g':
        setTimeout(
          () => {
            if (this.#channels.get(name) === channel) settle(this.#listAll(name));
          },
          Number(rest) + 1,
        ).unref();
        break;
      // #endif
    }
  }

  /** Passes the next entry on; looks for those that are missing before it. */
  #pass(channel: Channel, entry: Entry, epoch: string): void {
    const { position } = channel;
    if (position === undefined) {
      // It is being opened, and may be at that already.
      channel.highest = Math.max(channel.highest, entry.offset);
      return;
    }
    if (epoch === position.epoch && entry.offset === position.offset + 1) {
      channel.position = { offset: entry.offset, epoch };
      for (const { onEntry } of channel.listeners) onEntry(entry);
      return;
    }
    // #if metrics
    this.#countMissed(channel, { offset: entry.offset - 1, epoch });
    channel.highest = Math.max(channel.highest, entry.offset);
    // #endif
    settle(this.#expect(channel, { offset: entry.offset, epoch }));
  }
  // #if metrics

  /** Counts what is known to be published, up to a position, and was not heard. */
  #countMissed({ position, highest, catchingUp }: Channel, { offset, epoch }: Position): void {
    // After a new connection, what has not come was not lost.
    if (position?.epoch !== epoch || catchingUp !== undefined) return;
    this.#link.figures.missed += Math.max(0, offset - Math.max(position.offset, highest));
  }
  // #endif

  /** Something is known to be there: what has not come is read from the stream. */
  async #expect(channel: Channel | undefined, { offset, epoch }: Position): Promise<void> {
    const position = channel?.position;
    if (channel === undefined || position === undefined) return;
    if (position.epoch === epoch && position.offset >= offset) return;
    // #if metrics
    this.#countMissed(channel, { offset, epoch });
    // #endif
    channel.highest = Math.max(channel.highest, offset);
    await this.#catchUp(channel);
  }

  /** Passes on what is in the stream and has not come; says so if that is not all. */
  async #catchUp(channel: Channel): Promise<void> {
    channel.catchingUp ??= this.#readOn(channel).finally(() => {
      channel.catchingUp = undefined;
    });
    await channel.catchingUp;
  }

  async #readOn(channel: Channel): Promise<void> {
    let top = -1;
    for (;;) {
      const since = channel.position;
      if (since === undefined) return;
      const { position, recovered, entries } = await this.#read(channel.name, since);
      if (channel.isLocal || channel.position === undefined) return;
      if (!recovered) {
        this.#lose(channel, position);
        return;
      }
      for (const entry of entries) {
        // Some have come while the others were read.
        if (entry.offset === channel.position.offset + 1) this.#pass(channel, entry, since.epoch);
      }
      if (channel.position.offset >= channel.highest || top === position.offset) return;
      top = position.offset;
    }
  }

  async #read(name: string, since?: Position): Promise<Recovery> {
    for (;;) {
      const args = [since?.epoch ?? '', since?.offset ?? 0];
      const reply = await this.#link.run(READ, this.#keys(name), args);
      if (reply === null) {
        await this.#touch(name);
        continue;
      }
      const [recovered, offset, epoch, entries] = reply as [number, number, string, Reply[]];
      return {
        position: { offset, epoch },
        recovered: recovered === 1,
        entries: (entries as [string, [string, string]][]).map(([id, [, data]]) => ({
          offset: Number.parseInt(id, 10),
          data,
        })),
      };
    }
  }

  /** The position of a channel, which is kept a while longer. */
  async #touch(name: string): Promise<Position> {
    const args = [newEpoch(), this.#ttl(this.#config.HISTORY_TTL)];
    const [offset, epoch] = (await this.#link.run(OPEN, this.#keys(name), args)) as [
      number,
      string,
    ];
    return { offset, epoch };
  }

  #checkLater(): void {
    const check = (): void => {
      void this.#check()
        .catch(report)
        .finally(() => {
          if (!this.#isClosed) this.#checkLater();
        });
    };
    this.#checking = setTimeout(check, this.#config.POSITION_CHECK).unref();
  }

  /** Looks whether anything published did not come, and says who is still here. */
  async #check(): Promise<void> {
    const channels = [...this.#channels.values()];
    for (let index = 0; index < channels.length; index += AT_ONCE) {
      const some = channels.slice(index, index + AT_ONCE);
      // One that cannot be looked at is no reason not to look at the others.
      await Promise.all(some.map((channel) => this.#checkOne(channel).catch(report)));
    }
    // #if presence
    for (const [name, users] of this.#users) await this.#announce(name, [...users.keys()]);
    // #endif
  }

  async #checkOne(channel: Channel): Promise<void> {
    if (channel.isLocal || channel.position === undefined) return;
    const position = await this.#touch(channel.name);
    await this.#expect(channel, position);
    // #if presence
    await this.#compare(channel);
    // #endif
  }
  // #if presence

  #change(channel: Channel, change: PresenceChange): void {
    const { users } = channel;
    for (const changes of channel.changes) changes.push(change);
    if (users === undefined || users.has(change.user) === (change.type === 'member-joined')) return;
    if (change.type === 'member-joined') users.add(change.user);
    else users.delete(change.user);
    for (const { onPresence } of channel.listeners) onPresence?.(change);
  }

  /** Tells who listens what has changed without being heard. */
  async #compare(channel: Channel): Promise<void> {
    if (channel.users === undefined || channel.isLocal) return;
    const before = new Set(channel.users);
    const after = await this.#listAll(channel.name).catch(() => before);
    for (const user of before) {
      if (!after.has(user)) this.#change(channel, { type: 'member-left', user });
    }
    for (const user of after) {
      if (!before.has(user)) this.#change(channel, { type: 'member-joined', user });
    }
  }

  /** Counts connections of a user of this process; how many there are now. */
  #count(name: string, user: string, change: number): number {
    const users = this.#users.get(name) ?? new Map<string, number>();
    const connections = Math.max(0, (users.get(user) ?? 0) + change);
    if (connections > 0) users.set(user, connections);
    else users.delete(user);
    if (users.size > 0) this.#users.set(name, users);
    else this.#users.delete(name);
    return connections;
  }

  async #announce(name: string, users: readonly string[]): Promise<void> {
    const args = [this.#node, this.#config.PRESENCE_TTL, ...users];
    await this.#link.run(ENTER, this.#presenceKeys(name), args);
  }

  /** Users of all nodes, longest present first; from then on, the channel knows them. */
  async #listAll(name: string): Promise<Set<string>> {
    const channel = this.#channels.get(name);
    const changes: PresenceChange[] = [];
    channel?.changes.add(changes);
    try {
      const names = (await this.#link.run(LIST, this.#presenceKeys(name))) as string[];
      const users = new Set(names);
      // Of those that came together with the reply, the last of each user holds.
      for (const { type, user } of changes) {
        if (type === 'member-joined') users.add(user);
        else users.delete(user);
      }
      if (channel?.isLocal === false) channel.users ??= users;
      return users;
    } finally {
      channel?.changes.delete(changes);
    }
  }

  #presenceKeys(name: string): string[] {
    const kinds = ['channel', 'ends', 'users', 'counts'];
    return kinds.map((kind) => this.#key(name, kind));
  }
  // #endif

  #keys(name: string): [meta: string, stream: string, channel: string] {
    return [this.#key(name, 'meta'), this.#key(name, 'stream'), this.#key(name, 'channel')];
  }

  #key(name: string, kind: string): string {
    return `${this.#link.prefix}:{${name}}:${kind}`;
  }

  /** Milliseconds for which a channel is kept; who listens says each POSITION_CHECK that it does. */
  #ttl(milliseconds: number): number {
    return Math.max(milliseconds, 4 * this.#config.POSITION_CHECK);
  }
}

/** A channel that somebody in this process listens to. */
class Channel {
  readonly name: string;
  readonly onMessage: (message: string) => void;
  /** From then on, what is published comes. */
  opened: Promise<void> = Promise.resolve();
  /** Of the last entry that the listeners got; undefined: none was promised to them. */
  position: Position | undefined;
  /** The highest offset that is known to be there. */
  highest = 0;
  catchingUp: Promise<void> | undefined;
  // #if presence
  /** Who the listeners were told is there; undefined: nobody has asked. */
  users: Set<string> | undefined;
  /** What has changed since lists were asked for. */
  readonly changes = new Set<PresenceChange[]>();
  // #endif
  /** Where its events come from while Redis is out of reach. */
  #memory: MemoryStore | undefined;
  readonly #owners = new Map<Listener, string | undefined>();
  readonly #ends = new Map<Listener, Promise<() => void>>();

  constructor(name: string, onMessage: (message: string) => void) {
    this.name = name;
    this.onMessage = onMessage;
  }

  get isLocal(): boolean {
    return this.#memory !== undefined;
  }

  get listeners(): Iterable<Listener> {
    return this.#owners.keys();
  }

  get isEmpty(): boolean {
    return this.#owners.size === 0;
  }

  add(listener: Listener, owner: string | undefined): void {
    this.#owners.set(listener, owner);
    if (this.#memory !== undefined) this.#listen(this.#memory, listener);
  }

  delete(listener: Listener): void {
    this.#owners.delete(listener);
    this.#mute(listener);
  }

  enterMemory(memory: MemoryStore): void {
    this.#memory = memory;
    for (const listener of this.#owners.keys()) this.#listen(memory, listener);
  }

  leaveMemory(): void {
    this.#memory = undefined;
    for (const listener of this.#owners.keys()) this.#mute(listener);
  }

  #listen(memory: MemoryStore, listener: Listener): void {
    this.#ends.set(listener, memory.subscribe(this.name, listener, this.#owners.get(listener)));
  }

  #mute(listener: Listener): void {
    void this.#ends.get(listener)?.then((end) => {
      end();
    });
    this.#ends.delete(listener);
  }
}

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
