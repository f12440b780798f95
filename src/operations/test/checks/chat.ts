import { randomBytes } from 'node:crypto';
import type { Manifest } from '../../../target/project/index.ts';
import type { Channel } from '../../../transport/index.ts';
import { CheckFailure, pass, skip } from '../check.ts';
import type { Check, CheckContext, Outcome } from '../check.ts';
import { expectEvent } from '../expect.ts';

/*
 * A generated chat server does what its features promise (README of the project). Each row judges one
 * feature; what cannot be judged because another feature does not work is skipped in its row.
 */

/** Settings of the projects under test: a member whose connection is lost leaves soon. */
export const CHAT_ENV = { PRESENCE_GRACE: '200', HISTORY_TTL: '60000' };

/** A message of the server: a reply to the command with the same `id`, or an event without one. */
type Message = Readonly<Record<string, unknown>>;

/** One client of a chat server. Messages that nobody has waited for yet are kept. */
class Member implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #leftMs: () => number;
  readonly #unread: Message[] = [];
  #ids = 0;
  user: unknown;

  private constructor(channel: Channel, leftMs: () => number) {
    this.#channel = channel;
    this.#leftMs = leftMs;
  }

  static async connect({ dial, leftMs, session }: CheckContext): Promise<Member> {
    const limitMs = (): number => Math.min(session.timeoutMs, leftMs());
    const member = new Member(await dial(), limitMs);
    const welcome = await member.expect('a welcome', ({ type }) => type === 'welcome');
    member.user = welcome['user'];
    return member;
  }

  /** The first message that matches, taken out of those received. */
  async expect(what: string, match: (message: Message) => boolean): Promise<Message> {
    const known = this.#unread.findIndex(match);
    if (known >= 0) return this.#unread.splice(known, 1)[0] ?? {};
    const event = await expectEvent(this.#channel, {
      type: 'message',
      what,
      timeoutMs: this.#leftMs(),
      match: ({ data }) => match(parse(data)),
      onOther: ({ data }) => this.#unread.push(parse(data)),
    });
    return parse(event.data);
  }

  /** Sends a command and waits for the reply, which is an error if the server refuses it. */
  async ask(command: Message): Promise<Message> {
    this.#ids += 1;
    const id = String(this.#ids);
    void this.#channel.sendText(JSON.stringify({ ...command, id }));
    const what = `a reply to ${JSON.stringify(command['type'])}`;
    return this.expect(what, (message) => message['id'] === id);
  }

  /** Sends a command and waits for a reply of `type`. */
  async request(type: string, command: Message): Promise<Message> {
    const reply = await this.ask(command);
    if (reply['type'] === type) return reply;
    throw new CheckFailure(
      `${JSON.stringify(command['type'])} was answered with ${show(reply)}, expected ${JSON.stringify(type)}`,
    );
  }

  /** Joins, unless the chat has no rooms. */
  async enter(room: string | undefined, since?: unknown): Promise<Message> {
    if (room === undefined) return {};
    return this.request('joined', { type: 'join', room, ...(since !== undefined && { since }) });
  }

  /** Publishes a text that nobody else sends; returns it. */
  async publish(room: string | undefined): Promise<string> {
    const text = `wsk ${randomBytes(6).toString('hex')}`;
    await this.request('ack', { type: 'message', text, ...(room !== undefined && { room }) });
    return text;
  }

  /** Every message that the server sent before it answers a ping command. */
  async received(): Promise<readonly Message[]> {
    await this.request('pong', { type: 'ping' });
    return this.#unread.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel[Symbol.asyncDispose]();
  }
}

function parse(data: Buffer): Message {
  try {
    const value: unknown = JSON.parse(data.toString());
    return typeof value === 'object' && value !== null ? (value as Message) : {};
  } catch {
    return {};
  }
}

function show(message: Message): string {
  return JSON.stringify(message).slice(0, 100);
}

/** The texts of the messages in a list of a reply; empty for anything else. */
function textsOf(messages: unknown): unknown[] {
  if (!Array.isArray(messages)) return [];
  return messages.map((message: unknown) => parse(Buffer.from(JSON.stringify(message)))['text']);
}

function requireThat(condition: boolean, detail: () => string): void {
  if (!condition) throw new CheckFailure(detail());
}

