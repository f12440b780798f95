import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Rule {
  /** Units this one may import; `operations/*` is any operation. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

/** The units of each storey; docs/architecture.md shows the same file. */
const storeys = JSON.parse(
  readFileSync(path.join(root, 'test/package/architecture.json'), 'utf8'),
) as Readonly<Record<string, Readonly<Record<string, Rule>>>>;
const [, engines = {}] = Object.values(storeys);
const rules = Object.assign({}, ...Object.values(storeys)) as Readonly<Record<string, Rule>>;

/** Node built-ins that the pure core may use; everything else there would be I/O. */
const PURE_BUILTINS = ['node:zlib', 'node:crypto', 'node:buffer'];

interface Import {
  readonly from: string;
  readonly to: string;
}

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

const files = ['src', 'tasks', 'processes'].flatMap(sources);

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(path.join(root, file), 'utf8'),
    ts.ScriptTarget.ES2022,
  );
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const target =
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (target !== undefined && ts.isStringLiteral(target)) {
      found.push({ from: file, to: target.text });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const imports = files.flatMap(importsOf);

const local = imports
  .filter((entry) => entry.to.startsWith('.'))
  .map(({ from, to }) => ({ from, to: path.join(path.dirname(from), to) }));

/** `src/load/plan.ts` -> `load`; `src/operations/test/view.ts` -> `operations/test`. */
function unitOf(file: string): string {
  const [first = '', ...rest] = file.replace(/\.ts$/, '').split(path.sep);
  if (first !== 'src') return first;
  return rest.slice(0, rest[0] === 'operations' ? 2 : 1).join('/');
}

/** A folder two levels deep, or a file above: `src/load/run`, `src/load/plan.ts`. */
function nodeOf(file: string): string {
  return file.split(path.sep).slice(0, 3).join('/');
}

function isAllowed({ from, to }: Import): boolean {
  const unit = unitOf(from);
  const rule = rules[unit];
  if (rule === undefined) return false;
  if (to.startsWith('node:')) return unit !== 'protocol' || PURE_BUILTINS.includes(to);
  if (!to.startsWith('.')) {
    return rule.packages.some((name) => to === name || to.startsWith(`${name}/`));
  }
  const target = unitOf(path.join(path.dirname(from), to));
  return (
    target === unit ||
    rule.imports.includes(target) ||
    (rule.imports.includes('operations/*') && target.startsWith('operations/'))
  );
}

/** Each circle of `arrows` once, as `a -> b -> a`. */
function circlesOf(arrows: readonly Import[]): string[] {
  const graph = new Map<string, Set<string>>();
  for (const { from, to } of arrows) {
    if (from !== to) graph.set(from, (graph.get(from) ?? new Set()).add(to));
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (at: string, trail: readonly string[]): void => {
    if (trail.includes(at)) circles.push([...trail.slice(trail.indexOf(at)), at].join(' -> '));
    if (trail.includes(at) || done.has(at)) return;
    for (const next of graph.get(at) ?? []) walk(next, [...trail, at]);
    done.add(at);
  };
  for (const start of graph.keys()) walk(start, []);
  return circles;
}

it('imports only what the table allows', () => {
  expect(imports.length).toBeGreaterThan(100);
  const forbidden = imports.filter((entry) => !isAllowed(entry));
  expect(forbidden.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

it('finds a forbidden import when there is one', () => {
  const planted = [
    { from: 'src/operations/test/schema.ts', to: '../../generate/plan.ts' },
    { from: 'src/operations/test/schema.ts', to: '../benchmark/schema.ts' },
    { from: 'src/operations/test/schema.ts', to: '../../config/index.ts' },
    { from: 'src/load/plan.ts', to: '../conformance/case.ts' },
    { from: 'src/core/errors.ts', to: '../cli/bin.ts' },
    { from: 'src/protocol/frames/frame.ts', to: 'node:net' },
    { from: 'src/transport/dial.ts', to: 'zod' },
    { from: 'src/new/file.ts', to: 'node:fs' },
  ];
  expect(planted.filter(isAllowed)).toEqual([]);
});

it('has a rule for every unit and no rule for one that is gone', () => {
  expect([...new Set(files.map(unitOf))].sort()).toEqual(Object.keys(rules).sort());
});

it('lets arrows only point down, and no engine or operation import another', () => {
  const units = Object.keys(rules);
  const upward = Object.entries(rules).flatMap(([unit, rule]) =>
    rule.imports
      .filter((name) => name !== 'operations/*' && units.indexOf(name) <= units.indexOf(unit))
      .map((name) => `${unit} -> ${name}`),
  );
  expect(upward).toEqual([]);
  expect(
    Object.values(engines).flatMap((rule) => rule.imports.filter((n) => n in engines)),
  ).toEqual([]);
  const operations = units.filter((unit) => unit.startsWith('operations/'));
  const importers = operations.filter((unit) =>
    rules[unit]?.imports.some((name) => name.startsWith('operations/') && !name.endsWith('/index')),
  );
  expect(importers).toEqual(['operations/index']);
});

it('has no circle of folders or files, types included', () => {
  const nodes = local.map(({ from, to }) => ({ from: nodeOf(from), to: nodeOf(to) }));
  expect(circlesOf(nodes)).toEqual([]);
  expect(circlesOf(local)).toEqual([]);
});

it('finds a circle when there is one', () => {
  const arrows = ['a b', 'b c', 'c a', 'c d'].map((arrow) => {
    const [from = '', to = ''] = arrow.split(' ');
    return { from, to };
  });
  expect(circlesOf(arrows)).toEqual(['a -> b -> c -> a']);
});

it('lists in help what src/operations holds', async () => {
  const help = await parseCommandLine(['--help'], { version: '', commands }, root);
  const text = 'text' in help ? help.text : '';
  const listed = [...text.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name);
  const folders = readdirSync(path.join(root, 'src/operations'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(listed.toSorted()).toEqual(folders.toSorted());
  for (const folder of folders) expect(files).toContain(`src/operations/${folder}/operation.ts`);
});
