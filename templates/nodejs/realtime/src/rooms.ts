import type { Client } from './client.ts';
import type { Config } from './config.ts';
import type { AnyMessage } from './messages.ts';
import { Room } from './room.ts';
import type { Member } from './room.ts';
import type { Share } from './shares.ts';
import type { Store } from './store.ts';

/** The rooms with members, by name. What is kept of the others is the store's concern. */
export class Rooms {
  readonly #rooms = new Map<string, Room>();
  /** Clients that have joined a room. */
  readonly #members = new Map<Client, Member>();
  readonly #config: Config;
  readonly #store: Store;

  constructor(config: Config, store: Store) {
    this.#config = config;
    this.#store = store;
  }

  // #if metrics
  get size(): number {
    return this.#rooms.size;
  }

  // #endif
  /** The room called `name` if `client` is in it, or on its way in. */
  of(client: Client, name: string): Room | undefined {
    return this.#members.get(client)?.rooms.get(name);
  }

  /** Sends what waits for the members of any room. */
  flush(): void {
    for (const room of this.#rooms.values()) room.flush();
  }

  /** All rooms that `client` is in. */
  all(client: Client): Room[] {
    return [...(this.#members.get(client)?.rooms.values() ?? [])];
  }

  /**
   * Puts `client` on its way into the room called `name`, which it owns if nobody is in it; the error code
   * when it is full, or when there are too many, or too many of its address. One is for every client,
   * whatever its neighbours do.
   */
  enter(client: Client, name: string): Room | 'too_many_rooms' | 'room_full' {
    const member = this.#members.get(client) ?? { share: client.share, owned: 0, rooms: new Map() };
    if (member.rooms.size >= this.#config.MAX_ROOMS_PER_CLIENT) return 'too_many_rooms';
    let room = this.#rooms.get(name);
    if (room === undefined) {
      if (this.#isUsedUp(member.share) && member.owned > 0) return 'too_many_rooms';
      this.#makeSpace(member);
      if (this.#rooms.size >= this.#config.MAX_ROOMS) return 'too_many_rooms';
      room = new Room(name);
      this.#rooms.set(name, room);
      room.subscribed = this.#store.subscribe(name, room, member.share.address);
      give(room, member);
    } else if (room.size >= this.#config.MAX_ROOM_MEMBERS) return 'room_full';
    this.#members.set(client, member);
    member.rooms.set(name, room);
    room.hold(client);
    return room;
  }

  /** Takes `client` out of `room`. */
  exit(client: Client, room: Room): void {
    const member = this.#members.get(client);
    if (member === undefined) return;
    room.exit(client);
    member.rooms.delete(room.name);
    if (member.rooms.size === 0) this.#members.delete(client);
    if (room.owner === member) this.#passOn(room, member);
    if (room.size === 0) this.#forget(room);
  }

  #isUsedUp(share: Share): boolean {
    return share.rooms >= this.#config.MAX_ROOMS_PER_IP;
  }

  /**
   * The owner has left: the room counts for the same address if that is still in it, else for one that has
   * space in its share, else for one that has not.
   */
  #passOn(room: Room, { share }: Member): void {
    give(room, undefined);
    const members = room.clients.flatMap((client) => this.#members.get(client) ?? []);
    const next =
      members.find((member) => member.share === share) ??
      members.find((member) => !this.#isUsedUp(member.share)) ??
      members[0];
    give(room, next);
  }

  #forget(room: Room): void {
    if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
    // That it failed is known to who asked for it.
    void room.subscribed?.then(
      (unsubscribe) => {
        unsubscribe();
      },
      () => undefined,
    );
  }

  /**
   * With too many rooms, and for a client with space in its share, ends the newest one of an address above
   * its own.
   */
  #makeSpace({ share }: Member): void {
    if (this.#rooms.size < this.#config.MAX_ROOMS || this.#isUsedUp(share)) return;
    const above = [...this.#rooms.values()].findLast(
      ({ owner }) => owner !== undefined && owner.share.rooms > this.#config.MAX_ROOMS_PER_IP,
    );
    if (above === undefined) return;
    for (const client of above.clients) this.putOut(client, above.name, 'too_many_rooms');
  }

  /**
   * Takes `client` out of the room called `name` and tells it why, by an event `left`. One that is on its way
   * in hears it as the answer to its join.
   */
  putOut(client: Client, name: string, code: 'forbidden' | 'too_many_rooms'): void {
    const room = this.of(client, name);
    if (room === undefined) return;
    const isIn = room.members.has(client);
    this.exit(client, room);
    // #if presence
    void this.#store.exit(name, client.user, false);
    // #endif
    if (isIn) client.send({ type: 'left', room: name, code } as AnyMessage);
  }
}

/** Counts `room` for the address of `next`, and no longer for that of its owner. */
function give(room: Room, next: Member | undefined): void {
  for (const [owner, change] of [
    [room.owner, -1],
    [next, 1],
  ] as const) {
    if (owner === undefined) continue;
    owner.owned += change;
    owner.share.rooms += change;
  }
  room.owner = next;
}
