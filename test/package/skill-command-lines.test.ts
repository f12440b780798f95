import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { Settings } from '../../src/core/settings.ts';
import { flagsOf } from '../../src/core/derive/flags.ts';
import { resolveInput } from '../../src/core/derive/input.ts';
import { commandLinesOf } from '../support/command-lines.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function markdownBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort();
}

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'processes', 'skills', 'templates'].flatMap(markdownBelow),
];

const commandLines = documents.flatMap((file) =>
  commandLinesOf(readFileSync(path.join(root, file), 'utf8')).map((command) => ({
    ...command,
    at: `${file}:${command.line} ${command.words.join(' ')}`,
  })),
);

describe('the reader of command lines', () => {
  const wordsOf = (markdown: string): (readonly string[])[] =>
    commandLinesOf(markdown).map(({ words }) => words);

  it.each([
    ['`websocket-skill test --url ws://x`', ['test', '--url', 'ws://x']],
    ['`/skill websocket config`', ['config']],
    ['see `/websocket test\n--json` there', ['test', '--json']],
    ['```sh\nnpx websocket-skill test \\\n  --json # why\n```', ['test', '--json']],
    [
      '```\nnode "${DIR}/websocket.mjs" test --send \'{"a": 1}\'\n```',
      ['test', '--send', '{"a": 1}'],
    ],
    ['```\ncd x && websocket-skill config | jq .\n```', ['config']],
    [
      '```\nwebsocket-skill generate-server --features "a, b"\n```',
      ['generate-server', '--features', 'a, b'],
    ],
  ])('finds the one in %j', (markdown, words) => {
    expect(wordsOf(markdown)).toEqual([words]);
  });

  it('leaves names, prose and other programs alone', () => {
    const markdown = '`websocket-skill` `websocket-skill/protocol` websocket-skill test `npm test`';
    expect(wordsOf(markdown)).toEqual([]);
  });
});

describe('the command lines in the documents', () => {
  it('are in every document that shows how to use the program', () => {
    const files = new Set(commandLines.map(({ at }) => at.split(':')[0]));
    expect([...files]).toEqual(
      expect.arrayContaining([
        'README.md',
        'SKILL.md',
        'skills/skill/SKILL.md',
        'skills/websocket/SKILL.md',
        ...markdownBelow('skills/websocket/references').filter((file) => !/errors/.test(file)),
      ]),
    );
  });

  it.each(commandLines.filter(({ isPattern }) => !isPattern))(
    'can be run: $at',
    async ({ words }) => {
      // A file of arguments is the reader's own; what it may hold is not the document's matter.
      const input = words.indexOf('--input');
      const line = input < 0 ? words : words.toSpliced(input, 2);
      const parsed = await parseCommandLine(line, { version: '', commands }, root);
      if ('text' in parsed || input >= 0) return;
      const { operation, args } = parsed;
      expect(() => resolveInput(operation, args, Settings.parse({}), 'flag')).not.toThrow();
    },
  );

  it.each(commandLines.filter(({ isPattern }) => isPattern))(
    'name only what exists: $at',
    async ({ words: [name = '', ...rest] }) => {
      if (/^[<[]|^\.{3}$/.test(name)) return;
      const entry = commands.find((candidate) => candidate.name === name);
      expect(entry, name).toBeDefined();
      const operation = await entry?.load();
      const known = operation === undefined ? [] : flagsOf(operation).map((flag) => flag.name);
      const used = rest.flatMap((word) => /^\[?--(?:no-)?([a-z-]+)/.exec(word)?.[1] ?? []);
      expect([...known, 'json', 'input', 'help']).toEqual(expect.arrayContaining(used));
    },
  );
});
