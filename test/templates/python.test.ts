import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'graphql-ws';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { offeredFeatures, resolveAnswers } from '../../src/generate/answers.ts';
import type { Feature } from '../../src/generate/answers.ts';
import { generate as generateFiles } from '../../src/generate/generate.ts';
import { LANGUAGES } from '../../src/generate/languages/index.ts';
import { SERVER_TYPES } from '../../src/generate/languages/language.ts';
import { autobahnTest } from '../../src/operations/autobahn-test/autobahn-test.ts';
import { AutobahnTestInput } from '../../src/operations/autobahn-test/schema.ts';
import { benchmark } from '../../src/operations/benchmark/benchmark.ts';
import { BenchmarkInput } from '../../src/operations/benchmark/schema.ts';
import { TestInput } from '../../src/operations/test/schema.ts';
import { testEndpoint } from '../../src/operations/test/test.ts';
import { prepare, readProject } from '../../src/target/project/index.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { generate } from '../support/generate.ts';
import { operationContext } from '../support/operation-context.ts';
import {
  downloadWheels,
  INSTALL_TIMEOUT_MS,
  installPackages,
  pythonRequirement,
} from '../support/python.ts';
import type { Check } from './check.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { ECHO_CHECKS } from './echo-checks.ts';
import { generateForTest, start } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { HANDSHAKE_CHECKS } from './handshake-checks.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { expectCaught } from './mutant.ts';
import type { Mutant } from './mutant.ts';

const run = promisify(execFile);

const CHECKS: Readonly<Record<string, Check>> = {
  ...HANDSHAKE_CHECKS,
  ...CONNECTION_CHECKS,
  ...ECHO_CHECKS,
  ...HOSTILE_CHECKS,
};

const PACKAGE = 'src/ws_server';

