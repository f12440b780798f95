// node bench/realtime/run.mjs [contest...] [--rounds N] [--seconds N] [--quiet]: a generated chat server
// with every feature beside a bare ws server and Socket.IO 4, and one that speaks GraphQL beside that of
// graphql-ws. Build first; Socket.IO comes through npm into the cache. FEATURES=rooms,history leaves features
// out; LANGUAGE=go or python takes a server in that language, beside gorilla/websocket or websockets. Prints
// every figure with its bar; exits with 1 when one is missed. Most is CPU time and memory of the server's
// process, as its machine may be shared; the times of `delivery` are not.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { canPin, loadAverage } from '../load/machine.mjs';
import { interleave, spread } from '../load/measure.mjs';
import { markdown, row } from '../load/table.mjs';
import {
  delivery,
  drain,
  echo,
  fanout,
  idle,
  queries,
  subscriptions,
  unread,
  wampCalls,
  wampEvents,
} from './contests.mjs';
import { BARE, FEATURES, LANGUAGE } from './servers.mjs';

const IDLE_KIB = { nodejs: 15, python: 20, go: 35 }[LANGUAGE];

/** Per contest: the servers and their loads, and the ratio that is held to a bar. */
const CONTESTS = {
  echo: {
    arms: { chat: echo, [BARE]: echo },
    figure: 'rate',
    what: 'ping -> pong beside a bare echo, round trips per CPU-second',
    bar: { atLeast: 0.8 },
  },
  fanout: {
    arms: { chat: fanout, 'socket.io': fanout },
    options: { senders: 16 },
    figure: 'rate',
    what: '1,000 members, 16 of them send: deliveries per CPU-second',
    bar: { atLeast: 3 },
  },
  'fanout-1': {
    arms: { chat: fanout, 'socket.io': fanout },
    options: { senders: 1 },
    figure: 'rate',
    what: '1,000 members, one of them sends: deliveries per CPU-second',
    bar: {},
  },
  'fanout-deflate': {
    arms: { chat: fanout, 'socket.io': fanout },
    options: { senders: 4, length: 2000, compression: true },
    figure: 'rate',
    what: '1,000 members, 2 KB compressed: deliveries per CPU-second',
    bar: {},
  },
  'wamp-calls': {
    arms: { wamp: wampCalls, crossbar: wampCalls },
    figure: 'rate',
    what: 'WAMP: 64 callers of one callee, calls per CPU-second',
    bar: { atLeast: 2 },
  },
  'wamp-events': {
    arms: { wamp: wampEvents, crossbar: wampEvents },
    figure: 'rate',
    what: 'WAMP: 500 subscribers, 4 of 504 publish: events per CPU-second',
    bar: { atLeast: 2 },
  },
  queries: {
    arms: { graphql: queries, 'graphql-ws': queries },
    figure: 'rate',
    what: 'GraphQL queries beside a bare server of graphql-ws, answers per CPU-second',
    bar: { atLeast: 0.9 },
  },
  subscriptions: {
    arms: { graphql: subscriptions, 'graphql-ws': subscriptions },
    figure: 'rate',
    what: '1,000 subscriptions to one channel: events per CPU-second',
    bar: { atLeast: 0.9 },
  },
  idle: {
    arms: { chat: idle, [BARE]: idle },
    options: { connections: 2000, compression: false },
    figure: 'kib',
    what: 'KiB of an idle connection, authenticated, in a room',
    ours: { atMost: IDLE_KIB },
  },
  'idle-deflate': {
    arms: { chat: idle, [BARE]: idle },
    options: { connections: 2000, compression: true },
    figure: 'kib',
    what: 'KiB of an idle connection, compression negotiated',
    ours: { atMost: IDLE_KIB },
  },
  delivery: {
    arms: { chat: delivery, 'socket.io': delivery },
    options: { members: 5000, nodes: 1 },
    figure: 'p99',
    what: 'one message to 5,000 members, p99 in milliseconds',
    ours: { atMost: 250 },
  },
  'delivery-2': {
    arms: { chat: delivery, 'socket.io': delivery },
    options: { members: 5000, nodes: 2 },
    figure: 'p99',
    what: 'the same with half of them on each of two nodes that share a Redis',
    ours: { atMost: 250 },
  },
  drain: {
    arms: { chat: drain },
    options: { connections: 5000 },
    figure: 'peak',
    what: 'SIGTERM to a node with 5,000 clients: most attempts in 500 ms by their mean',
    ours: { atMost: 1.5 },
  },
  unread: {
    arms: { chat: unread, 'socket.io': unread },
    options: { connections: 20, mebibytes: 16 },
    figure: 'budgets',
    what: 'memory of a client that never reads, by its budget of bytes',
    ours: { atMost: 2 },
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    quiet: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !(name in CONTESTS));
if (unknown.length > 0) {
  console.error(`no contest ${unknown.join(', ')}; there are ${Object.keys(CONTESTS).join(', ')}`);
  process.exit(2);
}
const wanted = positionals.length > 0 ? positionals : Object.keys(CONTESTS);
const seconds = Number(values.seconds);

console.log(
  `node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores; ${FEATURES.join(', ')}; ` +
    (canPin ? 'server on core 0' : 'no taskset: nothing is pinned'),
);
const all = [];
for (const contest of wanted) {
  const { arms, options, figure, what, bar, ours } = CONTESTS[contest];
  console.log(`\n${contest} (load average ${loadAverage()})`);
  const runs = Object.entries(arms).map(([name, measure]) => ({
    name,
    run: () => measure(name, { seconds, ...options }),
  }));
  const { rounds, failed } = await interleave(runs, Number(values.rounds), (name, figures) => {
    if (!values.quiet) console.error(`  ${name.padEnd(10)} ${JSON.stringify(figures)}`);
  });
  const [first, second] = Object.keys(arms);
  const why = failed.get(first) ?? failed.get(second);
  const of = (name) => spread(rounds, (round) => round.get(name)?.[figure]);
  const digits = figure === 'rate' ? 0 : 1;
  const ratio = spread(rounds, (round) => round.get(first)?.[figure] / round.get(second)?.[figure]);
  const rows = [
    row(contest, `${first}: ${what}`, of(first), { digits, why, ...ours }),
    ...(second === undefined
      ? []
      : [
          row(contest, second, of(second), { digits, why }),
          row(contest, `${first} / ${second}`, ratio, { why, ...bar }),
        ]),
  ];
  for (const { what: name, figure: value, bar: limit, verdict } of rows) {
    console.log(`  ${name.padEnd(72)} ${value.padEnd(40)} ${limit.padEnd(8)} ${verdict}`);
  }
  all.push(...rows);
}
console.log(`\n${markdown(all)}`);
process.exitCode = all.some(({ verdict }) => verdict !== 'ok' && verdict !== '') ? 1 : 0;
