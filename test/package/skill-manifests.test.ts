import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { VERSION } from '../../src/core/version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const name = z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
const text = z.string().min(1);

// The fields that Claude Code reads, and no others: an unknown key is a typing error that its own
// validation lets pass.
const Plugin = z.strictObject({
  name,
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
  plugins: z.array(z.strictObject({ name, source: z.literal('./'), description: text })).length(1),
});

function read(file: string): unknown {
  return JSON.parse(readFileSync(path.join(root, '.claude-plugin', file), 'utf8'));
}

it('has a plugin manifest of the package’s version', () => {
  const plugin = Plugin.parse(read('plugin.json'));
  expect(plugin).toMatchObject({ name: 'websocket', version: VERSION, license: 'MIT' });
});

it('offers that plugin, and the repository as its source, on its marketplace', () => {
  const [offered] = Marketplace.parse(read('marketplace.json')).plugins;
  expect(offered?.name).toBe(Plugin.parse(read('plugin.json')).name);
});