/** Both lists in their order, as text. */
function differs(seen: readonly unknown[], expected: readonly unknown[], of: string): string {
  return `${of}: ${JSON.stringify(seen)}, expected ${JSON.stringify(expected)}`;
}

/** The features of a chat project; undefined for an echo project, a single file and a url. */
function featuresOf(manifest: Manifest | undefined): readonly unknown[] | undefined {
  if (manifest?.type !== 'chat') return undefined;
  const { features } = manifest.answers;
  return Array.isArray(features) ? (features as unknown[]) : [];
}

/** A name that nobody uses. */
function newRoom(): string {
  return `wsk-${randomBytes(6).toString('hex')}`;
}

/** A row of chat projects that have the feature; the others are told why it is skipped. */
function chatCheck(
  id: string,
  title: string,
  feature: 'rooms' | 'presence' | 'history' | undefined,
  run: (context: CheckContext, room: string | undefined) => Promise<Outcome>,
): Check {
  return {
    id,
    rfc: '',
    title,
    timeouts: 2,
    async run(context) {
      const { session } = context;
      const features = featuresOf(session.project?.manifest);
      if (features === undefined) {
        return skip(
          session.project === undefined
            ? 'only the protocol of a --project is known'
            : 'the project is no chat server',
        );
      }
      if (feature !== undefined && !features.includes(feature)) {
        return skip(`the project was generated without ${feature}`);
      }
      const hasRooms = features.includes('rooms');
      if (feature !== 'rooms' && hasRooms && !session.chat.joins) {
        return skip('no room can be joined: see chat-rooms');
      }
      return run(context, hasRooms ? newRoom() : undefined);
    },
  };
}

/** Rooms are joined and left, and keep their messages to themselves. */
const rooms = chatCheck(
  'chat-rooms',
  'rooms are joined, left and apart',
  'rooms',
  async (context) => {
    const { session } = context;
    const [room, other] = [newRoom(), newRoom()];
    await using member = await Member.connect(context);
    await using stranger = await Member.connect(context);
    const message = { type: 'message', room, text: 'wsk' };
    await member.enter(room);
    await stranger.enter(other);
    session.chat.joins = true;
    const refused = await stranger.ask(message);
    requireThat(
      refused['code'] === 'not_in_room',
      () => `a message to a room that was not joined: ${show(refused)}, expected "not_in_room"`,
    );
    const text = await member.publish(room);
    const heard = textsOf(await stranger.received());
    requireThat(!heard.includes(text), () => 'a message arrived at a client in another room');
    await member.received();

    await stranger.enter(room);
    await stranger.request('left', { type: 'leave', room });
    const after = await stranger.ask(message);
    requireThat(
      after['code'] === 'not_in_room',
      () => `a message to a room that was left: ${show(after)}, expected "not_in_room"`,
    );
    const later = await member.publish(room);
    const heardLater = textsOf(await stranger.received());
    requireThat(!heardLater.includes(later), () => 'a message arrived at a client that had left');
    session.chat.leaves = true;
    return pass('joined, left, and nothing arrived from another room');
  },
);

/** A message arrives once and unchanged at every member, its sender included. */
const broadcast = chatCheck(
  'chat-broadcast',
  'a message arrives at every member',
  undefined,
  async (context, room) => {
    const { session } = context;
    await using sender = await Member.connect(context);
    await using reader = await Member.connect(context);
    await using third = await Member.connect(context);
    for (const member of [sender, reader, third]) await member.enter(room);
    const texts = [await sender.publish(room), await sender.publish(room)];
    for (const [who, member] of Object.entries({ reader, sender, third })) {
      for (const text of texts) {
        const message = await member.expect(
          `at the ${who} the message that was published`,
          (seen) => seen['type'] === 'message' && seen['text'] === text,
        );
        requireThat(
          message['from'] === sender.user && message['room'] === room,
          () => `at the ${who}: ${show(message)}, expected "from" and "room" of the sender`,
        );
      }
      const repeated = textsOf(await member.received()).filter((text) =>
        texts.includes(String(text)),
      );
      requireThat(repeated.length === 0, () => `a message arrived twice at the ${who}`);
    }
    session.chat.broadcasts = true;
    return pass(`${texts.length} messages arrived at two other clients and at their sender`);
  },
);

