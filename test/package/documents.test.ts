import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { CloseCode, explainCloseCode, isSendableCloseCode } from '../../src/protocol/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

function markdownIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: folder !== '', withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort();
}

const documents = ['', 'docs', 'skills'].flatMap(markdownIn);

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[^]*?^```$/gm, '').replaceAll(/`[^`]*`/g, '');
}

/** Targets of the links to files, images included; not those to the web. */
function linksOf(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\[[^\]]*\]\(([^)]+)\)/g)]
    .map(([, to = '']) => to)
    .filter((to) => !/^[a-z]+:/.test(to));
}

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');

/** Folders of the repository, at most `depth` levels deep: `src`, `src/core`. */
function foldersOf(depth: number): string[] {
  const prefixes = tracked.flatMap((file) => {
    const folders = file.split('/').slice(0, -1).slice(0, depth);
    return folders.map((_, index) => folders.slice(0, index + 1).join('/'));
  });
  return [...new Set(prefixes)];
}

describe('the documents', () => {
  it.each(documents)('%s links only to files that exist', (file) => {
    const missing = linksOf(read(file)).filter(
      (to) => !existsSync(path.resolve(root, path.dirname(file), to.replace(/#.*$/, ''))),
    );
    expect(missing).toEqual([]);
  });

  // Those of the skill name files of the user's project.
  it.each(['', 'docs'].flatMap(markdownIn))('%s names only paths that exist', (file) => {
    const paths = [...read(file).matchAll(/`([a-z]+\/[^`\s]*)`/g)]
      .map(([, to = '']) => to)
      .filter((to) => foldersOf(1).includes(to.replace(/\/.*$/, '')) && !/[<>*]/.test(to));
    expect(paths.filter((to) => !existsSync(path.join(root, to)))).toEqual([]);
  });

  it('hold the flag table of each operation once, in the references of the skill', () => {
    const tables = documents.flatMap((file) =>
      [...read(file).matchAll(/<!-- flags:([a-z-]+) -->/g)].map(
        ([, name = '']) => `${path.dirname(file)} ${name}`,
      ),
    );
    const expected = commands.map(({ name }) => `skills/websocket/references ${name}`);
    expect(tables.sort()).toEqual(expected.sort());
  });

  it('are short enough to be read: README.md and AGENTS.md', () => {
    expect(read('README.md').split('\n').length - 1).toBeLessThanOrEqual(200);
    expect(read('AGENTS.md').split('\n').length - 1).toBeLessThanOrEqual(100);
  });

  it('show each operation in README.md', () => {
    const readme = read('README.md');
    const missing = commands.filter(
      ({ name }) => !RegExp(`websocket-skill ${name}(?![\\w-])`).test(readme),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('troubleshooting.md of the skill', () => {
  const text = read('skills/websocket/references/troubleshooting.md');
  const rows = new Map(
    [...text.matchAll(/^\| (\d{4}) +\| ([^|]+?) +\| ([^|]+?) +\|/gm)].map(
      ([, code, name = '', who = '']) => [Number(code), { name, who }],
    ),
  );

  it('explains each close code, under the name that reports give it', () => {
    const codes = [...Object.values(CloseCode), 1004];
    expect([...rows.keys()]).toEqual(codes.sort());
    const names = [...rows].map(([code, { name }]) => [
      code,
      explainCloseCode(code).startsWith(name),
    ]);
    expect(names.filter(([, isSame]) => isSame !== true)).toEqual([]);
    for (const range of ['1016-2999', '3000-3999', '4000-4999'])
      expect(text).toContain(`| ${range}`);
  });

  it('says which codes never cross the wire', () => {
    const never = [...rows].filter(([, { who }]) => /^(?:never sent|nobody):/.test(who));
    expect(never.map(([code]) => code)).toEqual(
      [...rows.keys()].filter((code) => !isSendableCloseCode(code)),
    );
  });

  it('has the command of this program, of wscat and of websocat for each symptom', () => {
    const symptoms = [
      ...text.matchAll(/^## (The [^\n]*|Messages [^\n]*|Compression [^\n]*)\n([^]*?)(?=^## )/gm),
    ];
    expect(symptoms.map(([, title]) => title)).toEqual([
      'The connection is refused',
      'The handshake fails',
      'Messages do not arrive',
      'The connection drops',
      'Compression errors',
    ]);
    for (const [, title, section = ''] of symptoms) {
      expect(section, title).toMatch(/^\/websocket [^]*^wscat -c ws:[^]*^websocat .*ws:/m);
      expect(section, title).toMatch(/^\| .* fix/m);
    }
  });
});

describe('AGENTS.md', () => {
  const named = new Set(
    [...read('AGENTS.md').matchAll(/`([^`\s]*\/[^`\s]*)`/g)]
      .map(([, name = '']) => name.replace(/\/$/, ''))
      .filter((name) => !/[<>*$]/.test(name) && !name.startsWith('/')),
  );

  it('names only paths that exist', () => {
    expect([...named].filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
  });

  it('names every folder of the repository and, two levels deep, of src', () => {
    const folders = [
      ...foldersOf(1),
      ...foldersOf(3).filter((folder) => folder.startsWith('src/')),
    ];
    expect(folders.filter((folder) => !named.has(folder))).toEqual([]);
  });
});
