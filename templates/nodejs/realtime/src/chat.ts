import type { Application, Context } from './application.ts';
import { CHAT_MESSAGES, ChatCommand } from './chat-messages.ts';
import type { ServerMessage } from './chat-messages.ts';
import type { Client } from './client.ts';
import type { Verdict } from './hooks.ts';
import { COMMON_FEATURES } from './messages.ts';
// #if rooms
// #if auth
import { forbidden } from './hooks.ts';
// #endif
import { ERROR_CODES } from './messages.ts';
import type { Room } from './room.ts';
import { Rooms } from './rooms.ts';
// #if history
import { frameOf } from './frame.ts';
import { messageText } from './room.ts';
// #endif
// #else
//~ import { Room } from './room.ts';
// #endif

type CommandOf<Type extends ChatCommand['type']> = Extract<ChatCommand, { type: Type }>;
// #if rooms

/** Cost of a join in messages of the rate limit: the reply may hold a whole history. */
const JOIN_COST = 10;
// #endif

/** Messages between the members of rooms. */
export class Chat implements Application {
  readonly subprotocol = 'chat.v1';
  readonly features = [
    // In the order of the documentation.
    // #if rooms
    'rooms',
    // #endif
    // #if presence
    'presence',
    // #endif
    // #if history
    'history',
    // #endif
    // #if resume
    'resume',
    // #endif
    ...COMMON_FEATURES,
  ];
  readonly commands = ChatCommand;
  readonly messages = CHAT_MESSAGES;
  readonly #context: Context;
  // #if rooms
  readonly #rooms: Rooms;
  // #else
  //~ readonly #room = new Room('');
  // #endif

  constructor(context: Context) {
    this.#context = context;
    // #if rooms
    this.#rooms = new Rooms(context.config, context.store);
    // #endif
  }
  // #if rooms
  // #else
  //~
  //~ async start(): Promise<void> {
  //~   await this.#context.store.subscribe(this.#room.name, this.#room);
  //~ }
  //~
  //~ open(client: Client): void {
  //~   this.#room.members.add(client);
  //~ }
  // #endif

  // #if rooms && metrics
  get roomCount(): number {
    return this.#rooms.size;
  }

  // #endif
  receive(client: Client, command: ChatCommand): void | Promise<void> {
    switch (command.type) {
      case 'message':
        return this.#publish(client, command);
      // #if rooms
      case 'join':
        return this.#join(client, command);
      case 'leave':
        return this.#leave(client, command);
      // #endif
      // #if presence
      case 'members':
        return this.#listMembers(client, command);
      // #endif
    }
  }
  // #if rooms
  // #if auth

  async refresh(client: Client): Promise<void> {
    const { identity } = client;
    const names = this.#rooms.all(client).map(({ name }) => name);
    const closed = await forbidden(names, (name) =>
      this.#context.authorize({ identity, action: 'join', name }),
    );
    for (const name of closed) this.#rooms.putOut(client, name, 'forbidden');
  }
  // #endif

  costOf(command: ChatCommand): number {
    return command.type === 'join' ? JOIN_COST : 1;
  }
  // #endif

  close(client: Client): void {
    // #if rooms
    for (const room of this.#rooms.all(client)) {
      this.#rooms.exit(client, room);
      // #if presence
      void this.#context.store.exit(room.name, client.user, true);
      // #endif
    }
    // #else
    //~ this.#room.members.delete(client);
    // #endif
  }

  drain(): void {
    // #if rooms
    this.#rooms.flush();
    // #else
    //~ this.#room.flush();
    // #endif
  }

