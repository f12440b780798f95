// The contests: each runs one server under one load and returns figures of its process.
import path from 'node:path';
import { WebSocket } from 'ws';
import { descriptorLimit, pssBytes, sleep } from '../load/machine.mjs';
import { frame, open, tokenOf } from './clients.mjs';
import { clientOf, project, withServer } from './servers.mjs';

/** Milliseconds under load before anything is measured: the compiler of V8 has to have seen it. */
const WARM_UP_MS = 1500;

/** Counts of a window per second of the server's CPU. */
async function perCpuSecond(server, seconds, count) {
  await sleep(WARM_UP_MS);
  const before = { count: count(), cpu: server.cpuSeconds() };
  await sleep(seconds * 1000);
  return { rate: (count() - before.count) / (server.cpuSeconds() - before.cpu) };
}

/** Opens clients a few at a time, each ready for messages, in turns at the nodes of the server. */
async function openAll(server, count, { userOf, roomOf, compression = false }) {
  requireDescriptors(count);
  const clients = [];
  while (clients.length < count) {
    const batch = Math.min(20, count - clients.length);
    const opened = Array.from({ length: batch }, (_, at) =>
      enter(server, {
        port: server.nodes[(clients.length + at) % server.nodes.length].port,
        user: userOf(clients.length + at),
        room: roomOf?.(clients.length + at),
        compression,
      }),
    );
    clients.push(...(await Promise.all(opened)));
  }
  return clients;
}

function requireDescriptors(connections) {
  const limit = descriptorLimit();
  if (limit < connections + 100) {
    throw new Error(`${limit} descriptors are too few: ulimit -n ${connections + 100}`);
  }
}

async function enter(server, { port, user, room, compression }) {
  const { path, token, hello, join } = server;
  const options = { path, token: token?.(user), compression };
  if (room === undefined) return open(port, options);
  let joined;
  const isIn = new Promise((resolve) => (joined = resolve));
  options.onFrame = (payload, _, client) => {
    const text = payload.toString();
    if (text.startsWith(server.welcome)) client.send(join(room));
    if (text.startsWith(server.joined)) joined();
  };
  const client = await open(port, options);
  if (hello !== undefined) client.send(hello(user));
  await isIn;
  client.onFrame = () => {};
  return client;
}

/** Round trips per CPU-second of 64 clients, each with `depth` messages in flight. */
export function echo(name, { seconds, depth = 1 }) {
  return withServer(name, async (server) => {
    const clients = await openAll(server, 64, { userOf: (at) => `user-${at}` });
    await sleep(300);
    let count = 0;
    const ping = frame(
      JSON.stringify({ type: 'ping', id: 'abcdefgh-0000-0000-0000-000000000000' }),
    );
    for (const client of clients) {
      client.onFrame = () => {
        count += 1;
        client.send(ping);
      };
      client.send(Buffer.concat(Array(depth).fill(ping)));
    }
    return perCpuSecond(server, seconds, () => count);
  });
}

/** A client of a GraphQL server, which has let it in; what it gets goes to `onText`. */
async function openGraphql(server, user, onText) {
  const { path, token, protocol, port } = server;
  let enter;
  const isIn = new Promise((resolve) => (enter = resolve));
  const options = { path, token: token?.(user), protocol, onFrame: () => enter() };
  const client = await open(port, options);
  client.send(frame('{"type":"connection_init"}'));
  await isIn;
  client.onFrame = (payload) => onText(payload, client);
  return client;
}

/** A message that asks a GraphQL server for something. */
function operation(id, query, variables) {
  return frame(JSON.stringify({ id, type: 'subscribe', payload: { query, variables } }));
}

