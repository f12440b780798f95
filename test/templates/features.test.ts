import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failedIds, runTest } from '../support/endpoint.ts';
import { generateForTest } from './generated.ts';
import type { GeneratedServer } from './generated.ts';
import type { Mutant } from './mutant.ts';

const INPUT = { messages: 5, timeoutMs: 1000 };

/** The compiled chat server with a feature that does not work, and the row of `test` that fails. */
const MUTANTS: readonly Mutant[] = [
  {
    without: 'any broadcast',
    file: 'dist/src/room.js',
    find: /for \(const member of this\.members\)/,
    replace: 'for (const member of [])',
    check: 'chat-broadcast',
  },
  {
    without: 'a broadcast beyond the first two members',
    file: 'dist/src/room.js',
    find: 'of this.members)',
    replace: 'of [...this.members].slice(0, 2))',
    check: 'chat-broadcast',
  },
  {
    without: 'the delivery of messages to others',
    file: 'dist/src/chat.js',
    find: 'room.broadcast(bytes);',
    replace: 'client.sendEncoded(bytes);',
    check: 'chat-broadcast',
  },
  {
    without: 'the name of the sender',
    file: 'dist/src/chat.js',
    find: 'from: client.user',
    replace: "from: ''",
    check: 'chat-broadcast',
  },
  {
    without: 'walls between rooms',
    file: 'dist/src/chat.js',
    find: 'room.broadcast(bytes);',
    replace: 'for (const member of this.#clients) member.sendEncoded(bytes);',
    check: 'chat-rooms',
  },
  {
    without: 'an answer to joins',
    file: 'dist/src/chat.js',
    find: 'this.#join(client, command);',
    replace: '',
    check: 'chat-rooms',
  },
  {
    without: 'the end of a membership',
    file: 'dist/src/chat.js',
    find: 'this.#leave(client, command);',
    replace: "client.send({ type: 'left', id: command.id, room: command.room });",
    check: 'chat-rooms',
  },
  {
    without: 'anything in its history',
    file: 'dist/src/chat.js',
    find: /room\.history\.append\(.*\);/,
    replace: '',
    check: 'chat-history',
  },
  {
    without: 'a look at "since"',
    file: 'dist/src/history.js',
    find: /const recovered = [^;]*;/,
    replace: 'const recovered = false;',
    check: 'chat-history',
  },
  {
    without: 'a look at the epoch',
    file: 'dist/src/history.js',
    find: /const recovered = [^;]*;/,
    replace: 'const recovered = since !== undefined;',
    check: 'chat-history',
  },
  {
    without: 'the history of empty rooms',
    file: 'dist/src/rooms.js',
    find: /release\(room\) \{/,
    replace:
      'release(room) { if (room.members.size === 0) return void this.#rooms.delete(room.name);',
    check: 'chat-history',
  },
  {
    without: 'a list of members',
    file: 'dist/src/presence.js',
    find: 'return [...this.#users.keys()];',
    replace: 'return [];',
    check: 'chat-presence',
  },
  {
    without: 'the announcement of who joins',
    file: 'dist/src/presence.js',
    find: "this.#announce({ type: 'member-joined', user });",
    replace: '',
    check: 'chat-presence',
  },
  {
    without: 'the announcement of who leaves',
    file: 'dist/src/presence.js',
    find: "this.#announce({ type: 'member-left', user });",
    replace: '',
    check: 'chat-presence',
  },
  {
    without: 'the end of lost members',
    file: 'dist/src/chat.js',
    find: 'room.presence.exit(client.user, true);',
    replace: '',
    check: 'chat-presence',
  },
];

describe('test --project of a chat server', () => {
  let intact: GeneratedServer;
  beforeAll(async () => {
    intact = await generateForTest({ type: 'chat', features: ['rooms', 'presence', 'history'] });
  });
  afterAll(() => intact.dispose());

  it('passes every row of its features', async () => {
    const report = await runTest({ ...INPUT, project: intact.folder, ownTests: true });
    expect(failedIds(report.checks)).toEqual([]);
    expect(report.checks.at(-1)).toMatchObject({ id: 'own-tests', detail: '`npm test` passed' });
    expect(report.checks.filter(({ id }) => id.startsWith('chat-'))).toMatchObject([
      { id: 'chat-rooms', verdict: 'pass' },
      { id: 'chat-broadcast', verdict: 'pass' },
      { id: 'chat-history', verdict: 'pass' },
      { id: 'chat-presence', verdict: 'pass' },
    ]);
    expect(report.success).toBe(true);
  });

  it.each(MUTANTS)('fails without $without, in $check alone', async (mutant) => {
    const folder = `${intact.folder}-mutant`;
    try {
      cpSync(intact.folder, folder, {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
      });
      const file = path.join(folder, mutant.file);
      const source = readFileSync(file, 'utf8');
      const mutated = source.replace(mutant.find, mutant.replace);
      expect(mutated).not.toBe(source);
      writeFileSync(file, mutated);
      const report = await runTest({ ...INPUT, project: folder });
      expect(failedIds(report.checks)).toEqual([mutant.check]);
      expect(report.success).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('test --project --own-tests', () => {
  it('fails over a broken source in the row of the feature and in the own tests', async () => {
    const server = await generateForTest({ type: 'chat', features: ['rooms'] }, { isBuilt: false });
    try {
      const file = path.join(server.folder, 'src/room.ts');
      const source = readFileSync(file, 'utf8');
      writeFileSync(file, source.replace('of this.members)', 'of [...this.members].slice(0, 2))'));
      const report = await runTest({ ...INPUT, project: server.folder, ownTests: true });
      expect(failedIds(report.checks)).toEqual(['chat-broadcast', 'own-tests']);
      expect(report.checks.at(-1)?.detail).toMatch(/^`npm test` ended with exit code 1: sends a /);
    } finally {
      server.dispose();
    }
  }, 180_000);
});

describe('test --project of a chat server without features', () => {
  it('judges the broadcast and says why it skips the rest', async () => {
    const server = await generateForTest({ type: 'chat' });
    try {
      const report = await runTest({ ...INPUT, project: server.folder });
      expect(failedIds(report.checks)).toEqual([]);
      expect(report.checks.filter(({ id }) => id.startsWith('chat-'))).toMatchObject([
        { verdict: 'skip', detail: 'the project was generated without rooms' },
        { id: 'chat-broadcast', verdict: 'pass' },
        { verdict: 'skip', detail: 'the project was generated without history' },
        { verdict: 'skip', detail: 'the project was generated without presence' },
      ]);
    } finally {
      server.dispose();
    }
  });
});
