import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scripts = path.join(root, 'skills/websocket/scripts');
const file = path.join(scripts, 'websocket.mjs');
/** The script that starts the program. */
const text = readFileSync(file, 'utf8');
const decompressed = (name: string): string =>
  brotliDecompressSync(readFileSync(path.join(scripts, name))).toString();
const program = decompressed('websocket.br');
/** What is compressed beside them. */
const beside = readdirSync(scripts)
  .filter((name) => name.endsWith('.br') && name !== 'websocket.br')
  .map(decompressed);

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
    const folder = path.join(root, 'library', 'specializations', 'network-programming');
    const names = readdirSync(folder).map((name) => path.basename(name, '.js'));
    const files = readdirSync(scripts).filter((name) => !name.endsWith('.br'));
    expect(files.map((name) => path.basename(name, '.mjs')).sort()).toEqual(
      ['websocket', ...names].sort(),
    );
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

  it('says what is missing when the script was copied alone', () => {
    const alone = path.join(temporaryFolder(), 'websocket.mjs');
    copyFileSync(file, alone);
    const { status, stderr } = spawnSync(process.execPath, [alone], { encoding: 'utf8' });
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /^error ENOENT\b.*websocket\.br.* \[WSK_ERR_FILE_NOT_READABLE\]\n {2}hint /,
    );
  });

  it('names the file of the program in stacks', () => {
    const script = `import { processes } from './websocket.mjs?processes';
      const { process } = await processes['websocket-server']();
      await process({}, undefined).catch((error) => console.log(error.stack));`;
    const args = ['--input-type=module', '-e', script];
    const stack = execFileSync(process.execPath, args, { cwd: scripts, encoding: 'utf8' });
    expect(stack).toMatch(/\n {4}at .*\/websocket\.br:\d+:\d+/);
  });

  it('imports nothing but Node itself', async () => {
    const imported: string[] = [];
    for (const contents of [text, program]) {
      const { metafile } = await build({
        stdin: { contents },
        bundle: true,
        external: ['*'],
        format: 'esm',
        metafile: true,
        write: false,
      });
      const found = Object.values(metafile.inputs).flatMap(({ imports }) => imports);
      // `<runtime>` is esbuild's own.
      imported.push(...found.map((each) => each.path).filter((name) => name !== '<runtime>'));
    }
    // What esbuild calls for a module that is not in the bundle.
    const shim = /\bvar ([\w$]+)=\(\w+=>typeof require/.exec(program)?.[1]?.replace('$', '\\$');
    const required = [...program.matchAll(new RegExp(`(?<![\\w$])${shim}\\("([^"]+)"\\)`, 'g'))];
    const ofScripts = beside
      .filter((script) => !script.startsWith('{'))
      .flatMap((script) => [...script.matchAll(/\brequire\("([^"]+)"\)/g)]);
    const names = [...imported, ...[...required, ...ofScripts].map(([, name = '']) => name)];
    // What such a script shares with the bundle.
    expect(names.filter((name) => !isBuiltin(name) && !name.startsWith('dist/'))).toEqual([]);
    expect(names).toContain('node:fs');
    expect(names).toContain('dist/src/core/errors.js');
  });

  it('holds no path of the machine that made it', () => {
    for (const place of [root, path.dirname(root), `${homedir()}/`]) {
      for (const each of [text, program, ...beside])
        expect(each.includes(place), place).toBe(false);
    }
  });

  it('are all in git, from which skills are installed', () => {
    const listed = execFileSync('git', ['ls-files', '.'], { cwd: scripts, encoding: 'utf8' });
    expect(listed.trim().split('\n')).toEqual(readdirSync(scripts).sort());
  });

  // A skill is cloned and copied whole on every install.
  it('weighs less than 1.5 MB', () => {
    const sizes = readdirSync(scripts).map((name) => statSync(path.join(scripts, name)).size);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1_500_000);
  });
});