/** Answers per CPU-second to 64 clients, each with one query in flight. */
export function queries(name, { seconds }) {
  return withServer(name, async (server) => {
    let count = 0;
    const ask = operation('q', '{ messages(channel: "news", last: 5) { id from text sentAt } }');
    for (let at = 0; at < 64; at += 1) {
      const client = await openGraphql(server, `user-${at}`, (payload, client) => {
        // Each is one `next` and one `complete`.
        if (!payload.includes('"complete"')) return;
        count += 1;
        client.send(ask);
      });
      client.send(ask);
    }
    return perCpuSecond(server, seconds, () => count);
  });
}

/** Events per CPU-second to subscribers of one channel; a sender has one in flight. */
export function subscriptions(name, { seconds, members = 1000 }) {
  return withServer(name, async (server) => {
    requireDescriptors(members);
    let count = 0;
    let sent = 0;
    let sender;
    const text = ' the quick brown fox jumps over the lazy dog'.repeat(2);
    const send = () => {
      sent += 1;
      const query = 'mutation ($text: String!) { send(channel: "news", text: $text) { id } }';
      sender.send(operation(`m${sent}`, query, { text }));
    };
    const query = 'subscription { messages(channel: "news") { id from text sentAt } }';
    for (let at = 0; at < members; at += 1) {
      const client = await openGraphql(server, `user-${at}`, () => {
        count += 1;
        if (count % members === 0) send();
      });
      client.send(operation('s', query));
    }
    sender = await openGraphql(server, 'sender', () => {});
    await sleep(300);
    send();
    return perCpuSecond(server, seconds, () => count);
  });
}

/** Messages delivered per CPU-second to a room; each sender has one in flight. */
export function fanout(
  name,
  { seconds, members = 1000, senders, length = 64, compression = false },
) {
  const text = ' the quick brown fox jumps over the lazy dog'
    .repeat(length / 40 + 1)
    .slice(0, length);
  return withServer(
    name,
    async (server) => {
      const clients = await openAll(server, members, {
        userOf: (at) => `user-${at}`,
        roomOf: () => 'hall',
        compression,
      });
      let count = 0;
      let bytes = 0;
      for (const client of clients) {
        client.onFrame = (payload) => {
          count += 1;
          bytes += payload.length;
        };
      }
      for (const [at, client] of clients.slice(0, senders).entries()) {
        let number = 0;
        const send = () => {
          number += 1;
          client.send(server.message('hall', `${at}-${number}`, text));
        };
        // A deflated one cannot be looked into; its reply is short and never deflated.
        client.onFrame = (payload, isDeflated) => {
          if (!isDeflated && payload.toString('latin1', 0, server.event.length) !== server.event)
            return;
          count += 1;
          if (isDeflated ? count % members < senders : payload.includes(`"${at}-${number}"`))
            send();
        };
        send();
      }
      const figures = await perCpuSecond(server, seconds, () => count);
      return { ...figures, bytes: bytes / count };
    },
    { compression },
  );
}

/** Opens WAMP sessions; each message that comes goes to `onMessage`. */
async function joinAll(server, count) {
  requireDescriptors(count);
  const hello = frame(
    JSON.stringify([
      1,
      'realm1',
      { roles: { caller: {}, callee: {}, publisher: {}, subscriber: {} } },
    ]),
  );
  return await Promise.all(
    Array.from({ length: count }, async () => {
      let answered;
      const session = { say: (...message) => session.client.send(frame(JSON.stringify(message))) };
      session.ask = (...message) => {
        const answer = new Promise((resolve) => (answered = resolve));
        session.say(...message);
        return answer;
      };
      const onFrame = (payload) => answered(payload);
      session.client = await open(server.port, {
        path: server.path,
        protocol: 'wamp.2.json',
        onFrame,
      });
      const welcome = new Promise((resolve) => (answered = resolve));
      session.client.send(hello);
      await welcome;
      return session;
    }),
  );
}