/** Guards, and the check that has to notice when one is missing. */
const MUTANTS: readonly Mutant[] = [
  {
    without: 'the Origin check',
    file: `${PACKAGE}/handshake.py`,
    find: 'if hint is not None:\n        raise Refusal(403',
    replace: 'if False:\n        raise Refusal(403',
    check: 'turns pages of other origins down with 403',
  },
  {
    without: 'the check of its own name',
    file: `${PACKAGE}/handshake.py`,
    find: 'elif not is_own_host(host, allowed_hosts):',
    replace: 'elif False:',
    check: 'takes a name for its own only if it was told so',
  },
  {
    without: 'the limit of an address',
    file: `${PACKAGE}/opening.py`,
    find: 'if peer.share.open >= config.max_connections_per_ip:',
    replace: 'if False:',
    check: 'limits connections in total and per address',
  },
  {
    without: 'the limit of TCP connections',
    file: `${PACKAGE}/peer.py`,
    find: 'self.share.tcp > most:',
    replace: 'False:',
    check: 'counts TCP connections of an address and names the setting that is in the way',
  },
  {
    without: 'places that are free again',
    file: `${PACKAGE}/peer.py`,
    find: 'self._tcp_share.tcp -= 1',
    replace: 'pass',
    check: 'counts TCP connections no longer that have ended',
  },
  {
    without: 'heads in linear time',
    file: `${PACKAGE}/handshake.py`,
    find: ':([\\t -~\\x80-\\xff]*)")',
    replace: ':[\\t ]*([\\t -~\\x80-\\xff]*?)[\\t ]*")',
    check: 'answers heads at once that are made to be slow to read, or to read as numbers',
  },
  {
    without: 'the heartbeat',
    file: `${PACKAGE}/heartbeat.py`,
    find: 'if self._missed >= max(8 if',
    replace: 'if self._missed >= 1000 * max(8 if',
    check: 'cuts off a peer that answers no pings and keeps one that does',
  },
  {
    without: 'patience with slow readers',
    file: `${PACKAGE}/heartbeat.py`,
    find: 'self._patience = seconds * 1000 /',
    replace: 'self._patience = 0 * seconds /',
    check: 'keeps a peer that takes many pings to read what was sent before them',
  },
  {
    without: 'the budget of memory',
    file: `${PACKAGE}/peer.py`,
    find: 'max(self._server.shares.room(self.share), FREE_BYTES - self._held) + own',
    replace: '1e9',
    check: 'bounds what the unfinished messages of an address hold',
  },
  {
    without: 'the budget of what is not inflated',
    file: `${PACKAGE}/peer.py`,
    find: 'if more > 0 and self._room() < 0:',
    replace: 'if False:',
    check: 'counts the memory that small fragments take',
  },
  {
    without: 'memory for newcomers',
    file: `${PACKAGE}/admission.py`,
    find: 'return left / 2 - share.held',
    replace: 'return left - share.held',
    check: 'keeps memory for newcomers, however many addresses hold some',
  },
  {
    without: 'the memory of fragments',
    file: `${PACKAGE}/peer.py`,
    find: 'receiver.fragments * BYTES_PER_PART',
    replace: '0',
    check: 'counts the memory that small fragments take',
  },
  {
    without: 'the clock of unfinished messages',
    file: `${PACKAGE}/peer.py`,
    find: 'elif now - at > self._config.message_timeout / 1000:',
    replace: 'elif False:',
    check: 'closes with 1008 over a message that rests, but not over one that grows slowly',
  },
  {
    without: 'rates',
    file: `${PACKAGE}/peer.py`,
    find: 'if debt > 0:\n            self.throttle(debt, name)',
    replace: 'if False:\n            self.throttle(debt, name)',
    check: 'reads no further from who is above the rate, and answers the others',
  },
  {
    without: 'waiting for who does not read',
    file: `${PACKAGE}/peer.py`,
    find: 'self._is_full = True',
    replace: 'pass',
    check: 'stops reading from a client that does not read',
  },
  {
    without: 'the rate after its close frame',
    file: `${PACKAGE}/peer.py`,
    find: 'if pause >= 0.001:',
    replace: 'if False:',
    check: 'reads a flood slowly after its close frame',
  },
  {
    without: 'the rate of log lines',
    file: `${PACKAGE}/admission.py`,
    find: 'if self.lines.tokens() < 1:',
    replace: 'if False:',
    check: 'logs some lines of each address and counts the others',
  },
  {
    without: 'limits that fit each other',
    file: `${PACKAGE}/config.py`,
    find: 'if value > limit // divisor:',
    replace: 'if value > limit * divisor:',
    check: 'does not start with limits that contradict each other, and names both',
  },
  {
    without: 'the end on a second signal',
    file: `${PACKAGE}/server.py`,
    find: 'raise SystemExit(1)',
    replace: 'return',
    check: 'exits at once on a second signal',
  },
  {
    without: 'its goodbye',
    file: `${PACKAGE}/server.py`,
    find: 'for client in list(self.clients):',
    replace: 'for client in list(self.clients)[:0]:',
    check: 'closes everybody with 1001 on SIGTERM and exits with 0',
  },
];

