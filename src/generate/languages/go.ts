import { localPath } from '../../core/shell-quote.ts';
import { LISTENING } from '../../target/project/manifest.ts';
import type { ClientLanguage, Language, Server } from './language.ts';

const SERVER: Server = {
  template: 'server',
  commands: {
    install: null,
    build: ['go', 'build', '-o', 'bin/server', './cmd/server'],
    start: ['bin/server'],
    test: ['go', 'test', './...'],
  },
};

const TOOLCHAIN = { command: ['go', 'version'], least: '1.25' };

const RPC: Server = {
  ...SERVER,
  speaks: ['graphql-ws', 'graphql-ws-legacy', 'json-rpc', 'wamp.2.json'],
};

export const goClient: ClientLanguage = {
  types: ['chat', 'pubsub', 'live-updates', 'rpc'],
  react: false,
  commands: {
    install: null,
    build: ['go', 'build', '-o', 'bin/driver', './cmd/driver'],
    test: ['go', 'test', './...'],
    driver: ['bin/driver'],
  },
  rpcCommands: { install: null, build: ['go', 'build', './...'], test: ['go', 'test', './...'] },
  toolchain: TOOLCHAIN,
  installed: [],
  next: ['go test ./...'],
  file: /\.go$/,
  singleFile: { comment: '//', text: joinFiles },
};

export const go: Language = {
  ignored: ['bin'],
  servers: {
    echo: SERVER,
    chat: RPC,
    pubsub: RPC,
    'live-updates': SERVER,
    rpc: RPC,
  },
  toolchain: TOOLCHAIN,
  installed: [],
  listening: LISTENING,
  next: ['go run ./cmd/server'],
  demo: 'make demo',
  singleFile: {
    extension: /\.go$/,
    text: (files) => onePackage(files),
    comment: '//',
    start: (file) => ['go', 'run', localPath(file)],
    // `go run` passes no signals on.
    built: (file) => {
      const binary = `./${file.replace(/\.go$/, '')}.bin`;
      return { build: ['go', 'build', '-o', binary, localPath(file)], start: [binary] };
    },
    note: 'the file needs nothing but Go 1.25 or newer',
  },
  tokenList: (tokens) =>
    tokens.length === 0 ? 'nil' : `[]string{${tokens.map((token) => `"${token}"`).join(', ')}}`,
  boolean: String,
};

/** In the order in which they are read best. */
const PACKAGES = [
  'cmd/server',
  'internal/handler',
  'internal/config',
  'internal/server',
  'internal/rate',
  'internal/websocket',
];

/** The import of a package of the project itself. */
const OWN_IMPORT = /"[^"]*\/internal\/(\w+)"/;

/**
 * The packages of the project as one, without its tests: one list of imports, then all declarations. No two
 * packages declare the same name, and no variable has the name of a package: `gofmt` and `go build` would say so.
 */
function onePackage(files: ReadonlyMap<string, string>): string {
  const sources = PACKAGES.flatMap((folder) =>
    [...files].filter(
      ([path]) =>
        path.startsWith(`${folder}/`) && path.endsWith('.go') && !path.endsWith('_test.go'),
    ),
  ).map(([, text]) => partsOf(text));
  const own = PACKAGES.map((folder) => folder.split('/')[1] ?? '').join('|');
  const qualifier = new RegExp(`\\b(?:${own})\\.(?=[A-Z])`, 'g');
  const imports = [...new Set(sources.flatMap((source) => source.imports))]
    .filter((name) => !OWN_IMPORT.test(name))
    .sort();
  const [first = ''] = sources.map(({ comment }) => comment);
  const bodies = sources.map(({ comment, body }, index) =>
    index === 0 ? body : `${comment}${body}`,
  );
  return (
    `\n${first.trimEnd().replace('./cmd/server', 'echo_server.go')}\npackage main\n\nimport (\n${imports.map((name) => `\t${name}\n`).join('')})\n\n` +
    `${bodies.map((body) => body.replace(qualifier, '').trim()).join('\n\n')}\n`
  );
}

/** The package of a client, without its tests, as one file. */
function joinFiles(files: ReadonlyMap<string, string>): string {
  const names = [...files.keys()].filter((path) => /^\w+(?<!_test)\.go$/.test(path));
  // It has the comment of the package.
  const first = names.includes('client.go') ? 'client.go' : 'session.go';
  const sources = [first, ...names.filter((name) => name !== first)].map((name) =>
    partsOf(files.get(name) ?? ''),
  );
  // By their paths, as gofmt sorts them: one may have another name before it.
  const pathOf = (name: string): string => name.slice(name.indexOf('"'));
  const imports = [...new Set(sources.flatMap((source) => source.imports))].sort((a, b) =>
    pathOf(a) < pathOf(b) ? -1 : 1,
  );
  const groups = [false, true].map((isModule) =>
    imports
      .filter((name) => name.includes('.') === isModule)
      .map((name) => `\t${name}\n`)
      .join(''),
  );
  const [, module = '', version = ''] = /require (\S+) (\S+)/.exec(files.get('go.mod') ?? '') ?? [];
  return (
    `${sources[0]?.comment.trimEnd()}\n//\n// Its module needs what this brings: go get ${module}@${version}\n` +
    `package wsclient\n\nimport (\n${groups.join('\n')})\n\n` +
    `${sources.map(({ body }) => body.trim()).join('\n\n')}\n`
  );
}

/** The comment of a package, what it imports, and its declarations. */
function partsOf(text: string): { comment: string; imports: string[]; body: string } {
  const match = /^((?:\/\/.*\n)*)package \w+\n(?:\nimport (?:\(\n([^)]*)\)|("[^"]*"))\n)?/.exec(
    text,
  );
  if (match === null) throw new Error(`no package clause in ${JSON.stringify(text.slice(0, 80))}`);
  const [head, comment = '', several = '', one = ''] = match;
  const imports = `${several}\n${one}`.split('\n').map((line) => line.trim());
  return {
    // A blank line keeps it from being that of the first declaration.
    comment: comment === '' ? '' : `${comment}\n`,
    imports: imports.filter((line) => line !== ''),
    body: text.slice(head.length).trimStart(),
  };
}