  #publish(client: Client, command: CommandOf<'message'>): void | Promise<void> {
    // #if rooms
    const room = this.#rooms.of(client, command.room);
    if (room === undefined) {
      client.fail(command, 'not_in_room', `join ${command.room} first`);
      return;
    }
    // #else
    //~ const room = this.#room;
    // #endif
    const verdict = this.#context.onMessage({
      identity: client.identity,
      // #if rooms
      room: room.name,
      // #endif
      text: command.text,
    });
    if (!(verdict instanceof Promise)) return this.#send(client, command, room, verdict);
    return verdict.then((settled) => this.#send(client, command, room, settled));
  }

  async #send(
    client: Client,
    command: CommandOf<'message'>,
    room: Room,
    verdict: Verdict,
  ): Promise<void> {
    if ('refuse' in verdict) {
      client.fail(command, 'forbidden', verdict.refuse);
      return;
    }
    const { id } = command;
    const data = JSON.stringify({
      type: 'message',
      // #if rooms
      room: room.name,
      // #endif
      from: client.user,
      text: verdict.text,
      at: new Date(this.#context.now()).toISOString(),
      // #if resume
      id,
      // #endif
    });
    // #if history
    const published = await this.#context.store.publish(room.name, data, { user: client.user, id });
    // #else
    //~ await this.#context.store.publish(room.name, data);
    // #endif
    if (id === undefined) return;
    reply(client, {
      type: 'ack',
      id,
      // #if history
      offset: published.offset,
      // #endif
      // #if resume
      ...(published.duplicate && { duplicate: true }),
      // #endif
    });
  }
  // #if rooms

  async #join(client: Client, command: CommandOf<'join'>): Promise<void> {
    // #if history || presence
    const { store } = this.#context;
    // #endif
    const { room: name } = command;
    if (!(await this.#context.authorize({ identity: client.identity, action: 'join', name }))) {
      client.fail(command, 'forbidden', `you may not enter ${name}`);
      return;
    }
    if (!client.isOpen) return;
    const present = this.#rooms.of(client, name);
    const room = present ?? this.#rooms.enter(client, name);
    if (typeof room === 'string') {
      client.fail(command, room, ERROR_CODES[room]);
      return;
    }
    // Whatever comes from now on waits for it, so that nothing is missing between reply and events.
    if (present !== undefined) room.hold(client);
    // #if presence
    // At once: if it goes meanwhile, its exit has to come after that.
    const entered = present === undefined ? store.enter(name, client.user) : undefined;
    await Promise.all([room.subscribed, entered]);
    const members = await store.list(name);
    room.skipChanges(client);
    // #else
    //~ await room.subscribed;
    // #endif
    // #if history
    // #if resume
    const { position, recovered, entries } = await store.recover(name, command.since);
    // #if metrics
    if (command.since !== undefined) this.#context.metrics.recovered(recovered);
    // #endif
    // #else
    //~ const { position, entries } = await store.recover(name);
    // #endif
    // #endif
    if (!room.has(client)) {
      // It has gone while the store was asked, or was put out to make space.
      client.fail(command, 'too_many_rooms', ERROR_CODES.too_many_rooms);
      return;
    }
    // #if history
    const head = JSON.stringify({
      type: 'joined',
      id: command.id,
      room: name,
      // #if presence
      members,
      // #endif
      // #if resume
      position,
      recovered,
      // #endif
    });
    const messages = entries.map(messageText).join(',');
    client.deliver(frameOf(`${head.slice(0, -1)},"messages":[${messages}]}`));
    room.admit(client, position.offset);
    // #else
    //~ reply(client, {
    //~   type: 'joined',
    //~   id: command.id,
    //~   room: name,
    // #if presence
    //~   members,
    // #endif
    //~ });
    //~ room.admit(client, 0);
    // #endif
  }

  async #leave(client: Client, command: CommandOf<'leave'>): Promise<void> {
    const room = this.#rooms.of(client, command.room);
    if (room === undefined) {
      client.fail(command, 'not_in_room', `not in ${command.room}`);
      return;
    }
    this.#rooms.exit(client, room);
    // #if presence
    await this.#context.store.exit(room.name, client.user, false);
    // #endif
    reply(client, { type: 'left', id: command.id, room: room.name });
  }
  // #endif
  // #if presence

  async #listMembers(client: Client, command: CommandOf<'members'>): Promise<void> {
    const room = this.#rooms.of(client, command.room);
    if (room === undefined) {
      client.fail(command, 'not_in_room', `join ${command.room} first`);
      return;
    }
    const members = await this.#context.store.list(room.name);
    reply(client, { type: 'members', id: command.id, room: room.name, members });
  }
  // #endif
}

function reply(client: Client, message: ServerMessage): void {
  client.send(message);
}
