import { requireFields, requireSame, requireThat } from '../client.ts';
import type { Client } from '../client.ts';
import type { HttpAnswer } from '../http.ts';
import { applyPatch } from '../json-patch.ts';
import { expectJson } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { rowsOf } from '../row.ts';
import { RowFailure } from '../terms.ts';
import type { Row } from '../row.ts';
import { COUNT, LIST, POSITION, show } from '../shape.ts';
import type { Message, Position } from '../shape.ts';
import { requireOffsets } from './positions.ts';

const row = rowsOf('live-updates', ['live-updates'], { needs: ['publish-token'] });

const pathOf = (name: string): string => `/documents/${name}`;

function put(
  lab: Lab,
  name: string,
  json: unknown,
  statuses: number | readonly number[] = [200, 201],
): Promise<HttpAnswer> {
  return lab.answers(statuses, 'PUT', pathOf(name), { token: lab.subject.secrets.publish, json });
}

function patch(
  lab: Lab,
  name: string,
  operations: unknown,
  status: number | readonly number[] = 200,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  return lab.answers(status, 'PATCH', pathOf(name), {
    token: lab.subject.secrets.publish,
    json: operations,
    headers: { 'Content-Type': 'application/json-patch+json', ...headers },
  });
}

async function get(lab: Lab, name: string): Promise<{ position: Position; data: unknown }> {
  const answer = await lab.answers(200, 'GET', pathOf(name), {
    token: lab.subject.secrets.publish,
  });
  return expectJson(answer, { position: POSITION }) as unknown as {
    position: Position;
    data: unknown;
  };
}

const isChange = ({ type }: Message): boolean =>
  type === 'patch' || type === 'snapshot' || type === 'removed';

/** What a watcher holds of a document: kept up to date by what the server sends. */
class Replica {
  readonly client: Client;
  readonly name: string;
  position: Position;
  data: unknown;
  snapshots = 0;

  constructor(client: Client, name: string, position: Position, data: unknown) {
    this.client = client;
    this.name = name;
    this.position = position;
    this.data = data;
  }

  static async watch(
    lab: Lab,
    name: string,
    options?: Parameters<Lab['connect']>[0],
  ): Promise<Replica> {
    const client = await lab.connect(options);
    const reply = await client.request({ type: 'watch', document: name }, 'watching', {
      document: name,
      position: POSITION,
      recovered: false,
    });
    requireThat(Object.hasOwn(reply, 'data'), 'the reply holds no "data"');
    return new Replica(client, name, reply['position'] as Position, reply['data']);
  }

  take(message: Message): void {
    if (message['document'] !== this.name)
      throw new RowFailure(`got ${show(message)} of another document`);
    if (message['type'] === 'removed') throw new RowFailure('got "removed", expected a change');
    if (message['type'] === 'snapshot') {
      requireThat(
        POSITION.holds(message['position']),
        `got a snapshot without a position: ${show(message)}`,
      );
      const position = message['position'] as Position;
      requireThat(
        position.offset > this.position.offset,
        'a snapshot is older than what came before',
      );
      this.position = position;
      this.data = message['data'];
      this.snapshots += 1;
      return;
    }
    requireSame(message['offset'], this.position.offset + 1, '"offset" of the patch');
    this.data = applyPatch(this.data, message['patch']);
    this.position = { ...this.position, offset: this.position.offset + 1 };
  }

  /** Takes changes until the document is at `offset`. */
  async reach(offset: number): Promise<void> {
    while (this.position.offset < offset) {
      this.take(await this.client.take(`a change up to offset ${offset}`, isChange));
    }
  }

  /** Takes all there is, and compares it with what the server holds. */
  async requireCurrent(lab: Lab): Promise<void> {
    const { position, data } = await get(lab, this.name);
    await this.reach(position.offset);
    requireSame(this.position, position, 'the position of a watcher');
    requireSame(this.data, data, 'the data of a watcher');
  }
}

async function created(lab: Lab, data: unknown = { count: 0 }): Promise<string> {
  const name = lab.name();
  await put(lab, name, data);
  return name;
}