/** Calls per CPU-second of a WAMP router: 64 callers, each with one under way, of one callee. */
export function wampCalls(name, { seconds }) {
  return withServer(name, async (server) => {
    const [callee, ...callers] = await joinAll(server, 65);
    await callee.ask(64, 1, {}, 'com.bench.echo');
    callee.client.onFrame = (payload) => {
      const [, invocation, , , args] = JSON.parse(payload);
      callee.say(70, invocation, {}, args);
    };
    let count = 0;
    for (const caller of callers) {
      let request = 1;
      const call = () =>
        caller.say(48, (request += 1), {}, 'com.bench.echo', ['the quick brown fox']);
      caller.client.onFrame = () => {
        count += 1;
        call();
      };
      call();
    }
    return perCpuSecond(server, seconds, () => count);
  });
}

/** Events per CPU-second of a WAMP router: 500 subscribers, 4 publish, each with one under way. */
export function wampEvents(name, { seconds }) {
  return withServer(name, async (server) => {
    const sessions = await joinAll(server, 504);
    let count = 0;
    const publishers = sessions.splice(0, 4);
    for (const session of sessions) {
      await session.ask(32, 1, {}, 'com.bench.topic');
      session.client.onFrame = () => (count += 1);
    }
    for (const session of publishers) {
      let request = 1;
      const publish = () =>
        session.say(16, (request += 1), { acknowledge: true }, 'com.bench.topic', [
          'the quick brown fox',
        ]);
      session.client.onFrame = publish;
      publish();
    }
    return perCpuSecond(server, seconds, () => count);
  });
}

/** Until everybody has what was sent, or it counts as lost. */
const PATIENCE_MS = 60_000;

/** Between two messages of the contests that ask for times: longer than one takes to everybody. */
const INTERVAL_MS = 250;

/**
 * Milliseconds from a message to its arrival at each member of a room, spread over `nodes`: one message after
 * the other. Members have few users, as whose presence a room shows is the same at each.
 */
export function delivery(name, { members, nodes, messages = 24 }) {
  return withServer(
    name,
    async (server) => {
      const clients = await openAll(server, members, {
        userOf: (at) => `user-${at % 50}`,
        roomOf: () => 'hall',
      });
      const cpuSeconds = () => server.nodes.reduce((sum, node) => sum + node.cpuSeconds(), 0);
      const times = [];
      let cpuBefore = 0;
      let sentAt = 0;
      let mark = '';
      for (const client of clients) {
        client.onFrame = (payload) => {
          if (payload.includes(mark, 0, 'latin1') && payload.includes(server.event, 0, 'latin1')) {
            times.push(performance.now() - sentAt);
          }
        };
      }
      const warmUp = 4;
      for (let number = 0; number < messages + warmUp; number++) {
        if (number === warmUp) {
          times.length = 0;
          cpuBefore = cpuSeconds();
        }
        mark = `"n-${number}."`;
        const expected = times.length + members;
        sentAt = performance.now();
        clients[0].send(server.message('hall', mark.slice(1, -1), 'the quick brown fox'));
        await sleep(INTERVAL_MS);
        const until = sentAt + PATIENCE_MS;
        while (times.length < expected && performance.now() < until) await sleep(20);
        if (times.length !== expected) {
          throw new Error(`${times.length} deliveries, expected ${expected}`);
        }
      }
      const cpuMs = ((cpuSeconds() - cpuBefore) * 1000) / messages;
      times.sort((a, b) => a - b);
      const at = (share) => times[Math.ceil(times.length * share) - 1];
      return { p50: at(0.5), p99: at(0.99), max: times.at(-1), cpuMs };
    },
    { nodes },
  );
}

/** Clients of a room in `drain`. */
const ROOM_SIZE = 10;

