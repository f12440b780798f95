import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FEATURES, resolveAnswers, TYPE_FEATURES } from '../../src/generate/answers.ts';
import { generate } from '../../src/generate/generate.ts';
import { SERVER_TYPES } from '../../src/generate/languages/language.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { runNode } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { compile, generateForTest, ONE_THREAD, root, TSC, TSGO } from './generated.ts';

type Type = (typeof SERVER_TYPES)[number];
type Files = ReadonlyMap<string, string>;

/** Projects that are compiled as one program: types of packages are worked out once for all of them. */
const BATCH = 8;

interface Settings {
  readonly compilerOptions: Readonly<Record<string, unknown>>;
  readonly include: readonly string[];
}

/** What the compiler says of each of some projects that have the same settings. */
async function errorsIn(projects: readonly Files[]): Promise<string[][]> {
  const folder = temporaryFolder();
  const [tsconfig = ''] = projects.map((files) => files.get('tsconfig.json'));
  for (const [project, files] of projects.entries()) {
    expect(files.get('tsconfig.json')).toBe(tsconfig);
    for (const [name, text] of files) write(path.join(folder, String(project), name), text);
  }
  // Their packages are those of this one.
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const { compilerOptions, include } = JSON.parse(tsconfig) as Settings;
  expect(include).toEqual(['src', 'test']);
  const { tsBuildInfoFile, ...options } = compilerOptions;
  expect(tsBuildInfoFile).toBe('dist/.tsbuildinfo');
  const whole: Settings = {
    compilerOptions: { ...options, incremental: false, noEmit: true },
    include: projects.flatMap((_, project) => include.map((name) => `${project}/${name}`)),
  };
  write(path.join(folder, 'tsconfig.json'), JSON.stringify(whole));
  const args = [TSGO, '-p', folder, ONE_THREAD, '--pretty', 'false'];
  const { code, stdout, stderr } = await runNode(args, { cwd: folder });
  const lines = stdout.split(/\n(?=\S)/).filter((line) => line !== '');
  expect([code === 0, stderr]).toEqual([lines.length === 0, '']);
  return projects.map((_, project) => {
    const ofOthers = new RegExp(`^(?!${project}/)\\d+/`);
    return lines.filter((line) => !ofOthers.test(line));
  });
}

function write(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function answersOf(type: Type, list: string) {
  const features = FEATURES.filter((feature) => list.split(',').includes(feature));
  const input = GenerateServerInput.parse({ type, features });
  return resolveAnswers(input, { form: 'project', baseName: 'server' });
}

/** Every set of features that a server of `type` can have, each in the form of its answers. */
function setsOf(type: Type): string[] {
  const sets = TYPE_FEATURES[type].reduce<string[]>(
    (all, next) => [...all, ...all.map((set) => `${set},${next}`)],
    [''],
  );
  return [...new Set(sets.map((list) => answersOf(type, list).features.join(',')))];
}

describe.each(SERVER_TYPES.filter((type) => type !== 'echo'))('a %s server', (type) => {
  const sets = setsOf(type);
  const results = new Map<string, readonly string[]>();

  it.each(sets)('compiles with the features %j', async (list) => {
    if (!results.has(list)) {
      const batch = sets.slice(sets.indexOf(list)).slice(0, BATCH);
      const errors = await errorsIn(batch.map((set) => generate(answersOf(type, set)).files));
      for (const [index, set] of batch.entries()) results.set(set, errors[index] ?? ['not there']);
    }
    expect(results.get(list)).toEqual([]);
  });
});

describe('the compiler', () => {
  it('is told of an error in a module, and of one that it makes where it is imported', async () => {
    const { files } = generate(answersOf('chat', ''));
    const name = 'src/close-codes.ts';
    const text = files.get(name) ?? '';
    const wrong = new Map([...files, [name, `${text}\nexport const one: string = 1;\n`]]);
    const without = new Map([...files, [name, text.replaceAll('CLOSE_CODES', 'NO_CODES')]]);
    const [first = [], second = [], third] = await errorsIn([wrong, without, files]);
    expect(first.map((line) => line.replace(/\(.*/s, ''))).toEqual([`0/${name}`]);
    expect(second.join('\n')).toMatch(/^1\/src\/client\.ts\(/m);
    expect(third).toEqual([]);
  });

  it('writes what that of 5.9 writes, but for the quotes of imports', async () => {
    const features = [...TYPE_FEATURES.chat];
    const { folder, dispose } = await generateForTest({ type: 'chat', features });
    try {
      const written = builtIn(folder);
      rmSync(path.join(folder, 'dist'), { recursive: true });
      // What is written does not depend on types.
      compile(folder, [TSC, '--noCheck']);
      expect(written.size).toBeGreaterThan(40);
      expect(written).toEqual(builtIn(folder));
    } finally {
      dispose();
    }
  });
});

/** The modules of a built project, with their imports between single quotes. */
function builtIn(project: string): Map<string, string> {
  const dist = path.join(project, 'dist');
  const names = readdirSync(dist, { recursive: true, encoding: 'utf8' });
  const modules = names.filter((name) => name.endsWith('.js')).sort();
  return new Map(
    modules.map((name) => {
      const text = readFileSync(path.join(dist, name), 'utf8');
      return [name, text.replace(/\bfrom "(.*?)";$/gm, "from '$1';")];
    }),
  );
}
