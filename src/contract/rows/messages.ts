import { encodeFrame } from '../../protocol/index.ts';
import { Client, newId, requireFields, requireSame, requireThat } from '../client.ts';
import type { Lab } from '../lab.ts';
import { ALL, PUBLISHING, rowsOf } from '../row.ts';
import { CONTRACT_FEATURES, RowSkip } from '../terms.ts';
import type { Row } from '../row.ts';
import { LIST, POSITIVE, TEXT, TIME, show } from '../shape.ts';

/** Bytes of the largest message. */
const LIMIT = 65_536;

/** How far clocks may be apart, in milliseconds. */
const CLOCK_MS = 5 * 60_000;

/** Within which a clock has to move on, in milliseconds: some count seconds. */
const TICK_MS = 3000;

const common = rowsOf('Common to all types', ALL);
const codes = rowsOf('Error codes', ALL);
const closes = rowsOf('Close codes', ALL);

/** A ping command of exactly so many bytes. */
function pingOf(bytes: number): string {
  const text = JSON.stringify({ type: 'ping', id: newId() });
  return text.padEnd(bytes, ' ');
}

async function refusesText(lab: Lab, text: string): Promise<void> {
  const client = await lab.connect();
  await client.wrong(text, 'bad_message');
  await client.lives();
}

/** The time of a new message, in milliseconds since 1970. */
async function timeOfMessage(lab: Lab, author: Client, name: string): Promise<number> {
  const { at } = await lab.hears(author, await lab.publish(author, name));
  requireThat(TIME.holds(at), `"at" is ${show(at)}, expected ${TIME.what}`);
  return Date.parse(String(at));
}

/** A message has to hold the time of its publishing, by our clock or else by that of the server. */
async function requireTime(lab: Lab): Promise<void> {
  const name = lab.name();
  const author = await lab.member(name);
  const publishedAt = Date.now();
  const at = await timeOfMessage(lab, author, name);
  const shown = new Date(at).toISOString();
  const deadline = performance.now() + lab.leftMs(TICK_MS);
  while ((await timeOfMessage(lab, author, name)) === at) {
    requireThat(performance.now() < deadline, `"at" of every message is ${shown}`);
    await lab.elapse(50);
  }
  if (Math.abs(at - publishedAt) <= CLOCK_MS) return;
  // RFC 9110 section 6.6.1: what the server takes for the time.
  const { date } = (await lab.http('GET', '/healthz')).headers;
  requireThat(
    Math.abs(at - Date.parse(date ?? '')) <= CLOCK_MS,
    `"at" is ${shown}, expected ${new Date(publishedAt).toISOString()}; Date of the server is ${show(date)}`,
  );
  throw new RowSkip(
    `the clocks differ: here it was ${new Date(publishedAt).toISOString()}, and "at" (${shown}) agrees with Date of the server`,
  );
}

/** A frame as a client sends it, with a mask of zeros. */
function frame(opcode: number, payload: Uint8Array, fin = true): Buffer {
  return encodeFrame({ opcode, payload, fin, maskingKey: Buffer.alloc(4) });
}

