import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runClientContract } from '../../src/contract/client/index.ts';
import type { ClientType } from '../../src/generate/client.ts';
import { CLIENT_TYPES } from '../../src/generate/client.ts';
import { buildClient, builtClient } from '../support/client-driver.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { goRequirement } from '../support/go.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { root } from './generated.ts';
import { illFormatted } from './npm-test.ts';

/** Compiling the standard library takes its time, on a machine that has never done it. */
const COMPILE_MS = 300_000;

/** A promise of the client that is taken away, and the case that has to notice. */
interface Mutant {
  readonly what: string;
  readonly type?: ClientType;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly id: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'does not see gaps',
    file: 'stream.go',
    from: 'case event.Offset == 0, !s.isPlaced, event.Offset == s.offset+1:',
    to: 'case event.Offset == 0, !s.isPlaced, event.Offset > s.offset:',
    id: 'gap.live',
  },
  {
    what: 'believes that nothing was lost',
    file: 'stream.go',
    from: '\t\ts.isComplete(events, since.Offset, position.Offset)',
    to: '\t\t(true || s.isComplete(events, since.Offset, position.Offset))',
    id: 'gap.lies',
  },
  {
    what: 'compares offsets of different epochs',
    file: 'stream.go',
    from: 'since.Epoch == position.Epoch',
    to: 'since.Epoch != ""',
    id: 'epoch.lies-later',
  },
  {
    what: 'gives what an answer repeats',
    file: 'stream.go',
    from: 'if s.isPlaced && event.Offset <= s.offset {',
    to: 'if false {',
    id: 'twice.resume',
  },
  {
    what: 'takes answers twice',
    file: 'client.go',
    from: '\td.timer.stop()\n\tdelete(c.due, id)\n\tif',
    to: '\td.timer.stop()\n\tif',
    id: 'twice.joined',
  },
  {
    what: 'does not resume',
    file: 'client.go',
    from: 'since = s.kind.position()',
    to: 'since = nil',
    id: 'cut.event.after',
  },
  {
    what: 'sends again to a server that lost its memory',
    file: 'client.go',
    from: 'if epoch != "" && s.epoch != epoch {',
    to: 'if epoch == "none" {',
    id: 'epoch.restart-before-ack',
  },
  {
    what: 'sends again to a server that resumes no more',
    file: 'client.go',
    from: 'if !c.hasFeature("resume") {',
    to: 'if false {',
    id: 'gap.resume-ends',
  },
  {
    what: 'comes back after 4500',
    file: 'closecodes.go',
    from: 'code >= 4500 && code <= 4999',
    to: 'false',
    id: 'close.4500',
  },
  {
    what: 'comes back after 403',
    file: 'closecodes.go',
    from: 'case status >= 500,',
    to: 'case status >= 400,',
    id: 'http.403',
  },
  {
    what: 'ignores what the server asks for',
    file: 'reconnect.go',
    from: 'if lost.isGiven {',
    to: 'if false {',
    id: 'http.503',
  },
  {
    what: 'tries again without longer and longer waits',
    file: 'reconnect.go',
    from: 'uint64(1)<<min(attempts, 30)',
    to: 'uint64(1)<<min(attempts, 0)',
    id: 'backoff.refused',
  },
  {
    what: 'takes every connection for a good one',
    file: 'connection.go',
    from: 'if uptime >= c.options.StableAfter {',
    to: 'if uptime >= 0 {',
    id: 'backoff.brief',
  },
  {
    what: 'does not notice silence',
    file: 'connection.go',
    from: 'conn.lose(&loss{code: 1006, reason: "the server is silent"})',
    to: '_ = conn',
    id: 'silence',
  },
  {
    what: 'keeps a connection after garbage',
    file: 'connection.go',
    from: 'conn.lose(&loss{code: 1006, reason: "malformed message"})',
    to: '_ = conn',
    id: 'garbage.last',
  },
  {
    what: 'waits for an answer without end',
    file: 'client.go',
    from: 'c.expect(id, s, c.options.JoinTimeout,',
    to: 'c.expect(id, s, time.Hour,',
    id: 'late.never',
  },
  {
    what: 'does not replace a token that expires',
    file: 'connection.go',
    from: 'case "token-expiring":\n\t\tconn.refreshToken()',
    to: 'case "token-expiring":',
    id: 'token.expiring',
  },
  {
    what: 'comes with the same token',
    file: 'token.go',
    from: 't.present = ""',
    to: '_ = t',
    id: 'token.refused-once',
  },
  {
    what: 'does not see gaps in documents',
    type: 'live-updates',
    file: 'stream.go',
    from: 'case event.Offset == 0, !s.isPlaced, event.Offset == s.offset+1:',
    to: 'case event.Offset == 0, !s.isPlaced, event.Offset > s.offset:',
    id: 'gap.live',
  },
];

