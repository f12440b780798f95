import type { Config } from './config.ts';
import { Room } from './room.ts';
import type { Owner } from './room.ts';

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

  /**
   * The room called `name`, for `client`, which owns it if nobody is in it; undefined when there are too
   * many, or too many of its address. One is for every client, whatever its neighbours do.
   */
  open(name: string, client: Owner): Room | undefined {
    let room = this.#rooms.get(name);
    if (room === undefined || room.members.size === 0) {
      const isShareUsed = client.share.rooms >= this.#config.MAX_ROOMS_PER_IP;
      if (isShareUsed && client.opened > 0) return undefined;
    }
    if (room === undefined) {
      // #if history
      this.#makeSpace(client);
      // #endif
      if (this.#rooms.size >= this.#config.MAX_ROOMS) return undefined;
      room = new Room(name, this.#config);
      this.#rooms.set(name, room);
    }
    if (room.owner === undefined) {
      room.owner = client;
      client.opened += 1;
      client.share.rooms += 1;
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
    if (room.owner !== undefined) {
      room.owner.opened -= 1;
      room.owner.share.rooms -= 1;
    }
    // #if history
    room.lastShare = room.owner?.share;
    // #endif
    room.owner = undefined;
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

  /** Removes the room that has been empty longest, of the client's address first, if there are too many rooms. */
  #makeSpace({ share }: Owner): void {
    if (this.#rooms.size < this.#config.MAX_ROOMS) return;
    const empty = [...this.#empty.keys()];
    const oldest = empty.find((room) => room.lastShare === share) ?? empty[0];
    if (oldest !== undefined) this.#forget(oldest);
  }
  // #endif
}
