import type { Client } from './client.ts';
import type { Config } from './config.ts';
import { encode } from './messages.ts';
import type { ChatMessage, Command } from './messages.ts';
// #if rooms
import type { ErrorCode } from './messages.ts';
import type { Room } from './room.ts';
import { Rooms } from './rooms.ts';
// #endif

type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>;

/** Executes valid commands. It knows clients, but no sockets. */
export class Chat {
  readonly #config: Config;
  readonly #clients = new Set<Client>();
  // #if rooms
  readonly #rooms: Rooms;
  // #endif

  constructor(config: Config) {
    this.#config = config;
    // #if rooms
    this.#rooms = new Rooms(config);
    // #endif
  }

  open(client: Client): void {
    this.#clients.add(client);
    client.send({
      type: 'welcome',
      client: client.id,
      user: client.user,
      pingIntervalMs: this.#config.PING_INTERVAL,
    });
  }

  receive(client: Client, command: Command): void {
    switch (command.type) {
      case 'ping':
        client.send({ type: 'pong', id: command.id });
        break;
      case 'message':
        this.#publish(client, command);
        break;
      // #if rooms
      case 'join':
        this.#join(client, command);
        break;
      case 'leave':
        this.#leave(client, command);
        break;
      // #endif
      // #if presence
      case 'members':
        this.#listMembers(client, command);
        break;
      // #endif
    }
  }

  /** Call once the connection of `client` has ended. */
  close(client: Client): void {
    this.#clients.delete(client);
    // #if rooms
    for (const room of client.rooms.values()) {
      room.exit(client);
      // #if presence
      room.presence.exit(client.user, true);
      // #endif
      this.#rooms.release(room);
    }
    // #endif
  }

  /** Closes every client, each with a random time after which to reconnect. */
  drain(maxRetryAfterMs: number): void {
    for (const client of this.#clients) {
      client.send({ type: 'draining', retryAfterMs: Math.round(Math.random() * maxRetryAfterMs) });
      client.close('goingAway');
    }
  }

  terminate(): void {
    for (const client of this.#clients) client.terminate();
  }

  #publish(client: Client, command: CommandOf<'message'>): void {
    // #if rooms
    const room = client.rooms.get(command.room);
    if (room === undefined) {
      fail(client, command, 'not_in_room', `join ${command.room} first`);
      return;
    }
    // #endif
    const message: ChatMessage = {
      type: 'message',
      // #if rooms
      room: room.name,
      // #endif
      from: client.user,
      text: command.text,
      at: new Date().toISOString(),
      // #if history
      offset: room.history.nextOffset,
      // #endif
    };
    const bytes = encode(message);
    // #if history
    room.history.append(message, bytes.length);
    // #endif
    if (command.id !== undefined) {
      client.send({
        type: 'ack',
        id: command.id,
        // #if history
        offset: message.offset,
        // #endif
      });
    }
    // #if rooms
    room.broadcast(bytes);
    // #else
    //~ for (const member of this.#clients) member.sendEncoded(bytes);
    // #endif
  }
  // #if rooms

  #join(client: Client, command: CommandOf<'join'>): void {
    let room = client.rooms.get(command.room);
    if (room === undefined) {
      room = this.#admit(client, command);
      if (room === undefined) return;
      // #if presence
      // Before the client enters, so that it is not told of itself.
      room.presence.enter(client.user);
      // #endif
      room.enter(client);
    }
    // Nothing is awaited between entering and this reply, so no message can come between them.
    client.send({
      type: 'joined',
      id: command.id,
      room: room.name,
      // #if presence
      members: room.presence.list(),
      // #endif
      // #if history
      ...room.history.recover(command.since),
      // #endif
    });
  }

  /** The room that `client` may enter; undefined if it may not, after an error was sent. */
  #admit(client: Client, command: CommandOf<'join'>): Room | undefined {
    if (client.rooms.size >= this.#config.MAX_ROOMS_PER_CLIENT) {
      fail(client, command, 'too_many_rooms', 'leave another room first');
      return undefined;
    }
    const room = this.#rooms.open(command.room, client);
    if (room === undefined) {
      fail(client, command, 'too_many_rooms', 'there is no space for another room of your address');
      return undefined;
    }
    if (room.isFull) {
      fail(client, command, 'room_full', `${command.room} is full`);
      return undefined;
    }
    return room;
  }

  #leave(client: Client, command: CommandOf<'leave'>): void {
    const room = client.rooms.get(command.room);
    if (room === undefined) {
      fail(client, command, 'not_in_room', `not in ${command.room}`);
      return;
    }
    room.exit(client);
    // #if presence
    room.presence.exit(client.user, false);
    // #endif
    this.#rooms.release(room);
    client.send({ type: 'left', id: command.id, room: room.name });
  }
  // #endif
  // #if presence

  #listMembers(client: Client, command: CommandOf<'members'>): void {
    const room = client.rooms.get(command.room);
    if (room === undefined) {
      fail(client, command, 'not_in_room', `join ${command.room} first`);
      return;
    }
    const members = room.presence.list();
    client.send({ type: 'members', id: command.id, room: room.name, members });
  }
  // #endif
}
// #if rooms

function fail(client: Client, command: Command, code: ErrorCode, message: string): void {
  client.send({ type: 'error', id: command.id, code, message });
}
// #endif
