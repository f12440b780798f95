import type { Config } from './config.ts';
import { Room } from './room.ts';

/** All rooms by name. A room is created for its first member and removed after its last. */
export class Rooms {
  readonly #rooms = new Map<string, Room>();
  readonly #config: Config;
  // #if history
  /** Empty rooms, longest empty first, with the timers that remove them. */
  readonly #empty = new Map<Room, NodeJS.Timeout>();
  // #endif

  constructor(config: Config) {
    this.#config = config;
  }

  /** The room called `name`, created if necessary; undefined when there are too many. */
  open(name: string): Room | undefined {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      // #if history
      this.#makeSpace();
      // #endif
      if (this.#rooms.size >= this.#config.MAX_ROOMS) return undefined;
      room = new Room(name, this.#config);
      this.#rooms.set(name, room);
    }
    // #if history
    clearTimeout(this.#empty.get(room));
    this.#empty.delete(room);
    // #endif
    return room;
  }

  /** Call whenever a client has left `room`. */
  release(room: Room): void {
    if (room.members.size > 0) return;
    // #if history
    const timer = setTimeout(() => {
      this.#forget(room);
    }, this.#config.HISTORY_TTL).unref();
    this.#empty.set(room, timer);
    // #else
    //~ this.#forget(room);
    // #endif
  }

  #forget(room: Room): void {
    // #if presence
    room.presence.dispose();
    // #endif
    // #if history
    clearTimeout(this.#empty.get(room));
    this.#empty.delete(room);
    // #endif
    this.#rooms.delete(room.name);
  }
  // #if history

  /** Removes the room that has been empty longest, if there are too many rooms. */
  #makeSpace(): void {
    if (this.#rooms.size < this.#config.MAX_ROOMS) return;
    const [oldest] = this.#empty.keys();
    if (oldest !== undefined) this.#forget(oldest);
  }
  // #endif
}