export const MESSAGES: readonly Row[] = [
  common(
    'common.welcome.first',
    'the first message is welcome, with all its fields',
    async (lab) => {
      const client = await lab.open();
      const first = await client.take('a first message', () => true);
      requireSame(first['type'], 'welcome', 'the type of the first message');
      requireFields(first, ['client', 'features', 'pingIntervalMs', 'type', 'user'], ['expiresAt']);
    },
  ),
  common('common.welcome.features', 'welcome lists the features of the server', async (lab) => {
    const { welcome } = await lab.connect();
    const features: unknown = welcome['features'];
    requireThat(Array.isArray(features), `"features" is ${show(features)}, expected a list`);
    const unknown = features.filter((name) => !CONTRACT_FEATURES.some((known) => known === name));
    requireSame(unknown, [], 'features that the protocol does not know');
    const { stated } = lab.subject;
    if (stated === undefined) return;
    // Of live-updates it is a part, whether it is listed or not.
    const listed = (names: readonly unknown[]): readonly string[] =>
      names
        .map(String)
        .filter((name) => lab.type !== 'live-updates' || name !== 'resume')
        .sort();
    // Others change nothing of what is said.
    const spoken = stated.filter((name) => CONTRACT_FEATURES.some((known) => known === name));
    requireSame(listed(features), listed(spoken), 'the features of the project');
  }),
  common('common.welcome.client', 'each connection has a name of its own', async (lab) => {
    const user = lab.name('user');
    const [one, other] = await Promise.all([lab.connect({ user }), lab.connect({ user })]);
    requireThat(
      one.welcome['client'] !== other.welcome['client'],
      'two connections share "client"',
    );
  }),
  common(
    'common.welcome.user',
    '?user= names the user where nobody is verified',
    async (lab) => {
      const client = await lab.connect({ path: '?user=Ada.Lovelace_1-2' });
      requireSame(client.welcome['user'], 'Ada.Lovelace_1-2', 'the user');
    },
    { lacks: ['auth'] },
  ),
  common(
    'common.welcome.guest',
    'who gives no name is a guest',
    async (lab) => {
      const { welcome } = await lab.connect({ token: null });
      requireThat(
        String(welcome['user']).startsWith('guest-'),
        `the user is ${show(welcome['user'])}, expected "guest-..."`,
      );
    },
    { lacks: ['auth'] },
  ),
  common(
    'common.welcome.bad-user',
    'a malformed name of a user is refused with 401',
    async (lab) => {
      for (const name of ['', '-ada', 'a%20b', 'a/b', '%C3%A4', 'x'.repeat(65)]) {
        await lab.refuses({ path: `?user=${name}` }, 401);
      }
    },
    { lacks: ['auth'], reference: 'OWASP input validation' },
  ),
  common('common.ping.id', 'ping is answered with pong and its id', async (lab) => {
    const client = await lab.connect();
    const pong = await client.request({ type: 'ping' }, 'pong');
    requireFields(pong, ['id', 'type']);
  }),
  common('common.ping.no-id', 'a command without id gets a reply without id', async (lab) => {
    const client = await lab.connect();
    client.send({ type: 'ping' });
    await client.expect('pong', { id: undefined });
  }),
  common('common.ping.order', 'commands are answered in their order', async (lab) => {
    const client = await lab.connect();
    const ids = Array.from({ length: 20 }, () => newId());
    for (const id of ids) client.send({ type: 'ping', id });
    const seen: unknown[] = [];
    while (seen.length < ids.length) seen.push((await client.expect('pong'))['id']);
    requireSame(seen, ids, 'the ids of the answers');
  }),
  common('common.id.longest', 'an id may have 64 characters of any kind', async (lab) => {
    const client = await lab.connect();
    for (const id of ['x'.repeat(64), 'é'.repeat(64), '"\\\n\u2028 id']) {
      await client.request({ type: 'ping', id }, 'pong', { id });
    }
  }),
  ...['', 'x'.repeat(65), 1, null, {}].map((id, index) =>
    common(
      `common.id.${['empty', 'too-long', 'number', 'null', 'object'][index] ?? ''}`,
      `an id that is ${['empty', '65 characters long', 'a number', 'null', 'an object'][index] ?? ''} is refused`,
      (lab) => refusesText(lab, JSON.stringify({ type: 'ping', id })),
    ),
  ),
  codes(
    'common.errors.fields',
    'an error has a code, a message and the id of its command',
    async (lab) => {
      const client = await lab.connect();
      const error = await client.refused({ type: 'ping', extra: 1 }, 'bad_message');
      requireFields(error, ['code', 'id', 'message', 'type'], ['retryAfterMs']);
    },
  ),
  codes(
    'common.errors.unknown-key',
    'an unknown key is bad_message',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'ping', admin: true }, 'bad_message');
      await client.lives();
    },
    { reference: 'OWASP input validation' },
  ),
  codes(
    'common.errors.proto-key',
    '__proto__ is an unknown key, too',
    async (lab) => {
      const client = await lab.connect();
      await client.wrong('{"type":"ping","id":"p","__proto__":{"admin":true}}', 'bad_message');
      await client.wrong('{"type":"ping","id":"p","constructor":{}}', 'bad_message');
      await client.lives();
    },
    { reference: 'OWASP input validation' },
  ),
  codes(
    'common.errors.unknown-type',
    'an unknown type is bad_message with its id',
    async (lab) => {
      const client = await lab.connect();
      for (const type of ['wsk', 'toString', '__proto__', 'welcome', 'PING']) {
        await client.refused({ type }, 'bad_message');
      }
    },
    { reference: 'OWASP input validation' },
  ),
  ...[
    ['no-type', 'a message without a type', '{"id":"x"}'],
    ['type-number', 'a type that is a number', '{"type":1}'],
    ['array', 'a list of commands', '[{"type":"ping"}]'],
    ['null', 'null', 'null'],
    ['text', 'a JSON text', '"ping"'],
    ['number', 'a number', '42'],
    ['duplicate-type', 'a type that is a list', '{"type":["ping"]}'],
  ].map(([id = '', title = '', text = '']) =>
    codes(`common.errors.${id}`, `${title} is bad_message`, (lab) => refusesText(lab, text), {
      reference: 'OWASP input validation',
    }),
  ),
  ...[
    ['not-json', 'text that is not JSON', 'ping'],
    ['cut-json', 'JSON that ends too early', '{"type":"ping"'],
    ['two-objects', 'two objects in one message', '{"type":"ping"}{"type":"ping"}'],
    ['empty', 'an empty message', ''],
  ].map(([id = '', title = '', text = '']) =>
    codes(`common.errors.${id}`, `${title} is bad_json`, async (lab) => {
      const client = await lab.connect();
      await client.wrong(text, 'bad_json');
      await client.lives();
    }),
  ),
  codes(
    'common.errors.deep-json',
    'JSON nested 30,000 deep is refused, and the server lives',
    async (lab) => {
      const client = await lab.connect();
      await client.wrong(
        `{"type":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
        'bad_message',
        'bad_json',
      );
      await client.lives();
      await lab.serves();
    },
    { reference: 'OWASP input validation' },
  ),
  closes(
    'common.close.invalid-messages',
    'more than 20 invalid messages at once are closed with 1008',
    async (lab) => {
      const client = await lab.connect();
      for (let sent = 0; sent < 60; sent++) client.send('{');
      const before = await client.closed(1008);
      const errors = before.filter(({ code }) => code === 'bad_json').length;
      requireThat(errors >= 20, `${errors} errors came before the close, expected 20`);
      await lab.serves();
    },
    { reference: 'OWASP rate limiting' },
  ),
  closes(
    'common.close.binary',
    'a binary message is closed with 1003',
    async (lab) => {
      const client = await lab.connect();
      void client.channel.sendBinary(Buffer.from('{"type":"ping"}'));
      await client.closed(1003);
    },
    { reference: '6455#7.4.1' },
  ),
  closes(
    'common.close.invalid-utf8',
    'a text that is not UTF-8 is closed with 1007',
    async (lab) => {
      const client = await lab.connect();
      void client.channel.writeRaw(frame(1, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])));
      await client.closed(1007);
    },
    { reference: '6455#8.1' },
  ),
  closes(
    'common.close.unmasked',
    'a frame without a mask is closed with 1002',
    async (lab) => {
      const client = await lab.connect();
      void client.channel.writeRaw(Buffer.from([0x81, 2, 0x7b, 0x7d]));
      await client.closed(1002);
      await lab.serves();
    },
    { reference: '6455#5.1' },
  ),
  closes(
    'common.close.reserved-bits',
    'a frame with reserved bits is closed with 1002',
    async (lab) => {
      const client = await lab.connect();
      const bytes = frame(1, Buffer.from('{}'));
      bytes[0] = (bytes[0] ?? 0) | 0x30;
      void client.channel.writeRaw(bytes);
      await client.closed(1002);
      await lab.serves();
    },
    { reference: '6455#5.2' },
  ),
  closes(
    'common.close.too-big',
    'a message above 64 KiB is closed with 1009',
    async (lab) => {
      const client = await lab.connect();
      client.send(pingOf(LIMIT + 1));
      await client.closed(1009);
    },
    { reference: 'OWASP message size' },
  ),
  closes(
    'common.close.too-big-fragments',
    'fragments that add up to more than 64 KiB are closed with 1009',
    async (lab) => {
      const client = await lab.connect();
      const part = Buffer.alloc(LIMIT / 2 + 1, ' ');
      void client.channel.writeRaw([frame(1, part, false), frame(0, part, false)]);
      await client.closed(1009);
    },
    { reference: 'OWASP message size' },
  ),
  closes(
    'common.close.inflated',
    'a message that inflates to more than 64 KiB is closed with 1009',
    async (lab) => {
      const client = await lab.connect({ compression: true });
      if (client.channel.deflate === undefined) throw new RowSkip('the server does not compress');
      client.send(pingOf(8 * 1024 * 1024));
      await client.closed(1009);
      await lab.serves();
    },
    { reference: 'OWASP message size' },
  ),
  closes('common.close.normal', 'a close frame with 1000 is answered', async (lab) => {
    const client = await lab.connect();
    void client.channel.sendClose(1000);
    await client.closed(1000);
  }),
  common('common.size.largest', 'a message of exactly 64 KiB is read', async (lab) => {
    const client = await lab.connect();
    client.send(pingOf(LIMIT));
    await client.expect('pong');
  }),
  common('common.size.fragments', 'a command may come in fragments', async (lab) => {
    const client = await lab.connect();
    void client.channel.sendText('{"type":', { fin: false });
    void client.channel.sendPing();
    void client.channel.sendContinuation('"pi', { fin: false });
    void client.channel.sendContinuation('ng"}');
    await client.expect('pong');
  }),
  common(
    'common.heartbeat.frames',
    'ping frames come every pingIntervalMs',
    async (lab) => {
      const client = await lab.connect();
      const interval = Number(client.welcome['pingIntervalMs']);
      requireSame(interval, 1000, '"pingIntervalMs"');
      await client.pinged();
      await client.pinged();
    },
    { environment: 'brief' },
  ),
  common(
    'common.heartbeat.dead',
    'who answers no ping frames is cut off',
    async (lab) => {
      const client = await lab.connect();
      client.mute();
      await client.closed(1006);
    },
    { environment: 'brief', reference: 'OWASP idle connections' },
  ),
  common('common.subprotocol.own', 'the subprotocol of the type is selected', async (lab) => {
    const own = `${lab.type}.v1`;
    if (!lab.subject.subprotocols.includes(own))
      throw new RowSkip(`the server does not speak ${own}`);
    const client = await lab.connect({ protocols: [`other.v1`, own] });
    requireSame(client.channel.handshake.protocol, own, 'the subprotocol');
  }),
  common('common.subprotocol.none', 'a client may offer no subprotocol', async (lab) => {
    const client = await lab.connect();
    requireSame(client.channel.handshake.protocol, null, 'the subprotocol');
  }),
  common(
    'common.subprotocol.unknown',
    'a subprotocol that the server does not speak is not selected',
    async (lab) => {
      // RFC 6455 leaves it to the server whether it goes on without one.
      const outcome = await lab.attempt({ protocols: ['wsk-unknown'] });
      if (outcome instanceof Client) {
        requireSame(outcome.channel.handshake.protocol, null, 'the subprotocol');
      } else requireSame(outcome.status, 400, 'the status of the refusal');
    },
    { reference: '6455#4.2.2' },
  ),
  common(
    'common.slow.message',
    'a message that makes no progress is closed with 1008',
    async (lab) => {
      const client = await lab.connect();
      void client.channel.writeRaw(frame(1, Buffer.from('{"type":'), false));
      await client.closed(1008);
    },
    { environment: 'brief', reference: 'OWASP idle connections' },
  ),
  common(
    'common.slow.handshake',
    'a handshake that does not end is dropped',
    async (lab) => {
      const wire = await lab.tcp();
      void wire.write([Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso')]);
      requireThat(
        await wire.closed(lab.leftMs()),
        'TCP stays open, expected that the server ends it',
      );
    },
    { environment: 'brief', reference: 'OWASP idle connections' },
  ),
  common('common.event.at', '"at" is the time of publishing', requireTime, { types: PUBLISHING }),
  common(
    'common.welcome.fields',
    'pingIntervalMs is a time, and the name is a text',
    async (lab) => {
      const client = await lab.open();
      await client.expect('welcome', {
        client: TEXT,
        user: TEXT,
        pingIntervalMs: POSITIVE,
        features: LIST,
      });
    },
  ),
];
