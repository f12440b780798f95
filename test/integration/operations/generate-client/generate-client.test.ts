import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
import { CLIENT_TYPES } from '../../../../src/generate/client.ts';
import { GenerateClientInput } from '../../../../src/operations/generate-client/schema.ts';
import { readProject } from '../../../../src/target/project/manifest.ts';
import { generate, snapshot } from '../../../support/generate.ts';
import { generateClientIn } from '../../../support/generate-client.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** Bytes of the core, minified and compressed. */
const MAX_CORE_BYTES = 6000;

describe('generate-client', () => {
  it('writes a package whose examples name the server', async () => {
    const cwd = temporaryFolder();
    const report = await generateClientIn(cwd, { type: 'chat', url: 'wss://example.org/chat' });
    expect(report).toMatchObject({ success: true, type: 'chat', features: [] });
    expect(report.output).toBe(path.join(cwd, 'chat-client'));
    expect(report.commands).toEqual(['cd chat-client/', 'npm install', 'npm test']);
    const files = snapshot(report.output);
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['package.json', 'README.md', 'AGENTS.md', '.gitignore']),
    );
    expect(files['README.md']).toContain("url: 'wss://example.org/chat'");
    expect(files['package.json']).not.toContain('react');
    expect(files).not.toHaveProperty(['src/react.ts']);
    expect(files).not.toHaveProperty(['src/pubsub.ts']);
    expect(files['src/chat.ts']).not.toContain('members');
    expect(files['src/connection.ts']).not.toContain('getToken');
  });

  it('reads what a generated server speaks', async () => {
    const cwd = temporaryFolder();
    await generate(cwd, { type: 'chat', features: ['presence'], port: 9100, output: 'server' });
    const report = await generateClientIn(cwd, { server: 'server', react: true });
    expect(report).toMatchObject({ type: 'chat', features: ['rooms', 'presence'] });
    const files = snapshot(report.output);
    expect(files['README.md']).toContain('ws://localhost:9100');
    expect(files['src/chat.ts']).toContain('members');
    expect(JSON.parse(files['package.json'] ?? '')).toMatchObject({
      name: 'chat-client',
      exports: { './react': {} },
      peerDependencies: { react: '>=18' },
    });
  });

  it('writes nothing when it only lists, and the same bytes each time', async () => {
    const cwd = temporaryFolder();
    const listed = await generateClientIn(cwd, { dryRun: true });
    expect(listed.files.every(({ action }) => action === 'would-create')).toBe(true);
    expect(snapshot(cwd)).toEqual({});
    await generateClientIn(cwd, {});
    const again = await generateClientIn(cwd, {});
    expect(again.files.every(({ action }) => action === 'unchanged')).toBe(true);
  });

  it('removes what is no longer part of it, and keeps what was edited', async () => {
    const cwd = temporaryFolder();
    await generateClientIn(cwd, { react: true });
    writeFileSync(path.join(cwd, 'chat-client/src/chat.ts'), '// mine\n');
    const report = await generateClientIn(cwd, {
      type: 'pubsub',
      output: 'chat-client',
      force: true,
    });
    expect(report.files).toContainEqual(
      expect.objectContaining({ path: 'src/react.ts', action: 'removed' }),
    );
    expect(report.notes).toContainEqual(expect.stringContaining('src/chat.ts is no longer part'));
  });

  it('brings an edited client up to date with its server', async () => {
    const cwd = temporaryFolder();
    await generate(cwd, { type: 'chat', features: ['rooms'], port: 9100, output: 'server' });
    const { output } = await generateClientIn(cwd, { server: 'server', output: 'mine' });
    const readme = path.join(output, 'README.md');
    writeFileSync(readme, `${readFileSync(readme, 'utf8')}\nmine\n`);
    await generate(cwd, { update: 'server', features: ['rooms', 'auth'], port: 9200 });
    const report = await generateClientIn(cwd, { update: 'mine', server: 'server', react: true });
    expect(report).toMatchObject({ status: 'passed', features: ['rooms', 'auth'], output });
    expect(report.commands).toEqual(['cd mine', 'npm install', 'npm test']);
    expect(readFileSync(readme, 'utf8')).toMatch(/localhost:9200[^]*## Tokens[^]*\nmine\n$/);
    expect(snapshot(output)).toHaveProperty(['src/react.ts']);
    expect(snapshot(output)['package.json']).toContain('"name": "mine"');
    const again = await generateClientIn(cwd, { update: 'mine' });
    expect(again.notes).toContain('it is up to date: nothing was written');
    const refused = generateClientIn(cwd, { update: 'server' });
    await expect(refused).rejects.toThrow(/server is not a generated project: it is no generated/);
  });

  it('keeps its language when it is updated', async () => {
    const cwd = temporaryFolder();
    const { output, commands } = await generateClientIn(cwd, {
      language: 'go',
      output: 'my.client',
    });
    expect(commands).toEqual(['cd my.client', 'go test ./...']);
    const files = snapshot(output);
    expect(files['go.mod']).toMatch(/^module example\.com\/my-client\n/);
    expect(files['README.md']).toContain('"example.com/my-client"');
    const report = await generateClientIn(cwd, { update: 'my.client', features: ['auth'] });
    expect(report).toMatchObject({ language: 'go', status: 'passed' });
    expect(snapshot(output)).toHaveProperty(['token.go']);
    const other = generateClientIn(cwd, { update: 'my.client', language: 'typescript' });
    await expect(other).rejects.toThrow(/has the language go/);
  });

  it('is no server that can be tested', async () => {
    const { output } = await generateClientIn(temporaryFolder(), {});
    await expect(readProject(output)).rejects.toThrow(/it is a client, not a server/);
  });

  it.each([
    [{ type: 'pubsub', features: ['rooms'] }, /a pubsub server has no feature rooms/],
    [{ server: 'chat', type: 'pubsub' }, /the server is of the type chat/],
    [{ server: 'chat', features: ['metrics'] }, /the server has no feature metrics/],
    [{ server: 'echo' }, /no client for a server of the type echo/],
    [{ server: 'mcp' }, /no client for a server of the type mcp/],
    [{ server: '.' }, /is not a generated project/],
    [{ output: 'client.cjs' }, /an ES module/],
    [{ language: 'typescript', output: 'client.go' }, /a file in go, but --language is typescript/],
    [{ language: 'go', react: true }, /no React hooks in go/],
    [{ language: 'python', react: true }, /no React hooks in python/],
    [{ language: 'python', type: 'collab' }, /no collab client in python/],
    [{ language: 'python', output: 'client.js' }, /the name of a file in typescript, but/],
    [{ language: 'go', type: 'collab' }, /no collab client in go/],
    [{ type: 'rpc' }, /an rpc client speaks one protocol/],
    [{ type: 'chat', subprotocol: 'graphql-ws' }, /a chat client does not speak graphql-ws/],
    [{ server: 'chat', subprotocol: 'graphql-ws' }, /the server does not speak graphql-ws/],
  ] as const)('refuses %j before anything is written', async (input, message) => {
    const cwd = temporaryFolder();
    await generate(cwd, { type: 'chat', output: 'chat' });
    await generate(cwd, { type: 'echo', output: 'echo' });
    await generate(cwd, { type: 'mcp', output: 'mcp' });
    const before = snapshot(cwd);
    const refused = generateClientIn(cwd, {
      ...input,
      features: [...('features' in input ? input.features : [])],
    });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    expect(snapshot(cwd)).toEqual(before);
  });

  it('takes the language in any case, and no other language', () => {
    expect(GenerateClientInput.parse({ language: 'TypeScript' }).language).toBe('typescript');
    expect(GenerateClientInput.parse({ language: 'Go' }).language).toBe('go');
    expect(() => GenerateClientInput.parse({ language: 'rust' })).toThrow(/typescript/);
  });

  it('takes the language from the name of a file', async () => {
    const names = { 'client.py': 'python', 'client.js': 'typescript', 'client.py/': 'typescript' };
    for (const [output, expected] of Object.entries(names)) {
      const { language } = await generateClientIn(temporaryFolder(), { output });
      expect(language, output).toBe(expected);
    }
  });
});

