import type { Config } from './config.ts';
// #if history
import { History } from './history.ts';
// #endif
// #if presence
import { encode } from './messages.ts';
import { Presence } from './presence.ts';
// #endif
import type { Share } from './shares.ts';

/** A client who has opened rooms. */
export interface Owner {
  readonly share: Share;
  opened: number;
}

/** What a room needs of a client. */
interface Member {
  readonly rooms: Map<string, Room>;
  readonly sendEncoded: (bytes: Buffer, droppable: boolean) => void;
}

/** One room and its members. */
export class Room {
  readonly name: string;
  readonly members = new Set<Member>();
  /** Against whose share it counts; nobody's while it is empty. */
  owner: Owner | undefined;
  // #if history
  lastShare: Share | undefined;
  // #endif
  // #if presence
  readonly presence: Presence;
  // #endif
  // #if history
  readonly history: History;
  // #endif
  readonly #maxMembers: number;

  constructor(name: string, config: Config) {
    this.name = name;
    this.#maxMembers = config.MAX_ROOM_MEMBERS;
    // #if presence
    this.presence = new Presence(config.PRESENCE_GRACE, config.MAX_ROOM_MEMBERS, (change) => {
      // Every `joined` lists all members, so a slow client may miss a change.
      this.broadcast(encode({ ...change, room: name }), true);
    });
    // #endif
    // #if history
    this.history = new History(config.HISTORY_MESSAGES, config.HISTORY_BYTES);
    // #endif
  }

  get isFull(): boolean {
    return this.members.size >= this.#maxMembers;
  }

  broadcast(bytes: Buffer, droppable = false): void {
    for (const member of this.members) member.sendEncoded(bytes, droppable);
  }

  enter(client: Member): void {
    this.members.add(client);
    client.rooms.set(this.name, this);
  }

  exit(client: Member): void {
    this.members.delete(client);
    client.rooms.delete(this.name);
  }
}
