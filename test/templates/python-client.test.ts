import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClientProcess } from '../../src/contract/client/client-process.ts';
import { runClientContract } from '../../src/contract/client/index.ts';
import type { ClientResult } from '../../src/contract/client/index.ts';
import { CLIENT_TYPES } from '../../src/generate/client.ts';
import type { ClientType } from '../../src/generate/client.ts';
import { TestInput } from '../../src/operations/test/schema.ts';
import { testEndpoint } from '../../src/operations/test/test.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { operationContext } from '../support/operation-context.ts';
import {
  downloadWheels,
  INSTALL_TIMEOUT_MS,
  installPackages,
  pythonRequirement,
} from '../support/python.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { generateForTest } from './generated.ts';
import { illFormatted } from './npm-test.ts';

const run = promisify(execFile);

const FEATURES: Readonly<Record<ClientType, ('presence' | 'auth')[]>> = {
  chat: ['presence', 'auth'],
  pubsub: ['auth'],
  'live-updates': ['auth'],
};

/** A promise of the client that is taken away, and the case that has to notice. */
interface Mutant {
  readonly what: string;
  readonly type?: ClientType;
  /** Below `src/ws_client/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly id: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'does not see gaps',
    file: 'stream.py',
    find: 'elif offset > self._offset:\n            self._handle_later(event)',
    replace: 'elif offset > self._offset:\n            self._give_new(event)',
    id: 'gap.live',
  },
  {
    what: 'believes that nothing was lost',
    file: 'stream.py',
    find: 'and self._is_complete(events, asked, position)',
    replace: 'and True',
    id: 'gap.lies',
  },
  {
    what: 'compares offsets of different epochs',
    file: 'stream.py',
    find: 'asked.epoch == position.epoch',
    replace: 'True',
    id: 'epoch.lies-later',
  },
  {
    what: 'does not resume',
    file: 'client.py',
    find: 'own.since if self.always_resumes',
    replace: 'None if self.always_resumes',
    id: 'cut.event.after',
  },
  {
    what: 'waits for an answer without end',
    file: 'client.py',
    find: 'timeout = self.options.join_timeout',
    replace: 'timeout = 1e6',
    id: 'late.never',
  },
  {
    what: 'gives what an answer repeats',
    file: 'stream.py',
    find: 'if before is not None and offset <= before:',
    replace: 'if False:',
    id: 'twice.resume',
  },
  {
    what: 'sends again to a server that lost its memory',
    file: 'publishing.py',
    find: 'self._outbox.forget(self._outbox_of(stream.name))',
    replace: 'pass',
    id: 'epoch.restart-before-ack',
  },
  {
    what: 'sends again to a server that resumes no more',
    file: 'publishing.py',
    find: 'if "resume" not in self.features:',
    replace: 'if False:',
    id: 'gap.resume-ends',
  },
  {
    what: 'chooses another id for what it sends again',
    file: 'outbox.py',
    find: 'self._send(entry.stream, entry.text)',
    replace:
      'self._send(entry.stream, entry.text.replace(entry.id, "x" if entry.first_sent_at else entry.id))',
    id: 'cut.ack.before',
  },
  {
    what: 'comes back after codes that forbid it',
    file: 'close_codes.py',
    find: 'if 4500 <= code <= 4999',
    replace: 'if 4999 <= code <= 4999',
    id: 'close.4998',
  },
  {
    what: 'comes back after 403',
    file: 'close_codes.py',
    find: 'status >= 500',
    replace: 'status >= 400',
    id: 'http.403',
  },
  {
    what: 'ignores Retry-After',
    file: 'connection.py',
    find: 'self._drain if loss.retry_after is None else loss.retry_after',
    replace: 'self._drain',
    id: 'http.503',
  },
  {
    what: 'ignores what a server that shuts down asks for',
    file: 'connection.py',
    find: 'self._drain if loss.retry_after is None else loss.retry_after',
    replace: 'loss.retry_after',
    id: 'draining',
  },
  {
    what: 'tries again without longer and longer waits',
    file: 'connection.py',
    find: ' * 2 ** min(self.attempts, 30)',
    replace: '',
    id: 'backoff.refused',
  },
  {
    what: 'takes every connection for a good one',
    file: 'connection.py',
    find: 'if uptime >= self.options.stable_after and',
    replace: 'if',
    id: 'backoff.brief',
  },
  {
    what: 'does not notice silence',
    file: 'connection.py',
    find: 'self.restart("the server is silent")',
    replace: 'pass',
    id: 'silence',
  },
  {
    what: 'keeps a connection after garbage',
    file: 'connection.py',
    find: 'self.restart(f"malformed message: {error}")',
    replace: 'del error',
    id: 'garbage.last',
  },
  {
    what: 'does not replace a token that expires',
    file: 'tokens.py',
    find: 'case "token-expiring":\n                self._refresh()',
    replace: 'case "token-expiring":\n                pass',
    id: 'token.expiring',
  },
  {
    what: 'comes with the same token',
    file: 'tokens.py',
    find: 'self._token = None\n        return not is_futile',
    replace: 'return not is_futile',
    id: 'token.refused-once',
  },
  {
    what: 'keeps a document to which a patch did not apply',
    type: 'live-updates',
    file: 'stream.py',
    find: 'elif offset > self._offset:\n            self._handle_later(event)',
    replace: 'elif offset > self._offset:\n            self._give_new(event)',
    id: 'gap.live',
  },
];

/** Two clients of WAMP, what one answers and hears. */
const WAMP_TALK = `
import asyncio, sys
from ws_client import WampClient, WampError

async def main():
    async with WampClient(sys.argv[1]) as one, WampClient(sys.argv[1]) as two:
        heard = asyncio.Queue()
        await one.register("com.double", lambda number: 2 * number)
        await one.subscribe("com.", heard.put_nowait, match="prefix")
        code = None
        try:
            await two.call("com.example.divide", 1, 0)
        except WampError as error:
            code = error.uri
        print(await two.call("com.example.add", 1, 2), await two.call("com.double", 21), code)
        await two.publish("com.news", "hello")
        event = await heard.get()
        print(event.topic, *event.args)

asyncio.run(main())
`;

const never = new AbortController().signal;
const describePython = pythonRequirement('clients in Python');

describePython('clients in Python', () => {
  const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  const env = { ...process.env };
  const projects = new Map<ClientType, string>();
  /** The environment of one project serves all. */
  const python = path.join(base, 'chat/.venv/bin/python');
  const command = `PYTHONPATH=src ${python} -m ws_client.driver {url}`;

  const projectOf = (type: ClientType): string => projects.get(type) ?? '';
  const hold = (type: ClientType, cwd: string, ids?: readonly string[]): Promise<ClientResult[]> =>
    runClientContract({
      ...{ type, command, cwd, signal: never },
      ...(ids === undefined ? { timeoutMs: 20_000 } : { timeoutMs: 4000, ids }),
    });

  const expectClean = async (
    output: string,
    files: readonly { readonly path: string }[],
  ): Promise<void> => {
    const inProject = (...args: string[]): Promise<{ stdout: string }> =>
      run(python, ['-m', ...args], {
        cwd: output,
        env: { ...process.env, MYPY_CACHE_DIR: path.join(base, 'mypy') },
      });
    await inProject('ruff', 'format', '--check', 'src', 'tests');
    await inProject('ruff', 'check', 'src', 'tests');
    expect((await inProject('mypy')).stdout).toContain('no issues');
    expect((await inProject('pytest', '-q')).stdout).toMatch(/\d+ passed/);
    const paths = files.map((file) => file.path);
    expect(await illFormatted(output, paths)).toEqual([]);
  };

  beforeAll(async () => {
    await downloadWheels(path.join(base, 'wheels'));
    for (const type of CLIENT_TYPES) {
      const input = { type, features: FEATURES[type], output: type };
      const { output } = await generateClientIn(base, { ...input, language: 'python' });
      projects.set(type, output);
    }
    const { commands } = JSON.parse(
      readFileSync(path.join(projectOf('chat'), '.wsgen.json'), 'utf8'),
    ) as { commands: { install: [string, ...string[]] } };
    const [program, ...args] = commands.install;
    await run(program, args, { cwd: projectOf('chat') });
    await run(python, ['-m', 'pip', 'install', '--quiet', 'mypy', 'ruff']);
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => {
    process.env = env;
    rmSync(base, { recursive: true, force: true });
  });

  it.each(
    CLIENT_TYPES.flatMap((type) => [
      { type, features: [] },
      { type, features: FEATURES[type] },
    ]),
  )('of a $type server with $features are clean and pass their own tests', async (chosen) => {
    const input = { ...chosen, url: 'wss://example.org/x', name: 'x' };
    const { output, files } = await generateClientIn(temporaryFolder(), {
      ...input,
      language: 'python',
    });
    await expectClean(output, files);
  });

  it('of WAMP are clean, pass their own tests and talk to a generated server', async () => {
    const { output, files } = await generateClientIn(temporaryFolder(), {
      ...{ language: 'python', subprotocol: 'wamp.2.json', name: 'x' },
    });
    await expectClean(output, files);
    const server = await generateForTest({
      ...{ language: 'python', type: 'rpc', subprotocols: ['wamp.2.json'] },
    });
    try {
      const packages = path.join(base, 'packages');
      await installPackages(packages, ['ruamel-yaml']);
      const PYTHONPATH = `${server.folder}/src:${packages}`;
      const { port } = await server.boot({ PYTHONPATH });
      const talk = ['-c', WAMP_TALK, `ws://127.0.0.1:${port}/`];
      const { stdout } = await run(python, talk, {
        env: { ...process.env, PYTHONPATH: 'src' },
        cwd: output,
      });
      expect(stdout).toBe('3 42 com.example.error.division_by_zero\ncom.news hello\n');
    } finally {
      server.dispose();
    }
  });

  it.each(['pubsub', 'live-updates'] as const)(
    'of a %s server keep their promises',
    { timeout: 180_000 },
    async (type) => {
      const results = await hold(type, projectOf(type));
      expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
      expect(results.length).toBeGreaterThan(70);
    },
  );

  it('of a chat server keep theirs, tested as a project', { timeout: 180_000 }, async () => {
    const input = { role: 'client', project: projectOf('chat'), ownTests: true } as const;
    const report = await testEndpoint(TestInput.parse(input), operationContext({ cwd: base }));
    expect(report.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(85);
    expect(report.checks.at(-1)).toMatchObject({ id: 'own-tests', verdict: 'pass' });
  });

  it.each(MUTANTS)('that $what are caught', async ({ type = 'chat', file, find, replace, id }) => {
    const folder = temporaryFolder();
    cpSync(`${projectOf(type)}/src`, `${folder}/src`, { recursive: true });
    const mutated = `${folder}/src/ws_client/${file}`;
    const text = readFileSync(mutated, 'utf8');
    expect(text.split(find)).toHaveLength(2);
    writeFileSync(
      mutated,
      text.replace(find, () => replace),
    );
    const results = await hold(type, folder, [id]);
    expect(results.map(({ verdict }) => verdict)).toEqual(['fail']);
  });

  it('lose nothing without saying so when a server is killed', { timeout: 90_000 }, async () => {
    const features = ['rooms', 'history', 'resume'] as const;
    const server = await generateForTest({ type: 'chat', features: [...features] });
    try {
      const first = await server.boot();
      const url = `ws://127.0.0.1:${first.port}/`;
      const clientOptions = { backoff: { baseMs: 20, maxMs: 100 } };
      await using client = new ClientProcess(command, url, {
        cwd: projectOf('chat'),
        clientOptions,
      });
      const texts = Array.from({ length: 20 }, (_, at) => `m${at}`);
      const publish = (text: string): void =>
        client.send({ command: 'publish', name: 'lobby', data: text, key: text });
      const has = async (event: string, count: number): Promise<void> => {
        const isThere = (): boolean => client.all(event).length >= count;
        expect(await client.until(isThere, 30_000, never), client.noise).toBe(true);
      };
      client.send({ command: 'join', name: 'lobby' });
      for (const text of texts.slice(0, 10)) publish(text);
      await has('message', 10);
      await has('ack', 10);
      first.kill('SIGKILL');
      await first.exited;
      // What it sent to the dead one would have no known outcome.
      const isAway = (): boolean => client.all('state').at(-1)?.['state'] !== 'open';
      expect(await client.until(isAway, 30_000, never), client.noise).toBe(true);
      for (const text of texts.slice(10)) publish(text);
      await server.boot({ PORT: String(first.port) });
      await has('ack', 20);
      await has('message', 20);
      expect(client.all('message').map(({ data }) => data)).toEqual(texts);
      expect(client.all('recovered')).toMatchObject([{ recovered: false }]);
    } finally {
      server.dispose();
    }
  });

  it.each(CLIENT_TYPES)('of a %s server can be one file', async (type) => {
    const cwd = temporaryFolder();
    const input = { type, features: FEATURES[type], output: 'client.py' };
    const { output } = await generateClientIn(cwd, input);
    const inFolder = (...args: string[]): Promise<{ stdout: string }> =>
      run(python, args, { cwd, env: { ...process.env, MYPY_CACHE_DIR: path.join(base, 'mypy') } });
    expect(readFileSync(output, 'utf8')).not.toMatch(/#if|#endif|#else|TYPE_CHECKING/);
    await inFolder('-m', 'ruff', 'check', '--isolated', '--select=E4,E7,E9,F', output);
    const mypy = ['-m', 'mypy', '--config-file=', '--strict', output];
    expect((await inFolder(...mypy)).stdout).toContain('no issues');
    const names = 'import sys; sys.path[:0] = [sys.argv[1]]; import MODULE; print(MODULE.__all__)';
    const [own, expected] = await Promise.all([
      inFolder('-c', names.replaceAll('MODULE', 'client'), cwd),
      inFolder('-c', names.replaceAll('MODULE', 'ws_client'), path.join(projectOf(type), 'src')),
    ]);
    expect(own).toEqual(expected);
    // The driver of the package, with the file in place of the package.
    const folder = path.join(cwd, 'src/ws_client');
    cpSync(path.join(projectOf(type), 'src/ws_client/driver.py'), path.join(folder, 'driver.py'));
    const modules = ['chat', 'live_updates', 'messages', 'options', 'pubsub'];
    // Without this file, the package that is installed would come before the folder.
    writeFileSync(path.join(folder, '__init__.py'), '');
    for (const name of modules) {
      writeFileSync(path.join(folder, `${name}.py`), 'from client import *\n');
    }
    cpSync(output, path.join(cwd, 'src/client.py'));
    const results = await hold(type, cwd, ['cut.event.after', 'gap.live', 'token.expired']);
    expect(results.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass']);
  });
});
