/** A user who joined or left a room. */
export interface PresenceChange {
  readonly type: 'member-joined' | 'member-left';
  readonly user: string;
}

interface Attendance {
  connections: number;
  /** Runs while the user has no connection but is not yet announced as gone. */
  grace?: NodeJS.Timeout | undefined;
}

/**
 * The users in one room. A user joins with the first connection and leaves after the last, with a
 * grace time so that a reconnect causes no messages.
 */
export class Presence {
  readonly #users = new Map<string, Attendance>();
  readonly #graceMs: number;
  readonly #maxUsers: number;
  readonly #announce: (change: PresenceChange) => void;

  constructor(graceMs: number, maxUsers: number, announce: (change: PresenceChange) => void) {
    this.#graceMs = graceMs;
    this.#maxUsers = maxUsers;
    this.#announce = announce;
  }

  /** User names, longest present first. */
  list(): readonly string[] {
    return [...this.#users.keys()];
  }

  enter(user: string): void {
    const known = this.#users.get(user);
    if (known === undefined) {
      this.#users.set(user, { connections: 1 });
      this.#announce({ type: 'member-joined', user });
      return;
    }
    clearTimeout(known.grace);
    known.grace = undefined;
    known.connections += 1;
  }

  /** One connection of `user` has left; `lost`: not on purpose, so the grace time applies. */
  exit(user: string, lost: boolean): void {
    const known = this.#users.get(user);
    if (known === undefined) return;
    known.connections -= 1;
    if (known.connections > 0) return;
    // Users in their grace time must not make a full room exceed its limit.
    if (!lost || this.#users.size > this.#maxUsers) {
      this.#remove(user);
      return;
    }
    known.grace = setTimeout(() => {
      this.#remove(user);
    }, this.#graceMs).unref();
  }

  /** Stops all grace timers without announcing anything. */
  dispose(): void {
    for (const { grace } of this.#users.values()) clearTimeout(grace);
    this.#users.clear();
  }

  #remove(user: string): void {
    this.#users.delete(user);
    this.#announce({ type: 'member-left', user });
  }
}
