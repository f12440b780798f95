import { localPath } from '../../core/shell-quote.ts';
import { INSTALLED_BY_NPM, LISTENING } from '../../target/project/manifest.ts';
import type { Language, Server } from './language.ts';

const INSTALL = ['npm', 'install', '--no-audit', '--no-fund'];
const TEST = ['npm', 'test'];

const REALTIME: Server = {
  template: 'realtime',
  commands: {
    install: INSTALL,
    build: ['npm', 'run', 'build'],
    start: ['node', 'dist/src/main.js'],
    test: TEST,
  },
};

const RPC: Server = {
  ...REALTIME,
  speaks: ['graphql-ws', 'graphql-ws-legacy', 'json-rpc', 'wamp.2.json'],
};

export const nodejs: Language = {
  ignored: ['node_modules', 'dist', 'package-lock.json', 'asyncapi.yaml'],
  servers: {
    echo: {
      template: 'echo',
      commands: { install: INSTALL, build: null, start: ['node', 'echo-server.js'], test: TEST },
    },
    chat: RPC,
    pubsub: RPC,
    'live-updates': REALTIME,
    collab: REALTIME,
    rpc: RPC,
    mcp: { ...REALTIME, speaks: ['mcp'] },
  },
  installed: INSTALLED_BY_NPM,
  listening: LISTENING,
  contractTests: 'test/contract.mjs',
  next: ['npm install', 'npm start'],
  demo: 'npm run demo',
  singleFile: {
    extension: /\.[cm]?js$/,
    text: (files, readAsset) => `${files.get('echo-server.js') ?? ''}\n${readAsset('ws.min.js')}`,
    comment: '//',
    start: (file) => ['node', localPath(file)],
    note: 'the file holds the ws package and needs no node_modules',
  },
  tokenList: (tokens) => {
    const list = `[${tokens.map(literal).join(', ')}]`;
    if (list.length <= LONGEST_LIST) return list;
    return `[\n${tokens.map((token) => `    ${literal(token)},\n`).join('')}  ]`;
  },
  boolean: String,
};

/** Characters that the line of `src/config.ts` has for a list, of the 100 that Prettier lets it have. */
const LONGEST_LIST = 83;

function literal(token: string): string {
  return token.includes("'") ? `"${token}"` : `'${token}'`;
}
