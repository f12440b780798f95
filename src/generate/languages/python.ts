import { localPath } from '../../core/shell-quote.ts';
import { LISTENING } from '../../target/project/manifest.ts';
import type { ClientLanguage, Language, ProtocolName, Server } from './language.ts';

/** Creates `.venv` and installs the project into it, as it is edited, with what its tests need. */
const INSTALL = "python3 -m venv .venv && .venv/bin/pip install --quiet --editable '.[test]'";
const PYTHON = '.venv/bin/python';
const TEST = [PYTHON, '-m', 'pytest', '-q'];
const TOOLCHAIN = { command: ['python3', '--version'], least: '3.11' };

const SERVER: Server = {
  template: 'server',
  commands: {
    install: ['sh', '-c', INSTALL],
    build: null,
    start: [PYTHON, '-m', 'ws_server'],
    test: TEST,
  },
};

/** Those of `PROTOCOLS` that they can speak. */
const SPEAKS: readonly ProtocolName[] = [
  'graphql-ws',
  'graphql-ws-legacy',
  'json-rpc',
  'wamp.2.json',
];
const SPEAKING: Server = { ...SERVER, speaks: SPEAKS };

export const python: Language = {
  ignored: ['.venv', '__pycache__', '.pytest_cache', '.mypy_cache', '.ruff_cache'],
  servers: {
    echo: SERVER,
    chat: SPEAKING,
    pubsub: SPEAKING,
    'live-updates': SERVER,
    rpc: SPEAKING,
  },
  toolchain: TOOLCHAIN,
  // What pip writes last.
  installed: ['.venv/bin/ws-server'],
  listening: LISTENING,
  next: [INSTALL, '.venv/bin/ws-server'],
  demo: 'DEMO=1 .venv/bin/ws-server',
  singleFile: {
    extension: /\.py$/,
    text: (files) => joinModules(files, 'src/ws_server', '__main__'),
    comment: '#',
    start: (file) => ['python3', localPath(file)],
    note: 'the file needs Python 3.11 or later, and nothing else',
  },
  tokenList: (tokens) =>
    `(${tokens.map((token) => `"${token}"`).join(', ')}${tokens.length === 1 ? ',' : ''})`,
  boolean: (value) => (value ? 'True' : 'False'),
};

export const pythonClient: ClientLanguage = {
  types: ['chat', 'pubsub', 'live-updates', 'rpc'],
  react: false,
  commands: {
    install: ['sh', '-c', INSTALL],
    build: null,
    test: TEST,
    driver: [PYTHON, '-m', 'ws_client.driver'],
  },
  toolchain: TOOLCHAIN,
  installed: ['.venv/bin/client-driver'],
  next: [INSTALL, `${PYTHON} -m pytest`],
  file: /\.py$/,
  singleFile: {
    comment: '#',
    text: (files) => joinModules(files, 'src/ws_client', '__init__'),
  },
};

/** Imports from the package itself, on one line or in brackets. */
const OWN_IMPORT = /^from \.([\w.]+) import (?:\([^)]*\)|[^(\n]*)\n/gm;
const IMPORT = /^(?:import|from ([^.\s]\S*) import) (.*)\n/gm;
const DOCSTRING = /^"""[^]*?"""\n/;
/** What only type checkers import, as it would be a circle. */
const CIRCLE = /^if TYPE_CHECKING:\n(?: {4}.*\n)+\n/gm;

/** The module `entry` of a package and those that it needs, as one: imports of others first, each once. */
function joinModules(
  files: ReadonlyMap<string, string>,
  folder: string,
  entry: '__main__' | '__init__',
): string {
  const textOf = (name: string): string =>
    files.get(`${folder}/${name.replaceAll('.', '/')}.py`) ?? '';
  const names: string[] = [];
  const add = (name: string): void => {
    for (const [, imported = ''] of textOf(name).matchAll(OWN_IMPORT)) add(imported);
    if (!names.includes(name)) names.push(name);
  };
  add(entry);
  const texts = names.map((name) => textOf(name).replace(CIRCLE, ''));
  const bodies = texts.map((text) =>
    text.replace(DOCSTRING, '').replace(OWN_IMPORT, '').replace(IMPORT, '').trim(),
  );
  const [docstring] = DOCSTRING.exec(textOf(entry)) ?? [''];
  const body = bodies.filter((text) => text !== '').join('\n\n\n');
  return `${docstring}\n${joinImports(texts.join(''))}\n\n${body}\n`;
}

/** Whole modules first, then names of modules, each once. */
function joinImports(text: string): string {
  const names = new Map<string, Set<string>>();
  const lines = new Set<string>();
  for (const [line, module, list = ''] of text.matchAll(IMPORT)) {
    if (module === undefined) lines.add(line);
    else names.set(module, new Set([...(names.get(module) ?? []), ...list.split(', ')]));
  }
  names.get('typing')?.delete('TYPE_CHECKING');
  const from = [...names].map(
    ([module, list]) => `from ${module} import ${[...list].sort().join(', ')}\n`,
  );
  return [...[...lines].sort(), ...from.sort()].join('');
}