/** Who joins late gets what was said before; who comes back gets what was missed. */
const history = chatCheck(
  'chat-history',
  'history for who joins late or again',
  'history',
  async (context, room) => {
    await using author = await Member.connect(context);
    await author.enter(room);
    const before = [
      await author.publish(room),
      await author.publish(room),
      await author.publish(room),
    ];

    await using late = await Member.connect(context);
    const joined = await late.enter(room);
    requireThat(same(textsOf(joined['messages']), before), () =>
      differs(textsOf(joined['messages']), before, 'history of a late joiner'),
    );
    const missed = [await author.publish(room)];

    await using back = await Member.connect(context);
    const again = await back.enter(room, joined['position']);
    requireThat(again['recovered'] === true && same(textsOf(again['messages']), missed), () =>
      differs(
        [again['recovered'], ...textsOf(again['messages'])],
        [true, ...missed],
        'history "since" a position',
      ),
    );

    await using stale = await Member.connect(context);
    const all = [...before, ...missed];
    const lost = await stale.enter(room, { offset: 1, epoch: 'wsk' });
    requireThat(lost['recovered'] === false && same(textsOf(lost['messages']), all), () =>
      differs(
        [lost['recovered'], ...textsOf(lost['messages'])],
        [false, ...all],
        'history "since" another epoch',
      ),
    );

    const everybody = context.session.chat.leaves ? [author, late, back, stale] : [];
    for (const member of everybody) await member.request('left', { type: 'leave', room });
    await using last = await Member.connect(context);
    const kept = textsOf((await last.enter(room))['messages']);
    requireThat(same(kept, all), () => differs(kept, all, 'history of a room that was empty'));
    return pass(
      `a late joiner got ${before.length} messages, one that came back the one it missed`,
    );
  },
);

function same(seen: readonly unknown[], expected: readonly unknown[]): boolean {
  return seen.length === expected.length && seen.every((item, index) => item === expected[index]);
}

/** Members are listed, and the others are told who joins, leaves and is lost. */
const presence = chatCheck(
  'chat-presence',
  'members are listed; joining and leaving is announced',
  'presence',
  async (context, room) => {
    await using first = await Member.connect(context);
    await using second = await Member.connect(context);
    const isOne = first.user === second.user;
    const users = isOne ? [first.user] : [first.user, second.user];
    await first.enter(room);
    const joined = await second.enter(room);
    requireMembers(joined, users, 'members upon joining');
    requireMembers(await members(first, room), users, 'members');
    if (isOne) return pass(`members are listed; all connections are ${String(first.user)}`);

    const { leaves, broadcasts } = context.session.chat;
    if (broadcasts) await announced(first, 'member-joined', second.user);
    if (leaves) {
      await second.request('left', { type: 'leave', room });
      if (broadcasts) await announced(first, 'member-left', second.user);
      requireMembers(await members(first, room), [first.user], 'members after one has left');
    }
    if (!broadcasts) return pass('members are listed; changes are not judged: see chat-broadcast');

    const third = await Member.connect(context);
    try {
      await third.enter(room);
      await announced(first, 'member-joined', third.user);
    } finally {
      await third[Symbol.asyncDispose]();
    }
    await announced(first, 'member-left', third.user, ' whose connection has ended');
    return pass('members are listed; joining, leaving and a lost connection were announced');
  },
);

function members(member: Member, room: string | undefined): Promise<Message> {
  return member.request('members', { type: 'members', room });
}

function requireMembers(reply: Message, users: readonly unknown[], what: string): void {
  const list: readonly unknown[] = Array.isArray(reply['members']) ? reply['members'] : [];
  const sorted = [...list].map(String).sort();
  const expected = users.map(String).sort();
  requireThat(same(sorted, expected), () => differs(sorted, expected, what));
}

async function announced(member: Member, type: string, user: unknown, who = ''): Promise<void> {
  await member.expect(
    `${JSON.stringify(type)} of another user${who}`,
    (message) => message['type'] === type && message['user'] === user,
  );
}

/** In this order: a later row is not judged by what an earlier one has failed. */
export const chat: readonly Check[] = [rooms, broadcast, history, presence];
