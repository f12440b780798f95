import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parser } from '@prometheus-io/lezer-promql';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { PersistentVolumeClaim, Service } from 'kubernetes-models/v1';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { freePort } from '../../src/target/project/redis.ts';
import { installDebian, program, requirement } from '../support/requirement.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

const FEATURES = ['resume', 'presence', 'rate-limit', 'metrics', 'redis'] as const;

let project: GeneratedServer;
beforeAll(async () => {
  project = await generateForTest({ type: 'chat', features: [...FEATURES], name: 'a.chat_9' });
}, 60_000);
afterAll(() => project.dispose());

function deployFile(name: string): string {
  return readFileSync(path.join(project.folder, 'deploy', name), 'utf8');
}

const ENV = { TRUST_PROXY: '1', DRAIN_DELAY: '0' };

/** A proxy that is asked to name its nodes otherwise, and how it is started. */
interface Proxy {
  readonly name: string;
  readonly flag: string;
  readonly file: string;
  /** The line of one node, as the file has it. */
  readonly node: RegExp;
  readonly line: (index: number, address: string) => string;
  readonly listen: readonly [string, string];
  readonly args: (file: string, folder: string) => readonly string[];
}

const PROXIES: readonly Proxy[] = [
  {
    name: 'nginx',
    flag: '-v',
    file: 'nginx.conf',
    node: /server server:8080( .*;)/,
    line: (_, address) => `server ${address}$1`,
    listen: ['listen ', ';'],
    args: (file, folder) => [
      ...['-c', file, '-p', folder, '-e', 'stderr'],
      ...['-g', `daemon off; pid ${folder}/nginx.pid;`],
    ],
  },
  {
    name: 'haproxy',
    flag: '-v',
    file: 'haproxy.cfg',
    node: /server node-1 server:8080()/,
    line: (index, address) => `server node-${String(index)} ${address}`,
    listen: ['bind ', '\n'],
    args: (file) => ['-db', '-f', file],
  },
];

