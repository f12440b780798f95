import type { Config } from './config.ts';
// #if redis
import { report } from './redis-link.ts';
import type { RedisLink } from './redis-link.ts';
import { SAY_AGAIN_MS, SharedUse } from './redis-shared.ts';
// #endif
import { TokenBucket } from './token-bucket.ts';

/** What one user has and uses, over all connections. */
export interface UserShare {
  readonly user: string;
  readonly commands: TokenBucket;
  connections: number;
  // #if redis
  /** Which of the counts of this server it is: one that was forgotten began anew. */
  readonly count: number;
  /** Its connections to other servers; what it had taken, as Redis knows, and when it was told last. */
  elsewhere: number;
  saidTaken: number;
  saidAt: number;
  /** How many want to know what it has elsewhere, before they let it in. */
  asking: number;
  /** Redis is being told; will be when that is done. */
  saying: Promise<void> | undefined;
  next: Promise<void> | undefined;
  // #endif
}

/** The shares of users: of those who are connected, and for a moment of those who were. */
export class Users {
  readonly #config: Config;
  readonly #byUser = new Map<string, UserShare>();

  // #if redis
  readonly #shared: SharedUse | undefined;
  #counts = 0;

  constructor(config: Config, link?: RedisLink) {
    this.#config = config;
    const { USER_RATE_LIMIT, USER_RATE_BURST } = config;
    this.#shared = link && new SharedUse(link, USER_RATE_LIMIT, USER_RATE_BURST);
  }

  /** Asks what `user` has and uses elsewhere, before it is let in. */
  async learn(user: string): Promise<void> {
    if (this.#shared === undefined) return;
    const share = this.#shareOf(user);
    share.asking += 1;
    await this.#say(share);
    share.asking -= 1;
  }

  /** One at a time, so that what is newest is said last, however long Redis takes; never rejects. */
  #say(share: UserShare): Promise<void> {
    if (share.saying === undefined) {
      share.saying = this.#sayNow(share).finally(() => {
        share.saying = undefined;
      });
      return share.saying;
    }
    share.next ??= share.saying.then(() => {
      share.next = undefined;
      return this.#say(share);
    });
    return share.next;
  }

  async #sayNow(share: UserShare): Promise<void> {
    const { commands } = share;
    const { taken } = commands;
    share.saidAt = performance.now();
    try {
      const said = await this.#shared?.say(share, taken);
      if (said === undefined) return;
      share.elsewhere = said.elsewhere;
      share.saidTaken = taken;
      // What it has taken meanwhile will be said the next time.
      commands.set(said.left - (commands.taken - taken));
    } catch (error) {
      share.elsewhere = 0;
      report(error);
    }
  }
  // #else
  //~ constructor(config: Config) {
  //~   this.#config = config;
  //~ }
  // #endif

  /** Whether one more connection of `user` is too many. */
  isFull(user: string): boolean {
    const share = this.#byUser.get(user);
    // #if redis
    const connections = (share?.connections ?? 0) + (share?.elsewhere ?? 0);
    // #else
    //~ const connections = share?.connections ?? 0;
    // #endif
    return connections >= this.#config.MAX_CONNECTIONS_PER_USER;
  }

  /** Counts a connection of `user`; undefined if it is one too many. */
  enter(user: string): UserShare | undefined {
    if (this.isFull(user)) return undefined;
    const share = this.#shareOf(user);
    share.connections += 1;
    // #if redis
    void this.#say(share);
    // #endif
    return share;
  }

  #shareOf(user: string): UserShare {
    const known = this.#byUser.get(user);
    if (known !== undefined) return known;
    const { USER_RATE_LIMIT, USER_RATE_BURST } = this.#config;
    const share = {
      user,
      commands: new TokenBucket(USER_RATE_LIMIT, USER_RATE_BURST),
      connections: 0,
      // #if redis
      count: ++this.#counts,
      elsewhere: 0,
      saidTaken: 0,
      saidAt: 0,
      asking: 0,
      saying: undefined,
      next: undefined,
      // #endif
    };
    this.#byUser.set(user, share);
    return share;
  }

  /** A connection that was counted has ended. */
  leave(share: UserShare): void {
    share.connections -= 1;
    // #if redis
    void this.#say(share);
    // #endif
  }

  /** Call once a second: forgets who has left and owes nothing. */
  sweep(): void {
    // #if redis
    const now = performance.now();
    // #endif
    for (const [user, share] of this.#byUser) {
      const { connections, commands } = share;
      const isGone = connections === 0 && commands.isFull;
      // #if redis
      if (isGone && share.asking === 0) {
        this.#byUser.delete(user);
        continue;
      }
      const isLate = share.elsewhere > 0 || now - share.saidAt > SAY_AGAIN_MS;
      if (commands.taken > share.saidTaken || (connections > 0 && isLate)) {
        void this.#say(share);
      }
      // #else
      //~ if (isGone) this.#byUser.delete(user);
      // #endif
    }
  }

  /** Users that are known. */
  get size(): number {
    return this.#byUser.size;
  }
}
