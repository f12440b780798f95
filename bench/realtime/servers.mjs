// The servers of the contests, and how each is spoken to.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openRedis } from '../../dist/src/target/project/index.js';
import { FEATURES as ALL_FEATURES, offeredFeatures } from '../../dist/src/generate/answers.js';
import { LANGUAGES } from '../../dist/src/generate/languages/index.js';
import { freePort } from '../../dist/src/target/project/redis.js';
import {
  cpuNs,
  folder,
  killTree,
  root,
  SERVER_CORE,
  sleep,
  start,
  tree,
} from '../load/machine.mjs';
import { installed } from '../servers/install.mjs';
import { accepts } from '../servers/matrix.mjs';
import { servers as MATRIX } from '../servers/table.mjs';
import { frame, SECRET, tokenOf } from './clients.mjs';

const sources = fileURLToPath(new URL('servers/', import.meta.url));
/** Of the generated servers. */
export const LANGUAGE = process.env.LANGUAGE ?? 'nodejs';
const { servers } = LANGUAGES[LANGUAGE];
/** Every feature, unless the environment names some. */
export const FEATURES = process.env.FEATURES?.split(',') ?? ALL_FEATURES;

/** So high that no limit is met; whatever enforces them runs. */
export const LIMITS = {
  RATE_LIMIT: '1000000',
  RATE_BURST: '1000000',
  HANDSHAKE_TIMEOUT: '9000',
  HANDSHAKE_RATE: '1000000',
  MAX_CONNECTIONS: '20000',
  MAX_CONNECTIONS_PER_IP: '20000',
  USER_RATE_LIMIT: '1000000',
  USER_RATE_BURST: '1000000',
  MAX_CONNECTIONS_PER_USER: '20000',
  GRAPHQL_MAX_ALL_OPERATIONS: '100000',
  MAX_ROOM_MEMBERS: '6000',
  MAX_ROOMS_PER_IP: '1000',
};

const cli = path.join(root, 'dist/src/cli/bin.js');

const projects = new Map();
/** A server of this checkout with every feature, generated and compiled once; its folder. */
export function project(type = 'chat', more = [], language = LANGUAGE) {
  const key = [language, type, ...more].join(' ');
  const known = projects.get(key);
  if (known !== undefined) return known;
  const generated = path.join(folder('generated'), `${type}-${projects.size}`);
  projects.set(key, generated);
  const offered = offeredFeatures(LANGUAGES[language], type);
  const features = FEATURES.filter((name) => offered.includes(name));
  const flags = [
    '--type',
    type,
    '--features',
    features.join(),
    '--output',
    `${generated}/`,
    ...more,
  ];
  execFileSync(process.execPath, [cli, 'generate-server', '--language', language, ...flags]);
  if (language === 'nodejs') compile(generated);
  else build(generated, servers[type].commands);
  return generated;
}

/** Carries out what a generated project wants before it is started. */
function build(cwd, { install, build }) {
  for (const command of [install, build]) {
    if (command !== null) execFileSync(command[0], command.slice(1), { cwd, stdio: 'inherit' });
  }
}

let client;
/** The generated client of a generated server, compiled once; its folder. */
export function clientOf(server) {
  if (client !== undefined) return client;
  client = path.join(folder('generated'), 'client');
  const flags = ['--server', server, '--output', `${client}/`];
  execFileSync(process.execPath, [cli, 'generate-client', ...flags]);
  compile(client);
  return client;
}

/** Compiles a generated project with the packages of this checkout. */
function compile(project) {
  symlinkSync(path.join(root, 'node_modules'), path.join(project, 'node_modules'));
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', project]);
}

/** A message of the chat protocol as a frame. */
const say = (message) => frame(JSON.stringify(message));

/** The command that starts a generated project. */
function startOf(type, ...more) {
  const generated = project(type, more);
  const [program, ...args] = servers[type].commands.start;
  const [name, ...rest] = [program, ...args].map((word) =>
    word.includes('/') ? path.join(generated, word) : word,
  );
  return [name === 'node' ? process.execPath : name, ...rest];
}

const GRAPHQL = 'graphql-transport-ws';
const SPEAKS_GRAPHQL = ['--subprotocols', 'graphql-ws'];

