import { afterAll, beforeAll, describe, it } from 'vitest';
import { CHAT_CHECKS, ROOM_CHECKS } from './chat-checks.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { HANDSHAKE_CHECKS, SLOW_CHECKS } from './handshake-checks.ts';
import type { Check, Kind } from './check.ts';
import { ECHO_CHECKS } from './echo-checks.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { pythonRequirement } from '../support/python.ts';
import { generateForTest, soonWithin } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

type Input = Parameters<typeof generateForTest>[0];

const EVERYTHING = ['presence', 'resume'] as const;

/** It looks into the process of Node; a Python project has a test of its own for it. */
const INSIDE_NODE = 'gives a flood turns, between which others have theirs';
const ECHO_OUTSIDE = Object.fromEntries(
  Object.entries<Check>(ECHO_CHECKS).filter(([name]) => name !== INSIDE_NODE),
);

/** One contract for every kind of output, through the network and the process alone. */
const SERVERS: readonly {
  name: string;
  kind: Kind;
  input: Input;
  checks: Record<string, Check>;
}[] = [
  {
    name: 'echo server in one file',
    kind: 'echo',
    input: { type: 'echo', output: 'echo-server.js' },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...ECHO_CHECKS,
      ...HOSTILE_CHECKS,
      ...SLOW_CHECKS,
    },
  },
  {
    name: 'echo project',
    kind: 'echo',
    input: { type: 'echo', compression: 'none', subprotocols: ['v1'] },
    checks: { ...HANDSHAKE_CHECKS, ...CONNECTION_CHECKS, ...ECHO_CHECKS, ...HOSTILE_CHECKS },
  },
  {
    name: 'Python echo server in one file',
    kind: 'echo',
    input: { language: 'python', type: 'echo', output: 'echo_server.py' },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...ECHO_OUTSIDE,
      ...HOSTILE_CHECKS,
      ...SLOW_CHECKS,
    },
  },
  {
    name: 'Python echo project',
    kind: 'echo',
    input: { language: 'python', type: 'echo', compression: 'none', subprotocols: ['v1'] },
    checks: { ...HANDSHAKE_CHECKS, ...CONNECTION_CHECKS, ...ECHO_OUTSIDE, ...HOSTILE_CHECKS },
  },
  {
    name: 'Python chat server with every feature',
    kind: 'chat',
    input: {
      language: 'python',
      type: 'chat',
      features: [...EVERYTHING],
      subprotocols: ['v1'],
    },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...CHAT_CHECKS,
      ...ROOM_CHECKS,
      ...HOSTILE_CHECKS,
      ...SLOW_CHECKS,
    },
  },
  {
    name: 'chat server without features',
    kind: 'chat',
    input: { type: 'chat', compression: 'none' },
    checks: { ...HANDSHAKE_CHECKS, ...CONNECTION_CHECKS, ...CHAT_CHECKS, ...HOSTILE_CHECKS },
  },
  {
    name: 'chat server with every feature',
    kind: 'chat',
    input: { type: 'chat', features: [...EVERYTHING], subprotocols: ['v1'] },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...CHAT_CHECKS,
      ...ROOM_CHECKS,
      ...HOSTILE_CHECKS,
      ...SLOW_CHECKS,
    },
  },
];

for (const { name, kind, input, checks } of SERVERS) {
  const describeServer = input.language === 'python' ? pythonRequirement(name) : describe;
  describeServer(name, () => {
    let server: GeneratedServer;
    beforeAll(async () => {
      server = await generateForTest(input);
    });
    afterAll(() => server.dispose());

    it.each(Object.entries(checks))('%s', async (_, check) => {
      await check({ boot: server.boot, kind, soon: soonWithin(10_000) });
    });
  });
}
