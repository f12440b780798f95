import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requirement } from './requirement.ts';

const FIND = 'import sys; sys.version_info >= (3, 11) and print(sys.executable)';

let found: string | undefined;

/** The path of a Python that generated servers run on; undefined where there is none. */
export function pythonPath(): string | undefined {
  if (found === undefined) {
    const { error, stdout } = spawnSync('python3', ['-c', FIND], { encoding: 'utf8' });
    found = error === undefined ? stdout.trim() : '';
  }
  return found === '' ? undefined : found;
}

/** `describe` for tests that need a Python. */
export function pythonRequirement(name: string): ReturnType<typeof requirement> {
  return requirement(name, () =>
    pythonPath() === undefined ? 'python3 >= 3.11 is missing' : undefined,
  );
}

/** Pinned, with hashes. */
const REQUIREMENTS = fileURLToPath(
  new URL('../templates/python-requirements.txt', import.meta.url),
);

/** How long projects may take to be installed. */
export const INSTALL_TIMEOUT_MS = 240_000;

/** Downloads what generated projects may need to `folder`, and makes pip install from there alone. */
export async function downloadWheels(folder: string): Promise<void> {
  const only = ['--quiet', '--require-hashes', '--no-deps', '--only-binary=:all:'];
  const download = ['-m', 'pip', 'download', ...only, '-r', REQUIREMENTS, '-d', folder];
  await promisify(execFile)('python3', download, { timeout: INSTALL_TIMEOUT_MS });
  Object.assign(process.env, { PIP_NO_INDEX: '1', PIP_FIND_LINKS: folder });
}

/** Installs packages, which bring no others, to a folder for PYTHONPATH. */
export async function installPackages(folder: string, names: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const blocks = readFileSync(REQUIREMENTS, 'utf8').split(/\n(?=\S)/);
  const wanted = blocks.filter((block) => names.some((name) => block.startsWith(`${name}==`)));
  if (wanted.length !== names.length) throw new Error(`not pinned: one of ${names.join(', ')}`);
  const list = path.join(folder, 'requirements.txt');
  writeFileSync(list, wanted.join('\n'));
  await installRequirements(folder, list);
}

/** Installs all that a file pins, with hashes, to a folder for PYTHONPATH. */
export async function installRequirements(folder: string, file: string): Promise<void> {
  const only = ['--quiet', '--require-hashes', '--no-deps', '--only-binary=:all:', '--no-compile'];
  const install = ['-m', 'pip', 'install', ...only, '-r', file, '--target', folder];
  await promisify(execFile)('python3', install, { timeout: INSTALL_TIMEOUT_MS });
}

/** What servers with `auth` need. */
export const AUTH_PACKAGES = ['pyjwt', 'cryptography', 'cffi', 'pycparser'];
