import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { validate } from 'skills-ref';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { VERSION } from '../../src/core/version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** What git does not hold, so no installer sees it. */
const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.a5c']);

interface Frontmatter {
  readonly name: string;
  readonly description: string;
  readonly compatibility: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly 'allowed-tools': string;
}

function split(text: string): { frontmatter: Frontmatter; body: string } {
  const [, yaml = '', body = ''] = /^---\n([^]*?)\n---\n([^]*)$/.exec(text) ?? [];
  return { frontmatter: parse(yaml) as Frontmatter, body };
}

function entriesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true }).map(
    (entry) => path.relative(root, path.join(entry.parentPath, entry.name)),
  );
}

describe.each(['websocket', 'skill'])('the skill %s', (name) => {
  const file = `skills/${name}/SKILL.md`;
  const { frontmatter, body } = split(read(file));

  it('is valid by the Agent Skills reference', async () => {
    expect(await validate(path.join(root, 'skills', name))).toEqual([]);
  });

  it('has exactly the six keys that every installer and upload accepts', () => {
    expect(Object.keys(frontmatter)).toEqual([
      'name',
      'description',
      'license',
      'compatibility',
      'metadata',
      'allowed-tools',
    ]);
    expect(frontmatter.name).toBe(name);
  });

  it('describes itself on one line, without angle brackets, and as the typed command', () => {
    expect(frontmatter.description).not.toMatch(/[<>\n]/);
    expect(frontmatter.description.length).toBeLessThanOrEqual(1024);
    expect(frontmatter.description).toContain('/skill websocket');
    expect(frontmatter.compatibility.length).toBeLessThanOrEqual(500);
  });

  it('names the version of the package', () => {
    expect(frontmatter.metadata).toMatchObject({ version: VERSION });
  });

  // Claude Code replaces $0, $1 and ${...} of a few names in the body before the model sees it, and
  // runs `!`-prefixed code spans; anything of that kind which is not meant would be rewritten.
  it('holds no shell that a host would rewrite or run', () => {
    expect(body).toContain('$ARGUMENTS');
    expect(body).not.toMatch(/\$\d/);
    expect(body).not.toMatch(/(?:^|\s)!`|^```!/m);
    expect(new Set(body.match(/\$\{?[A-Za-z_]+\}?/g))).toEqual(
      new Set(name === 'skill' ? ['$ARGUMENTS'] : ['$ARGUMENTS', '${CLAUDE_SKILL_DIR}']),
    );
  });

  it('is short enough to be loaded whole', () => {
    expect(body.split('\n').length).toBeLessThan(500);
    // About four bytes a token; the specification recommends fewer than 5000 tokens.
    expect(Buffer.byteLength(body)).toBeLessThan(20_000);
  });
});

describe('the folder skills/', () => {
  // The copy of `playbooks` drops README.md, metadata.json and names that start with an underscore,
  // and breaks symbolic links.
  it('holds nothing that an installer drops or breaks', () => {
    const entries = entriesBelow('skills');
    const dropped = entries.filter((entry) =>
      /^(?:README\.md|metadata\.json|_.*)$/.test(path.basename(entry)),
    );
    expect(dropped).toEqual([]);
    const links = entries.filter((entry) => lstatSync(path.join(root, entry)).isSymbolicLink());
    expect(links).toEqual([]);
  });

  it('holds the only files called SKILL.md with frontmatter', () => {
    const ours = readdirSync(root).filter((name) => !NOT_OURS.has(name));
    const files = ours.flatMap((name) =>
      lstatSync(path.join(root, name)).isDirectory() ? entriesBelow(name) : [name],
    );
    const skills = files.filter((file) => /(?:^|\/)skill\.md$/i.test(file));
    expect(skills.sort()).toEqual([
      'SKILL.md',
      'skills/skill/SKILL.md',
      'skills/websocket/SKILL.md',
    ]);
    expect(read('SKILL.md').startsWith('# ')).toBe(true);
  });

  it('links to every reference from SKILL.md, and to nothing that is not there', () => {
    const { body } = split(read('skills/websocket/SKILL.md'));
    const linked = new Set([...body.matchAll(/\]\((references\/[^)]+)\)/g)].map(([, to]) => to));
    const there = readdirSync(path.join(root, 'skills/websocket/references'));
    expect([...linked].sort()).toEqual(there.map((file) => `references/${file}`).sort());
  });

  it('lets the host run the bundled script and nothing else, quoted or not', () => {
    const { frontmatter } = split(read('skills/websocket/SKILL.md'));
    expect(frontmatter['allowed-tools']).toBe(
      'Bash(node ${CLAUDE_SKILL_DIR}/scripts/websocket.mjs:*) ' +
        'Bash(node "${CLAUDE_SKILL_DIR}/scripts/websocket.mjs":*) Read Write',
    );
  });
});
