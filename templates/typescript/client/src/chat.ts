import { Client } from './client.ts';
import type { ClientOptions } from './client.ts';
import type { Ack, ChatMessage, Incoming } from './messages.ts';
import type { Outbox, SendOptions } from './outbox.ts';
import { Stream } from './stream.ts';
import type { Owner, StreamEvents } from './stream.ts';

export interface RoomEvents extends StreamEvents {
  message: ChatMessage;
  // #if presence
  /** Who is there, after each change. */
  members: readonly string[];
  // #endif
}

/** A room that the client is in, or will be in as soon as it is connected. */
export class Room extends Stream<RoomEvents> {
  readonly #outbox: Outbox;
  // #if presence
  #members: readonly string[] = [];
  // #endif

  constructor(name: string, owner: Owner, outbox: Outbox) {
    super(name, owner);
    this.#outbox = outbox;
  }

  // #if presence
  /** Sorted. */
  get members(): readonly string[] {
    return this.#members;
  }

  // #endif
  /** Publishes `text`; settles when the server has taken it, or with the reason why it has not. */
  send(text: string, options?: SendOptions): Promise<Ack> {
    const message = { type: 'message', ...(this.name && { room: this.name }), text };
    return this.#outbox.add(this.name, message, options);
  }

  protected restore(): undefined {
    return undefined;
  }

  protected give(event: Incoming): void {
    this.emit('message', event as unknown as ChatMessage);
  }
  // #if presence

  /** Takes `member-joined` or `member-left`. */
  changeMembers(user: string, isThere: boolean): void {
    // The answer to `join` holds what came before it.
    if (this.status !== 'joined') return;
    const others = this.#members.filter((member) => member !== user);
    this.#setMembers(isThere ? [...others, user] : others);
  }

  override accept(reply: Incoming): void {
    const { members } = reply;
    if (Array.isArray(members)) this.#setMembers(members as string[]);
    super.accept(reply);
  }

  #setMembers(members: readonly string[]): void {
    this.#members = [...members].sort();
    this.emit('members', this.#members);
  }
  // #endif
}

const WORDS = { join: 'join', joined: 'joined', leave: 'leave', left: 'left', name: 'room' };

/** A client of a chat server. */
export class ChatClient extends Client<Room> {
  constructor(options: ClientOptions) {
    super({ subprotocols: ['chat.v1'], ...options }, WORDS);
  }

  /** Joins `room`, and again after each reconnect; without a name, the one room of a server without rooms. */
  join(room = ''): Room {
    return this.open(room, () => new Room(room, this.owner, this.outbox)).retain();
  }

  protected override get asksToJoin(): boolean {
    return this.features.has('rooms');
  }

  protected override isReady = (stream: string): boolean =>
    !['new', 'asked'].includes(this.streams.get(stream)?.status ?? '');

  protected receive(message: Incoming): void {
    const { type, room = '' } = message;
    const stream = this.streams.get(String(room));
    if (type === 'message') stream?.handle(message);
    // #if presence
    const { user } = message;
    const isThere = type === 'member-joined';
    if (isThere || type === 'member-left') stream?.changeMembers(String(user), isThere);
    // #endif
  }
}
