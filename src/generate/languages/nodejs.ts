import { INSTALLED_BY_NPM, LISTENING } from '../../target/project/manifest.ts';
import type { Language } from './language.ts';

const INSTALL = ['npm', 'install', '--no-audit', '--no-fund'];
const TEST = ['npm', 'test'];

export const nodejs: Language = {
  ignored: ['node_modules', 'dist', 'package-lock.json'],
  commands: {
    echo: { install: INSTALL, build: null, start: ['node', 'echo-server.js'], test: TEST },
    chat: {
      install: INSTALL,
      build: ['npm', 'run', 'build'],
      start: ['node', 'dist/src/main.js'],
      test: TEST,
    },
  },
  installed: INSTALLED_BY_NPM,
  listening: LISTENING,
  next: ['npm install', 'npm start'],
  singleFile: {
    extension: /\.[cm]?js$/,
    source: 'echo-server.js',
    library: 'ws.min.js',
    comment: '//',
    // A name that starts with a dash would be an option.
    start: (file) => ['node', file.startsWith('-') ? `./${file}` : file],
    note: 'the file holds the ws package and needs no node_modules',
  },
  tokenList: (tokens) => `[${tokens.map(literal).join(', ')}]`,
};

function literal(token: string): string {
  return token.includes("'") ? `"${token}"` : `'${token}'`;
}
