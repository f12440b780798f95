import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHAT_MUTANTS } from './chat-mutants.ts';
import { CHAT_CHECKS, ROOM_CHECKS } from './chat-checks.ts';
import { CONNECTION_CHECKS } from './connection-checks.ts';
import { HANDSHAKE_CHECKS } from './handshake-checks.ts';
import type { Boot, Check, Kind } from './check.ts';
import { ECHO_CHECKS } from './echo-checks.ts';
import { ECHO_MUTANTS } from './echo-mutants.ts';
import { HOSTILE_CHECKS } from './hostile-checks.ts';
import { generateForTest, soonWithin, start } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import type { Mutant } from './mutant.ts';

interface Family {
  readonly name: string;
  readonly kind: Kind;
  readonly input: Parameters<typeof generateForTest>[0];
  readonly checks: Readonly<Record<string, Check>>;
  readonly mutants: readonly Mutant[];
}

const FAMILIES: readonly Family[] = [
  {
    name: 'echo server',
    kind: 'echo',
    input: { type: 'echo', output: 'echo-server.js' },
    checks: { ...HANDSHAKE_CHECKS, ...CONNECTION_CHECKS, ...ECHO_CHECKS, ...HOSTILE_CHECKS },
    mutants: ECHO_MUTANTS,
  },
  {
    name: 'chat server',
    kind: 'chat',
    input: { type: 'chat', features: ['rooms', 'presence', 'history'] },
    checks: {
      ...HANDSHAKE_CHECKS,
      ...CONNECTION_CHECKS,
      ...CHAT_CHECKS,
      ...ROOM_CHECKS,
      ...HOSTILE_CHECKS,
    },
    mutants: CHAT_MUTANTS,
  },
];

describe.each(FAMILIES)('$name', ({ kind, input, checks, mutants }) => {
  let intact: GeneratedServer;
  beforeAll(async () => {
    intact = await generateForTest(input);
  });
  afterAll(() => intact.dispose());

  it.each(mutants)('is caught without $without', async ({ file, find, replace, check }) => {
    const folder = `${intact.folder}-mutant`;
    try {
      cpSync(intact.folder, folder, { recursive: true, verbatimSymlinks: true });
      const source = readFileSync(path.join(folder, file), 'utf8');
      const mutated = source.replace(find, replace);
      expect(mutated).not.toBe(source);
      writeFileSync(path.join(folder, file), mutated);
      const project = path.join(folder, path.relative(intact.folder, intact.project));
      const run = checks[check];
      if (run === undefined) throw new Error(`there is no check ${check}`);
      const boot: Boot = (env) => start(project, env);
      await expect(run({ boot, kind, soon: soonWithin(2000) })).rejects.toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('has a check for every guard that mutants lack', () => {
    const unused = mutants.filter(({ check }) => !Object.hasOwn(checks, check));
    expect(unused).toEqual([]);
  });
});
