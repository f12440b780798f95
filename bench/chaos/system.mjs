// What is brought down: two nodes of a generated project, their Redis, nginx in front, and the connections
// between them. Everything listens on the loopback and ends with this process.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { folder, killTree, start } from '../load/machine.mjs';
import { which } from '../programs.mjs';
import { LIMITS } from '../realtime/servers.mjs';
import { SECRET } from '../realtime/clients.mjs';
import { freePort } from '../../dist/src/target/project/redis.js';

/** Messages that the servers keep of a room, their default. */
export const HISTORY_MESSAGES = 100;
const PREFIX = 'chaos';
/** Errors that a node logs when it is meant to. */
const EXPECTED = ['redis-unavailable'];
/** Milliseconds for a program to be there, and for a node to drain. */
const START_LIMIT = 30_000;

/** Passes bytes on to a port, for as long as it is told to. */
export class Link {
  #pairs = new Set();
  #frozen = false;
  #server;

  static async to(port) {
    const link = new Link();
    link.#server = createServer((near) => link.#pass(near, connect(port, '127.0.0.1')));
    await new Promise((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    link.port = link.#server.address().port;
    return link;
  }

  #pass(near, far) {
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [socket, other] of [pair, [far, near]]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (!this.#frozen) flow(pair);
  }

  /** Ends a share of the connections, those that `random` chooses. */
  cut(share = 1, random = () => 0) {
    for (const pair of this.#pairs) if (random() < share) for (const end of pair) end.destroy();
  }

  /** Until `thaw`, nothing passes, and nobody is told. */
  freeze() {
    this.#frozen = true;
    for (const [near, far] of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
      near.pause();
      far.pause();
    }
  }

  thaw() {
    this.#frozen = false;
    for (const pair of this.#pairs) flow(pair);
  }

  close() {
    this.#server.close();
    this.cut();
  }
}

function flow([near, far]) {
  near.pipe(far);
  far.pipe(near);
}

/** A program that is started again and again. What it must not do goes to `onTrouble`. */
class Program {
  #run;

  constructor(name, onTrouble) {
    this.name = name;
    this.onTrouble = onTrouble;
  }

  /** Starts it; `hasStarted` settles when it can be used. */
  async begin(command, options, hasStarted) {
    const run = { ...start(null, command, options), isEnding: false };
    this.#run = run;
    const ended = run.ended.then(({ code }) => {
      const said = run.output.stderr.trim().split('\n').slice(-3).join(' | ');
      if (!run.isEnding) this.onTrouble(`${this.name} ended by itself (exit ${code}): ${said}`);
      return code;
    });
    run.code = ended;
    const limit = new AbortController();
    const late = sleep(START_LIMIT, undefined, { signal: limit.signal, ref: false }).then(
      () => Promise.reject(new Error(`${this.name} did not start`)),
      () => {},
    );
    const dead = ended.then(() => Promise.reject(new Error(`${this.name} ended at its start`)));
    dead.catch(() => {});
    await Promise.race([hasStarted(run), dead, late]);
    limit.abort();
  }

  get output() {
    return this.#run?.output ?? { stdout: '', stderr: '' };
  }

  signal(name) {
    process.kill(this.#run.pid, name);
  }

  /** Ends it; its exit code, null after a signal that it cannot handle. */
  async end(signal = 'SIGKILL') {
    if (this.#run === undefined) return null;
    this.#run.isEnding = true;
    killTree(this.#run.pid, signal);
    if (signal !== 'SIGKILL') {
      const limit = setTimeout(() => {
        this.onTrouble(`${this.name} did not end after ${signal}`);
        killTree(this.#run.pid, 'SIGKILL');
      }, START_LIMIT);
      const code = await this.#run.code;
      clearTimeout(limit);
      return code;
    }
    return await this.#run.code;
  }
}

export class RedisServer extends Program {
  #folder = folder('redis');
  #port;

  async start() {
    this.#port ??= await freePort();
    this.port = this.#port;
    const flags = [
      ...['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
    ];
    await this.begin([which('redis-server'), ...flags], {}, async (run) => {
      while (!run.output.stdout.includes('Ready to accept connections')) await sleep(10);
    });
  }

  forget() {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
  }

  /** The epoch of each room. */
  async epochs() {
    const socket = { reconnectStrategy: false };
    const client = createClient({ url: `redis://127.0.0.1:${this.#port}`, RESP: 3, socket });
    client.on('error', () => {});
    await client.connect();
    const epochs = {};
    for (const key of await client.keys(`${PREFIX}:{*}:meta`)) {
      epochs[/\{(.*)\}/.exec(key)[1]] = await client.hGet(key, 'epoch');
    }
    client.destroy();
    return epochs;
  }
}

export class Node extends Program {
  #project;
  /** Between it and Redis. */
  link;
  /** What it has logged, over all its lives. */
  lines = [];

  constructor(name, { project, link, onTrouble }) {
    super(name, onTrouble);
    this.#project = project;
    this.link = link;
  }

  async start() {
    this.port ??= await freePort();
    const env = {
      ...process.env,
      ...LIMITS,
      AUTH_SECRET: SECRET,
      PORT: String(this.port),
      HOST: '127.0.0.1',
      TRUST_PROXY: '1',
      REDIS_URL: `redis://127.0.0.1:${this.link.port}`,
      REDIS_PREFIX: PREFIX,
      HISTORY_MESSAGES: String(HISTORY_MESSAGES),
    };
    const command = [process.execPath, path.join(this.#project, 'dist/src/main.js')];
    await this.begin(command, { env }, (run) => {
      run.child.stderr.on('data', (bytes) => {
        this.onTrouble(`${this.name} says: ${String(bytes).trim().slice(0, 500)}`);
      });
      return new Promise((resolve) => {
        createInterface({ input: run.child.stdout }).on('line', (line) => {
          this.lines.push(line);
          if (line.includes('"event":"listening"')) resolve();
          if (!line.includes('"level":"error"')) return;
          if (EXPECTED.some((event) => line.includes(`"event":"${event}"`))) return;
          this.onTrouble(`${this.name} logs: ${line.slice(0, 500)}`);
        });
      });
    });
  }
}

export class Nginx extends Program {
  #file;
  #folder = folder('nginx');

  /** With the configuration that the project brings along. */
  constructor(project, nodes, port, onTrouble) {
    super('nginx', onTrouble);
    this.port = port;
    const text = readFileSync(path.join(project, 'deploy/nginx.conf'), 'utf8');
    const lines = nodes.map((node) => `server 127.0.0.1:${node.port}$1`);
    const adapted = text
      .replace('listen 8080;', `listen 127.0.0.1:${port};`)
      .replace(/server server:8080( .*;)/, lines.join('\n        '));
    if (adapted.includes('8080;')) throw new Error('deploy/nginx.conf has another form');
    this.#file = path.join(this.#folder, 'nginx.conf');
    writeFileSync(this.#file, adapted);
  }

  async start() {
    const flags = ['-c', this.#file, '-p', this.#folder, '-e', 'stderr'];
    const global = `daemon off; pid ${this.#folder}/nginx.pid;`;
    await this.begin([which('nginx'), ...flags, '-g', global], {}, async () => {
      while (!(await isOpen(this.port))) await sleep(10);
    });
  }
}

function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