describe.each(CLIENT_TYPES)('the client of a %s server', (type) => {
  const ALL = {
    chat: ['presence', 'auth'],
    pubsub: ['auth'],
    'live-updates': ['auth'],
  } as const;

  it(`has a core of at most ${MAX_CORE_BYTES} bytes`, async () => {
    const cwd = temporaryFolder();
    const { output } = await generateClientIn(cwd, {
      ...{ type, features: [...ALL[type]], output: 'client.js' },
    });
    const { outputFiles } = await build({
      ...{ entryPoints: [output], bundle: true, minify: true, write: false },
      ...{ format: 'esm', target: 'es2022' },
    });
    const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
    expect(bytes).toBeLessThanOrEqual(MAX_CORE_BYTES);
  });

  it('is one file without types, with the same exports as the package', async () => {
    const cwd = temporaryFolder();
    const { output } = await generateClientIn(cwd, { type, output: 'client.mjs' });
    const text = readFileSync(output, 'utf8');
    expect(text).not.toMatch(/^\s*(?:import|interface|type) /m);
    expect(text).not.toMatch(/#if|#endif|#else/);
    const names = Object.keys((await import(output)) as object);
    const client = {
      chat: 'ChatClient',
      pubsub: 'PubsubClient',
      'live-updates': 'LiveUpdatesClient',
    };
    expect(names).toEqual(expect.arrayContaining([client[type], 'CLOSE_CODES', 'ClientError']));
  });
});
