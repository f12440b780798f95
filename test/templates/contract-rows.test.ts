import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Parser } from '@asyncapi/parser';
import { describe, expect, it } from 'vitest';
import { failedIds, runTest } from '../support/endpoint.ts';
import { runContractRows } from '../support/contract-rows.ts';
import { compile, generateForTest } from './generated.ts';

type Input = Parameters<typeof generateForTest>[0];

const INPUT = { messages: 5, timeoutMs: 5000 };

/** Sets of features besides those whose own tests, with the contract in them, run elsewhere. */
const SERVERS: readonly { name: string; input: Input; least: number }[] = [
  { name: 'chat with history', input: { type: 'chat', features: ['history'] }, least: 110 },
  {
    name: 'chat with presence, resume and auth',
    input: { type: 'chat', features: ['presence', 'resume', 'auth'] },
    least: 150,
  },
  { name: 'pubsub with resume', input: { type: 'pubsub', features: ['resume'] }, least: 50 },
  { name: 'live-updates', input: { type: 'live-updates' }, least: 50 },
];

/** What the parser of AsyncAPI finds in the description that a project has made of its messages. */
async function faultsOfDescription(folder: string): Promise<unknown[]> {
  execFileSync(process.execPath, ['dist/src/asyncapi.js'], { cwd: folder });
  const text = readFileSync(path.join(folder, 'asyncapi.yaml'), 'utf8');
  const { document, diagnostics } = await new Parser().parse(text);
  expect(document?.operations()).toHaveLength(2);
  // Newer versions of AsyncAPI are no fault.
  return diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version');
}

/** Lets a program live a day ago; `Date` of its responses follows only if `isShown`. */
function dayAgo(isShown: boolean): string {
  const code = `
    import { ServerResponse } from 'node:http';
    const { now } = Date;
    globalThis.Date = class extends Date {
      constructor(...args) { super(...(args.length === 0 ? [now() - 864e5] : args)); }
      static now() { return now() - 864e5; }
    };
    const { writeHead } = ServerResponse.prototype;
    if (${isShown}) ServerResponse.prototype.writeHead = function (...args) {
      this.setHeader('Date', new Date().toUTCString());
      return writeHead.apply(this, args);
    };`;
  return `--import data:text/javascript,${encodeURIComponent(code)}`;
}

describe('the contract', () => {
  it.each(SERVERS)(
    'holds for $name, whose messages are described',
    async ({ input, least }) => {
      const server = await generateForTest(input);
      try {
        expect(await faultsOfDescription(server.folder)).toEqual([]);
        const results = await runContractRows(server.project);
        const failed = results.filter(({ verdict }) => verdict === 'fail');
        expect(failed.map(({ row, detail }) => `${row.id}: ${detail}`)).toEqual([]);
        expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(least);
        for (const { detail } of results.filter(({ verdict }) => verdict === 'skip')) {
          expect(detail).toMatch(/^the server (?:lacks|has) the feature /);
        }
      } finally {
        server.dispose();
      }
    },
    240_000,
  );

  it('is a part of test --project, and of the own tests of a project', async () => {
    const server = await generateForTest({ type: 'chat', features: ['rooms'] });
    try {
      const file = path.join(server.folder, 'dist/src/room.js');
      const source = readFileSync(file, 'utf8');
      const mutated = source.replace('of this.members)', 'of [...this.members].slice(0, 2))');
      expect(mutated).not.toBe(source);
      writeFileSync(file, mutated);
      const report = await runTest({ ...INPUT, project: server.folder });
      expect(failedIds(report.checks)).toContain('chat.message.all');
      expect(report.checks.find(({ id }) => id === 'chat.message.all')).toMatchObject({
        section: 'chat',
        detail: expect.stringMatching(/^nothing within \d+ ms, expected "message"/) as unknown,
      });
      expect(report.success).toBe(false);

      const { scripts } = JSON.parse(
        readFileSync(path.join(server.folder, 'package.json'), 'utf8'),
      ) as { scripts: { test: string } };
      expect(scripts.test).toContain(' test/contract.mjs');
      const own = spawnSync(process.execPath, ['--test', 'test/contract.mjs'], {
        cwd: server.folder,
        encoding: 'utf8',
        env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      });
      expect(own.status).toBe(1);
      expect(own.stdout).toMatch(/not ok \d+ - chat\.message\.all: a message arrives/);
      expect(own.stdout).toMatch(/ok \d+ - chat\.join\.reply: /);
    } finally {
      server.dispose();
    }
  }, 240_000);

  it('leaves rules of its own to a project, and keeps to the names that it is told', async () => {
    const server = await generateForTest({ type: 'chat', features: ['rooms'] }, { isBuilt: false });
    try {
      const file = path.join(server.folder, 'src/handlers/authorize.ts');
      const source = readFileSync(file, 'utf8');
      const strict = source.replace(
        '({ allowed }) => allowed',
        "({ allowed, name }) => allowed && name.startsWith('team-')",
      );
      expect(strict).not.toBe(source);
      writeFileSync(file, strict);
      compile(server.folder);

      const unaware = await runContractRows(server.project);
      expect(unaware.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
      expect(unaware.find(({ row }) => row.id === 'chat.message.all')).toMatchObject({
        verdict: 'skip',
        detail: expect.stringMatching(
          /^src\/handlers\/authorize\.ts was changed .*CONTRACT_NAMES/,
        ) as unknown,
      });

      const rows = ['chat.message.all', 'chat.join.names', 'common.limits.too-many'];
      const told = await runContractRows(server.project, rows, 5000, { names: 'team-' });
      expect(told.map(({ row, verdict }) => [row.id, verdict])).toEqual([
        ['chat.join.names', 'skip'],
        ['chat.message.all', 'pass'],
        ['common.limits.too-many', 'pass'],
      ]);
    } finally {
      server.dispose();
    }
  }, 240_000);

  it('tells a wrong time from the clock of a server, which its Date shows', async () => {
    const server = await generateForTest({ type: 'chat' });
    try {
      const rows = ['common.event.at'];
      const settings = { NODE_OPTIONS: dayAgo(true) };
      expect(await runContractRows(server.project, rows, 5000, { settings })).toMatchObject([
        { verdict: 'skip', detail: expect.stringMatching(/^the clocks differ: /) as unknown },
      ]);
      const wrong = { settings: { NODE_OPTIONS: dayAgo(false) } };
      expect(await runContractRows(server.project, rows, 5000, wrong)).toMatchObject([
        { verdict: 'fail', detail: expect.stringMatching(/; Date of the server is "/) as unknown },
      ]);
    } finally {
      server.dispose();
    }
  });

  it('of another type than the project is wrong usage', async () => {
    const server = await generateForTest({ type: 'echo' });
    try {
      await expect(
        runTest({ ...INPUT, project: server.project, contract: 'chat' }),
      ).rejects.toThrow('--contract is chat, but the project is of type echo');
    } finally {
      server.dispose();
    }
  });
});
