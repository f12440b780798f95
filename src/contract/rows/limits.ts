import { Client, newId, requireSame, requireThat } from '../client.ts';
import { expectStatus, requireRetryAfter } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { ALL, PUBLISHING, rowsOf } from '../row.ts';
import { RowFailure } from '../terms.ts';
import type { Row } from '../row.ts';
import { POSITIVE, show } from '../shape.ts';

const row = rowsOf('Limits', ALL, { reference: 'OWASP resources' });
const streams = rowsOf('Limits', PUBLISHING, { reference: 'OWASP resources' });
const perUser = rowsOf('Limits', ALL, {
  needs: ['rate-limit', 'users'],
  environment: 'slow',
  reference: 'OWASP rate limiting',
});

/** Opens connections until one is refused, which has to be with `status`. */
async function refusesOneOf(lab: Lab, most: number, status: number): Promise<void> {
  for (let opened = 0; opened <= most; opened++) {
    const outcome = await lab.attempt();
    if (outcome instanceof Client) continue;
    requireRetryAfter(expectStatus(outcome, `connection ${opened + 1}`, [status]));
    return;
  }
  throw new RowFailure(`${most} connections were accepted, expected one answered with ${status}`);
}

/** Publishes texts of 12 KiB until nothing more goes into the buffers of the system. */
async function flood(lab: Lab, name: string, author: Client, reader: Client): Promise<void> {
  for (let sent = 0; sent < 1500; sent++) {
    author.send(lab.dialect.publish(name, `${sent} `.padEnd(4096, '€')));
    if (sent % 50 !== 49) continue;
    await author.received();
    await reader.received();
  }
}

