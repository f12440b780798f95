import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import * as prettier from 'prettier';
import { compile, root } from './generated.ts';

const run = promisify(execFile);

/** What a command says that ends well, or what went wrong in its tests. */
async function outcomeOf(program: string, args: readonly string[], cwd: string): Promise<string> {
  return await run(program, args, { cwd, maxBuffer: 1 << 26 }).then(
    () => 'passed',
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      const lines = stdout.split('\n');
      const failed = lines.flatMap((line, index) => (/^\s*not ok/.test(line) ? [index] : []));
      const said = failed.map((index) => lines.slice(index, index + 12).join('\n')).join('\n');
      return said || `${stdout}${stderr}` || String(error);
    },
  );
}

/** Runs `npm test` in `folder`; what went wrong when it fails. */
export async function npmTest(folder: string): Promise<string> {
  return await outcomeOf('npm', ['test'], folder);
}

/**
 * Runs the same tests in a fifth of its time: TypeScript 7 compiles them, and one process takes all of their
 * files, which costs each of them no start of Node and no packages.
 */
export async function testInOneProcess(folder: string): Promise<string> {
  compile(folder);
  if (existsSync(path.join(folder, 'public/editor.js'))) {
    await run('npm', ['run', 'postbuild'], { cwd: folder });
  }
  const files = readdirSync(path.join(folder, 'dist/test')).filter((name) =>
    name.endsWith('.test.js'),
  );
  const program = files.map((name) => `await import('./dist/test/${name}');`).join('\n');
  const args = ['--test-reporter=tap', '--input-type=module', '--eval', program];
  return await outcomeOf(process.execPath, args, folder);
}

const MADE_BY_MACHINES = ['.wsgen.json', 'public/client.js', 'test/contract.mjs'];

/** What was found to be well formatted, with its name: much of it is the same in many projects. */
const formatted = new Set<string>();

/** Those of `files` that are not formatted as this package is. */
export async function illFormatted(folder: string, files: readonly string[]): Promise<string[]> {
  const config = await prettier.resolveConfig(path.join(root, 'package.json'));
  const found: string[] = [];
  for (const file of files) {
    const { inferredParser } = await prettier.getFileInfo(path.join(folder, file));
    // What machines write is not for people to read.
    if (inferredParser === null || MADE_BY_MACHINES.includes(file)) continue;
    const text = readFileSync(path.join(folder, file), 'utf8');
    const named = `${file}\n${text}`;
    if (formatted.has(named)) continue;
    if (await prettier.check(text, { ...config, filepath: file })) formatted.add(named);
    else found.push(file);
  }
  return found;
}
