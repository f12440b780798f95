// node bench/chaos/run.mjs [--seconds N] [--seed N] [--clients N] [--rate N] [--type chat|pubsub]
// [--output folder] [--server folder --client folder]: two nodes of a generated project with every feature (or
// of one that is there, compiled, with its client), a Redis, nginx in front, and generated clients that publish
// and read, while nodes, Redis and connections fail. Not a part of bench/realtime, as nothing here is a measure
// of speed: what clients saw is compared with what they were promised. Writes chaos.html into the folder, and
// if the promises were not kept, what all saw and logged. Exits with 0 when they were, with 1 when not, with 3
// when it cannot be done here. Build first; redis-server and nginx have to be installed.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { folder, killTree, scratch } from '../load/machine.mjs';
import { which } from '../programs.mjs';
import { tokenOf } from '../realtime/clients.mjs';
import { clientOf, project } from '../realtime/servers.mjs';
import { figuresOf, judge } from './judge.mjs';
import { nameOf, percentile, renderChaos } from './page.mjs';
import { planOf, randomOf } from './plan.mjs';
import { HISTORY_MESSAGES, Link, Nginx, Node, RedisServer } from './system.mjs';
import { writeReportFiles } from '../../dist/src/report/files.js';
import { freePort } from '../../dist/src/target/project/redis.js';

const PROCESSES = 4;
/** Clients for each room but the common one; as every client is in two of them, it has twice as many members. */
const PER_ROOM = 10;
/** Milliseconds for everything to be well at the end: more than a client waits, and nodes compare. */
const CALM = 30_000;

