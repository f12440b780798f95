import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEATURES, resolveAnswers, TYPE_FEATURES } from '../../src/generate/answers.ts';
import type { Feature } from '../../src/generate/answers.ts';
import { CLIENT_TYPES } from '../../src/generate/client.ts';
import type { ClientType } from '../../src/generate/client.ts';
import { generate } from '../../src/generate/generate.ts';
import { PROTOCOLS } from '../../src/generate/languages/language.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { generateForTest, root } from './generated.ts';
import { illFormatted, npmTest, testInOneProcess } from './npm-test.ts';

describe('templates as they stand', () => {
  let folder: string;
  beforeAll(() => {
    // A copy, so that what building leaves behind is never published.
    folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    cpSync(path.join(root, 'templates/nodejs'), folder, {
      recursive: true,
      filter: (source) => !/[\\/](?:node_modules|dist)$/.test(source),
    });
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    // What the template shares with others is not of its folder.
    for (const [shared, place] of [
      ['redis', 'lua'],
      ['handlers', 'src/handlers'],
    ] as const) {
      cpSync(path.join(root, 'templates/shared', shared), path.join(folder, 'realtime', place), {
        recursive: true,
      });
    }
    // The client of the page is not of the template: it comes from generate-client.
    const input = GenerateServerInput.parse({ type: 'collab' });
    const answers = resolveAnswers(input, { form: 'project', baseName: 'server' });
    const client = generate(answers).files.get('public/client.js') ?? '';
    writeFileSync(path.join(folder, 'realtime/public/client.js'), client);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['echo', 'realtime'])(
    '%s passes its own tests',
    async (name) => {
      expect(await npmTest(path.join(folder, name))).toBe('passed');
    },
    480_000,
  );
});

type Server = {
  readonly type: ClientType | 'collab' | 'rpc' | 'mcp';
  readonly features: readonly Feature[];
  /** Protocols of others. */
  readonly speaks?: readonly string[];
};

const ALL_PROTOCOLS = Object.keys(PROTOCOLS).filter((name) => name !== 'mcp');

/** The least server, and those in which every two features, and a type and a feature, meet in every way. */
const SERVERS: readonly Server[] = [
  { type: 'chat', features: [] },
  { type: 'chat', features: ['rooms', 'history'] },
  { type: 'chat', features: ['rooms', 'presence', 'auth'] },
  { type: 'chat', features: ['auth', 'rate-limit', 'metrics'], speaks: ALL_PROTOCOLS },
  {
    type: 'chat',
    features: ['rooms', 'presence', 'history', 'resume', 'rate-limit', 'metrics', 'redis'],
  },
  { type: 'pubsub', features: ['rate-limit', 'metrics'], speaks: ALL_PROTOCOLS },
  { type: 'pubsub', features: ['history', 'resume', 'rate-limit', 'redis'] },
  { type: 'pubsub', features: ['history', 'resume', 'auth', 'metrics', 'redis'] },
  { type: 'live-updates', features: ['resume', 'rate-limit', 'redis'] },
  { type: 'live-updates', features: ['resume', 'auth', 'metrics'] },
  { type: 'collab', features: ['rate-limit', 'redis'] },
  { type: 'collab', features: ['auth', 'metrics', 'redis'] },
  { type: 'collab', features: ['auth', 'rate-limit', 'metrics'] },
  { type: 'collab', features: [] },
  { type: 'rpc', features: [], speaks: ALL_PROTOCOLS },
  { type: 'rpc', features: ['auth', 'rate-limit', 'metrics'] },
  { type: 'mcp', features: [] },
  { type: 'mcp', features: ['auth', 'rate-limit', 'metrics'] },
];

function resolved({ type, features }: Server): Server {
  const input = GenerateServerInput.parse({ type, features: [...features] });
  const answers = resolveAnswers(input, { form: 'project', baseName: 'server' });
  return { type, features: answers.features };
}

/** What meets in a server: each feature on or off with its type, and with each other feature. */
function pairsOf({ type, features }: Server): string[] {
  const states = FEATURES.map((one) => `${one} ${features.includes(one) ? 'on' : 'off'}`);
  return states.flatMap((state, at) => [
    `${type}, ${state}`,
    ...states.slice(at + 1).map((other) => `${state}, ${other}`),
  ]);
}

describe('servers', () => {
  it('hold every pair that there can be', () => {
    const all = ([...CLIENT_TYPES, 'collab', 'rpc', 'mcp'] as const).flatMap((type) =>
      TYPE_FEATURES[type]
        .reduce<Feature[][]>((sets, one) => [...sets, ...sets.map((set) => [...set, one])], [[]])
        .flatMap((features) => pairsOf(resolved({ type, features }))),
    );
    const held = new Set(SERVERS.flatMap((server) => pairsOf(resolved(server))));
    expect([...new Set(all)].filter((pair) => !held.has(pair))).toEqual([]);
  });

  it.each(SERVERS.map((server) => ({ ...server, name: server.features.join(', ') || 'none' })))(
    'of type $type with $name compile, are well formatted and pass their own tests',
    async ({ type, features, speaks = [] }) => {
      // Its values are as far from those of the template as they can be.
      const generated = await generateForTest(
        {
          type,
          features: [...features],
          port: 1,
          compression: 'none',
          serverNoContextTakeover: false,
          subprotocols: ["it's", 'b', ...speaks],
          maxPayload: 70_000,
          pingInterval: 100,
          name: 'x',
        },
        { isBuilt: false },
      );
      try {
        expect(await testInOneProcess(generated.folder)).toBe('passed');
        expect(await illFormatted(generated.folder, generated.files)).toEqual([]);
      } finally {
        generated.dispose();
      }
    },
    // It installs nothing, but compiles and runs hundreds of tests.
    480_000,
  );
});
