import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { shellQuote } from './shell-quote.ts';

const NAME = 'websocket-skill';
const BUNDLE = 'websocket.mjs';
const HERE = fileURLToPath(import.meta.url);

/** How this process was started. */
export interface Start {
  /** `process.argv[1]`: the file that Node was given, which may be a link. */
  readonly script: string | undefined;
  /** What npm says of itself: `exec` under `npx`. */
  readonly npmCommand: string | undefined;
  /** The file that this module is in. */
  readonly module: string;
}

/**
 * The words that start this program from any folder: `node` and the script where the bundled script
 * runs, under a shell or under another host; the name of the command where it was started by it.
 */
export function ownProgram(
  { script = '', npmCommand, module }: Start = {
    script: process.argv[1],
    npmCommand: process.env['npm_command'],
    module: HERE,
  },
): string[] {
  if (path.basename(script) === NAME) return npmCommand === 'exec' ? ['npx', NAME] : [NAME];
  const bundle = [script, module].find((file) => path.basename(file) === BUNDLE);
  return bundle === undefined ? [NAME] : ['node', bundle];
}

/** A command line of this program for people, quoted for a POSIX shell in the working folder. */
export function ownCommand(...words: readonly string[]): string {
  const program = ownProgram().map((word) => {
    if (!path.isAbsolute(word)) return word;
    const relative = path.relative(process.cwd(), word);
    return /^\.\.(?:[\\/]|$)/.test(relative) || path.isAbsolute(relative) ? word : relative;
  });
  return shellQuote([...program, ...words]);
}
