import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What an installer sees of this repository; the rest does not change what it picks. */
const PUBLISHED = ['skills', '.claude-plugin', 'SKILL.md', 'README.md', 'package.json'];

/** The name under which installers are told to fetch; it leads to the local bare repository. */
export const SOURCE = 'acme/websocket-skill';

/** A user's machine that knows this repository as `SOURCE` on GitHub and reaches nothing else. */
export interface Machine {
  /** The user's project, empty. */
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Makes in `folder` a bare repository of the working tree's files and a machine that clones it for
 * https://github.com/acme/websocket-skill, with a fresh home.
 */
export function createMachine(folder: string, searchPath: readonly string[]): Machine {
  const at = (...parts: string[]): string => path.join(folder, ...parts);
  const project = at('project');
  for (const each of [project, at('home', '.claude'), at('tmp'), at('remotes', 'acme')]) {
    mkdirSync(each, { recursive: true });
  }
  for (const name of PUBLISHED) {
    cpSync(path.join(root, name), at('tree', name), { recursive: true });
  }
  const config = at('gitconfig');
  writeFileSync(
    config,
    [
      `[url "${pathToFileURL(at('remotes')).href}/"]`,
      '\tinsteadOf = https://github.com/',
      '[user]',
      '\tname = a tester',
      '\temail = tester@localhost',
      '',
    ].join('\n'),
  );
  const offline = at('offline.mjs');
  writeFileSync(offline, OFFLINE);
  const env: NodeJS.ProcessEnv = {
    PATH: [
      ...searchPath,
      path.dirname(process.execPath),
      '/usr/local/bin',
      '/usr/bin',
      '/bin',
    ].join(path.delimiter),
    HOME: at('home'),
    TMPDIR: at('tmp'),
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: config,
    GIT_CONFIG_NOSYSTEM: '1',
    DISABLE_TELEMETRY: '1',
    NODE_OPTIONS: `--import=${pathToFileURL(offline).href}`,
  };
  const git = (...args: string[]): void => {
    execFileSync('git', args, { cwd: at('tree'), env, stdio: 'pipe' });
  };
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message=The working tree');
  git('clone', '--quiet', '--bare', '.', at('remotes', `${SOURCE}.git`));
  return { project, env };
}

// Installers ask GitHub's API for update hashes and report usage; a test must not reach out, and a
// machine without a network is what they have to cope with anyway.
const OFFLINE = `globalThis.fetch = () => Promise.reject(new TypeError('fetch failed: offline'));\n`;