/** Patches that the server refuses: nothing of them is done. */
function refusedPatch(
  id: string,
  title: string,
  status: number | readonly number[],
  operations: unknown,
  reference?: string,
): Row {
  return row(
    `live-updates.patch.${id}`,
    `${title} is ${[status].flat().join(' or ')}, and nothing of it is done`,
    async (lab) => {
      const name = await created(lab, { count: 1, list: [1] });
      const watcher = await Replica.watch(lab, name);
      const before = await get(lab, name);
      await patch(lab, name, operations, status);
      requireSame(await get(lab, name), before, 'the document');
      await watcher.client.none('change', isChange);
    },
    reference === undefined ? {} : { reference },
  );
}

export const LIVE_UPDATES: readonly Row[] = [
  row(
    'live-updates.watch.reply',
    'watch is answered with a snapshot and its position',
    async (lab) => {
      const name = await created(lab, { title: 'x', list: [1, null] });
      const client = await lab.connect();
      const reply = await client.request({ type: 'watch', document: name }, 'watching', {
        document: name,
        data: { title: 'x', list: [1, null] },
        position: POSITION,
        recovered: false,
      });
      requireFields(reply, ['data', 'document', 'id', 'position', 'recovered', 'type']);
    },
  ),
  row('live-updates.watch.no-id', 'watch without id is answered without id', async (lab) => {
    const document = await created(lab);
    const client = await lab.connect();
    client.send({ type: 'watch', document });
    await client.expect('watching', { document, id: undefined });
  }),
  row(
    'live-updates.watch.unknown',
    'a document that is not there is no_such_document',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'watch', document: lab.name() }, 'no_such_document');
      await client.refused({ type: 'watch', document: 'constructor' }, 'no_such_document');
    },
  ),
  ...[
    ['empty', 'an empty name', ''],
    ['dash', 'a name that begins with a dash', '-a'],
    ['long', 'a name of 65 characters', 'x'.repeat(65)],
    ['slash', 'a path', '../a'],
    ['proto', '__proto__', '__proto__'],
    ['number', 'a number', 7],
    ['absent', 'a watch without a document', undefined],
  ].map(([id, title, document]) =>
    row(
      `live-updates.watch.bad-${String(id)}`,
      `${String(title)} is bad_message`,
      async (lab) => {
        const client = await lab.connect();
        await client.refused(
          { type: 'watch', ...(document !== undefined && { document }) },
          'bad_message',
        );
      },
      { reference: 'OWASP input validation' },
    ),
  ),
  row(
    'live-updates.watch.twice',
    'watching again is allowed, and changes still come once',
    async (lab) => {
      const name = await created(lab);
      const watcher = await Replica.watch(lab, name);
      await watcher.client.request({ type: 'watch', document: name }, 'watching');
      await put(lab, name, { count: 1 });
      await watcher.requireCurrent(lab);
      await watcher.client.none('second change', isChange);
    },
  ),
  row('live-updates.watch.scalar', 'a document may be any JSON value', async (lab) => {
    for (const data of [null, 0, false, '', 'é\u2028', [], {}, [[1]]]) {
      const name = await created(lab, data);
      const watcher = await Replica.watch(lab, name);
      requireSame(watcher.data, data, 'data');
      await put(lab, name, { now: data });
      await watcher.requireCurrent(lab);
    }
  }),
  row('live-updates.unwatch.reply', 'unwatch is answered with unwatched', async (lab) => {
    const name = await created(lab);
    const { client } = await Replica.watch(lab, name);
    const reply = await client.request({ type: 'unwatch', document: name }, 'unwatched', {
      document: name,
    });
    requireFields(reply, ['document', 'id', 'type']);
    await put(lab, name, { count: 1 });
    await client.none('change', isChange);
  }),
  row(
    'live-updates.unwatch.not',
    'unwatching what was not watched is not_watching',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'unwatch', document: await created(lab) }, 'not_watching');
    },
  ),
  row(
    'live-updates.clients.only-watch',
    'clients change nothing',
    async (lab) => {
      const name = await created(lab);
      const client = await lab.connect();
      for (const type of ['put', 'patch', 'publish', 'message', 'delete']) {
        await client.refused({ type, document: name, patch: [], data: 1 }, 'bad_message');
      }
      requireSame((await get(lab, name)).data, { count: 0 }, 'the document');
    },
    { reference: 'OWASP authorization' },
  ),
  row(
    'live-updates.change.put',
    'PUT sends watchers the difference, with the next offset',
    async (lab) => {
      const name = await created(lab, { a: 1, b: [1, 2, 3], c: { d: 'x' } });
      const watcher = await Replica.watch(lab, name);
      const { offset } = watcher.position;
      const next = { a: 2, b: [1, 3], c: { d: 'x', e: null } };
      expectJson(await put(lab, name, next), {
        position: { ...watcher.position, offset: offset + 1 },
      });
      await watcher.requireCurrent(lab);
      requireSame(watcher.data, next, 'the data of the watcher');
    },
  ),
  row('live-updates.change.put-kinds', 'PUT may change the kind of any value', async (lab) => {
    const name = await created(lab, { v: 1 });
    const watcher = await Replica.watch(lab, name);
    for (const data of [
      { v: [1] },
      { v: { 0: 1 } },
      { v: null },
      {},
      [],
      [{}],
      'x',
      { '': 1, '/~': 2, '~1': 3 },
    ]) {
      await put(lab, name, data);
      await watcher.requireCurrent(lab);
    }
  }),
  row(
    'live-updates.change.patch-event',
    'a patch event holds document, offset and patch',
    async (lab) => {
      const name = await created(lab, { count: 0, filler: 'x'.repeat(500) });
      const { client, position } = await Replica.watch(lab, name);
      const operations = [{ op: 'replace', path: '/count', value: 1 }];
      await patch(lab, name, operations);
      const event = await client.expect('patch', {
        document: name,
        offset: position.offset + 1,
        patch: LIST,
      });
      requireFields(event, ['document', 'offset', 'patch', 'type']);
    },
  ),
  row(
    'live-updates.change.operations',
    'every operation of RFC 6902 is applied',
    async (lab) => {
      const name = await created(lab, {
        a: [1, 2],
        b: { c: 'x' },
        'd/e': 1,
        'f~g': 2,
        filler: 'x'.repeat(999),
      });
      const watcher = await Replica.watch(lab, name);
      await patch(lab, name, [
        { op: 'test', path: '/b/c', value: 'x' },
        { op: 'add', path: '/a/-', value: 3 },
        { op: 'add', path: '/a/0', value: 0 },
        { op: 'remove', path: '/a/1' },
        { op: 'replace', path: '/d~1e', value: 10 },
        { op: 'copy', from: '/b', path: '/h' },
        { op: 'move', from: '/f~0g', path: '/i' },
        { op: 'add', path: '/b/c', value: { y: [] } },
      ]);
      await watcher.requireCurrent(lab);
      requireSame(
        watcher.data,
        {
          a: [0, 2, 3],
          b: { c: { y: [] } },
          'd/e': 10,
          h: { c: 'x' },
          i: 2,
          filler: 'x'.repeat(999),
        },
        'the data',
      );
    },
    { reference: '6902#4' },
  ),
  row(
    'live-updates.change.root',
    'a patch may replace the whole document',
    async (lab) => {
      const name = await created(lab, { count: 0 });
      const watcher = await Replica.watch(lab, name);
      await patch(lab, name, [{ op: 'replace', path: '', value: [1, 2] }]);
      await watcher.requireCurrent(lab);
      requireSame(watcher.data, [1, 2], 'the data');
    },
    { reference: '6902#4.3' },
  ),
  row(
    'live-updates.change.sequence',
    'offsets count up by one, and all watchers agree',
    async (lab) => {
      const name = await created(lab, { count: 0, list: [], filler: 'x'.repeat(2000) });
      const watchers = await Promise.all([1, 2, 3].map(() => Replica.watch(lab, name)));
      for (let n = 1; n <= 40; n++) {
        await patch(lab, name, [
          { op: 'replace', path: '/count', value: n },
          { op: 'add', path: '/list/-', value: n },
        ]);
      }
      for (const watcher of watchers) await watcher.requireCurrent(lab);
    },
  ),
  row(
    'live-updates.change.offsets',
    'answers, patches and positions hold the same offsets',
    requireOffsets,
  ),
  row(
    'live-updates.change.concurrent',
    'changes at the same time are one after the other',
    async (lab) => {
      const name = await created(lab, { list: [], filler: 'x'.repeat(2000) });
      const watcher = await Replica.watch(lab, name);
      const { offset } = watcher.position;
      await Promise.all(
        Array.from({ length: 20 }, (_, value) =>
          patch(lab, name, [{ op: 'add', path: '/list/-', value }]),
        ),
      );
      await watcher.requireCurrent(lab);
      requireSame(watcher.position.offset, offset + 20, 'the offset');
      requireSame((watcher.data as { list: number[] }).list.length, 20, 'items');
    },
  ),
  row(
    'live-updates.change.while-watching',
    'what changes during a watch comes after its reply, once',
    async (lab) => {
      const name = await created(lab, { count: 0, filler: 'x'.repeat(500) });
      const changing = (async () => {
        for (let n = 1; n <= 30; n++)
          await patch(lab, name, [{ op: 'replace', path: '/count', value: n }]);
      })();
      const watching = Array.from({ length: 6 }, () => Replica.watch(lab, name));
      const [watchers] = await Promise.all([Promise.all(watching), changing]);
      for (const watcher of watchers) await watcher.requireCurrent(lab);
    },
  ),
  row(
    'live-updates.change.other',
    'nobody hears of documents that they do not watch',
    async (lab) => {
      const [one, other] = [await created(lab), await created(lab)];
      const { client } = await Replica.watch(lab, one);
      await put(lab, other, { count: 1 });
      await client.none('change', isChange);
    },
    { reference: 'OWASP authorization' },
  ),
  row(
    'live-updates.change.large',
    'when the patch is larger than the document, a snapshot comes',
    async (lab) => {
      const name = await created(lab, { v: 'x'.repeat(4000) });
      const { client, position } = await Replica.watch(lab, name);
      const value = 'y'.repeat(4000);
      const operations = Array.from({ length: 8 }, () => ({ op: 'replace', path: '/v', value }));
      await patch(lab, name, operations);
      await client.expect('snapshot', {
        document: name,
        data: { v: value },
        position: { ...position, offset: position.offset + 1 },
      });
    },
  ),

  row('live-updates.resume.gap', 'since a position: exactly the patches after it', async (lab) => {
    const name = await created(lab, { count: 0, filler: 'x'.repeat(500) });
    const old = await Replica.watch(lab, name);
    for (let n = 1; n <= 3; n++)
      await patch(lab, name, [{ op: 'replace', path: '/count', value: n }]);
    const client = await lab.connect();
    const reply = await client.request(
      { type: 'watch', document: name, since: old.position },
      'watching',
      { recovered: true, patches: LIST, data: undefined },
    );
    const patches = reply['patches'] as Message[];
    requireSame(
      patches.map(({ offset }) => offset),
      [1, 2, 3].map((n) => old.position.offset + n),
      'the offsets of the patches',
    );
    const data = patches.reduce<unknown>(
      (state, step) => applyPatch(state, step['patch']),
      old.data,
    );
    const current = await get(lab, name);
    requireSame(data, current.data, 'the data after the patches');
    requireSame(reply['position'], current.position, 'the position');
  }),
  row(
    'live-updates.resume.current',
    'since the present position there are no patches',
    async (lab) => {
      const name = await created(lab);
      const { position, client } = await Replica.watch(lab, name);
      await client.request({ type: 'watch', document: name, since: position }, 'watching', {
        recovered: true,
        patches: [],
      });
    },
  ),
  row(
    'live-updates.resume.future-since',
    'a since from the future gets a snapshot',
    async (lab) => {
      const name = await created(lab, { count: 5 });
      const { position, client } = await Replica.watch(lab, name);
      for (const ahead of [1, 1000, Number.MAX_SAFE_INTEGER - position.offset]) {
        const since = { ...position, offset: position.offset + ahead };
        await client.request({ type: 'watch', document: name, since }, 'watching', {
          recovered: false,
          data: { count: 5 },
          position,
          patches: undefined,
        });
      }
    },
  ),
  row(
    'live-updates.resume.other-epoch',
    'a since of another epoch gets a snapshot',
    async (lab) => {
      const name = await created(lab, { count: 5 });
      const { position, client } = await Replica.watch(lab, name);
      const since = { ...position, epoch: 'wsk' };
      await client.request({ type: 'watch', document: name, since }, 'watching', {
        recovered: false,
        data: { count: 5 },
        position,
      });
    },
  ),
  row(
    'live-updates.resume.too-old',
    'a since before what is kept gets a snapshot',
    async (lab) => {
      const name = await created(lab, { count: 0, filler: 'x'.repeat(500) });
      const { position, client } = await Replica.watch(lab, name);
      for (let n = 1; n <= 20; n++)
        await patch(lab, name, [{ op: 'replace', path: '/count', value: n }]);
      const reply = await client.request(
        { type: 'watch', document: name, since: position },
        'watching',
      );
      requireSame(reply['recovered'], false, '"recovered"');
      requireSame((reply['data'] as Message)['count'], 20, '"count"');
    },
    { environment: 'small' },
  ),
  ...(
    [
      ['text', 'that is a text', '1'],
      ['null', 'that is null', null],
      ['negative', 'with a negative offset', { offset: -1, epoch: 'x' }],
      ['no-epoch', 'without an epoch', { offset: 1 }],
      ['unknown-key', 'with an unknown key', { offset: 1, epoch: 'x', admin: true }],
    ] satisfies [string, string, unknown][]
  ).map(([id, title, since]) =>
    row(`live-updates.since.${id}`, `a since ${title} is bad_message`, async (lab) => {
      const document = await created(lab);
      const client = await lab.connect();
      await client.refused({ type: 'watch', document, since }, 'bad_message');
    }),
  ),
  row(
    'live-updates.resume.recreated',
    'a document that was removed and made again is another',
    async (lab) => {
      const name = await created(lab, { generation: 1 });
      const { position, client } = await Replica.watch(lab, name);
      await lab.answers([200, 204], 'DELETE', pathOf(name), { token: lab.subject.secrets.publish });
      await client.expect('removed', { document: name });
      await put(lab, name, { generation: 2 });
      const reply = await client.request(
        { type: 'watch', document: name, since: position },
        'watching',
      );
      const data =
        reply['recovered'] === true
          ? (reply['patches'] as Message[]).reduce<unknown>(
              (state, step) => applyPatch(state, step['patch']),
              { generation: 1 },
            )
          : reply['data'];
      requireSame(data, { generation: 2 }, 'the data of a watcher that resumes');
    },
  ),
  row(
    'live-updates.resume.restart',
    'a server that lost its memory has another epoch, one that did not has the patches',
    async (lab) => {
      const name = lab.name();
      await put(lab, name, { count: 1 });
      const { position } = await Replica.watch(lab, name);
      const second = await lab.boot({});
      await put(second, name, { count: 2 });
      const client = await second.connect();
      const reply = await client.request(
        { type: 'watch', document: name, since: position },
        'watching',
      );
      const { epoch, offset } = reply['position'] as Position;
      // Servers may share what they have.
      if (reply['recovered'] === true) {
        requireSame(epoch, position.epoch, 'the epoch');
        const patch = [{ op: 'replace', path: '/count', value: 2 }];
        requireSame(reply['patches'], [{ offset, patch }], '"patches"');
        requireSame(offset, position.offset + 1, '"offset"');
        return;
      }
      requireSame(reply['recovered'], false, '"recovered"');
      requireSame(reply['data'], { count: 2 }, '"data"');
      requireThat(epoch !== position.epoch, 'the epoch is the same');
    },
    { needs: ['project'] },
  ),
  row(
    'live-updates.slow.snapshot',
    'who reads too slowly gets a snapshot in place of a backlog',
    async (lab) => {
      const name = await created(lab, { count: 0, text: 'x'.repeat(30_000) });
      const slow = await Replica.watch(lab, name, { unreadBytes: 1 });
      const text = 'y'.repeat(60_000);
      for (let n = 1; n <= 250; n++) {
        await patch(lab, name, [
          { op: 'replace', path: '/count', value: n },
          { op: 'replace', path: '/text', value: text },
        ]);
      }
      await slow.requireCurrent(lab);
      requireThat(slow.snapshots > 0, 'every patch was kept for a client that did not read');
    },
    { environment: 'small', isAlone: true, reference: 'OWASP resources' },
  ),

  row('live-updates.http.get', 'GET gives the data and the position of a watcher', async (lab) => {
    const name = await created(lab, { count: 7 });
    const { position } = await Replica.watch(lab, name);
    requireSame(await get(lab, name), { position, data: { count: 7 } }, 'the body');
  }),
  row(
    'live-updates.http.delete',
    'DELETE tells watchers, and the document is gone',
    async (lab) => {
      const name = await created(lab);
      const { client } = await Replica.watch(lab, name);
      const { publish: token } = lab.subject.secrets;
      await lab.answers([200, 204], 'DELETE', pathOf(name), { token });
      const event = await client.expect('removed', { document: name });
      requireFields(event, ['document', 'type']);
      await lab.answers(404, 'GET', pathOf(name), { token });
      await client.refused({ type: 'watch', document: name }, 'no_such_document');
    },
  ),
  row('live-updates.http.unknown', 'a document that is not there is 404', async (lab) => {
    const name = lab.name();
    const { publish: token } = lab.subject.secrets;
    await lab.answers(404, 'GET', pathOf(name), { token });
    await lab.answers(404, 'DELETE', pathOf(name), { token });
    await patch(lab, name, [{ op: 'add', path: '/a', value: 1 }], 404);
  }),
  row(
    'live-updates.http.no-token',
    'every method needs the token: else 401',
    async (lab) => {
      const name = await created(lab, { secret: 1 });
      for (const token of [
        undefined,
        '',
        'x'.repeat(48),
        `${lab.subject.secrets.publish ?? ''}x`,
      ]) {
        for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
          const json = method === 'GET' || method === 'DELETE' ? undefined : [];
          await lab.answers(401, method, pathOf(name), { token, json });
        }
        await lab.answers(401, 'GET', pathOf(lab.name()), { token });
      }
      requireSame((await get(lab, name)).data, { secret: 1 }, 'the document');
    },
    { reference: 'OWASP authorization' },
  ),
  row(
    'live-updates.http.user-token',
    'the token of a user opens nothing',
    async (lab) => {
      const name = await created(lab);
      await lab.answers(401, 'GET', pathOf(name), { token: lab.token('ada') });
      await lab.answers(401, 'PUT', pathOf(name), { token: lab.token('ada'), json: 1 });
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),
  row(
    'live-updates.http.bad-name',
    'a name that is none is 400 or 404',
    async (lab) => {
      const { publish: token } = lab.subject.secrets;
      for (const name of ['-a', 'a%20b', 'a/b', 'x'.repeat(65), '__proto__', '%C3%A4', '%']) {
        await lab.answers([400, 404], 'PUT', pathOf(name), { token, json: 1 });
      }
      await lab.answers(200, 'GET', '/healthz');
    },
    { reference: 'OWASP input validation' },
  ),
  row(
    'live-updates.http.bad-json',
    'a body that is not JSON is 400',
    async (lab) => {
      const name = await created(lab);
      const { publish: token } = lab.subject.secrets;
      for (const body of ['', '{', '{} {}', 'undefined']) {
        await lab.answers(400, 'PUT', pathOf(name), { token, body });
        const headers = { 'Content-Type': 'application/json-patch+json' };
        await lab.answers(400, 'PATCH', pathOf(name), { token, body, headers });
      }
      requireSame((await get(lab, name)).data, { count: 0 }, 'the document');
    },
    { reference: 'OWASP input validation' },
  ),
  row(
    'live-updates.http.body-limit',
    'a body above 64 KiB is 413',
    async (lab) => {
      const name = await created(lab);
      await put(lab, name, 'x'.repeat(70_000), 413);
      await patch(lab, name, [{ op: 'add', path: '/x', value: 'x'.repeat(70_000) }], 413);
      requireSame((await get(lab, name)).data, { count: 0 }, 'the document');
    },
    { reference: 'OWASP message size' },
  ),
  row(
    'live-updates.http.document-limit',
    'a document above MAX_DOCUMENT_BYTES is 413',
    async (lab) => {
      const name = await created(lab, { parts: [] });
      const value = 'x'.repeat(50_000);
      let grown = 0;
      for (; grown < 10; grown++) {
        const before = await get(lab, name);
        const { status } = await patch(
          lab,
          name,
          [{ op: 'add', path: '/parts/-', value }],
          [200, 413],
        );
        if (status === 200) continue;
        requireSame(
          (await get(lab, name)).position,
          before.position,
          'the position after a refusal',
        );
        break;
      }
      requireSame(grown, 5, 'parts of 50,000 bytes that fit');
    },
    { reference: 'OWASP resources' },
  ),
  row(
    'live-updates.http.copies',
    'copies that grow a document without end are 413',
    async (lab) => {
      const name = await created(lab, { a: ['x'.repeat(1000)] });
      const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
      await patch(lab, name, doubling, 413);
      requireSame((await get(lab, name)).data, { a: ['x'.repeat(1000)] }, 'the document');
      await lab.answers(200, 'GET', '/healthz');
    },
    { reference: 'OWASP resources' },
  ),
  row(
    'live-updates.http.10-megabytes',
    '10 MB of patches leave the server alive',
    async (lab) => {
      const name = await created(lab, { text: '' });
      const watcher = await Replica.watch(lab, name);
      for (let n = 0; n < 200; n++) {
        await patch(lab, name, [
          { op: 'replace', path: '/text', value: `${n} `.padEnd(50_000, 'x') },
        ]);
      }
      await patch(
        lab,
        name,
        [{ op: 'add', path: '/text', value: 'x'.repeat(10_000_000) }],
        413,
      ).catch((error: unknown) => {
        // A server may close the connection before it has read a body that it refuses.
        if (!/ECONNRESET|EPIPE|socket hang up/.test(String(error))) throw error;
      });
      await watcher.requireCurrent(lab);
    },
    { reference: 'OWASP resources' },
  ),
  row(
    'live-updates.patch.if-match',
    'If-Match with the position applies the patch',
    async (lab) => {
      const name = await created(lab);
      const { position } = await get(lab, name);
      const ifMatch = (offset: number, epoch = position.epoch): Record<string, string> => ({
        'If-Match': `"${epoch}:${offset}"`,
      });
      const operations = [{ op: 'replace', path: '/count', value: 1 }];
      await patch(lab, name, operations, 200, ifMatch(position.offset));
      await patch(lab, name, operations, 412, ifMatch(position.offset));
      await patch(lab, name, operations, 412, ifMatch(position.offset + 1, 'wsk'));
      requireSame((await get(lab, name)).position.offset, position.offset + 1, 'the offset');
    },
    { reference: '9110#13.1.1' },
  ),
  row(
    'live-updates.patch.race',
    'of two patches of one position, one is applied',
    async (lab) => {
      const name = await created(lab);
      const { position } = await get(lab, name);
      const headers = { 'If-Match': `"${position.epoch}:${position.offset}"` };
      const answers = await Promise.all(
        [1, 2, 3].map((value) =>
          patch(lab, name, [{ op: 'add', path: '/x', value }], [200, 412], headers),
        ),
      );
      requireSame(
        answers.filter(({ status }) => status === 200).length,
        1,
        'patches that were applied',
      );
    },
    { reference: '9110#13.1.1' },
  ),
  refusedPatch(
    'test',
    'a patch whose test fails',
    409,
    [
      { op: 'replace', path: '/count', value: 2 },
      { op: 'test', path: '/count', value: 1 },
    ],
    '6902#5',
  ),
  refusedPatch(
    'missing',
    'a patch that removes what is not there',
    409,
    [
      { op: 'add', path: '/new', value: 1 },
      { op: 'remove', path: '/missing' },
    ],
    '6902#5',
  ),
  refusedPatch(
    'parent',
    'a patch below what is not there',
    409,
    [{ op: 'add', path: '/a/b', value: 1 }],
    '6902#4.1',
  ),
  refusedPatch(
    'index',
    'an index beyond the end',
    409,
    [{ op: 'add', path: '/list/5', value: 1 }],
    '6902#4.1',
  ),
  refusedPatch(
    'into-itself',
    'moving a value into itself',
    [400, 409],
    [{ op: 'move', from: '/list', path: '/list/0' }],
    '6902#4.4',
  ),
  refusedPatch(
    'leading-zero',
    'an index with a leading zero',
    [400, 409],
    [{ op: 'add', path: '/list/01', value: 1 }],
    '6901#4',
  ),
  refusedPatch(
    'proto',
    'a pointer through __proto__',
    [400, 409],
    [{ op: 'add', path: '/__proto__/admin', value: true }],
    'OWASP input validation',
  ),
  refusedPatch(
    'constructor',
    'a pointer through constructor',
    [400, 409],
    [{ op: 'add', path: '/constructor/prototype/admin', value: true }],
    'OWASP input validation',
  ),
  refusedPatch(
    'unknown',
    'an unknown operation',
    400,
    [{ op: 'increment', path: '/count', value: 1 }],
    '6902#4',
  ),
  refusedPatch('no-path', 'an operation without a path', 400, [{ op: 'add', value: 1 }], '6902#4'),
  refusedPatch('no-value', 'an add without a value', 400, [{ op: 'add', path: '/x' }], '6902#4.1'),
  refusedPatch(
    'no-pointer',
    'a path that is no pointer',
    400,
    [{ op: 'add', path: 'x', value: 1 }],
    '6901#3',
  ),
  refusedPatch(
    'no-list',
    'a patch that is no list',
    400,
    { op: 'add', path: '/x', value: 1 },
    '6902#3',
  ),
  refusedPatch(
    'too-many',
    'a patch of 1001 operations',
    413,
    Array.from({ length: 1001 }, () => ({ op: 'test', path: '/count', value: 1 })),
    'OWASP resources',
  ),
  row('live-updates.patch.thousand', 'a patch may have 1000 operations', async (lab) => {
    const name = await created(lab, { list: [], filler: 'x'.repeat(60_000) });
    const watcher = await Replica.watch(lab, name);
    await patch(
      lab,
      name,
      Array.from({ length: 1000 }, (_, value) => ({ op: 'add', path: '/list/-', value })),
    );
    await watcher.requireCurrent(lab);
  }),
  row(
    'live-updates.private.watch',
    'a private document is closed to others',
    async (lab) => {
      const name = lab.name('private');
      await put(lab, name, { secret: 1 });
      const member = await Replica.watch(lab, name, { claims: { rooms: [name] } });
      const stranger = await lab.connect();
      await stranger.refused({ type: 'watch', document: name }, 'forbidden');
      await stranger.refused({ type: 'watch', document: lab.name('private') }, 'forbidden');
      await put(lab, name, { secret: 2 });
      await member.requireCurrent(lab);
      await stranger.none('change', isChange);
    },
    { needs: ['auth', 'signing'], reference: 'OWASP authorization' },
  ),
  rowsOf('live-updates', ['live-updates'])(
    'live-updates.closed.http',
    'without PUBLISH_TOKEN, /documents is 404',
    async (lab) => {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
        await lab.answers(404, method, pathOf('a'), { json: method === 'PUT' ? 1 : undefined });
        await lab.answers(404, method, pathOf('a'), {
          token: '',
          json: method === 'PUT' ? 1 : undefined,
        });
      }
    },
    { environment: 'closed', reference: 'OWASP authorization' },
  ),
  row('live-updates.position.create', 'a new document has a position', async (lab) => {
    const answer = await put(lab, lab.name(), 1);
    const { position } = expectJson(answer, { position: POSITION });
    requireThat(COUNT.holds((position as Position).offset), 'the offset is no number');
  }),
];
