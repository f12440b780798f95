import { readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = path.join(root, 'skills/websocket/scripts/websocket.mjs');
const text = readFileSync(file, 'utf8');

interface Build {
  readonly bundle: (outfile: string) => Promise<void>;
}

describe('the bundled script of the skill', () => {
  it('comes out of the build byte for byte as it is committed', async () => {
    const { bundle } = (await import(path.join(root, 'scripts/build.mjs'))) as Build;
    const again = path.join(temporaryFolder(), 'websocket.mjs');
    await bundle(again);
    // Not compared as strings: a difference would print a million characters.
    expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
  });

  it('can be executed as it is', () => {
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(text.includes('\r')).toBe(false);
    expect(statSync(file).mode & 0o111).toBe(0o111);
  });

  it('imports nothing but Node itself', async () => {
    const { metafile } = await build({
      entryPoints: [file],
      bundle: true,
      external: ['*'],
      format: 'esm',
      metafile: true,
      write: false,
    });
    const imported = Object.values(metafile.inputs).flatMap(({ imports }) =>
      imports.map((each) => each.path),
    );
    // What esbuild calls for a module that is not in the bundle.
    const shim = /\bvar ([\w$]+)=\(\w+=>typeof require/.exec(text)?.[1]?.replace('$', '\\$');
    const required = [...text.matchAll(new RegExp(`(?<![\\w$])${shim}\\("([^"]+)"\\)`, 'g'))];
    const names = [...imported, ...required.map(([, name = '']) => name)];
    expect(names.filter((name) => !isBuiltin(name))).toEqual([]);
    expect(names).toContain('node:fs');
  });

  it('holds no path of the machine that made it', () => {
    for (const place of [root, path.dirname(root), `${homedir()}/`]) {
      expect(text.includes(place), place).toBe(false);
    }
  });

  // A skill is cloned and copied whole on every install.
  it('weighs less than 1.5 MB', () => {
    expect(text.length).toBeLessThan(1_500_000);
  });
});
