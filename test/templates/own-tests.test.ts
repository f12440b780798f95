import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as prettier from 'prettier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEATURES } from '../../src/generate/answers.ts';
import type { Feature } from '../../src/generate/answers.ts';
import { generateForTest, root } from './generated.ts';

const run = promisify(execFile);

/** Runs `npm test` in `folder`; what went wrong when it fails. */
async function npmTest(folder: string): Promise<string | string[]> {
  const options = { cwd: folder, maxBuffer: 1 << 26 };
  return await run('npm', ['test'], options).then(
    () => 'passed',
    (error: unknown) => {
      const lines = (error as { stdout: string }).stdout.split('\n');
      const failed = lines.flatMap((line, index) => (/^\s*not ok/.test(line) ? [index] : []));
      return failed.map((index) => lines.slice(index, index + 12).join('\n')).join('\n') || lines;
    },
  );
}

describe('templates as they stand', () => {
  let folder: string;
  beforeAll(() => {
    // A copy, so that what building leaves behind is never published.
    folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
    cpSync(path.join(root, 'templates/nodejs'), folder, {
      recursive: true,
      filter: (source) => !/[\\/](?:node_modules|dist)$/.test(source),
    });
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['echo', 'chat'])('%s passes its own tests', async (name) => {
    expect(await npmTest(path.join(folder, name))).toBe('passed');
  });
});

/** Every set of features that goes together. */
const FEATURE_SETS = FEATURES.reduce<Feature[][]>(
  (sets, next) => [...sets, ...sets.map((set) => [...set, next])],
  [[]],
).filter((set) => set.length === 0 || set.includes('rooms'));

describe('every set of features', () => {
  it('is covered', () => {
    expect(FEATURE_SETS).toHaveLength(5);
  });

  it.each(FEATURE_SETS.map((features) => ({ features, name: features.join(', ') || 'none' })))(
    'with $name compiles, is well formatted and passes its own tests',
    async ({ features }) => {
      // Its values are as far from those of the template as they can be.
      const generated = await generateForTest(
        {
          type: 'chat',
          features,
          port: 1,
          compression: 'none',
          serverNoContextTakeover: false,
          subprotocols: ["it's", 'b'],
          maxPayload: 70_000,
          pingInterval: 100,
          name: 'x',
        },
        { isBuilt: false },
      );
      try {
        expect(await npmTest(generated.folder)).toBe('passed');
        expect(await illFormatted(generated.folder, generated.files)).toEqual([]);
      } finally {
        generated.dispose();
      }
    },
  );
});

async function illFormatted(folder: string, files: readonly string[]): Promise<string[]> {
  const config = await prettier.resolveConfig(path.join(root, 'package.json'));
  const found: string[] = [];
  for (const file of files) {
    const { inferredParser } = await prettier.getFileInfo(path.join(folder, file));
    // The manifest is written and read by machines.
    if (inferredParser === null || file === '.wsgen.json') continue;
    const text = readFileSync(path.join(folder, file), 'utf8');
    const isFine = await prettier.check(text, { ...config, filepath: file });
    if (!isFine) found.push(file);
  }
  return found;
}