const OPTIONS = {
  seconds: { type: 'string', default: '180' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  clients: { type: 'string', default: '200' },
  rate: { type: 'string', default: '100' },
  type: { type: 'string', default: 'chat' },
  output: { type: 'string', default: 'chaos-report' },
  server: { type: 'string' },
  client: { type: 'string' },
};
function refuse(reason, code) {
  console.error(reason);
  process.exit(code);
}
let values;
try {
  ({ values } = parseArgs({ options: OPTIONS }));
} catch (error) {
  refuse(error.message, 2);
}
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const count = Number(values.clients);
const rate = Number(values.rate);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
if (!(seconds >= 10 && rate > 0 && count > 0 && isCount(count) && isCount(seed))) {
  refuse('expected --seconds from 10, --clients from 1, --rate above 0, --seed from 0', 2);
}
if (!['chat', 'pubsub'].includes(values.type)) refuse(`no --type ${values.type}: chat, pubsub`, 2);
const missing = ['redis-server', 'nginx'].filter((program) => which(program) === undefined);
if (missing.length > 0) refuse(`not installed: ${missing.join(', ')}`, 3);

/** Milliseconds of the clock that all processes share. */
const sharedClock = () => Number(process.hrtime.bigint()) / 1e6;
let origin = sharedClock();
const now = () => Math.round(sharedClock() - origin);
const problems = [];
const onTrouble = (text) => {
  problems.push({ at: now(), text });
  console.log(`${clock(now())} TROUBLE ${text}`);
};
const clock = (ms) => `${(ms / 1000).toFixed(1).padStart(6)} s`;

async function run() {
  const plan = planOf(seed, seconds);
  console.log(`seed ${seed}: ${plan.length} faults in ${seconds} s, ${count} clients`);
  const server = path.resolve(values.server ?? project(values.type));
  const client = path.resolve(values.client ?? clientOf(server));
  const library = pathToFileURL(path.join(client, 'dist/src/index.js')).href;

  const redis = new RedisServer('redis', onTrouble);
  await redis.start();
  const nodes = [];
  for (const name of ['node-1', 'node-2']) {
    const node = new Node(name, { project: server, link: await Link.to(redis.port), onTrouble });
    await node.start();
    nodes.push(node);
  }
  const nginx = new Nginx(server, nodes, await freePort(), onTrouble);
  await nginx.start();
  const front = await Link.to(nginx.port);

  const rooms = Array.from({ length: Math.ceil(count / PER_ROOM) }, (_, at) => `room-${at + 1}`);
  const members = Array.from({ length: count }, (_, at) => {
    const own = [rooms[at % rooms.length], rooms[(at + 1) % rooms.length]];
    const name = `c${at + 1}`;
    return { name, token: tokenOf(name), rooms: [...new Set(['common', ...own])] };
  });
  // From now on, everything is timed.
  origin = sharedClock();
  const settings = { origin, library, type: values.type };
  const groups = Array.from({ length: PROCESSES }, (_, at) =>
    members.filter((_, index) => index % PROCESSES === at),
  );
  const everyMs = (count / rate) * 1000;
  const url = `ws://127.0.0.1:${front.port}/`;
  const processes = groups.map(() => new ClientProcess());
  const begun = processes.map((each, at) =>
    each.ask('begin', { ...settings, url, members: groups[at], everyMs, seed: seed + at }),
  );
  await Promise.all(begun);
  if (!(await until(async () => sum(await statuses(processes), 'open') === count))) {
    throw new Error(`${sum(await statuses(processes), 'open')} of ${count} clients are connected`);
  }
  console.log(`${clock(now())} ${count} clients are connected`);

  const shared = {};
  /** Epochs of rooms in Redis; after a loss of data begins a new list. */
  const note = async ({ isNew = false } = {}) => {
    for (const [room, epoch] of Object.entries(await redis.epochs())) {
      const lists = (shared[room] ??= [[]]);
      if (isNew) lists.push([]);
      if (!lists.at(-1).includes(epoch)) lists.at(-1).push(epoch);
    }
  };
  await note();
  const faults = await carryOut(plan, { redis, nodes, nginx, front, note, shared });

  for (const each of processes) await each.ask('quiet');
  const isCalm = await until(async () => {
    const all = await statuses(processes);
    const positions = Object.values(merge(all));
    return (
      sum(all, 'open') === count &&
      sum(all, 'pending') === 0 &&
      positions.every(({ size }) => size === 1)
    );
  });
  console.log(`${clock(now())} ${isCalm ? 'all is calm' : 'something is still under way'}`);
  const calmAt = now();
  await note();

  // Someone who was never there, on each node, is shown what is kept.
  const observers = new ClientProcess();
  for (const node of nodes) {
    const name = `observer of ${node.name}`;
    const member = { name, token: tokenOf(node.name), rooms: ['common', ...rooms] };
    const options = { url: `ws://127.0.0.1:${node.port}/`, members: [member], everyMs: 0, seed };
    await observers.ask('begin', { ...settings, ...options });
  }
  await until(async () => {
    const [status] = await statuses([observers]);
    return status.open === nodes.length && !JSON.stringify(status.positions).includes('undefined');
  });
  const final = {};
  for (const [room, places] of Object.entries(merge(await statuses([observers])))) {
    const [[epoch, offset] = []] = [...places].map((place) => place.split(' '));
    final[room] = { epoch, offset: Number(offset) };
  }

  const seen = [];
  for (const [at, each] of [...processes, observers].entries()) {
    const file = path.join(folder('seen'), `${at}.json`);
    await each.ask('finish', { file });
    seen.push(JSON.parse(readFileSync(file, 'utf8')));
    await each.end();
  }
  for (const node of nodes) {
    const code = await node.end('SIGTERM');
    if (code !== 0) onTrouble(`${node.name} ended with ${code} after SIGTERM`);
  }
  await nginx.end('SIGTERM');
  await redis.end();
  front.close();
  for (const { link } of nodes) link.close();

  const log = {
    streams: seen.flatMap(({ streams }) => streams),
    clients: seen.flatMap(({ clients }) => clients),
    problems: [...problems, ...seen.flatMap((each) => each.problems)],
    ...{ shared, final, historyMessages: HISTORY_MESSAGES },
  };
  const judgement = judge(log);
  const report = {
    ...{ seed, seconds, clients: count, rooms: rooms.length + 1, rate, type: values.type },
    ...{ startedAt: new Date(Date.now() - now()).toISOString(), tookMs: calmAt, isCalm },
    ...{ faults, judgement, figures: figuresOf(log, faults, judgement), log },
    command: `npm run chaos -- ${Object.entries({ ...values, output: undefined })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `--${name} ${value}`)
      .join(' ')}`,
  };
  const files = [{ name: 'chaos.html', render: () => renderChaos(report) }];
  if (judgement.verdict === 'fail') {
    files.push({ name: 'seen.json', render: () => JSON.stringify(log) });
    for (const { name, lines } of nodes) {
      files.push({ name: `${name}.log`, render: () => lines.join('\n') });
    }
  }
  const [page] = await writeReportFiles(path.resolve(values.output), files);
  print(report, page);
  return judgement.verdict;
}

/** Does what is planned; when each fault really began and ended. */
async function carryOut(plan, { redis, nodes, nginx, front, note, shared }) {
  const byName = { 'node-1': nodes[0], 'node-2': nodes[1], redis, proxy: nginx };
  const again = async (program, ms, signal) => {
    const code = await program.end(signal);
    await sleep(ms);
    await program.start();
    return code;
  };
  const pause = async (program, ms) => {
    program.signal('SIGSTOP');
    await sleep(ms);
    program.signal('SIGCONT');
  };
  const restartRedis = async (program, ms) => {
    await note();
    await again(program, ms);
  };
  const acts = {
    'kill-node': (node, ms) => again(node, ms),
    'kill-nodes': (node, ms) => again(node, ms),
    deploy: async (node, ms) => {
      const code = await again(node, ms, 'SIGTERM');
      if (code !== 0) onTrouble(`${node.name} ended with ${code} after SIGTERM`);
    },
    'pause-node': pause,
    'restart-redis': restartRedis,
    'redis-away': restartRedis,
    'wipe-redis': async (program, ms) => {
      await note();
      await program.end();
      program.forget();
      await sleep(ms);
      await program.start();
      for (const lists of Object.values(shared)) lists.push([]);
    },
    'pause-redis': pause,
    'pause-redis-long': pause,
    'cut-redis': ({ link }) => link.cut(),
    partition: async ({ link }, ms) => {
      link.freeze();
      await sleep(ms);
      link.thaw();
    },
    'restart-proxy': (program, ms) => again(program, ms, 'SIGTERM'),
    'cut-clients': (link, _, random) => link.cut(0.5, random),
  };
  /** What is done to a target comes after what is under way there. */
  const busy = {};
  const begin = now();
  const done = plan.map(async ({ kind, at, lastsMs, targets, seed: own }) => {
    await sleep(begin + at - now());
    const before = Promise.all(targets.map((target) => busy[target]));
    const turn = before.then(async () => {
      const fault = { kind, targets, lastsMs, at: now() };
      console.log(`${clock(fault.at)} ${nameOf(fault)}`);
      const objects = targets.length === 0 ? [front] : targets.map((target) => byName[target]);
      await Promise.all(objects.map((each) => acts[kind](each, lastsMs, randomOf(own))));
      return { ...fault, endedAt: now() };
    });
    for (const target of targets) busy[target] = turn;
    return await turn;
  });
  const faults = await Promise.all(done);
  await sleep(Math.max(0, begin + seconds * 1000 - now()));
  return faults.sort((a, b) => a.at - b.at);
}

/** A process of clients.mjs. */
class ClientProcess {
  #child = fork(fileURLToPath(new URL('clients.mjs', import.meta.url)), { cwd: scratch });
  #waiting = new Map();
  #asked = 0;
  #ended;

  constructor() {
    const { pid } = this.#child;
    process.on('exit', () => killTree(pid, 'SIGKILL'));
    // One that is gone takes no commands, which `ask` finds out by its end.
    this.#child.on('error', () => {});
    this.#child.on('message', ({ id, result }) => {
      this.#waiting.get(id)(result);
      this.#waiting.delete(id);
    });
    this.#ended = new Promise((resolve) => this.#child.on('exit', resolve));
  }

  ask(command, options = {}) {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, command, options });
      void this.#ended.then((code) => reject(new Error(`a process of clients ended: ${code}`)));
    });
  }

  async end() {
    this.#child.disconnect();
    await this.#ended;
  }
}

