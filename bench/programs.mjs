// Where benchmarks keep what they install, and how they find a program.
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** Kept from one benchmark to the next. */
export const cache = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'websocket-skill-bench',
);

/** The path of a program, or undefined; Debian has servers where only root's PATH leads. */
export function which(program) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin'];
  return folders
    .map((folder) => path.join(folder, program))
    .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}