export const LIMITS: readonly Row[] = [
  streams(
    'common.limits.slow-consumer',
    'who reads too slowly is closed with 4408',
    async (lab) => {
      const name = lab.name();
      const slow = await lab.connect({ unreadBytes: 1 });
      await lab.enter(slow, name);
      const [author, reader] = [await lab.member(name), await lab.member(name)];
      await flood(lab, name, author, reader);
      const { code } = await slow.ended();
      // The close frame comes after what is under way; the server may have given up before that was read.
      requireThat(code === 4408 || code === 1006, `closed with ${code}, expected 4408`);
      await lab.hears(reader, await lab.publish(author, name));
    },
    { environment: 'small', isAlone: true },
  ),
  row(
    'common.limits.too-many',
    'a client gets only so many names',
    async (lab) => {
      const client = await lab.connect();
      const names = Array.from({ length: 6 }, () => lab.name());
      for (const name of names) await lab.prepare(name);
      for (const name of names.slice(0, 5)) await lab.enter(client, name);
      await client.refused(lab.dialect.enter(names[5] ?? ''), lab.dialect.tooMany);
      // One that it has already is none more; one that it gives back makes space.
      await lab.enter(client, names[0] ?? '');
      await client.request(lab.dialect.leave(names[1] ?? ''), lab.dialect.left);
      await lab.enter(client, names[5] ?? '');
    },
    { environment: 'small', needs: ['rooms'] },
  ),
  streams(
    'common.limits.10000',
    'a client that enters 10,000 names is told to stop',
    async (lab) => {
      const client = await lab.connect();
      let refused = 0;
      for (let n = 0; n < 10_000; n++) {
        client.send({ ...lab.dialect.enter(lab.name()), id: newId() });
        if (n % 100 !== 99) continue;
        const seen = await client.received();
        refused += seen.filter(({ code }) => code === lab.dialect.tooMany).length;
      }
      requireThat(refused >= 9000, `${refused} of 10000 were refused with ${lab.dialect.tooMany}`);
      await lab.serves();
    },
    { needs: ['rooms', 'project'] },
  ),
  row(
    'common.limits.rate',
    'above the rate it reads slower, says so once and loses nothing',
    async (lab) => {
      const client = await lab.connect();
      const ids = Array.from({ length: 120 }, () => newId());
      for (const id of ids) client.send({ type: 'ping', id });
      const seen: unknown[] = [];
      while (seen.length < ids.length) seen.push((await client.expect('pong'))['id']);
      requireSame(seen, ids, 'the answers');
      const notes = (await client.received()).filter(({ code }) => code === 'rate_limited');
      requireThat(
        notes.length >= 1 && notes.length <= 5,
        `${notes.length} errors rate_limited, expected one`,
      );
      requireThat(!Object.hasOwn(notes[0] ?? {}, 'id'), 'the error holds an id');
    },
    { environment: 'slow', lacks: ['rate-limit'], reference: 'OWASP rate limiting' },
  ),
  row(
    'common.limits.address',
    'an address gets so many connections, then 429',
    async (lab) => {
      await refusesOneOf(lab, 60, 429);
    },
    { environment: 'slow', isAlone: true, reference: 'OWASP connection limits' },
  ),
  row(
    'common.limits.total',
    'all together get so many connections, then 503',
    async (lab) => {
      await refusesOneOf(lab, 10, 503);
    },
    { environment: 'full', isAlone: true, reference: 'OWASP connection limits' },
  ),
  perUser(
    'common.user-rate.refused',
    'commands above the rate of a user are rate_limited',
    async (lab) => {
      const client = await lab.connect();
      const ids = Array.from({ length: 40 }, () => newId());
      for (const id of ids) client.send({ type: 'ping', id });
      const answers = [];
      for (const id of ids)
        answers.push(await client.take('an answer', (seen) => seen['id'] === id));
      const refused = answers.filter(({ code }) => code === 'rate_limited');
      requireThat(
        refused.length >= 20,
        `${refused.length} of 40 commands were refused, expected 20 or more`,
      );
      for (const error of refused) {
        requireThat(
          POSITIVE.holds(error['retryAfterMs']),
          `"retryAfterMs" is ${show(error['retryAfterMs'])}`,
        );
      }
      requireThat(answers[0]?.['type'] === 'pong', 'the first command was refused');
    },
  ),
  perUser(
    'common.user-rate.connections',
    'they count over all connections of the user',
    async (lab) => {
      const user = lab.name('user');
      const clients = [await lab.connect({ user }), await lab.connect({ user })];
      const ids = Array.from({ length: 15 }, () => newId());
      let refused = 0;
      for (const client of clients) for (const id of ids) client.send({ type: 'ping', id });
      for (const client of clients) {
        for (const id of ids) {
          const answer = await client.take('an answer', (seen) => seen['id'] === id);
          if (answer['code'] === 'rate_limited') refused += 1;
        }
      }
      // If each connection had a burst of its own, 10 would be.
      requireThat(refused > 10, `${refused} of 30 commands were refused, expected 20`);
    },
  ),
  perUser(
    'common.user-rate.nothing-done',
    'nothing of a refused command is done',
    async (lab) => {
      const name = lab.name();
      const author = await lab.member(name);
      const reader = await lab.member(name);
      const ids = Array.from({ length: 30 }, () => newId());
      for (const id of ids) author.send(lab.dialect.publish(name, id, id));
      const acked = [];
      for (const id of ids) {
        const answer = await author.take(
          'an answer',
          (seen) => seen['id'] === id && seen['type'] !== lab.dialect.event,
        );
        if (answer['type'] === 'ack') acked.push(id);
      }
      requireThat(acked.length < 30, 'no command was refused');
      const heard = (await reader.received())
        .filter(({ type }) => type === lab.dialect.event)
        .map((event) => lab.dialect.textOf(event));
      requireSame(heard, acked, 'what was published');
    },
    { types: PUBLISHING, needs: ['rooms'] },
  ),
  perUser('common.user-rate.others', 'another user is not concerned', async (lab) => {
    const [busy, calm] = [await lab.connect(), await lab.connect()];
    for (let n = 0; n < 40; n++) busy.send({ type: 'ping', id: newId() });
    await busy.take('rate_limited', ({ code }) => code === 'rate_limited');
    await calm.lives();
  }),
  perUser(
    'common.user-connections.refused',
    'a user gets so many connections, then 429',
    async (lab) => {
      const user = lab.name('user');
      await Promise.all([lab.connect({ user }), lab.connect({ user })]);
      requireRetryAfter(await lab.refuses({ user }, 429));
      await lab.connect();
    },
    { reference: 'OWASP connection limits' },
  ),
  perUser(
    'common.user-connections.back',
    'one that has ended makes space',
    async (lab) => {
      const user = lab.name('user');
      const [one] = await Promise.all([lab.connect({ user }), lab.connect({ user })]);
      await lab.refuses({ user }, 429);
      void one.channel.sendClose(1000);
      await one.closed(1000);
      await lab.openOnceFree(429, { user });
    },
    { reference: 'OWASP connection limits' },
  ),
  perUser(
    'common.user-connections.auth',
    'known only after auth: close 4429',
    async (lab) => {
      const user = lab.name('user');
      await Promise.all([lab.connect({ user }), lab.connect({ user })]);
      const client = await lab.open({ token: null });
      await client.expect('auth-required');
      client.send({ type: 'auth', id: newId(), token: lab.token(user) });
      await client.closed(4429);
    },
    { needs: ['auth', 'signing'], reference: 'OWASP connection limits' },
  ),
];