/** The same of chat servers, with the row of the contract. */
const CHAT_MUTANTS: readonly Mutant[] = [
  {
    without: 'the limit of what waits for a client',
    file: `${PACKAGE}/client.py`,
    find: 'if waiting + size > self._max_buffered or is_too_much:',
    replace: 'if False:',
    row: 'common.limits.slow-consumer',
  },
  {
    without: 'the limit of errors',
    file: `${PACKAGE}/user_session.py`,
    find: 'is_few = self._errors.take()',
    replace: 'is_few = True',
    row: 'common.close.invalid-messages',
  },
  {
    without: 'the refusal of binary messages',
    file: `${PACKAGE}/session.py`,
    find: 'client.close(UNSUPPORTED_DATA)',
    replace: 'pass',
    row: 'common.close.binary',
  },
  {
    without: 'the limit of commands',
    file: `${PACKAGE}/peer.py`,
    find: 'min(self._config.max_payload, MAX_COMMAND_BYTES)',
    replace: 'self._config.max_payload * MAX_COMMAND_BYTES',
    row: 'common.close.too-big',
  },
  {
    without: 'the refusal of unknown keys',
    file: `${PACKAGE}/messages.py`,
    find: 'if len(fields) < len(value):',
    replace: 'if False:',
    row: 'common.errors.unknown-key',
  },
  {
    without: 'the end of a name',
    file: `${PACKAGE}/messages.py`,
    find: '_NAME.fullmatch(value)',
    replace: '_NAME.match(value)',
    row: 'chat.join.bad-space',
  },
  {
    without: 'the check of who is in a room',
    file: `${PACKAGE}/rooms.py`,
    find: 'return member.rooms.get(name) if member is not None else None',
    replace: 'return self._rooms.get(name)',
    row: 'chat.message.not-in',
  },
  {
    without: 'the limit of a room',
    file: `${PACKAGE}/rooms.py`,
    find: 'elif room.size >= config.max_room_members:',
    replace: 'elif False:',
    row: 'chat.limits.room-full',
  },
  {
    without: 'the limit of rooms of a client',
    file: `${PACKAGE}/rooms.py`,
    find: 'if len(member.rooms) >= config.max_rooms_per_client:',
    replace: 'if False:',
    row: 'common.limits.too-many',
  },
  {
    without: 'the grace time',
    file: `${PACKAGE}/store.py`,
    find: 'if is_lost and',
    replace: 'if False and',
    row: 'chat.presence.grace',
  },
  {
    without: 'the count of connections of a member',
    file: `${PACKAGE}/store.py`,
    find: 'present.connections += 1',
    replace: 'pass',
    row: 'chat.presence.one-of-two',
  },
  {
    without: 'the limit of a history',
    file: `${PACKAGE}/store.py`,
    find: 'len(self._entries) > config.history_messages or self._entry_size > config.history_bytes',
    replace: 'False',
    row: 'common.history.bounded',
  },
  {
    without: 'the check of the epoch',
    file: `${PACKAGE}/store.py`,
    find: 'since.epoch != self.epoch or ',
    replace: '',
    row: 'common.resume.restart',
  },
  {
    without: 'knowing ids again',
    file: `${PACKAGE}/store.py`,
    find: 'if first is not None:',
    replace: 'if False:',
    row: 'common.idempotent.duplicate',
  },
  {
    without: 'the users of ids',
    file: `${PACKAGE}/store.py`,
    find: 'first = found.known(user, command_id)',
    replace: 'user, first = "", found.known("", command_id)',
    row: 'common.idempotent.other-user',
  },
  {
    without: 'the end of RESUME_WINDOW',
    file: `${PACKAGE}/store.py`,
    find: 'if at >= oldest:',
    replace: 'if True:',
    row: 'common.idempotent.window',
  },
  {
    without: 'the rate of a user',
    file: `${PACKAGE}/session.py`,
    find: 'and not self._user_share.commands.take()',
    replace: 'and False',
    row: 'common.user-rate.refused',
  },
  {
    without: 'the limit of connections of a user',
    file: `${PACKAGE}/users.py`,
    find: 'return share is not None and share.connections >= most',
    replace: 'return False',
    row: 'common.user-connections.refused',
  },
  {
    without: 'places of a user that are free again',
    file: `${PACKAGE}/users.py`,
    find: 'share.connections -= 1',
    replace: 'pass',
    row: 'common.user-connections.back',
  },
  {
    without: 'METRICS_TOKEN',
    file: `${PACKAGE}/metrics.py`,
    find: 'if not hmac.compare_digest(',
    replace: 'if hmac.compare_digest(b"", ',
    row: 'common.http.metrics-token',
  },
  {
    without: 'the time to come back',
    file: `${PACKAGE}/session.py`,
    find: 'self.client.send({"type": "draining", "retryAfterMs": retry_after})',
    replace: 'pass',
    row: 'common.drain.message',
  },
];

/** The types of servers in Python that take commands, with the features that they can have. */
const TYPES = SERVER_TYPES.flatMap((type) => {
  const features = offeredFeatures(LANGUAGES.python, type);
  return features.length === 0 ? [] : [{ type, features }];
});

function isPlain(feature: Feature): boolean {
  // The others need packages.
  return feature !== 'auth' && feature !== 'redis';
}

const [PLAIN_FEATURES = []] = TYPES.map(({ features }) => features.filter(isPlain));

/** The least server, and those in which every two features meet in every way. */
const CHAT_SETS: readonly (readonly Feature[])[] = [
  [],
  ['rooms', 'history', 'rate-limit'],
  ['rooms', 'presence', 'metrics'],
  ['rooms', 'presence', 'rate-limit'],
  ['rate-limit', 'metrics'],
  ['rooms', 'history', 'resume'],
  ['rooms', 'presence', 'history', 'resume', 'rate-limit', 'metrics'],
];

/** Those of others that servers in Python speak. */
const SPOKEN = [...(LANGUAGES.python.servers.rpc?.speaks ?? [])];

