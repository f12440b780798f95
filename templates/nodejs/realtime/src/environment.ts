import { existsSync, readFileSync } from 'node:fs';

/** The file with the secrets of a developer's own machine. */
export const ENV_FILE = '.env';
/** `NAME=value`, the value in quotes or not. */
const LINE = /^[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\r\n]*?))[ \t]*\r?$/gm;

/** The variables of the process; those that it does not have come from the file `.env`, if there is one. */
export function readEnvironment(): Record<string, string | undefined> {
  const text = existsSync(ENV_FILE) ? readFileSync(ENV_FILE, 'utf8') : '';
  const found = [...text.matchAll(LINE)].map(
    ([, name = '', double, single, bare]) => [name, double ?? single ?? bare] as const,
  );
  return { ...Object.fromEntries(found), ...process.env };
}
