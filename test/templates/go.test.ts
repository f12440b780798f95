import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { autobahnTest } from '../../src/operations/autobahn-test/autobahn-test.ts';
import { AutobahnTestInput } from '../../src/operations/autobahn-test/schema.ts';
import { validateHandshake } from '../../src/operations/validate-handshake/validate-handshake.ts';
import { ValidateHandshakeInput } from '../../src/operations/validate-handshake/schema.ts';
import { readProject, startProject } from '../../src/target/project/index.ts';
import { goRequirement } from '../support/go.ts';
import { operationContext } from '../support/operation-context.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { openClient } from '../support/test-client.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { ECHO_CHECKS } from './echo-checks.ts';
import { build, generateForTest, soonWithin } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import { HANDSHAKE_CHECKS, SLOW_CHECKS } from './handshake-checks.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { expectCaught } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 300_000;

/** What holds for Node alone: its loop of events, what `ws` keeps of fragments, a window that compress/flate lacks. */
const OF_NODE = [
  'gives a flood turns, between which others have theirs',
  'counts the memory that small fragments take',
  'compresses with a smaller window where that is asked for',
];

const CHECKS = Object.fromEntries(
  Object.entries({
    ...HANDSHAKE_CHECKS,
    ...SLOW_CHECKS,
    ...CONNECTION_CHECKS,
    ...ECHO_CHECKS,
    ...HOSTILE_CHECKS,
  }).filter(([name]) => !OF_NODE.includes(name)),
);

const SERVER = 'internal/server';
const CORE = 'internal/websocket';

/** Guards, and the check that has to notice when one is missing. */
const MUTANTS: readonly Mutant[] = [
  {
    without: 'the Origin check',
    file: `${SERVER}/server.go`,
    find: 'hint := faultOfOrigin(&s.settings, r)',
    replace: 'hint := ""',
    check: 'turns pages of other origins down with 403',
  },
  {
    without: 'the check of its own name',
    file: `${SERVER}/origin.go`,
    find: '!isOwnHost(settings, r.Host)',
    replace: 'false',
    check: 'takes a name for its own only if it was told so',
  },
  {
    without: 'the limit of an address',
    file: `${SERVER}/share.go`,
    find: 's.open >= r.settings.MaxConnectionsPerIP',
    replace: 'false',
    check: 'limits connections in total and per address',
  },
  {
    without: 'the limit of TCP connections',
    file: `${SERVER}/share.go`,
    find: 's.tcp <= r.settings.MaxConnectionsPerIP+sparePerIP',
    replace: 'true',
    check: 'counts TCP connections of an address and names the setting that is in the way',
  },
  {
    without: 'the heartbeat',
    file: `${CORE}/heartbeat.go`,
    find: 'h.missed >= max(least, h.allowed)',
    replace: 'h.missed >= 1000*max(least, h.allowed)',
    check: 'cuts off a peer that answers no pings and keeps one that does',
  },
  {
    without: 'patience with slow readers',
    file: `${CORE}/heartbeat.go`,
    find: 'int(patience / c.options.PingInterval)',
    replace: 'int(0 * patience)',
    check: 'keeps a peer that takes many pings to read what was sent before them',
  },
  {
    without: 'early judgement of text',
    file: `${CORE}/conn.go`,
    find: 'isText && !c.text.write(room[:n])',
    replace: 'isText && !c.text.write(room[:n]) && c.left == 0 && c.frame.fin',
    check: 'closes with 1007 as soon as text cannot become UTF-8',
  },
  {
    without: 'the budget of memory',
    file: `${SERVER}/share.go`,
    find: 'return c.share.held <= left/2',
    replace: 'return left > 0',
    check: 'bounds what the unfinished messages of an address hold',
  },
  {
    without: 'memory for newcomers',
    file: `${SERVER}/share.go`,
    find: 'c.share.held <= left/2',
    replace: 'c.share.held <= left',
    check: 'keeps memory for newcomers, however many addresses hold some',
  },
  {
    without: 'the clock of unfinished messages',
    file: `${CORE}/conn.go`,
    find: 'c.setReadDeadline(p.at.Add(c.options.MessageTimeout))',
    replace: '',
    check: 'closes with 1008 over a message that rests, but not over one that grows slowly',
  },
  {
    without: 'rates',
    file: `${SERVER}/share.go`,
    find: 'return max(wait, leastPause)',
    replace: 'return 0',
    check: 'reads no further from who is above the rate, and answers the others',
  },
  {
    without: 'waiting for who does not read',
    file: `${CORE}/outbox.go`,
    find: 'for o.waiting > o.limit && o.isOpen() {',
    replace: 'for false {',
    check: 'stops reading from a client that does not read',
  },
  {
    without: 'the rate after its close frame',
    file: `${CORE}/conn.go`,
    find: 'pause > 0 {',
    replace: 'pause > time.Hour {',
    check: 'reads a flood slowly after its close frame',
  },
  {
    without: 'the rate of log lines',
    file: `${SERVER}/share.go`,
    find: '!s.lines.Take(time.Now(), 1)',
    replace: 'false',
    check: 'logs some lines of each address and counts the others',
  },
  {
    without: 'escapes in the log',
    file: `${SERVER}/log.go`,
    find: 'slog.NewJSONHandler(escaping{to}',
    replace: 'slog.NewJSONHandler(to',
    check: 'logs nothing that a terminal obeys',
  },
  {
    without: 'the end of connections after an HTTP answer',
    file: `${SERVER}/server.go`,
    find: 'header["Connection"] = []string{"close"}',
    replace: '',
    check: 'answers one HTTP request per connection',
  },
  {
    without: 'limits that fit each other',
    file: 'internal/config/config.go',
    find: 'value <= limit/divisor',
    replace: 'value <= limit*divisor',
    check: 'does not start with limits that contradict each other, and names both',
  },
  {
    without: 'deafness to SIGPIPE',
    file: 'cmd/server/main.go',
    find: 'signal.Ignore(syscall.SIGPIPE)',
    replace: '',
    check: 'goes on when nobody reads its log any more',
  },
  {
    without: 'the end on a second signal',
    file: 'cmd/server/main.go',
    find: '\t\tos.Exit(1)',
    replace: '',
    check: 'exits at once on a second signal',
  },
  {
    without: 'its goodbye',
    file: `${SERVER}/server.go`,
    find: 'for _, conn := range conns {',
    replace: 'for _, conn := range conns[:0] {',
    check: 'closes everybody with 1001 on SIGTERM and exits with 0',
  },
];

