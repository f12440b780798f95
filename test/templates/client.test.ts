import { cpSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import { Doc } from 'yjs';
import { CLIENT_TYPES } from '../../src/generate/client.ts';
import { runTest } from '../support/endpoint.ts';
import { generateClientIn } from '../support/generate-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { compile, generateForTest, root } from './generated.ts';
import { illFormatted, npmTest, testInOneProcess } from './npm-test.ts';

/** What `npm install` would bring. */
function install(folder: string): void {
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
}

describe('the template of clients', () => {
  it('passes its own tests', async () => {
    const folder = path.join(temporaryFolder(), 'client');
    cpSync(path.join(root, 'templates/typescript/client'), folder, {
      recursive: true,
      filter: (source) => !/[\\/](?:node_modules|dist)$/.test(source),
    });
    install(folder);
    expect(await npmTest(folder)).toBe('passed');
  });
});

/** The part of a generated collab client that its test uses. */
interface Generated {
  readonly CollabProvider: new (
    url: string,
    name: string,
    doc: Doc,
    options: object,
  ) => Pick<WebsocketProvider, 'awareness' | 'synced' | 'destroy' | 'connect' | 'disconnect'> & {
    reconnect(): void;
  };
}

const FEATURES = {
  chat: ['presence', 'auth'],
  pubsub: ['auth'],
  'live-updates': ['auth'],
} as const;

describe.each(CLIENT_TYPES)('a %s client', (type) => {
  it.each([
    { name: 'nothing', features: [], react: false },
    { name: 'everything', features: [...FEATURES[type]], react: true },
  ])('with $name compiles, is well formatted and passes its own tests', async (chosen) => {
    const { features, react } = chosen;
    const input = { type, features, react, url: 'wss://example.org/x', name: 'x' };
    const { output, files } = await generateClientIn(temporaryFolder(), input);
    install(output);
    expect(await testInOneProcess(output)).toBe('passed');
    const paths = files.map((file) => file.path);
    expect(await illFormatted(output, paths)).toEqual([]);
  });
});

describe('a JSON-RPC client', () => {
  it('compiles, is well formatted, passes its own tests, and is one file, too', async () => {
    const { output, files, type } = await generateClientIn(temporaryFolder(), {
      subprotocol: 'json-rpc',
      features: ['auth'],
      name: 'x',
    });
    expect(type).toBe('rpc');
    install(output);
    expect(await npmTest(output)).toBe('passed');
    const paths = files.map((file) => file.path);
    expect(await illFormatted(output, paths)).toEqual([]);
    await expect(runTest({ role: 'client', project: output })).rejects.toThrow(/no contract/);
    const one = await generateClientIn(temporaryFolder(), {
      subprotocol: 'json-rpc',
      output: 'client.js',
    });
    const names = Object.keys((await import(one.output)) as object);
    expect(names.sort()).toEqual(['CLOSE_CODES', 'ClientError', 'JsonRpcClient', 'RpcError']);
  });

  it('is refused for another type, and for a server that does not speak it', async () => {
    const cwd = temporaryFolder();
    const chat = { type: 'chat', subprotocol: 'json-rpc' } as const;
    await expect(generateClientIn(cwd, chat)).rejects.toThrow(
      /chat client does not speak json-rpc/,
    );
    const hooks = { subprotocol: 'json-rpc', react: true } as const;
    await expect(generateClientIn(cwd, hooks)).rejects.toThrow(/no React hooks/);
    const server = await generateForTest({ type: 'chat', output: 'server/' }, { isBuilt: false });
    onTestFinished(() => server.dispose());
    const of = { server: server.folder, subprotocol: 'json-rpc' } as const;
    await expect(generateClientIn(cwd, of)).rejects.toThrow(/the server does not speak json-rpc/);
  });
});

describe('a collab client', () => {
  it.each([{ features: [] }, { features: ['auth' as const] }])(
    'with $features compiles, is well formatted and passes its own tests',
    async ({ features }) => {
      const input = { type: 'collab', features, url: 'wss://example.org/x', name: 'x' } as const;
      const { output, files } = await generateClientIn(temporaryFolder(), input);
      install(output);
      expect(await testInOneProcess(output)).toBe('passed');
      const paths = files.map((file) => file.path);
      expect(await illFormatted(output, paths)).toEqual([]);
      await expect(runTest({ role: 'client', project: output })).rejects.toThrow(/no contract/);
    },
  );

  it('converges with y-websocket on a generated server, over cuts and while it is offline', async () => {
    const server = await generateForTest({ type: 'collab', features: ['auth'], output: 'server/' });
    onTestFinished(() => server.dispose());
    const { output } = await generateClientIn(path.dirname(server.folder), {
      server: server.folder,
      output: path.join(temporaryFolder(), 'client/'),
    });
    install(output);
    compile(output);
    const secret = 'a secret of the tests, long enough for HS256';
    const { port } = await server.boot({ AUTH_SECRET: secret });
    const getToken = async (): Promise<string> =>
      await new SignJWT({ sub: 'ada' })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuedAt()
        .setExpirationTime('10m')
        .sign(new TextEncoder().encode(secret));
    const { CollabProvider } = (await import(path.join(output, 'dist/src/index.js'))) as Generated;
    const url = `ws://localhost:${port}/collab`;
    const [mine, theirs] = [new Doc(), new Doc()];
    const provider = new CollabProvider(url, 'notes', mine, { getToken, WebSocket });
    onTestFinished(() => provider.destroy());
    const protocols = ['y-websocket', `bearer.${await getToken()}`];
    const stock = new WebsocketProvider(url, 'notes', theirs, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
      protocols,
    });
    onTestFinished(() => stock.destroy());
    const texts = [mine.getText('text'), theirs.getText('text')] as const;
    const both = async (...parts: string[]): Promise<void> => {
      await expect
        .poll(
          () => {
            const [text = '', other] = texts.map((one) => one.toJSON());
            return text === other && parts.every((part) => text.includes(part));
          },
          { timeout: 10_000 },
        )
        .toBe(true);
    };
    texts[0].insert(0, 'one ');
    texts[1].insert(0, 'two ');
    await both('one ', 'two ');
    provider.awareness.setLocalState({ name: 'ada' });
    const seen = (): unknown => stock.awareness.getStates().get(mine.clientID);
    await expect.poll(seen, { timeout: 10_000 }).toEqual({ name: 'ada' });

    provider.reconnect();
    expect(provider.synced).toBe(false);
    texts[0].insert(0, 'cut ');
    texts[1].insert(0, 'meanwhile ');
    await both('cut ', 'meanwhile ', 'one ', 'two ');
    await expect.poll(() => provider.synced, { timeout: 10_000 }).toBe(true);

    provider.disconnect();
    await expect.poll(seen, { timeout: 10_000 }).toBe(undefined);
    texts[0].delete(0, 4);
    texts[0].insert(0, 'offline ');
    texts[1].insert(0, 'online ');
    provider.connect();
    await both('offline ', 'online ', 'one ', 'two ');
    // Who has seen it go sees it again.
    await expect.poll(seen, { timeout: 10_000 }).toEqual({ name: 'ada' });
  });

  it('is one file, and has no hooks', async () => {
    const cwd = temporaryFolder();
    symlinkSync(path.join(root, 'node_modules'), path.join(cwd, 'node_modules'));
    const { output } = await generateClientIn(cwd, { type: 'collab', output: 'client.mjs' });
    const names = Object.keys((await import(output)) as object);
    expect(names.sort()).toEqual(['CLOSE_CODES', 'ClientError', 'CollabProvider']);
    await expect(generateClientIn(cwd, { type: 'collab', react: true })).rejects.toThrow(/hooks/);
  });
});