/** The most of `times` within `windowMs` by their mean, from the first to the last. */
function peakOf(times, windowMs) {
  const [from] = times;
  const counts = new Map();
  for (const time of times) {
    const slot = Math.floor((time - from) / windowMs);
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / ((times.length * windowMs) / (times.at(-1) - from));
}

/** Generated clients, each in a room, that note what is not as they were promised. */
class Crowd {
  /** Of the node that takes new connections, as a load balancer knows it. */
  port = 0;
  faults = [];
  /** When they have tried to connect. */
  attempts = [];
  joins = 0;
  members = [];
  #ChatClient;
  #WebSocket;

  constructor(ChatClient) {
    this.#ChatClient = ChatClient;
    const crowd = this;
    this.#WebSocket = class extends WebSocket {
      constructor(_url, subprotocols) {
        super(`ws://127.0.0.1:${crowd.port}/`, subprotocols);
        crowd.attempts.push(performance.now());
      }
    };
  }

  /** Resolves to the client once it is in `room`, whose messages are numbers in their order. */
  join(user, room) {
    const token = tokenOf(user);
    const client = new this.#ChatClient({
      url: 'ws://127.0.0.1/',
      WebSocket: this.#WebSocket,
      getToken: () => token,
    });
    const stream = client.join(room);
    const member = { client, stream, room, next: 0 };
    this.members.push(member);
    stream.on('message', ({ text }) => {
      if (Number(text) !== member.next++) this.faults.push(`${user} got ${text}`);
    });
    stream.on('recovered', ({ recovered }) => {
      if (!recovered) this.faults.push(`${user} was told of a loss`);
    });
    for (const emitter of [client, stream]) {
      emitter.on('error', (error) => this.faults.push(`${user}: ${error.message}`));
    }
    void client.connect();
    return new Promise((resolve) => {
      stream.on('joined', () => {
        this.joins += 1;
        resolve(member);
      });
    });
  }

  close() {
    for (const { client } of this.members) client.close();
  }
}

/** Whether it was so before the patience ends. */
async function isSoon(condition) {
  const until = performance.now() + PATIENCE_MS;
  while (!condition() && performance.now() < until) await sleep(50);
  return condition();
}

/**
 * SIGTERM to one of two nodes with `connections` generated clients, while others publish at the other.
 * `peak`: see `peakOf`, of attempts to connect in 500 ms; `peak250` in 250 ms, which a pause of the process of
 * all clients fills. `backMs`: from SIGTERM until all are in their rooms again.
 * Rejects unless each client gets each message once and in order, and the node exits with 0.
 */
export async function drain(name, { connections }) {
  requireDescriptors(2 * connections);
  const { ChatClient } = await import(path.join(clientOf(project()), 'dist/src/index.js'));
  const crowd = new Crowd(ChatClient);
  const rooms = Math.ceil(connections / ROOM_SIZE);
  const roomOf = (at) => `room-${at % rooms}`;
  const sent = new Map();
  const publish = async ({ stream, room }) => {
    const number = sent.get(room) ?? 0;
    sent.set(room, number + 1);
    await stream.send(String(number)).catch((error) => crowd.faults.push(error.message));
  };
  const use = async ({ nodes: [first, second] }) => {
    crowd.port = first.port;
    for (let at = 0; at < connections; at += 50) {
      const numbers = Array.from({ length: Math.min(50, connections - at) }, (_, n) => at + n);
      await Promise.all(numbers.map((number) => crowd.join(`user-${number}`, roomOf(number))));
    }
    crowd.port = second.port;
    const authors = await Promise.all(
      Array.from({ length: rooms }, (_, at) => crowd.join('author', roomOf(at))),
    );
    let isOver = false;
    const publishing = (async () => {
      for (let at = 0; !isOver; at = (at + 1) % rooms) {
        await publish(authors[at]);
        await sleep(5);
      }
    })();
    await sleep(2000);
    crowd.attempts = [];
    crowd.joins = 0;
    const startedAt = performance.now();
    process.kill(first.pid, 'SIGTERM');
    const areBack = await isSoon(() => crowd.joins >= connections);
    const backMs = performance.now() - startedAt;
    const { code } = await first.ended;
    isOver = true;
    await publishing;
    await Promise.all(authors.map(publish));
    const hasAll = ({ room, next }) => next === sent.get(room);
    if (!(await isSoon(() => crowd.members.every(hasAll)))) crowd.faults.push('a message is lost');
    if (!areBack) crowd.faults.push(`${crowd.joins} of ${connections} came back`);
    if (code !== 0) crowd.faults.push(`exit code ${code}`);
    const { faults, attempts } = crowd;
    if (faults.length > 0) throw new Error(`${faults.length} faults: ${faults.slice(0, 3)}`);
    const peaks = { peak: peakOf(attempts, 500), peak250: peakOf(attempts, 250) };
    return { ...peaks, attempts: attempts.length, backMs };
  };
  return withServer(name, (server) => use(server).finally(() => crowd.close()), { nodes: 2 });
}

