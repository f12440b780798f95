import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Rule {
  /** Units this one may import; `config:types` is config's schema, as types only. */
  readonly units: readonly string[];
  readonly packages: readonly string[];
}

const KERNEL = ['operation', 'errors', 'reports', 'input-file', 'input-types', 'config:types'];
const FEATURE: Rule = {
  units: ['protocol', 'transport', 'project', 'version', ...KERNEL],
  packages: ['zod'],
};
const SDK = '@a5c-ai/babysitter-sdk';

/** Who may import whom; docs/architecture.md draws the same table. */
const RULES: Readonly<Record<string, Rule>> = {
  protocol: { units: [], packages: [] },
  errors: { units: [], packages: [] },
  version: { units: [], packages: [] },
  nearest: { units: [], packages: ['leven'] },
  'input-file': { units: ['errors'], packages: [] },
  reports: { units: ['errors'], packages: [] },
  'input-types': { units: [], packages: ['zod'] },
  operation: { units: ['config:types'], packages: ['zod'] },
  transport: { units: ['protocol', 'errors'], packages: [] },
  project: { units: ['errors'], packages: ['zod'] },
  endpoint: FEATURE,
  conformance: { ...FEATURE, packages: ['zod', 'yaml'] },
  generate: FEATURE,
  load: {
    units: [...FEATURE.units, 'nearest'],
    packages: ['zod', 'yaml', 'bullmq', 'ioredis'],
  },
  config: { units: ['operation', 'errors', 'nearest'], packages: ['zod', 'yaml'] },
  operations: { units: ['*/operation', 'operation'], packages: [] },
  derive: { units: ['operation', 'errors', 'nearest', 'config:types'], packages: ['zod'] },
  cli: {
    units: [
      'operations',
      '*/operation',
      'derive',
      'operation',
      'errors',
      'config',
      'nearest',
      'version',
    ],
    packages: ['commander', 'picocolors'],
  },
  babysitter: {
    units: ['operations', 'operation', 'derive', 'config', 'errors', 'nearest', 'version'],
    packages: ['zod', SDK],
  },
  index: {
    units: [
      'babysitter',
      'protocol',
      'endpoint',
      'conformance',
      'generate',
      'load',
      'config',
      'errors',
      'operation',
      'version',
    ],
    packages: [],
  },
  tasks: {
    units: ['operations', '*/operation', 'operation', 'derive', 'config', 'babysitter'],
    packages: ['zod', SDK],
  },
  processes: { units: ['tasks'], packages: [SDK] },
};

/** Node built-ins that the pure core may use; everything else there would be I/O. */
const PURE_BUILTINS = ['node:zlib', 'node:crypto', 'node:buffer'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
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
      const typeOnly =
        ts.isImportDeclaration(node) &&
        node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ from: file, to: target.text, typeOnly });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const imports = files.flatMap(importsOf);

/** `src/endpoint/checks/ping.ts` -> `endpoint`; `src/core/errors.ts` -> `errors`; `tasks/index.ts` -> `tasks`. */
function unitOf(file: string): string {
  const parts = file.split(path.sep);
  return (parts[0] === 'src' ? parts[1] : parts[0])?.replace(/\.ts$/, '') ?? '';
}

function resolve(entry: Import): string {
  return path.join(path.dirname(entry.from), entry.to);
}

function isAllowed(entry: Import): boolean {
  const unit = unitOf(entry.from);
  const rule = RULES[unit];
  if (rule === undefined) return false;
  if (entry.to.startsWith('node:')) return unit !== 'protocol' || PURE_BUILTINS.includes(entry.to);
  if (!entry.to.startsWith('.')) {
    return rule.packages.some((name) => entry.to === name || entry.to.startsWith(`${name}/`));
  }
  const target = resolve(entry);
  const targetUnit = unitOf(target);
  if (targetUnit === unit || rule.units.includes(targetUnit)) return true;
  if (rule.units.includes('*/operation') && /^src\/(?:[^/]+\/)+operation\.ts$/.test(target))
    return true;
  return rule.units.includes('config:types') && target === 'src/core/settings.ts' && entry.typeOnly;
}

it('imports only what the table of the architecture allows', () => {
  expect(imports.length).toBeGreaterThan(100);
  const forbidden = imports.filter((entry) => !isAllowed(entry));
  expect(forbidden.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

it('finds a forbidden import when there is one', () => {
  const planted = [
    { from: 'src/operations/test/schema.ts', to: '../generate/schema.ts', typeOnly: true },
    { from: 'src/protocol/frames/frame.ts', to: 'node:net', typeOnly: false },
    { from: 'src/transport/dial.ts', to: 'zod', typeOnly: false },
    { from: 'src/operations/test/schema.ts', to: '../config/schema.ts', typeOnly: false },
  ];
  expect(planted.filter(isAllowed)).toEqual([]);
});

it('has a rule for every unit and no rule for one that is gone', () => {
  expect([...new Set(files.map(unitOf))].sort()).toEqual(Object.keys(RULES).sort());
});

it('has no import cycle, types included', () => {
  const graph = new Map(files.map((file) => [file, [] as string[]]));
  for (const entry of imports) {
    if (entry.to.startsWith('.')) graph.get(entry.from)?.push(resolve(entry));
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...trail, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  expect(cycles).toEqual([]);
});