const describeGo = goRequirement('clients in Go');

describeGo('generated Go clients', () => {
  const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  const clients = new Map<ClientType, string>();
  const run = (cwd: string, name: string, ...args: string[]): string =>
    execFileSync(name, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
  const test = (cwd: string, ...args: string[]): string => run(cwd, 'go', 'test', ...args, './...');

  beforeAll(async () => {
    for (const type of CLIENT_TYPES) clients.set(type, await builtClient(type, base, 'go'));
  }, COMPILE_MS);
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('come from a template that passes its own tests', { timeout: COMPILE_MS }, () => {
    const hasCgo = run(root, 'go', 'env', 'CGO_ENABLED').trim() === '1';
    const said = test(path.join(root, 'templates/go/client'), ...(hasCgo ? ['-race'] : []));
    expect(said).toMatch(/^ok /m);
  });

  it.each(CLIENT_TYPES)(
    'of %s servers are formatted, without findings, and pass their own tests',
    { timeout: COMPILE_MS },
    async (type) => {
      const input = { language: 'go', type, url: 'wss://example.org/x' } as const;
      const plain = await generateClientIn(temporaryFolder(), input);
      for (const folder of [plain.output, clients.get(type) ?? '']) {
        expect(run(folder, 'gofmt', '-l', '.')).toBe('');
        run(folder, 'go', 'vet', './...');
        expect(test(folder)).toMatch(/^ok /m);
      }
      const paths = plain.files.map((file) => file.path);
      expect(await illFormatted(plain.output, paths)).toEqual([]);
    },
  );

  it.each(CLIENT_TYPES)('of %s servers are one file, too', async (type) => {
    const cwd = temporaryFolder();
    await generateClientIn(cwd, { type, features: ['auth'], output: 'client.go' });
    for (const name of ['go.mod', 'go.sum'])
      cpSync(`${clients.get(type)}/${name}`, `${cwd}/${name}`);
    expect(run(cwd, 'gofmt', '-l', '.')).toBe('');
    run(cwd, 'go', 'vet', '.');
    expect(run(cwd, 'go', 'doc', '.')).toMatch(/go get github.com\/coder\/websocket@v\d/);
  });

  it('of WAMP routers are one package or one file', { timeout: COMPILE_MS }, async () => {
    const [folder, cwd] = [temporaryFolder(), temporaryFolder()];
    const input = { language: 'go', subprotocol: 'wamp.2.json' } as const;
    const { output } = await generateClientIn(folder, input);
    expect(test(output)).toMatch(/^ok /m);
    await generateClientIn(cwd, { ...input, output: 'client.go' });
    for (const name of ['go.mod', 'go.sum']) cpSync(`${output}/${name}`, `${cwd}/${name}`);
    for (const made of [output, cwd]) {
      expect(run(made, 'gofmt', '-l', '.')).toBe('');
      run(made, 'go', 'vet', '.');
    }
  });

  it.each(CLIENT_TYPES)(
    'of %s servers keep their promises in every case',
    { timeout: 240_000 },
    async (type) => {
      const results = await runClientContract({
        ...{ type, command: 'bin/driver {url}', cwd: clients.get(type) ?? '' },
        ...{ signal: new AbortController().signal, timeoutMs: 15_000 },
      });
      expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    },
  );

  it.each(MUTANTS)(
    'are caught when one $what',
    { timeout: 60_000 },
    async ({ type = 'chat', file, from, to, id }) => {
      const folder = temporaryFolder();
      cpSync(clients.get(type) ?? '', folder, { recursive: true });
      const text = readFileSync(path.join(folder, file), 'utf8');
      expect(text.split(from)).toHaveLength(2);
      writeFileSync(
        path.join(folder, file),
        text.replace(from, () => to),
      );
      buildClient(folder);
      const results = await runClientContract({
        ...{ type, command: 'bin/driver {url}', cwd: folder },
        ...{ signal: new AbortController().signal, timeoutMs: 2500, ids: [id] },
      });
      expect(results.map(({ verdict }) => verdict)).toEqual(['fail']);
    },
  );
});
