import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { VERSION } from '../../src/core/version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const name = z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
const text = z.string().min(1);

// The fields that Claude Code reads, and no others: an unknown key is a typing error that its own
// validation lets pass. `strict: false` makes the entry the whole manifest of the plugin.
const Plugin = z.strictObject({
  name,
  source: text,
  strict: z.literal(false),
  skills: z.array(z.string().startsWith('./')),
  version: text,
  description: text,
  author: z.strictObject({ name: text }),
  license: text,
  keywords: z.array(name),
});

const Marketplace = z.strictObject({
  name,
  owner: z.strictObject({ name: text }),
  metadata: z.strictObject({ description: text }),
  plugins: z.tuple([Plugin]),
});

const manifest = path.join(root, '.claude-plugin/marketplace.json');
const [plugin] = Marketplace.parse(JSON.parse(readFileSync(manifest, 'utf8'))).plugins;

it('offers one plugin of the package’s version on its marketplace', () => {
  expect(plugin).toMatchObject({ name: 'websocket', version: VERSION, license: 'MIT' });
});

// Claude Code copies the folder of a plugin as it is, with what git does not hold: of the whole
// repository that were the modules of its development.
it('has a folder for the plugin with the skills and nothing else', () => {
  const folder = path.join(root, plugin.source);
  const skills = plugin.skills.map((skill) => path.normalize(skill));
  expect(readdirSync(folder).sort()).toEqual(skills.sort());
  for (const skill of skills) {
    expect(lstatSync(path.join(folder, skill, 'SKILL.md')).isFile(), skill).toBe(true);
  }
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map((entry) => lstatSync(path.join(entry.parentPath, entry.name)).size);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2_000_000);
});