/** Bytes of the default of MAX_BUFFERED. */
const BUDGET = 2_097_152;

/** Characters of a text, of three bytes each: the longest that a chat server takes. */
const LONGEST = '€'.repeat(4000);

/**
 * The memory that each of `connections` takes which never reads, at its highest, in budgets of MAX_BUFFERED:
 * each is in a room of its own whose author publishes `mebibytes`.
 */
export function unread(name, { connections, mebibytes }) {
  return withServer(
    name,
    async (server) => {
      const options = { roomOf: (at) => `room-${at}` };
      const authors = await openAll(server, connections, {
        ...options,
        userOf: (at) => `author-${at}`,
      });
      let number = 0;
      /** Each author sends one message, and gets it. */
      const publish = () =>
        Promise.all(
          authors.map((author, at) => {
            const id = `n-${number++}.`;
            author.send(server.message(`room-${at}`, id, LONGEST));
            return new Promise((resolve) => {
              author.onFrame = (payload) => {
                if (payload.includes(`"${id}"`) && payload.includes(server.event)) resolve();
              };
            });
          }),
        );
      // What a room keeps is full.
      for (let round = 0; round < 40; round++) await publish();
      const deaf = await openAll(server, connections, { ...options, userOf: (at) => `deaf-${at}` });
      for (const client of deaf) client.pause();
      const before = await memoryOf(server);
      let highest = before;
      const rounds = Math.ceil((mebibytes * 1_048_576) / (LONGEST.length * 3));
      for (let round = 0; round < rounds; round++) {
        await publish();
        if (round % 8 === 0) highest = Math.max(highest, pssBytes(server.pids));
      }
      const closed = server.slow && (await server.slow(server));
      if (server.slow && closed !== connections) throw new Error(`${closed} were closed with 4408`);
      return { budgets: (highest - before) / connections / BUDGET };
    },
    { args: COLLECTING },
  );
}

/** A server that collects its garbage at SIGUSR2. */
const COLLECTING = [
  '--expose-gc',
  '--import',
  'data:text/javascript,process.on("SIGUSR2", () => gc())',
];

/** Bytes, of Node after a collection of garbage; see COLLECTING. */
async function memoryOf({ pids, isNode }) {
  if (isNode) process.kill(pids[0], 'SIGUSR2');
  await sleep(1500);
  return pssBytes(pids);
}

/** KiB that each of `connections` takes in the server while it is idle. */
export function idle(name, { connections, compression }) {
  return withServer(
    name,
    async (server) => {
      const options = { userOf: (at) => `user-${at}`, compression };
      // Rooms of 20, and what is loaded and compiled for the first ones is there once.
      if (server.join) options.roomOf = (at) => `room-${Math.floor(at / 20)}`;
      await openAll(server, 200, options);
      const before = await memoryOf(server);
      await openAll(server, connections, {
        ...options,
        userOf: (at) => `more-${at}`,
        ...(server.join && { roomOf: (at) => `more-${Math.floor(at / 20)}` }),
      });
      const after = await memoryOf(server);
      return { kib: (after - before) / connections / 1024 };
    },
    { compression, args: COLLECTING },
  );
}