export const SERVERS = {
  chat: {
    command: () => startOf('chat'),
    isNode: LANGUAGE === 'nodejs',
    path: '/',
    token: tokenOf,
    join: (room) => say({ type: 'join', room }),
    welcome: '{"type":"welcome"',
    joined: '{"type":"joined"',
    message: (room, id, text) => say({ type: 'message', room, id, text }),
    event: '{"type":"message"',
    /** How many it has closed as they read too slowly. */
    slow: async ({ port }) => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^ws_slow_consumers (\d+)/m.exec(metrics)?.[1]);
    },
  },
  ws: {
    command: () => [process.execPath, path.join(sources, 'ws-echo.mjs')],
    isNode: true,
    path: '/',
  },
  graphql: {
    command: () => startOf('rpc', ...SPEAKS_GRAPHQL),
    isNode: LANGUAGE === 'nodejs',
    path: '/',
    token: tokenOf,
    protocol: GRAPHQL,
  },
  'graphql-ws': {
    command: () => [
      process.execPath,
      path.join(sources, 'graphql-ws.mjs'),
      // Whatever the language of the other: it has its schema and resolvers.
      project('rpc', SPEAKS_GRAPHQL, 'nodejs'),
    ],
    isNode: true,
    path: '/',
    protocol: GRAPHQL,
  },
  gorilla: { command: () => ofMatrix('gorilla'), isTold: true, path: '/' },
  websockets: { command: () => ofMatrix('websockets'), isTold: true, path: '/' },
  wamp: {
    command: () => startOf('rpc', '--subprotocols', 'wamp.2.json'),
    isNode: LANGUAGE === 'nodejs',
    path: '/',
  },
  crossbar: {
    command: () => {
      const packages = { crossbar: '26.10.1' };
      return commandOf(
        installed(
          { name: 'crossbar', from: 'pypi', source: 'crossbar_node.py', packages },
          sources,
        ),
      );
    },
    isTold: true,
    path: '/',
  },
  'socket.io': {
    command: () => {
      const packages = {
        'socket.io': '4.8.4',
        '@socket.io/redis-adapter': '8.3.0',
        redis: '5.9.0',
      };
      const server = { name: 'socket-io', from: 'npm', source: 'socket-io.mjs', packages };
      return commandOf(installed(server, sources));
    },
    isNode: true,
    path: '/socket.io/?EIO=4&transport=websocket',
    hello: (user) => frame(`40${JSON.stringify({ user })}`),
    join: (room) => frame(`42${JSON.stringify(['join', room])}`),
    welcome: '40',
    joined: '42["joined"',
    message: (room, id, text) => frame(`42${JSON.stringify(['message', { room, id, text }])}`),
    event: '42["message"',
  },
};

/** The bare library beside which the echo of a language is measured. */
export const BARE = { nodejs: 'ws', go: 'gorilla', python: 'websockets' }[LANGUAGE];

/** The command of a server of bench/servers, which is told its port and does not say it. */
function ofMatrix(name) {
  return commandOf(installed(MATRIX.find((server) => server.name === name)));
}

function commandOf({ command, cwd, missing }) {
  if (missing) throw new Error(missing);
  const inFolder = (word) => path.resolve(cwd, word);
  return command.map((word) => (existsSync(inFolder(word)) ? inFolder(word) : word));
}

/**
 * Starts a server, runs `use` with it, its port and its CPU time, and stops it. More `nodes` than one share
 * a Redis, and the machine: they are not pinned; the first is the server, `nodes` has all.
 * @param {keyof typeof SERVERS} name
 */
export async function withServer(name, use, { nodes: count = 1, ...options } = {}) {
  const redis = count > 1 ? await openRedis() : undefined;
  if (count > 1 && redis === undefined) throw new Error('no redis-server starts here');
  const shared = { REDIS_URL: redis?.url ?? '', REDIS_PREFIX: randomBytes(8).toString('hex') };
  const core = count > 1 ? null : SERVER_CORE;
  const nodes = [];
  try {
    while (nodes.length < count) nodes.push(await startNode(name, core, shared, options));
    return await use({ ...SERVERS[name], name, ...nodes[0], nodes });
  } finally {
    for (const { pid } of nodes) killTree(pid);
    await Promise.all(nodes.map(({ ended }) => ended));
    await redis?.[Symbol.asyncDispose]();
  }
}

async function isUp(port, ended) {
  let isOver = false;
  void ended.finally(() => (isOver = true)).catch(() => {});
  while (!isOver && !(await accepts(port))) await sleep(20);
}

async function startNode(name, core, settings, { compression = false, args = [] }) {
  const { command, isTold = false, isNode = false } = SERVERS[name];
  const told = isTold ? await freePort() : undefined;
  const [program, ...words] = command();
  const rest = words.map((word) => (word === '{port}' ? String(told) : word));
  const flags = isNode ? args : [];
  const { child, pid, output, ended } = start(core, [program, ...flags, ...rest], {
    env: {
      ...process.env,
      ...LIMITS,
      ...settings,
      AUTH_SECRET: SECRET,
      PORT: '0',
      HOST: '127.0.0.1',
      COMPRESSION: compression ? 'permessage-deflate' : 'none',
    },
  });
  try {
    const port = await new Promise((resolve, reject) => {
      if (told !== undefined) void isUp(told, ended).then(() => resolve(told));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('"port"')) resolve(JSON.parse(line).port);
      });
      ended.then(() => reject(new Error(`${name} did not start: ${output.stderr}`)), reject);
    });
    const pids = tree(pid);
    return { port, pid, pids, ended, cpuSeconds: () => cpuNs(pids) / 1e9 };
  } catch (error) {
    killTree(pid);
    throw error;
  }
}