const SETS = TYPES.flatMap(({ type, features }) => {
  const [none, all] = [[], features.filter(isPlain)];
  const sets = type === 'chat' ? CHAT_SETS : type === 'rpc' ? [all] : [none, all];
  const subprotocols = type === 'rpc' ? SPOKEN : [];
  return sets.map((set) => ({ type, features: [...set], subprotocols }));
});

function subsetsOf(features: readonly Feature[]): Feature[][] {
  return features.reduce<Feature[][]>(
    (all, next) => [...all, ...all.map((set) => [...set, next])],
    [[]],
  );
}

function write(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const describePython = pythonRequirement('servers in Python');

describePython('Python echo servers', () => {
  let server: GeneratedServer;
  beforeAll(async () => {
    server = await generateForTest({ language: 'python' });
  });
  afterAll(() => server.dispose());

  it.each(MUTANTS)('are caught without $without', { timeout: 60_000 }, async (mutant) => {
    await expectCaught(server, mutant, { checks: CHECKS, kind: 'echo', soonMs: 4000 });
  });
});

describePython('Python servers that take commands', () => {
  let server: GeneratedServer;
  let packages: string;
  beforeAll(async () => {
    packages = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    await installPackages(packages, ['ruamel-yaml', 'graphql-core']);
    server = await generateForTest({
      language: 'python',
      type: 'chat',
      features: [...PLAIN_FEATURES],
    });
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => {
    server.dispose();
    rmSync(packages, { recursive: true, force: true });
  });

  it.each(SETS)('keep the contract of $type with $features', { timeout: 240_000 }, async (set) => {
    const { project, dispose } = await generateForTest({ language: 'python', ...set });
    try {
      const settings = { PYTHONPATH: `${path.join(project, 'src')}:${packages}` };
      const results = await runContractRows(project, undefined, 5000, { settings });
      const failed = results.filter(({ verdict }) => verdict === 'fail');
      expect(failed.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
      expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
    } finally {
      dispose();
    }
  });

  it('serve the clients of GraphQL, of today and of before 2021', async () => {
    const { project, dispose } = await generateForTest({
      language: 'python',
      type: 'rpc',
      subprotocols: ['graphql-ws-legacy'],
    });
    try {
      const PYTHONPATH = `${path.join(project, 'src')}:${packages}`;
      const { port } = await start(project, { PYTHONPATH });
      const url = `ws://127.0.0.1:${port}`;
      const query = 'subscription { countdown(from: 2, everyMs: 1) }';
      const client = createClient({ url, webSocketImpl: WebSocket });
      const events: unknown[] = [];
      for await (const event of client.iterate({ query })) events.push(event);
      const old = new SubscriptionClient(url, {}, WebSocket);
      const oldEvents = await new Promise((resolve, reject) => {
        const seen: unknown[] = [];
        old.request({ query }).subscribe({
          next: (event) => seen.push(event),
          complete: () => {
            resolve(seen);
          },
          error: reject,
        });
      });
      const expected = [2, 1, 0].map((countdown) => ({ data: { countdown } }));
      expect([events, oldEvents]).toEqual([expected, expected]);
      old.close();
      await client.dispose();
    } finally {
      dispose();
    }
  });

  it.each(CHAT_MUTANTS)('are caught without $without', { timeout: 60_000 }, async (mutant) => {
    await expectCaught(server, mutant, { checks: CHECKS, kind: 'chat', soonMs: 4000 });
  });
});

describePython('a Python project', () => {
  let cwd: string;
  const project = 'echo-server';
  const inProject = (...command: string[]): Promise<{ stdout: string }> => {
    const [program = '', ...args] = command;
    return run(path.join(cwd, project, '.venv/bin', program), args, {
      cwd: path.join(cwd, project),
    });
  };
  const env = { ...process.env };

  beforeAll(async () => {
    cwd = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    await downloadWheels(path.join(cwd, 'wheels'));
    const { output } = await generate(cwd, { language: 'python', output: project });
    const generated = await readProject(output);
    const { signal } = new AbortController();
    await prepare(generated, generated.manifest.commands.start, { signal });
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => {
    process.env = env;
    rmSync(cwd, { recursive: true, force: true });
  });

  it.each([{ type: 'echo', features: [] } as const, ...TYPES])(
    'passes every check of test of the $type server, its own tests among them',
    async ({ type, features: all }) => {
      const output = `${type}-server`;
      const features = [...all];
      const subprotocols = type === 'rpc' ? SPOKEN : [];
      const choices = { language: 'python', type, features, subprotocols, output } as const;
      if (type !== 'echo') await generate(cwd, choices);
      const input = TestInput.parse({ project: output, ownTests: true });
      const report = await testEndpoint(input, operationContext({ cwd }));
      const failed = report.checks.filter(({ verdict }) => verdict === 'fail');
      expect(failed).toEqual([]);
      const own = report.checks.find(({ id }) => id === 'own-tests');
      expect(own).toMatchObject({ verdict: 'pass' });
    },
    INSTALL_TIMEOUT_MS,
  );

  it('is clean for ruff and mypy, and so is the single file', async () => {
    await inProject('pip', 'install', '--quiet', 'mypy', 'ruff');
    await generate(cwd, { language: 'python', output: `${project}/echo_file.py` });
    await inProject('ruff', 'format', '--check', 'src', 'tests');
    await inProject('ruff', 'check', 'src', 'tests');
    await inProject('ruff', 'check', '--isolated', '--select=E4,E7,E9,F', 'echo_file.py');
    expect((await inProject('mypy')).stdout).toContain('no issues');
    const single = ['--config-file=', '--strict', 'echo_file.py'];
    expect((await inProject('mypy', ...single)).stdout).toContain('no issues');
  }, 120_000);

  it.each(TYPES)(
    'is clean in every set of features of $type, too',
    async ({ type, features: all }) => {
      await inProject(
        'pip',
        'install',
        '--quiet',
        'mypy',
        'ruff',
        'PyJWT[crypto]',
        'redis',
        'ruamel.yaml',
        'graphql-core',
      );
      const folder = path.join(cwd, 'sets', type);
      const protocols = (LANGUAGES.python.servers[type]?.speaks ?? []).map((name) => [name]);
      const sets = [
        ...subsetsOf(all).map((features) => [features, []] as const),
        ...[[], all].flatMap((features) =>
          [...(type === 'rpc' ? protocols : []), protocols.flat()].map(
            (set) => [features, set] as const,
          ),
        ),
      ].map(([features, subprotocols]) => {
        const choices = { language: 'python', type, features, subprotocols } as const;
        return resolveAnswers(choices, { form: 'project', baseName: type });
      });
      const distinct = new Map(
        sets.map((answers) => [[answers.features, answers.subprotocols].join(), answers]),
      );
      expect(distinct.size).toBeGreaterThan(6);
      for (const [index, answers] of [...distinct.values()].entries()) {
        for (const [name, text] of generateFiles(answers).files) {
          if (!/\.(?:py|toml)$/.test(name)) continue;
          write(path.join(folder, 'linted', String(index), name), text);
          // Packages of other names, so that one process takes them all.
          const [, top = '', rest = ''] = /^(?:src\/)?(\w+)\/(.*)$/.exec(name) ?? [];
          const renamed = text.replaceAll(/\bws_server\b/g, `ws_server_${index}`);
          if (rest !== '') write(path.join(folder, 'typed', `${top}_${index}`, rest), renamed);
        }
      }
      await inProject('ruff', 'format', '--check', path.join(folder, 'linted'));
      await inProject('ruff', 'check', path.join(folder, 'linted'));
      const strict = ['--config-file=', '--strict', path.join(folder, 'typed')];
      expect((await inProject('mypy', ...strict)).stdout).toContain('no issues');
    },
    240_000,
  );

  it('passes all cases of Autobahn, strictly', async () => {
    const input = AutobahnTestInput.parse({ project, quick: true, output: 'report' });
    const report = await autobahnTest(input, operationContext({ cwd }));
    const none = { fail: 0, 'non-strict': 0, unimplemented: 0 };
    expect(report.verdicts).toEqual({ pass: 514, informational: 3, ...none });
  }, 240_000);

  it.each(['echo', 'chat'] as const)(
    'carries a load as %s server',
    async (type) => {
      const output = `${type}-server`;
      if (type === 'chat') {
        const features = [...offeredFeatures(LANGUAGES.python, type)];
        await generate(cwd, { language: 'python', type, features, output });
      }
      const plan = { project: output, connections: 10, durationMs: 2000, warmupMs: 0 };
      const report = await benchmark(BenchmarkInput.parse(plan), operationContext({ cwd }));
      expect(report).toMatchObject({ success: true });
    },
    INSTALL_TIMEOUT_MS,
  );
});