function statuses(processes) {
  return Promise.all(processes.map((each) => each.ask('status')));
}

function sum(all, key) {
  return all.reduce((total, each) => total + each[key], 0);
}

/** Positions of rooms, as all processes have them. */
function merge(all) {
  const merged = {};
  for (const { positions } of all) {
    for (const [room, places] of Object.entries(positions)) {
      merged[room] = new Set([...(merged[room] ?? []), ...places]);
    }
  }
  return merged;
}

/** Whether it has become true within `CALM`. */
async function until(condition) {
  const end = now() + CALM;
  while (now() < end) {
    if (await condition()) return true;
    await sleep(200);
  }
  return false;
}

function print({ faults, figures, judgement }, page) {
  const { verdict, violations, acknowledged } = judgement;
  for (const [at, fault] of [{ kind: 'before', targets: [], at: 0 }, ...faults].entries()) {
    const { reconnects, published, delivered, recovered, told, duplicates, losses } = figures[at];
    const [p50, p99, most] = [0.5, 0.99, 1].map((p) => percentile(reconnects, p));
    console.log(
      `${clock(fault.at)} ${nameOf(fault).padEnd(26)} ` +
        `${reconnects.length} reconnects, p50 ${p50}, p99 ${p99}, highest ${most}; ` +
        `${published} published, ${delivered} delivered, ${recovered} recovered, ` +
        `${told} told not, ${duplicates} duplicates, ${losses} losses`,
    );
  }
  console.log(
    `${acknowledged.all} acknowledged; ${acknowledged.lost} of them lost, which was told`,
  );
  for (const { kind, at, client = '', room = '', text } of violations.slice(0, 20)) {
    console.log(`${clock(at)} ${kind}: ${client} ${room} ${text}`);
  }
  if (violations.length > 20) console.log(`and ${violations.length - 20} more`);
  console.log(`${verdict}: ${violations.length} broken promises; ${page}`);
}

try {
  process.exitCode = (await run()) === 'pass' ? 0 : 1;
} catch (error) {
  console.error(error);
  process.exitCode = 3;
} finally {
  // What was started ends with this process.
  process.exit();
}
