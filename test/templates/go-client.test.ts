import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runClientContract } from '../../src/contract/client/index.ts';
import type { ClientType } from '../../src/generate/client.ts';
import { CLIENT_PROTOCOLS, CLIENT_TYPES } from '../../src/generate/client.ts';
import { buildClient, builtClient } from '../support/client-driver.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { goRequirement } from '../support/go.ts';
import { pythonRequirement } from '../support/python.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { generateForTest, root } from './generated.ts';
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

const SECRET = 'a secret of the tests, long enough for HS256';

/** Clients with a real server, which asks for a token if there is one. */
const LIVE_TESTS = {
  'json-rpc': `package wsclient

import (
	"context"
	"errors"
	"os"
	"testing"
)

func TestLive(t *testing.T) {
	options := Options{URL: os.Getenv("URL")}
	if token := os.Getenv("TOKEN"); token != "" {
		options.Token = func(context.Context) (string, error) { return token, nil }
	}
	client, err := NewJSONRPC(options)
	if err != nil {
		t.Fatal(err)
	}
	Method[[]string, string]("name").Handle(client, func(context.Context, []string) (string, error) { return "Ada", nil })
	go func() { _ = client.Run(t.Context()) }()
	add := Method[map[string]float64, float64]("add")
	if sum, err := add.Call(t.Context(), client, map[string]float64{"a": 1, "b": 2}); err != nil || sum != 3 {
		t.Fatalf("got %v and %v", sum, err)
	}
	// It is called by what it calls.
	greet := Method[map[string]string, string]("greet")
	if greeting, err := greet.Call(t.Context(), client, map[string]string{"greeting": "Hi"}); err != nil || greeting != "Hi, Ada!" {
		t.Fatalf("got %v and %v", greeting, err)
	}
	var refused *RPCError
	if _, err := add.Call(t.Context(), client, nil); !errors.As(err, &refused) || refused.Code != -32602 {
		t.Fatalf("got %v", err)
	}
	if _, err := Method[any, any]("nobody").Call(t.Context(), client, nil); !errors.As(err, &refused) || refused.Code != -32601 {
		t.Fatalf("got %v", err)
	}
}
`,
  'graphql-ws': `package wsclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestLive(t *testing.T) {
	options := Options{URL: os.Getenv("URL")}
	if token := os.Getenv("TOKEN"); token != "" {
		options.Token = func(context.Context) (string, error) { return token, nil }
	}
	client, err := NewGraphQL(options)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = client.Run(t.Context()) }()
	var counts []int
	for one, err := range Subscribe[struct{ Countdown int }](t.Context(), client, "subscription { countdown(from: 2, everyMs: 0) }", nil) {
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, one.Countdown)
	}
	if fmt.Sprint(counts) != "[2 1 0]" {
		t.Fatalf("got %v", counts)
	}
	type message struct{ From, Text string }
	heard := make(chan message)
	go func() {
		defer close(heard)
		query := "subscription ($channel: String!) { messages(channel: $channel) { from text } }"
		for one, err := range Subscribe[struct{ Messages message }](t.Context(), client, query, map[string]any{"channel": "go"}) {
			if err != nil {
				t.Error(err)
			}
			heard <- one.Messages
			return
		}
	}()
	mutation := "mutation ($channel: String!, $text: String!) { send(channel: $channel, text: $text) { from text } }"
	for isHeard := false; !isHeard; {
		// The server does not say when it has begun the subscription.
		sent, err := Execute[struct{ Send message }](t.Context(), client, mutation, map[string]any{"channel": "go", "text": "hello"})
		if err != nil || sent.Send.Text != "hello" {
			t.Fatalf("got %v and %v", sent, err)
		}
		select {
		case got := <-heard:
			if isHeard = true; got != sent.Send {
				t.Fatalf("got %v", got)
			}
		default:
		}
	}
	var refused *GraphQLError
	if _, err := Execute[any](t.Context(), client, "{ nothing }", nil); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
}
`,
} as const;

const SERVERS = [
  { language: 'nodejs', features: ['auth'] },
  { language: 'go', features: ['auth'] },
  // What it needs for tokens and GraphQL would have to be installed.
  ...(pythonRequirement('JSON-RPC in Python') === describe
    ? [{ language: 'python', features: [] } as const]
    : []),
] as const;

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

  it.each(CLIENT_PROTOCOLS)(
    'that speak %s are one package or one file, formatted and without findings',
    { timeout: COMPILE_MS },
    async (subprotocol) => {
      const [folder, cwd, other] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
      const input = { language: 'go', subprotocol } as const;
      const { output, files } = await generateClientIn(folder, input);
      expect(test(output)).toMatch(/^ok /m);
      const paths = files.map((file) => file.path);
      expect(await illFormatted(output, paths)).toEqual([]);
      await generateClientIn(cwd, { ...input, output: 'client.go' });
      for (const name of ['go.mod', 'go.sum']) cpSync(`${output}/${name}`, `${cwd}/${name}`);
      const all = await generateClientIn(other, { ...input, features: ['auth'] });
      for (const made of [output, cwd, all.output]) {
        expect(run(made, 'gofmt', '-l', '.')).toBe('');
        run(made, 'go', 'vet', '.');
      }
    },
  );

  it.each(SERVERS)(
    'talk to servers in $language',
    { timeout: COMPILE_MS },
    async ({ language, features }) => {
      const subprotocols = language === 'python' ? ['json-rpc'] : Object.keys(LIVE_TESTS);
      const server = await generateForTest({
        ...{ language, type: 'rpc', subprotocols, features: [...features] },
      });
      onTestFinished(() => server.dispose());
      const { port } = await server.boot({ AUTH_SECRET: SECRET });
      const token = await new SignJWT({ sub: 'ada' })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuedAt()
        .setExpirationTime('10m')
        .sign(new TextEncoder().encode(SECRET));
      const env = {
        ...process.env,
        URL: `ws://127.0.0.1:${port}/`,
        TOKEN: language === 'python' ? '' : token,
      };
      for (const [name, text] of Object.entries(LIVE_TESTS)) {
        const subprotocol = CLIENT_PROTOCOLS.find((one) => one === name);
        if (!subprotocols.includes(name)) continue;
        const client = await generateClientIn(temporaryFolder(), {
          ...{ language: 'go', subprotocol, server: server.folder, output: 'client/' },
        });
        writeFileSync(path.join(client.output, 'live_test.go'), text);
        const args = ['test', '-run', 'TestLive', '-timeout', '60s', '.'];
        const options = { cwd: client.output, env, encoding: 'utf8', stdio: 'pipe' } as const;
        expect(execFileSync('go', args, options)).toMatch(/^ok /m);
      }
    },
  );

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