/** Starts `proxy` with its generated file in front of `nodes`, on a free port. */
async function startProxy(proxy: Proxy, nodes: readonly Pick<ServerProcess, 'port'>[]) {
  const folder = temporaryFolder();
  const file = path.join(folder, proxy.file);
  const port = await freePort();
  const lines = nodes.map((node, index) => proxy.line(index + 1, `127.0.0.1:${node.port}`));
  const [before, after] = proxy.listen;
  const text = deployFile(proxy.file);
  const changed = text
    .replace(new RegExp(`${before}:?8080${after}`), `${before}127.0.0.1:${port}${after}`)
    .replace(proxy.node, lines.join('\n    '));
  expect(changed.split('8080')).toHaveLength(text.split('8080').length - 2);
  writeFileSync(file, changed);
  const child = spawn(proxy.name, proxy.args(file, folder), { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdout.resume();
  const isUp = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.status === 200;
  while (!(await isUp())) {
    if (child.exitCode !== null) throw new Error(`${proxy.name} ended: ${said}`);
    await delay(20);
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

for (const proxy of PROXIES) {
  const suite = requirement(proxy.name, program(proxy.name, [proxy.flag]), () =>
    installDebian(proxy.name),
  );
  suite(`behind ${proxy.name}`, () => {
    it('clients talk to each other, from the addresses that the proxy sees', async () => {
      await using node = await project.boot({ ...ENV, MAX_CONNECTIONS_PER_IP: '2' });
      await using front = await startProxy(proxy, [node]);
      const spoofed = { headers: { 'X-Forwarded-For': '192.0.2.7' } };
      const [ada, bob] = [await openClient(front.port, spoofed), await openClient(front.port)];
      for (const client of [ada, bob]) await client.request({ type: 'join', room: 'lobby' });
      await ada.request({ type: 'message', room: 'lobby', text: 'hello' });
      expect(await bob.match({ type: 'message' })).toMatchObject({ text: 'hello' });
      await expect(openClient(front.port, spoofed)).rejects.toThrow('429');
      const metrics = await fetch(`http://127.0.0.1:${front.port}/metrics`);
      expect(metrics.status).toBe(404);
      expect((await fetch(`http://127.0.0.1:${node.port}/metrics`)).status).toBe(200);
    });

    it('a command that a node may have carried out is not given to the other one', async () => {
      using one = await startFailing();
      using two = await startFailing();
      await using front = await startProxy(proxy, [one, two]);
      for (const method of ['POST', 'PATCH']) {
        // HAProxy gives no answer where it had used the connection to the node before.
        const answer = fetch(`http://127.0.0.1:${front.port}/publish`, { method });
        expect((await answer.catch(() => undefined))?.status ?? 502).toBe(502);
      }
      expect([...one.commands, ...two.commands].sort()).toEqual(['PATCH', 'POST']);
    });

    it('nodes that come back get all their clients at once', async () => {
      const ports = [await freePort(), await freePort()].map(String);
      const boot = () => Promise.all(ports.map((PORT) => project.boot({ ...ENV, PORT })));
      const before = await boot();
      await using front = await startProxy(proxy, before);
      for (const node of before) node.kill('SIGKILL');
      await Promise.all(before.map(({ exited }) => exited));
      await expect(openClient(front.port)).rejects.toThrow();
      const after = await boot();
      const first = (): Promise<TestClient> =>
        openClient(front.port).catch(() => delay(20).then(first));
      await first();
      // HAProxy may have seen one of the nodes before the other.
      await Promise.all(Array.from({ length: 8 }, () => openClient(front.port)));
      const counts = await Promise.all(after.map(connectionsOf));
      expect(counts.reduce((sum: number, count) => sum + Number(count), 0)).toBe(9);
    });

    it('a node drains: its clients are told, and find the other one at once', async () => {
      await using one = await project.boot(ENV);
      await using two = await project.boot(ENV);
      await using front = await startProxy(proxy, [one, two]);
      const clients = await Promise.all(Array.from({ length: 8 }, () => openClient(front.port)));
      expect([await connectionsOf(one), await connectionsOf(two)]).toEqual([4, 4]);
      const gone: TestClient[] = [];
      const halfIsGone = new Promise<void>((resolve) => {
        for (const client of clients) {
          client.socket.once('close', () => {
            if (gone.push(client) === 4) resolve();
          });
        }
      });
      one.kill('SIGTERM');
      expect(await one.exited).toBe(0);
      await halfIsGone;
      for (const client of gone) {
        expect(await client.match({ type: 'draining' })).toHaveProperty('retryAfterMs');
        expect(await client.closed).toBe(1001);
        await openClient(front.port);
      }
      expect(await connectionsOf(two)).toBe(8);
    });
  });
}

/** The objects of a file of Kubernetes. @throws Error where one is not valid */
function objectsIn(text: string) {
  const kinds = { Deployment, Service, Ingress, PodDisruptionBudget, HorizontalPodAutoscaler };
  const objects = parseAllDocuments(text).map(
    (document) => document.toJS() as { kind: keyof typeof kinds; metadata: { name: string } },
  );
  for (const object of objects) new kinds[object.kind](object).validate();
  return objects;
}

/** A node that is ready, and goes down over each command. */
async function startFailing() {
  const commands: string[] = [];
  const server = createServer(({ method = '', socket }, response) => {
    if (method === 'GET') {
      response.end();
      return;
    }
    commands.push(method);
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, commands, [Symbol.dispose]: () => server.close().closeAllConnections() };
}

async function connectionsOf({ port }: ServerProcess): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return ((await answer.json()) as { connections: unknown }).connections;
}

/** What servers in other languages share with those in Node.js, and where they name settings and figures. */
const OTHERS = [
  {
    language: 'go',
    sources: ['internal/config', 'internal/realtime', 'internal/redislink'],
    program: '/opt/a.chat_9/bin/server',
  },
  { language: 'python', sources: ['src/ws_server'], program: '/opt/a.chat_9/.venv/bin/ws-server' },
] as const;

describe.each(OTHERS)('the files of deploy/ in $language', ({ language, sources, program }) => {
  let other: GeneratedServer;
  beforeAll(async () => {
    other = await generateForTest(
      { language, type: 'chat', features: [...FEATURES, 'auth'], name: 'a.chat_9' },
      { isBuilt: false },
    );
  });
  afterAll(() => other.dispose());

  it('are valid, and name settings and figures that the server has', () => {
    const fileOf = (name: string): string =>
      readFileSync(path.join(other.folder, 'deploy', name), 'utf8');
    const source = other.files
      .filter((name) => sources.some((folder) => name.startsWith(folder)))
      .map((name) => readFileSync(path.join(other.folder, name), 'utf8'))
      .join('\n');
    const objects = objectsIn(fileOf('kubernetes.yaml'));
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(Array(5).fill('a-chat-9'));
    const { services } = parse(fileOf('compose.yaml')) as {
      services: { server: { environment: object } };
    };
    const env = /\{ name: ([A-Z_]+), value/g;
    const named = [
      ...Object.keys(services.server.environment),
      ...[...fileOf('kubernetes.yaml').matchAll(env)].map(([, name = '']) => name),
    ];
    expect(named).toContain('AUTH_SECRET');
    const [deployment] = parseAllDocuments(fileOf('kubernetes.yaml'));
    const given = deployment?.getIn(['spec', 'template', 'spec', 'containers', 0, 'env']);
    // Not optional: replicas that do not share a Redis know nothing of each other.
    expect(JSON.parse(JSON.stringify(given))).toContainEqual({
      name: 'REDIS_URL',
      valueFrom: { secretKeyRef: { name: 'a-chat-9', key: 'REDIS_URL' } },
    });
    expect(pathsOf(fileOf('kubernetes.yaml'))).toEqual(['/', '/ticket']);
    expect(named.filter((name) => !new RegExp(`"${name}"`).test(source))).toEqual([]);
    const figures = [fileOf('alerts.yaml'), fileOf('grafana-dashboard.json')]
      .flatMap((text) => [...text.matchAll(/\b(?:ws|process|nodejs)_[a-z_]+/g)])
      .map(([name]) => name.replace(/_bucket$/, ''));
    expect(figures.length).toBeGreaterThan(15);
    expect(figures.filter((name) => !source.includes(`"${name}"`))).toEqual([]);
    expect(fileOf('server.service')).toContain(`\nExecStart=${program}\n`);
    const texts = other.files.filter((name) => name.startsWith('deploy/'));
    expect(texts.filter((name) => /nodejs|npm/i.test(fileOf(path.basename(name))))).toEqual([]);
  });
});

/** Paths that the Ingress lets in. */
function pathsOf(text: string): string[] {
  const ingress = parseAllDocuments(text).find((one) => one.get('kind') === 'Ingress');
  const rules = ingress?.toJS() as { spec: { rules: { http: { paths: { path: string }[] } }[] } };
  return rules.spec.rules.flatMap(({ http }) => http.paths.map((one) => one.path));
}

/** Names of settings that `--help` of the server lists. */
function settings(): string[] {
  const said = execFileSync(process.execPath, ['dist/src/main.js', '--help'], {
    cwd: project.folder,
    encoding: 'utf8',
  });
  return said.match(/^\s*[A-Z][A-Z_]+\b/gm)?.map((name) => name.trim()) ?? [];
}

describe('the files of deploy/', () => {
  it('are valid Kubernetes objects of one name', () => {
    const objects = objectsIn(deployFile('kubernetes.yaml'));
    expect(objects.length).toBeGreaterThanOrEqual(3);
    for (const { metadata } of objects) expect(metadata.name).toBe('a-chat-9');
    expect(pathsOf(deployFile('kubernetes.yaml'))).toEqual(['/']);
  });

  it('name settings that the server has', () => {
    const known = settings();
    const compose = parse(deployFile('compose.yaml')) as {
      services: { server: { environment: object } };
    };
    const [deployment] = parseAllDocuments(deployFile('kubernetes.yaml'));
    const env = deployment?.getIn(['spec', 'template', 'spec', 'containers', 0, 'env']);
    const named = [
      ...Object.keys(compose.services.server.environment),
      ...(JSON.parse(JSON.stringify(env)) as { name: string }[]).map(({ name }) => name),
      ...[...deployFile('server.service').matchAll(/^Environment=(\w+)=/gm)].map(
        ([, name = '']) => name,
      ),
    ];
    expect(named).toContain('TRUST_PROXY');
    const told = deployFile('CAPACITY.md').matchAll(/`([A-Z]+_[A-Z_]+)`/g);
    for (const [, name = ''] of told) named.push(name);
    expect(named).toContain('MAX_CONNECTIONS');
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('do not speak of Redis where there is none', async () => {
    const alone = await generateForTest(
      { type: 'pubsub', features: ['metrics'] },
      { isBuilt: false },
    );
    try {
      for (const name of ['alerts.yaml', 'grafana-dashboard.json', 'compose.yaml']) {
        const text = readFileSync(path.join(alone.folder, 'deploy', name), 'utf8');
        expect(text).not.toMatch(/redis/i);
      }
    } finally {
      alone.dispose();
    }
  });

  it('keep the documents of a collab server in a volume where there is no Redis', async () => {
    const kinds = { Deployment, Service, Ingress, PodDisruptionBudget, PersistentVolumeClaim };
    for (const hasRedis of [false, true]) {
      const features = hasRedis ? (['redis'] as const) : [];
      const collab = await generateForTest(
        { type: 'collab', features: [...features] },
        { isBuilt: false },
      );
      try {
        const fileOf = (name: string): string =>
          readFileSync(path.join(collab.folder, name), 'utf8');
        const objects = parseAllDocuments(fileOf('deploy/kubernetes.yaml')).map(
          (document) => document.toJS() as { kind: keyof typeof kinds },
        );
        for (const object of objects) new kinds[object.kind](object as object).validate();
        const { services, volumes } = parse(fileOf('deploy/compose.yaml')) as {
          services: { server: { volumes?: string[] } };
          volumes: object;
        };
        const found = [
          objects.some(({ kind }) => kind === 'PersistentVolumeClaim'),
          JSON.stringify(objects).includes('"mountPath":"/data"'),
          services.server.volumes?.join(),
          ...Object.keys(volumes),
          /^ENV PERSISTENCE_DIR=\/data$/m.test(fileOf('Dockerfile')),
          /^Environment=PERSISTENCE_DIR=/m.test(fileOf('deploy/server.service')),
        ];
        const kept = [true, true, 'documents:/data', 'documents', true, true];
        const none = [false, false, undefined, 'redis', false, false];
        expect(found).toEqual(hasRedis ? none : kept);
      } finally {
        collab.dispose();
      }
    }
  });

  it('ask Prometheus for what /metrics has, in queries that it understands', async () => {
    await using node = await project.boot();
    const text = await (await fetch(`http://127.0.0.1:${node.port}/metrics`)).text();
    const known = new Set(['up']);
    for (const [, name = '', type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
      known.add(type === 'histogram' ? `${name}_bucket` : name);
    }
    const alerts = parse(deployFile('alerts.yaml')) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    };
    const dashboard = JSON.parse(deployFile('grafana-dashboard.json')) as {
      title: string;
      panels: { targets: { expr: string }[] }[];
    };
    expect(dashboard.title).toBe('a.chat_9');
    const queries = [
      ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ].map((expr) => expr.replaceAll('$__rate_interval', '1m'));
    expect(queries.length).toBeGreaterThan(15);
    expect(queries.filter((query) => metricsOf(query).length === 0)).toEqual([]);
    expect(queries.flatMap(metricsOf).filter((name) => !known.has(name))).toEqual([]);
  });
});

requirement('systemd', program('systemd-analyze', ['--version']), () => installDebian('systemd'))(
  'the unit',
  () => {
    it('is one that systemd accepts', () => {
      const file = path.join(temporaryFolder(), 'a-chat.service');
      // The program that it names need not be here.
      const unit = deployFile('server.service').replace('/usr/bin/node', process.execPath);
      writeFileSync(file, unit);
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
    });
  },
);

/** Names of the metrics in a query. @throws Error where it is no PromQL */
function metricsOf(query: string): string[] {
  const names: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`no PromQL at ${String(from)}: ${query}`);
      if (type.name === 'Identifier' && query.slice(to, to + 1) !== '=') {
        names.push(query.slice(from, to));
      }
    },
  });
  return names;
}
