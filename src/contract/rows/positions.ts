import { newId, requireSame, requireThat } from '../client.ts';
import type { Client } from '../client.ts';
import { expectJson } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { PUBLISHING, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { COUNT, POSITION, difference, show } from '../shape.ts';
import type { Message, Position } from '../shape.ts';

const SECTION = 'Positions, resume and idempotent publishing (features `history`, `resume`)';

/** Rooms and streams of topics: what clients publish to. */
const kept = rowsOf(SECTION, PUBLISHING, { needs: ['rooms', 'history'] });
const resumed = rowsOf(SECTION, PUBLISHING, { needs: ['rooms', 'history', 'resume'] });

function positionOf(reply: Message): Position {
  requireThat(
    POSITION.holds(reply['position']),
    `"position" is ${show(reply['position'])}, expected one`,
  );
  return reply['position'] as Position;
}

async function publishAll(
  lab: Lab,
  client: Client,
  name: string,
  count: number,
): Promise<string[]> {
  const texts: string[] = [];
  for (let n = 0; n < count; n++) texts.push(await lab.publish(client, name));
  return texts;
}

/** Publishes a text or puts a document, and returns the offset that the publisher is told. */
async function publishedOffset(
  lab: Lab,
  author: Client,
  name: string,
  count: number,
): Promise<unknown> {
  if (lab.type !== 'live-updates') {
    return (await author.request(lab.dialect.publish(name, `${count}`), 'ack'))['offset'];
  }
  const answer = await lab.answers(200, 'PUT', `/documents/${name}`, {
    token: lab.subject.secrets.publish,
    json: documentOf(count),
  });
  return (expectJson(answer, { position: POSITION })['position'] as Position).offset;
}

/** Large enough that a change of its count comes as a patch. */
function documentOf(count: number): Message {
  return { count, filler: 'x'.repeat(500) };
}

/** What publishers, members and late members are told of offsets is the same, and counts up by one. */
export async function requireOffsets(lab: Lab): Promise<void> {
  const { event, missed } = lab.dialect;
  const name = lab.name();
  await lab.prepare(name, documentOf(0));
  const [author, reader] = [await lab.connect(), await lab.connect()];
  const entered = await lab.enter(author, name);
  await lab.enter(reader, name);
  const start = lab.has('resume') ? positionOf(entered) : undefined;
  let last = start?.offset;
  const events: Message[] = [];
  for (let count = 1; count <= 24; count++) {
    const offset = await publishedOffset(lab, author, name, count);
    requireThat(COUNT.holds(offset), `the publisher got the offset ${show(offset)}`);
    if (last !== undefined) requireSame(offset, last + 1, 'the offset that the publisher got');
    last = Number(offset);
    events.push(await author.expect(event, { offset }));
    await reader.expect(event, { offset });
  }
  const offsets = events.map(({ offset }) => offset);
  for (const since of new Set([undefined, start])) {
    const reply = await lab.enter(await lab.connect(), name, since);
    if (start !== undefined) {
      requireSame(reply['position'], { ...start, offset: last }, '"position" of a late member');
    }
    const kept = reply[missed];
    // In place of patches it may be the document.
    if (!Array.isArray(kept)) continue;
    const told = (kept as Message[]).map(({ offset }) => offset);
    requireSame(told, offsets.slice(-told.length), `the offsets of "${missed}"`);
    for (const [at, entry] of (kept as Message[]).entries()) {
      const why = difference(events.at(at - kept.length), entry);
      requireThat(why === undefined, `a late member got ${show(entry)}, the others not: ${why}`);
    }
  }
}

/** Enters from a position; `recovered` and what was missed have to be as expected. */
async function requireRecovery(
  lab: Lab,
  name: string,
  since: unknown,
  { recovered, texts }: { recovered: boolean; texts: readonly string[] },
): Promise<Message> {
  const client = await lab.connect();
  const reply = await lab.enter(client, name, since);
  requireSame(reply['recovered'], recovered, `"recovered" since ${show(since)}`);
  requireSame(lab.missedIn(reply), texts, `what came after ${show(since)}`);
  return reply;
}

/** A row that refuses a malformed `since`. */
function refusedSince(id: string, title: string, since: (current: Position) => unknown): Row {
  return resumed(`common.since.${id}`, `a since ${title} is bad_message`, async (lab) => {
    const name = lab.name();
    const client = await lab.connect();
    const current = positionOf(await lab.enter(client, name));
    await client.refused(lab.dialect.enter(name, since(current)), 'bad_message');
    await client.lives();
  });
}

export const POSITIONS: readonly Row[] = [
  kept('common.history.late', 'who comes late gets what was said, in order', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const texts = await publishAll(lab, author, name, 5);
    const late = await lab.connect();
    const reply = await lab.enter(late, name);
    requireSame(lab.missedIn(reply), texts, 'what a late member got');
    await late.none('event', ({ type }) => type === lab.dialect.event);
  }),
  kept('common.history.offsets', 'offsets count up by one', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const offsets: unknown[] = [];
    for (let n = 0; n < 5; n++) {
      offsets.push((await author.request(lab.dialect.publish(name, `${n}`), 'ack'))['offset']);
    }
    requireThat(COUNT.holds(offsets[0]), `"offset" of the ack is ${show(offsets[0])}`);
    const first = Number(offsets[0]);
    requireSame(
      offsets,
      [0, 1, 2, 3, 4].map((n) => first + n),
      'the offsets',
    );
  }),
  kept(
    'common.history.event-offset',
    'acks, events, history and position hold the same offsets',
    requireOffsets,
  ),
  kept('common.history.empty', 'a new name has nothing to tell', async (lab) => {
    requireSame(lab.missedIn(await lab.enter(await lab.connect(), lab.name())), [], 'messages');
  }),
  kept('common.history.everybody-left', 'it is kept when everybody has left', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const texts = await publishAll(lab, author, name, 3);
    await author.request(lab.dialect.leave(name), lab.dialect.left);
    requireSame(lab.missedIn(await lab.enter(await lab.connect(), name)), texts, 'messages');
  }),
  kept(
    'common.history.bounded',
    'only so much is kept',
    async (lab) => {
      const name = lab.name();
      const texts = await publishAll(lab, await lab.member(name), name, 12);
      const missed = lab.missedIn(await lab.enter(await lab.connect(), name));
      requireThat(
        missed.length >= 1 && missed.length <= 5,
        `${missed.length} messages, expected 5`,
      );
      requireSame(missed, texts.slice(-missed.length), 'the newest messages');
    },
    { environment: 'small', reference: 'OWASP resources' },
  ),
  kept('common.history.apart', 'names have histories of their own', async (lab) => {
    const [one, other] = [lab.name(), lab.name()];
    const author = await lab.member(one);
    await publishAll(lab, author, one, 2);
    requireSame(lab.missedIn(await lab.enter(author, other)), [], 'messages of another name');
  }),
  kept(
    'common.history.no-resume',
    'without resume there is no position, and no since',
    async (lab) => {
      const client = await lab.connect();
      const name = lab.name();
      const reply = await lab.enter(client, name);
      for (const key of ['position', 'recovered']) {
        requireThat(!Object.hasOwn(reply, key), `the reply holds "${key}"`);
      }
      await client.refused(lab.dialect.enter(name, { offset: 0, epoch: 'x' }), 'bad_message');
    },
    { lacks: ['resume'] },
  ),
  kept(
    'common.history.no-id',
    'without resume an event does not hold the id',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const text = await lab.publish(author, name);
      const event = await lab.hears(author, text);
      requireThat(!Object.hasOwn(event, 'id'), 'the event holds "id"');
    },
    { lacks: ['resume'] },
  ),
  resumed('common.resume.position', 'the reply holds the position', async (lab) => {
    const name = lab.name();
    const client = await lab.connect();
    const before = positionOf(await lab.enter(client, name));
    await publishAll(lab, client, name, 3);
    const after = positionOf(await lab.enter(await lab.connect(), name));
    requireSame(after, { offset: before.offset + 3, epoch: before.epoch }, 'the position');
  }),
  resumed('common.resume.new', 'a new name starts at offset 0', async (lab) => {
    const reply = await lab.enter(await lab.connect(), lab.name());
    requireSame(positionOf(reply).offset, 0, 'the offset');
  }),
  resumed('common.resume.without-since', 'without since, recovered is false', async (lab) => {
    const name = lab.name();
    const texts = await publishAll(lab, await lab.member(name), name, 2);
    await requireRecovery(lab, name, undefined, { recovered: false, texts });
  }),
  resumed('common.resume.gap', 'since a position: exactly what came after it', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    await publishAll(lab, author, name, 2);
    const since = positionOf(await lab.enter(await lab.connect(), name));
    const texts = await publishAll(lab, author, name, 3);
    await requireRecovery(lab, name, since, { recovered: true, texts });
    await requireRecovery(
      lab,
      name,
      { ...since, offset: since.offset + 1 },
      {
        recovered: true,
        texts: texts.slice(1),
      },
    );
  }),
  resumed('common.resume.offsets', 'what was missed holds its offsets', async (lab) => {
    const name = lab.name();
    const author = await lab.connect();
    const since = positionOf(await lab.enter(author, name));
    await publishAll(lab, author, name, 3);
    const reply = await lab.enter(await lab.connect(), name, since);
    const { missed } = lab.dialect;
    const offsets = (reply[missed] as Message[]).map(({ offset }) => offset);
    requireSame(
      offsets,
      [1, 2, 3].map((n) => since.offset + n),
      'the offsets',
    );
  }),
  resumed('common.resume.current', 'since the present position nothing was missed', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    await publishAll(lab, author, name, 2);
    const since = positionOf(await lab.enter(await lab.connect(), name));
    await requireRecovery(lab, name, since, { recovered: true, texts: [] });
  }),
  resumed('common.resume.zero', 'since offset 0 is since the beginning', async (lab) => {
    const name = lab.name();
    const author = await lab.connect();
    const since = positionOf(await lab.enter(author, name));
    const texts = await publishAll(lab, author, name, 3);
    await requireRecovery(lab, name, since, { recovered: true, texts });
  }),
  resumed('common.resume.future-since', 'a since from the future is not recovered', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const texts = await publishAll(lab, author, name, 3);
    const current = positionOf(await lab.enter(await lab.connect(), name));
    for (const ahead of [1, 1000, Number.MAX_SAFE_INTEGER - current.offset]) {
      const since = { ...current, offset: current.offset + ahead };
      await requireRecovery(lab, name, since, { recovered: false, texts });
    }
  }),
  resumed('common.resume.other-epoch', 'a since of another epoch is not recovered', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const texts = await publishAll(lab, author, name, 3);
    const { offset } = positionOf(await lab.enter(await lab.connect(), name));
    for (const epoch of ['wsk', '0'.repeat(16)]) {
      const reply = await requireRecovery(
        lab,
        name,
        { offset, epoch },
        { recovered: false, texts },
      );
      requireThat(
        positionOf(reply).epoch !== epoch,
        'the server took over the epoch of the client',
      );
    }
  }),
  resumed(
    'common.resume.too-old',
    'a since before what is kept is not recovered',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      const since = positionOf(await lab.enter(author, name));
      const texts = await publishAll(lab, author, name, 12);
      const reply = await lab.enter(await lab.connect(), name, since);
      requireSame(reply['recovered'], false, '"recovered"');
      const missed = lab.missedIn(reply);
      requireSame(missed, texts.slice(-missed.length), 'what is kept');
      const current = positionOf(reply);
      const near = { ...current, offset: current.offset - missed.length };
      await requireRecovery(lab, name, near, {
        recovered: true,
        texts: texts.slice(-missed.length),
      });
    },
    { environment: 'small' },
  ),
  resumed(
    'common.resume.again',
    'who is there may enter again, from another position',
    async (lab) => {
      const name = lab.name();
      const client = await lab.connect();
      const since = positionOf(await lab.enter(client, name));
      const texts = await publishAll(lab, client, name, 2);
      const reply = await lab.enter(client, name, since);
      requireSame(reply['recovered'], true, '"recovered"');
      requireSame(lab.missedIn(reply), texts, 'what was missed');
      const text = await lab.publish(client, name);
      await lab.hears(client, text);
      await client.none('second event', (message) => lab.dialect.textOf(message) === text);
    },
  ),
  resumed('common.resume.lost', 'after a lost connection nothing is lost', async (lab) => {
    const name = lab.name();
    const author = await lab.member(name);
    const reader = await lab.connect();
    const since = positionOf(await lab.enter(reader, name));
    await reader.lose();
    const texts = await publishAll(lab, author, name, 4);
    await requireRecovery(lab, name, since, { recovered: true, texts });
  }),
  resumed(
    'common.resume.live',
    'what is published during a recovery comes in order, once',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      const since = positionOf(await lab.enter(author, name));
      const texts = Array.from({ length: 300 }, () => lab.name('text'));
      const readers = await Promise.all(Array.from({ length: 8 }, () => lab.connect()));
      // The readers enter while the messages are on their way.
      const replies: Promise<Message>[] = [];
      for (const [n, text] of texts.entries()) {
        author.send(lab.dialect.publish(name, text));
        const reader = n % 30 === 15 ? readers[replies.length] : undefined;
        if (reader !== undefined) replies.push(lab.enter(reader, name, since));
        if (n % 10 === 9) await author.lives();
      }
      const kept = await Promise.all(replies);
      await author.lives();
      for (const [n, reply] of kept.entries()) {
        const { event, textOf, missed } = lab.dialect;
        const reader = readers[n];
        if (reader === undefined) continue;
        const before = (reply[missed] as Message[]).map(textOf);
        // A server may tell an author sooner than the readers of another one.
        const isLast = (message: Message): boolean =>
          message['type'] === event && textOf(message) === texts.at(-1);
        const last =
          before.at(-1) === texts.at(-1) ? [] : [await reader.take('the last message', isLast)];
        const heard = (await reader.received()).filter(({ type }) => type === event);
        const live = [...heard, ...last];
        const seen = [...before, ...live.map(textOf)];
        const offsets = [...(reply[missed] as Message[]), ...live].map(({ offset }) => offset);
        requireSame(
          offsets,
          offsets.map((_, at) => Number(offsets[0]) + at),
          `the offsets that reader ${n} saw`,
        );
        const expected = reply['recovered'] === true ? texts : texts.slice(-seen.length);
        const wrong = expected.findIndex((text, at) => seen[at] !== text);
        requireThat(
          wrong < 0 && seen.length === expected.length,
          `reader ${n} saw ${seen.length} of ${expected.length} messages; the first that differs is ` +
            `number ${wrong < 0 ? expected.length + 1 : wrong + 1}, with ${before.length} in the reply`,
        );
      }
    },
  ),
  resumed(
    'common.resume.restart',
    'a server that lost its memory has another epoch, one that did not has the messages',
    async (lab) => {
      const name = lab.name();
      const author = await lab.connect();
      const since = positionOf(await lab.enter(author, name));
      const texts = await publishAll(lab, author, name, 3);
      const second = await lab.boot({});
      const reply = await second.enter(await second.connect(), name, since);
      // Servers may share what they have.
      const isKept = reply['recovered'] === true;
      requireSame(reply['recovered'], isKept, '"recovered"');
      requireSame(second.missedIn(reply), isKept ? texts : [], 'messages');
      const isSame = positionOf(reply).epoch === since.epoch;
      requireThat(isSame === isKept, `the epoch is ${isSame ? 'the same' : 'another one'}`);
    },
    { needs: ['project'] },
  ),
  refusedSince('text', 'that is a text', () => '1'),
  refusedSince('number', 'that is a number', ({ offset }) => offset),
  refusedSince('null', 'that is null', () => null),
  refusedSince('negative', 'with a negative offset', ({ epoch }) => ({ offset: -1, epoch })),
  refusedSince('fraction', 'with half an offset', ({ epoch }) => ({ offset: 0.5, epoch })),
  refusedSince('offset-text', 'whose offset is a text', ({ epoch }) => ({ offset: '0', epoch })),
  refusedSince('huge', 'whose offset is no safe integer', ({ epoch }) => ({
    offset: 1e300,
    epoch,
  })),
  refusedSince('no-epoch', 'without an epoch', ({ offset }) => ({ offset })),
  refusedSince('epoch-number', 'whose epoch is a number', ({ offset }) => ({ offset, epoch: 1 })),
  refusedSince('unknown-key', 'with an unknown key', (current) => ({ ...current, admin: true })),
  resumed(
    'common.idempotent.duplicate',
    'an id that was used is not published again',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const reader = await lab.member(name);
      const id = newId();
      const first = await author.request(lab.dialect.publish(name, 'once', id), 'ack', {
        offset: COUNT,
      });
      requireThat(first['duplicate'] !== true, 'the first ack says that it is a duplicate');
      const again = await author.request(lab.dialect.publish(name, 'once', id), 'ack', {
        duplicate: true,
      });
      requireSame(again['offset'], first['offset'], '"offset" of the second ack');
      await reader.exactly(1, 'event', ({ type }) => type === lab.dialect.event);
    },
  ),
  resumed(
    'common.idempotent.reconnect',
    'also over another connection of the user',
    async (lab) => {
      const name = lab.name();
      const user = lab.name('user');
      const id = newId();
      const author = await lab.member(name, { user });
      const first = await author.request(lab.dialect.publish(name, 'once', id), 'ack');
      await author.lose();
      const back = await lab.member(name, { user });
      const again = await back.request(lab.dialect.publish(name, 'once', id), 'ack', {
        duplicate: true,
      });
      requireSame(again['offset'], first['offset'], '"offset" of the second ack');
      requireSame(lab.missedIn(await lab.enter(await lab.connect(), name)), ['once'], 'messages');
    },
    { needs: ['users'] },
  ),
  resumed(
    'common.idempotent.concurrent',
    'the same id twice at once is published once',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const id = newId();
      for (let n = 0; n < 5; n++) author.send(lab.dialect.publish(name, 'once', id));
      for (let n = 0; n < 5; n++) await author.expect('ack', { id });
      requireSame(lab.missedIn(await lab.enter(await lab.connect(), name)), ['once'], 'messages');
    },
  ),
  resumed(
    'common.idempotent.other-user',
    "another user's id is another",
    async (lab) => {
      const name = lab.name();
      const id = newId();
      for (const author of [await lab.member(name), await lab.member(name)]) {
        const ack = await author.request(lab.dialect.publish(name, 'both', id), 'ack');
        requireThat(ack['duplicate'] !== true, 'the id of another user counts as a duplicate');
      }
      requireSame(
        lab.missedIn(await lab.enter(await lab.connect(), name)),
        ['both', 'both'],
        'messages',
      );
    },
    { needs: ['users'], reference: 'OWASP authorization' },
  ),
  resumed('common.idempotent.other-name', 'the same id elsewhere is another', async (lab) => {
    const id = newId();
    const author = await lab.connect();
    for (const name of [lab.name(), lab.name()]) {
      await lab.enter(author, name);
      const ack = await author.request(lab.dialect.publish(name, 'here', id), 'ack');
      requireThat(ack['duplicate'] !== true, 'the id of another name counts as a duplicate');
    }
  }),
  resumed(
    'common.idempotent.window',
    'after RESUME_WINDOW it may be used again',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const id = newId();
      await author.request(lab.dialect.publish(name, 'one', id), 'ack');
      await lab.elapse(400);
      const ack = await author.request(lab.dialect.publish(name, 'two', id), 'ack');
      requireThat(ack['duplicate'] !== true, 'RESUME_WINDOW is over, and it is a duplicate');
    },
    { environment: 'brief' },
  ),
  resumed(
    'common.idempotent.event-id',
    'the event holds the id that its sender chose',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const reader = await lab.member(name);
      const id = newId();
      await author.request(lab.dialect.publish(name, 'x', id), 'ack', { id });
      for (const client of [author, reader]) await client.expect(lab.dialect.event, { id });
    },
  ),
];
