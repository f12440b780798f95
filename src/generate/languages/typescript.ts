import { INSTALLED_BY_NPM } from '../../target/project/manifest.ts';
import type { ClientLanguage } from './language.ts';

export const typescript: ClientLanguage = {
  types: ['chat', 'pubsub', 'live-updates', 'collab', 'rpc'],
  react: true,
  commands: {
    install: ['npm', 'install', '--no-audit', '--no-fund'],
    build: ['npm', 'run', 'build'],
    test: ['npm', 'test'],
    driver: ['node', 'dist/src/driver.js'],
  },
  installed: INSTALLED_BY_NPM,
  next: ['npm install', 'npm test'],
  file: /\.m?[jt]s$/,
  singleFile: {
    comment: '//',
    source: (template, fileName, readAsset) =>
      fileName.endsWith('js') ? withoutTypes(template, readAsset) : template,
    text: joinModules,
  },
};

/** The template with the JavaScript that its TypeScript is without its types, under the same names. */
function withoutTypes(
  template: ReadonlyMap<string, string>,
  readAsset: (name: string) => string,
): ReadonlyMap<string, string> {
  const asset = (path: string): string =>
    readAsset(path.replace(/^src\//, 'client/').replace(/ts$/, 'js'));
  return new Map(
    [...template].map(([path, text]) => [path, path.startsWith('src/') ? asset(path) : text]),
  );
}

const RELATIVE_IMPORT = /^import (?:type )?\{[^}]*\} from '\.\/([\w-]+)\.ts';\n/gm;
const EXPORTED = /^export (?:type )?\{([^}]*)\} from/gm;

/** The modules that `src/index.ts` exports, and those that they import, as one. */
function joinModules(files: ReadonlyMap<string, string>): string {
  const names: string[] = [];
  const add = (name: string): void => {
    const text = files.get(`src/${name}.ts`);
    if (text === undefined || names.includes(name)) return;
    for (const [, imported = ''] of text.matchAll(RELATIVE_IMPORT)) add(imported);
    if (!names.includes(name)) names.push(name);
  };
  const index = files.get('src/index.ts') ?? '';
  for (const [, name = ''] of index.matchAll(/ from '\.\/([\w-]+)\.ts'/g)) add(name);
  add('react');
  const exported = new Set(
    [...index.matchAll(EXPORTED)].flatMap(([, list = '']) => list.trim().split(/,\s*/)),
  );
  const packages = new Set<string>();
  const texts = names.map((name) =>
    (files.get(`src/${name}.ts`) ?? '')
      .replace(RELATIVE_IMPORT, '')
      .replace(/^import .* from '[^.].*';\n/gm, (line) => {
        packages.add(line);
        return '';
      })
      .replace(/^export ((?:abstract )?\w+ (\w+))/gm, (whole, rest: string, own: string) => {
        const name = rest.startsWith('abstract ') ? '' : own;
        return exported.has(name) || /^use[A-Z]/.test(name) ? whole : rest;
      })
      .trim(),
  );
  return `${[...packages].join('')}${packages.size > 0 ? '\n' : ''}${texts.join('\n\n')}\n`;
}
