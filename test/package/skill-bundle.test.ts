import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scripts = path.join(root, 'skills/websocket/scripts');
const file = path.join(scripts, 'websocket.mjs');
const text = readFileSync(file, 'utf8');

interface Build {
  readonly bundle: (outfile: string) => Promise<void>;
}

describe('the bundled scripts of the skill', () => {
  it('come out of the build byte for byte as they are committed', async () => {
    const { bundle } = (await import(path.join(root, 'scripts/build.mjs'))) as Build;
    const again = temporaryFolder();
    await bundle(path.join(again, 'websocket.mjs'));
    expect(readdirSync(again)).toEqual(readdirSync(scripts));
    // Not compared as strings: a difference would print a million characters.
    for (const name of readdirSync(again)) {
      const made = readFileSync(path.join(again, name));
      expect(made.equals(readFileSync(path.join(scripts, name))), name).toBe(true);
    }
  });

  it('hold each process that `run` knows, and export it without running the command line', () => {
    const names = readdirSync(path.join(root, 'processes')).map((name) =>
      path.basename(name, '.ts'),
    );
    const files = readdirSync(scripts).map((name) => path.basename(name, '.mjs'));
    expect(files.sort()).toEqual(['websocket', ...names.filter((name) => name !== 'steps')].sort());
    const script = `console.log(Object.keys(await import('./websocket-server.mjs')).join())`;
    const args = ['--input-type=module', '-e', script];
    expect(execFileSync(process.execPath, args, { cwd: scripts, encoding: 'utf8' })).toBe(
      'checkInputs,process\n',
    );
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
