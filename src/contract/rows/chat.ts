import { newId, requireFields, requireSame, requireThat } from '../client.ts';
import type { Client } from '../client.ts';
import { rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { LIST, TIME, show } from '../shape.ts';
import type { Message } from '../shape.ts';

const row = rowsOf('chat', ['chat']);
const roomRow = rowsOf('chat', ['chat'], { needs: ['rooms'] });
const memberRow = rowsOf('chat', ['chat'], { needs: ['rooms', 'presence'] });

const isMessage = ({ type }: Message): boolean => type === 'message';
const changes = ({ type }: Message): boolean => type === 'member-joined' || type === 'member-left';

/** A text that is refused; nobody hears of it. */
function refusedText(id: string, title: string, text: unknown): Row {
  return row(
    `chat.message.${id}`,
    `${title} is bad_message`,
    async (lab) => {
      const room = lab.name();
      const author = await lab.member(room);
      const reader = await lab.member(room);
      const base = lab.has('rooms') ? { type: 'message', room } : { type: 'message' };
      await author.refused({ ...base, ...(text !== undefined && { text }) }, 'bad_message');
      await reader.none(
        'message',
        (seen) => isMessage(seen) && seen['from'] === author.welcome['user'],
      );
    },
    { reference: 'OWASP input validation' },
  );
}

/** The texts in the order in which they come; where there are no rooms, others come, too. */
async function inOrder(client: Client, texts: readonly string[]): Promise<readonly unknown[]> {
  const isOne = ({ text }: Message): boolean => texts.includes(String(text));
  return (await client.exactly(texts.length, 'text', isOne)).map(({ text }) => text);
}

async function membersOf(client: Client, room: string): Promise<readonly unknown[]> {
  const reply = await client.request({ type: 'members', room }, 'members', { room, members: LIST });
  return [...(reply['members'] as unknown[])].sort();
}

export const CHAT: readonly Row[] = [
  roomRow('chat.join.reply', 'join is answered with joined and the room', async (lab) => {
    const client = await lab.connect();
    const room = lab.name();
    const reply = await client.request({ type: 'join', room }, 'joined', { room });
    requireFields(reply, [
      ...['id', 'room', 'type'],
      lab.has('presence') && 'members',
      lab.has('history') && 'messages',
      lab.has('resume') && 'position',
      lab.has('resume') && 'recovered',
    ]);
  }),
  roomRow('chat.join.no-id', 'join without id is answered without id', async (lab) => {
    const client = await lab.connect();
    const room = lab.name();
    client.send({ type: 'join', room });
    await client.expect('joined', { room, id: undefined });
  }),
  roomRow(
    'chat.join.again',
    'joining again is allowed, and messages still come once',
    async (lab) => {
      const room = lab.name();
      const client = await lab.member(room);
      await lab.enter(client, room);
      const text = await lab.publish(client, room);
      await lab.hears(client, text);
      await client.none('second message', (seen) => seen['text'] === text);
      await client.request({ type: 'leave', room }, 'left');
      await client.refused({ type: 'message', room, text }, 'not_in_room');
    },
  ),
  roomRow(
    'chat.join.names',
    'rooms have names of up to 64 letters, digits, ".", "_", "-"',
    async (lab) => {
      const client = await lab.connect();
      for (const room of [
        `A.b_c-${newId()}`.slice(0, 64),
        `z${'9'.repeat(63)}`,
        'constructor',
        'toString',
      ]) {
        await client.request({ type: 'join', room }, 'joined', { room });
      }
    },
  ),
  ...[
    ['empty', 'an empty name', ''],
    ['dash', 'a name that begins with a dash', '-a'],
    ['dot', 'a name that begins with a dot', '.a'],
    ['long', 'a name of 65 characters', 'x'.repeat(65)],
    ['space', 'a name with a space', 'a b'],
    ['slash', 'a path', '../a'],
    ['letter', 'a letter outside ASCII', 'ä'],
    ['proto', '__proto__', '__proto__'],
    ['newline', 'a name with a line end', 'a\n'],
    ['number', 'a number', 7],
    ['list', 'a list of names', ['a']],
    ['absent', 'a join without a room', undefined],
  ].map(([id, title, room]) =>
    roomRow(
      `chat.join.bad-${String(id)}`,
      `${String(title)} is bad_message`,
      async (lab) => {
        const client = await lab.connect();
        await client.refused({ type: 'join', ...(room !== undefined && { room }) }, 'bad_message');
      },
      { reference: 'OWASP input validation' },
    ),
  ),
  roomRow('chat.leave.reply', 'leave is answered with left', async (lab) => {
    const room = lab.name();
    const client = await lab.member(room);
    const reply = await client.request({ type: 'leave', room }, 'left', { room });
    requireFields(reply, ['id', 'room', 'type']);
  }),
  roomRow('chat.leave.not-in', 'leaving a room that was not joined is not_in_room', async (lab) => {
    const client = await lab.connect();
    await client.refused({ type: 'leave', room: lab.name() }, 'not_in_room');
  }),
  roomRow(
    'chat.leave.silent',
    'who has left hears nothing more',
    async (lab) => {
      const room = lab.name();
      const [author, reader] = await Promise.all([lab.member(room), lab.member(room)]);
      await reader.request({ type: 'leave', room }, 'left');
      await lab.publish(author, room);
      await reader.none('message', isMessage);
    },
    { reference: 'OWASP authorization' },
  ),
  roomRow('chat.leave.other-rooms', 'leaving one room keeps the others', async (lab) => {
    const [one, other] = [lab.name(), lab.name()];
    const client = await lab.member(one);
    await lab.enter(client, other);
    await client.request({ type: 'leave', room: one }, 'left');
    await lab.hears(client, await lab.publish(client, other));
  }),
  roomRow(
    'chat.message.not-in',
    'a message to a room that was not joined is not_in_room',
    async (lab) => {
      const room = lab.name();
      const member = await lab.member(room);
      const stranger = await lab.connect();
      await stranger.refused({ type: 'message', room, text: 'x' }, 'not_in_room');
      await member.none('message', isMessage);
    },
    { reference: 'OWASP authorization' },
  ),
  roomRow(
    'chat.message.after-leave',
    'and so is one to a room that was left',
    async (lab) => {
      const room = lab.name();
      const [client, member] = await Promise.all([lab.member(room), lab.member(room)]);
      await client.request({ type: 'leave', room }, 'left');
      await client.refused({ type: 'message', room, text: 'x' }, 'not_in_room');
      await member.none('message', isMessage);
    },
    { reference: 'OWASP authorization' },
  ),
  roomRow(
    'chat.message.other-room',
    'a message stays in its room',
    async (lab) => {
      const [one, other] = [lab.name(), lab.name()];
      const [author, reader] = await Promise.all([lab.member(one), lab.member(other)]);
      await lab.publish(author, one);
      await reader.none('message', isMessage);
    },
    { reference: 'OWASP authorization' },
  ),
  row('chat.message.all', 'a message arrives at every member, its sender included', async (lab) => {
    const room = lab.name();
    const members = await Promise.all([lab.member(room), lab.member(room), lab.member(room)]);
    const [author] = members;
    const text = await lab.publish(author, room);
    for (const member of members) {
      const message = await lab.hears(member, text);
      requireSame(message['from'], author.welcome['user'], '"from"');
      await member.none('second message', (seen) => seen['text'] === text);
    }
  }),
  row('chat.message.fields', 'a message holds room, from, text and at', async (lab) => {
    const room = lab.name();
    const author = await lab.member(room);
    const message = await lab.hears(author, await lab.publish(author, room));
    requireFields(message, [
      ...['at', 'from', 'text', 'type'],
      lab.has('rooms') && 'room',
      lab.has('history') && 'offset',
      lab.has('resume') && 'id',
    ]);
    requireThat(TIME.holds(message['at']), `"at" is ${show(message['at'])}, expected a time`);
    if (lab.has('rooms')) requireSame(message['room'], room, '"room"');
  }),
  row('chat.message.ack', 'a message with id is acknowledged', async (lab) => {
    const room = lab.name();
    const author = await lab.member(room);
    const ack = await author.request(lab.dialect.publish(room, 'x'), 'ack');
    requireFields(ack, ['id', 'type', lab.has('history') && 'offset'], ['duplicate']);
  }),
  row('chat.message.no-ack', 'a message without id is not', async (lab) => {
    const room = lab.name();
    const author = await lab.member(room);
    const text = lab.name('text');
    author.send(lab.dialect.publish(room, text));
    const message = await lab.hears(author, text);
    requireThat(!Object.hasOwn(message, 'id'), 'the message holds an id that nobody gave');
    await author.none('ack', ({ type }) => type === 'ack');
  }),
  row('chat.message.longest', 'a text may have 4096 characters', async (lab) => {
    const room = lab.name();
    const author = await lab.member(room);
    const text = `${lab.name()} `.padEnd(4096, '€');
    await lab.publish(author, room, text);
    await lab.hears(author, text);
  }),
  row('chat.message.unchanged', 'a text arrives as it was sent', async (lab) => {
    const room = lab.name();
    const author = await lab.member(room);
    for (const end of [
      ' <b>&amp;</b>',
      ' "\\\u0000\u001b[2J',
      ' \u2028\u2029',
      ' 👩‍👩‍👧 é',
      '\n\t ',
      '__proto__',
    ]) {
      const text = lab.name('text') + end;
      await lab.publish(author, room, text);
      await lab.hears(author, text);
    }
  }),
  refusedText('too-long', 'a text of 4097 characters', 'x'.repeat(4097)),
  refusedText('empty', 'an empty text', ''),
  refusedText('no-text', 'a message without a text', undefined),
  refusedText('number', 'a text that is a number', 1),
  refusedText('object', 'a text that is an object', { html: '<b>' }),
  row(
    'chat.message.forged',
    'nobody speaks for another: from is an unknown key',
    async (lab) => {
      const room = lab.name();
      const author = await lab.member(room);
      for (const key of ['from', 'at', 'offset', 'user']) {
        await author.refused({ ...lab.dialect.publish(room, 'x'), [key]: 'root' }, 'bad_message');
      }
    },
    { reference: 'OWASP authorization' },
  ),
  row('chat.message.sender-order', 'messages of one sender arrive in their order', async (lab) => {
    const room = lab.name();
    const [author, reader] = await Promise.all([lab.member(room), lab.member(room)]);
    const texts = Array.from({ length: 100 }, () => lab.name('text'));
    for (const text of texts) author.send(lab.dialect.publish(room, text));
    requireSame(await inOrder(reader, texts), texts, 'the texts');
  }),
  row('chat.message.same-order', 'all members see the messages in the same order', async (lab) => {
    const room = lab.name();
    const members = await Promise.all(Array.from({ length: 4 }, () => lab.member(room)));
    const texts: string[] = [];
    for (let n = 0; n < 25; n++) {
      for (const member of members) {
        const text = lab.name('text');
        texts.push(text);
        member.send(lab.dialect.publish(room, text));
      }
    }
    const orders = await Promise.all(members.map((member) => inOrder(member, texts)));
    for (const order of orders) {
      requireSame([...order].sort(), [...texts].sort(), 'messages');
      requireSame(order, orders[0], 'the order of the first member');
    }
  }),
  row(
    'chat.no-rooms.join',
    'without rooms there is no join',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'join', room: 'a' }, 'bad_message');
      await client.refused({ type: 'message', room: 'a', text: 'x' }, 'bad_message');
    },
    { lacks: ['rooms'] },
  ),
  row(
    'chat.no-presence.members',
    'without presence there is no list of members',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'members', room: 'a' }, 'bad_message');
    },
    { lacks: ['presence'] },
  ),
  roomRow(
    'chat.private.members',
    'a private room tells strangers nothing',
    async (lab) => {
      const room = lab.name('private');
      const member = await lab.connect({ claims: { rooms: [room] } });
      await lab.enter(member, room);
      const stranger = await lab.connect();
      for (const command of [
        { type: 'message', room, text: 'x' },
        { type: 'leave', room },
        ...(lab.has('presence') ? [{ type: 'members', room }] : []),
      ]) {
        await stranger.refused(command, 'forbidden', 'not_in_room');
      }
      await lab.publish(member, room);
      await stranger.none('message', (seen) => isMessage(seen) || changes(seen));
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),

  memberRow(
    'chat.presence.joined',
    'joined lists the members, the new one included',
    async (lab) => {
      const room = lab.name();
      const [one, other] = [await lab.connect(), await lab.connect()];
      const first = await lab.enter(one, room);
      requireSame(first['members'], [one.welcome['user']], '"members" of the first');
      const second = await lab.enter(other, room);
      requireSame(
        [...(second['members'] as string[])].sort(),
        [one.welcome['user'], other.welcome['user']].map(String).sort(),
        '"members" of the second',
      );
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.members',
    'members lists who is there',
    async (lab) => {
      const room = lab.name();
      const clients = [await lab.member(room), await lab.member(room), await lab.member(room)];
      const users = clients.map(({ welcome }) => String(welcome['user'])).sort();
      for (const client of clients) requireSame(await membersOf(client, room), users, 'members');
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.not-in',
    'members of a room that was not joined: not_in_room',
    async (lab) => {
      const room = lab.name();
      await lab.member(room);
      const stranger = await lab.connect();
      await stranger.refused({ type: 'members', room }, 'not_in_room');
    },
    { reference: 'OWASP authorization' },
  ),
  memberRow(
    'chat.presence.join-event',
    'the others hear who joins',
    async (lab) => {
      const room = lab.name();
      const member = await lab.member(room);
      const other = await lab.member(room);
      const event = await member.expect('member-joined', { room }, { user: other.welcome['user'] });
      requireFields(event, ['room', 'type', 'user']);
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.leave-event',
    'the others hear who leaves',
    async (lab) => {
      const room = lab.name();
      const [member, other] = [await lab.member(room), await lab.member(room)];
      await other.request({ type: 'leave', room }, 'left');
      await member.expect('member-left', { room, id: undefined }, { user: other.welcome['user'] });
      requireSame(await membersOf(member, room), [member.welcome['user']], 'members');
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.lost',
    'the others hear of a lost connection after PRESENCE_GRACE',
    async (lab) => {
      const room = lab.name();
      const [member, other] = [await lab.member(room), await lab.member(room)];
      await other.lose();
      await member.expect('member-left', { room }, { user: other.welcome['user'] });
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.grace',
    'who comes back in time was never gone',
    async (lab) => {
      const room = lab.name();
      const user = lab.name('user');
      const member = await lab.member(room);
      const lost = await lab.member(room, { user });
      await member.expect('member-joined', {}, { user });
      await lost.lose();
      await lab.member(room, { user });
      await member.none('change', (seen) => changes(seen) && seen['user'] === user);
      requireThat((await membersOf(member, room)).includes(user), 'the user is no member');
    },
    { needs: ['users'], environment: 'small' },
  ),
  memberRow(
    'chat.presence.twice',
    'a user with two connections counts once',
    async (lab) => {
      const room = lab.name();
      const user = lab.name('user');
      const member = await lab.member(room);
      const first = await lab.member(room, { user });
      await member.expect('member-joined', {}, { user });
      await lab.member(room, { user });
      await member.none('change', changes);
      requireSame(await membersOf(first, room), [member.welcome['user'], user].sort(), 'members');
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.one-of-two',
    'the user leaves with the last connection',
    async (lab) => {
      const room = lab.name();
      const user = lab.name('user');
      const member = await lab.member(room);
      const [one, other] = [await lab.member(room, { user }), await lab.member(room, { user })];
      await member.expect('member-joined', {}, { user });
      await one.request({ type: 'leave', room }, 'left');
      await member.none('change', changes);
      await other.request({ type: 'leave', room }, 'left');
      await member.expect('member-left', { room }, { user });
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.again',
    'joining again is no news',
    async (lab) => {
      const room = lab.name();
      const [member, other] = [await lab.member(room), await lab.member(room)];
      await member.expect('member-joined', {}, { user: other.welcome['user'] });
      await lab.enter(other, room);
      await member.none('change', changes);
      await other.request({ type: 'leave', room }, 'left');
      await member.expect('member-left', {}, { user: other.welcome['user'] });
    },
    { needs: ['users'] },
  ),
  memberRow(
    'chat.presence.other-room',
    'nobody hears of changes in other rooms',
    async (lab) => {
      const [one, other] = [lab.name(), lab.name()];
      const member = await lab.member(one);
      await lab.member(other);
      await member.none('change', changes);
    },
    { needs: ['users'], reference: 'OWASP authorization' },
  ),
  memberRow(
    'chat.presence.no-id',
    'events hold no id',
    async (lab) => {
      const room = lab.name();
      const member = await lab.member(room);
      const other = await lab.connect();
      await other.request({ type: 'join', room, id: 'its-own' }, 'joined');
      await member.expect('member-joined', { id: undefined }, { user: other.welcome['user'] });
    },
    { needs: ['users'] },
  ),

  roomRow(
    'chat.limits.room-full',
    'a room that is full is room_full',
    async (lab) => {
      const room = lab.name();
      const members = [await lab.member(room), await lab.member(room), await lab.member(room)];
      const client = await lab.connect();
      await client.refused({ type: 'join', room }, 'room_full');
      await client.refused({ type: 'message', room, text: 'x' }, 'not_in_room');
      await members[0]?.request({ type: 'leave', room }, 'left');
      await client.request({ type: 'join', room }, 'joined');
    },
    { environment: 'small', reference: 'OWASP resources' },
  ),
];
