// A process with some of the clients: generated ones, that publish and note what they see. Started by
// run.mjs, which speaks to it: `begin`, `status`, `quiet` (publish no more) and `finish`.
import { writeFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { randomOf } from './plan.mjs';

/** A common room gets one of so many messages. */
const COMMON_SHARE = 0.05;

/** How the clients of a type name the same things. */
const TYPES = {
  chat: {
    client: 'ChatClient',
    enter: (client, room) => client.join(room),
    event: 'message',
    publish: (_, stream, text, options) => stream.send(text, options),
  },
  pubsub: {
    client: 'PubsubClient',
    enter: (client, room) => client.subscribe(`${room}.#`),
    event: 'event',
    publish: (client, { name }, text, options) =>
      client.publish(name.replace('#', 'all'), text, options),
  },
};

const streams = [];
const clients = [];
const problems = [];
let pending = 0;
let isQuiet = false;
let now;

const commands = {
  async begin({ origin, library, type, url, members, everyMs, seed }) {
    now = () => Math.round(Number(process.hrtime.bigint()) / 1e6 - origin);
    const { [TYPES[type].client]: Client } = await import(library);
    const random = randomOf(seed);
    for (const member of members) start(Client, TYPES[type], url, member, everyMs, random);
  },
  status() {
    const positions = {};
    for (const { room, stream } of streams) {
      const { epoch, offset } = stream.since ?? {};
      (positions[room] ??= new Set()).add(`${epoch} ${offset}`);
    }
    for (const room in positions) positions[room] = [...positions[room]];
    const open = clients.filter(({ client }) => client.state.name === 'open').length;
    return { open, pending, positions };
  },
  quiet() {
    isQuiet = true;
  },
  finish({ file }) {
    const seen = {
      streams: streams.map(({ client, room, events }) => ({ client, room, events })),
      clients: clients.map(({ name, states }) => ({ name, states })),
      problems,
    };
    writeFileSync(file, JSON.stringify(seen));
    for (const { client } of clients) client.close();
  },
};

process.on('message', async ({ id, command, options }) => {
  const result = await commands[command](options);
  process.send({ id, result });
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    problems.push({ at: now?.() ?? 0, text: `in a client, ${event}: ${error?.stack ?? error}` });
  });
}

function start(Client, type, url, { name, token, rooms }, everyMs, random) {
  const options = { url, WebSocket, getToken: () => token, backoff: { maxMs: 2000 } };
  const client = new Client(options);
  const states = [];
  client.on('state', (state) => states.push([now(), state.name, state.reason]));
  client.on('error', ({ code, message }) => {
    problems.push({ at: now(), text: `${name} is told ${code}: ${message}` });
  });
  clients.push({ name, client, states });
  const joined = rooms.map((room) => {
    const events = [];
    const stream = type.enter(client, room);
    stream.on(type.event, ({ offset, id }) => {
      events.push(['message', now(), stream.since?.epoch, offset, id]);
    });
    stream.on('recovered', ({ recovered }) => events.push(['recovered', now(), recovered]));
    stream.on('joined', () => {
      const { epoch, offset } = stream.since ?? {};
      events.push(['joined', now(), epoch, offset]);
    });
    stream.on('error', ({ code, message }) => {
      problems.push({ at: now(), text: `${name} may not be in ${room}: ${code}: ${message}` });
    });
    streams.push({ client: name, room, stream, events });
    return { stream, events };
  });
  client.connect().catch(() => {});

  let sent = 0;
  const publish = () => {
    if (isQuiet) return;
    const at = random() < COMMON_SHARE ? 0 : Math.min(1, joined.length - 1);
    const { stream, events } = joined[at];
    const id = `${name}.${(sent += 1)}`;
    events.push(['sent', now(), id]);
    pending += 1;
    type
      .publish(client, stream, `message ${sent} of ${name}`, { id })
      .then(
        ({ offset }) => events.push(['ack', now(), id, offset]),
        ({ code }) => events.push(['refused', now(), id, code]),
      )
      .finally(() => (pending -= 1));
    later();
  };
  // Like people who do not know of each other: the gaps are distributed exponentially.
  const later = () => setTimeout(publish, -Math.log(1 - random()) * everyMs).unref();
  if (everyMs > 0) later();
}