const describeGo = goRequirement('servers in Go');

describeGo('generated Go servers', () => {
  let server: GeneratedServer;
  let single: GeneratedServer;
  const go = (name: string, ...args: string[]): string =>
    execFileSync(name, args, { cwd: server.folder, encoding: 'utf8', stdio: 'pipe' });

  beforeAll(async () => {
    server = await generateForTest({ language: 'go', output: 'server/' });
    single = await generateForTest({ language: 'go', output: 'echo_server.go' });
  }, COMPILE_MS);
  afterAll(() => {
    server.dispose();
    single.dispose();
  });

  it.each(Object.entries(CHECKS))('%s', { timeout: 60_000 }, async (_, check) => {
    await check({ boot: server.boot, kind: 'echo', soon: soonWithin(10_000) });
  });

  it.each(['echoes text as text and binary as binary, whole, fragmented or compressed'] as const)(
    'in one file: %s',
    async (name) => {
      await ECHO_CHECKS[name]({ boot: single.boot, kind: 'echo', soon: soonWithin(10_000) });
    },
  );

  it(
    'are formatted and without findings, as a project and as one file',
    { timeout: COMPILE_MS },
    () => {
      expect(go('gofmt', '-l', '.', single.project)).toBe('');
      go('go', 'vet', './...');
      go('go', 'vet', single.project);
    },
  );

  it('pass their own tests, in which no two goroutines race', { timeout: COMPILE_MS }, () => {
    const hasCgo = go('go', 'env', 'CGO_ENABLED').trim() === '1';
    expect(go('go', 'test', ...(hasCgo ? ['-race'] : []), './...')).toMatch(/^ok .*websocket/m);
  });

  it('pass all of Autobahn, and every rule of the handshake', { timeout: 180_000 }, async () => {
    const { signal } = new AbortController();
    await using project = await startProject(server.project, { signal });
    const input = { url: project.url, quick: true, output: temporaryFolder() };
    const { verdicts } = await autobahnTest(AutobahnTestInput.parse(input), operationContext());
    // They ask for a window of the server that compress/flate does not have.
    expect(verdicts).toMatchObject({ fail: 0, 'non-strict': 0, unimplemented: 36, pass: 478 });
    const url = { url: project.url };
    const report = await validateHandshake(ValidateHandshakeInput.parse(url), operationContext());
    expect(report).toMatchObject({ success: true });
  });

  it.each(MUTANTS)('are caught without $without', { timeout: 60_000 }, async (mutant) => {
    await expectCaught(server, mutant, { checks: CHECKS, kind: 'echo', soonMs: 4000 });
  });

  it('are built again when they were edited, as a project and as one file', async () => {
    const { signal } = new AbortController();
    const edit = [
      path.join(server.folder, 'internal/handler/handler.go'),
      path.join(single.folder, 'echo_server.go'),
    ];
    for (const [index, project] of [server.project, single.project].entries()) {
      const file = edit[index] ?? '';
      expect(readFileSync(file, 'utf8')).toContain('return conn.Send(message)');
      appendFileSync(file, '\nthis is no Go\n');
      await expect(startProject(project, { signal })).rejects.toMatchObject({
        code: 'WSK_ERR_PROJECT_FAILED',
        message: expect.stringMatching(/build of the project.*syntax error/s) as string,
      });
    }
  });

  it('end one connection with 1011 when the handler panics', { timeout: COMPILE_MS }, async () => {
    const panics = await generateForTest({ language: 'go', output: 'server/' }, { isBuilt: false });
    try {
      const file = path.join(panics.folder, 'internal/handler/handler.go');
      const panicking = 'if string(message.Data) == "bad luck" { panic("out of luck") }\n';
      const text = readFileSync(file, 'utf8');
      writeFileSync(file, text.replace('\treturn conn.Send', `\t${panicking}$&`));
      build(panics.folder, (await readProject(panics.folder)).manifest);
      await using booted = await panics.boot();
      const [lucky, unlucky] = [await openClient(booted.port), await openClient(booted.port)];
      unlucky.send('bad luck');
      expect(await unlucky.closed).toBe(1011);
      lucky.send('hello');
      expect(await lucky.next()).toBe('hello');
      lucky.socket.terminate();
      const line = booted.log.find(({ event }) => event === 'handler-failed');
      expect(line?.['message']).toMatch(/out of luck.*handler\.go:\d+/s);
    } finally {
      panics.dispose();
    }
  });
});
